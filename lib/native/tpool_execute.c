/* lib/native/tpool_execute.c: the short form of a call, whose job is one block with a copy of the argument.
 */
#include "native/tpool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

struct execute_job {
        struct tpool_job base;
        struct tpool_ops ops; /* per job, for the sake of the name */
        char name[64];
        int (*fn)(void *arg, struct error *err);
        _Alignas(max_align_t) unsigned char arg[];
};

static int execute_run(struct tpool_job *base, struct error *err)
{
        struct execute_job *job = CONTAINER_OF(base, struct execute_job, base);

        return job->fn(job->arg, err);
}

static void execute_drop(struct tpool_job *base)
{
        free(CONTAINER_OF(base, struct execute_job, base));
}

int tpool_execute(struct tpool *p, const char *name, int (*fn)(void *arg, struct error *err), void *arg,
                  size_t size, struct deadline by, struct error *err)
{
        struct execute_job *job = calloc(1, sizeof(*job) + size);
        int r;

        if (!job)
                return error_system(err, ENOMEM, "%s: %zu bytes of argument", name, size);
        snprintf(job->name, sizeof(job->name), "%s", name);
        job->ops = (struct tpool_ops){ .name = job->name, .run = execute_run, .drop = execute_drop };
        job->base.ops = &job->ops;
        job->fn = fn;
        if (size)
                memcpy(job->arg, arg, size);
        r = tpool_call(p, &job->base, by, err);
        if (r >= 0 && size)
                memcpy(arg, job->arg, size);
        tpool_job_done(&job->base);
        return r;
}
