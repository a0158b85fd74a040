/*
 * tests/unit/green/model/model.h: what lib/green's headers promise, as plainly as it can be said.
 *
 * Threads are numbers, waiting lists are arrays, time is a number that moves when nobody can run. Where the
 * headers leave something open, so does the model:
 *  - wake-ups with one cause (equal deadlines, the end of a green thread) come in any order, though each list
 *    in its own order: the entries of the run queue have a class (the cause) and a lane (the list);
 *  - when descriptors are looked at is the hub's affair: who waits for one is "loose", and may run any time
 *    after it was ready, but must before time moves.
 */
#pragma once

#include "base/error.h"
#include "trace.h"

struct fifo {
        unsigned n;
        int who[MAX_THREADS];
};

enum state { UNBORN, READY, RUNNING, WAITING, ENDED };

struct model_thread {
        enum state state;
        bool started, has_handle, alive, in_root, failing, cancelled;
        int group; /* index in groups; -1: root */
        unsigned shields;
        bool in_close; /* in a wait that cannot be cancelled, though no shield was asked for */

        unsigned pc; /* the operation it is in */
        struct op op;
        struct fifo *in; /* where it waits; NULL: for time or a descriptor only */
        int64_t until;   /* its deadline */
        int item;        /* a sender's */
        int phase;       /* of the operations on pools, which wait more than once */

        bool loose;
        unsigned could;  /* directions (or 1) seen ready since it waits */
        bool settled;    /* it was cancelled, or its descriptor closed: must run before time moves */
        unsigned fd_age; /* which descriptor of that number it waits for */

        enum event_kind next; /* the event that is due when it runs, and its result */
        int code, value;
};

struct model_group {
        struct fifo members, waiters;
        bool closing, gone;
};
struct model_mutex {
        int owner; /* -1: free */
        struct fifo waiters;
};
struct model_sem {
        long count;
        struct fifo waiters;
};
struct model_chan {
        unsigned n;
        int items[N_CHAN];
        bool closed;
        struct fifo senders, receivers;
};
struct model_fd {
        bool open;
        unsigned bytes, age;
};

struct model {
        const struct program *program;
        enum mutation mutation;
        const struct event *peek; /* the event that comes next, for what the model leaves open */
        int64_t now;
        int running; /* -1: none */
        unsigned n_ready;
        struct ready {
                int who;
                unsigned class, lane;
        } ready[MAX_THREADS];
        unsigned last_class, lane; /* lane 0: each wake-up has a class of its own */
        struct model_thread threads[MAX_THREADS];
        unsigned alive;
        bool over;
        struct fifo all_done;

        struct model_mutex mutexes[N_MUTEX + N_NAME]; /* names come after the plain ones */
        struct model_sem sems[N_SEM + N_POOL];        /* the slots of pools likewise */
        struct {
                bool set;
                struct fifo waiters;
        } events[N_EVENT];
        struct fifo conds[N_COND];
        struct model_chan chans[N_CHAN];
        struct model_group groups[N_GROUP + N_POOL];
        struct {
                bool closed;
                unsigned waiting;
        } pools[N_POOL];
        struct {
                unsigned n, before_report;
                int items[QUEUE_CAPACITY];
                bool overflowed, noticed, closed;
                int consumer; /* who is in pop; -1 */
        } queue;
        struct model_fd fds[N_FD];
        struct fifo joiners[MAX_THREADS];
};

/* model.c */
void model_init(struct model *m, const struct program *p, enum mutation mutation);
void model_wake(struct model *m, int who, int code);
int model_wake_first(struct model *m, struct fifo *f, int code); /* -1: nobody waits */
/* Parks `who`, or sets its result at once when it is cancelled or late. True: it goes on. */
bool model_park(struct model *m, int who, struct fifo *in, int64_t until);
void model_push_ready(struct model *m, int who);
void model_take_ready(struct model *m, unsigned at);
void model_cancel(struct model *m, int who);
void model_group_end(struct model *m, int who); /* `who` leaves its group and wakes who waits for it */
void model_look(struct model *m);               /* notes which loose threads could run now */
unsigned model_ready_bits(const struct model *m, const struct model_thread *t);
/* Moves time to the next deadline. False: something must run first, or there is no deadline. */
bool model_move_time(struct model *m);
void fifo_push(struct fifo *f, int who);
void fifo_remove(struct fifo *f, int who);

/* model_ops.c */
int64_t model_deadline(const struct model *m, const struct model_thread *t);
bool model_begin(struct model *m, int who);    /* begins t->op. True: its result is there */
void model_complete(struct model *m, int who); /* a wait is over and `who` runs: what the call still does */
bool model_settle(struct model *m, int who);   /* the first ready one; true: it must wait again */
void model_let_go(struct model *m, int who);
/* model_io.c */
bool model_begin_io(struct model *m, int who);
void model_take_items(struct model *m, struct model_thread *t);
