/* tests/bench/bench_sleep.c: many green threads that wait: what they cost, and how well they are woken. */
#include "bench.h"

enum { THREADS = 100000 };

static struct measure_samples late;

static int nap(void *arg, struct error *err)
{
        struct deadline due;

        assert_green();
        measure_touch_frame();
        due = deadline_in_ns(measure_nap_ns((long)(uintptr_t)arg));
        if (green_sleep_until(due, err) < 0)
                return -1;
        measure_sample(&late, clock_now_ns() - due.ns);
        return 0;
}

static void bench_sleepers(void)
{
        long n = measure_count(THREADS);
        struct green_group *g;
        int64_t began;

        assert_green();
        g = green_group_new("bench");
        measure_samples_init(&late, n);
        began = measure_cpu();
        for (long i = 0; i < n; i++)
                bench_start(g, nap, (void *)(uintptr_t)i);
        bench_finish(g);
        measure_report_sleepers(&late, measure_cpu() - began);
}

static int park(void *arg, struct error *err)
{
        assert_green();
        measure_touch_frame();
        return green_sleep_until(deadline_never(), err);
}

/* Parks n green threads and reports what one takes. None may be without its guard page. */
static void YIELDS park_many(long n)
{
        struct green_group *g = green_group_new("bench");
        struct measure_memory before = measure_memory();
        struct hub_stats stats;

        for (long i = 0; i < n; i++)
                bench_start(g, park, NULL);
        green_yield();
        measure_report_memory(before, n);
        hub_get_stats(&stats);
        if (stats.guards < stats.threads - 1) /* main's stack is the native one */
                measure_fail("parked: there are stacks without a guard page");
        green_group_close(g);
}

static void bench_parked(void)
{
        assert_green();
        park_many(measure_count(THREADS));
}

static void bench_growth_parked(void)
{
        assert_green();
        park_many(bench_threads);
}

const struct bench sleep_benches[] = {
        { "sleepers", bench_sleepers },
        { "parked", bench_parked },
        { "growth-parked", bench_growth_parked },
        {},
};
