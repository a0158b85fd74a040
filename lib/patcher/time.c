/* lib/patcher/time.c: the sleeping calls. A cancelled green thread is told how much was left. */
#include "patcher/patcher_priv.h"

#include <errno.h>

static int64_t left_ns(struct deadline until)
{
        int64_t left = until.ns - clock_now_ns();

        return left > 0 ? left : 0;
}

static struct timespec to_timespec(int64_t ns)
{
        return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

bool patcher_time_valid(const struct timespec *ts)
{
        return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < NS_PER_S;
}

struct deadline patcher_deadline_in(const struct timespec *ts)
{
        int64_t ns;

        if (__builtin_mul_overflow(ts->tv_sec, NS_PER_S, &ns) || __builtin_add_overflow(ns, ts->tv_nsec, &ns))
                return deadline_never();
        return deadline_in_ns(ns);
}

/* How long it is until an instant of a clock. */
static struct timespec until_instant(clockid_t clock, const struct timespec *at)
{
        int64_t now = clock == CLOCK_REALTIME ? clock_wall_us() * 1000 : clock_now_ns();
        int64_t ns;

        if (__builtin_mul_overflow(at->tv_sec, NS_PER_S, &ns) ||
            __builtin_add_overflow(ns, at->tv_nsec - now, &ns))
                ns = INT64_MAX;
        return to_timespec(ns > 0 ? ns : 0);
}

struct deadline patcher_deadline_at(clockid_t clock, const struct timespec *at)
{
        struct timespec left = until_instant(clock, at);

        return patcher_deadline_in(&left);
}

/* 0, or -1 with errno ECANCELED and the rest in *left. Nothing to sleep is a yield, as green_sleep(0). */
static int sleep_for(const struct timespec *ts, int64_t *left)
{
        struct deadline until;

        assert_green();
        *left = 0;
        if (ts->tv_sec == 0 && ts->tv_nsec == 0) {
                green_yield();
                return 0;
        }
        until = patcher_deadline_in(ts);
        if (patcher_sleep_until(until) == 0)
                return 0;
        *left = left_ns(until);
        return -1;
}

static unsigned __attribute__((noinline)) sleep_seconds(unsigned seconds)
{
        struct timespec ts = { .tv_sec = seconds };
        int64_t left;

        if (sleep_for(&ts, &left) == 0)
                return 0;
        return left ? (unsigned)((left + NS_PER_S - 1) / NS_PER_S) : 1; /* 0 would say that it slept */
}

/*
 * Without locals of its own: a native thread that is cancelled here leaves the frame without returning, and
 * ASan would take what surrounds a local for damage of the stack.
 */
unsigned __wrap_sleep(unsigned seconds)
{
        return patcher_in_scope(PATCH_TIME) ? sleep_seconds(seconds) : ORIGINAL(sleep)(seconds);
}

int __wrap_usleep(useconds_t us)
{
        struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
        int64_t left;

        return patcher_in_scope(PATCH_TIME) ? sleep_for(&ts, &left) : ORIGINAL(usleep)(us);
}

int __wrap_nanosleep(const struct timespec *ts, struct timespec *rest)
{
        int64_t left;

        if (!ts || !patcher_in_scope(PATCH_TIME))
                return ORIGINAL(nanosleep)(ts, rest);
        if (!patcher_time_valid(ts)) {
                errno = EINVAL;
                return -1;
        }
        if (sleep_for(ts, &left) == 0)
                return 0;
        if (rest)
                *rest = to_timespec(left);
        return -1;
}

int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *ts, struct timespec *rest)
{
        bool known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
        struct timespec relative;
        int saved = errno;
        int64_t left;

        if (!known || !ts || !patcher_in_scope(PATCH_TIME))
                return ORIGINAL(clock_nanosleep)(clock, flags, ts, rest);
        if (!patcher_time_valid(ts))
                return EINVAL;
        relative = flags & TIMER_ABSTIME ? until_instant(clock, ts) : *ts;
        if (sleep_for(&relative, &left) == 0)
                return 0;
        if (rest && !(flags & TIMER_ABSTIME))
                *rest = to_timespec(left);
        errno = saved; /* this one returns its error */
        return ECANCELED;
}

int __wrap_thrd_sleep(const struct timespec *ts, struct timespec *rest)
{
        int saved = errno;
        int64_t left;

        if (!ts || !patcher_in_scope(PATCH_TIME))
                return ORIGINAL(thrd_sleep)(ts, rest);
        if (!patcher_time_valid(ts))
                return -2;
        if (sleep_for(ts, &left) == 0)
                return 0;
        if (rest)
                *rest = to_timespec(left);
        errno = saved;
        return -2; /* not -1, which means a signal, after which programs sleep for the rest */
}
