/* Subjects: sending to a socket whose buffer is full. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "subject.h"

enum { LITTLE = 3 };

static void fill(int fd)
{
        static char zeros[4096];
        ssize_t n = sizeof(zeros);

        while (n > 0) {
                n = patcher_original(send)(fd, zeros, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
                ck_assert(n > 0 || errno == EAGAIN);
        }
}

static void open_full(struct scene *s)
{
        struct pair p = stream_pair();

        s->fd = p.a;
        s->peer = p.b;
        fill(s->fd);
}

static int file_of(const void *data, size_t size)
{
        int fd = memfd_create("content", MFD_CLOEXEC);

        ck_assert_int_eq(pwrite(fd, data, size, 0), (ssize_t)size);
        return fd;
}

static void open_full_and_file(struct scene *s)
{
        open_full(s);
        s->other = file_of("abc", LITTLE);
}

static void drain(struct scene *s)
{
        static char buf[65536];

        while (patcher_original(recv)(s->peer, buf, sizeof(buf), MSG_DONTWAIT) > 0)
                ;
        ck_assert_int_eq(errno, EAGAIN);
}

static void limit_sending(struct scene *s)
{
        struct timeval tv = { 0, LIMIT_MS * 1000 };

        ck_assert_int_eq(setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

static long much_send(struct scene *s, char *data, size_t size)
{
        return send(s->fd, data, size, 0);
}

static long much_sendto(struct scene *s, char *data, size_t size)
{
        return sendto(s->fd, data, size, 0, NULL, 0);
}

static long much_sendmsg(struct scene *s, char *data, size_t size)
{
        struct iovec iov[2] = { { data, 1 }, { data + 1, size - 1 } };
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

        return sendmsg(s->fd, &msg, 0);
}

/* The second message is the one that goes in pieces. */
static long much_sendmmsg(struct scene *s, char *data, size_t size)
{
        struct iovec iov[3] = { { data, 1 }, { data + 1, size - 2 }, { data + size - 1, 1 } };
        struct mmsghdr vec[3] = {};
        int r;

        for (int i = 0; i < 3; i++)
                vec[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
        r = sendmmsg(s->fd, vec, 3, 0);
        return r == 3 ? (long)vec[0].msg_len + vec[1].msg_len + vec[2].msg_len : r;
}

static long much_write(struct scene *s, char *data, size_t size)
{
        return write(s->fd, data, size);
}

static long much_writev(struct scene *s, char *data, size_t size)
{
        struct iovec iov[2] = { { data, 1 }, { data + 1, size - 1 } };

        return writev(s->fd, iov, 2);
}

static long much_sendfile(struct scene *s, char *data, size_t size)
{
        int in = file_of(data, size);
        long r = sendfile(s->fd, in, NULL, size + 100); /* more than there is */

        ck_assert_int_eq(lseek(in, 0, SEEK_CUR), (off_t)size);
        return r;
}

static long much_sendfile64(struct scene *s, char *data, size_t size)
{
        int in = file_of(data, size);
        off64_t offset = 1;
        long first = sendfile64(s->fd, in, &(off64_t){ 0 }, 1), r;

        r = sendfile64(s->fd, in, &offset, size - 1);
        ck_assert_int_eq(offset, (off64_t)size);
        ck_assert_int_eq(lseek(in, 0, SEEK_CUR), 0);
        return first + r;
}

static char little[] = "abc";

#define CALL(symbol)                                     \
        static long call_##symbol(struct scene *s)       \
        {                                                \
                return much_##symbol(s, little, LITTLE); \
        }

CALL(send)
CALL(sendto)
CALL(sendmsg)
CALL(write)
CALL(writev)

static long call_sendmmsg(struct scene *s)
{
        struct iovec iov = { little, LITTLE };
        struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
        int r = sendmmsg(s->fd, &vec, 1, 0);

        return r == 1 ? (long)vec.msg_len : r;
}

static long call_sendfile(struct scene *s)
{
        return sendfile(s->fd, s->other, NULL, LITTLE);
}

static long call_sendfile64(struct scene *s)
{
        return sendfile64(s->fd, s->other, &(off64_t){ 0 }, LITTLE);
}

static int closed_end(void)
{
        struct pair p = stream_pair();

        patcher_original(close)(p.b);
        return p.a;
}

static bool bad_send(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, send(NO_FD, little, 1, 0));
        case 1:
                return answer_of(ret, send(s->other, little, 1, 0));
        case 2:
                return answer_of(ret, send(closed_end(), little, 1, MSG_NOSIGNAL));
        case 3:
                return WILD_ANSWER(ret, send(stream_pair().a, wild, 1, 0));
        case 4:
                return answer_of(ret, send(stream_pair().a, little, 1, MSG_OOB | 0x1000000));
        default:
                return false;
        }
}

static bool bad_sendto(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, sendto(NO_FD, little, 1, 0, NULL, 0));
        case 1:
                return WILD_ANSWER(ret, sendto(stream_pair().a, little, 1, 0, wild, 16));
        case 2:
                return answer_of(ret, sendto(socket(AF_INET, SOCK_DGRAM, 0), little, 1, 0, NULL, 0));
        default:
                return false;
        }
}

static bool bad_sendmsg(struct scene *s, int which, struct answer *ret)
{
        struct iovec iov = { wild, 1 };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

        switch (which) {
        case 0:
                return answer_of(ret, sendmsg(NO_FD, &msg, 0));
        case 1:
                return WILD_ANSWER(ret, sendmsg(stream_pair().a, nowhere, 0));
        case 2:
                return answer_of(ret, sendmsg(stream_pair().a, &msg, 0));
        case 3:
                msg.msg_iovlen = 2000;
                return answer_of(ret, sendmsg(stream_pair().a, &msg, 0));
        default:
                return false;
        }
}

static bool bad_sendmmsg(struct scene *s, int which, struct answer *ret)
{
        struct iovec iov = { wild, 1 };
        struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

        switch (which) {
        case 0:
                return answer_of(ret, sendmmsg(NO_FD, &vec, 1, 0));
        case 1:
                return WILD_ANSWER(ret, sendmmsg(stream_pair().a, nowhere, 1, 0));
        case 2:
                return answer_of(ret, sendmmsg(stream_pair().a, &vec, 1, 0));
        case 3:
                return answer_of(ret, sendmmsg(stream_pair().a, &vec, 0, 0));
        default:
                return false;
        }
}

static bool bad_write(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, write(NO_FD, little, 1));
        case 1:
                return WILD_ANSWER(ret, write(stream_pair().a, wild, 1));
        case 2:
                return answer_of(ret, write(open("/dev/null", O_RDONLY | O_CLOEXEC), little, 1));
        case 3:
                return answer_of(ret, write(open("/dev/full", O_WRONLY | O_CLOEXEC), little, 1));
        default:
                return false;
        }
}

static bool bad_writev(struct scene *s, int which, struct answer *ret)
{
        struct iovec iov = { little, 1 };

        switch (which) {
        case 0:
                return answer_of(ret, writev(NO_FD, &iov, 1));
        case 1:
                return WILD_ANSWER(ret, writev(stream_pair().a, nowhere, 1));
        case 2:
                return answer_of(ret, writev(stream_pair().a, &iov, minus_one));
        default:
                return false;
        }
}

static bool bad_sendfile(struct scene *s, int which, struct answer *ret)
{
        off_t before = -5;

        switch (which) {
        case 0:
                return answer_of(ret, sendfile(NO_FD, s->other, NULL, 1));
        case 1:
                return answer_of(ret, sendfile(stream_pair().a, NO_FD, NULL, 1));
        case 2:
                return answer_of(ret, sendfile(stream_pair().a, s->other, &before, 1));
        case 3:
                return answer_of(ret, sendfile(stream_pair().a, s->fd, NULL, 1)); /* from a socket */
        case 4:
                return answer_of(ret, sendfile(stream_pair().a, s->other, &(off_t){ 100 }, 1)); /* its end */
        case 5:
                return answer_of(ret, sendfile(file_of("", 0), s->other, NULL, LITTLE)); /* to a file */
        case 6:
                return answer_of(ret,
                                 sendfile(stream_pair().a, open("/dev/full", O_WRONLY | O_CLOEXEC), NULL, 1));
        default:
                return false;
        }
}

static bool bad_sendfile64(struct scene *s, int which, struct answer *ret)
{
        return which == 0 && answer_of(ret, sendfile64(NO_FD, s->other, NULL, 1));
}

#define SENDER(symbol, open_)                                                                       \
        {                                                                                           \
                .name = #symbol, .flags = WAITS | HAS_FD | NONBLOCKING | LIMITED, .open = open_,    \
                .call = call_##symbol, .release = drain, .success = LITTLE, .limit = limit_sending, \
                .late = { -1, EAGAIN }, .nonblocking = { -1, EAGAIN }, .closed = { -1, EBADF },     \
                .cancelled = { -1, ECANCELED }, .send_much = much_##symbol, .bad = bad_##symbol     \
        }

const struct subject send_subjects[] = {
        SENDER(send, open_full_and_file),
        SENDER(sendto, open_full),
        SENDER(sendmsg, open_full),
        SENDER(sendmmsg, open_full),
        SENDER(write, open_full),
        SENDER(writev, open_full),
        SENDER(sendfile, open_full_and_file),
        SENDER(sendfile64, open_full_and_file),
        {},
};
