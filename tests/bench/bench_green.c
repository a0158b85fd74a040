/* tests/bench/bench_green.c: the runtime's own primitives. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "green/chan.h"
#include "green/lockutils.h"
#include "green/sync.h"

static int yield_n(void *arg, struct error *err)
{
        unsigned n = *(unsigned *)arg;

        assert_green();
        while (n-- > 0)
                green_yield();
        return 0;
}

static double YIELDS yield_among(unsigned threads, unsigned each)
{
        struct green_group *g = green_group_new("bench");
        double began;

        for (unsigned i = 0; i < threads; i++)
                bench_start(g, yield_n, &each);
        began = bench_cpu_ns();
        bench_finish(g);
        return (bench_cpu_ns() - began) / ((double)threads * each);
}

static double bench_yield_2(void)
{
        assert_green();
        return yield_among(2, 5000000);
}

static double bench_yield_10000(void)
{
        assert_green();
        yield_among(10000, 1); /* the first touch of the stacks is another figure */
        return yield_among(10000, 300);
}

static int nothing(void *arg, struct error *err)
{
        return 0;
}

static double bench_spawn_join(void)
{
        enum { N = 2000000 };
        struct error err;
        double began = bench_cpu_ns();

        assert_green();
        for (int i = 0; i < N; i++) {
                struct green *g = green_spawn_ref(NULL, "bench", nothing, NULL, &err);

                if (!g || green_join(g, deadline_never(), NULL, &err) < 0)
                        bench_fail(&err);
                green_unref(g);
        }
        return (bench_cpu_ns() - began) / N;
}

enum { HANDOVERS = 2000000 };
static struct green_sem ping, pong;

static int answer(void *arg, struct error *err)
{
        assert_green();
        for (int i = 0; i < HANDOVERS; i++) {
                if (green_sem_acquire(&ping, deadline_never(), err) < 0)
                        return -1;
                green_sem_release(&pong);
        }
        return 0;
}

static double bench_semaphore(void)
{
        struct green_group *g = green_group_new("bench");
        struct error err;
        double began;

        assert_green();
        green_sem_init(&ping, "ping", 0);
        green_sem_init(&pong, "pong", 0);
        bench_start(g, answer, NULL);
        began = bench_cpu_ns();
        for (int i = 0; i < HANDOVERS; i++) {
                green_sem_release(&ping);
                if (green_sem_acquire(&pong, deadline_never(), &err) < 0)
                        bench_fail(&err);
        }
        bench_finish(g);
        return (bench_cpu_ns() - began) / (2.0 * HANDOVERS);
}

static struct green_chan *chan;

static int send_all(void *arg, struct error *err)
{
        assert_green();
        for (int i = 0; i < HANDOVERS; i++)
                if (green_chan_send(chan, &i, deadline_never(), err) < 0)
                        return -1;
        return 0;
}

static double bench_channel(void)
{
        struct green_group *g = green_group_new("bench");
        struct error err;
        double began;
        int got;

        assert_green();
        chan = green_chan_new("bench", sizeof(int), 0);
        bench_start(g, send_all, NULL);
        began = bench_cpu_ns();
        for (int i = 0; i < HANDOVERS; i++)
                if (green_chan_recv(chan, &got, deadline_never(), &err) < 0 || got != i)
                        bench_fail(&err);
        bench_finish(g);
        green_chan_free(chan);
        return (bench_cpu_ns() - began) / HANDOVERS;
}

static int nap(void *arg, struct error *err)
{
        assert_green();
        return green_sleep((double)(uintptr_t)arg / 1e6, err);
}

static double bench_sleepers(void)
{
        struct green_group *g = green_group_new("bench");
        double began = bench_cpu_ns();

        assert_green();
        srand(1);
        for (int i = 0; i < 100000; i++)
                bench_start(g, nap, (void *)(uintptr_t)(1 + rand() % 1000000));
        bench_finish(g);
        return (bench_cpu_ns() - began) / 1e6;
}

static long resident_kb(void)
{
        FILE *f = fopen("/proc/self/status", "re");
        char line[128];
        long kb = 0, ptes = 0;

        while (f && fgets(line, sizeof(line), f)) {
                sscanf(line, "VmRSS: %ld", &kb);
                sscanf(line, "VmPTE: %ld", &ptes);
        }
        if (f)
                fclose(f);
        return kb + ptes;
}

static double bench_parked_memory(void)
{
        enum { N = 100000 };
        struct green_group *g = green_group_new("bench");
        long before = resident_kb(), after;

        assert_green();
        for (int i = 0; i < N; i++)
                bench_start(g, nap, (void *)(uintptr_t)3600000000);
        for (int i = 0; i < 3; i++)
                green_yield();
        after = resident_kb();
        green_group_close(g);
        return (double)(after - before) * 1024 / N;
}

static double bench_lock_by_name(void)
{
        enum { N = 1000000 };
        double began = bench_cpu_ns();

        assert_green();
        for (int i = 0; i < N; i++) {
                SYNCHRONIZED("compute_resources");
        }
        return (bench_cpu_ns() - began) / N;
}

const struct bench green_benches[] = {
        { "yield-2", "ns", bench_yield_2 },
        { "yield-10000", "ns", bench_yield_10000 },
        { "spawn-join", "ns", bench_spawn_join },
        { "semaphore", "ns", bench_semaphore },
        { "channel", "ns", bench_channel },
        { "sleepers-100000", "ms", bench_sleepers },
        { "parked-100000", "B", bench_parked_memory },
        { "lock-by-name", "ns", bench_lock_by_name },
        {},
};
