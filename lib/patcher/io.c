/*
 * lib/patcher/io.c: the recv and send families, and read and write on sockets.
 *
 * Everything goes through recvmsg() and sendmsg() with MSG_DONTWAIT, so the descriptor's own mode is never
 * touched, and is asked for only when the call would block: non-blocking ones then keep their EAGAIN. What is
 * no socket says ENOTSOCK, and read and write go on as plain calls (or to io_os.c). A stream's send goes on
 * until all is sent, as a blocking one does; what was sent before an error or SO_SNDTIMEO counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "patcher/patcher_priv.h"

enum { IOV_ON_STACK = 8 };

/* A private copy of the message's vector that can be moved forward. */
struct cursor {
        struct msghdr msg;
        struct iovec on_stack[IOV_ON_STACK];
        struct iovec *heap;
        size_t left;
};

/* false: errno says why (sizes that the kernel would refuse too). */
static bool cursor_init(struct cursor *c, const struct msghdr *from)
{
        size_t n = from->msg_iovlen;

        if (n > 1024) { /* UIO_MAXIOV */
                errno = EMSGSIZE;
                return false;
        }
        c->msg = *from;
        c->heap = n > IOV_ON_STACK ? xcalloc(n, sizeof(struct iovec)) : NULL;
        c->msg.msg_iov = c->heap ? c->heap : c->on_stack;
        c->left = 0;
        for (size_t i = 0; i < n; i++) {
                c->msg.msg_iov[i] = from->msg_iov[i];
                c->left += from->msg_iov[i].iov_len;
        }
        return true;
}

static void cursor_free(struct cursor *c)
{
        free(c->heap);
}

static void cursor_advance(struct cursor *c, size_t n)
{
        c->left -= n;
        while (n > 0) {
                struct iovec *v = c->msg.msg_iov;
                size_t part = n < v->iov_len ? n : v->iov_len;

                v->iov_base = (char *)v->iov_base + part;
                v->iov_len -= part;
                n -= part;
                if (v->iov_len == 0 && c->msg.msg_iovlen > 1) {
                        c->msg.msg_iov++;
                        c->msg.msg_iovlen--;
                }
        }
}

static bool would_block(void)
{
        return errno == EAGAIN || errno == EWOULDBLOCK;
}

int patcher_wait_turn(int fd, unsigned event, int flags, struct patience *p)
{
        assert_on_hub();
        if ((flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) || patcher_known_nonblocking(fd)) {
                errno = EAGAIN; /* a queue of errors is never waited for */
                return -1;
        }
        if (!p->begun) {
                p->begun = true;
                p->by = patcher_known_deadline(fd, event == GREEN_READ ? SO_RCVTIMEO : SO_SNDTIMEO);
        }
        if (patcher_wait(fd, event | GREEN_KEPT, p->by) == 0)
                return 0;
        if (errno == ETIMEDOUT)
                errno = EAGAIN; /* as a blocking call says it */
        return -1;
}

/* MSG_WAITALL on a stream means "fill the buffers"; the kernel forgets it when MSG_DONTWAIT is there. */
static bool must_fill(int fd, int flags)
{
        int type = 0;
        socklen_t len = sizeof(type);

        return (flags & (MSG_WAITALL | MSG_PEEK | MSG_ERRQUEUE)) == MSG_WAITALL &&
               getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static ssize_t green_recvmsg(int fd, struct msghdr *msg, int flags)
{
        struct patience patience = {};
        struct cursor c;
        ssize_t n, total = 0;
        bool fill;

        if (!cursor_init(&c, msg))
                return -1;
        fill = must_fill(fd, flags);
        for (;;) {
                n = ORIGINAL(recvmsg)(fd, &c.msg, flags | MSG_DONTWAIT);
                if (n > 0 && fill && (size_t)n < c.left) {
                        if (total == 0) { /* what came with the first part is the caller's */
                                msg->msg_namelen = c.msg.msg_namelen;
                                msg->msg_controllen = c.msg.msg_controllen;
                        }
                        total += n;
                        cursor_advance(&c, (size_t)n);
                        c.msg.msg_control = NULL;
                        c.msg.msg_controllen = 0;
                        continue;
                }
                if (n >= 0 || !would_block() || patcher_wait_turn(fd, GREEN_READ, flags, &patience) < 0)
                        break;
        }
        if (n >= 0 && total == 0) {
                msg->msg_namelen = c.msg.msg_namelen;
                msg->msg_controllen = c.msg.msg_controllen;
        }
        msg->msg_flags = c.msg.msg_flags;
        cursor_free(&c);
        return n >= 0 ? total + n : total > 0 ? total : -1;
}

ssize_t patcher_send_rest(int fd, const struct msghdr *msg, size_t sent, int flags)
{
        struct patience patience = {};
        struct cursor c;
        ssize_t n, total = 0;

        if (!cursor_init(&c, msg))
                return -1;
        if (sent > 0) {
                cursor_advance(&c, sent);
                c.msg.msg_control = NULL;
                c.msg.msg_controllen = 0;
        }
        for (;;) {
                n = ORIGINAL(sendmsg)(fd, &c.msg, flags | MSG_DONTWAIT);
                if (n > 0 && (size_t)n < c.left) {
                        total += n;
                        cursor_advance(&c, (size_t)n);
                        c.msg.msg_control = NULL; /* descriptors travel once */
                        c.msg.msg_controllen = 0;
                        continue;
                }
                if (n >= 0 || !would_block() || patcher_wait_turn(fd, GREEN_WRITE, flags, &patience) < 0)
                        break;
        }
        cursor_free(&c);
        return n >= 0 ? total + n : total > 0 ? total : -1;
}

/* What is not there the kernel calls EFAULT; we would crash. */
static bool is_there(const struct msghdr *msg)
{
        return msg && (msg->msg_iov || msg->msg_iovlen == 0);
}

/* ---- recv ---- */

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
        return is_there(msg) && patcher_in_scope(PATCH_SOCKET) ? green_recvmsg(fd, msg, flags)
                                                               : ORIGINAL(recvmsg)(fd, msg, flags);
}

static ssize_t green_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                              socklen_t *from_len)
{
        struct iovec iov = { buf, len };
        struct msghdr msg = { .msg_name = from,
                              .msg_namelen = from && from_len ? *from_len : 0,
                              .msg_iov = &iov,
                              .msg_iovlen = 1 };
        ssize_t n;

        if (from && !from_len) {
                errno = EFAULT;
                return -1;
        }
        n = green_recvmsg(fd, &msg, flags);
        if (n >= 0 && from)
                *from_len = msg.msg_namelen;
        return n;
}

ssize_t __wrap_recvfrom(int fd, void *buf, size_t len, int flags, __SOCKADDR_ARG from, socklen_t *from_len)
{
        return patcher_in_scope(PATCH_SOCKET)
                       ? green_recvfrom(fd, buf, len, flags, from.__sockaddr__, from_len)
                       : ORIGINAL(recvfrom)(fd, buf, len, flags, from, from_len);
}

ssize_t __wrap___recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags, __SOCKADDR_ARG from,
                              socklen_t *from_len)
{
        return len <= size && patcher_in_scope(PATCH_SOCKET)
                       ? green_recvfrom(fd, buf, len, flags, from.__sockaddr__, from_len)
                       : ORIGINAL(__recvfrom_chk)(fd, buf, len, size, flags, from, from_len);
}

/*
 * One buffer and no address: what most programs do most of the time. A read that got less than there was room
 * for has probably emptied the stream, so the next one waits first, instead of being told so by the kernel.
 */
static ssize_t green_recv(int fd, void *buf, size_t len, int flags)
{
        const int plain = MSG_NOSIGNAL | MSG_CMSG_CLOEXEC;
        struct patience patience = {};
        ssize_t n;

        if (flags & MSG_WAITALL)
                return green_recvfrom(fd, buf, len, flags, NULL, NULL);
        assert_on_hub();
        if ((flags & ~plain) == 0 && len > 0 && patcher_take_drained(fd) &&
            patcher_wait_turn(fd, GREEN_READ, flags, &patience) < 0)
                return -1;
        do
                n = ORIGINAL(recv)(fd, buf, len, flags | MSG_DONTWAIT);
        while (n < 0 && would_block() && patcher_wait_turn(fd, GREEN_READ, flags, &patience) == 0);
        if (n > 0 && (size_t)n < len && (flags & ~plain) == 0)
                patcher_set_drained(fd);
        return n;
}

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
        return patcher_in_scope(PATCH_SOCKET) ? green_recv(fd, buf, len, flags)
                                              : ORIGINAL(recv)(fd, buf, len, flags);
}

ssize_t __wrap___recv_chk(int fd, void *buf, size_t len, size_t size, int flags)
{
        return len <= size && patcher_in_scope(PATCH_SOCKET)
                       ? green_recv(fd, buf, len, flags)
                       : ORIGINAL(__recv_chk)(fd, buf, len, size, flags);
}

/* ---- send ---- */

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
        return is_there(msg) && patcher_in_scope(PATCH_SOCKET) ? patcher_send_rest(fd, msg, 0, flags)
                                                               : ORIGINAL(sendmsg)(fd, msg, flags);
}

static ssize_t green_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                            socklen_t to_len)
{
        struct iovec iov = { (void *)(uintptr_t)buf, len };
        struct msghdr msg = { .msg_name = (void *)(uintptr_t)to,
                              .msg_namelen = to ? to_len : 0,
                              .msg_iov = &iov,
                              .msg_iovlen = 1 };

        return patcher_send_rest(fd, &msg, 0, flags);
}

ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG to,
                      socklen_t to_len)
{
        return patcher_in_scope(PATCH_SOCKET) ? green_sendto(fd, buf, len, flags, to.__sockaddr__, to_len)
                                              : ORIGINAL(sendto)(fd, buf, len, flags, to, to_len);
}

/* At once, as nearly always; what is left goes the long way. */
static ssize_t green_send(int fd, const void *buf, size_t len, int flags)
{
        ssize_t n = ORIGINAL(send)(fd, buf, len, flags | MSG_DONTWAIT), rest;

        if (n < 0 ? !would_block() : (size_t)n == len)
                return n;
        if (n < 0)
                return green_sendto(fd, buf, len, flags, NULL, 0);
        rest = green_sendto(fd, (const char *)buf + n, len - (size_t)n, flags, NULL, 0);
        return rest < 0 ? n : n + rest;
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
        return patcher_in_scope(PATCH_SOCKET) ? green_send(fd, buf, len, flags)
                                              : ORIGINAL(send)(fd, buf, len, flags);
}

/* ---- read and write: on sockets here, on the rest in io_os.c or plain ---- */

/* ENOTSOCK: not done. A read of nothing is 0 on any socket, where recv() would wait. */
static ssize_t read_socket(int fd, const struct iovec *iov, int n)
{
        struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };

        return n == 1 ? green_recv(fd, iov->iov_base, iov->iov_len, 0) : green_recvmsg(fd, &msg, 0);
}

static ssize_t write_socket(int fd, const struct iovec *iov, int n)
{
        struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };

        return n == 1 ? green_send(fd, iov->iov_base, iov->iov_len, 0) : patcher_send_rest(fd, &msg, 0, 0);
}

static bool not_done(ssize_t r)
{
        return r < 0 && errno == ENOTSOCK;
}

/* Tries what is patched; false: the plain call shall do it. */
static bool green_transfer(int fd, const struct iovec *iov, int n, bool reading, ssize_t *ret)
{
        int saved = errno;
        size_t len = 0;

        if (n < 0 || n > 1024 || !iov || !patcher_in_scope(PATCH_SOCKET | PATCH_OS))
                return false;
        for (int i = 0; i < n; i++)
                len += iov[i].iov_len;
        if (len == 0)
                return false;
        if (is_patched(PATCH_SOCKET)) {
                *ret = reading ? read_socket(fd, iov, n) : write_socket(fd, iov, n);
                if (!not_done(*ret))
                        return true;
                errno = saved;
        }
        if (!is_patched(PATCH_OS))
                return false;
        *ret = reading ? patcher_read_os(fd, iov, n) : patcher_write_os(fd, iov, n);
        return true;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
        struct iovec iov = { buf, len };
        ssize_t r;

        return green_transfer(fd, &iov, 1, true, &r) ? r : ORIGINAL(read)(fd, buf, len);
}

ssize_t __wrap___read_chk(int fd, void *buf, size_t len, size_t size)
{
        struct iovec iov = { buf, len };
        ssize_t r;

        return len <= size && green_transfer(fd, &iov, 1, true, &r)
                       ? r
                       : ORIGINAL(__read_chk)(fd, buf, len, size);
}

ssize_t __wrap_readv(int fd, const struct iovec *iov, int n)
{
        ssize_t r;

        return green_transfer(fd, iov, n, true, &r) ? r : ORIGINAL(readv)(fd, iov, n);
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
        struct iovec iov = { (void *)(uintptr_t)buf, len };
        ssize_t r;

        return green_transfer(fd, &iov, 1, false, &r) ? r : ORIGINAL(write)(fd, buf, len);
}

ssize_t __wrap_writev(int fd, const struct iovec *iov, int n)
{
        ssize_t r;

        return green_transfer(fd, iov, n, false, &r) ? r : ORIGINAL(writev)(fd, iov, n);
}
