/*
 * lib/patcher/epoll.c: an event loop of the program's own, in a green thread.
 *
 * An epoll descriptor is readable when it has events, so the hub waits for it as for any other, and the loop
 * looks without waiting. Nothing it has registered is known to the hub.
 */
#include <errno.h>

#include "patcher/patcher_priv.h"

static int YIELDS green_epoll_wait(int fd, struct epoll_event *events, int n, struct deadline by,
                                   bool look_only)
{
        int r = 0;

        if (look_only)
                green_yield(); /* a loop that only looks must not keep the hub to itself */
        for (;;) {
                r = ORIGINAL(epoll_wait)(fd, events, n, 0);
                if (r != 0 || look_only)
                        return r;
                if (patcher_wait(fd, GREEN_READ, by) < 0)
                        return errno == ETIMEDOUT ? 0 : -1;
        }
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
        if (!patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(epoll_wait)(fd, events, n, timeout);
        assert_green();
        return green_epoll_wait(fd, events, n, timeout < 0 ? deadline_never() : deadline_in_ms(timeout),
                                timeout == 0);
}

int __wrap_epoll_pwait(int fd, struct epoll_event *events, int n, int timeout, const sigset_t *mask)
{
        if (!patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(epoll_pwait)(fd, events, n, timeout, mask);
        if (mask) { /* would hold for whatever runs meanwhile on this native thread */
                errno = ENOSYS;
                return -1;
        }
        return __wrap_epoll_wait(fd, events, n, timeout);
}

int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                        const sigset_t *mask)
{
        if (!patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(epoll_pwait2)(fd, events, n, timeout, mask);
        if (mask || (timeout && !patcher_time_valid(timeout))) {
                errno = mask ? ENOSYS : EINVAL;
                return -1;
        }
        assert_green();
        return green_epoll_wait(fd, events, n, timeout ? patcher_deadline_in(timeout) : deadline_never(),
                                timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0);
}
