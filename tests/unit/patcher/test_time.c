/* The sleeping calls: green on the hub, plain elsewhere. */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "patch.h"

GREEN_TEST(all_sleeps_let_others_run)
{
        struct timespec ts = { .tv_sec = 0, .tv_nsec = 250 * NS_PER_MS }, at, rest = { 7, 7 };
        int64_t now;
        static int ticks; /* outlives the test: its counter ends after it */

        patch(PATCH_TIME);
        spawn("ticker", ticker, &ticks);
        ck_assert_uint_eq(sleep(2), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 2000);
        ck_assert_int_ge(ticks, 199);
        ck_assert_int_eq(usleep(1500), 0);
        ck_assert_int_ge(clock_fake_elapsed_ms(), 2001);
        now = clock_fake_elapsed_ms();
        ck_assert_int_eq(nanosleep(&ts, &rest), 0);
        ck_assert_int_eq(rest.tv_sec, 7); /* only an interrupted one touches it */
        ck_assert_int_ge(clock_fake_elapsed_ms(), now + 250);
        ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL), 0);
        ck_assert_int_ge(clock_fake_elapsed_ms(), now + 500);
        at = (struct timespec){ (clock_now_ns() + NS_PER_S) / NS_PER_S,
                                (clock_now_ns() + NS_PER_S) % NS_PER_S };
        now = clock_fake_elapsed_ms();
        ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
        ck_assert_int_ge(clock_fake_elapsed_ms(), now + 1000);
        ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0); /* has passed */
        at = (struct timespec){ clock_wall_s() + 10, 0 };
        now = clock_fake_elapsed_ms();
        ck_assert_int_eq(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL), 0);
        ck_assert_int_ge(clock_fake_elapsed_ms(), now + 9000);
        ck_assert_int_le(clock_fake_elapsed_ms(), now + 11000);
}

static int count_one(void *arg, struct error *err)
{
        assert_green();
        ++*(int *)arg;
        return 0;
}

GREEN_TEST(sleeping_for_nothing_is_a_yield)
{
        struct timespec zero = {};
        int n = 0;

        patch(PATCH_TIME);
        spawn("one", count_one, &n);
        ck_assert_uint_eq(sleep(0), 0);
        ck_assert_int_eq(n, 1);
        spawn("two", count_one, &n);
        ck_assert_int_eq(usleep(0), 0);
        ck_assert_int_eq(n, 2);
        spawn("three", count_one, &n);
        ck_assert_int_eq(nanosleep(&zero, NULL), 0);
        ck_assert_int_eq(n, 3);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 0);
}

struct cancelled {
        unsigned left;
        int usleep_r, usleep_errno, nanosleep_r, nanosleep_errno, clock_r;
        struct timespec rest;
};

static int sleeps_long(void *arg, struct error *err)
{
        struct cancelled *c = arg;
        struct timespec day = { 86400, 0 };

        assert_green();
        c->left = sleep(100);
        c->usleep_r = usleep(1000);
        c->usleep_errno = errno;
        c->nanosleep_r = nanosleep(&day, &c->rest);
        c->nanosleep_errno = errno;
        c->clock_r = clock_nanosleep(CLOCK_MONOTONIC, 0, &day, NULL);
        return 0;
}

GREEN_TEST(cancelled_sleeps_tell_what_is_left)
{
        struct cancelled c = {};
        struct error err = {};
        struct green *g;

        patch(PATCH_TIME);
        g = green_spawn_ref(NULL, "long", sleeps_long, &c, &err);
        ck_assert_ptr_nonnull(g);
        ck_assert_uint_eq(sleep(30), 0);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_uint_ge(c.left, 70);
        ck_assert_uint_le(c.left, 71);
        ck_assert_int_eq(c.usleep_r, -1);
        ck_assert_int_eq(c.usleep_errno, ECANCELED);
        ck_assert_int_eq(c.nanosleep_r, -1);
        ck_assert_int_eq(c.nanosleep_errno, ECANCELED);
        ck_assert_int_ge(c.rest.tv_sec, 86399);
        ck_assert_int_eq(c.clock_r, ECANCELED);
}

GREEN_TEST(bad_times_are_refused)
{
        struct timespec bad = { 0, NS_PER_S }, negative = { -1, 0 };

        patch(PATCH_TIME);
        ck_assert_int_eq(nanosleep(&bad, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_int_eq(nanosleep(&negative, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL), EINVAL);
        ck_assert_int_ne(clock_nanosleep(12345, 0, &bad, NULL), 0);
}

GREEN_TEST_REAL(without_the_category_it_is_the_plain_call)
{
        unsigned long switches = green_switches();
        static int ticks; /* outlives the test: its counter ends after it */

        patch(PATCH_SOCKET | PATCH_SELECT | PATCH_THREAD);
        spawn("ticker", ticker, &ticks);
        ck_assert_int_eq(usleep(30000), 0);
        ck_assert_int_eq(ticks, 0);
        ck_assert_uint_eq(green_switches(), switches);
}

static void *native_sleep(void *arg)
{
        int64_t before = clock_now_ns();

        usleep(2000);
        *(int64_t *)arg = clock_now_ns() - before;
        return NULL;
}

GREEN_TEST_REAL(a_native_thread_really_sleeps)
{
        int64_t ns = 0;
        pthread_t t;

        patch(PATCH_TIME);
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, native_sleep, &ns), 0);
        ck_assert_int_eq(patcher_original(pthread_join)(t, NULL), 0);
        ck_assert_int_ge(ns, 2000000);
}

START_TEST(categories_are_checked)
{
        struct error err;

        ck_assert(!is_patched(PATCH_TIME));
        ck_assert_fails(monkey_patch(0, &err), err, ERR_INVALID);
        ck_assert_fails(monkey_patch(1 << 20, &err), err, ERR_INVALID);
        ck_assert_ok(monkey_patch(PATCH_TIME | PATCH_SELECT, &err), err);
        ck_assert_ok(monkey_patch(PATCH_TIME | PATCH_SELECT, &err), err);
        ck_assert_fails(monkey_patch(PATCH_ALL, &err), err, ERR_INVALID);
        ck_assert(is_patched(PATCH_TIME));
        ck_assert(is_patched(PATCH_TIME | PATCH_SELECT));
        ck_assert(!is_patched(PATCH_TIME | PATCH_SOCKET));
}
END_TEST

GREEN_SUITE("patcher-time", all_sleeps_let_others_run, sleeping_for_nothing_is_a_yield,
            cancelled_sleeps_tell_what_is_left, bad_times_are_refused,
            without_the_category_it_is_the_plain_call, a_native_thread_really_sleeps, categories_are_checked)
