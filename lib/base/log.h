/*
 * lib/base/log.h: log lines in oslo.log's format, from any thread, without ever blocking the caller.
 *
 *   2026-11-23 08:44:27.914 1234 INFO compute.build [req-... user project] [instance: uuid] text
 *
 * A message is formatted by its caller and put into a bounded ring; one native thread writes it out: to
 * stderr, to a file, or by a function that knows another place (the journal). However long that place takes,
 * or if it hangs for good, callers go on: when the ring is full lines are dropped and counted, and the count
 * is logged as soon as there is room again. Before log_start() and after log_stop() lines go straight to
 * stderr. Used by agent/ and by the runtime's own reports (a green thread failed, the hub stalled);
 * everything else in lib/ returns errors instead.
 *
 * Each place that logs (each call of log_info() and its like) is watched by itself, so one that floods the
 * log does not silence others:
 *
 * The same text with the same context is written three times, if each comes within repeat_s of the one
 * before. From then on it is counted, and once every repeat_s, or when the place has another text, it is
 * written with "(repeated 17 times in 60 s)" at its end.
 *
 * Of different texts rate_limit_burst are written in rate_limit_interval seconds. More are counted, and when
 * the interval is over the last one that was written comes again with "(and 230 more lines like this left out
 * in 10 s)". Lines from rate_limit_except on are always written. The names are oslo.log's, whose limit is one
 * for all places together.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };

/* LOG_MODULE is defined by each .c before including this header: #define LOG_MODULE "compute.build" */
#ifndef LOG_MODULE
#define LOG_MODULE "agent"
#endif

#define log_debug(...)    log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)     log_at(LOG_INFO, __VA_ARGS__)
#define log_warning(...)  log_at(LOG_WARNING, __VA_ARGS__)
#define log_error(...)    log_at(LOG_ERROR, __VA_ARGS__)
#define log_critical(...) log_at(LOG_CRITICAL, __VA_ARGS__)

/* The arguments are looked at only when the line is wanted. */
#define log_at(level_, ...)                                                                               \
        do {                                                                                              \
                static struct log_site log_site_ = { LOG_MODULE, __FILE__, __func__, __LINE__, 0, NULL }; \
                enum log_level log_level_ = (level_);                                                     \
                if (log_passes(&log_site_, log_level_))                                                   \
                        log_write(&log_site_, log_level_, __VA_ARGS__);                                   \
        } while (0)

/* A place that logs. */
struct log_site {
        const char *module, *file, *function;
        int line;
        _Atomic unsigned known; /* which level it logs from (three bits), in which generation of the levels */
        struct log_past *past;  /* what it wrote lately; log_fold.c */
};

extern _Atomic unsigned log_generation;
bool log_passes_anew(struct log_site *site, enum log_level level);

static inline bool log_passes(struct log_site *site, enum log_level level)
{
        unsigned known = atomic_load_explicit(&site->known, memory_order_relaxed);

        if ((known & ~7u) == atomic_load_explicit(&log_generation, memory_order_relaxed))
                return level >= (known & 7u);
        return log_passes_anew(site, level);
}

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* One message; borrowed. */
struct log_record {
        struct log_site *site;
        enum log_level level;
        int64_t time_us;     /* since 1970 */
        const char *context; /* "[req-... user project] [instance: uuid] " or "[-] " */
        const char *text;    /* may have several lines; of other control characters only tabs */
        size_t context_len, text_len;
};

/* How much of the same; all zero: no limits. */
struct log_limits {
        unsigned repeat_s;                              /* 0: repeated lines are written as others */
        unsigned rate_limit_interval, rate_limit_burst; /* either 0: no limit */
        enum log_level rate_limit_except;               /* above LOG_CRITICAL: none */
};

struct log_options {
        enum log_level level;
        const char *file; /* NULL: stderr. Opened for appending, created with mode 0640 */
        /*
         * Not NULL: takes the messages in place of a file. Called on the writer thread, one at a time. It may
         * block, and log_stop() does not wait for ever: it may then still be in there. 0, or -1: could not be
         * written, which is counted. It must not log.
         */
        int (*sink)(const struct log_record *r);
        struct log_limits limits;
};

/* Opens the file and starts the writer thread. A FIFO need not have a reader yet. */
int log_start(const struct log_options *opt, struct error *err);
void log_set_limits(const struct log_limits *l); /* at any time */
int log_reopen(struct error *err);               /* after rotation: opens the same file name again */
void log_flush(void);              /* waits (at most 1 s) until the ring is empty: only at exit or in tests */
void log_stop(void);               /* flushes, ends the writer; at most 2 s, whatever hangs */
unsigned long log_dropped(void);   /* lines lost so far: the ring was full, or a write failed */
unsigned long log_held_back(void); /* messages that were repeated or above the limit, and told as a number */

/*
 * ---- levels ---- from any thread, at any time.
 *
 * log_set_level() is for all modules that have no level of their own. One for "virt" is for "virt.libvirt",
 * too; the longest name wins. It may be below or above the general one. A module need not exist.
 */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
int log_set_module_level(const char *module, enum log_level level,
                         struct error *err);             /* ERR_INVALID: bad name */
bool log_clear_module_level(const char *module);         /* false: it had none of its own */
enum log_level log_get_module_level(const char *module); /* what is in effect for it */
void log_foreach_module_level(void (*fn)(const char *module, enum log_level level, void *arg), void *arg);
/*
 * "compute=DEBUG,virt.libvirt=WARN", as oslo.log's default_log_levels, takes the place of all that were set;
 * "" clears them. -1: nothing was changed, err says what is wrong.
 */
int log_set_module_levels(const char *text, struct error *err);
int log_check_module_levels(const char *text, struct error *err);
/* What such a text says of this very module. False: nothing. */
bool log_find_module_level(const char *text, const char *module, enum log_level *ret);

bool log_level_parse(const char *name, enum log_level *ret); /* "debug", "INFO", "warn", ... */
const char *log_level_name(enum log_level level);

/*
 * What a line begins with comes from where it is logged: the runtime sets a function that writes the
 * context of the current green thread ("[req-... user project] [instance: uuid] ", or "" ) into buf.
 */
void log_set_context_fn(void (*fn)(char *buf, size_t size));
/* For tests: lines go to fn instead (one at a time, complete line, no newline; fn must not log). */
void log_set_capture(void (*fn)(enum log_level level, const char *line, void *arg), void *arg);
