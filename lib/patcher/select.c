/*
 * lib/patcher/select.c: poll, select and their variants.
 *
 * Readiness is always the kernel's word, by a poll() of its own that does not wait; the hub is only asked
 * when to look again. The hub knows "readable" and "writable", poll() knows more (POLLPRI, POLLRDHUP, nothing
 * but errors): where a look after a wake shows nothing, the next one comes after a short sleep, not at once.
 */
#include "patcher/patcher_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

enum { FDS_ON_STACK = 16, PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 20 };

static unsigned hub_events(short events)
{
        unsigned r = 0;

        if (events & (POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI | POLLRDHUP))
                r |= GREEN_READ;
        if (events & (POLLOUT | POLLWRNORM | POLLWRBAND))
                r |= GREEN_WRITE;
        return r ? r : GREEN_READ; /* errors and hang-ups wake a reader */
}

/* Until the hub says that one of them may be ready. 0, or -1 with errno. */
static int wait_any(const struct pollfd *fds, nfds_t n, struct deadline by)
{
        struct green_pollfd on_stack[FDS_ON_STACK];
        CLEANUP(freep) void *heap = NULL;
        struct green_pollfd *wanted = on_stack;
        struct error err = {};
        unsigned count = 0;

        assert_green();
        if (n > FDS_ON_STACK)
                heap = wanted = xcalloc(n, sizeof(*wanted));
        for (nfds_t i = 0; i < n; i++)
                if (fds[i].fd >= 0)
                        wanted[count++] = (struct green_pollfd){ fds[i].fd, hub_events(fds[i].events), 0 };
        if (count == 0)
                return patcher_sleep_until(by) < 0 ? -1 : (errno = ETIMEDOUT, -1);
        if (count == 1)
                return patcher_wait(wanted[0].fd, wanted[0].events, by);
        if (green_wait_fds(wanted, count, by, &err) > 0)
                return 0;
        if (err.code == ERR_BUSY)
                return 0; /* the pause follows when there is still nothing */
        if (err.code == ERR_CANCELLED)
                green_yield();
        errno = patcher_errno(&err);
        return -1;
}

/* poll() with an absolute deadline. */
static int patcher_poll(struct pollfd *fds, nfds_t n, struct deadline by)
{
        int64_t pause = PAUSE_MIN_MS;
        int r = ORIGINAL(poll)(fds, n, 0);

        while (r == 0) {
                bool closed = false;

                if (wait_any(fds, n, by) < 0) {
                        if (errno == ETIMEDOUT)
                                return ORIGINAL(poll)(fds, n, 0);
                        if (errno != EBADF)
                                return -1;
                        closed = true;
                }
                if (closed && n == 1) { /* its number may be something else by now, so poll() is not asked */
                        fds[0].revents = POLLNVAL;
                        return 1;
                }
                r = ORIGINAL(poll)(fds, n, 0);
                if (r == 0) {
                        if (patcher_sleep_until(deadline_earlier(by, deadline_in_ms(pause))) < 0)
                                return -1;
                        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
                        r = ORIGINAL(poll)(fds, n, 0);
                        if (r == 0 && deadline_passed(by))
                                return 0;
                }
        }
        return r;
}

int patcher_wait_ready(int fd, short events, struct deadline by)
{
        struct pollfd p = { .fd = fd, .events = events };
        int r = patcher_poll(&p, 1, by);

        if (r > 0 && (p.revents & POLLNVAL)) {
                errno = EBADF;
                return -1;
        }
        return r;
}

static int YIELDS green_poll(struct pollfd *fds, nfds_t n, struct deadline by, bool look_only)
{
        if (look_only) {
                green_yield(); /* a loop around poll(..., 0) must not keep the hub to itself */
                return ORIGINAL(poll)(fds, n, 0);
        }
        return patcher_poll(fds, n, by);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
        if (!patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(poll)(fds, n, timeout);
        assert_green();
        return green_poll(fds, n, timeout < 0 ? deadline_never() : deadline_in_ms(timeout), timeout == 0);
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
        if (size / sizeof(*fds) < n || !patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(__poll_chk)(fds, n, timeout, size); /* aborts in the first case */
        return __wrap_poll(fds, n, timeout);
}

/* A timespec of ppoll or pselect: NULL is for ever. -1 with errno when it is wrong. */
static int parse_timeout(const struct timespec *ts, struct deadline *ret_by, bool *ret_look_only)
{
        *ret_look_only = false;
        *ret_by = deadline_never();
        if (!ts)
                return 0;
        if (!patcher_time_valid(ts)) {
                errno = EINVAL;
                return -1;
        }
        *ret_look_only = ts->tv_sec == 0 && ts->tv_nsec == 0;
        *ret_by = patcher_deadline_in(ts);
        return 0;
}

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
        struct deadline by;
        bool look_only;

        if (!patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(ppoll)(fds, n, timeout, mask);
        if (mask) { /* would hold for whatever runs meanwhile on this native thread */
                errno = ENOSYS;
                return -1;
        }
        if (parse_timeout(timeout, &by, &look_only) < 0)
                return -1;
        assert_green();
        return green_poll(fds, n, by, look_only);
}

int __wrap___ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                       size_t size)
{
        if (size / sizeof(*fds) < n || !patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(__ppoll_chk)(fds, n, timeout, mask, size);
        return __wrap_ppoll(fds, n, timeout, mask);
}

/* ---- select: three sets of bits to a list and back ---- */

#define IN_SET  (POLLIN | POLLRDNORM | POLLRDBAND)
#define OUT_SET (POLLOUT | POLLWRNORM | POLLWRBAND)

static nfds_t sets_to_list(int n, const fd_set *in, const fd_set *out, const fd_set *ex, struct pollfd *list)
{
        nfds_t count = 0;

        for (int fd = 0; fd < n; fd++) {
                short events = 0;

                if (in && FD_ISSET(fd, in))
                        events |= IN_SET;
                if (out && FD_ISSET(fd, out))
                        events |= OUT_SET;
                if (ex && FD_ISSET(fd, ex))
                        events |= POLLPRI;
                if (events)
                        list[count++] = (struct pollfd){ .fd = fd, .events = events };
        }
        return count;
}

static int put(fd_set *set, int fd, bool ready)
{
        if (!set || !ready)
                return 0;
        FD_SET(fd, set);
        return 1;
}

/* The number of bits set; -1 with EBADF when one of the descriptors is not open. */
static int list_to_sets(const struct pollfd *list, nfds_t count, fd_set *in, fd_set *out, fd_set *ex)
{
        int bits = 0;

        for (nfds_t i = 0; i < count; i++) {
                if (list[i].revents & POLLNVAL) {
                        errno = EBADF;
                        return -1;
                }
        }
        if (in)
                FD_ZERO(in);
        if (out)
                FD_ZERO(out);
        if (ex)
                FD_ZERO(ex);
        for (nfds_t i = 0; i < count; i++) {
                short asked = list[i].events, got = list[i].revents;

                bits += put(in, list[i].fd, (asked & POLLIN) && (got & (IN_SET | POLLHUP | POLLERR)));
                bits += put(out, list[i].fd, (asked & POLLOUT) && (got & (OUT_SET | POLLERR)));
                bits += put(ex, list[i].fd, (asked & POLLPRI) && (got & POLLPRI));
        }
        return bits;
}

static int YIELDS green_select(int n, fd_set *in, fd_set *out, fd_set *ex, struct deadline by, bool look_only)
{
        CLEANUP(freep) struct pollfd *list = NULL;
        nfds_t count;
        int r;

        if (n < 0 || n > FD_SETSIZE) {
                errno = EINVAL;
                return -1;
        }
        list = xcalloc((size_t)n, sizeof(*list));
        count = sets_to_list(n, in, out, ex, list);
        r = green_poll(list, count, by, look_only);
        return r < 0 ? -1 : list_to_sets(list, count, in, out, ex);
}

int __wrap_select(int n, fd_set *in, fd_set *out, fd_set *ex, struct timeval *timeout)
{
        struct deadline by = deadline_never();
        int64_t left;
        int r;

        if (!patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(select)(n, in, out, ex, timeout);
        if (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)) {
                errno = EINVAL;
                return -1;
        }
        assert_green();
        if (timeout)
                by = deadline_in_s((double)timeout->tv_sec + (double)timeout->tv_usec / 1e6);
        r = green_select(n, in, out, ex, by, timeout && timeout->tv_sec == 0 && timeout->tv_usec == 0);
        if (timeout) { /* as Linux does */
                left = by.ns - clock_now_ns();
                left = left > 0 ? left : 0;
                *timeout = (struct timeval){ left / NS_PER_S, left % NS_PER_S / 1000 };
        }
        return r;
}

int __wrap_pselect(int n, fd_set *in, fd_set *out, fd_set *ex, const struct timespec *timeout,
                   const sigset_t *mask)
{
        struct deadline by;
        bool look_only;

        if (!patcher_in_scope(PATCH_SELECT))
                return ORIGINAL(pselect)(n, in, out, ex, timeout, mask);
        if (mask) {
                errno = ENOSYS;
                return -1;
        }
        if (parse_timeout(timeout, &by, &look_only) < 0)
                return -1;
        assert_green();
        return green_select(n, in, out, ex, by, look_only);
}
