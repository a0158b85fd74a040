/*
 * lib/base/log_priv.h: between log.c, which makes lines, and log_writer.c, which gets them out.
 */
#pragma once

#include "base/log.h"

#define LOG_PREFIX_MAX 512
#define LOG_LINE_MAX   8192 /* with its prefix and newline */

struct log_message { /* borrowed by all that see it */
        enum log_level level;
        char prefix[LOG_PREFIX_MAX];
        size_t prefix_len;
        const char *text;
        size_t text_len;
};

typedef void log_line_fn(const struct log_message *m, const char *text, size_t len, void *arg);

/* "2026-11-23 08:44:27.914 1234 INFO module context"; the length, cut to fit. */
size_t log_format_prefix(char *buf, size_t size, enum log_level level, const char *module,
                         const char *context);
/* Calls fn for each line of the message: at newlines, and where a line would be longer than LOG_LINE_MAX. */
void log_each_line(const struct log_message *m, log_line_fn *fn, void *arg);
bool log_wait_writable(int fd, int timeout_ms);

/* False: there is no writer (not started, stopped, or this is a forked child); nothing was done. */
bool log_writer_add(const struct log_message *m);
void log_count_dropped(unsigned long lines);
