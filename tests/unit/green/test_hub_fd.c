/* tests/unit/green/test_hub_fd.c: waiting for descriptors. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "green/sync.h"
#include "green_test.h"

static int read_one(void *arg, struct error *err)
{
        int *fd = arg;
        char c;

        assert_green();
        if (green_wait_fd(*fd, GREEN_READ, deadline_in_ms(5000), err) < 0) {
                *fd = -err->code;
                return 0;
        }
        *fd = read(*fd, &c, 1) == 1 ? c : 0;
        return 0;
}

GREEN_TEST_REAL(a_pipe_wakes_its_reader)
{
        struct error err;
        int p[2], fd;

        ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
        fd = p[0];
        ck_assert_ok(green_spawn(NULL, "reader", read_one, &fd, &err), err);
        green_yield();
        ck_assert_int_eq(fd, p[0]);
        ck_assert_int_eq(write(p[1], "x", 1), 1);
        while (fd == p[0])
                ck_assert_ok(green_sleep(0.001, &err), err);
        ck_assert_int_eq(fd, 'x');
        ck_assert_int_eq(green_wait_fd(p[1], GREEN_WRITE, deadline_never(), &err), GREEN_WRITE);
        green_close(p[0]);
        ck_assert_int_eq(green_wait_fd(p[1], GREEN_WRITE, deadline_never(), &err), GREEN_WRITE);
        green_close(p[1]);
        green_close(-1);
}

GREEN_TEST(waits_time_out_and_bad_descriptors_fail)
{
        struct error err;
        int p[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
        ck_assert_fails(green_wait_fd(p[0], GREEN_READ, deadline_in_ms(20), &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 20);
        ck_assert_fails(green_wait_fd(-1, GREEN_READ, deadline_never(), &err), err, ERR_SYSTEM);
        ck_assert_fails(green_wait_fd(999, GREEN_READ, deadline_never(), &err), err, ERR_SYSTEM);
        ck_assert_int_eq(green_wait_fd(file, GREEN_READ, deadline_never(), &err), GREEN_READ);
        close(file);
        close(p[0]);
        close(p[1]);
}

GREEN_TEST_REAL(a_second_reader_is_refused_but_a_writer_is_not)
{
        struct error err;
        int s[2], fd;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
        fd = s[0];
        ck_assert_ok(green_spawn(NULL, "reader", read_one, &fd, &err), err);
        green_yield();
        ck_assert_fails(green_wait_fd(s[0], GREEN_READ, deadline_never(), &err), err, ERR_BUSY);
        ck_assert_int_eq(green_wait_fd(s[0], GREEN_WRITE, deadline_never(), &err), GREEN_WRITE);
        ck_assert_int_eq(write(s[1], "y", 1), 1); /* the reader is still armed */
        while (fd == s[0])
                ck_assert_ok(green_sleep(0.001, &err), err);
        ck_assert_int_eq(fd, 'y');
        close(s[0]);
        close(s[1]);
}

GREEN_TEST(closing_wakes_who_waits)
{
        struct error err;
        int p[2], fd;

        ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
        fd = p[0];
        ck_assert_ok(green_spawn(NULL, "reader", read_one, &fd, &err), err);
        green_yield();
        green_close(p[0]);
        green_yield();
        ck_assert_int_eq(fd, -ERR_CLOSED);
        close(p[1]);
}

GREEN_TEST_REAL(a_descriptor_number_that_comes_back_works)
{
        struct error err;

        for (int i = 0; i < 5; i++) { /* closed behind the hub's back each time */
                int p[2], fd;

                ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
                fd = p[0];
                ck_assert_ok(green_spawn(NULL, "reader", read_one, &fd, &err), err);
                green_yield();
                ck_assert_int_eq(write(p[1], "z", 1), 1);
                while (fd == p[0])
                        ck_assert_ok(green_sleep(0.001, &err), err);
                ck_assert_int_eq(fd, 'z');
                close(p[0]);
                close(p[1]);
        }
}

GREEN_TEST_REAL(several_descriptors_at_once)
{
        struct error err;
        int a[2], b[2];
        struct green_pollfd fds[4];

        ck_assert_int_eq(pipe2(a, O_CLOEXEC | O_NONBLOCK), 0);
        ck_assert_int_eq(pipe2(b, O_CLOEXEC | O_NONBLOCK), 0);
        fds[0] = (struct green_pollfd){ .fd = a[0], .events = GREEN_READ };
        fds[1] = (struct green_pollfd){ .fd = -1, .events = GREEN_READ };
        fds[2] = (struct green_pollfd){ .fd = b[0], .events = GREEN_READ };
        fds[3] = (struct green_pollfd){ .fd = b[0], .events = GREEN_READ }; /* twice is allowed */
        ck_assert_fails(green_wait_fds(fds, 4, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(write(b[1], "x", 1), 1);
        ck_assert_int_eq(green_wait_fds(fds, 4, deadline_in_ms(5000), &err), 2);
        ck_assert_uint_eq(fds[0].revents, 0);
        ck_assert_uint_eq(fds[2].revents, GREEN_READ);
        ck_assert_uint_eq(fds[3].revents, GREEN_READ);
        close(a[0]);
        close(a[1]);
        close(b[0]);
        close(b[1]);
}

static int cancelled_reader(void *arg, struct error *err)
{
        assert_green();
        ck_assert_fails(green_wait_fd(*(int *)arg, GREEN_READ, deadline_never(), err), *err, ERR_CANCELLED);
        *(int *)arg = -1;
        return 0;
}

GREEN_TEST(a_cancelled_wait_leaves_the_descriptor_free)
{
        struct error err;
        int p[2], fd;
        struct green *g;

        ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
        fd = p[0];
        g = green_spawn_ref(NULL, "reader", cancelled_reader, &fd, &err);
        green_yield();
        green_cancel(g);
        green_yield();
        ck_assert_int_eq(fd, -1);
        green_unref(g);
        ck_assert_int_eq(write(p[1], "x", 1), 1);
        ck_assert_int_eq(green_wait_fd(p[0], GREEN_READ, deadline_never(), &err), GREEN_READ);
        close(p[0]);
        close(p[1]);
}

/* Serves a descriptor and other green threads; notes what ended each of its waits. */
static struct server {
        int fd;
        struct green_cond asked;
        int ended[8], n; /* what the wait returned, or minus the error's code */
} server;

static int serve_both(void *arg, struct error *err)
{
        struct server *s = arg;

        assert_green();
        while (s->n < 8) {
                int r = green_wait_fd_or_cond(s->fd, GREEN_READ, &s->asked, deadline_in_ms(100), err);
                char c;

                s->ended[s->n++] = r < 0 ? -err->code : r;
                if (r > 0 && read(s->fd, &c, 1) != 1)
                        break;
                if (r < 0)
                        break;
        }
        return 0;
}

static struct green *HUB_ONLY start_server(int fd)
{
        struct error err = {};
        struct green *g;

        server = (struct server){ .fd = fd };
        green_cond_init(&server.asked, "asked");
        g = green_spawn_ref(NULL, "server", serve_both, &server, &err);
        ck_assert_ptr_nonnull(g);
        return g;
}

GREEN_TEST(a_descriptor_and_a_condition_end_one_wait)
{
        struct error err;
        struct green *g;
        int p[2];

        ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
        g = start_server(p[0]);
        green_yield();
        green_cond_signal(&server.asked);
        green_yield();
        ck_assert_int_eq(server.n, 1);
        ck_assert_int_eq(server.ended[0], 0);
        ck_assert_int_eq(write(p[1], "x", 1), 1);
        ck_assert_ok(green_sleep(0.001, &err), err);
        ck_assert_int_eq(server.n, 2);
        ck_assert_int_eq(server.ended[1], GREEN_READ);
        green_cond_broadcast(&server.asked); /* it waits for both anew */
        green_yield();
        ck_assert_int_eq(server.ended[2], 0);
        /* Both before it runs again: the condition is no less heard, and nothing of the pipe is lost. */
        ck_assert_int_eq(write(p[1], "y", 1), 1);
        green_cond_signal(&server.asked);
        green_yield();
        ck_assert_ok(green_sleep(0.001, &err), err);
        ck_assert_int_eq(server.n, 5);
        ck_assert_int_eq(server.ended[3] + server.ended[4], GREEN_READ);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err); /* then its deadline passes */
        ck_assert_int_eq(server.ended[5], -ERR_TIMEOUT);
        green_cond_signal(&server.asked); /* nobody is there */
        ck_assert_int_eq(green_wait_fd(p[1], GREEN_WRITE, deadline_never(), &err), GREEN_WRITE);
        green_unref(g);
        close(p[0]);
        close(p[1]);
}

GREEN_TEST(a_wait_for_both_is_cancelled_and_leaves_neither)
{
        struct error err;
        struct green *g;
        int p[2];

        ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
        g = start_server(p[0]);
        green_yield();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        ck_assert_int_eq(server.ended[0], -ERR_CANCELLED);
        ck_assert(list_empty(&server.asked.waiters));
        ck_assert_int_eq(write(p[1], "x", 1), 1);
        ck_assert_int_eq(green_wait_fd(p[0], GREEN_READ, deadline_never(), &err), GREEN_READ);
        green_unref(g);
        close(p[0]);
        close(p[1]);
}

GREEN_TEST(without_a_descriptor_the_condition_alone_ends_the_wait)
{
        struct error err;
        struct green *g = start_server(-1);

        green_yield();
        green_cond_signal(&server.asked);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        ck_assert_int_eq(server.ended[0], 0);
        ck_assert_int_eq(server.ended[1], -ERR_TIMEOUT);
        green_unref(g);
}

GREEN_SUITE("hub_fd", a_descriptor_and_a_condition_end_one_wait,
            a_wait_for_both_is_cancelled_and_leaves_neither,
            without_a_descriptor_the_condition_alone_ends_the_wait, a_pipe_wakes_its_reader,
            waits_time_out_and_bad_descriptors_fail, a_second_reader_is_refused_but_a_writer_is_not,
            closing_wakes_who_waits, a_descriptor_number_that_comes_back_works, several_descriptors_at_once,
            a_cancelled_wait_leaves_the_descriptor_free)
