/*
 * lib/native/tpool.h: eventlet's tpool: blocking calls on native worker threads, green waiting for them.
 *
 * A job may outlive the caller that gave up on it, so a job owns its memory: tpool_call() takes it over. When
 * the caller's deadline passes while the job runs, the caller gets ERR_TIMEOUT, the worker counts as hung and
 * is replaced by a new one, and stays in the inventory (what it does, since when) until it comes back.
 */
#pragma once

#include "base/context.h"
#include "green/green.h"

struct tpool;
struct tpool_job;

struct tpool_ops {
        const char *name; /* "virDomainCreate": shown in the inventory */
        /* Once, on a worker; copies what the caller wants into the job. 0, or -1 with err filled. */
        int (*run)(struct tpool_job *job, struct error *err);
        /* Once, when neither side needs it any more; on whichever thread that is. Frees the job. */
        void (*drop)(struct tpool_job *job);
};

struct tpool_job { /* embed as a member; fill ops and what, leave the rest zero */
        const struct tpool_ops *ops;
        char what[64];             /* detail for the inventory: "instance-00000001" */
        struct tpool_state *state; /* the pool's */
};

struct tpool *HUB_ONLY tpool_new(const char *name, unsigned workers, struct error *err);
/* Waits up to `by` for jobs that run; hung workers are left behind (and leak) with a count returned. */
unsigned YIELDS tpool_close(struct tpool *p, struct deadline by);

/*
 * Runs the job and waits for it. 0 or what run() said; ERR_TIMEOUT, ERR_CANCELLED: the job goes on alone (if
 * it had not started it is dropped unrun). Whatever is returned, the caller may read results out of the job
 * only on 0 or when run() failed, and must call tpool_job_done() exactly once afterwards. Without memory for
 * the call it fails with ERR_SYSTEM and the job does not run; without memory for a new worker the job waits
 * for the others, and fails so when there is none.
 */
int YIELDS tpool_call(struct tpool *p, struct tpool_job *job, struct deadline by, struct error *err);
void tpool_job_done(struct tpool_job *job);

/*
 * The short form for calls that share no memory with the caller beyond a copied argument block: fn runs on a
 * worker with a private copy of arg (size bytes); on success the copy is copied back to arg.
 */
int YIELDS tpool_execute(struct tpool *p, const char *name, int (*fn)(void *arg, struct error *err),
                         void *arg, size_t size, struct deadline by, struct error *err);

struct tpool_worker_info {
        unsigned id;       /* its native thread is called "tpool-<id>" */
        const char *doing; /* ops->name, or NULL when idle */
        char what[64];
        double since_s; /* doing that, or idle */
        bool hung;
};
struct tpool_info {
        const char *name;
        unsigned workers;    /* native threads, the hung ones too */
        unsigned busy, hung; /* with a job; those of them whose caller has given up */
        unsigned queued;     /* jobs that wait for a worker */
        unsigned long done, timeouts;
};
void HUB_ONLY tpool_get_info(struct tpool *p, struct tpool_info *ret);
/* What came of calls, by tpool_ops.name (or the name given to tpool_execute()), since the pool was made. */
enum { TPOOL_CALLS_MAX = 64 }; /* from then on all others are "other" */
struct tpool_call_stats {
        char name[48];
        unsigned long failed;   /* of those that came to an end */
        unsigned long timeouts; /* given up by their callers at the deadline */
        struct histogram times; /* on the worker, from begin to end; those that were given up, too */
};
void HUB_ONLY tpool_foreach_call(struct tpool *p, void (*fn)(const struct tpool_call_stats *s, void *arg),
                                 void *arg);
void HUB_ONLY tpool_foreach(struct tpool *p, void (*fn)(const struct tpool_worker_info *info, void *arg),
                            void *arg);
