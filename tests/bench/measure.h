/*
 * tests/bench/measure.h: what every program measured here has in common: clocks, counts, cores, the answer.
 *
 * A program is called "PROGRAM WORK" and prints "metric value unit" lines; it knows nothing of rounds,
 * medians and other programs. From its environment: BENCH_QUICK (any value: small counts, only to see that it
 * works) and BENCH_OTHER_CORE (where its native threads belong that are not the one measured). For C and C++.
 */
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline int64_t measure_clock(clockid_t id)
{
        struct timespec ts;

        clock_gettime(id, &ts);
        return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static inline int64_t measure_now(void)
{
        return measure_clock(CLOCK_MONOTONIC);
}

/* CPU time of this process, all its threads. */
static inline int64_t measure_cpu(void)
{
        return measure_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline bool measure_quick(void)
{
        static int quick = -1;

        if (quick < 0)
                quick = getenv("BENCH_QUICK") != NULL;
        return quick;
}

/* Nobody waits for ever for a program that hangs, also when it was started by hand: SIGALRM ends it. */
static inline void measure_limit(void)
{
        alarm(300);
}

/* How many times something is done: a hundredth when it only has to be seen to work. */
static inline long measure_count(long full)
{
        if (!measure_quick())
                return full;
        return full >= 100 ? full / 100 : 1;
}

static inline void measure_report(const char *metric, double value, const char *unit)
{
        printf("%s %.3f %s\n", metric, value, unit);
        fflush(stdout);
}

static inline void measure_fail(const char *why)
{
        fprintf(stderr, "%s\n", why);
        exit(EXIT_FAILURE);
}

/* The calling native thread moves to the core of those that are not measured. */
static inline void measure_to_other_core(void)
{
        const char *core = getenv("BENCH_OTHER_CORE");
        cpu_set_t set;

        if (!core)
                return;
        CPU_ZERO(&set);
        CPU_SET((size_t)strtoul(core, NULL, 10), &set);
        if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
                measure_fail("cannot move to BENCH_OTHER_CORE");
}

/* How long the i-th of many sleepers sleeps: 1 us to 1 s (quick: 50 ms), spread evenly, the same for every
 * program. */
static inline int64_t measure_nap_ns(long i)
{
        return (int64_t)(1 + (uint64_t)i * UINT64_C(2654435761) % 1000000) * (measure_quick() ? 50 : 1000);
}

/* A frame as a small function has it, really written to. */
static inline void measure_touch_frame(void)
{
        volatile char frame[1024];

        for (size_t i = 0; i < sizeof(frame); i += 64)
                frame[i] = 1;
}

struct measure_memory {
        long resident, tables; /* bytes */
};

static inline struct measure_memory measure_memory(void)
{
        struct measure_memory m = { 0, 0 };
        FILE *f = fopen("/proc/self/status", "re");
        char line[128];

        if (!f)
                measure_fail("cannot read /proc/self/status");
        while (fgets(line, sizeof(line), f)) {
                sscanf(line, "VmRSS: %ld", &m.resident);
                sscanf(line, "VmPTE: %ld", &m.tables);
        }
        fclose(f);
        m.resident *= 1024;
        m.tables *= 1024;
        return m;
}

static inline void measure_report_memory(struct measure_memory before, long threads)
{
        struct measure_memory after = measure_memory();

        measure_report("parked-resident", (double)(after.resident - before.resident) / (double)threads, "B");
        measure_report("parked-tables", (double)(after.tables - before.tables) / (double)threads, "B");
}

/* ---- many samples, of which the percentiles count ---- */

struct measure_samples {
        int64_t *ns;
        long n, max, negative;
};

static inline void measure_samples_init(struct measure_samples *s, long max)
{
        s->ns = (int64_t *)malloc((size_t)max * sizeof(*s->ns));
        if (!s->ns)
                measure_fail("no memory for samples");
        memset(s->ns, 0, (size_t)max * sizeof(*s->ns)); /* touched now, not while it counts */
        s->n = s->negative = 0;
        s->max = max;
}

static inline void measure_sample(struct measure_samples *s, int64_t ns)
{
        if (s->n == s->max)
                measure_fail("more samples than were expected");
        s->negative += ns < 0;
        s->ns[s->n++] = ns;
}

static inline int measure_compare(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

/* The values below which 50 and 99 of 100 samples are, in units of `per` ns; frees the samples. */
static inline void measure_report_samples(struct measure_samples *s, const char *p50, const char *p99,
                                          double per, const char *unit)
{
        qsort(s->ns, (size_t)s->n, sizeof(*s->ns), measure_compare);
        if (s->n == 0)
                measure_fail("no samples");
        measure_report(p50, (double)s->ns[s->n / 2] / per, unit);
        measure_report(p99, (double)s->ns[s->n * 99 / 100] / per, unit);
        free(s->ns);
}

/* Of 100,000 sleepers: what their waking was like. */
static inline void measure_report_sleepers(struct measure_samples *late, int64_t cpu_ns)
{
        measure_report("sleepers-cpu", (double)cpu_ns / 1e6, "ms");
        measure_report("sleepers-early", (double)late->negative, "count");
        measure_report_samples(late, "sleepers-late-p50", "sleepers-late-p99", 1e6, "ms");
}

/* ---- a native thread that produces for the green ones ---- */

/* Between two items of "one at a time": long enough for the consumer to fall asleep. */
enum { MEASURE_PAUSE_NS = 150000 };

struct measure_producer {
        void (*push)(void *queue, int64_t item); /* waits where the queue is full */
        void *queue;
        long items;
        int64_t pause_ns; /* 0: as fast as it can, items 0, 1, 2 ...; else after each pause the time */
        pthread_t thread;
};

static inline void *measure_produce(void *arg)
{
        struct measure_producer *p = (struct measure_producer *)arg;
        struct timespec pause = { 0, (long)p->pause_ns };

        measure_to_other_core();
        for (long i = 0; i < p->items; i++) {
                if (p->pause_ns)
                        nanosleep(&pause, NULL);
                p->push(p->queue, p->pause_ns ? measure_now() : i);
        }
        return NULL;
}

static inline void measure_producer_start(struct measure_producer *p)
{
        if (pthread_create(&p->thread, NULL, measure_produce, p) != 0)
                measure_fail("pthread_create");
}

static inline void measure_producer_join(struct measure_producer *p)
{
        pthread_join(p->thread, NULL);
}

/* ---- the table of works that a program has ---- */

struct measure_work {
        const char *name;
        void (*run)(void); /* reports its metrics itself */
};

/* Runs the work that argv names, from a table that ends with a NULL name; else the program ends with 64. */
static inline int measure_main(const struct measure_work *works, int argc, char **argv)
{
        measure_limit();
        for (; argc == 2 && works->name; works++)
                if (strcmp(works->name, argv[1]) == 0) {
                        works->run();
                        return 0;
                }
        fprintf(stderr, "%s: no such work\n", argv[0]);
        return 64;
}
