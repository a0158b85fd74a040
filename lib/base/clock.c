/* lib/base/clock.c: the real clock, and the fake one of tests. */
#include "base/clock.h"

#include <stdatomic.h>

static atomic_bool fake;
static _Atomic int64_t fake_offset; /* since clock_fake_start() */
static int64_t fake_base, fake_wall_us;

static int64_t read_clock(clockid_t id)
{
        struct timespec ts;

        clock_gettime(id, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_now_ns(void)
{
        if (__builtin_expect(atomic_load_explicit(&fake, memory_order_relaxed), 0))
                return fake_base + atomic_load(&fake_offset);
        return read_clock(CLOCK_MONOTONIC);
}

double clock_since_s(int64_t ns)
{
        return (double)(clock_now_ns() - ns) / (double)NS_PER_S;
}

int64_t clock_wall_us(void)
{
        if (__builtin_expect(atomic_load_explicit(&fake, memory_order_relaxed), 0))
                return fake_wall_us + atomic_load(&fake_offset) / 1000;
        return read_clock(CLOCK_REALTIME) / 1000;
}

time_t clock_wall_s(void)
{
        return clock_wall_us() / 1000000;
}

struct deadline deadline_never(void)
{
        return (struct deadline){ INT64_MAX };
}

struct deadline deadline_now(void)
{
        return (struct deadline){ 0 };
}

struct deadline deadline_in_ns(int64_t ns)
{
        int64_t at;

        if (ns < 0)
                ns = 0;
        if (__builtin_add_overflow(clock_now_ns(), ns, &at))
                return deadline_never();
        return (struct deadline){ at };
}

struct deadline deadline_in_ms(int64_t ms)
{
        int64_t ns;

        if (__builtin_mul_overflow(ms, NS_PER_MS, &ns))
                return deadline_never();
        return deadline_in_ns(ns);
}

struct deadline deadline_in_s(double s)
{
        if (s >= 9e9)
                return deadline_never();
        return deadline_in_ns((int64_t)(s * (double)NS_PER_S));
}

struct deadline deadline_earlier(struct deadline a, struct deadline b)
{
        return a.ns <= b.ns ? a : b;
}

bool deadline_passed(struct deadline d)
{
        return d.ns != INT64_MAX && clock_now_ns() >= d.ns;
}

int64_t deadline_left_ms(struct deadline d)
{
        int64_t left;

        if (d.ns == INT64_MAX)
                return INT64_MAX;
        left = d.ns - clock_now_ns();
        return left <= 0 ? 0 : (left + NS_PER_MS - 1) / NS_PER_MS;
}

void clock_fake_start(void)
{
        fake_base = read_clock(CLOCK_MONOTONIC);
        fake_wall_us = read_clock(CLOCK_REALTIME) / 1000;
        atomic_store(&fake_offset, 0);
        atomic_store(&fake, true);
}

void clock_fake_advance(int64_t ns)
{
        atomic_fetch_add(&fake_offset, ns);
}

void clock_fake_stop(void)
{
        atomic_store(&fake, false);
}

bool clock_is_fake(void)
{
        return atomic_load(&fake);
}

int64_t clock_fake_elapsed_ms(void)
{
        return atomic_load(&fake_offset) / NS_PER_MS;
}
