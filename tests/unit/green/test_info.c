#include "green_test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "green/pool.h"
#include "green/sync.h"

static struct green_info seen; /* of the thread that was looked for */

static void find(const struct green_info *info, struct green *g, void *name)
{
        (void)g;
        if (strcmp(info->name, name) == 0)
                seen = *info;
}

static void HUB_ONLY look_for(const char *name)
{
        memset(&seen, 0, sizeof(seen));
        green_foreach(find, (void *)name);
        ck_assert_str_eq(seen.name, name);
}

static int wait_long(void *arg, struct error *err)
{
        assert_green();
        return green_sleep(1000, err);
}

GREEN_TEST(who_is_listed_says_where_it_was_spawned)
{
        struct green_pool *pool = green_pool_new("pool", 1);
        struct error err;
        char here[64];

        snprintf(here, sizeof(here), "test_info.c:%d", __LINE__ + 1);
        ck_assert_ok(green_spawn(NULL, "spawned", wait_long, NULL, &err), err);
        look_for("spawned");
        ck_assert_str_eq(seen.site, here);
        snprintf(here, sizeof(here), "test_info.c:%d", __LINE__ + 1);
        ck_assert_ok(green_pool_spawn(pool, "pooled", wait_long, NULL, deadline_never(), &err), err);
        look_for("pooled");
        ck_assert_str_eq(seen.site, here);
        look_for("main");
        ck_assert_str_eq(seen.site, "hub_run()");
        green_pool_close(pool);
}

static double now_s(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_of(const char *name)
{
        assert_on_hub();
        look_for(name);
        return seen.cpu_s;
}

static void add_up(const struct green_info *info, struct green *g, void *sum)
{
        (void)g;
        *(double *)sum += info->cpu_s;
}

/* Keeps the hub's thread for ms, each time that it is woken. */
static int burn_each_time(void *ms, struct error *err)
{
        assert_green();
        for (;;) {
                double until = now_s() + (double)(intptr_t)ms / 1000;

                while (now_s() < until)
                        ;
                if (green_sleep(0.001, err) < 0)
                        return -1;
        }
}

GREEN_TEST(nobody_is_counted_unless_asked_for)
{
        ck_assert(cpu_of("main") == -1);
        green_accounting(true);
        ck_assert(cpu_of("main") >= 0);
        green_accounting(false);
        ck_assert(cpu_of("main") == -1);
}

GREEN_TEST_REAL(who_works_is_charged_and_all_together_no_more_than_the_time_that_passed)
{
        struct error err;
        double began = now_s(), sum = 0;
        double passed;

        ck_assert_ok(green_spawn(NULL, "lazy", wait_long, NULL, &err), err);
        ck_assert_ok(green_spawn(NULL, "busy", burn_each_time, (void *)5, &err), err);
        green_accounting(true);
        green_accounting(true);                            /* again: nothing is forgotten */
        while (cpu_of("busy") < 0.02 || seen.switches < 2) /* more than one slice */
                ck_assert_ok(green_sleep(0.003, &err), err);
        green_foreach(add_up, &sum);
        passed = now_s() - began;
        ck_assert_msg(sum <= passed * 1.001, "%f s in %f s", sum, passed);
        ck_assert(cpu_of("main") > 0); /* it runs now: what it has had of this slice counts */
}

GREEN_TEST_REAL(waiting_for_events_is_charged_to_nobody)
{
        struct error err;
        double before, charged;

        green_accounting(true);
        do { /* once is enough: on a loaded machine the kernel may take the processor away instead */
                before = cpu_of("main");
                ck_assert_ok(green_sleep(0.05, &err), err);
                charged = cpu_of("main") - before;
        } while (charged > 0.025);
}

GREEN_TEST(counting_begins_anew_when_switched_on_again)
{
        double until = now_s() + 0.02, first;

        green_accounting(true);
        while (now_s() < until)
                ;
        first = cpu_of("main");
        ck_assert_msg(first >= 0.019, "%f", first);
        do {
                green_accounting(false);
                green_accounting(true);
        } while (cpu_of("main") >= first / 2);
}

struct states {
        unsigned running, ready, sleep, event, all, rows;
};

static void note_state(const char *state, unsigned threads, void *arg)
{
        struct states *s = arg;

        s->all += threads;
        s->rows++;
        if (strcmp(state, "running") == 0)
                s->running += threads;
        else if (strcmp(state, "ready") == 0)
                s->ready += threads;
        else if (strcmp(state, "sleep") == 0)
                s->sleep += threads;
        else if (strcmp(state, "event") == 0)
                s->event += threads;
}

static int wait_event(void *arg, struct error *err)
{
        assert_green();
        return green_event_wait(arg, deadline_never(), err);
}

GREEN_TEST(green_threads_are_counted_by_what_they_wait_for)
{
        struct green_group *group = green_group_new("crowd");
        static struct green_event never;
        struct states s = {};
        struct hub_stats stats;
        struct error err;

        green_event_init(&never, "never");
        for (int i = 0; i < 5; i++)
                ck_assert_ok(green_spawn(group, "sleeper", wait_long, NULL, &err), err);
        for (int i = 0; i < 3; i++)
                ck_assert_ok(green_spawn(group, "waiter", wait_event, &never, &err), err);
        green_count_states(note_state, &s);
        ck_assert_uint_eq(s.ready, 8);
        ck_assert_uint_eq(s.running, 1);
        ck_assert_ok(green_sleep(0, &err), err);
        s = (struct states){};
        green_count_states(note_state, &s);
        hub_get_stats(&stats);
        ck_assert_uint_eq(s.sleep, 5);
        ck_assert_uint_eq(s.event, 3);
        ck_assert_uint_eq(s.running, 1);
        ck_assert_uint_eq(s.rows, 3);
        ck_assert_uint_eq(s.all, stats.threads);
        green_group_close(group);
}

START_TEST(names_of_one_kind_have_no_numbers_and_ids)
{
        static const char *const names[][2] = {
                { "build 0c54d1e2-3a4b-4c5d-8e6f-708192a3b4c5", "build *" },
                { "worker-7", "worker-*" },
                { "periodic tasks", "periodic tasks" },
                { "", "" },
        };
        char kind[GREEN_NAME_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                green_name_of_kind(names[i][0], kind);
                ck_assert_str_eq(kind, names[i][1]);
        }
}
END_TEST

GREEN_TEST(turns_count_the_hubs_work_and_not_its_sleep)
{
        struct hub_times before, after;
        struct error err;

        hub_get_times(&before);
        clock_fake_advance(3 * NS_PER_S); /* as if the thread had worked for so long */
        ck_assert_ok(green_sleep(100, &err), err);
        hub_get_times(&after);
        ck_assert_uint_gt(histogram_count(&after.turns), histogram_count(&before.turns));
        ck_assert_int_eq(after.turns.sum_ns - before.turns.sum_ns, 3 * NS_PER_S);
}

GREEN_TEST(lag_is_how_late_the_first_timer_was)
{
        struct green_group *group = green_group_new("late");
        struct hub_times before, after;
        struct error err;

        ck_assert_ok(green_spawn(group, "sleeper", wait_long, NULL, &err), err);
        ck_assert_ok(green_sleep(0, &err), err);
        hub_get_times(&before);
        clock_fake_advance(1007 * NS_PER_S);
        ck_assert_ok(green_sleep(0.5, &err), err);
        hub_get_times(&after);
        ck_assert_uint_eq(histogram_count(&after.lags), histogram_count(&before.lags) + 2);
        ck_assert_int_eq(after.lags.sum_ns - before.lags.sum_ns, 7 * NS_PER_S);
        green_group_close(group);
}

GREEN_SUITE("info", who_is_listed_says_where_it_was_spawned, nobody_is_counted_unless_asked_for,
            who_works_is_charged_and_all_together_no_more_than_the_time_that_passed,
            waiting_for_events_is_charged_to_nobody, counting_begins_anew_when_switched_on_again,
            green_threads_are_counted_by_what_they_wait_for, names_of_one_kind_have_no_numbers_and_ids,
            turns_count_the_hubs_work_and_not_its_sleep, lag_is_how_late_the_first_timer_was)
