/* tests/bench/bench_green.c: switching, starting, handing over. */
#include "bench.h"
#include "green/chan.h"
#include "green/lockutils.h"
#include "green/sync.h"

static int yield_n(void *arg, struct error *err)
{
        long n = *(long *)arg;

        assert_green();
        while (n-- > 0)
                green_yield();
        return 0;
}

static double YIELDS yield_among(long threads, long each)
{
        struct green_group *g = green_group_new("bench");
        int64_t began;

        for (long i = 0; i < threads; i++)
                bench_start(g, yield_n, &each);
        began = measure_cpu();
        bench_finish(g);
        return (double)(measure_cpu() - began) / (double)(threads * each);
}

static void bench_yield_2(void)
{
        assert_green();
        measure_report("yield-2", yield_among(2, measure_count(5000000)), "ns");
}

static void bench_yield_10000(void)
{
        assert_green();
        yield_among(10000, 1); /* the first touch of the stacks is another figure */
        measure_report("yield-10000", yield_among(10000, measure_count(300)), "ns");
}

static int nothing(void *arg, struct error *err)
{
        return 0;
}

static void bench_spawn_join(void)
{
        long n = measure_count(2000000);
        int64_t began = measure_cpu();
        struct error err;

        assert_green();
        for (long i = 0; i < n; i++) {
                struct green *g = green_spawn_ref(NULL, "bench", nothing, NULL, &err);

                if (!g || green_join(g, deadline_never(), NULL, &err) < 0)
                        bench_fail(&err);
                green_unref(g);
        }
        measure_report("spawn-join", (double)(measure_cpu() - began) / (double)n, "ns");
}

static struct green_sem ping, pong;

static int answer(void *arg, struct error *err)
{
        long n = *(long *)arg;

        assert_green();
        while (n-- > 0) {
                if (green_sem_acquire(&ping, deadline_never(), err) < 0)
                        return -1;
                green_sem_release(&pong);
        }
        return 0;
}

static void bench_semaphore(void)
{
        long n = measure_count(2000000);
        struct green_group *g;
        struct error err;
        int64_t began;

        assert_green();
        g = green_group_new("bench");
        green_sem_init(&ping, "ping", 0);
        green_sem_init(&pong, "pong", 0);
        bench_start(g, answer, &n);
        began = measure_cpu();
        for (long i = 0; i < n; i++) {
                green_sem_release(&ping);
                if (green_sem_acquire(&pong, deadline_never(), &err) < 0)
                        bench_fail(&err);
        }
        measure_report("semaphore", (double)(measure_cpu() - began) / (2.0 * (double)n), "ns");
        bench_finish(g);
}

static struct green_chan *chan;

static int send_all(void *arg, struct error *err)
{
        long n = *(long *)arg;

        assert_green();
        for (long i = 0; i < n; i++)
                if (green_chan_send(chan, &i, deadline_never(), err) < 0)
                        return -1;
        return 0;
}

static void bench_channel(void)
{
        long n = measure_count(2000000), got;
        struct green_group *g;
        struct error err;
        int64_t began;

        assert_green();
        g = green_group_new("bench");
        chan = green_chan_new("bench", sizeof(long), 0);
        bench_start(g, send_all, &n);
        began = measure_cpu();
        for (long i = 0; i < n; i++) {
                if (green_chan_recv(chan, &got, deadline_never(), &err) < 0)
                        bench_fail(&err);
                if (got != i)
                        measure_fail("channel: an item came out of order");
        }
        measure_report("channel", (double)(measure_cpu() - began) / (double)n, "ns");
        bench_finish(g);
        green_chan_free(chan);
}

static void bench_lock_by_name(void)
{
        long n = measure_count(1000000);
        int64_t began = measure_cpu();

        assert_green();
        for (long i = 0; i < n; i++) {
                SYNCHRONIZED("compute_resources");
        }
        measure_report("lock-by-name", (double)(measure_cpu() - began) / (double)n, "ns");
}

const struct bench green_benches[] = {
        { "yield-2", bench_yield_2 },
        { "yield-10000", bench_yield_10000 },
        { "spawn-join", bench_spawn_join },
        { "semaphore", bench_semaphore },
        { "channel", bench_channel },
        { "lock-by-name", bench_lock_by_name },
        {},
};
