/*
 * tests/bench/peer_fiber.cc: the same work on Boost.Fiber with its default scheduler and stacks of 64 KiB.
 *
 * Hand-over is by its condition variable and its unbuffered channel; native threads use its buffered channel,
 * which they may. It has no sockets of its own, so no echo.
 */
#include <boost/fiber/all.hpp>
#include <chrono>
#include <vector>

#include "measure.h"

namespace fibers = boost::fibers;

enum { STACK = 64 * 1024, MANY = 100000 };

template <typename Fn> static fibers::fiber spawn(Fn fn)
{
        return fibers::fiber(fibers::launch::post, std::allocator_arg, fibers::fixedsize_stack(STACK), fn);
}

static double yield_among(long threads, long each)
{
        std::vector<fibers::fiber> all;

        for (long i = 0; i < threads; i++)
                all.push_back(spawn([each] {
                        for (long n = 0; n < each; n++)
                                boost::this_fiber::yield();
                }));
        int64_t began = measure_cpu();
        for (auto &f : all)
                f.join();
        return (double)(measure_cpu() - began) / (double)(threads * each);
}

static void yield_2()
{
        measure_report("yield-2", yield_among(2, measure_count(2000000)), "ns");
}

static void yield_10000()
{
        measure_report("yield-10000", yield_among(10000, measure_count(200)), "ns");
}

static void spawn_join()
{
        long n = measure_count(500000);
        int64_t began = measure_cpu();

        for (long i = 0; i < n; i++)
                spawn([] {}).join();
        measure_report("spawn-join", (double)(measure_cpu() - began) / (double)n, "ns");
}

class semaphore
{
        fibers::mutex mutex;
        fibers::condition_variable positive;
        long count = 0;

      public:
        void acquire()
        {
                std::unique_lock<fibers::mutex> lock(mutex);
                positive.wait(lock, [this] { return count > 0; });
                count--;
        }
        void release()
        {
                {
                        std::unique_lock<fibers::mutex> lock(mutex);
                        count++;
                }
                positive.notify_one();
        }
};

static void semaphores()
{
        long n = measure_count(500000);
        semaphore ping, pong;
        fibers::fiber other = spawn([&] {
                for (long i = 0; i < n; i++) {
                        ping.acquire();
                        pong.release();
                }
        });
        int64_t began = measure_cpu();

        for (long i = 0; i < n; i++) {
                ping.release();
                pong.acquire();
        }
        measure_report("semaphore", (double)(measure_cpu() - began) / (2.0 * (double)n), "ns");
        other.join();
}

static void channel()
{
        long n = measure_count(1000000), got = 0;
        fibers::unbuffered_channel<long> chan;
        fibers::fiber other = spawn([&] {
                for (long i = 0; i < n; i++)
                        chan.push(i);
        });
        int64_t began = measure_cpu();

        for (long i = 0; i < n; i++) {
                chan.pop(got);
                if (got != i)
                        measure_fail("channel: an item came out of order");
        }
        measure_report("channel", (double)(measure_cpu() - began) / (double)n, "ns");
        other.join();
}

static void sleepers()
{
        using clock = std::chrono::steady_clock; /* CLOCK_MONOTONIC */
        long n = measure_count(MANY);
        std::vector<fibers::fiber> all;
        measure_samples late;

        measure_samples_init(&late, n);
        all.reserve((size_t)n);
        int64_t began = measure_cpu();
        for (long i = 0; i < n; i++)
                all.push_back(spawn([&late, i] {
                        measure_touch_frame();
                        auto due = clock::now() + std::chrono::nanoseconds(measure_nap_ns(i));
                        boost::this_fiber::sleep_until(due);
                        measure_sample(&late, std::chrono::nanoseconds(clock::now() - due).count());
                }));
        for (auto &f : all)
                f.join();
        measure_report_sleepers(&late, measure_cpu() - began);
}

static void parked()
{
        long n = measure_count(MANY);
        std::vector<fibers::fiber> all;
        all.reserve((size_t)n);
        struct measure_memory before = measure_memory();

        for (long i = 0; i < n; i++)
                all.push_back(spawn([] {
                        measure_touch_frame();
                        boost::this_fiber::sleep_for(std::chrono::hours(1));
                }));
        boost::this_fiber::yield();
        boost::this_fiber::yield();
        measure_report_memory(before, n);
        fflush(stdout);
        _exit(0); /* they would be waited for */
}

typedef fibers::buffered_channel<int64_t> items;

static void push(void *queue, int64_t item)
{
        static_cast<items *>(queue)->push(item);
}

static void queue_burst()
{
        items chan(65536);
        measure_producer producer = { push, &chan, measure_count(1000000), 0, pthread_t() };
        int64_t began = measure_now(), item;

        measure_producer_start(&producer);
        for (long next = 0; next < producer.items; next++) {
                chan.pop(item);
                if (item != next)
                        measure_fail("an item was lost, came twice or out of order");
        }
        measure_report("queue-burst", (double)(measure_now() - began) / (double)producer.items, "ns");
        measure_producer_join(&producer);
}

static void one_at_a_time(const char *p50, const char *p99)
{
        items chan(1024);
        measure_producer producer = { push, &chan, measure_count(4000), MEASURE_PAUSE_NS, pthread_t() };
        measure_samples samples;
        int64_t item;

        measure_samples_init(&samples, producer.items);
        measure_producer_start(&producer);
        while (samples.n < producer.items) {
                chan.pop(item);
                measure_sample(&samples, measure_now() - item);
        }
        measure_producer_join(&producer);
        measure_report_samples(&samples, p50, p99, 1e3, "us");
}

static void queue_one()
{
        one_at_a_time("queue-one-p50", "queue-one-p99");
}

static void queue_spin()
{
        bool stop = false;
        fibers::fiber spinner = spawn([&stop] {
                while (!stop)
                        boost::this_fiber::yield();
        });

        one_at_a_time("queue-spin-p50", "queue-spin-p99");
        stop = true;
        spinner.join();
}

static const measure_work works[] = {
        { "yield-2", yield_2 },
        { "yield-10000", yield_10000 },
        { "spawn-join", spawn_join },
        { "semaphore", semaphores },
        { "channel", channel },
        { "sleepers", sleepers },
        { "parked", parked },
        { "queue-burst", queue_burst },
        { "queue-one", queue_one },
        { "queue-spin", queue_spin },
        { NULL, NULL },
};

int main(int argc, char **argv)
{
        return measure_main(works, argc, argv);
}
