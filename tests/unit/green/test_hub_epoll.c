/*
 * tests/unit/green/test_hub_epoll.c: GREEN_KEPT: the kernel is told only what changed, and nothing goes wrong
 * when descriptors are closed behind the hub's back. What costs is counted, never timed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "green_test.h"

#define KEPT_READ  (GREEN_READ | GREEN_KEPT)
#define KEPT_WRITE (GREEN_WRITE | GREEN_KEPT)

/* More would be spinning: a hub that sleeps for 50 ms and wakes for its checks polls a few times. */
enum { FEW_POLLS = 200 };

struct pair {
        int here, there;
};

static struct pair stream_pair(void)
{
        int s[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
        return (struct pair){ s[0], s[1] };
}

static void put(int fd)
{
        ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void take(int fd)
{
        char c;

        ck_assert_int_eq(read(fd, &c, 1), 1);
}

static unsigned long HUB_ONLY fd_changes(void)
{
        struct hub_stats stats;

        hub_get_stats(&stats);
        return stats.fd_changes;
}

static unsigned long HUB_ONLY polls(void)
{
        struct hub_stats stats;

        hub_get_stats(&stats);
        return stats.polls;
}

static void YIELDS pass(double seconds)
{
        struct error err;

        ck_assert_ok(green_sleep(seconds, &err), err);
}

/* One wait that ends well, so that epoll knows of fd and the next wait relies on it. */
static void YIELDS get_known(struct pair p)
{
        struct error err;

        put(p.there);
        ck_assert_int_eq(green_wait_fd(p.here, KEPT_READ, deadline_in_s(5), &err), GREEN_READ);
        take(p.here);
}

struct wait {
        int fd;
        unsigned events;
        int result; /* what it returned, or minus the error's code; 0: still waiting */
};

static int wait_once(void *arg, struct error *err)
{
        struct wait *w = arg;

        assert_green();
        w->result = green_wait_fd(w->fd, w->events, deadline_in_s(5), err);
        if (w->result < 0)
                w->result = -err->code;
        return 0;
}

static void HUB_ONLY start(struct wait *w)
{
        struct error err;

        ck_assert_ok(green_spawn(NULL, "waiter", wait_once, w, &err), err);
}

static void YIELDS finish(const struct wait *w)
{
        while (!w->result)
                pass(0.001);
}

static unsigned long YIELDS changes_of_waits(unsigned events, int n)
{
        struct pair p = stream_pair();
        unsigned long before = fd_changes();
        struct error err;

        for (int i = 0; i < n; i++) {
                put(p.there);
                ck_assert_int_eq(green_wait_fd(p.here, events, deadline_never(), &err), GREEN_READ);
                take(p.here);
        }
        before = fd_changes() - before;
        green_close(p.here);
        green_close(p.there);
        return before;
}

GREEN_TEST_REAL(a_steady_reader_costs_no_system_call)
{
        ck_assert_uint_eq(changes_of_waits(KEPT_READ, 50), 1);
        /* now and then it is made sure of */
        ck_assert_uint_le(changes_of_waits(KEPT_READ, 1000), 20);
}

GREEN_TEST_REAL(without_the_promise_each_wait_tells_the_kernel)
{
        ck_assert_uint_eq(changes_of_waits(GREEN_READ, 50), 50);
}

GREEN_TEST_REAL(a_number_that_comes_back_after_a_foreign_close_is_waited_for)
{
        struct pair old = stream_pair(), new;
        struct wait w = { .events = KEPT_READ };

        get_known(old);
        close(old.here);
        new = stream_pair(); /* the lowest free number */
        ck_assert_int_eq(new.here, old.here);
        w.fd = new.here;
        start(&w);
        green_yield();
        put(new.there);
        finish(&w);
        ck_assert_int_eq(w.result, GREEN_READ);
        close(old.there);
        close(new.here);
        close(new.there);
}

GREEN_TEST(on_the_fake_clock_too)
{
        struct pair old = stream_pair(), new;
        struct error err;

        get_known(old);
        close(old.here);
        new = stream_pair();
        ck_assert_int_eq(new.here, old.here);
        put(new.there);
        ck_assert_int_eq(green_wait_fd(new.here, KEPT_READ, deadline_in_ms(1), &err), GREEN_READ);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 0);
        close(old.there);
        close(new.here);
        close(new.there);
}

GREEN_TEST_REAL(a_descriptor_closed_by_foreign_code_does_not_hold_its_waiter)
{
        struct pair p = stream_pair();
        struct wait w = { .fd = p.here, .events = KEPT_READ };

        get_known(p);
        start(&w);
        green_yield();
        close(p.here);
        finish(&w);
        ck_assert_int_eq(w.result, -ERR_CLOSED);
        close(p.there);
}

GREEN_TEST_REAL(events_of_a_file_that_lives_on_by_dup_wake_nobody_and_do_not_keep_the_hub_awake)
{
        struct pair old = stream_pair(), new;
        int copy = dup(old.here);
        unsigned long before;
        struct error err;

        get_known(old);
        close(old.here);
        new = stream_pair();
        ck_assert_int_eq(new.here, old.here);
        put(old.there); /* for the copy: and the registration has the number of the new one */
        before = polls();
        ck_assert_fails(green_wait_fd(new.here, GREEN_READ, deadline_in_ms(50), &err), err, ERR_TIMEOUT);
        ck_assert_uint_lt(polls() - before, FEW_POLLS);
        get_known(new);
        take(copy);
        close(copy);
        close(old.there);
        green_close(new.here);
        green_close(new.there);
}

/* The worst case: it is believed that the new file is registered, and the old one reports. */
GREEN_TEST_REAL(a_kept_wait_gets_out_of_the_events_of_a_file_that_lives_on)
{
        struct pair old = stream_pair(), new;
        int copy = dup(old.here), spurious = 0;
        struct error err = {};
        char c;

        get_known(old);
        close(old.here);
        new = stream_pair();
        ck_assert_int_eq(new.here, old.here);
        put(old.there);
        while (green_wait_fd(new.here, KEPT_READ, deadline_in_ms(50), &err) > 0) {
                ck_assert_int_eq(read(new.here, &c, 1), -1);
                ck_assert_int_eq(errno, EAGAIN);
                ck_assert_int_lt(++spurious, 100);
        }
        ck_assert_int_eq(err.code, ERR_TIMEOUT);
        get_known(new);
        close(copy);
        close(old.there);
        green_close(new.here);
        green_close(new.there);
}

GREEN_TEST_REAL(closing_through_the_hub_ends_the_registration_of_a_file_that_lives_on)
{
        struct pair p = stream_pair();
        int copy = dup(p.here);
        unsigned long before;

        get_known(p);
        green_close(p.here);
        put(p.there);
        before = polls();
        pass(0.05);
        ck_assert_uint_lt(polls() - before, FEW_POLLS);
        close(copy);
        close(p.there);
}

GREEN_TEST_REAL(reader_and_writer_of_one_descriptor_are_woken_apart)
{
        static char much[1 << 16];
        struct pair p = stream_pair();
        struct wait reader = { .fd = p.here, .events = KEPT_READ };
        struct wait writer = { .fd = p.here, .events = KEPT_WRITE };

        while (write(p.here, much, sizeof(much)) > 0)
                ;
        start(&reader);
        start(&writer);
        green_yield();
        put(p.there);
        finish(&reader);
        ck_assert_int_eq(reader.result, GREEN_READ);
        pass(0.02);
        ck_assert_int_eq(writer.result, 0);
        take(p.here);
        reader.result = 0;
        start(&reader);
        while (read(p.there, much, sizeof(much)) > 0)
                ;
        finish(&writer);
        ck_assert_int_eq(writer.result, GREEN_WRITE);
        pass(0.02); /* it stays writable, which nobody wants to know any more */
        ck_assert_int_eq(reader.result, 0);
        put(p.there);
        finish(&reader);
        ck_assert_int_eq(reader.result, GREEN_READ);
        green_close(p.here);
        green_close(p.there);
}

GREEN_TEST_REAL(what_nobody_waits_for_lets_the_hub_sleep)
{
        struct pair data = stream_pair(), hang_up = stream_pair(), writable = stream_pair();
        unsigned long before;
        struct error err;

        get_known(data);
        get_known(hang_up);
        ck_assert_int_eq(green_wait_fd(writable.here, KEPT_WRITE, deadline_in_s(5), &err), GREEN_WRITE);
        put(data.there);
        close(hang_up.there);
        before = polls();
        pass(0.05);
        ck_assert_uint_lt(polls() - before, FEW_POLLS);
        /* and it is all there for who comes later */
        ck_assert_int_eq(green_wait_fd(data.here, KEPT_READ, deadline_in_s(5), &err), GREEN_READ);
        ck_assert_int_eq(green_wait_fd(hang_up.here, KEPT_READ, deadline_in_s(5), &err), GREEN_READ);
        ck_assert_int_eq(green_wait_fd(writable.here, KEPT_WRITE, deadline_in_s(5), &err), GREEN_WRITE);
        green_close(data.here);
        green_close(data.there);
        green_close(hang_up.here);
        green_close(writable.here);
        green_close(writable.there);
}

GREEN_TEST_REAL(who_promises_and_who_does_not_may_take_turns)
{
        struct pair p = stream_pair();
        struct error err;

        for (int i = 0; i < 10; i++) {
                unsigned events = i % 3 ? KEPT_READ : GREEN_READ;

                ck_assert_fails(green_wait_fd(p.here, events, deadline_in_ms(2), &err), err, ERR_TIMEOUT);
                put(p.there);
                ck_assert_int_eq(green_wait_fd(p.here, events, deadline_in_s(5), &err), GREEN_READ);
                take(p.here);
        }
        green_close(p.here);
        green_close(p.there);
}

GREEN_TEST_REAL(forgetting_a_descriptor_wakes_who_waits_for_it)
{
        struct pair p = stream_pair();
        struct wait reader = { .fd = p.here, .events = KEPT_READ };

        get_known(p);
        start(&reader);
        green_yield();
        green_forget_fd(p.here);
        finish(&reader);
        ck_assert_int_eq(reader.result, -ERR_CLOSED);
        get_known(p); /* open it is, all the same */
        green_forget_fd(p.here);
        green_forget_fd(p.here);
        green_forget_fd(-1);
        close(p.here);
        close(p.there);
}

GREEN_TEST_REAL(a_number_far_too_high_is_refused_and_costs_nothing)
{
        struct error err;

        ck_assert_fails(green_wait_fd(1 << 30, KEPT_READ, deadline_never(), &err), err, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, EBADF);
        ck_assert_ptr_null(green_fd_note(1 << 30));
}

GREEN_TEST_REAL(a_note_ends_with_its_descriptor)
{
        struct pair p = stream_pair(), again;

        get_known(p);
        *green_fd_note(p.here) = 7;
        get_known(p);
        ck_assert_uint_eq(*green_fd_note(p.here), 7);
        close(p.here);
        again = stream_pair();
        ck_assert_int_eq(again.here, p.here);
        for (int i = 0; i < 64; i++) /* the check that finds it out */
                get_known(again);
        ck_assert_uint_eq(*green_fd_note(p.here), 0);
        *green_fd_note(p.here) = 7;
        green_close(again.here);
        ck_assert_uint_eq(*green_fd_note(p.here), 0);
        close(again.there);
        close(p.there);
}

GREEN_SUITE("hub_epoll", a_steady_reader_costs_no_system_call, without_the_promise_each_wait_tells_the_kernel,
            a_number_that_comes_back_after_a_foreign_close_is_waited_for, on_the_fake_clock_too,
            a_descriptor_closed_by_foreign_code_does_not_hold_its_waiter,
            events_of_a_file_that_lives_on_by_dup_wake_nobody_and_do_not_keep_the_hub_awake,
            a_kept_wait_gets_out_of_the_events_of_a_file_that_lives_on,
            closing_through_the_hub_ends_the_registration_of_a_file_that_lives_on,
            reader_and_writer_of_one_descriptor_are_woken_apart, what_nobody_waits_for_lets_the_hub_sleep,
            who_promises_and_who_does_not_may_take_turns, forgetting_a_descriptor_wakes_who_waits_for_it,
            a_number_far_too_high_is_refused_and_costs_nothing, a_note_ends_with_its_descriptor)
