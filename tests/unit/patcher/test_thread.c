/*
 * pthread_create in the program's own code: green with PATCH_THREAD, native without. The scenario below is
 * one source for both; each test is a process of its own, so each can patch as it likes.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "patch.h"

enum { WORKERS = 5, ROUNDS = 20 };

struct worker {
        pthread_t thread, self;
        pid_t native_id;
        bool on_hub, self_equal;
        int n;
};

static void *work(void *arg)
{
        struct worker *w = arg;

        w->native_id = gettid();
        w->on_hub = on_hub_thread();
        w->self = pthread_self();
        w->self_equal = pthread_equal(w->self, pthread_self());
        for (int i = 0; i < ROUNDS; i++) {
                usleep(100);
                w->n++;
        }
        return &w->n;
}

/* Knows nothing of green threads. */
static void run_workers(struct worker *workers)
{
        for (int i = 0; i < WORKERS; i++)
                ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        for (int i = 0; i < WORKERS; i++) {
                void *result = NULL;

                ck_assert_int_eq(pthread_join(workers[i].thread, &result), 0);
                ck_assert_ptr_eq(result, &workers[i].n);
                ck_assert_int_eq(workers[i].n, ROUNDS);
                ck_assert(workers[i].self_equal);
                ck_assert(pthread_equal(workers[i].self, workers[i].thread));
        }
}

GREEN_TEST_REAL(with_thread_patching_a_thread_is_green)
{
        struct worker workers[WORKERS] = {};

        patch(PATCH_ALL & ~(unsigned)PATCH_OS);
        run_workers(workers);
        for (int i = 0; i < WORKERS; i++) {
                ck_assert(workers[i].on_hub);
                ck_assert_int_eq(workers[i].native_id, gettid());
        }
}

GREEN_TEST_REAL(without_thread_patching_it_is_native)
{
        struct worker workers[WORKERS] = {};

        patch(PATCH_ALL & ~(unsigned)(PATCH_OS | PATCH_THREAD));
        run_workers(workers);
        for (int i = 0; i < WORKERS; i++) {
                ck_assert(!workers[i].on_hub);
                ck_assert_int_ne(workers[i].native_id, gettid());
        }
}

static void *create_inside(void *arg)
{
        struct worker w = {};

        if (pthread_create(&w.thread, NULL, work, &w) != 0 || pthread_join(w.thread, NULL) != 0)
                return NULL;
        *(bool *)arg = w.on_hub || w.native_id == gettid();
        return arg;
}

GREEN_TEST_REAL(on_another_native_thread_it_is_native_too)
{
        bool green = true;
        pthread_t t;
        void *result;

        patch(PATCH_ALL);
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, create_inside, &green), 0);
        ck_assert_int_eq(pthread_join(t, &result), 0); /* a native one, waited for greenly */
        ck_assert_ptr_eq(result, &green);
        ck_assert(!green);
}

static int gate[2];

/* A native thread that ends only when a green one has let it. */
static void *waits_at_the_gate(void *arg)
{
        char c;

        return read(gate[0], &c, 1) == 1 ? arg : NULL;
}

static int opens_the_gate(void *arg, struct error *err)
{
        assert_green();
        for (int i = 0; i < 5; i++)
                green_yield();
        return write(gate[1], "x", 1) == 1 ? 0 : error_system(err, errno, "write");
}

GREEN_TEST_REAL(joining_a_native_thread_lets_others_run)
{
        pthread_t t;
        void *result;

        patch(PATCH_ALL);
        ck_assert_int_eq(pipe(gate), 0);
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, waits_at_the_gate, gate), 0);
        spawn("opener", opens_the_gate, NULL);
        ck_assert_int_eq(pthread_join(t, &result), 0);
        ck_assert_ptr_eq(result, gate);
        ck_assert_int_eq(pthread_setname_np(pthread_self(), "hub"), 0); /* main's handle is the native one */
        close(gate[0]);
        close(gate[1]);
}

static void *give_back(void *arg)
{
        return arg;
}

static void *sleeps(void *arg)
{
        sleep(1);
        return arg;
}

GREEN_TEST(join_works_before_and_after_the_end_but_once)
{
        pthread_t a, b;
        void *result = NULL;
        int x;

        patch(PATCH_ALL);
        ck_assert_int_eq(pthread_create(&a, NULL, give_back, &x), 0);
        ck_assert_int_eq(pthread_create(&b, NULL, sleeps, &x), 0);
        ck_assert_int_ne(a, b);
        sleep(0); /* a has ended, b has not */
        ck_assert_int_eq(pthread_join(a, &result), 0);
        ck_assert_ptr_eq(result, &x);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 0);
        ck_assert_int_eq(pthread_join(b, NULL), 0);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1000);
        ck_assert_int_eq(pthread_join(a, &result), ESRCH);
        ck_assert_int_eq(pthread_detach(b), ESRCH);
}

GREEN_TEST(detached_ones_clean_up_after_themselves)
{
        struct hub_stats before, after;
        pthread_attr_t attr;
        pthread_t t;

        patch(PATCH_ALL);
        hub_get_stats(&before);
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        ck_assert_int_eq(pthread_create(&t, &attr, give_back, NULL), 0); /* detached at birth */
        pthread_attr_destroy(&attr);
        ck_assert_int_eq(pthread_join(t, NULL), EINVAL);
        ck_assert_int_eq(pthread_detach(t), EINVAL);
        sleep(1);
        ck_assert_int_eq(pthread_join(t, NULL), ESRCH);

        ck_assert_int_eq(pthread_create(&t, NULL, sleeps, NULL), 0); /* while it runs */
        ck_assert_int_eq(pthread_detach(t), 0);
        sleep(2);
        ck_assert_int_eq(pthread_detach(t), ESRCH);

        ck_assert_int_eq(pthread_create(&t, NULL, give_back, NULL), 0); /* after its end */
        sleep(1);
        ck_assert_int_eq(pthread_detach(t), 0);
        ck_assert_int_eq(pthread_join(t, NULL), ESRCH);
        hub_get_stats(&after);
        ck_assert_uint_eq(after.threads, before.threads);
}

static void *join_other(void *arg)
{
        return (void *)(intptr_t)pthread_join(*(pthread_t *)arg, NULL);
}

static void *join_self(void *arg)
{
        return (void *)(intptr_t)pthread_join(pthread_self(), NULL);
}

GREEN_TEST(join_refuses_what_cannot_end)
{
        pthread_t t, a, b;
        void *first, *second, *self;

        patch(PATCH_ALL);
        pthread_create(&t, NULL, sleeps, NULL);
        pthread_create(&a, NULL, join_other, &t);
        pthread_create(&b, NULL, join_other, &t);
        ck_assert_int_eq(pthread_join(a, &first), 0);
        ck_assert_int_eq(pthread_join(b, &second), 0);
        ck_assert_int_eq((intptr_t)first, 0);
        ck_assert_int_eq((intptr_t)second, EINVAL);
        pthread_create(&t, NULL, join_self, NULL);
        ck_assert_int_eq(pthread_join(t, &self), 0);
        ck_assert_int_eq((intptr_t)self, EDEADLK);
}

static _Atomic int steps[3];

static __attribute__((noinline)) int set_cancel_state(int state)
{
        int old;

        return pthread_setcancelstate(state, &old) == 0 ? old : -1;
}

/* The same source for both kinds: cancelled in its last sleep only (where ASan wants no locals). */
static void *sleeps_uncancelled_first(void *arg)
{
        steps[0] = set_cancel_state(PTHREAD_CANCEL_DISABLE) == PTHREAD_CANCEL_ENABLE;
        usleep(50000);
        steps[1] = 1;
        steps[2] = set_cancel_state(PTHREAD_CANCEL_ENABLE) == PTHREAD_CANCEL_DISABLE;
        if (sleep(1000) > 0 && errno == ECANCELED) /* green: returns; native: does not come back */
                return PTHREAD_CANCELED;
        return arg;
}

static void cancel_one(void)
{
        void *result = NULL;
        pthread_t t;

        ck_assert_int_eq(pthread_create(&t, NULL, sleeps_uncancelled_first, NULL), 0);
        while (!steps[0])
                usleep(100);
        ck_assert_int_eq(pthread_cancel(t), 0);
        ck_assert_int_eq(pthread_join(t, &result), 0);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
        ck_assert(steps[1] && steps[2]);
}

GREEN_TEST(a_cancelled_green_thread_leaves_its_sleep)
{
        pthread_t t;

        patch(PATCH_ALL);
        cancel_one();
        ck_assert_int_le(clock_fake_elapsed_ms(), 100);
        pthread_create(&t, NULL, give_back, NULL);
        sleep(1);
        ck_assert_int_eq(pthread_cancel(t), ESRCH); /* has ended */
        ck_assert_int_eq(pthread_join(t, NULL), 0);
}

GREEN_TEST_REAL(a_cancelled_native_thread_leaves_its_sleep)
{
        patch(PATCH_ALL & ~(unsigned)PATCH_THREAD);
        cancel_one();
}

struct joiner {
        pthread_t target;
        int r;
        void *result;
};

static int joiner(void *arg, struct error *err)
{
        struct joiner *j = arg;

        assert_green();
        j->r = pthread_join(j->target, &j->result);
        return 0;
}

GREEN_TEST(a_cancelled_join_leaves_the_thread_joinable)
{
        struct joiner j = {};
        struct error err = {};
        struct green *g;
        int x;

        patch(PATCH_ALL);
        pthread_create(&j.target, NULL, sleeps, &x);
        g = green_spawn_ref(NULL, "joiner", joiner, &j, &err);
        usleep(1000);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_ms(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(j.r, ECANCELED);
        ck_assert_int_eq(pthread_join(j.target, &j.result), 0);
        ck_assert_ptr_eq(j.result, &x);
}

struct seek {
        const char *name;
        int found;
};

static void look(const struct green_info *info, struct green *g, void *arg)
{
        struct seek *s = arg;

        s->found += strcmp(info->name, s->name) == 0;
}

static void *names_itself(void *arg)
{
        pthread_setname_np(pthread_self(), "by-itself");
        sleep(1);
        return NULL;
}

GREEN_TEST(names_show_in_the_list_of_green_threads)
{
        struct seek outside = { "by-creator" }, inside = { "by-itself" };
        pthread_t a, b;

        patch(PATCH_ALL);
        pthread_create(&a, NULL, sleeps, NULL);
        pthread_create(&b, NULL, names_itself, NULL);
        ck_assert_int_eq(pthread_setname_np(a, "by-creator"), 0);
        ck_assert_int_eq(pthread_setname_np(a, "longer-than-fifteen"), ERANGE); /* as a native one */
        sleep(0);
        green_foreach(look, &outside);
        green_foreach(look, &inside);
        ck_assert_int_eq(outside.found, 1);
        ck_assert_int_eq(inside.found, 1);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
        ck_assert_int_eq(pthread_setname_np(a, "gone"), ESRCH);
}

static int at_the_limit(void *arg, struct error *err)
{
        pthread_t a, b, t = 0;

        assert_green();
        ck_assert_int_eq(pthread_create(&a, NULL, sleeps, NULL), 0);
        ck_assert_int_eq(pthread_create(&b, NULL, sleeps, NULL), 0);
        ck_assert_int_eq(pthread_create(&t, NULL, sleeps, NULL), EAGAIN);
        ck_assert_int_eq(t, 0);
        ck_assert_int_eq(pthread_join(a, NULL), 0);
        ck_assert_int_eq(pthread_create(&t, NULL, sleeps, NULL), 0);
        ck_assert_int_eq(pthread_join(t, NULL), 0);
        ck_assert_int_eq(pthread_join(b, NULL), 0);
        return 0;
}

START_TEST(no_room_for_a_thread_is_eagain)
{
        struct hub_options opt = { .max_threads = 3 };
        struct error err = {};

        patch(PATCH_ALL);
        clock_fake_start();
        ck_assert_ok(hub_run(at_the_limit, NULL, &opt, &err), err);
}
END_TEST

static pthread_t left_over;

static void *for_ever(void *arg)
{
        while (sleep(1000) == 0)
                ;
        return arg;
}

static int leaves_one(void *arg, struct error *err)
{
        assert_green();
        ck_assert_int_eq(pthread_create(&left_over, NULL, for_ever, arg), 0);
        sleep(1);
        return 0;
}

static int takes_it_over(void *arg, struct error *err)
{
        void *result = NULL;

        assert_green();
        ck_assert_int_eq(pthread_join(left_over, &result), 0);
        ck_assert_ptr_eq(result, arg);
        return 0;
}

START_TEST(the_end_of_the_hub_cancels_it)
{
        struct error err = {};
        int x;

        patch(PATCH_ALL);
        clock_fake_start();
        ck_assert_ok(hub_run(leaves_one, &x, NULL, &err), err);
        ck_assert_int_eq(pthread_join(left_over, NULL), EINVAL); /* there is no hub */
        ck_assert_ok(hub_run(takes_it_over, &x, NULL, &err), err);
}
END_TEST

GREEN_SUITE("patcher-thread", with_thread_patching_a_thread_is_green, without_thread_patching_it_is_native,
            on_another_native_thread_it_is_native_too, joining_a_native_thread_lets_others_run,
            join_works_before_and_after_the_end_but_once, detached_ones_clean_up_after_themselves,
            join_refuses_what_cannot_end, a_cancelled_join_leaves_the_thread_joinable,
            a_cancelled_green_thread_leaves_its_sleep, a_cancelled_native_thread_leaves_its_sleep,
            names_show_in_the_list_of_green_threads, no_room_for_a_thread_is_eagain,
            the_end_of_the_hub_cancels_it)
