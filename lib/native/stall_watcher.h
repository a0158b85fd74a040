/*
 * lib/native/stall_watcher.h: a native thread that notices when the hub does not turn.
 *
 * When the hub has run one green thread for longer than threshold_ms without a switch, the watcher interrupts
 * the hub thread with a signal (SIGRTMIN+6, handled with SA_RESTART; a sleep or poll that the culprit sits in
 * may return early with EINTR), takes the backtrace there, and logs one line with the culprit's name and the
 * symbolised frames; a second line says how long it lasted once the hub turns again.
 */
#pragma once

#include "green/green.h"
#include "native/symbolise.h"

struct stall_watcher;

struct stall_report {
        char green[GREEN_NAME_MAX]; /* who held the hub */
        double seconds;             /* so far */
        bool over;                  /* the second report of the same stall: the hub turns again */
        int nframes;
        void *frames[32];
};

struct stall_options {
        unsigned threshold_ms; /* 0: 100 */
        /* Called on the watcher's native thread instead of logging; NULL: log. */
        void (*report)(const struct stall_report *r, void *arg);
        void *arg;
};

/* Called on the hub thread whose hub is to be watched; opt may be NULL. */
struct stall_watcher *HUB_ONLY stall_watcher_start(const struct stall_options *opt, struct error *err);
void stall_watcher_set_threshold(struct stall_watcher *w, unsigned ms); /* 0: 100; any thread */
void HUB_ONLY stall_watcher_stop(struct stall_watcher *w);
unsigned long stall_watcher_count(const struct stall_watcher *w); /* stalls so far; any thread */

/* By kinds of green threads (green_name_of_kind()); from STALL_KINDS_MAX on all others are "other". */
enum { STALL_KINDS_MAX = 16 };
struct stall_culprit {
        char kind[GREEN_NAME_MAX];
        unsigned long stalls;
        double seconds; /* of those that are over */
};
/* In the order of their first stall. fn must not yield. */
void HUB_ONLY stall_watcher_foreach_culprit(struct stall_watcher *w,
                                            void (*fn)(const struct stall_culprit *c, void *arg), void *arg);
