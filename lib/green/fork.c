/*
 * lib/green/fork.c: what fork() leaves of a hub in the child.
 *
 * The child has one native thread, the copy of the one that forked, and shares the parent's epoll instance: a
 * green wait there would take events away from the parent. So the copy of the hub is retired. Patched calls
 * are plain calls in the child, as on any native thread; a green call of its own aborts with a message that
 * says why. Where nothing of the hub is used the child lives on undisturbed: it may call exec, _exit, or
 * hub_run() for a hub of its own (workers and queues of the parent are not there: their threads are not).
 *
 * vfork() and raw clone() call no handlers, and their child runs in the parent's memory: lib/process.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/original.h"
#include "green/green_priv.h"

static void retire_copy(void)
{
        struct hub *h = the_hub;
        int saved = errno;

        if (!h || h->forked)
                return;
        h->forked = true;
        h->atomic_depth++; /* every function that could switch looks at it */
        patcher_original(close)(h->epoll_fd);
        h->epoll_fd = -1;
        errno = saved;
}

void hub_enter_copy(struct hub *hub)
{
        hub->atomic_depth++;
        hub->epoll_fd = -1; /* closed or not: it is the parent's, too */
        the_hub = hub;
}

static void register_handler(void)
{
        pthread_atfork(NULL, NULL, retire_copy);
}

void hub_prepare_for_forks(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, register_handler);
}
