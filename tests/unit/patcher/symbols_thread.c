/* Subjects: threads. What does not wait has a test of its own, with green handles; test_thread.c has the
 * rest. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "subject.h"

/* Ends when it is told to. */
static void *until_released(void *arg)
{
        struct scene *s = arg;

        while (!atomic_load(&s->released))
                usleep(1000);
        return &s->released;
}

static int until_released_c11(void *arg)
{
        return until_released(arg) ? 42 : 0;
}

static void open_thread(struct scene *s)
{
        ck_assert_int_eq(pthread_create(&s->thread, NULL, until_released, s), 0);
}

static void open_c11(struct scene *s)
{
        ck_assert_int_eq(thrd_create(&s->thread, until_released_c11, s), thrd_success);
}

static void end_thread(struct scene *s)
{
        atomic_store(&s->released, true);
}

/* 0 when it was joined and left what it should. */
static long joined(struct scene *s, int r, const void *result)
{
        if (r != 0)
                return by_errno(r);
        return result == &s->released ? 0 : 1000;
}

static long call_pthread_join(struct scene *s)
{
        void *result = NULL;
        int r = pthread_join(s->thread, &result);

        return joined(s, r, result);
}

/* Now and limit_ms later, or far away. */
static struct timespec until(const struct scene *s, clockid_t clock)
{
        int64_t ns = clock == CLOCK_REALTIME ? clock_wall_us() * 1000 : clock_now_ns();

        ns += (s->limit_ms < 0 ? 3600000 : s->limit_ms) * NS_PER_MS;
        return (struct timespec){ ns / NS_PER_S, ns % NS_PER_S };
}

static long call_timedjoin(struct scene *s)
{
        struct timespec at = until(s, CLOCK_REALTIME);
        void *result = NULL;
        int r = pthread_timedjoin_np(s->thread, &result, &at);

        return joined(s, r, result);
}

static long call_clockjoin(struct scene *s)
{
        struct timespec at = until(s, CLOCK_MONOTONIC);
        void *result = NULL;
        int r = pthread_clockjoin_np(s->thread, &result, CLOCK_MONOTONIC, &at);

        return joined(s, r, result);
}

static bool bad_clockjoin(struct scene *s, int which, struct answer *ret)
{
        struct timespec at = { 1, 0 };

        return which == 0 && answer_of(ret, by_errno(pthread_clockjoin_np(s->thread, NULL, 12345, &at)));
}

static long call_thrd_join(struct scene *s)
{
        int result = 0, r = thrd_join(s->thread, &result);

        return r == thrd_success && result == 42 ? 0 : -r;
}

/* ---- those that do not wait ---- */

static void *give_back(void *arg)
{
        return arg;
}

static void own_create(void)
{
        pthread_t t;
        void *result;
        int x;

        ck_assert_int_eq(pthread_create(&t, NULL, give_back, &x), 0);
        ck_assert_int_eq(pthread_join(t, &result), 0);
        ck_assert_ptr_eq(result, &x);
        ck_assert_int_eq(pthread_join(t, NULL), ESRCH);
        ck_assert_int_eq(pthread_detach(t), ESRCH);
}

static void own_tryjoin(void)
{
        static struct scene s;
        void *result;

        open_thread(&s);
        ck_assert_int_eq(pthread_tryjoin_np(s.thread, &result), EBUSY);
        end_thread(&s);
        sleep(1);
        ck_assert_int_eq(pthread_tryjoin_np(s.thread, &result), 0);
        ck_assert_ptr_eq(result, &s.released);
        ck_assert_int_eq(pthread_tryjoin_np(s.thread, &result), ESRCH);
}

static void own_detach(void)
{
        static struct scene s;

        open_thread(&s);
        ck_assert_int_eq(pthread_detach(s.thread), 0);
        ck_assert_int_eq(pthread_detach(s.thread), EINVAL);
        ck_assert_int_eq(pthread_join(s.thread, NULL), EINVAL);
        ck_assert_int_eq(pthread_tryjoin_np(s.thread, NULL), EINVAL);
        end_thread(&s);
        sleep(1);
        ck_assert_int_eq(pthread_join(s.thread, NULL), ESRCH);
}

static void leave(void *result)
{
        pthread_exit(result);
}

static void *exits(void *arg)
{
        usleep(10);
        leave(arg);
        return NULL;
}

static void own_exit(void)
{
        pthread_t t;
        void *result;
        int x;

        ck_assert_int_eq(pthread_create(&t, NULL, exits, &x), 0);
        ck_assert_int_eq(pthread_join(t, &result), 0);
        ck_assert_ptr_eq(result, &x);
        own_create(); /* another one on the same stack */
}

static void *note_self(void *arg)
{
        *(pthread_t *)arg = pthread_self();
        return NULL;
}

static void own_self(void)
{
        pthread_t t, self = 0;

        ck_assert_int_eq(pthread_create(&t, NULL, note_self, &self), 0);
        ck_assert_int_eq(pthread_join(t, NULL), 0);
        ck_assert(pthread_equal(t, self));
        ck_assert(pthread_equal(pthread_self(),
                                patcher_original(pthread_self)())); /* "main" was not made here */
}

static void own_names(void)
{
        static struct scene s;
        char name[16], little[4];

        open_thread(&s);
        ck_assert_int_eq(pthread_setname_np(s.thread, "fifteen letters"), 0);
        ck_assert_int_eq(pthread_setname_np(s.thread, "sixteen letters!"), ERANGE);
        ck_assert_int_eq(pthread_getname_np(s.thread, name, sizeof(name)), 0);
        ck_assert_str_eq(name, "fifteen letters");
        ck_assert_int_eq(pthread_getname_np(s.thread, little, sizeof(little)), ERANGE);
        end_thread(&s);
        ck_assert_int_eq(pthread_join(s.thread, NULL), 0);
        ck_assert_int_eq(pthread_setname_np(s.thread, "x"), ESRCH);
        ck_assert_int_eq(pthread_getname_np(s.thread, name, sizeof(name)), ESRCH);
        ck_assert_int_eq(pthread_getname_np(pthread_self(), name, sizeof(name)), 0); /* a native one */
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
        signals++;
}

static void own_kill(void)
{
        static struct scene s;

        open_thread(&s);
        signal(SIGUSR2, count_signal);
        ck_assert_int_eq(pthread_kill(s.thread, 0), 0);
        ck_assert_int_eq(signals, 0);
        ck_assert_int_eq(pthread_kill(s.thread, SIGUSR2), 0);
        ck_assert_int_eq(signals, 1); /* at once: it is for this native thread */
        ck_assert_int_eq(pthread_kill(s.thread, 12345), EINVAL);
        end_thread(&s);
        ck_assert_int_eq(pthread_join(s.thread, NULL), 0);
        ck_assert_int_eq(pthread_kill(s.thread, SIGUSR2), ESRCH);
}

static void *sleeps_and_tests(void *arg)
{
        int old;

        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
        *(int *)arg = sleep(5) == 0; /* not by a cancellation that is disabled */
        pthread_testcancel();
        *(int *)arg += 2;
        pthread_setcancelstate(old, NULL);
        *(int *)arg += sleep(5) > 0 ? 4 : 0;
        pthread_testcancel();
        *(int *)arg = -1;
        return NULL;
}

static void own_cancel(void)
{
        static int steps;
        pthread_t t;
        void *result;

        ck_assert_int_eq(pthread_create(&t, NULL, sleeps_and_tests, &steps), 0);
        sleep(1);
        ck_assert_int_eq(pthread_cancel(t), 0);
        ck_assert_int_eq(pthread_join(t, &result), 0);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
        ck_assert_int_eq(steps, 7);
        ck_assert_int_eq(pthread_cancel(t), ESRCH);
        pthread_testcancel(); /* nothing happens to who is not cancelled */
}

static void *count_one(void *arg)
{
        ++*(int *)arg;
        return NULL;
}

static void own_yield(void)
{
        static int n;
        pthread_t t;

        ck_assert_int_eq(pthread_create(&t, NULL, count_one, &n), 0);
        ck_assert_int_eq(sched_yield(), 0);
        ck_assert_int_eq(n, 1);
        ck_assert_int_eq(pthread_join(t, NULL), 0);
        ck_assert_int_eq(pthread_create(&t, NULL, count_one, &n), 0);
        thrd_yield();
        ck_assert_int_eq(n, 2);
        ck_assert_int_eq(pthread_join(t, NULL), 0);
}

static int c11_exits(void *arg)
{
        *(thrd_t *)arg = thrd_current();
        usleep(10);
        thrd_exit(-5);
}

static void own_c11(void)
{
        static struct scene s;
        thrd_t t, self = 0;
        int result = 0;

        ck_assert_int_eq(thrd_create(&t, c11_exits, &self), thrd_success);
        ck_assert_int_eq(thrd_join(t, &result), thrd_success);
        ck_assert_int_eq(result, -5);
        ck_assert(thrd_equal(t, self));
        ck_assert_int_eq(thrd_join(t, NULL), thrd_error);
        ck_assert_int_eq(thrd_detach(t), thrd_error);
        open_c11(&s);
        ck_assert_int_eq(thrd_detach(s.thread), thrd_success);
        ck_assert_int_eq(thrd_join(s.thread, NULL), thrd_error);
        end_thread(&s);
        sleep(1);
}

#define JOIN(symbol, function, open_, flags_, bad_)                                                 \
        {                                                                                           \
                .name = #symbol, .flags = WAITS | (flags_), .open = open_, .call = call_##function, \
                .release = end_thread, .late = { -1, ETIMEDOUT }, .cancelled = { -1, ECANCELED },   \
                .bad = bad_                                                                         \
        }
#define OWN(symbol, function)                          \
        {                                              \
                .name = #symbol, .own = own_##function \
        }

const struct subject thread_subjects[] = {
        JOIN(pthread_join, pthread_join, open_thread, 0, NULL),
        JOIN(pthread_timedjoin_np, timedjoin, open_thread, LIMITED, NULL),
        JOIN(pthread_clockjoin_np, clockjoin, open_thread, LIMITED | NATIVE_UNKNOWN_TO_TSAN, bad_clockjoin),
        { .name = "thrd_join",
          .flags = WAITS | NATIVE_UNKNOWN_TO_TSAN,
          .open = open_c11,
          .call = call_thrd_join,
          .release = end_thread,
          .cancelled = { -thrd_error, 0 } },
        OWN(pthread_create, create),
        OWN(pthread_tryjoin_np, tryjoin),
        OWN(pthread_detach, detach),
        OWN(pthread_exit, exit),
        OWN(pthread_self, self),
        OWN(pthread_setname_np, names),
        OWN(pthread_getname_np, names),
        OWN(pthread_kill, kill),
        OWN(pthread_cancel, cancel),
        OWN(pthread_testcancel, cancel),
        OWN(pthread_setcancelstate, cancel),
        OWN(sched_yield, yield),
        OWN(thrd_yield, yield),
        OWN(thrd_create, c11),
        OWN(thrd_detach, c11),
        OWN(thrd_exit, c11),
        OWN(thrd_current, c11),
        {},
};
