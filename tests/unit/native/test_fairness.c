/*
 * tests/unit/native/test_fairness.c: who is busy starves nobody: the bounds that lib/green/hub.c promises,
 * counted in turns, never timed.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "green_test.h"
#include "native/native_queue.h"

#if defined(__SANITIZE_THREAD__)
enum { SLEEPERS = 600, STORM = 200 };
#else
enum { SLEEPERS = 4000, STORM = 400 };
#endif
enum {
        POLL_EVERY = 61,      /* switches */
        EVENTS_AT_ONCE = 128, /* of descriptors, in one poll */
        TIMERS_AT_ONCE = 512,
};

static unsigned long turns; /* of whoever is busy */
static bool stop;

static int spin(void *arg, struct error *err)
{
        assert_green();
        while (!stop) {
                turns++;
                green_yield();
        }
        return 0;
}

static void HUB_ONLY start(const char *name, green_fn *fn, void *arg)
{
        struct error err;

        ck_assert_ok(green_spawn(NULL, name, fn, arg, &err), err);
}

static int new_eventfd(void)
{
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        ck_assert_int_ge(fd, 0);
        return fd;
}

struct reader {
        int fd;
        unsigned events;
        unsigned long woken_at; /* turns; 0: it waits */
};

static int read_once(void *arg, struct error *err)
{
        struct reader *r = arg;
        eventfd_t value;

        assert_green();
        if (green_wait_fd(r->fd, r->events, deadline_never(), err) < 0)
                return -1;
        eventfd_read(r->fd, &value);
        r->woken_at = turns;
        return 0;
}

/* ---- one green thread that spins on green_sleep(0) ---- */

GREEN_TEST_REAL(a_spinning_thread_starves_no_descriptor)
{
        static struct reader r;

        r.fd = new_eventfd();
        turns = 1;
        start("spinner", spin, NULL);
        for (int round = 0; round < 20; round++) {
                unsigned long written_at;

                r.events = round % 2 ? GREEN_READ | GREEN_KEPT : GREEN_READ;
                r.woken_at = 0;
                start("reader", read_once, &r);
                green_yield();
                written_at = turns;
                ck_assert_int_eq(eventfd_write(r.fd, 1), 0);
                while (!r.woken_at)
                        green_yield();
                ck_assert_uint_le(r.woken_at - written_at, POLL_EVERY);
        }
        stop = true;
        green_close(r.fd);
}

static int sleep_once(void *arg, struct error *err)
{
        assert_green();
        if (green_sleep(0.01, err) < 0)
                return -1;
        *(unsigned long *)arg = turns;
        return 0;
}

GREEN_TEST(a_spinning_thread_starves_no_timer)
{
        static unsigned long woken_at;

        turns = 1;
        start("sleeper", sleep_once, &woken_at);
        start("spinner", spin, NULL);
        for (int i = 0; i < 500; i++)
                green_yield();
        ck_assert_uint_eq(woken_at, 0);
        turns = 1;
        clock_fake_advance(20 * NS_PER_MS);
        while (!woken_at)
                green_yield();
        ck_assert_uint_le(woken_at, POLL_EVERY);
        stop = true;
}

static unsigned long consumed_at; /* turns; 0: not yet */

static int consume(void *arg, struct error *err)
{
        struct native_queue *q = arg;
        bool overflowed;
        int item;

        assert_green();
        while (native_queue_pop(q, &item, 1, &overflowed, deadline_never(), err) > 0)
                consumed_at = turns;
        return err->code == ERR_CLOSED ? 0 : -1;
}

static unsigned long YIELDS turns_until_consumed(struct native_queue *q)
{
        int item = 1;

        turns = 1;
        consumed_at = 0;
        ck_assert(native_queue_push(q, &item));
        while (!consumed_at) {
                ck_assert_uint_lt(turns, 1000000);
                green_yield();
        }
        return consumed_at;
}

GREEN_TEST_REAL(a_spinning_thread_does_not_keep_the_native_queue_waiting)
{
        struct error err;
        struct native_queue *q = native_queue_new("q", sizeof(int), 16, &err);

        ck_assert_ptr_nonnull(q);
        start("consumer", consume, q);
        start("spinner", spin, NULL);
        for (int i = 0; i < 20; i++) {
                green_yield(); /* the consumer sleeps */
                ck_assert_uint_le(turns_until_consumed(q), POLL_EVERY + 1);
        }
        stop = true;
        native_queue_close(q);
        for (int i = 0; i < 2 * POLL_EVERY; i++)
                green_yield();
        native_queue_free(q);
}

/* ---- a storm: many descriptors, each always ready, each with its green thread ---- */

static int always_ready(void *arg, struct error *err)
{
        int fd = *(int *)arg;

        assert_green();
        while (!stop) {
                if (green_wait_fd(fd, GREEN_READ | (fd % 2 ? GREEN_KEPT : 0), deadline_never(), err) < 0)
                        return err->code == ERR_CLOSED ? 0 : -1; /* closed: it is over */
                turns++;
        }
        return 0;
}

static int storm_fds[STORM];

static void HUB_ONLY storm_begins(void)
{
        for (int i = 0; i < STORM; i++) {
                storm_fds[i] = new_eventfd();
                ck_assert_int_eq(eventfd_write(storm_fds[i], 1), 0);
                start("storm", always_ready, &storm_fds[i]);
        }
}

static void YIELDS storm_ends(void)
{
        stop = true;
        for (int i = 0; i < STORM; i++)
                green_close(storm_fds[i]);
        green_yield();
}

/* Until all of the storm are ready, and what comes in between: a poll for each 61 switches. */
enum { ROUND = STORM + (STORM / EVENTS_AT_ONCE + 1) * POLL_EVERY };

GREEN_TEST(a_storm_of_descriptors_starves_no_timer)
{
        static unsigned long woken_at;

        storm_begins();
        start("sleeper", sleep_once, &woken_at);
        while (turns < 10 * STORM)
                green_yield();
        ck_assert_uint_eq(woken_at, 0);
        turns = 1;
        clock_fake_advance(20 * NS_PER_MS);
        while (!woken_at) {
                ck_assert_uint_lt(turns, 100 * ROUND);
                green_yield();
        }
        ck_assert_uint_le(woken_at, 2 * ROUND);
        storm_ends();
}

GREEN_TEST_REAL(a_storm_of_descriptors_does_not_keep_the_native_queue_waiting)
{
        struct error err;
        struct native_queue *q = native_queue_new("q", sizeof(int), 16, &err);

        ck_assert_ptr_nonnull(q);
        start("consumer", consume, q);
        storm_begins();
        while (turns < 10 * STORM)
                green_yield();
        for (int i = 0; i < 5; i++)
                ck_assert_uint_le(turns_until_consumed(q), 4 * ROUND);
        native_queue_close(q);
        storm_ends();
        for (int i = 0; i < 4 * POLL_EVERY; i++)
                green_yield();
        native_queue_free(q);
}

GREEN_TEST_REAL(a_storm_of_descriptors_is_fair_to_each_of_them)
{
        static struct reader r;
        unsigned long written_at;

        r = (struct reader){ .fd = new_eventfd(), .events = GREEN_READ };
        storm_begins();
        start("reader", read_once, &r);
        while (turns < 10 * STORM)
                green_yield();
        written_at = turns;
        ck_assert_int_eq(eventfd_write(r.fd, 1), 0);
        while (!r.woken_at) {
                ck_assert_uint_lt(turns - written_at, 100 * ROUND);
                green_yield();
        }
        ck_assert_uint_le(r.woken_at - written_at, 4 * ROUND);
        storm_ends();
        green_close(r.fd);
}

/* ---- many timers at once ---- */

static int sleep_with_all(void *arg, struct error *err)
{
        assert_green();
        if (green_sleep_until(*(struct deadline *)arg, err) < 0)
                return -1;
        turns++;
        return 0;
}

GREEN_TEST(timers_that_are_due_at_once_starve_no_descriptor)
{
        struct green_group *sleepers = green_group_new("sleepers");
        static struct deadline at;
        static struct reader r;
        struct error err;

        at = deadline_in_ms(10);
        r = (struct reader){ .fd = new_eventfd(), .events = GREEN_READ };
        for (int i = 0; i < SLEEPERS; i++)
                ck_assert_ok(green_spawn(sleepers, "sleeper", sleep_with_all, &at, &err), err);
        start("reader", read_once, &r);
        green_yield();
        turns = 1;
        ck_assert_int_eq(eventfd_write(r.fd, 1), 0);
        clock_fake_advance(20 * NS_PER_MS);
        ck_assert_ok(green_group_wait(sleepers, deadline_never(), &err), err);
        ck_assert_uint_eq(turns, SLEEPERS + 1);
        ck_assert_uint_ge(r.woken_at, 1);
        ck_assert_uint_le(r.woken_at, TIMERS_AT_ONCE + 1);
        green_group_close(sleepers);
        green_close(r.fd);
}

GREEN_SUITE("fairness", a_spinning_thread_starves_no_descriptor, a_spinning_thread_starves_no_timer,
            a_spinning_thread_does_not_keep_the_native_queue_waiting, a_storm_of_descriptors_starves_no_timer,
            a_storm_of_descriptors_does_not_keep_the_native_queue_waiting,
            a_storm_of_descriptors_is_fair_to_each_of_them, timers_that_are_due_at_once_starve_no_descriptor)
