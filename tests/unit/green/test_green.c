/* tests/unit/green/test_green.c: spawning, order, joining, cancelling, groups, sleeping, dumps. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "green/sanitizer.h"
#include "green/sync.h"
#include "green_test.h"

#if defined(WITH_ASAN) || defined(WITH_TSAN)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static struct strbuf trace; /* each thread adds its letter; a fork of its own per test */

static int add_letters(void *arg, struct error *err)
{
        const char *letters = arg;

        assert_green();
        for (const char *c = letters; *c; c++) {
                strbuf_add(&trace, c, 1);
                green_yield();
        }
        return 0;
}

GREEN_TEST(spawn_does_not_yield_and_runs_in_order)
{
        struct error err;
        unsigned long switches = green_switches();

        ck_assert_ok(green_spawn(NULL, "a", add_letters, "a", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", add_letters, "b", &err), err);
        ck_assert_uint_eq(green_switches(), switches);
        strbuf_adds(&trace, "m");
        green_yield();
        ck_assert_str_eq(trace.data, "mab");
}

GREEN_TEST(sleep_zero_lets_every_other_ready_thread_run_once)
{
        struct error err;

        ck_assert_ok(green_spawn(NULL, "a", add_letters, "ace", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", add_letters, "bdf", &err), err);
        for (int i = 0; i < 3; i++) {
                ck_assert_ok(green_sleep(0, &err), err);
                strbuf_adds(&trace, ".");
        }
        ck_assert_str_eq(trace.data, "ab.cd.ef.");
}

GREEN_TEST(sleep_zero_alone_returns_at_once)
{
        unsigned long switches = green_switches();

        for (int i = 0; i < 1000; i++)
                green_yield();
        ck_assert_uint_eq(green_switches(), switches);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 0);
}

static int sleep_then_letter(void *arg, struct error *err)
{
        const char *letter = arg;

        assert_green();
        if (green_sleep((letter[0] - 'a') * 0.1, err) < 0)
                return -1;
        strbuf_add(&trace, letter, 1);
        return 0;
}

GREEN_TEST(sleepers_wake_in_order_of_their_deadlines)
{
        struct error err;

        ck_assert_ok(green_spawn(NULL, "c", sleep_then_letter, "c", &err), err);
        ck_assert_ok(green_spawn(NULL, "d", sleep_then_letter, "d", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", sleep_then_letter, "b", &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert_str_eq(trace.data, "bcd");
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1000);
}

GREEN_TEST_REAL(sleep_is_never_early)
{
        struct error err;

        for (int i = 1; i <= 20; i++) {
                int64_t start = clock_now_ns();

                ck_assert_ok(green_sleep(i * 0.0007, &err), err);
                ck_assert_int_ge(clock_now_ns() - start, (int64_t)(i * 0.0007 * 1e9));
        }
}

static int fail_on_purpose(void *arg, struct error *err)
{
        assert_green();
        return error_set(err, ERR_INVALID, "on purpose: %s", (const char *)arg);
}

static struct strbuf logged;

static void capture(enum log_level level, const char *line, void *arg)
{
        strbuf_addf(&logged, "%s\n", line);
}

GREEN_TEST(a_failing_thread_is_logged_and_ends_alone)
{
        struct error err, failed;
        struct green *g;

        log_set_capture(capture, NULL);
        g = green_spawn_ref(NULL, "worker-7", fail_on_purpose, "why", &err);
        ck_assert_ptr_nonnull(g);
        ck_assert_ok(green_join(g, deadline_never(), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(logged.data, "worker-7 failed: on purpose: why"));
        green_unref(g);
        log_set_capture(NULL, NULL);
}

static int wait_for_ever(void *arg, struct error *err)
{
        struct green_event never;

        assert_green();
        green_event_init(&never, "never");
        if (green_event_wait(&never, deadline_never(), err) < 0) {
                strbuf_adds(&trace, err->code == ERR_CANCELLED ? "c" : "?");
                return -1;
        }
        return 0;
}

GREEN_TEST(join_times_out_and_cancel_ends_the_wait)
{
        struct error err, failed;
        struct green *g = green_spawn_ref(NULL, "waiter", wait_for_ever, NULL, &err);

        ck_assert_fails(green_join(g, deadline_in_ms(50), &failed, &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 50);
        ck_assert(!green_ended(g));
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_never(), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_CANCELLED);
        green_cancel(g);
        green_unref(g);
        green_unref(NULL);
}

static int cancelled_from_the_start(void *arg, struct error *err)
{
        struct error ignored;

        assert_green();
        ck_assert_fails(green_sleep(5, &ignored), ignored, ERR_CANCELLED);
        ck_assert(green_cancelled());
        green_shield_begin();
        ck_assert_ok(green_sleep(0.2, &ignored), ignored);
        green_shield_end();
        ck_assert_fails(green_sleep(5, &ignored), ignored, ERR_CANCELLED);
        strbuf_adds(&trace, "done");
        return 0;
}

GREEN_TEST(a_shield_keeps_cancellation_out)
{
        struct error err;
        struct green *g = green_spawn_ref(NULL, "shielded", cancelled_from_the_start, NULL, &err);

        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        ck_assert_str_eq(trace.data, "done");
        ck_assert_int_eq(clock_fake_elapsed_ms(), 200);
        green_unref(g);
}

GREEN_TEST(closing_a_group_cancels_and_joins)
{
        struct error err;
        struct green_group *group = green_group_new("workers");

        for (int i = 0; i < 3; i++)
                ck_assert_ok(green_spawn(group, "w", wait_for_ever, NULL, &err), err);
        green_yield();
        ck_assert_uint_eq(green_group_size(group), 3);
        ck_assert_fails(green_group_wait(group, deadline_in_ms(10), &err), err, ERR_TIMEOUT);
        green_group_close(group);
        ck_assert_str_eq(trace.data, "ccc");
}

GREEN_TEST(a_group_can_be_waited_for)
{
        struct error err;
        struct green_group *group = green_group_new("workers");

        ck_assert_ok(green_spawn(group, "b", sleep_then_letter, "b", &err), err);
        ck_assert_ok(green_spawn(group, "c", sleep_then_letter, "c", &err), err);
        ck_assert_ok(green_group_wait(group, deadline_never(), &err), err);
        ck_assert_str_eq(trace.data, "bc");
        green_group_close(group);
        green_group_close(NULL);
}

static int spawn_into_closing(void *arg, struct error *err)
{
        struct error why;

        assert_green();
        ck_assert_fails(green_sleep(100, &why), why, ERR_CANCELLED);
        ck_assert_fails(green_spawn(arg, "late", wait_for_ever, NULL, &why), why, ERR_CANCELLED);
        strbuf_adds(&trace, "refused");
        return 0;
}

GREEN_TEST(a_closing_group_takes_nobody)
{
        struct error err;
        struct green_group *group = green_group_new("closing");

        ck_assert_ok(green_spawn(group, "m", spawn_into_closing, group, &err), err);
        green_yield();
        green_group_close(group);
        ck_assert_str_eq(trace.data, "refused");
}

static int set_errno_and_yield(void *arg, struct error *err)
{
        assert_green();
        errno = *(int *)arg;
        green_yield();
        ck_assert_int_eq(errno, *(int *)arg);
        return 0;
}

GREEN_TEST(errno_belongs_to_each_thread)
{
        static int one = EPERM, two = ENOSPC;
        struct error err;

        ck_assert_ok(green_spawn(NULL, "one", set_errno_and_yield, &one, &err), err);
        ck_assert_ok(green_spawn(NULL, "two", set_errno_and_yield, &two, &err), err);
        errno = EBADF;
        green_yield();
        ck_assert_int_eq(errno, EBADF);
        green_yield();
}

static int nothing(void *arg, struct error *err)
{
        assert_green();
        return 0;
}

GREEN_TEST(stacks_are_recycled)
{
        struct error err;
        struct hub_stats stats;

        for (int i = 0; i < 1000; i++) {
                ck_assert_ok(green_spawn(NULL, "short", nothing, NULL, &err), err);
                green_yield();
        }
        hub_get_stats(&stats);
        ck_assert_uint_eq(stats.spawned, 1000);
        ck_assert_uint_le(stats.stacks_cached, 2);
        ck_assert_uint_eq(stats.threads, 1);
}

static void find_waiter(const struct green_info *info, struct green *g, void *arg)
{
        void *frames[32];

        assert_on_hub();
        if (strcmp(info->name, "waiter") != 0)
                return;
        ck_assert_str_eq(info->state, "event never");
        ck_assert_int_gt(green_backtrace(g, frames, 32), 3);
        *(struct green **)arg = g;
}

GREEN_TEST(dumps_show_name_state_and_backtrace)
{
        struct error err;
        struct green *found = NULL;

        ck_assert_ok(green_spawn(NULL, "waiter", wait_for_ever, NULL, &err), err);
        green_yield();
        green_foreach(find_waiter, &found);
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(green_name(found), "waiter");
        green_cancel(found);
}

static int check_context(void *arg, struct error *err)
{
        char buf[200];

        assert_green();
        green_format_log_context(buf, sizeof(buf));
        strbuf_adds(&trace, buf);
        return 0;
}

GREEN_TEST(log_context_is_inherited)
{
        struct error err;
        char buf[200];

        green_set_log_context("req-1 u p", "uuid-1");
        ck_assert_ok(green_spawn(NULL, "child", check_context, NULL, &err), err);
        green_set_log_context(NULL, NULL);
        green_yield();
        ck_assert_str_eq(trace.data, "[req-1 u p] [instance: uuid-1] ");
        green_format_log_context(buf, sizeof(buf));
        ck_assert_str_eq(buf, "");
}

static int limited_main(void *arg, struct error *err)
{
        struct error why;

        assert_green();
        ck_assert_ok(green_spawn(NULL, "one", nothing, NULL, &why), why);
        ck_assert_fails(green_spawn(NULL, "two", nothing, NULL, &why), why, ERR_LIMIT);
        green_yield();
        ck_assert_ok(green_spawn(NULL, "three", nothing, NULL, &why), why);
        return error_set(err, ERR_BUSY, "what main returned");
}

START_TEST(hub_run_returns_what_main_returned_and_limits_threads)
{
        struct hub_options opt = { .max_threads = 2 };
        struct error err;

        ck_assert_fails(hub_run(limited_main, NULL, &opt, &err), err, ERR_BUSY);
        ck_assert(!on_hub_thread());
}
END_TEST

static int leave_threads_behind(void *arg, struct error *err)
{
        assert_green();
        for (int i = 0; i < 5; i++)
                if (green_spawn(NULL, "left", wait_for_ever, NULL, err) < 0)
                        return -1;
        green_yield();
        return 0;
}

START_TEST(what_main_leaves_behind_is_cancelled)
{
        struct error err;

        ck_assert_ok(hub_run(leave_threads_behind, NULL, NULL, &err), err);
        ck_assert_str_eq(trace.data, "ccccc");
}
END_TEST

static volatile char sink;

static int overflow(void *arg, struct error *err)
{
        volatile char frame[4096];

        assert_green();
        frame[0] = frame[sizeof(frame) - 1] = 1;
        sink = frame[0];
        return sink ? overflow((void *)frame, err) + frame[0] : 0;
}

static int overflow_main(void *arg, struct error *err)
{
        assert_green();
        if (green_spawn(NULL, "deep", overflow, NULL, err) < 0)
                return -1;
        green_yield();
        return 0;
}

START_TEST(an_overflowing_stack_hits_its_guard)
{
        struct error err;

        hub_run(overflow_main, NULL, NULL, &err);
}
END_TEST

static int deadlocked_main(void *arg, struct error *err)
{
        assert_green();
        return wait_for_ever(NULL, err);
}

START_TEST(a_deadlock_of_all_aborts)
{
        struct error err;

        quiet_stderr();
        hub_run(deadlocked_main, NULL, NULL, &err);
}
END_TEST

START_TEST(green_calls_outside_of_the_hub_abort)
{
        quiet_stderr();
        assert_on_hub();
}
END_TEST

GREEN_TEST_REAL(blocking_calls_on_the_hub_abort)
{
        quiet_stderr();
        assert_on_worker();
}

GREEN_TEST_REAL(a_wait_in_an_atomic_section_aborts)
{
        int (*hidden)(struct deadline, struct error *) = green_sleep_until; /* clang would not let it pass */
        struct error err;

        quiet_stderr();
        atomic_begin();
        hidden(deadline_in_ms(1), &err);
        atomic_end();
}

static int spinner(void *arg, struct error *err)
{
        bool *stop = arg;

        assert_green();
        while (!*stop)
                green_yield();
        return 0;
}

GREEN_TEST_REAL(a_spinning_thread_starves_no_timer)
{
        static bool stop;
        struct error err;

        ck_assert_ok(green_spawn(NULL, "spinner", spinner, &stop, &err), err);
        for (int i = 0; i < 5; i++)
                ck_assert_ok(green_sleep(0.002, &err), err);
        stop = true;
}

GREEN_TEST_REAL(ten_thousand_threads_take_turns)
{
        struct error err;
        struct hub_stats stats;
        struct green_group *group = green_group_new("many");
        unsigned n = sanitized ? 500 : 10000;

        for (unsigned i = 0; i < n; i++)
                ck_assert_ok(green_spawn(group, "one", add_letters, "xyz", &err), err);
        ck_assert_ok(green_group_wait(group, deadline_never(), &err), err);
        ck_assert_uint_eq(trace.len, 3 * n);
        hub_get_stats(&stats);
        ck_assert_uint_eq(stats.threads_max, n + 1);
        green_group_close(group);
        strbuf_free(&trace);
}

int main(void)
{
        Suite *suite = suite_create("green");
        TCase *plain = tcase_create("plain"), *deadly = tcase_create("deadly");
        SRunner *runner;
        int failed;

        tcase_set_timeout(plain, 60);
        tcase_add_test(plain, spawn_does_not_yield_and_runs_in_order);
        tcase_add_test(plain, sleep_zero_lets_every_other_ready_thread_run_once);
        tcase_add_test(plain, sleep_zero_alone_returns_at_once);
        tcase_add_test(plain, sleepers_wake_in_order_of_their_deadlines);
        tcase_add_test(plain, sleep_is_never_early);
        tcase_add_test(plain, a_failing_thread_is_logged_and_ends_alone);
        tcase_add_test(plain, join_times_out_and_cancel_ends_the_wait);
        tcase_add_test(plain, a_shield_keeps_cancellation_out);
        tcase_add_test(plain, closing_a_group_cancels_and_joins);
        tcase_add_test(plain, a_group_can_be_waited_for);
        tcase_add_test(plain, a_closing_group_takes_nobody);
        tcase_add_test(plain, errno_belongs_to_each_thread);
        tcase_add_test(plain, stacks_are_recycled);
        tcase_add_test(plain, dumps_show_name_state_and_backtrace);
        tcase_add_test(plain, log_context_is_inherited);
        tcase_add_test(plain, hub_run_returns_what_main_returned_and_limits_threads);
        tcase_add_test(plain, what_main_leaves_behind_is_cancelled);
        tcase_add_test(plain, a_spinning_thread_starves_no_timer);
        tcase_add_test(plain, ten_thousand_threads_take_turns);
        suite_add_tcase(suite, plain);
        tcase_set_timeout(deadly, 60);
        tcase_add_test_raise_signal(deadly, a_deadlock_of_all_aborts, SIGABRT);
        tcase_add_test_raise_signal(deadly, green_calls_outside_of_the_hub_abort, SIGABRT);
        tcase_add_test_raise_signal(deadly, blocking_calls_on_the_hub_abort, SIGABRT);
        tcase_add_test_raise_signal(deadly, a_wait_in_an_atomic_section_aborts, SIGABRT);
        /* sanitizers exit on SIGSEGV with a report of their own */
        if (!sanitized)
                tcase_add_test_raise_signal(deadly, an_overflowing_stack_hits_its_guard, SIGSEGV);
        suite_add_tcase(suite, deadly);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
