/*
 * tests/support/green_test.h: a check test whose body runs as green thread "main" of a hub of its own.
 *
 *      GREEN_TEST(sleep_zero_lets_others_run)            // fake clock: sleeping takes no time
 *      {
 *              ...ck_assert...
 *      }
 *      GREEN_TEST_REAL(pipe_wakes_reader)                // real clock
 *
 * GREEN_SUITE("chan", test_a, test_b) at the end of the file makes main(). Tests run forked (CK_FORK=yes):
 * a failed assertion inside any green thread fails its own test only.
 */
#pragma once

#include <stdio.h>

#include "base/clock.h"
#include "green/green.h"
#include "suite.h"

#define GREEN_TEST_(test_name, fake)                                                             \
        static void YIELDS test_name##_body(void);                                               \
        static int test_name##_main(void *arg, struct error *err)                                \
        {                                                                                        \
                assert_green();                                                                  \
                (void)arg;                                                                       \
                (void)err;                                                                       \
                test_name##_body();                                                              \
                return 0;                                                                        \
        }                                                                                        \
        START_TEST(test_name)                                                                    \
        {                                                                                        \
                struct error err = {};                                                           \
                if (fake)                                                                        \
                        clock_fake_start();                                                      \
                ck_assert_msg(hub_run(test_name##_main, NULL, NULL, &err) == 0, "%s", err.text); \
                if (fake)                                                                        \
                        clock_fake_stop();                                                       \
        }                                                                                        \
        END_TEST                                                                                 \
        static void test_name##_body(void)

#define GREEN_TEST(name)      GREEN_TEST_(name, true)
#define GREEN_TEST_REAL(name) GREEN_TEST_(name, false)

/* For tests that must abort: what they say on the way is not the suite's news. */
static inline void quiet_stderr(void)
{
        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

#define GREEN_SUITE(suite_name, ...) UNIT_SUITE(suite_name, __VA_ARGS__)
