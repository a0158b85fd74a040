/* Subjects: connecting and receiving. What is sent to a receiver is less than it asks for: a short read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "subject.h"

enum { ASKED = 8, SENT = 3, FILLERS = 64 };

static void open_pair(struct scene *s)
{
        struct pair p = stream_pair();

        s->fd = p.a;
        s->peer = p.b;
}

static void send_a_little(struct scene *s)
{
        ck_assert_int_eq(patcher_original(send)(s->peer, "abc", SENT, 0), SENT);
}

static void limit_receiving(struct scene *s)
{
        struct timeval tv = { 0, LIMIT_MS * 1000 };

        ck_assert_int_eq(setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
}

static int dev_null(void)
{
        return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* ---- receiving ---- */

static char buf[ASKED];

static long call_recv(struct scene *s)
{
        return recv(s->fd, buf, ASKED, 0);
}

static bool bad_recv(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, recv(NO_FD, buf, 1, 0));
        case 1:
                return answer_of(ret, recv(dev_null(), buf, 1, 0));
        case 2:
                send_a_little(s);
                return WILD_ANSWER(ret, recv(s->fd, wild, ASKED, 0));
        case 3:
                return answer_of(ret, recv(s->fd, buf, 1, MSG_OOB));
        case 4:
                return answer_of(ret, recv(s->fd, buf, 1, MSG_ERRQUEUE));
        case 5:
                return answer_of(ret, recv(-1, NULL, 0, 0));
        default:
                return false;
        }
}

static long call_recv_chk(struct scene *s)
{
        return __recv_chk(s->fd, buf, ASKED, sizeof(buf), 0);
}

static bool bad_recv_chk(struct scene *s, int which, struct answer *ret)
{
        return which == 0 && answer_of(ret, __recv_chk(NO_FD, buf, 1, sizeof(buf), 0));
}

static long call_recvfrom(struct scene *s)
{
        struct sockaddr_un from;
        socklen_t len = sizeof(from);

        return recvfrom(s->fd, buf, ASKED, 0, (struct sockaddr *)&from, &len);
}

static bool bad_recvfrom(struct scene *s, int which, struct answer *ret)
{
        struct sockaddr_un from;

        switch (which) {
        case 0:
                return answer_of(ret, recvfrom(NO_FD, buf, 1, 0, NULL, NULL));
        case 1:
                send_a_little(s);
                return WILD_ANSWER(ret, recvfrom(s->fd, wild, 1, 0, NULL, NULL));
        case 2:
                send_a_little(s);
                return answer_of(ret, recvfrom(s->fd, buf, 1, 0, (struct sockaddr *)&from, NULL));
        case 3:
                return answer_of(ret, recvfrom(dev_null(), buf, 1, 0, NULL, NULL));
        default:
                return false;
        }
}

static long call_recvfrom_chk(struct scene *s)
{
        return __recvfrom_chk(s->fd, buf, ASKED, sizeof(buf), 0, NULL, NULL);
}

static bool bad_recvfrom_chk(struct scene *s, int which, struct answer *ret)
{
        return which == 0 && answer_of(ret, __recvfrom_chk(NO_FD, buf, 1, sizeof(buf), 0, NULL, NULL));
}

static long call_recvmsg(struct scene *s)
{
        struct iovec iov[2] = { { buf, 1 }, { buf + 1, ASKED - 1 } };
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

        return recvmsg(s->fd, &msg, 0);
}

static bool bad_recvmsg(struct scene *s, int which, struct answer *ret)
{
        struct iovec iov = { wild, ASKED };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

        switch (which) {
        case 0:
                return answer_of(ret, recvmsg(NO_FD, &msg, 0));
        case 1:
                return WILD_ANSWER(ret, recvmsg(s->fd, nowhere, 0));
        case 2:
                send_a_little(s);
                return answer_of(ret, recvmsg(s->fd, &msg, 0));
        case 3:
                msg.msg_iov = NULL;
                send_a_little(s);
                return answer_of(ret, recvmsg(s->fd, &msg, 0));
        case 4:
                msg.msg_iovlen = 2000;
                return answer_of(ret, recvmsg(s->fd, &msg, 0));
        default:
                return false;
        }
}

/* Two messages are wanted; the first that comes will do. */
static long call_recvmmsg(struct scene *s)
{
        struct iovec iov[2] = { { buf, ASKED }, { buf, ASKED } };
        struct mmsghdr vec[2] = { { .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
                                  { .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } } };
        struct timespec limit = { 0, LIMIT_MS * NS_PER_MS };
        int r = recvmmsg(s->fd, vec, 2, MSG_WAITFORONE, s->limit_ms > 0 ? &limit : NULL);

        return r == 1 ? (long)vec[0].msg_len : r;
}

static bool bad_recvmmsg(struct scene *s, int which, struct answer *ret)
{
        struct iovec iov = { wild, ASKED };
        struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

        switch (which) {
        case 0:
                return answer_of(ret, recvmmsg(NO_FD, &vec, 1, 0, NULL));
        case 1:
                send_a_little(s);
                return answer_of(ret, recvmmsg(s->fd, &vec, 1, 0, NULL));
        case 2:
                return answer_of(ret, recvmmsg(s->fd, &vec, 1, 0, &(struct timespec){ 0, -1 }));
        case 3:
                send_a_little(s);
                return WILD_ANSWER(ret, recvmmsg(s->fd, nowhere, 1, 0, NULL));
        case 4:
                return answer_of(ret, recvmmsg(dev_null(), &vec, 1, 0, NULL));
        default:
                return false;
        }
}

static long call_read(struct scene *s)
{
        return read(s->fd, buf, ASKED);
}

static bool bad_read(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, read(NO_FD, buf, 1));
        case 1:
                send_a_little(s);
                return WILD_ANSWER(ret, read(s->fd, wild, ASKED));
        case 2:
                return answer_of(ret, read(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), buf, 1));
        case 3:
                return answer_of(ret, read(-1, NULL, 0));
        default:
                return false;
        }
}

static long call_read_chk(struct scene *s)
{
        return __read_chk(s->fd, buf, ASKED, sizeof(buf));
}

static bool bad_read_chk(struct scene *s, int which, struct answer *ret)
{
        return which == 0 && answer_of(ret, __read_chk(NO_FD, buf, 1, sizeof(buf)));
}

static long call_readv(struct scene *s)
{
        struct iovec iov[2] = { { buf, 1 }, { buf + 1, ASKED - 1 } };

        return readv(s->fd, iov, 2);
}

static bool bad_readv(struct scene *s, int which, struct answer *ret)
{
        struct iovec iov = { buf, 1 };

        switch (which) {
        case 0:
                return answer_of(ret, readv(NO_FD, &iov, 1));
        case 1:
                return WILD_ANSWER(ret, readv(s->fd, nowhere, 1));
        case 2:
                return answer_of(ret, readv(s->fd, &iov, minus_one));
        case 3:
                return WILD_ANSWER(ret, readv(s->fd, nowhere, 2000));
        default:
                return false;
        }
}

/* ---- connecting ---- */

static void bind_to(int fd, const struct scene *s)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };

        snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "%s", s->path); /* abstract: no file */
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static int connect_to(int fd, const struct scene *s)
{
        struct sockaddr_un at = { .sun_family = AF_UNIX };

        snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "%s", s->path);
        return connect(fd, (struct sockaddr *)&at, sizeof(at));
}

static void open_listener(struct scene *s)
{
        static int number;

        snprintf(s->path, sizeof(s->path), "patcher-symbols-%d-%d", (int)getpid(), ++number);
        s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bind_to(s->fd, s);
        ck_assert_int_eq(listen(s->fd, 1), 0);
}

static void connect_one(struct scene *s)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        ck_assert_int_eq(connect_to(fd, s), 0);
}

static long call_accept(struct scene *s)
{
        return accept(s->fd, NULL, NULL) >= 0 ? 0 : -1;
}

static bool bad_accept(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, accept(NO_FD, NULL, NULL));
        case 1:
                return answer_of(ret, accept(dev_null(), NULL, NULL));
        case 2:
                return answer_of(ret, accept(stream_pair().a, NULL, NULL));
        case 3:
                return answer_of(ret, accept(socket(AF_INET, SOCK_DGRAM, 0), NULL, NULL));
        default:
                return false;
        }
}

static long call_accept4(struct scene *s)
{
        return accept4(s->fd, NULL, NULL, SOCK_CLOEXEC) >= 0 ? 0 : -1;
}

static bool bad_accept4(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, accept4(NO_FD, NULL, NULL, 0));
        case 1:
                return answer_of(ret, accept4(dev_null(), NULL, NULL, 0));
        case 2:
                connect_one(s);
                return answer_of(ret, accept4(s->fd, NULL, NULL, 0x40000));
        default:
                return false;
        }
}

/* A listener whose queue is full: the next one must wait. */
static void open_full(struct scene *s)
{
        open_listener(s);
        s->peer = s->fd;
        for (int i = 0; i < FILLERS; i++) {
                int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                if (connect_to(fd, s) < 0) {
                        s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                        return;
                }
        }
        ck_abort_msg("the listener's queue never fills");
}

static void accept_one(struct scene *s)
{
        ck_assert_int_ge(patcher_original(accept)(s->peer, NULL, NULL), 0);
}

static void limit_sending(struct scene *s)
{
        struct timeval tv = { 0, LIMIT_MS * 1000 };

        ck_assert_int_eq(setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

static long call_connect(struct scene *s)
{
        return connect_to(s->fd, s);
}

static bool bad_connect(struct scene *s, int which, struct answer *ret)
{
        struct sockaddr_un nobody = { .sun_family = AF_UNIX, .sun_path = "/nobody/is/here" };
        struct sockaddr_un wrong = { .sun_family = 999 };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        switch (which) {
        case 0:
                return answer_of(ret, connect(NO_FD, (struct sockaddr *)&nobody, sizeof(nobody)));
        case 1:
                return answer_of(ret, connect(dev_null(), (struct sockaddr *)&nobody, sizeof(nobody)));
        case 2:
                return answer_of(ret, connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)));
        case 3:
                return answer_of(ret, connect(fd, (struct sockaddr *)&wrong, sizeof(wrong)));
        case 4:
                return WILD_ANSWER(ret, connect(fd, wild, sizeof(nobody)));
        case 5:
                return answer_of(ret, connect(fd, (struct sockaddr *)&nobody, 1));
        default:
                return false;
        }
}

/* ---- names: only a worker of the pool may look them up, see test_connect.c ---- */

static void own_getaddrinfo(void)
{
        struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *list = NULL;
        unsigned long switches;

        assert_on_hub();
        switches = green_switches();
        ck_assert_int_eq(getaddrinfo("127.0.0.1", "80", NULL, &list), 0);
        freeaddrinfo(list);
        ck_assert_int_eq(getaddrinfo("not.digits", "80", &hints, &list), EAI_NONAME);
        ck_assert_int_eq(getaddrinfo("a.name.invalid", "80", NULL, &list), EAI_SYSTEM); /* no pool */
        ck_assert_int_eq(errno, ENOSYS);
        ck_assert_uint_eq(green_switches(), switches);
}

static void own_getnameinfo(void)
{
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct sockaddr *addr = (const struct sockaddr *)&at;
        unsigned long switches;
        char host[64] = "", service[16] = "";

        assert_on_hub();
        switches = green_switches();
        at.sin_port = htons(17);
        ck_assert_int_eq(getnameinfo(addr, sizeof(at), host, sizeof(host), service, sizeof(service),
                                     NI_NUMERICHOST | NI_NUMERICSERV),
                         0);
        ck_assert_str_eq(host, "127.0.0.1");
        ck_assert_str_eq(service, "17");
        ck_assert_int_eq(getnameinfo(addr, 1, host, sizeof(host), NULL, 0, 0), EAI_FAMILY);
        ck_assert_int_eq(getnameinfo(addr, sizeof(at), host, sizeof(host), NULL, 0, 0),
                         EAI_SYSTEM); /* no pool */
        ck_assert_int_eq(errno, ENOSYS);
        ck_assert_uint_eq(green_switches(), switches);
}

#define RECEIVER(symbol, function)                                                                   \
        {                                                                                            \
                .name = #symbol, .flags = WAITS | HAS_FD | NONBLOCKING | LIMITED, .open = open_pair, \
                .call = call_##function, .release = send_a_little, .success = SENT,                  \
                .limit = limit_receiving, .late = { -1, EAGAIN }, .nonblocking = { -1, EAGAIN },     \
                .closed = { -1, EBADF }, .cancelled = { -1, ECANCELED }, .bad = bad_##function       \
        }

#define CONNECTION(symbol, flags_, open_, release_, limit_)                                                 \
        {                                                                                                   \
                .name = #symbol, .flags = WAITS | HAS_FD | NONBLOCKING | LIMITED | (flags_), .open = open_, \
                .call = call_##symbol, .release = release_, .limit = limit_, .late = { -1, EAGAIN },        \
                .nonblocking = { -1, EAGAIN }, .closed = { -1, EBADF }, .cancelled = { -1, ECANCELED },     \
                .bad = bad_##symbol                                                                         \
        }

const struct subject socket_subjects[] = {
        RECEIVER(recv, recv),
        RECEIVER(recvfrom, recvfrom),
        RECEIVER(recvmsg, recvmsg),
        RECEIVER(recvmmsg, recvmmsg),
        RECEIVER(read, read),
        RECEIVER(readv, readv),
        RECEIVER(__recv_chk, recv_chk),
        RECEIVER(__recvfrom_chk, recvfrom_chk),
        RECEIVER(__read_chk, read_chk),
        CONNECTION(accept, 0, open_listener, connect_one, limit_receiving),
        CONNECTION(accept4, 0, open_listener, connect_one, limit_receiving),
        CONNECTION(connect, BY_PAUSES, open_full, accept_one, limit_sending),
        { .name = "getaddrinfo", .own = own_getaddrinfo },
        { .name = "getnameinfo", .own = own_getnameinfo },
        {},
};
