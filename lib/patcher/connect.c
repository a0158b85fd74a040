/*
 * lib/patcher/connect.c: connect and accept.
 *
 * There is no MSG_DONTWAIT for connect(): a blocking socket is made non-blocking for the one system call that
 * starts the connection, and nobody else can be using it yet. accept() is called when poll() says that a
 * connection waits; a listening socket shared with other processes should be non-blocking itself, because
 * they may be quicker.
 */
#include <errno.h>
#include <fcntl.h>

#include "patcher/patcher_priv.h"

enum { RETRY_MIN_MS = 1, RETRY_MAX_MS = 50 };

/* connect() on a blocking socket, without blocking: 0, or -1 with EINPROGRESS (or what else it says). */
static int start_connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
        int flags = ORIGINAL(fcntl64)(fd, F_GETFL), r, sys;

        if (flags < 0 || ORIGINAL(fcntl64)(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -1;
        r = ORIGINAL(connect)(fd, addr, len);
        sys = errno;
        ORIGINAL(fcntl64)(fd, F_SETFL, flags);
        errno = sys;
        return r;
}

static int finish_connect(int fd, struct deadline by)
{
        int sys = 0, r = patcher_wait_ready(fd, POLLOUT, by);
        socklen_t len = sizeof(sys);

        if (r < 0)
                return -1;
        if (r == 0)
                sys = EINPROGRESS; /* what SO_SNDTIMEO makes of a blocking connect() */
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
                return -1;
        if (sys)
                errno = sys;
        return sys ? -1 : 0;
}

int __wrap_connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
        struct deadline by;
        int64_t pause = RETRY_MIN_MS;
        int sys;

        if (!patcher_in_scope(PATCH_SOCKET) || patcher_nonblocking(fd))
                return ORIGINAL(connect)(fd, addr, len);
        if (start_connect(fd, addr, len) == 0)
                return 0;
        sys = errno;
        by = patcher_socket_deadline(fd, SO_SNDTIMEO);
        errno = sys;
        /* A unix socket whose listener's queue is full cannot be waited for: it has to be tried again. */
        while (errno == EAGAIN && !deadline_passed(by)) {
                if (patcher_sleep_until(deadline_earlier(by, deadline_in_ms(pause))) < 0)
                        return -1;
                pause = pause * 2 < RETRY_MAX_MS ? pause * 2 : RETRY_MAX_MS;
                if (start_connect(fd, addr, len) == 0)
                        return 0;
        }
        return errno == EINPROGRESS ? finish_connect(fd, by) : -1;
}

/* What does not listen has its error at once. */
static bool listens(int fd)
{
        int yes = 0;
        socklen_t len = sizeof(yes);

        return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

/* Until a connection waits, or the plain call would say at once why there is none: 0, or -1 with errno. */
static int wait_connection(int fd)
{
        int r;

        if (patcher_nonblocking(fd) || !listens(fd))
                return 0;
        r = patcher_wait_ready(fd, POLLIN, patcher_socket_deadline(fd, SO_RCVTIMEO));
        if (r == 0)
                errno = EAGAIN;
        return r > 0 ? 0 : -1;
}

/* The new one may have the number of one that was closed behind the hub's back. */
static int accepted(int fd)
{
        int saved = errno;

        if (fd >= 0) {
                assert_on_hub();
                green_forget_fd(fd);
        }
        errno = saved;
        return fd;
}

int __wrap_accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
        if (!patcher_in_scope(PATCH_SOCKET))
                return ORIGINAL(accept4)(fd, addr, len, flags);
        if (wait_connection(fd) < 0)
                return -1;
        return accepted(ORIGINAL(accept4)(fd, addr, len, flags));
}

int __wrap_accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
        if (!patcher_in_scope(PATCH_SOCKET))
                return ORIGINAL(accept)(fd, addr, len);
        if (wait_connection(fd) < 0)
                return -1;
        return accepted(ORIGINAL(accept)(fd, addr, len));
}
