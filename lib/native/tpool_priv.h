/* lib/native/tpool_priv.h: what the files of the thread pool share. The idea is told in tpool.c. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "green/sync.h"
#include "native/tpool.h"

enum phase { PHASE_NEW, PHASE_QUEUED, PHASE_RUNNING, PHASE_FINISHED, PHASE_UNQUEUED };

struct tpool {
        char *name;
        unsigned bound;
        atomic_uint refs; /* the owner, each worker, each state */

        /* The hub's. */
        struct green *dispatcher;
        bool attended; /* someone takes completions: calls may wait */

        pthread_mutex_t lock; /* over all that follows, and over the states and workers of this pool */
        struct list queue;    /* states in PHASE_QUEUED */
        unsigned queued;
        struct list finished; /* states to be given back to the hub */
        struct list workers;  /* alive */
        struct list idle;     /* the last one to become idle first: its stack is warm */
        struct list ended;    /* to be joined */
        unsigned alive, hung;
        unsigned returning; /* workers done with a job and about to look for the next */
        bool closing;
        bool gone;            /* the owner has left; who is still here answers to nobody */
        bool rung;            /* the bell was rung and the hub has not come yet */
        unsigned ringing;     /* workers between their decision to ring and the end of it */
        pthread_cond_t quiet; /* ringing became 0 */
        int bell;
        unsigned long done, timeouts;
        struct list calls; /* of struct call_stats */
        unsigned n_calls;
};

struct call_stats {
        struct list link;
        struct tpool_call_stats stats;
};

struct worker {
        struct tpool *pool;
        struct list link; /* in workers or ended */
        struct list idle; /* in idle, or alone */
        pthread_t thread;
        pthread_cond_t wake;
        unsigned id;
        struct tpool_state *doing;
        int64_t since_ns; /* when it began what it does, or to be idle */
        bool hung;
        bool orphan; /* detached: nobody will join it */
};

struct tpool_state {
        struct tpool *pool;
        struct tpool_job *job;
        atomic_uint refs; /* the caller until tpool_job_done(); the pool from queued to given back */
        struct green_event done;

        struct list link;
        enum phase phase;
        struct worker *worker;
        bool abandoned;
        int result;
        struct error err;
};

/* Any thread; the last reference frees, or drops the job. */
void tpool_unref(struct tpool *p);
void tpool_state_unref(struct tpool_state *st);

/* NULL: no memory for a new row. */
struct tpool_call_stats *tpool_stats_of_locked(struct tpool *p, const char *name);
void tpool_stats_free(struct tpool *p);

void tpool_worker_free(struct worker *w);
void *tpool_worker_main(void *arg); /* of a struct worker; owns one reference on its pool */
