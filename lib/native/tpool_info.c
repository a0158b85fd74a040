/* lib/native/tpool_info.c: who does what since when, and what came of it so far. */
#include "native/tpool_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void tpool_get_info(struct tpool *p, struct tpool_info *ret)
{
        *ret = (struct tpool_info){ .name = p->name };
        pthread_mutex_lock(&p->lock);
        list_for_each (node, &p->workers)
                ret->busy += CONTAINER_OF(node, struct worker, link)->doing != NULL;
        ret->workers = p->alive;
        ret->queued = p->queued;
        ret->hung = p->hung;
        ret->done = p->done;
        ret->timeouts = p->timeouts;
        pthread_mutex_unlock(&p->lock);
}

void tpool_foreach(struct tpool *p, void (*fn)(const struct tpool_worker_info *info, void *arg), void *arg)
{
        struct row {
                struct tpool_worker_info info;
                char doing[64];
        } * rows;
        size_t n = 0;
        int64_t now = clock_now_ns();

        /* Copied first: fn is not called with the lock held, and a job's strings go away with the job. */
        pthread_mutex_lock(&p->lock);
        rows = xcalloc(p->alive, sizeof(*rows));
        list_for_each (node, &p->workers) {
                struct worker *w = CONTAINER_OF(node, struct worker, link);
                struct row *row = &rows[n++];

                row->info.id = w->id;
                row->info.hung = w->hung;
                row->info.since_s = (double)(now - w->since_ns) / (double)NS_PER_S;
                if (!w->doing)
                        continue;
                snprintf(row->doing, sizeof(row->doing), "%s", w->doing->job->ops->name);
                row->info.doing = row->doing;
                snprintf(row->info.what, sizeof(row->info.what), "%.*s", (int)sizeof(row->info.what) - 1,
                         w->doing->job->what);
        }
        pthread_mutex_unlock(&p->lock);
        for (size_t i = 0; i < n; i++)
                fn(&rows[i].info, arg);
        free(rows);
}

/* ---- by call ---- */

struct tpool_call_stats *tpool_stats_of_locked(struct tpool *p, const char *name)
{
        struct call_stats *one, *last = NULL;

        list_for_each (node, &p->calls) {
                last = CONTAINER_OF(node, struct call_stats, link);
                if (strncmp(last->stats.name, name, sizeof(last->stats.name) - 1) == 0)
                        return &last->stats;
        }
        if (p->n_calls == TPOOL_CALLS_MAX)
                return &last->stats;
        one = calloc(1, sizeof(*one));
        if (!one)
                return NULL;
        p->n_calls++;
        snprintf(one->stats.name, sizeof(one->stats.name), "%s",
                 p->n_calls == TPOOL_CALLS_MAX ? "other" : name);
        list_append(&p->calls, &one->link);
        return &one->stats;
}

void tpool_stats_free(struct tpool *p)
{
        struct list *node;

        while ((node = list_pop(&p->calls)))
                free(CONTAINER_OF(node, struct call_stats, link));
}

void tpool_foreach_call(struct tpool *p, void (*fn)(const struct tpool_call_stats *s, void *arg), void *arg)
{
        struct tpool_call_stats *copy;
        size_t n = 0;

        pthread_mutex_lock(&p->lock);
        copy = xcalloc(p->n_calls + 1, sizeof(*copy));
        list_for_each (node, &p->calls)
                copy[n++] = CONTAINER_OF(node, struct call_stats, link)->stats;
        pthread_mutex_unlock(&p->lock);
        for (size_t i = 0; i < n; i++)
                fn(&copy[i], arg);
        free(copy);
}
