/* lib/native/tpool_info.c: who does what since when. */
#include "native/tpool_priv.h"

#include <stdio.h>
#include <stdlib.h>

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
