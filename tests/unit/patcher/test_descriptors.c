/* What the patcher knows of descriptors: kept as long as it is true, and gone with the descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "patch.h"

#define PATCHED (PATCH_ALL & ~PATCH_OS)

static unsigned long HUB_ONLY fd_changes(void)
{
        struct hub_stats stats;

        hub_get_stats(&stats);
        return stats.fd_changes;
}

static int echo(void *arg, struct error *err)
{
        int fd = *(int *)arg;
        char buf[64];
        ssize_t n;

        assert_green();
        while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
                ck_assert_int_eq(send(fd, buf, (size_t)n, 0), n);
        *(int *)arg = n < 0 ? -errno : 0;
        return 0;
}

static void YIELDS ask(int fd)
{
        char buf[64];

        ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
        ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), 5);
}

GREEN_TEST_REAL(an_exchange_tells_the_kernel_nothing_new)
{
        struct pair p = stream_pair();
        static int there;
        unsigned long before;

        patch(PATCHED);
        there = p.b;
        spawn("echo", echo, &there);
        ask(p.a);
        ask(p.a);
        before = fd_changes();
        for (int i = 0; i < 20; i++)
                ask(p.a);
        /* Slow machines make waits last, and those are looked at: but not all of them, each time. */
        ck_assert_uint_lt(fd_changes() - before, 30);
        close(p.a);
        while (there > 0)
                usleep(1000);
        ck_assert_int_eq(there, 0);
        close(p.b);
}

GREEN_TEST(close_wakes_who_waits_and_the_number_may_come_back)
{
        patch(PATCHED);
        for (int i = 0; i < 3; i++) {
                struct pair p = stream_pair();
                static int there;

                there = p.b;
                spawn("echo", echo, &there);
                ask(p.a);
                close(p.b);
                usleep(1000);
                ck_assert_int_eq(there, -EBADF);
                close(p.a);
        }
}

GREEN_TEST(dup2_is_the_end_of_what_had_the_number)
{
        struct pair p = stream_pair(), q = stream_pair();
        static int there;

        patch(PATCHED);
        there = p.b;
        spawn("echo", echo, &there);
        ask(p.a);
        ck_assert_int_eq(dup2(q.b, p.b), p.b);
        usleep(1000);
        ck_assert_int_eq(there, -EBADF);
        there = p.b;
        spawn("echo on the new one", echo, &there);
        ask(q.a);
        ck_assert_int_eq(dup3(p.a, p.b, O_CLOEXEC), p.b);
        usleep(1000);
        ck_assert_int_eq(there, -EBADF);
        ck_assert_int_eq(dup2(q.b, q.b), q.b);
        close(p.a);
        close(p.b);
        close(q.a);
        close(q.b);
}

static void YIELDS would_block(int fd)
{
        char c;

        ck_assert_int_eq(recv(fd, &c, 1, 0), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(read(fd, &c, 1), -1);
        ck_assert_int_eq(errno, EAGAIN);
}

GREEN_TEST(a_mode_that_changes_is_noticed_also_through_a_copy)
{
        struct pair p = stream_pair();
        int copy, on = 1, off = 0;
        static int there;

        patch(PATCHED);
        there = p.b;
        spawn("echo", echo, &there);
        ask(p.a);
        ask(p.a); /* now it is known to block */
        ck_assert_int_eq(fcntl(p.a, F_SETFL, O_NONBLOCK), 0);
        would_block(p.a);
        ck_assert_int_eq(fcntl(p.a, F_SETFL, 0), 0);
        ask(p.a);
        ck_assert_int_eq(ioctl(p.a, FIONBIO, &on), 0);
        would_block(p.a);
        ck_assert_int_eq(ioctl(p.a, FIONBIO, &off), 0);
        ask(p.a);
        copy = fcntl(p.a, F_DUPFD_CLOEXEC, 0);
        ck_assert_int_eq(fcntl(copy, F_SETFL, O_NONBLOCK), 0);
        would_block(p.a);
        close(copy);
        close(p.a);
        usleep(1000);
        close(p.b);
}

GREEN_TEST(a_timeout_that_is_set_later_counts)
{
        struct timeval tv = { .tv_sec = 2 };
        struct pair p = stream_pair();
        static int there;
        int64_t began;
        char c;

        patch(PATCHED);
        there = p.b;
        spawn("echo", echo, &there);
        ask(p.a);
        ask(p.a); /* now it is known to have none */
        ck_assert_int_eq(setsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        began = clock_fake_elapsed_ms();
        ck_assert_int_eq(recv(p.a, &c, 1, 0), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(clock_fake_elapsed_ms() - began, 2000);
        close(p.a);
        usleep(1000);
        close(p.b);
}

/* The guess "a short read has emptied it" may be wrong: what is there is found at once all the same. */
GREEN_TEST(a_short_read_that_left_something_loses_nothing)
{
        union {
                char buf[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {};
        struct iovec iov = { "ab", 2 };
        struct msghdr msg = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.buf,
                              .msg_controllen = sizeof(control.buf) };
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        struct pair p = stream_pair();
        static int there;
        char buf[64];

        patch(PATCHED);
        there = p.b;
        spawn("echo", echo, &there);
        ask(p.a);
        close(p.b);
        usleep(1000);
        p = (close(p.a), stream_pair());
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &p.a, sizeof(int));
        there = p.b;
        spawn("echo", echo, &there);
        ask(p.a);
        green_yield();
        /* A read ends where a descriptor was sent along, whatever else is there. */
        ck_assert_int_eq(sendmsg(p.b, &msg, 0), 2);
        ck_assert_int_eq(send(p.b, "cd", 2, 0), 2);
        ck_assert_int_eq(recv(p.a, buf, sizeof(buf), 0), 2);
        ck_assert_int_eq(recv(p.a, buf, sizeof(buf), 0), 2);
        ck_assert_int_eq(memcmp(buf, "cd", 2), 0);
        /* And the end of the stream that came with the last of the data. */
        ck_assert_int_eq(send(p.b, "ef", 2, 0), 2);
        ck_assert_int_eq(shutdown(p.b, SHUT_WR), 0);
        ck_assert_int_eq(recv(p.a, buf, sizeof(buf), 0), 2);
        ck_assert_int_eq(recv(p.a, buf, sizeof(buf), 0), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1);
        close(p.a);
        close(p.b);
}

GREEN_SUITE("patcher_descriptors", an_exchange_tells_the_kernel_nothing_new,
            close_wakes_who_waits_and_the_number_may_come_back, dup2_is_the_end_of_what_had_the_number,
            a_mode_that_changes_is_noticed_also_through_a_copy, a_timeout_that_is_set_later_counts,
            a_short_read_that_left_something_loses_nothing)
