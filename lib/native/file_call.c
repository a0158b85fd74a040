/*
 * lib/native/file_call.c: a function as a job of a tpool, and the list of those that hang.
 *
 * A job whose caller's time ran out stays on the list until it is dropped, which is when its worker comes
 * back. drop() may run on any thread, hence the mutex, which is never held over a call that could block.
 */
#include "native/file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

struct file_job {
        struct tpool_job base;
        struct tpool_ops ops; /* its name is the call's */
        const struct tpool *pool;
        file_fn *fn;
        void *arg;
        void (*free_arg)(void *arg);
        bool given_up;
        struct list hung; /* in the list below, or alone */
        char *what;
        int64_t since_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list hung = LIST_INIT(hung);

static int file_run(struct tpool_job *base, struct error *err)
{
        struct file_job *job = CONTAINER_OF(base, struct file_job, base);

        assert_on_worker();
        return job->fn(job->arg, &job->given_up, err);
}

static void file_drop(struct tpool_job *base)
{
        struct file_job *job = CONTAINER_OF(base, struct file_job, base);

        pthread_mutex_lock(&lock);
        list_remove(&job->hung);
        pthread_mutex_unlock(&lock);
        job->free_arg(job->arg);
        free(job->what);
        free(job);
}

bool file_given_up(const bool *given_up)
{
        return __atomic_load_n(given_up, __ATOMIC_RELAXED);
}

/* Is somebody left behind with the same already? < 0: no; else for how many seconds. */
static double HUB_ONLY hangs_since(const struct tpool *p, const struct file_call *c)
{
        double since_s = -1;

        pthread_mutex_lock(&lock);
        list_for_each (node, &hung) {
                const struct file_job *job = CONTAINER_OF(node, struct file_job, hung);

                if (job->pool == p && strcmp(job->ops.name, c->name) == 0 && strcmp(job->what, c->what) == 0)
                        since_s = clock_since_s(job->since_ns);
        }
        pthread_mutex_unlock(&lock);
        return since_s;
}

static struct file_job *HUB_ONLY job_new(const struct tpool *p, const struct file_call *c)
{
        struct file_job *job = NEW(struct file_job);

        job->ops = (struct tpool_ops){ .name = c->name, .run = file_run, .drop = file_drop };
        job->base.ops = &job->ops;
        snprintf(job->base.what, sizeof(job->base.what), "%s", c->what);
        job->pool = p;
        job->fn = c->fn;
        job->arg = c->arg;
        job->free_arg = c->free_arg;
        job->what = xstrdup(c->what);
        job->since_ns = clock_now_ns();
        list_init(&job->hung);
        return job;
}

int file_call(struct tpool *p, const struct file_call *c, struct deadline by, struct error *err)
{
        double since_s = hangs_since(p, c);
        struct file_job *job;
        int r;

        if (since_s >= 0) {
                error_set(err, ERR_TIMEOUT,
                          "%s %s: the same has been hanging for %.0f s; not beginning it again", c->name,
                          c->what, since_s);
                c->free_arg(c->arg); /* what may be a part of it */
                return -1;
        }
        job = job_new(p, c);
        r = tpool_call(p, &job->base, by, err);
        if (r == 0) {
                if (c->results)
                        c->results(job->arg, c->into);
        } else {
                __atomic_store_n(&job->given_up, true, __ATOMIC_SEQ_CST);
        }
        if (r < 0 && err->code == ERR_TIMEOUT) { /* when nobody runs it, it is dropped just below */
                pthread_mutex_lock(&lock);
                list_append(&hung, &job->hung);
                pthread_mutex_unlock(&lock);
        }
        tpool_job_done(&job->base);
        return r;
}

void file_foreach_hung(void (*fn)(const struct file_hung_info *info, void *arg), void *arg)
{
        struct row {
                struct file_hung_info info;
                char name[64], what[1024];
        } * rows;
        size_t n = 0, max = 0;

        /* Copied first: fn is not called with the lock held, and the strings go away with the job. */
        pthread_mutex_lock(&lock);
        list_for_each (node, &hung)
                max++;
        rows = xcalloc(max, sizeof(*rows));
        list_for_each (node, &hung) {
                const struct file_job *job = CONTAINER_OF(node, struct file_job, hung);
                struct row *row = &rows[n++];

                snprintf(row->name, sizeof(row->name), "%s", job->ops.name);
                snprintf(row->what, sizeof(row->what), "%s", job->what);
                row->info.name = row->name;
                row->info.what = row->what;
                row->info.since_s = clock_since_s(job->since_ns);
        }
        pthread_mutex_unlock(&lock);
        for (size_t i = 0; i < n; i++)
                fn(&rows[i].info, arg);
        free(rows);
}
