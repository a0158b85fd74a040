/*
 * lib/base/log_priv.h: between log.c, which makes messages, log_fold.c, which holds some back, and
 * log_writer.c, which gets them out.
 */
#pragma once

#include "base/log.h"

#define LOG_CONTEXT_MAX 256
#define LOG_TEXT_MAX    (32 * 1024)
#define LOG_LINE_MAX    8192 /* with its prefix and newline */

/* ---- log.c ---- */

typedef void log_line_fn(const char *prefix, size_t prefix_len, const char *text, size_t len, void *arg);

/*
 * Calls fn for each line of the message: at newlines, and where a line would be longer than LOG_LINE_MAX. The
 * prefix ends with the context.
 */
void log_each_line(const struct log_record *r, log_line_fn *fn, void *arg);
unsigned long log_count_lines(const struct log_record *r);
bool log_wait_writable(int fd, int timeout_ms);

/* ---- log_fold.c: all with the writer's lock held; times are monotonic, in ns ---- */

typedef void log_put_fn(const struct log_record *r);

void log_fold_set(const struct log_limits *l);
/* False: it is to be written. Else it is counted. What was counted before may be put. */
bool log_fold_takes(const struct log_record *r, int64_t now, log_put_fn *put);
/* Puts the counts whose time is over, or all. */
void log_fold_tell(int64_t now, bool all, log_put_fn *put);
int64_t log_fold_due(void); /* when the next is over; INT64_MAX: nothing is held back */

/* ---- log_ring.c: all with the writer's lock held ---- */

bool log_ring_put(const struct log_record *r); /* false: it does not fit */
bool log_ring_empty(void);
/* Takes whole messages out, as many as fit; the bytes. into is aligned for anything. */
size_t log_ring_take(char *into, size_t size);
unsigned long log_ring_drop(void); /* how many lines there were */
/* The message at the beginning of what was taken, its texts there; its size. Without the lock. */
size_t log_ring_record(const char *taken, struct log_record *ret);

/* ---- log_writer.c ---- */

/* False: there is no writer (not started, stopped, or this is a forked child); nothing was done. */
bool log_writer_add(const struct log_record *r);
void log_count_dropped(unsigned long lines);
