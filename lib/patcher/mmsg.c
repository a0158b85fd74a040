/*
 * lib/patcher/mmsg.c: recvmmsg and sendmmsg, many messages with one system call.
 *
 * As in io.c the kernel is asked with MSG_DONTWAIT, and what would block parks. The timeout of recvmmsg() is
 * a deadline here, while the kernel looks at it only when a message has come.
 */
#include <errno.h>

#include "patcher/patcher_priv.h"

enum { MESSAGES_MAX = 1024 }; /* UIO_MAXIOV: the kernel takes no more at once */

static int green_recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct deadline by)
{
        struct patience patience = {};
        unsigned done = 0;

        if (by.ns != INT64_MAX) {
                patience.begun = true;
                patience.by = deadline_earlier(by, patcher_socket_deadline(fd, SO_RCVTIMEO));
        }
        while (done < n) {
                int r = ORIGINAL(recvmmsg)(fd, vec + done, n - done, flags | MSG_DONTWAIT, NULL);

                if (r > 0)
                        done += (unsigned)r;
                if (r == 0 || (r > 0 && (flags & MSG_WAITFORONE)))
                        break;
                if (r < 0 && ((errno != EAGAIN && errno != EWOULDBLOCK) ||
                              patcher_wait_turn(fd, GREEN_READ, flags, &patience) < 0))
                        break;
        }
        return done > 0 || n == 0 ? (int)done : -1;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
        struct deadline by = deadline_never();
        int64_t left;
        int r;

        if (!vec || n == 0 || !patcher_in_scope(PATCH_SOCKET))
                return ORIGINAL(recvmmsg)(fd, vec, n, flags, timeout);
        if (timeout) {
                if (!patcher_time_valid(timeout)) {
                        errno = EINVAL;
                        return -1;
                }
                by = patcher_deadline_in(timeout);
        }
        r = green_recvmmsg(fd, vec, n < MESSAGES_MAX ? n : MESSAGES_MAX, flags, by);
        if (timeout && r > 0) { /* as the kernel does */
                left = by.ns - clock_now_ns();
                left = left > 0 ? left : 0;
                *timeout = (struct timespec){ left / NS_PER_S, left % NS_PER_S };
        }
        return r;
}

static size_t length(const struct msghdr *msg)
{
        size_t len = 0;

        for (size_t i = 0; i < msg->msg_iovlen; i++)
                len += msg->msg_iov[i].iov_len;
        return len;
}

/* The kernel stops at a message of which only a part went: the rest of a stream's belongs to it. */
static bool finish_last(int fd, struct mmsghdr *last, int flags)
{
        ssize_t r;

        if (last->msg_len >= length(&last->msg_hdr))
                return true;
        r = patcher_send_rest(fd, &last->msg_hdr, last->msg_len, flags);
        if (r > 0)
                last->msg_len += (unsigned)r;
        return r >= 0 && last->msg_len == length(&last->msg_hdr);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
        struct patience patience = {};
        unsigned done = 0;

        if (!vec || n == 0 || !patcher_in_scope(PATCH_SOCKET))
                return ORIGINAL(sendmmsg)(fd, vec, n, flags);
        if (n > MESSAGES_MAX)
                n = MESSAGES_MAX;
        while (done < n) {
                int r = ORIGINAL(sendmmsg)(fd, vec + done, n - done, flags | MSG_DONTWAIT);

                if (r > 0) {
                        done += (unsigned)r;
                        if (!finish_last(fd, &vec[done - 1], flags))
                                break;
                } else if (r == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) ||
                           patcher_wait_turn(fd, GREEN_WRITE, flags, &patience) < 0) {
                        break;
                }
        }
        return done > 0 ? (int)done : -1;
}
