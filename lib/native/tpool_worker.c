/*
 * lib/native/tpool_worker.c: the workers' side of the thread pool, and the references both sides hold.
 */
#include "native/tpool_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "native/native_thread.h"

void tpool_unref(struct tpool *p)
{
        if (atomic_fetch_sub(&p->refs, 1) != 1)
                return;
        pthread_mutex_destroy(&p->lock);
        pthread_cond_destroy(&p->quiet);
        tpool_stats_free(p);
        free(p->name);
        free(p);
}

void tpool_state_unref(struct tpool_state *st)
{
        struct tpool *p = st->pool;
        struct tpool_job *job = st->job;

        if (atomic_fetch_sub(&st->refs, 1) != 1)
                return;
        free(st);
        job->state = NULL;
        job->ops->drop(job);
        tpool_unref(p);
}

void tpool_worker_free(struct worker *w)
{
        pthread_cond_destroy(&w->wake);
        free(w);
}

/* With the lock held: must the caller ring, after unlocking? Then it also calls rung_locked() later. */
static bool must_ring_locked(struct tpool *p)
{
        if (p->gone || p->rung)
                return false;
        p->rung = true;
        p->ringing++;
        return true;
}

static void rung_locked(struct tpool *p)
{
        if (--p->ringing == 0)
                pthread_cond_signal(&p->quiet);
}

static struct tpool_state *next_locked(struct worker *w)
{
        struct tpool *p = w->pool;
        struct list *node;

        for (;;) {
                if (p->alive - p->hung > p->bound)
                        return NULL; /* it was replaced while it hung */
                node = list_pop(&p->queue);
                if (node) {
                        p->queued--;
                        return CONTAINER_OF(node, struct tpool_state, link);
                }
                if (p->closing)
                        return NULL;
                if (list_empty(&w->idle)) {
                        w->since_ns = clock_now_ns();
                        list_prepend(&p->idle, &w->idle);
                }
                pthread_cond_wait(&w->wake, &p->lock);
        }
}

static void count_locked(struct tpool *p, const char *name, int64_t took, bool failed)
{
        struct tpool_call_stats *stats = tpool_stats_of_locked(p, name);

        if (!stats)
                return;
        stats->failed += failed;
        histogram_add(&stats->times, took);
}

/* Runs one job, with the lock held before and after. */
static void run_locked(struct worker *w, struct tpool_state *st)
{
        struct tpool *p = w->pool;
        bool ring = false, abandoned;
        int64_t took;
        int result;

        list_remove(&w->idle); /* it may have found work by itself, after a wake-up nobody asked for */
        st->phase = PHASE_RUNNING;
        st->worker = w;
        w->doing = st;
        w->since_ns = clock_now_ns();
        pthread_mutex_unlock(&p->lock);

        result = st->job->ops->run(st->job, &st->err);
        took = clock_now_ns() - w->since_ns;

        pthread_mutex_lock(&p->lock);
        count_locked(p, st->job->ops->name, took, result < 0);
        st->result = result;
        st->phase = PHASE_FINISHED;
        st->worker = NULL;
        w->doing = NULL;
        p->done++;
        if (w->hung) {
                w->hung = false;
                p->hung--;
        }
        abandoned = st->abandoned; /* then drop() runs here, which may take its time: not "returning" */
        p->returning += !abandoned;
        if (!abandoned) {
                list_append(&p->finished, &st->link);
                ring = must_ring_locked(p);
        }
        pthread_mutex_unlock(&p->lock);
        if (abandoned)
                tpool_state_unref(st);
        if (ring)
                eventfd_write(p->bell, 1);
        pthread_mutex_lock(&p->lock);
        p->returning -= !abandoned;
        if (ring)
                rung_locked(p);
}

void *tpool_worker_main(void *arg)
{
        struct worker *w = arg;
        struct tpool *p = w->pool;
        struct tpool_state *st;
        struct list *node;
        char thread_name[16];
        bool orphan;

        assert_on_worker();
        snprintf(thread_name, sizeof(thread_name), "tpool-%u", w->id);
        native_thread_set_name(thread_name);

        pthread_mutex_lock(&p->lock);
        while ((st = next_locked(w)))
                run_locked(w, st);
        p->alive--;
        list_remove(&w->idle);
        if (p->queued && (node = list_pop(&p->idle))) /* what was meant for this one */
                pthread_cond_signal(&CONTAINER_OF(node, struct worker, idle)->wake);
        list_remove(&w->link);
        orphan = w->orphan;
        if (!orphan)
                list_append(&p->ended, &w->link);
        if (must_ring_locked(p)) {
                pthread_mutex_unlock(&p->lock);
                eventfd_write(p->bell, 1);
                pthread_mutex_lock(&p->lock);
                rung_locked(p);
        }
        pthread_mutex_unlock(&p->lock);
        if (orphan)
                tpool_worker_free(w);
        tpool_unref(p);
        return NULL;
}
