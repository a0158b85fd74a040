/*
 * tests/support/suite.h: main() of a unit test: UNIT_SUITE("strbuf", test_a, test_b) at the end of the file.
 *
 * Each test runs forked (CK_FORK=yes), so what one leaves behind does not reach the next. UNIT_SUITE_FIXTURE
 * calls setup and teardown around each test, in the same process as the test.
 */
#pragma once

#include <check.h>
#undef fail

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

#include "base/error.h"

#define ck_assert_ok(call, err) ck_assert_msg((call) == 0, "%s: %s", #call, (err).text)
#define ck_assert_fails(call, err, want_code)                                                                \
        do {                                                                                                 \
                (err) = (struct error){};                                                                    \
                ck_assert_msg((call) == -1, "%s: did not fail", #call);                                      \
                ck_assert_msg((err).code == (want_code), "%s: code %d (%s), expected %d", #call, (err).code, \
                              (err).text, (want_code));                                                      \
        } while (0)

/*
 * UNIT_SUITE_BY_ITSELF is for tests of what ThreadSanitizer and valgrind do themselves: signals that ask a
 * thread something, and forked copies of the process. main() says so and exits with 77.
 */
static inline bool is_run_by_another(void)
{
#if defined(__SANITIZE_THREAD__)
        return true;
#elif __has_include(<valgrind/valgrind.h>)
        return RUNNING_ON_VALGRIND;
#else
        return false;
#endif
}

#define UNIT_SUITE(suite_name, ...) UNIT_SUITE_FIXTURE(suite_name, NULL, NULL, __VA_ARGS__)
#define UNIT_SUITE_BY_ITSELF(suite_name, ...) \
        UNIT_SUITE_UNLESS(is_run_by_another(), suite_name, NULL, NULL, __VA_ARGS__)

#define UNIT_SUITE_FIXTURE(suite_name, setup_fn, teardown_fn, ...) \
        UNIT_SUITE_UNLESS(false, suite_name, setup_fn, teardown_fn, __VA_ARGS__)

#define UNIT_SUITE_UNLESS(unless, suite_name, setup_fn, teardown_fn, ...)                      \
        int main(void)                                                                         \
        {                                                                                      \
                const TTest *const tests[] = { __VA_ARGS__ };                                  \
                Suite *suite = suite_create(suite_name);                                       \
                TCase *tcase = tcase_create(suite_name);                                       \
                SRunner *runner;                                                               \
                int failed;                                                                    \
                if (unless) {                                                                  \
                        puts("ThreadSanitizer and valgrind do themselves what this is about"); \
                        return 77;                                                             \
                }                                                                              \
                tcase_add_checked_fixture(tcase, setup_fn, teardown_fn);                       \
                tcase_set_timeout(tcase, 60);                                                  \
                for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                  \
                        tcase_add_test(tcase, tests[i]);                                       \
                suite_add_tcase(suite, tcase);                                                 \
                runner = srunner_create(suite);                                                \
                srunner_run_all(runner, CK_NORMAL);                                            \
                failed = srunner_ntests_failed(runner);                                        \
                srunner_free(runner);                                                          \
                return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                   \
        }
