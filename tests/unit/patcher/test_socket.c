/* The recv and send families, read and write on sockets: would-block parks, everything else stays the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "patch.h"
#include "patcher/patcher_priv.h"

#define PATCHED (PATCH_SOCKET | PATCH_TIME)

static void nonblocking(int fd)
{
        ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void set_timeout(int fd, int option, int ms)
{
        struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)), 0);
}

/* ---- receiving ---- */

struct text {
        int fd;
        const char *parts[4]; /* sent a second apart */
};

static int send_parts(void *arg, struct error *err)
{
        struct text *t = arg;

        assert_green();
        for (int i = 0; t->parts[i]; i++) {
                green_sleep(1, err);
                ck_assert_int_eq(send(t->fd, t->parts[i], strlen(t->parts[i]), 0), (int)strlen(t->parts[i]));
        }
        return 0;
}

GREEN_TEST(each_way_to_receive_parks)
{
        struct pair p = stream_pair();
        struct text t = { p.b, { "abc", NULL } };
        char buf[8], tail[8];
        struct iovec iov[] = { { buf, 1 }, { tail, sizeof(tail) } };
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

        patch(PATCHED);
        for (int way = 0; way < 8; way++) {
                static int ticks;
                int64_t begin = clock_fake_elapsed_ms();
                ssize_t n = -1;

                if (way == 0)
                        spawn("ticker", ticker, &ticks);
                ticks = 0;
                spawn("sender", send_parts, &t);
                memset(buf, 0, sizeof(buf));
                switch (way) {
                case 0:
                        n = recv(p.a, buf, sizeof(buf), 0);
                        break;
                case 1:
                        n = recvfrom(p.a, buf, sizeof(buf), 0, NULL, NULL);
                        break;
                case 2:
                        n = recvmsg(p.a, &msg, 0);
                        break;
                case 3:
                        n = read(p.a, buf, sizeof(buf));
                        break;
                case 4:
                        n = readv(p.a, iov, 2);
                        break;
                case 5:
                        n = __recv_chk(p.a, buf, sizeof(buf), sizeof(buf), 0);
                        break;
                case 6:
                        n = __read_chk(p.a, buf, sizeof(buf), sizeof(buf));
                        break;
                case 7:
                        n = __recvfrom_chk(p.a, buf, sizeof(buf), sizeof(buf), 0, NULL, NULL);
                        break;
                }
                ck_assert_msg(n == 3, "way %d: %zd, errno %d", way, n, errno);
                ck_assert_int_eq(buf[0], 'a');
                if (way == 2 || way == 4)
                        ck_assert_mem_eq(tail, "bc", 2);
                else
                        ck_assert_str_eq(buf, "abc");
                ck_assert_int_eq(clock_fake_elapsed_ms() - begin, 1000);
                ck_assert_int_ge(ticks, 98);
        }
}

GREEN_TEST(who_does_not_want_to_wait_gets_eagain)
{
        struct pair p = stream_pair();
        unsigned long switches;
        char c;

        patch(PATCHED);
        switches = green_switches();
        ck_assert_int_eq(recv(p.a, &c, 1, MSG_DONTWAIT), -1);
        ck_assert_int_eq(errno, EAGAIN);
        nonblocking(p.a);
        ck_assert_int_eq(recv(p.a, &c, 1, 0), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(read(p.a, &c, 1), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(accept(p.a, NULL, NULL), -1);
        ck_assert_int_ne(errno, 0);
        ck_assert_uint_eq(green_switches(), switches);
        ck_assert(fcntl(p.a, F_GETFL) & O_NONBLOCK);
        ck_assert(!(fcntl(p.b, F_GETFL) & O_NONBLOCK));
}

GREEN_TEST(what_is_there_comes_without_a_switch)
{
        struct pair p = stream_pair();
        unsigned long switches;
        char buf[4];

        patch(PATCHED);
        switches = green_switches();
        ck_assert_int_eq(write(p.b, "1234", 4), 4);
        ck_assert_int_eq(recv(p.a, buf, 2, MSG_PEEK), 2);
        ck_assert_int_eq(recv(p.a, buf, 4, 0), 4);
        ck_assert_int_eq(read(p.a, buf, 0), 0); /* of nothing: does not wait for something */
        close(p.b);
        ck_assert_int_eq(read(p.a, buf, 4), 0);
        ck_assert_int_eq(recv(p.a, buf, 4, MSG_WAITALL), 0);
        ck_assert_uint_eq(green_switches(), switches);
}

GREEN_TEST(receive_timeout_of_the_socket_holds)
{
        struct pair p = stream_pair();
        char c;

        patch(PATCHED);
        set_timeout(p.a, SO_RCVTIMEO, 1200); /* whole ticks of the kernel, which rounds up */
        ck_assert_int_eq(recv(p.a, &c, 1, 0), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1200);
        ck_assert_int_eq(read(p.a, &c, 1), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 2400);
}

GREEN_TEST(waitall_fills_the_buffer)
{
        struct pair p = stream_pair();
        static struct text t = { .parts = { "abc", "def", "gh", NULL } }; /* the last sender ends after it */
        char buf[9] = "";
        struct iovec iov[] = { { buf, 2 }, { buf + 2, 3 }, { buf + 5, 3 } };
        struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };

        patch(PATCHED);
        t.fd = p.b;
        spawn("sender", send_parts, &t);
        ck_assert_int_eq(recv(p.a, buf, 8, MSG_WAITALL), 8);
        ck_assert_str_eq(buf, "abcdefgh");
        ck_assert_int_eq(clock_fake_elapsed_ms(), 3000);
        memset(buf, 0, sizeof(buf));
        spawn("sender", send_parts, &t);
        ck_assert_int_eq(recvmsg(p.a, &msg, MSG_WAITALL), 8);
        ck_assert_str_eq(buf, "abcdefgh");
        set_timeout(p.a, SO_RCVTIMEO, 2500);
        spawn("sender", send_parts, &t);
        ck_assert_int_eq(recv(p.a, buf, 8, MSG_WAITALL), 6); /* what came in time */
}

static int receive_for_ever(void *arg, struct error *err)
{
        int *fd = arg;
        char c;

        assert_green();
        ck_assert_int_eq(recv(*fd, &c, 1, 0), -1);
        ck_assert_int_eq(errno, ECANCELED);
        ck_assert_int_eq(read(*fd, &c, 1), -1);
        ck_assert_int_eq(errno, ECANCELED);
        *fd = -1;
        return 0;
}

GREEN_TEST(cancelled_receivers_get_ecanceled)
{
        struct pair p = stream_pair();
        struct error err = {};
        struct green *g;

        patch(PATCHED);
        g = green_spawn_ref(NULL, "receiver", receive_for_ever, &p.a, &err);
        sleep(1);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(p.a, -1);
}

static int receive_closed(void *arg, struct error *err)
{
        char c;

        assert_green();
        ck_assert_int_eq(recv(*(int *)arg, &c, 1, 0), -1);
        ck_assert_int_eq(errno, EBADF);
        *(int *)arg = -1;
        return 0;
}

GREEN_TEST(closing_wakes_the_receiver_with_ebadf)
{
        struct pair p = stream_pair();
        int fd = p.a;

        patch(PATCHED);
        spawn("receiver", receive_closed, &p.a);
        sleep(1);
        green_close(fd);
        sleep(1);
        ck_assert_int_eq(p.a, -1);
}

static int receive_one(void *arg, struct error *err)
{
        char c;

        assert_green();
        ck_assert_int_eq(recv(*(int *)arg, &c, 1, 0), 1);
        *(int *)arg = -c;
        return 0;
}

GREEN_TEST(two_may_receive_from_the_same_socket)
{
        struct pair p = stream_pair();
        int first = p.a, second = p.a;

        patch(PATCHED);
        spawn("first", receive_one, &first);
        spawn("second", receive_one, &second);
        sleep(1);
        ck_assert_int_eq(write(p.b, "x", 1), 1);
        sleep(1);
        ck_assert_int_eq(write(p.b, "y", 1), 1);
        sleep(1);
        ck_assert_int_eq(first + second, -('x' + 'y'));
}

GREEN_TEST(datagrams_tell_their_sender)
{
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, from;
        socklen_t len = sizeof(to), from_len = sizeof(from);
        CLEANUP(closep) int a = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        CLEANUP(closep) int b = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        char buf[2];
        struct iovec iov = { buf, sizeof(buf) };
        struct msghdr msg = {
                .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
        };

        patch(PATCHED);
        ck_assert_int_eq(bind(a, (struct sockaddr *)&to, len), 0);
        ck_assert_int_eq(getsockname(a, (struct sockaddr *)&to, &len), 0);
        ck_assert_int_eq(sendto(b, "hello", 5, 0, (struct sockaddr *)&to, len), 5);
        ck_assert_int_eq(recvfrom(a, buf, sizeof(buf), MSG_TRUNC, (struct sockaddr *)&from, &from_len), 5);
        ck_assert_uint_eq(from_len, sizeof(from));
        ck_assert_uint_eq(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        ck_assert_int_eq(sendto(b, "hello", 5, 0, (struct sockaddr *)&to, len), 5);
        ck_assert_int_eq(recvmsg(a, &msg, 0), 2);
        ck_assert(msg.msg_flags & MSG_TRUNC);
        ck_assert_uint_eq(msg.msg_namelen, sizeof(from));
        ck_assert_int_eq(sendto(b, "", 0, 0, (struct sockaddr *)&to, len), 0);
        ck_assert_int_eq(recv(a, buf, 2, 0), 0); /* an empty datagram is one */
}

/* ---- sending ---- */

enum { BIG = 3 * 1000 * 1000 };

static char pattern(size_t i)
{
        return (char)(i * 7 + i / 1000);
}

static int read_big(void *arg, struct error *err)
{
        static char buf[10007];
        size_t got = 0;
        ssize_t n;

        assert_green();
        green_sleep(1, err);
        while (got < BIG && (n = recv(*(int *)arg, buf, sizeof(buf), 0)) > 0) {
                for (ssize_t i = 0; i < n; i++)
                        if (buf[i] != pattern(got + (size_t)i))
                                ck_abort_msg("byte %zu differs", got + (size_t)i);
                got += (size_t)n;
        }
        ck_assert_uint_eq(got, BIG);
        *(int *)arg = -1;
        return 0;
}

GREEN_TEST(each_way_to_send_sends_everything)
{
        char *big = xmalloc(BIG);

        patch(PATCHED);
        for (size_t i = 0; i < BIG; i++)
                big[i] = pattern(i);
        for (int way = 0; way < 5; way++) {
                struct pair p = stream_pair();
                struct iovec iov[20], many[2] = { { big, 1 }, { big + 1, BIG - 1 } };
                struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 20 };
                ssize_t n = -1;

                for (size_t i = 0; i < 20; i++)
                        iov[i] = (struct iovec){ big + i * (BIG / 20), BIG / 20 };
                spawn("reader", read_big, &p.a);
                switch (way) {
                case 0:
                        n = send(p.b, big, BIG, 0);
                        break;
                case 1:
                        n = write(p.b, big, BIG);
                        break;
                case 2:
                        n = writev(p.b, many, 2);
                        break;
                case 3:
                        n = sendmsg(p.b, &msg, 0);
                        break;
                case 4:
                        n = sendto(p.b, big, BIG, 0, NULL, 0);
                        break;
                }
                ck_assert_msg(n == BIG, "way %d: %zd", way, n);
                ck_assert_ptr_eq(iov[0].iov_base, big); /* the caller's vector is left alone */
                while (p.a != -1)
                        usleep(1000);
                close(p.b);
        }
        free(big);
}

GREEN_TEST(send_timeout_and_nonblocking_tell_how_much_went)
{
        struct pair p = stream_pair();
        char *big = xcalloc(1, BIG);
        ssize_t n;

        patch(PATCHED);
        set_timeout(p.b, SO_SNDTIMEO, 700);
        n = send(p.b, big, BIG, 0);
        ck_assert_int_gt(n, 0);
        ck_assert_int_lt(n, BIG);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 700);
        ck_assert_int_eq(send(p.b, big, BIG, 0), -1); /* full: nothing went */
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1400);
        ck_assert_int_eq(send(p.b, big, BIG, MSG_DONTWAIT), -1);
        ck_assert_int_eq(errno, EAGAIN);
        nonblocking(p.a);
        n = write(p.a, big, BIG);
        ck_assert_int_gt(n, 0);
        ck_assert_int_lt(n, BIG);
        ck_assert_int_eq(write(p.a, big, BIG), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1400);
        free(big);
}

GREEN_TEST(errors_come_as_they_are)
{
        CLEANUP(closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        struct pair p = stream_pair();
        char c;

        patch(PATCHED);
        signal(SIGPIPE, SIG_IGN);
        close(p.b);
        ck_assert_int_eq(send(p.a, "x", 1, MSG_NOSIGNAL), -1);
        ck_assert_int_eq(errno, EPIPE);
        ck_assert_int_eq(write(p.a, "x", 1), -1);
        ck_assert_int_eq(errno, EPIPE);
        ck_assert_int_eq(recv(987, &c, 1, 0), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(read(987, &c, 1), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(send(null, "x", 1, 0), -1);
        ck_assert_int_eq(errno, ENOTSOCK);
        errno = EXDEV;
        ck_assert_int_eq(write(null, "x", 1), 1);
        ck_assert_int_eq(errno, EXDEV);
}

static int receive_descriptor(void *arg, struct error *err)
{
        int *result = arg;
        char control[CMSG_SPACE(2 * sizeof(int))], first;
        struct iovec iov = { &first, 1 };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
        static char rest[10007];
        size_t got = 1;
        ssize_t n;

        assert_green();
        msg.msg_controllen = sizeof(control);
        ck_assert_int_eq(recvmsg(*result, &msg, 0), 1);
        ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&msg));
        ck_assert_uint_eq(CMSG_FIRSTHDR(&msg)->cmsg_len, CMSG_LEN(sizeof(int)));
        memcpy(&result[1], CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
        while (got < BIG && (n = recv(*result, rest, sizeof(rest), 0)) > 0)
                got += (size_t)n;
        result[2] = (int)got;
        return 0;
}

GREEN_TEST(descriptors_travel_once_with_a_long_message)
{
        struct pair p = stream_pair(), other = stream_pair();
        char control[CMSG_SPACE(sizeof(int))] = {};
        char *big = xcalloc(1, BIG);
        struct iovec iov = { big, BIG };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
        int result[3] = { p.a, -1, 0 };

        patch(PATCHED);
        msg.msg_controllen = sizeof(control);
        CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &other.a, sizeof(int));
        spawn("receiver", receive_descriptor, result);
        ck_assert_int_eq(sendmsg(p.b, &msg, 0), BIG);
        sleep(1);
        ck_assert_int_eq(result[2], BIG);
        ck_assert_int_eq(write(result[1], "!", 1), 1); /* it is the other end of ours */
        ck_assert_int_eq(read(other.b, control, 1), 1);
        free(big);
}

GREEN_TEST_REAL(without_the_category_calls_are_plain)
{
        struct pair p = stream_pair();
        unsigned long switches;
        char c;

        patch(PATCH_TIME | PATCH_SELECT | PATCH_THREAD);
        set_timeout(p.a, SO_RCVTIMEO, 10);
        switches = green_switches();
        ck_assert_int_eq(recv(p.a, &c, 1, 0), -1);
        ck_assert_int_eq(read(p.a, &c, 1), -1);
        ck_assert_uint_eq(green_switches(), switches);
}

START_TEST(fortified_names_still_check)
{
        volatile size_t too_much = 100;
        char buf[4];
        int status;
        pid_t pid;

        patch(PATCH_ALL);
        for (int way = 0; way < 3; way++) {
                pid = fork();
                if (pid == 0) {
                        ssize_t n = 0;

                        quiet_stderr();
                        if (way == 0)
                                n = __recv_chk(-1, buf, too_much, sizeof(buf), MSG_DONTWAIT);
                        else if (way == 1)
                                n = __recvfrom_chk(-1, buf, too_much, sizeof(buf), MSG_DONTWAIT, NULL, NULL);
                        else
                                n = __read_chk(-1, buf, too_much, sizeof(buf));
                        _exit((int)n);
                }
                ck_assert_int_eq(waitpid(pid, &status, 0), pid);
                ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        }
}
END_TEST

GREEN_SUITE("patcher-socket", fortified_names_still_check, each_way_to_receive_parks,
            who_does_not_want_to_wait_gets_eagain, what_is_there_comes_without_a_switch,
            receive_timeout_of_the_socket_holds, waitall_fills_the_buffer, cancelled_receivers_get_ecanceled,
            closing_wakes_the_receiver_with_ebadf, two_may_receive_from_the_same_socket,
            datagrams_tell_their_sender, each_way_to_send_sends_everything,
            send_timeout_and_nonblocking_tell_how_much_went, errors_come_as_they_are,
            descriptors_travel_once_with_a_long_message, without_the_category_calls_are_plain)
