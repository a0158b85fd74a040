/*
 * agent/periodic.h: tasks that run again and again, one after another, in one green loop (nova-contract 4.7).
 *
 * A task that takes long delays the others of its loop, never the hub; what must not be delayed
 * (report_state) gets a loop of its own. A task that fails is logged and runs again at its next turn.
 */
#pragma once

#include "green/green.h"

struct periodic_task {
        const char *name;     /* shown in logs and in inventories */
        double interval_s;    /* start to start; 0: 60 s as oslo; negative: never runs */
        double first_delay_s; /* negative: one interval after the start */
        double jitter;        /* part of the interval that may be added at random: 0.05 is up to 5 % */
        double deadline_s;    /* how long one run may take; 0: one interval, at least 60 s */
        int (*run)(void *arg, struct deadline by, struct error *err); /* begins with assert_green() */
        const char *idle; /* not NULL: why it never runs, for inventories; run may be NULL then */
};

struct periodic;

/* Starts the loop as green thread `name`; the table (copied) ends with a NULL name. NULL on error. */
struct periodic *HUB_ONLY periodic_start(const char *name, const struct periodic_task *tasks, void *arg,
                                         struct error *err);
/*
 * Intervals, deadlines and reasons to be idle are those of the same names in the table from now on; a task
 * whose interval changed runs one new interval after its last start, or after now when it never ran.
 */
void HUB_ONLY periodic_change(struct periodic *p, const struct periodic_task *tasks);
/* Cancels the task that runs, ends the loop, frees. NULL is allowed. */
void YIELDS periodic_stop(struct periodic *p);
/* The task of this name is due at once (again when it runs just now). False: there is none, or it is idle. */
bool HUB_ONLY periodic_kick(struct periodic *p, const char *task);

struct periodic_info {
        const char *loop, *task;
        double interval_s, next_in_s, last_took_s; /* next_in_s < 0: never, 0: due or running */
        double last_ended_s; /* since its last run came to an end; negative: it has not run */
        /* How long it has been due and not begun, or runs longer than its interval: 0 when all is well. */
        double overdue_s;
        unsigned long runs, failures;
        bool running;
        const char *idle; /* why it never runs, or NULL */
};
void HUB_ONLY periodic_foreach(const struct periodic *p,
                               void (*fn)(const struct periodic_info *info, void *arg), void *arg);
