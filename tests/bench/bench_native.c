/* tests/bench/bench_native.c: between native threads and the hub; subprocesses. */
#include "bench.h"
#include "native/native_queue.h"
#include "native/tpool.h"
#include "process/execute.h"

enum { BATCH = 256 };

static struct native_queue *YIELDS queue_of(size_t capacity)
{
        struct error err;
        struct native_queue *q = native_queue_new("bench", sizeof(int64_t), capacity, &err);

        if (!q)
                bench_fail(&err);
        return q;
}

static void push(void *queue, int64_t item)
{
        while (!native_queue_push(queue, &item))
                sched_yield(); /* full: here items are counted, and the producer may wait */
}

static int YIELDS pop(struct native_queue *q, int64_t *items)
{
        struct error err;
        bool overflowed;
        int n = native_queue_pop(q, items, BATCH, &overflowed, deadline_never(), &err);

        if (n < 0)
                bench_fail(&err);
        return n;
}

/* Wall time: two threads work at once, and the slower one counts. */
static void bench_queue_burst(void)
{
        struct measure_producer producer = { .push = push, .items = measure_count(1000000) };
        int64_t items[BATCH], next = 0, began;
        struct native_queue *q;

        assert_green();
        producer.queue = q = queue_of(65536);
        began = measure_now();
        measure_producer_start(&producer);
        while (next < producer.items) {
                int n = pop(q, items);

                for (int i = 0; i < n; i++)
                        if (items[i] != next++)
                                measure_fail("queue: an item was lost, came twice or out of order");
        }
        began = measure_now() - began;
        measure_producer_join(&producer);
        native_queue_free(q);
        measure_report("queue-burst", (double)began / (double)next, "ns");
}

/* One item at a time: from before the push until the green thread has it. */
static void YIELDS one_at_a_time(const char *p50, const char *p99)
{
        struct measure_producer producer = {
                .push = push,
                .items = measure_count(4000),
                .pause_ns = MEASURE_PAUSE_NS,
        };
        struct measure_samples samples;
        int64_t items[BATCH];

        producer.queue = queue_of(1024);
        measure_samples_init(&samples, producer.items);
        measure_producer_start(&producer);
        while (samples.n < producer.items) {
                int n = pop(producer.queue, items);

                for (int i = 0; i < n; i++)
                        measure_sample(&samples, measure_now() - items[i]);
        }
        measure_producer_join(&producer);
        native_queue_free(producer.queue);
        measure_report_samples(&samples, p50, p99, 1e3, "us");
}

static void bench_queue_one(void)
{
        assert_green();
        one_at_a_time("queue-one-p50", "queue-one-p99");
}

static bool stop_spinning;

static int spin(void *arg, struct error *err)
{
        assert_green();
        while (!stop_spinning)
                green_yield();
        return 0;
}

static void bench_queue_spin(void)
{
        struct green_group *g;

        assert_green();
        g = green_group_new("bench");
        bench_start(g, spin, NULL);
        one_at_a_time("queue-spin-p50", "queue-spin-p99");
        stop_spinning = true;
        bench_finish(g);
}

static int move(void *arg, struct error *err)
{
        (void)arg;
        (void)err;
        measure_to_other_core();
        return 0;
}

static int nothing(void *arg, struct error *err)
{
        (void)arg;
        (void)err;
        return 0;
}

static void YIELDS call(struct tpool *p, int (*fn)(void *arg, struct error *err))
{
        struct error err;
        int dummy = 0;

        if (tpool_execute(p, "bench", fn, &dummy, sizeof(dummy), deadline_never(), &err) < 0)
                bench_fail(&err);
}

static void bench_tpool(void)
{
        long n = measure_count(20000);
        struct error err;
        struct tpool *p;
        int64_t began;

        assert_green();
        p = tpool_new("bench", 1, &err);
        if (!p)
                bench_fail(&err);
        call(p, move);
        began = measure_now();
        for (long i = 0; i < n; i++)
                call(p, nothing);
        measure_report("tpool", (double)(measure_now() - began) / (double)n / 1e3, "us");
        tpool_close(p, deadline_never());
}

static void bench_execute(void)
{
        static const char *const argv[] = { "true", NULL };
        struct execute_options opt = { .argv = argv };
        long n = measure_count(300);
        int64_t began = measure_now();
        struct error err;

        assert_green();
        for (long i = 0; i < n; i++)
                if (execute(&opt, deadline_never(), NULL, &err) < 0)
                        bench_fail(&err);
        measure_report("execute-true", (double)(measure_now() - began) / (double)n / 1e3, "us");
}

const struct bench native_benches[] = {
        { "queue-burst", bench_queue_burst }, { "queue-one", bench_queue_one },
        { "queue-spin", bench_queue_spin },   { "tpool", bench_tpool },
        { "execute-true", bench_execute },    {},
};
