/* Subjects: sleeping, for SLEEP_S seconds, or a moment where the clock is real. */
#include <errno.h>

#include "subject.h"

static const struct timespec wrong = { 0, NS_PER_S }, before = { -1, 0 };

static struct timespec span(void)
{
        return clock_is_fake() ? (struct timespec){ SLEEP_S, 0 } : (struct timespec){ 0, 20 * NS_PER_MS };
}

static long call_sleep(struct scene *s)
{
        return sleep(clock_is_fake() ? SLEEP_S : 1);
}

static long call_usleep(struct scene *s)
{
        return usleep(clock_is_fake() ? SLEEP_S * 1000000 : 20000);
}

static long call_nanosleep(struct scene *s)
{
        struct timespec ts = span();

        return nanosleep(&ts, NULL);
}

static bool bad_nanosleep(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, nanosleep(&wrong, NULL));
        case 1:
                return answer_of(ret, nanosleep(&before, NULL));
        case 2:
                return WILD_ANSWER(ret, nanosleep(nowhere, NULL));
        default:
                return false;
        }
}

static long call_clock_nanosleep(struct scene *s)
{
        struct timespec ts = span();

        return by_errno(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL));
}

static bool bad_clock_nanosleep(struct scene *s, int which, struct answer *ret)
{
        const struct timespec ts = { 1, 0 };

        switch (which) {
        case 0:
                return answer_of(ret, by_errno(clock_nanosleep(CLOCK_REALTIME, 0, &wrong, NULL)));
        case 1:
                return answer_of(ret,
                                 by_errno(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, NULL)));
        case 2:
                return answer_of(ret, by_errno(clock_nanosleep(12345, 0, &ts, NULL)));
        case 3:
                return WILD_ANSWER(ret, by_errno(clock_nanosleep(CLOCK_MONOTONIC, 0, nowhere, NULL)));
        case 4:
                return answer_of(ret, by_errno(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL)));
        default:
                return false;
        }
}

static long call_thrd_sleep(struct scene *s)
{
        struct timespec ts = span();

        return thrd_sleep(&ts, NULL);
}

static bool bad_thrd_sleep(struct scene *s, int which, struct answer *ret)
{
        if (which > 1)
                return false;
        *ret = (struct answer){ thrd_sleep(which ? &wrong : &before, NULL), 0 }; /* has no errno */
        return true;
}

const struct subject time_subjects[] = {
        { .name = "sleep", .flags = WAITS | SLEEPS, .call = call_sleep, .cancelled = { SLEEP_S - 1, 0 } },
        { .name = "usleep", .flags = WAITS | SLEEPS, .call = call_usleep, .cancelled = { -1, ECANCELED } },
        { .name = "nanosleep",
          .flags = WAITS | SLEEPS,
          .call = call_nanosleep,
          .cancelled = { -1, ECANCELED },
          .bad = bad_nanosleep },
        { .name = "clock_nanosleep",
          .flags = WAITS | SLEEPS,
          .call = call_clock_nanosleep,
          .cancelled = { -1, ECANCELED },
          .bad = bad_clock_nanosleep },
        { .name = "thrd_sleep",
          .flags = WAITS | SLEEPS,
          .call = call_thrd_sleep,
          .cancelled = { -2, 0 },
          .bad = bad_thrd_sleep },
        {},
};
