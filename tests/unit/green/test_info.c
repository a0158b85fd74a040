#include "green_test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "green/pool.h"

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
        green_accounting(true); /* again: nothing is forgotten */
        while (cpu_of("busy") < 0.02)
                ck_assert_ok(green_sleep(0.003, &err), err);
        look_for("busy");
        ck_assert_uint_ge(seen.switches, 2);
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

GREEN_SUITE("info", who_is_listed_says_where_it_was_spawned, nobody_is_counted_unless_asked_for,
            who_works_is_charged_and_all_together_no_more_than_the_time_that_passed,
            waiting_for_events_is_charged_to_nobody, counting_begins_anew_when_switched_on_again)
