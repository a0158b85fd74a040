/*
 * lib/native/tpool.c: workers are pthreads, callers are green threads, and a mutex lies between.
 *
 * A call's state (struct tpool_state) lives as long as the caller or the pool needs it, counted by `refs`;
 * with the last reference the job is dropped. Each state is in one phase, changed under the pool's lock:
 *
 *      QUEUED -> RUNNING -> FINISHED       the usual way
 *      QUEUED -> UNQUEUED                  its caller gave up, or the pool was closed: never run
 *      RUNNING, abandoned                  its caller gave up: the worker is hung until it comes back,
 *                                          and then drops the job itself
 *
 * Workers put finished states on a list and ring one eventfd; the pool's dispatcher, a green thread, takes
 * the list and wakes the callers. Workers are started by the hub only: one for each queued job that finds no
 * idle one, up to the bound, where hung workers do not count. So a hung worker is replaced as soon as there
 * is work for the replacement, and when it comes back above the bound it ends.
 *
 * Nothing a worker touches goes away under it: it holds a reference on the pool.
 */
#include "native/tpool_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/mem.h"
#include "base/original.h"
#include "native/native_thread.h"

enum { WORKERS_MAX = 4096, LOOK_MS = 10 };

/* ---- on the hub ---- */

/* Holding the lock while the thread is made is no matter: it begins by taking it. */
static int HUB_ONLY start_worker_locked(struct tpool *p, struct error *err)
{
        static atomic_uint last_id; /* over all pools: thread "tpool-7" is worker 7 */
        struct worker *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return error_system(err, ENOMEM, "tpool %s: starting worker %u", p->name, p->alive + 1);
        w->pool = p;
        w->id = atomic_fetch_add(&last_id, 1) + 1;
        list_init(&w->idle);
        pthread_cond_init(&w->wake, NULL);
        atomic_fetch_add(&p->refs, 1);
        r = native_thread_start(&w->thread, tpool_worker_main, w);
        if (r) {
                atomic_fetch_sub(&p->refs, 1);
                tpool_worker_free(w);
                return error_system(err, r, "tpool %s: starting worker %u", p->name, p->alive + 1);
        }
        p->alive++;
        list_append(&p->workers, &w->link);
        return 0;
}

/*
 * With the lock held: `jobs` wait, or will, and the last of them needs a worker, now or when one of `bound`
 * busy ones is free. *ret_wake is to be woken after unlocking, by wake(). -1: there is no worker at all, and
 * none could be started.
 */
static int HUB_ONLY find_worker_locked(struct tpool *p, unsigned jobs, struct worker **ret_wake,
                                       struct error *err)
{
        struct list *node;

        *ret_wake = NULL;
        if (p->returning >= jobs)
                return 0;
        node = list_pop(&p->idle);
        if (node)
                *ret_wake = CONTAINER_OF(node, struct worker, idle);
        if (node || p->alive - p->hung >= p->bound || start_worker_locked(p, err) == 0)
                return 0;
        return p->alive > p->hung ? 0 : -1; /* the machine is short of threads: the others must do */
}

/* Without the lock, or it would wake only to wait for it. It may have ended, but drain() alone frees it. */
static void HUB_ONLY wake(struct worker *w)
{
        if (w)
                pthread_cond_signal(&w->wake);
}

/* Takes what the workers gave back: wakes callers, joins workers that ended. */
static void HUB_ONLY drain(struct tpool *p)
{
        struct list finished, ended, *node;
        eventfd_t rings;

        list_init(&finished);
        list_init(&ended);
        eventfd_read(p->bell, &rings);
        pthread_mutex_lock(&p->lock);
        p->rung = false;
        while ((node = list_pop(&p->finished)))
                list_append(&finished, node);
        while ((node = list_pop(&p->ended)))
                list_append(&ended, node);
        pthread_mutex_unlock(&p->lock);

        while ((node = list_pop(&finished))) {
                struct tpool_state *st = CONTAINER_OF(node, struct tpool_state, link);

                green_event_set(&st->done);
                tpool_state_unref(st);
        }
        while ((node = list_pop(&ended))) {
                struct worker *w = CONTAINER_OF(node, struct worker, link);

                patcher_original(pthread_join)(w->thread, NULL); /* a few instructions from its end */
                tpool_worker_free(w);
        }
}

/*
 * 0: there may be something to drain. Where memory is too short to wait for a descriptor it looks now and
 * then instead: callers wait for what comes of it.
 */
static int YIELDS await_bell(struct tpool *p, struct deadline by, struct error *err)
{
        if (green_wait_fd(p->bell, GREEN_READ | GREEN_KEPT, by, err) > 0)
                return 0;
        if (err->code != ERR_SYSTEM || deadline_passed(by))
                return -1;
        return green_sleep_until(deadline_earlier(by, deadline_in_ms(LOOK_MS)), err);
}

static int dispatch(void *arg, struct error *err)
{
        struct tpool *p = arg;
        int r;

        assert_green();
        while ((r = await_bell(p, deadline_never(), err)) == 0)
                drain(p);
        p->attended = false;
        return r;
}

struct tpool *tpool_new(const char *name, unsigned workers, struct error *err)
{
        struct tpool *p;
        char green_name[GREEN_NAME_MAX];

        if (!workers || workers > WORKERS_MAX) {
                error_set(err, ERR_INVALID, "tpool %s: %u workers, must be 1 to %d", name, workers,
                          WORKERS_MAX);
                return NULL;
        }
        p = calloc(1, sizeof(*p));
        if (!p || !(p->name = strdup(name))) {
                error_system(err, ENOMEM, "tpool %s", name);
                free(p);
                return NULL;
        }
        p->bound = workers;
        atomic_init(&p->refs, 1);
        pthread_mutex_init(&p->lock, NULL);
        pthread_cond_init(&p->quiet, NULL);
        list_init(&p->queue);
        list_init(&p->finished);
        list_init(&p->workers);
        list_init(&p->idle);
        list_init(&p->ended);
        list_init(&p->calls);
        p->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (p->bell < 0) {
                error_system(err, errno, "tpool %s: eventfd", name);
                tpool_unref(p);
                return NULL;
        }
        snprintf(green_name, sizeof(green_name), "tpool %s", name);
        p->dispatcher = green_spawn_ref(NULL, green_name, dispatch, p, err);
        if (!p->dispatcher) {
                green_close(p->bell);
                tpool_unref(p);
                return NULL;
        }
        p->attended = true;
        return p;
}

/* ---- a call ---- */

static struct tpool_state *HUB_ONLY state_new(struct tpool *p, struct tpool_job *job, struct error *err)
{
        struct tpool_state *st = calloc(1, sizeof(*st));

        job->state = st;
        if (!st) {
                error_system(err, ENOMEM, "%s", job->ops->name);
                return NULL;
        }
        atomic_fetch_add(&p->refs, 1);
        st->pool = p;
        st->job = job;
        atomic_init(&st->refs, 1);
        green_event_init(&st->done, job->ops->name);
        list_init(&st->link);
        return st;
}

static int HUB_ONLY fail(const struct tpool_state *st, struct error *err, int code, const char *why)
{
        const struct tpool_job *job = st->job;

        return error_set(err, code, "%s%s%.*s: %s", job->ops->name, job->what[0] ? " " : "",
                         (int)sizeof(job->what), job->what, why);
}

static int HUB_ONLY enqueue(struct tpool_state *st, struct error *err)
{
        struct tpool *p = st->pool;
        struct worker *sleeper = NULL;
        struct error start_err = {};
        int r = 0;

        pthread_mutex_lock(&p->lock);
        if (p->closing || !p->attended) {
                pthread_mutex_unlock(&p->lock);
                return fail(st, err, ERR_CLOSED, "the pool is closed");
        }
        if (find_worker_locked(p, p->queued + 1, &sleeper, &start_err) < 0) {
                r = -1;
        } else {
                st->phase = PHASE_QUEUED;
                atomic_fetch_add(&st->refs, 1);
                list_append(&p->queue, &st->link);
                p->queued++;
        }
        pthread_mutex_unlock(&p->lock);
        wake(sleeper);
        if (r == 0)
                return 0;
        fail(st, err, start_err.code, start_err.text);
        err->sys = start_err.sys;
        return -1;
}

/* With the lock held: nobody waits for a running job any more. */
static void HUB_ONLY abandon_locked(struct tpool *p, struct tpool_state *st)
{
        st->abandoned = true;
        st->worker->hung = true;
        p->hung++;
}

/* What a job left, once its caller was woken by it or by the pool's closing. */
static int HUB_ONLY result(struct tpool_state *st, struct error *err)
{
        bool finished;

        pthread_mutex_lock(&st->pool->lock);
        finished = st->phase == PHASE_FINISHED && !st->abandoned;
        pthread_mutex_unlock(&st->pool->lock);
        if (!finished)
                return fail(st, err, ERR_CLOSED, "the pool was closed");
        if (st->result < 0) {
                *err = st->err;
                if (err->code == ERR_NONE)
                        fail(st, err, ERR_SYSTEM, "failed without a reason");
        }
        return st->result;
}

static void HUB_ONLY count_timeout_locked(const struct tpool_state *st, bool late)
{
        struct tpool_call_stats *stats = late ? tpool_stats_of_locked(st->pool, st->job->ops->name) : NULL;

        st->pool->timeouts += late;
        if (stats)
                stats->timeouts++;
}

static int HUB_ONLY leave_queue(struct tpool_state *st, struct error *err)
{
        struct tpool *p = st->pool;
        bool late = err->code == ERR_TIMEOUT;

        list_remove(&st->link);
        p->queued--;
        st->phase = PHASE_UNQUEUED;
        count_timeout_locked(st, late);
        pthread_mutex_unlock(&p->lock);
        tpool_state_unref(st);
        return fail(st, err, err->code, late ? "no worker was free in time" : "cancelled before it began");
}

static int HUB_ONLY leave_running(struct tpool_state *st, struct error *err)
{
        struct tpool *p = st->pool;
        struct worker *sleeper = NULL;
        struct error start_err = {};
        bool late = err->code == ERR_TIMEOUT;

        abandon_locked(p, st);
        count_timeout_locked(st, late);
        if (!list_empty(&p->queue)) /* if it fails, they wait for the next worker that comes back */
                find_worker_locked(p, p->queued, &sleeper, &start_err);
        pthread_mutex_unlock(&p->lock);
        wake(sleeper);
        return fail(st, err, err->code,
                    late ? "not done in time, left to itself" : "cancelled, left to itself");
}

/* The caller's wait ended by its deadline or by cancellation, which err says. */
static int HUB_ONLY give_up(struct tpool_state *st, struct error *err)
{
        pthread_mutex_lock(&st->pool->lock);
        if (st->phase == PHASE_QUEUED)
                return leave_queue(st, err);
        if (st->phase == PHASE_RUNNING && !st->abandoned)
                return leave_running(st, err);
        pthread_mutex_unlock(&st->pool->lock);
        return result(st, err); /* finished at the same moment: nothing is thrown away */
}

int tpool_call(struct tpool *p, struct tpool_job *job, struct deadline by, struct error *err)
{
        struct tpool_state *st = state_new(p, job, err);
        struct error wait_err = {};

        if (!st)
                return -1;
        if (deadline_passed(by))
                return fail(st, err, ERR_TIMEOUT, "the deadline had passed before it began");
        /* Outside of a shield a cancelled caller may not wait, so the job must not begin. */
        if (green_cancelled() && green_event_wait(&st->done, deadline_now(), &wait_err) < 0 &&
            wait_err.code == ERR_CANCELLED)
                return fail(st, err, ERR_CANCELLED, "cancelled before it began");
        if (enqueue(st, err) < 0)
                return -1;
        if (green_event_wait(&st->done, by, err) < 0)
                return give_up(st, err);
        return result(st, err);
}

void tpool_job_done(struct tpool_job *job)
{
        if (job->state)
                tpool_state_unref(job->state);
        else
                job->ops->drop(job); /* there was no memory for a state: nobody else knows of it */
}

/* ---- closing ---- */

/* No new work; what was not begun is given back; idle workers end. */
static void HUB_ONLY close_queue(struct tpool *p)
{
        struct list unqueued, *node;

        list_init(&unqueued);
        pthread_mutex_lock(&p->lock);
        p->closing = true;
        while ((node = list_pop(&p->queue))) {
                CONTAINER_OF(node, struct tpool_state, link)->phase = PHASE_UNQUEUED;
                list_append(&unqueued, node);
        }
        p->queued = 0;
        while ((node = list_pop(&p->idle)))
                pthread_cond_signal(&CONTAINER_OF(node, struct worker, idle)->wake);
        pthread_mutex_unlock(&p->lock);
        while ((node = list_pop(&unqueued))) {
                struct tpool_state *st = CONTAINER_OF(node, struct tpool_state, link);

                green_event_set(&st->done);
                tpool_state_unref(st);
        }
}

/* Leaves those behind who do not come back; from here on no worker touches the bell. */
static unsigned HUB_ONLY leave_workers(struct tpool *p)
{
        unsigned left;

        pthread_mutex_lock(&p->lock);
        p->gone = true;
        left = p->alive;
        list_for_each (node, &p->workers) {
                struct worker *w = CONTAINER_OF(node, struct worker, link);

                w->orphan = true;
                patcher_original(pthread_detach)(w->thread);
                if (w->doing && !w->doing->abandoned) {
                        abandon_locked(p, w->doing);
                        green_event_set(&w->doing->done);
                }
        }
        while (p->ringing)
                pthread_cond_wait(&p->quiet, &p->lock);
        pthread_mutex_unlock(&p->lock);
        return left;
}

static unsigned HUB_ONLY count_alive(struct tpool *p)
{
        unsigned alive;

        pthread_mutex_lock(&p->lock);
        alive = p->alive;
        pthread_mutex_unlock(&p->lock);
        return alive;
}

unsigned tpool_close(struct tpool *p, struct deadline by)
{
        struct error err = {};
        unsigned left;

        if (!p)
                return 0;
        green_shield_begin();
        close_queue(p);
        /* The closer takes over from the dispatcher, which may have been cancelled with its hub already. */
        green_cancel(p->dispatcher);
        green_join(p->dispatcher, deadline_never(), NULL, &err);
        green_unref(p->dispatcher);
        while (count_alive(p) && await_bell(p, by, &err) == 0)
                drain(p);
        left = leave_workers(p);
        drain(p);
        green_close(p->bell);
        green_shield_end();
        tpool_unref(p);
        return left;
}
