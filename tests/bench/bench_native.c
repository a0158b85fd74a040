/* tests/bench/bench_native.c: between native threads and the hub. */
#include <pthread.h>
#include <stdlib.h>

#include "bench.h"
#include "native/native_queue.h"
#include "native/tpool.h"
#include "process/execute.h"

enum { ITEMS = 1000000, BATCH = 256 };

static void *produce(void *arg)
{
        struct native_queue *q = arg;

        for (int i = 0; i < ITEMS; i++)
                while (!native_queue_push(q, &i))
                        sched_yield(); /* full: the bench counts items, it may wait */
        return NULL;
}

/* Wall time: two threads work at once, and the slower one counts. */
static double bench_queue_burst(void)
{
        struct error err;
        struct native_queue *q;
        pthread_t producer;
        int items[BATCH], next = 0;
        int64_t began;

        assert_green();
        q = native_queue_new("bench", sizeof(int), 65536, &err);
        if (!q || pthread_create(&producer, NULL, produce, q) != 0)
                bench_fail(&err);
        began = clock_now_ns();
        while (next < ITEMS) {
                bool overflowed;
                int n = native_queue_pop(q, items, BATCH, &overflowed, deadline_never(), &err);

                if (n < 0)
                        bench_fail(&err);
                for (int i = 0; i < n; i++)
                        if (items[i] != next++)
                                abort(); /* lost, twice or out of order */
        }
        began = clock_now_ns() - began;
        pthread_join(producer, NULL);
        native_queue_free(q);
        return (double)began / ITEMS;
}

static int nothing(void *arg, struct error *err)
{
        (void)arg;
        (void)err;
        return 0;
}

static double bench_tpool(void)
{
        enum { N = 20000 };
        struct error err;
        struct tpool *p;
        int64_t began;
        int dummy = 0;

        assert_green();
        p = tpool_new("bench", 1, &err);
        if (!p)
                bench_fail(&err);
        began = clock_now_ns();
        for (int i = 0; i < N; i++)
                if (tpool_execute(p, "nothing", nothing, &dummy, sizeof(dummy), deadline_never(), &err) < 0)
                        bench_fail(&err);
        began = clock_now_ns() - began;
        tpool_close(p, deadline_never());
        return (double)began / N / 1000;
}

static double bench_execute(void)
{
        enum { N = 300 };
        static const char *const argv[] = { "true", NULL };
        struct execute_options opt = { .argv = argv };
        struct error err;
        int64_t began = clock_now_ns();

        assert_green();
        for (int i = 0; i < N; i++)
                if (execute(&opt, deadline_never(), NULL, &err) < 0)
                        bench_fail(&err);
        return (double)(clock_now_ns() - began) / N / 1000;
}

const struct bench native_benches[] = {
        { "queue-burst", "ns", bench_queue_burst },
        { "tpool", "us", bench_tpool },
        { "execute-true", "us", bench_execute },
        {},
};
