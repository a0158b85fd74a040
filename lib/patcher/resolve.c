/*
 * lib/patcher/resolve.c: getaddrinfo in a worker thread.
 *
 * What glibc does inside cannot be reached from outside, so the whole call goes to the pool. Addresses in
 * digits and calls without a host need no name server and are answered at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "native/tpool.h"
#include "patcher/patcher_priv.h"

static struct tpool *pool;

struct job {
        struct tpool_job base;
        char *host, *service;  /* owned; NULL allowed */
        struct addrinfo hints; /* its pointers are NULL */
        struct addrinfo *list; /* owned until the caller takes it */
        int r, sys;
};

void patcher_use_tpool(struct tpool *p)
{
        pool = p;
}

static int run(struct tpool_job *base, struct error *err)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        job->r = ORIGINAL(getaddrinfo)(job->host, job->service, &job->hints, &job->list);
        job->sys = errno;
        return 0;
}

static void drop(struct tpool_job *base)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        if (job->r == 0 && job->list)
                freeaddrinfo(job->list);
        free(job->host);
        free(job->service);
        free(job);
}

static int YIELDS resolve(const char *host, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret)
{
        static const struct tpool_ops ops = { .name = "getaddrinfo", .run = run, .drop = drop };
        struct job *job = NEW(struct job);
        struct error err;
        int r;

        job->base.ops = &ops;
        snprintf(job->base.what, sizeof(job->base.what), "%s", host);
        job->host = xstrdup(host);
        job->service = xstrdup(service);
        job->hints = *hints;
        if (tpool_call(pool, &job->base, deadline_never(), &err) == 0) {
                r = job->r;
                errno = job->sys;
                if (r == 0)
                        *ret = take_ptr(&job->list);
        } else {
                r = EAI_SYSTEM;
                errno = patcher_errno(&err);
        }
        tpool_job_done(&job->base);
        return r;
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
        struct addrinfo digits = {};
        struct addrinfo all = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG }; /* what NULL means */
        int r;

        if (!host || !patcher_in_scope(PATCH_SOCKET))
                return ORIGINAL(getaddrinfo)(host, service, hints, ret);
        if (hints)
                all = (struct addrinfo){ .ai_flags = hints->ai_flags,
                                         .ai_family = hints->ai_family,
                                         .ai_socktype = hints->ai_socktype,
                                         .ai_protocol = hints->ai_protocol };
        digits = all;
        digits.ai_flags |= AI_NUMERICHOST;
        r = ORIGINAL(getaddrinfo)(host, service, &digits, ret);
        if (r != EAI_NONAME || (all.ai_flags & AI_NUMERICHOST))
                return r;
        if (!pool) {
                errno = ENOSYS; /* rather than a stall of the hub: patcher_use_tpool() was forgotten */
                return EAI_SYSTEM;
        }
        assert_green();
        return resolve(host, service, &all, ret);
}
