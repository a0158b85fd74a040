/*
 * lib/green/accounting.c: how long each green thread had the hub's thread.
 *
 * Reading a clock at each switch costs more than the switch itself, so it is done only when asked for, and by
 * the processor's own counter where that counts evenly (half the price of clock_gettime()). The counter is
 * turned into seconds when somebody looks, by the two clocks' progress since accounting was switched on.
 */
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "green/green_priv.h"

static uint64_t read_clock(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)

static bool counter_is_even(void)
{
        unsigned a, b, c, d;

        return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1U << 8)); /* invariant TSC */
}

static uint64_t read_counter(void)
{
        return __rdtsc();
}

#elif defined(__aarch64__)

static bool counter_is_even(void)
{
        return true;
}

static uint64_t read_counter(void)
{
        uint64_t ticks;

        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
}

#else

static bool counter_is_even(void)
{
        return false;
}

static uint64_t read_counter(void)
{
        return 0;
}

#endif

static uint64_t HUB_ONLY ticks_now(const struct hub *h)
{
        return h->accounting.by_counter ? read_counter() : read_clock();
}

void green_accounting(bool on)
{
        struct hub *h = the_hub;

        if (on == h->accounting.on)
                return;
        if (on) {
                list_for_each (node, &h->all)
                        CONTAINER_OF(node, struct green, all_link)->ticks = 0;
                h->accounting.by_counter = counter_is_even();
                h->accounting.since_ns = read_clock();
                h->accounting.since = h->accounting.slice = ticks_now(h);
        }
        h->accounting.on = on;
}

void hub_account(struct hub *h, struct green *g)
{
        uint64_t now = ticks_now(h);

        if (now > h->accounting.slice) /* counters of two processors may differ by a little */
                g->ticks += now - h->accounting.slice;
        h->accounting.slice = now;
}

void hub_account_to_nobody(struct hub *h)
{
        h->accounting.slice = ticks_now(h);
}

double hub_seconds_of(struct hub *h, struct green *g)
{
        uint64_t ticks, ns;

        if (!h->accounting.on)
                return -1;
        if (g == h->current)
                hub_account(h, g);
        ticks = ticks_now(h) - h->accounting.since;
        ns = read_clock() - h->accounting.since_ns;
        if (ticks == 0)
                return 0;
        return (double)g->ticks * ((double)ns / (double)ticks) / (double)NS_PER_S;
}
