/* tests/unit/base/test_histogram.c: what goes into which row, above all at the bounds themselves. */
#include "base/histogram.h"

#include "base/clock.h"
#include "suite.h"

START_TEST(a_value_at_a_bound_is_within_it_and_one_above_is_not)
{
        for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
                struct histogram h = {};

                histogram_add(&h, histogram_bounds_ns[i]);
                ck_assert_uint_eq(h.within[i], 1);
                histogram_add(&h, histogram_bounds_ns[i] + 1);
                ck_assert_uint_eq(h.within[i], 1);
                ck_assert_uint_eq(h.within[i + 1], 1);
        }
}
END_TEST

START_TEST(what_is_longer_than_all_bounds_still_counts)
{
        struct histogram h = {};

        histogram_add(&h, INT64_MAX / 2);
        ck_assert_uint_eq(h.within[HISTOGRAM_BOUNDS], 1);
        ck_assert_uint_eq(histogram_count(&h), 1);
}
END_TEST

START_TEST(sum_and_count_are_of_all)
{
        struct histogram h = {};

        histogram_add(&h, 0);
        histogram_add(&h, NS_PER_S / 2);
        histogram_add(&h, 2 * NS_PER_S);
        ck_assert_uint_eq(histogram_count(&h), 3);
        ck_assert_double_eq(histogram_sum_s(&h), 2.5);
}
END_TEST

START_TEST(bounds_ascend_and_are_the_same_in_both_units)
{
        for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
                ck_assert_double_eq_tol(histogram_bounds_s[i] * 1e9, (double)histogram_bounds_ns[i], 0.5);
                ck_assert(i == 0 || histogram_bounds_ns[i] > histogram_bounds_ns[i - 1]);
        }
}
END_TEST

UNIT_SUITE("histogram", a_value_at_a_bound_is_within_it_and_one_above_is_not,
           what_is_longer_than_all_bounds_still_counts, sum_and_count_are_of_all,
           bounds_ascend_and_are_the_same_in_both_units)
