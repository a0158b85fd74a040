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

#include <check.h>
#undef fail

#include <stdlib.h>

#include "base/clock.h"
#include "green/green.h"

#define GREEN_TEST_(test_name, fake)                                                                         \
        static void YIELDS test_name##_body(void);                                                           \
        static int test_name##_main(void *arg, struct error *err)                                            \
        {                                                                                                    \
                assert_green();                                                                              \
                (void)arg;                                                                                   \
                (void)err;                                                                                   \
                test_name##_body();                                                                          \
                return 0;                                                                                    \
        }                                                                                                    \
        START_TEST(test_name)                                                                                \
        {                                                                                                    \
                struct error err = {};                                                                       \
                if (fake)                                                                                    \
                        clock_fake_start();                                                                  \
                ck_assert_msg(hub_run(test_name##_main, NULL, NULL, &err) == 0, "%s", err.text);             \
                if (fake)                                                                                    \
                        clock_fake_stop();                                                                   \
        }                                                                                                    \
        END_TEST                                                                                             \
        static void test_name##_body(void)

#define GREEN_TEST(name)      GREEN_TEST_(name, true)
#define GREEN_TEST_REAL(name) GREEN_TEST_(name, false)

#define ck_assert_ok(call, err) ck_assert_msg((call) == 0, "%s: %s", #call, (err).text)
#define ck_assert_fails(call, err, want_code)                                                                \
        do {                                                                                                 \
                (err) = (struct error){};                                                                    \
                ck_assert_msg((call) == -1, "%s: did not fail", #call);                                      \
                ck_assert_msg((err).code == (want_code), "%s: code %d (%s), expected %d", #call, (err).code, \
                              (err).text, (want_code));                                                      \
        } while (0)

#define GREEN_SUITE(suite_name, ...)                                                                         \
        int main(void)                                                                                       \
        {                                                                                                    \
                const TTest *const tests[] = { __VA_ARGS__ };                                                \
                Suite *suite = suite_create(suite_name);                                                     \
                TCase *tcase = tcase_create(suite_name);                                                     \
                SRunner *runner;                                                                             \
                int failed;                                                                                  \
                tcase_set_timeout(tcase, 60);                                                                \
                for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                                \
                        tcase_add_test(tcase, tests[i]);                                                     \
                suite_add_tcase(suite, tcase);                                                               \
                runner = srunner_create(suite);                                                              \
                srunner_run_all(runner, CK_NORMAL);                                                          \
                failed = srunner_ntests_failed(runner);                                                      \
                srunner_free(runner);                                                                        \
                return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                 \
        }
