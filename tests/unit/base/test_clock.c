/* Deadlines: absolute, saturating, and the clock of tests. */
#include "base/clock.h"

#include <unistd.h>

#include "suite.h"

START_TEST(the_real_clock_goes_forward)
{
        int64_t a = clock_now_ns();

        while (clock_now_ns() == a)
                ;
        ck_assert_int_gt(clock_now_ns(), a);
        ck_assert(!clock_is_fake());
        ck_assert_int_le(clock_wall_s() - time(NULL), 1);
        ck_assert_int_eq(clock_wall_us() / 1000000 >= clock_wall_s() - 1, 1);
}
END_TEST

START_TEST(the_fake_clock_moves_only_when_told)
{
        struct deadline d;
        int64_t ns, us;

        clock_fake_start();
        ns = clock_now_ns();
        us = clock_wall_us();
        d = deadline_in_ms(250);
        ck_assert_int_eq(deadline_left_ms(d), 250);
        clock_fake_advance(249 * NS_PER_MS + 1);
        ck_assert(!deadline_passed(d));
        ck_assert_int_eq(deadline_left_ms(d), 1); /* rounded up: a poll() with it is never early */
        clock_fake_advance(NS_PER_MS - 1);
        ck_assert(deadline_passed(d));
        ck_assert_int_eq(deadline_left_ms(d), 0);
        ck_assert_int_eq(clock_now_ns() - ns, 250 * NS_PER_MS);
        ck_assert_int_eq(clock_wall_us() - us, 250000);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 250);
        ck_assert(clock_since_s(ns) > 0.2499 && clock_since_s(ns) < 0.2501);
        clock_fake_stop();
        ck_assert(!clock_is_fake());
}
END_TEST

START_TEST(never_is_never_and_now_has_passed)
{
        ck_assert(!deadline_passed(deadline_never()));
        ck_assert(deadline_left_ms(deadline_never()) == INT64_MAX);
        ck_assert(deadline_passed(deadline_now()));
        ck_assert_int_eq(deadline_left_ms(deadline_now()), 0);
}
END_TEST

START_TEST(what_would_overflow_is_never)
{
        ck_assert(deadline_in_ns(INT64_MAX).ns == INT64_MAX);
        ck_assert(deadline_in_ms(INT64_MAX).ns == INT64_MAX);
        ck_assert(deadline_in_s(1e300).ns == INT64_MAX);
        ck_assert(deadline_passed(deadline_in_ms(-5)));
        ck_assert(deadline_passed(deadline_in_s(-1)));
}
END_TEST

START_TEST(the_earlier_of_two)
{
        struct deadline a = { 10 }, b = { 20 };

        ck_assert_int_eq(deadline_earlier(a, b).ns, 10);
        ck_assert_int_eq(deadline_earlier(b, a).ns, 10);
        ck_assert_int_eq(deadline_earlier(deadline_never(), b).ns, 20);
}
END_TEST

START_TEST(seconds_may_have_fractions)
{
        clock_fake_start();
        ck_assert_int_eq(deadline_left_ms(deadline_in_s(0.25)), 250);
        ck_assert_int_eq(deadline_left_ms(deadline_in_s(60)), 60000);
        clock_fake_stop();
}
END_TEST

UNIT_SUITE("clock", the_real_clock_goes_forward, the_fake_clock_moves_only_when_told,
           never_is_never_and_now_has_passed, what_would_overflow_is_never, the_earlier_of_two,
           seconds_may_have_fractions)
