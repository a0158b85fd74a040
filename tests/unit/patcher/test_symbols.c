/*
 * Each patched symbol in each situation that makes sense for it; the symbols are in symbols_*.c.
 *
 * A test is one situation, run once for each symbol as a loop of check, each in a process of its own. With
 * the fake clock the time that a call took is exact.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "subject.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { MOST = 128, BIG = 1 << 20, EVERYTHING = PATCH_ALL };

static const struct subject *subjects[MOST], *subject;
static int n_subjects;
static struct scene scene = { .limit_ms = -1 };

static void gather(const struct subject *from)
{
        for (; from->name && n_subjects < MOST; from++) /* one too many is missed by its test */
                subjects[n_subjects++] = from;
}

static unsigned category(void)
{
        return patched_find(subject->name)->category;
}

/* ---- who acts meanwhile ---- */

static int ticks; /* of a green thread that also spoils its own errno */

static int tick(void *arg, struct error *err)
{
        assert_green();
        do {
                ticks++;
                errno = EXDEV;
        } while (green_sleep(0.01, err) == 0);
        return 0;
}

static int release_later(void *arg, struct error *err)
{
        assert_green();
        if (green_sleep(1, err) == 0)
                subject->release(&scene);
        return 0;
}

static void *release_natively(void *arg)
{
        usleep(30000);
        subject->release(&scene);
        return NULL;
}

static void HUB_ONLY begin(void)
{
        patch(EVERYTHING);
        if (subject->open)
                subject->open(&scene);
        spawn("ticker", tick, NULL);
}

static void check_answer(long r, int sys, struct answer want)
{
        ck_assert_msg(r == want.r, "%s: %ld instead of %ld, errno %s", subject->name, r, want.r,
                      strerror(sys));
        if (want.sys)
                ck_assert_msg(sys == want.sys, "%s: errno %s instead of %s", subject->name, strerror(sys),
                              strerror(want.sys));
}

/* One situation per test: `who` says for which subjects. */
#define SITUATION_(name, who, fake)                                        \
        static bool name##_applies(void)                                   \
        {                                                                  \
                return who;                                                \
        }                                                                  \
        static void YIELDS name##_body(void);                              \
        static int name##_main(void *arg, struct error *err)               \
        {                                                                  \
                assert_green();                                            \
                name##_body();                                             \
                return 0;                                                  \
        }                                                                  \
        START_TEST(name)                                                   \
        {                                                                  \
                struct error err = {};                                     \
                subject = subjects[_i];                                    \
                if (fake)                                                  \
                        clock_fake_start();                                \
                ck_assert_ok(hub_run(name##_main, NULL, NULL, &err), err); \
        }                                                                  \
        END_TEST                                                           \
        static void name##_body(void)
#define SITUATION(name, who)      SITUATION_(name, who, true)
#define SITUATION_REAL(name, who) SITUATION_(name, who, false)
#define IS(flag)                  (subject->flags & (flag))
#ifdef WITH_TSAN
#define HIDDEN IS(NATIVE_UNKNOWN_TO_TSAN)
#else
#define HIDDEN (IS(NATIVE_UNKNOWN_TO_VALGRIND) && RUNNING_ON_VALGRIND)
#endif

/* ---- the situations ---- */

SITUATION(what_would_block_parks_and_the_hub_turns, IS(WAITS))
{
        int64_t want_ms = IS(SLEEPS) ? SLEEP_S * 1000 : 1000;
        long r;

        begin();
        if (!IS(SLEEPS))
                spawn("releaser", release_later, NULL);
        errno = EDOM;
        r = subject->call(&scene);
        check_answer(r, errno, (struct answer){ subject->success, 0 });
        ck_assert_int_ne(errno, EXDEV); /* the other one's */
        ck_assert_int_ge(clock_fake_elapsed_ms(), want_ms);
        if (!IS(OUTSIDE))
                ck_assert_int_le(clock_fake_elapsed_ms(), want_ms + 100); /* some look again after pauses */
        ck_assert_int_ge(ticks, (int)want_ms / 10 - 1);
}

struct reading {
        int fd;
        size_t got;
        bool ended;
};

static char pattern(size_t i)
{
        return (char)(i * 7 + i / 1000);
}

/* In odd pieces, now and then; what the socket was full of comes first. */
static int read_slowly(void *arg, struct error *err)
{
        static char buf[10007];
        struct reading *r = arg;
        ssize_t n;

        assert_green();
        while (r->got < BIG && (n = recv(r->fd, buf, sizeof(buf), 0)) > 0) {
                for (ssize_t i = 0; i < n; i++, r->got++)
                        if (buf[i] != pattern(r->got))
                                ck_abort_msg("%s: byte %zu differs", subject->name, r->got);
                green_sleep(0.01, err);
        }
        r->ended = true;
        return 0;
}

SITUATION(a_partial_transfer_goes_on_to_the_end, subject->send_much)
{
        static struct reading reading;
        static char data[BIG];
        struct error err;

        begin();
        subject->release(&scene); /* empty again */
        for (size_t i = 0; i < BIG; i++)
                data[i] = pattern(i);
        reading.fd = scene.peer;
        spawn("reader", read_slowly, &reading);
        ck_assert_int_eq(subject->send_much(&scene, data, BIG), BIG);
        ck_assert_int_ge(clock_fake_elapsed_ms(), 100);
        while (!reading.ended)
                green_sleep(0.1, &err);
        ck_assert_uint_eq(reading.got, BIG);
}

SITUATION(a_time_limit_holds, IS(LIMITED))
{
        long r;

        begin();
        if (subject->limit)
                subject->limit(&scene);
        scene.limit_ms = LIMIT_MS;
        r = subject->call(&scene);
        check_answer(r, errno, subject->late);
        ck_assert_int_ge(clock_fake_elapsed_ms(), LIMIT_MS);
        ck_assert_int_le(clock_fake_elapsed_ms(), LIMIT_MS + 20);
        ck_assert_int_ge(ticks, LIMIT_MS / 10 - 1);
        subject->release(&scene); /* a thread must end */
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
        signals++;
}

static int signal_and_release(void *arg, struct error *err)
{
        assert_green();
        for (int restart = 0; restart < 2; restart++) {
                struct sigaction sa = { .sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0 };

                green_sleep(0.5, err);
                sigaction(SIGUSR1, &sa, NULL);
                raise(SIGUSR1);
        }
        if (subject->release)
                subject->release(&scene);
        return 0;
}

SITUATION(a_signal_interrupts_nobody, IS(WAITS))
{
        long r;

        begin();
        spawn("signaller", signal_and_release, NULL);
        r = subject->call(&scene);
        check_answer(r, errno, (struct answer){ subject->success, 0 });
        ck_assert_int_eq(signals, 2);
        ck_assert_int_ge(clock_fake_elapsed_ms(), IS(SLEEPS) ? SLEEP_S * 1000 : 1000);
}

SITUATION(a_non_blocking_descriptor_keeps_eagain, IS(NONBLOCKING))
{
        unsigned long switches;
        long r;

        begin();
        switches = green_switches();
        ck_assert_int_eq(fcntl(scene.fd, F_SETFL, O_NONBLOCK), 0);
        r = subject->call(&scene);
        check_answer(r, errno, subject->nonblocking);
        ck_assert_uint_eq(green_switches(), switches);
        ck_assert(fcntl(scene.fd, F_GETFL) & O_NONBLOCK);
}

struct outcome {
        bool done;
        long r;
        int sys;
};
static struct outcome outcome;

static int call_it(void *arg, struct error *err)
{
        assert_green();
        outcome.r = subject->call(&scene);
        outcome.sys = errno;
        outcome.done = true;
        return 0;
}

SITUATION(closing_wakes_who_waits, IS(HAS_FD))
{
        struct error err;

        begin();
        spawn("caller", call_it, NULL);
        ck_assert_int_eq(green_sleep(1, &err), 0);
        ck_assert(!outcome.done);
        ck_assert_int_eq(close(scene.fd), 0);
        ck_assert_int_eq(green_sleep(0.1, &err), 0);
        ck_assert_msg(outcome.done, "%s waits for ever", subject->name);
        check_answer(outcome.r, outcome.sys, subject->closed);
}

/* The number comes back as something else before the waiter has run: it must not take the one for the other.
 */
SITUATION(a_number_that_comes_back_is_not_the_same, IS(HAS_FD) && !IS(BY_PAUSES))
{
        struct error err;
        struct pair p;

        begin();
        spawn("caller", call_it, NULL);
        ck_assert_int_eq(green_sleep(1, &err), 0);
        ck_assert_int_eq(close(scene.fd), 0);
        p = stream_pair();
        ck_assert_int_eq(p.a, scene.fd);
        ck_assert_int_eq(green_sleep(0.1, &err), 0);
        ck_assert_msg(outcome.done, "%s waits for ever", subject->name);
        check_answer(outcome.r, outcome.sys, subject->closed);
}

SITUATION(cancelling_ends_the_wait, IS(WAITS))
{
        struct error err = {};
        struct green *g;

        begin();
        g = green_spawn_ref(NULL, "caller", call_it, NULL, &err);
        ck_assert_ptr_nonnull(g);
        ck_assert_int_eq(green_sleep(1, &err), 0);
        ck_assert(!outcome.done);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        check_answer(outcome.r, outcome.sys, subject->cancelled);
        if (subject->release)
                subject->release(&scene); /* a child or a thread must end */
}

static void *call_natively(void *arg)
{
        if (subject->open)
                subject->open(&scene);
        atomic_store((atomic_bool *)arg, true);
        outcome.r = subject->call(&scene);
        outcome.sys = errno;
        return NULL;
}

SITUATION_REAL(a_native_thread_makes_the_plain_call, IS(WAITS) && !HIDDEN)
{
        static atomic_bool opened;
        pthread_t t;

        patch(EVERYTHING);
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, call_natively, &opened), 0);
        while (!atomic_load(&opened))
                patcher_original(usleep)(1000);
        if (!IS(SLEEPS))
                subject->release(&scene);
        ck_assert_int_eq(patcher_original(pthread_join)(t, NULL), 0);
        check_answer(outcome.r, outcome.sys, (struct answer){ subject->success, 0 });
}

SITUATION_REAL(in_a_category_that_is_not_patched_it_blocks, IS(WAITS) && !HIDDEN)
{
        unsigned long switches;
        pthread_t t;
        int before;
        long r;

        patch(EVERYTHING & ~category());
        if (subject->open)
                subject->open(&scene);
        spawn("ticker", tick, NULL);
        green_yield();
        before = ticks;
        switches = green_switches();
        if (!IS(SLEEPS))
                ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, release_natively, NULL), 0);
        r = subject->call(&scene);
        check_answer(r, errno, (struct answer){ subject->success, 0 });
        ck_assert_int_eq(ticks, before);
        ck_assert_uint_eq(green_switches(), switches);
        if (!IS(SLEEPS))
                ck_assert_int_eq(patcher_original(pthread_join)(t, NULL), 0);
}

/* ---- bad input: the answers of a native thread, whose calls are plain, and of a green one ---- */

enum { BAD_MOST = 16 };

struct answers {
        struct scene scene;
        int n;
        struct answer of[BAD_MOST];
};

static void *answer_all(void *arg)
{
        struct answers *a = arg;
        struct scene *s = &a->scene;

        s->limit_ms = -1;
        if (subject->open)
                subject->open(s);
        while (a->n < BAD_MOST && subject->bad(s, a->n, &a->of[a->n]))
                a->n++;
        if (subject->release)
                subject->release(s);
        return NULL;
}

SITUATION_REAL(bad_input_gets_the_plain_call_s_answer,
               subject->bad && !HIDDEN && !RUNNING_ON_VALGRIND) /* which objects to bad input */
{
        static struct answers plain, green;
        pthread_t t;

        patch(EVERYTHING);
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, answer_all, &plain), 0);
        ck_assert_int_eq(patcher_original(pthread_join)(t, NULL), 0);
        answer_all(&green);
        ck_assert_int_eq(green.n, plain.n);
        for (int i = 0; i < plain.n; i++)
                ck_assert_msg(green.of[i].r == plain.of[i].r && green.of[i].sys == plain.of[i].sys,
                              "%s, bad input %d: %ld with errno %s; the plain call: %ld with errno %s",
                              subject->name, i, green.of[i].r, strerror(green.of[i].sys), plain.of[i].r,
                              strerror(plain.of[i].sys));
}

SITUATION(what_does_not_wait_passes_its_own_test, subject->own)
{
        patch(EVERYTHING);
        subject->own();
}

/* ---- the tables themselves ---- */

START_TEST(every_patched_symbol_is_tested)
{
        for (const struct patched_symbol *s = patched_symbols; s->name; s++) {
                int found = 0;

                for (int i = 0; i < n_subjects; i++)
                        if (strcmp(subjects[i]->name, s->name) == 0) {
                                found++;
                                ck_assert_msg(subjects[i]->own || (subjects[i]->flags & WAITS),
                                              "%s is in no situation", s->name);
                        }
                ck_assert_msg(found == 1, "%s: %d subjects in symbols_*.c", s->name, found);
        }
        for (int i = 0; i < n_subjects; i++)
                ck_assert_msg(patched_find(subjects[i]->name), "%s is not patched", subjects[i]->name);
}
END_TEST

START_TEST(what_is_not_patched_has_a_reason_and_exists)
{
        for (const struct not_patched_symbol *s = not_patched_symbols; s->name; s++) {
                ck_assert_msg(!patched_find(s->name), "%s is in both tables", s->name);
                ck_assert_msg(not_patched_find(s->name) == s, "%s is there twice", s->name);
                ck_assert_msg(s->because && *s->because, "%s has no reason", s->name);
                ck_assert_msg(dlsym(RTLD_DEFAULT, s->name) != NULL, "the C library has no %s", s->name);
        }
}
END_TEST

#define ROW(name)                     \
        {                             \
                &name, name##_applies \
        }

int main(void)
{
        static const struct {
                const TTest *const *test;
                bool (*applies)(void);
        } situations[] = {
                ROW(what_would_block_parks_and_the_hub_turns),
                ROW(a_partial_transfer_goes_on_to_the_end),
                ROW(a_time_limit_holds),
                ROW(a_signal_interrupts_nobody),
                ROW(a_non_blocking_descriptor_keeps_eagain),
                ROW(closing_wakes_who_waits),
                ROW(a_number_that_comes_back_is_not_the_same),
                ROW(cancelling_ends_the_wait),
                ROW(a_native_thread_makes_the_plain_call),
                ROW(in_a_category_that_is_not_patched_it_blocks),
                ROW(bad_input_gets_the_plain_call_s_answer),
                ROW(what_does_not_wait_passes_its_own_test),
        };
        Suite *suite = suite_create("patcher-symbols");
        TCase *tcase = tcase_create("situations");
        SRunner *runner;
        int failed;

        gather(socket_subjects);
        gather(send_subjects);
        gather(select_subjects);
        gather(os_subjects);
        gather(thread_subjects);
        gather(time_subjects);
        tcase_set_timeout(tcase, 20);
        for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++)
                for (int n = 0; n < n_subjects; n++) {
                        subject = subjects[n];
                        if (situations[i].applies())
                                tcase_add_loop_test(tcase, *situations[i].test, n, n + 1);
                }
        tcase_add_test(tcase, every_patched_symbol_is_tested);
        tcase_add_test(tcase, what_is_not_patched_has_a_reason_and_exists);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
