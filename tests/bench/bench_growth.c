/*
 * tests/bench/bench_growth.c: the same work among few and among very many: bench growth-WORK THREADS.
 *
 * Each work does about the same number of operations whatever the number of green threads is, and reports
 * what one costs: what grows then is the cost itself.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "bench.h"
#include "green/sync.h"

enum { OPERATIONS = 3000000, FD_TOKENS = 10, MS_OF_SLEEP = 3000 };

/* How often each of bench_threads does it. */
static long each_of(long operations)
{
        long each = measure_count(operations) / bench_threads;

        return each > 3 ? each : 3;
}

static void *YIELDS array_of(size_t size)
{
        void *p = calloc((size_t)bench_threads, size);

        if (!p)
                measure_fail("no memory");
        return p;
}

/* Starts fn with i for each green thread, waits for all; CPU time per operation. */
static double YIELDS time_all(green_fn *fn, double operations)
{
        struct green_group *g = green_group_new("bench");
        int64_t began;

        for (long i = 0; i < bench_threads; i++)
                bench_start(g, fn, (void *)(intptr_t)i);
        green_yield(); /* all have begun, and touched their stacks */
        began = measure_cpu();
        bench_finish(g);
        return (double)(measure_cpu() - began) / operations;
}

static long rounds;

static int yield(void *arg, struct error *err)
{
        assert_green();
        for (long i = 0; i < rounds; i++)
                green_yield();
        return 0;
}

static void growth_yield(void)
{
        assert_green();
        rounds = each_of(OPERATIONS);
        measure_report("growth-yield", time_all(yield, (double)bench_threads * (double)(rounds - 1)), "ns");
}

static int nothing(void *arg, struct error *err)
{
        return 0;
}

static void YIELDS spawn_all(void)
{
        struct green_group *g = green_group_new("bench");

        for (long i = 0; i < bench_threads; i++)
                bench_start(g, nothing, NULL);
        bench_finish(g);
}

static void growth_spawn(void)
{
        long n = each_of(OPERATIONS);
        int64_t began;

        assert_green();
        spawn_all(); /* the first touch of the stacks is another figure */
        began = measure_cpu();
        for (long i = 0; i < n; i++)
                spawn_all();
        measure_report("growth-spawn", (double)(measure_cpu() - began) / ((double)n * (double)bench_threads),
                       "ns");
}

static struct green_sem *sems;

static struct deadline far_away(long i)
{
        return deadline_in_s(3600 + (double)(i * 7919 % 1000));
}

/* Pairs 0 and 1, 2 and 3 ... pass a turn to and fro, all pairs at once. */
static int play(void *arg, struct error *err)
{
        long i = (long)(intptr_t)arg;

        assert_green();
        for (long n = 0; n < rounds; n++) {
                if (green_sem_acquire(&sems[i], deadline_never(), err) < 0)
                        return -1;
                green_sem_release(&sems[i ^ 1]);
        }
        return 0;
}

/* The same, and each wait has a deadline, so that as many timers come and go. */
static int play_in_time(void *arg, struct error *err)
{
        long i = (long)(intptr_t)arg;

        assert_green();
        for (long n = 0; n < rounds; n++) {
                if (green_sem_acquire(&sems[i], far_away(i), err) < 0)
                        return -1;
                green_sem_release(&sems[i ^ 1]);
        }
        return 0;
}

static double YIELDS pairs(green_fn *fn)
{
        double ns;

        rounds = each_of(OPERATIONS);
        sems = array_of(sizeof(*sems));
        for (long i = 0; i < bench_threads; i++)
                green_sem_init(&sems[i], "turn", i % 2);
        ns = time_all(fn, (double)bench_threads * (double)rounds);
        free(sems);
        return ns;
}

static void growth_semaphore(void)
{
        assert_green();
        measure_report("growth-semaphore", pairs(play), "ns");
}

static void growth_deadline(void)
{
        assert_green();
        measure_report("growth-deadline", pairs(play_in_time), "ns");
}

static int nap(void *arg, struct error *err)
{
        struct deadline end = deadline_in_ms(measure_count(MS_OF_SLEEP));

        assert_green();
        for (long i = (long)(intptr_t)arg; !deadline_passed(end); i += bench_threads) {
                if (green_sleep_until(deadline_in_ns(measure_nap_ns(i)), err) < 0)
                        return -1;
                rounds++;
        }
        return 0;
}

static void growth_sleep(void)
{
        double ns;

        assert_green();
        rounds = 0;
        ns = time_all(nap, 1);
        measure_report("growth-sleep", ns / (double)rounds, "ns");
}

static int *fds;
static bool passing;

/* A ring of descriptors, each with a waiting reader; FD_TOKENS of them are readable at any time. */
static int pass_on(void *arg, struct error *err)
{
        long i = (long)(intptr_t)arg, next = (i + 1) % bench_threads;
        eventfd_t value;

        assert_green();
        while (passing) {
                if (green_wait_fd(fds[i], GREEN_READ | GREEN_KEPT, deadline_never(), err) < 0)
                        return -1;
                if (eventfd_read(fds[i], &value) < 0)
                        continue; /* EAGAIN: it was not */
                if (--rounds <= 0)
                        passing = false;
                eventfd_write(fds[passing ? next : i], 1); /* at the end everybody shall wake up */
        }
        eventfd_write(fds[next], 1);
        return 0;
}

static void growth_descriptor(void)
{
        struct error err;
        double ns, n;

        assert_green();
        fds = array_of(sizeof(*fds));
        for (long i = 0; i < bench_threads; i++) {
                fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (fds[i] < 0) {
                        error_system(&err, errno, "eventfd %ld of %ld", i, bench_threads);
                        bench_fail(&err);
                }
        }
        for (long i = 0; i < FD_TOKENS; i++)
                eventfd_write(fds[i * (bench_threads / FD_TOKENS)], 1);
        rounds = measure_count(OPERATIONS / 3);
        n = (double)rounds;
        passing = true;
        ns = time_all(pass_on, n);
        for (long i = 0; i < bench_threads; i++)
                green_close(fds[i]);
        free(fds);
        measure_report("growth-descriptor", ns, "ns");
}

const struct bench growth_benches[] = {
        { "growth-yield", growth_yield },
        { "growth-spawn", growth_spawn },
        { "growth-semaphore", growth_semaphore },
        { "growth-deadline", growth_deadline },
        { "growth-sleep", growth_sleep },
        { "growth-descriptor", growth_descriptor },
        {},
};
