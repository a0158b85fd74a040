/*
 * lib/patcher/resolve.c: getaddrinfo and getnameinfo in a worker thread.
 *
 * What glibc does inside cannot be reached from outside, so the whole call goes to the pool. Addresses in
 * digits and calls without a host need no name server and are answered at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int run_addrinfo(struct tpool_job *base, struct error *err)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        job->r = ORIGINAL(getaddrinfo)(job->host, job->service, &job->hints, &job->list);
        job->sys = errno;
        return 0;
}

static void drop_addrinfo(struct tpool_job *base)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        if (job->r == 0 && job->list)
                freeaddrinfo(job->list);
        free(job->host);
        free(job->service);
        free(job);
}

/* Rather than a stall of the hub: patcher_use_tpool() was forgotten. */
static int no_pool(void)
{
        errno = ENOSYS;
        return EAI_SYSTEM;
}

static int YIELDS resolve(const char *host, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret)
{
        static const struct tpool_ops ops = { .name = "getaddrinfo",
                                              .run = run_addrinfo,
                                              .drop = drop_addrinfo };
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
        if (!pool)
                return no_pool();
        assert_green();
        return resolve(host, service, &all, ret);
}

/* ---- names of addresses ---- */

struct name_job {
        struct tpool_job base;
        struct sockaddr_storage addr;
        socklen_t addr_len;
        char *host, *service; /* owned; NULL when not asked for */
        socklen_t host_len, service_len;
        int flags, r, sys;
};

static int run_nameinfo(struct tpool_job *base, struct error *err)
{
        struct name_job *job = CONTAINER_OF(base, struct name_job, base);

        job->r = ORIGINAL(getnameinfo)((const struct sockaddr *)&job->addr, job->addr_len, job->host,
                                       job->host_len, job->service, job->service_len, job->flags);
        job->sys = errno;
        return 0;
}

static void drop_nameinfo(struct tpool_job *base)
{
        struct name_job *job = CONTAINER_OF(base, struct name_job, base);

        free(job->host);
        free(job->service);
        free(job);
}

static int YIELDS name_of(const struct sockaddr *addr, socklen_t addr_len, char *host, socklen_t host_len,
                          char *service, socklen_t service_len, int flags)
{
        static const struct tpool_ops ops = { .name = "getnameinfo",
                                              .run = run_nameinfo,
                                              .drop = drop_nameinfo };
        struct name_job *job = NEW(struct name_job);
        struct error err;
        int r;

        job->base.ops = &ops;
        memcpy(&job->addr, addr, addr_len);
        job->addr_len = addr_len;
        job->flags = flags;
        job->host = xcalloc(1, host_len);
        job->host_len = host_len;
        if (service && service_len > 0) {
                job->service = xcalloc(1, service_len);
                job->service_len = service_len;
        }
        if (tpool_call(pool, &job->base, deadline_never(), &err) == 0) {
                r = job->r;
                errno = job->sys;
                if (r == 0)
                        memcpy(host, job->host, strlen(job->host) + 1);
                if (r == 0 && job->service)
                        memcpy(service, job->service, strlen(job->service) + 1);
        } else {
                r = EAI_SYSTEM;
                errno = patcher_errno(&err);
        }
        tpool_job_done(&job->base);
        return r;
}

/* Only a host that is wanted by name, of an address family that has a name service, needs a server. */
static bool needs_server(const struct sockaddr *addr, socklen_t len, const char *host, socklen_t host_len,
                         int flags)
{
        return addr && len >= sizeof(addr->sa_family) && len <= sizeof(struct sockaddr_storage) && host &&
               host_len > 0 && !(flags & NI_NUMERICHOST) &&
               (addr->sa_family == AF_INET || addr->sa_family == AF_INET6);
}

int __wrap_getnameinfo(const struct sockaddr *addr, socklen_t addr_len, char *host, socklen_t host_len,
                       char *service, socklen_t service_len, int flags)
{
        /* A longer name than there is cannot come: sizes are the caller's word. */
        socklen_t host_max = host_len < NI_MAXHOST ? host_len : NI_MAXHOST;
        socklen_t service_max = service_len < NI_MAXHOST ? service_len : NI_MAXHOST;

        if (!needs_server(addr, addr_len, host, host_len, flags) || !patcher_in_scope(PATCH_SOCKET))
                return ORIGINAL(getnameinfo)(addr, addr_len, host, host_len, service, service_len, flags);
        if (!pool)
                return no_pool();
        assert_green();
        return name_of(addr, addr_len, host, host_max, service, service_max, flags);
}
