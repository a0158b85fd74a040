/* The loop of periodic tasks. */
#include "periodic.h"

#include <string.h>

#include "base/log.h"
#include "green_test.h"

struct seen {
        unsigned runs[3];
        int64_t at_ms[3][8];
        double takes_s;
        bool fails;
        const char *why; /* NULL: "as ordered" */
};

static struct seen seen;

static int YIELDS note(unsigned task, struct error *err)
{
        if (seen.runs[task] < 8)
                seen.at_ms[task][seen.runs[task]] = clock_fake_elapsed_ms();
        seen.runs[task]++;
        if (seen.takes_s > 0 && task == 0 && green_sleep(seen.takes_s, err) < 0)
                return -1;
        return seen.fails ? error_set(err, ERR_INVALID, "%s", seen.why ? seen.why : "as ordered") : 0;
}

static int task_a(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return note(0, err);
}

static int task_b(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return note(1, err);
}

static int task_c(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return note(2, err);
}

static struct periodic *HUB_ONLY start(const struct periodic_task *tasks)
{
        struct error err = {};
        struct periodic *p = periodic_start("tasks", tasks, NULL, &err);

        ck_assert_msg(p != NULL, "%s", err.text);
        return p;
}

static void YIELDS sleep_s(double s)
{
        struct error err = {};

        ck_assert_ok(green_sleep(s, &err), err);
}

GREEN_TEST(each_task_keeps_its_own_interval)
{
        const struct periodic_task tasks[] = { { "a", 10, 0, 0, 0, task_a },
                                               { "b", 25, -1, 0, 0, task_b },
                                               { "never", -1, 0, 0, 0, task_c },
                                               {} };
        struct periodic *p = start(tasks);

        sleep_s(101);
        ck_assert_uint_eq(seen.runs[0], 11);
        ck_assert_uint_eq(seen.runs[1], 4);
        ck_assert_uint_eq(seen.runs[2], 0);
        ck_assert_int_eq(seen.at_ms[0][1], 10000);
        ck_assert_int_eq(seen.at_ms[1][0], 25000);
        periodic_stop(p);
}

GREEN_TEST(another_interval_counts_from_the_last_start)
{
        const struct periodic_task tasks[] = {
                { "a", 100, 0, 0, 0, task_a },
                { "b", 100, -1, 0, 0, task_b },
                { "c", 100, 0, 0, 0, task_c, "it is off" },
                {},
        };
        const struct periodic_task sooner[] = {
                { "a", 10, 0, 0, 0, NULL }, { "b", 30, 0, 0, 0, NULL }, { "c", 50, 0, 0, 0, NULL }, {}
        };
        const struct periodic_task off[] = { { "a", -1, 0, 0, 0, NULL },
                                             { "b", 1000, 0, 0, 0, NULL, "not any more" },
                                             {} };
        struct periodic *p = start(tasks);

        sleep_s(4);
        periodic_change(p, sooner);
        sleep_s(57); /* 61 */
        ck_assert_uint_eq(seen.runs[0], 7);
        ck_assert_int_eq(seen.at_ms[0][1], 10000);
        ck_assert_int_eq(seen.at_ms[1][0], 34000);
        ck_assert_int_eq(seen.at_ms[2][0], 54000);
        periodic_change(p, off);
        sleep_s(1000);
        ck_assert_uint_eq(seen.runs[0], 7);
        ck_assert_uint_eq(seen.runs[1], 1);
        ck_assert_uint_gt(seen.runs[2], 10);
        ck_assert(!periodic_kick(p, "b"));
        periodic_stop(p);
}

GREEN_TEST(zero_is_a_minute)
{
        const struct periodic_task tasks[] = { { "a", 0, -1, 0, 0, task_a }, {} };
        struct periodic *p = start(tasks);

        sleep_s(59);
        ck_assert_uint_eq(seen.runs[0], 0);
        sleep_s(2);
        ck_assert_uint_eq(seen.runs[0], 1);
        periodic_stop(p);
}

GREEN_TEST(a_task_that_takes_long_delays_the_others_and_makes_up_for_nothing)
{
        const struct periodic_task tasks[] = { { "a", 10, 0, 0, 100, task_a },
                                               { "b", 10, 0, 0, 0, task_b },
                                               {} };
        struct periodic *p;

        seen.takes_s = 35;
        p = start(tasks);
        sleep_s(80);
        ck_assert_int_eq(seen.at_ms[1][0], 35000);
        ck_assert_int_eq(seen.at_ms[0][1], 35000);
        ck_assert_int_eq(seen.at_ms[1][1], 70000);
        periodic_stop(p);
}

GREEN_TEST(a_task_that_fails_runs_again)
{
        const struct periodic_task tasks[] = { { "a", 10, 0, 0, 0, task_a }, {} };
        struct periodic *p;

        seen.fails = true;
        p = start(tasks);
        sleep_s(35);
        ck_assert_uint_eq(seen.runs[0], 4);
        periodic_stop(p);
}

static char logged[2048]; /* the texts, one a line */

static void capture(enum log_level level, const char *line, void *arg)
{
        const char *text = strstr(line, "[-] ");

        (void)arg;
        ck_assert_ptr_nonnull(text);
        strncat(logged, level == LOG_ERROR ? "ERROR " : "INFO ", sizeof(logged) - strlen(logged) - 1);
        strncat(logged, text + 4, sizeof(logged) - strlen(logged) - 1);
        strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

GREEN_TEST(the_log_tells_why_now_and_then_and_that_it_is_over)
{
        const struct periodic_task tasks[] = { { "a", 10, 0, 0, 0, task_a }, {} };
        struct periodic *p;

        logged[0] = '\0';
        log_set_capture(capture, NULL);
        seen.fails = true;
        p = start(tasks);
        sleep_s(125);
        seen.why = "another reason";
        sleep_s(10);
        seen.fails = false;
        sleep_s(20);
        log_set_capture(NULL, NULL);
        periodic_stop(p);
        ck_assert_str_eq(logged, "ERROR periodic task a failed, it runs again at its next turn: as ordered\n"
                                 "ERROR periodic task a failed, 7 times in a row, it runs again at its next "
                                 "turn: as ordered\n"
                                 "ERROR periodic task a failed, 13 times in a row, it runs again at its next "
                                 "turn: as ordered\n"
                                 "ERROR periodic task a failed, 14 times in a row, it runs again at its next "
                                 "turn: another reason\n"
                                 "INFO periodic task a works again, after 140 s (failures: 14)\n");
}

GREEN_TEST(jitter_only_adds)
{
        const struct periodic_task tasks[] = { { "a", 100, 0, 0.05, 0, task_a }, {} };
        struct periodic *p = start(tasks);

        sleep_s(700);
        for (unsigned r = 1; r < 6; r++) {
                ck_assert_int_ge(seen.at_ms[0][r] - seen.at_ms[0][r - 1], 100000);
                ck_assert_int_le(seen.at_ms[0][r] - seen.at_ms[0][r - 1], 105000);
        }
        periodic_stop(p);
}

GREEN_TEST(a_kick_runs_a_task_at_once_even_one_that_is_off)
{
        const struct periodic_task tasks[] = { { "a", 100, -1, 0, 0, task_a },
                                               { "c", -1, -1, 0, 0, task_c },
                                               {} };
        struct periodic *p = start(tasks);

        sleep_s(1);
        ck_assert(periodic_kick(p, "a"));
        ck_assert(periodic_kick(p, "c"));
        ck_assert(!periodic_kick(p, "unknown"));
        sleep_s(1);
        ck_assert_uint_eq(seen.runs[0], 1);
        ck_assert_uint_eq(seen.runs[2], 1);
        sleep_s(500);
        ck_assert_uint_eq(seen.runs[2], 1);
        periodic_stop(p);
}

GREEN_TEST(a_kick_during_the_run_runs_it_again)
{
        const struct periodic_task tasks[] = { { "a", 1000, 0, 0, 0, task_a }, {} };
        struct periodic *p;

        seen.takes_s = 10;
        p = start(tasks);
        sleep_s(5);
        ck_assert(periodic_kick(p, "a"));
        sleep_s(10);
        ck_assert_uint_eq(seen.runs[0], 2);
        periodic_stop(p);
}

GREEN_TEST(stopping_cancels_the_task_that_runs)
{
        const struct periodic_task tasks[] = { { "a", 10, 0, 0, 0, task_a }, {} };
        struct periodic *p;

        seen.takes_s = 1e6;
        p = start(tasks);
        sleep_s(1);
        periodic_stop(p);
        ck_assert_int_lt(clock_fake_elapsed_ms(), 2000);
}

static void look(const struct periodic_info *info, void *arg)
{
        unsigned *n = arg;

        if (++*n == 1) {
                ck_assert_str_eq(info->task, "a");
                ck_assert_uint_eq(info->runs, 2);
                ck_assert_double_eq_tol(info->next_in_s, 8, 0.01);
        } else {
                ck_assert_str_eq(info->task, "never");
                ck_assert_double_lt(info->next_in_s, 0);
        }
        ck_assert_str_eq(info->loop, "tasks");
}

GREEN_TEST(the_loop_shows_what_it_does)
{
        const struct periodic_task tasks[] = { { "a", 10, 0, 0, 0, task_a },
                                               { "never", -1, 0, 0, 0, task_c },
                                               {} };
        struct periodic *p = start(tasks);
        unsigned n = 0;

        sleep_s(12);
        periodic_foreach(p, look, &n);
        ck_assert_uint_eq(n, 2);
        periodic_stop(p);
}

static void take(const struct periodic_info *info, void *arg)
{
        struct periodic_info *to = arg;

        if (strcmp(info->task, "slow") == 0)
                to[0] = *info;
        else
                to[1] = *info;
}

static int take_25_s(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return green_sleep(25, err);
}

GREEN_TEST(what_is_late_is_overdue_by_so_much)
{
        const struct periodic_task tasks[] = { { "slow", 10, 0, 0, 0, take_25_s },
                                               { "behind", 60, 5, 0, 0, task_a },
                                               {} };
        static struct periodic_info now[2];
        struct periodic *p = start(tasks);

        sleep_s(9);
        periodic_foreach(p, take, now);
        ck_assert_double_eq(now[0].overdue_s, 0);     /* it runs, and need not run again yet */
        ck_assert_double_eq(now[0].last_ended_s, -1); /* its first run is not over */
        ck_assert_double_eq(now[1].overdue_s, 4);     /* it waits for the other one */
        sleep_s(11);
        periodic_foreach(p, take, now);
        ck_assert_double_eq(now[0].overdue_s, 10); /* it runs while it should run again */
        sleep_s(8);
        periodic_foreach(p, take, now);
        ck_assert_double_eq(now[1].overdue_s, 0);
        ck_assert_double_eq(now[1].last_ended_s, 3);
        periodic_stop(p);
}

GREEN_SUITE("periodic", each_task_keeps_its_own_interval, another_interval_counts_from_the_last_start,
            zero_is_a_minute, a_task_that_takes_long_delays_the_others_and_makes_up_for_nothing,
            a_task_that_fails_runs_again, the_log_tells_why_now_and_then_and_that_it_is_over,
            jitter_only_adds, a_kick_runs_a_task_at_once_even_one_that_is_off,
            a_kick_during_the_run_runs_it_again, stopping_cancels_the_task_that_runs,
            the_loop_shows_what_it_does, what_is_late_is_overdue_by_so_much)
