/*
 * lib/base/log.h: log lines in oslo.log's format, from any thread, without ever blocking the caller.
 *
 *   2026-11-23 08:44:27.914 1234 INFO compute.build [req-... user project] [instance: uuid] text
 *
 * A line is formatted by its caller and put into a bounded ring; one native thread writes it out. When the
 * ring is full the line is dropped and counted, and the count is logged as soon as there is room again.
 * Before log_start() and after log_stop() lines go straight to stderr. Used by agent/ and by the runtime's
 * own reports (a green thread failed, the hub stalled); everything else in lib/ returns errors instead.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };

/* LOG_MODULE is defined by each .c before including this header: #define LOG_MODULE "compute.build" */
#ifndef LOG_MODULE
#define LOG_MODULE "agent"
#endif

#define log_debug(...)    log_write(LOG_DEBUG, LOG_MODULE, __VA_ARGS__)
#define log_info(...)     log_write(LOG_INFO, LOG_MODULE, __VA_ARGS__)
#define log_warning(...)  log_write(LOG_WARNING, LOG_MODULE, __VA_ARGS__)
#define log_error(...)    log_write(LOG_ERROR, LOG_MODULE, __VA_ARGS__)
#define log_critical(...) log_write(LOG_CRITICAL, LOG_MODULE, __VA_ARGS__)

void log_write(enum log_level level, const char *module, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

struct log_options {
        enum log_level level;
        const char *file; /* NULL: stderr. Opened for appending, created with mode 0640 */
};

/* Opens the file and starts the writer thread. */
int log_start(const struct log_options *opt, struct error *err);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
int log_reopen(struct error *err); /* after rotation: opens the same file name again */
void log_flush(void);              /* waits (at most 1 s) until the ring is empty: only at exit or in tests */
void log_stop(void);               /* flushes, ends the writer */
unsigned long log_dropped(void);   /* lines dropped so far */

bool log_level_parse(const char *name, enum log_level *ret); /* "debug", "INFO", "warn", ... */
const char *log_level_name(enum log_level level);

/*
 * What a line begins with comes from where it is logged: the runtime sets a function that writes the
 * context of the current green thread ("[req-... user project] [instance: uuid] ", or "" ) into buf.
 */
void log_set_context_fn(void (*fn)(char *buf, size_t size));
/* For tests: lines go to fn instead (one at a time, complete line, no newline; fn must not log). */
void log_set_capture(void (*fn)(enum log_level level, const char *line, void *arg), void *arg);
