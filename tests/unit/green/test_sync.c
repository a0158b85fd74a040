/* tests/unit/green/test_sync.c: semaphore, mutex, event, condition: each succeeds, times out, is cancelled.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "green/sync.h"
#include "green_test.h"

static struct strbuf trace;
static struct green_sem sem;
static struct green_mutex mutex;
static struct green_event event;
static struct green_cond cond;

static int take_sem(void *arg, struct error *err)
{
        assert_green();
        if (green_sem_acquire(&sem, deadline_in_ms(1000), err) < 0) {
                strbuf_adds(&trace, err->code == ERR_TIMEOUT ? "T" : "C");
                return -1;
        }
        strbuf_adds(&trace, arg);
        return 0;
}

GREEN_TEST(semaphore_is_fifo_and_hands_over)
{
        struct error err;

        green_sem_init(&sem, "sem", 1);
        ck_assert(green_sem_try(&sem));
        ck_assert(!green_sem_try(&sem));
        ck_assert_ok(green_spawn(NULL, "a", take_sem, "a", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", take_sem, "b", &err), err);
        green_yield();
        green_sem_release(&sem);
        ck_assert_msg(!green_sem_try(&sem), "the waiter was overtaken");
        green_sem_release(&sem);
        green_yield();
        ck_assert_str_eq(trace.data, "ab");
        ck_assert_int_eq(sem.count, 0);
}

GREEN_TEST(semaphore_made_larger_wakes_and_made_smaller_wants_back)
{
        struct error err;

        green_sem_init(&sem, "sem", 1);
        ck_assert(green_sem_try(&sem));
        ck_assert_ok(green_spawn(NULL, "a", take_sem, "a", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", take_sem, "b", &err), err);
        green_yield();
        green_sem_adjust(&sem, 1);
        green_yield();
        ck_assert_str_eq(trace.data, "a");
        green_sem_adjust(&sem, -1); /* two are held, one is allowed */
        green_sem_release(&sem);
        green_yield();
        ck_assert_str_eq(trace.data, "a");
        green_sem_release(&sem);
        green_yield();
        ck_assert_str_eq(trace.data, "ab");
        green_sem_adjust(&sem, 2);
        ck_assert_int_eq(sem.count, 2);
}

GREEN_TEST(semaphore_wait_times_out_and_is_cancelled_holding_nothing)
{
        struct error err;
        struct green *late;

        green_sem_init(&sem, "sem", 0);
        ck_assert_ok(green_spawn(NULL, "t", take_sem, "?", &err), err);
        ck_assert_ok(green_sleep(2, &err), err);
        late = green_spawn_ref(NULL, "c", take_sem, "?", &err);
        green_yield();
        green_cancel(late);
        ck_assert_ok(green_join(late, deadline_never(), NULL, &err), err);
        green_unref(late);
        ck_assert_str_eq(trace.data, "TC");
        green_sem_release(&sem);
        ck_assert_int_eq(sem.count, 1);
        ck_assert_fails(green_sem_acquire(&(struct green_sem){ .waiters = LIST_INIT(sem.waiters) },
                                          deadline_now(), &err),
                        err, ERR_TIMEOUT);
}

static int take_mutex(void *arg, struct error *err)
{
        assert_green();
        if (green_mutex_lock(&mutex, deadline_in_ms(500), err) < 0) {
                strbuf_adds(&trace, err->code == ERR_TIMEOUT ? "T" : "C");
                return -1;
        }
        strbuf_adds(&trace, arg);
        ck_assert_ok(green_sleep(0.1, err), *err);
        green_mutex_unlock(&mutex);
        return 0;
}

static void state_of(const struct green_info *info, struct green *g, void *arg)
{
        if (strcmp(info->name, "b") == 0)
                snprintf(arg, sizeof(info->state), "%s", info->state);
}

GREEN_TEST(mutex_is_fifo_and_shows_its_owner)
{
        struct error err;
        char state[128] = "";

        green_mutex_init(&mutex, "the lock");
        ck_assert_ok(green_spawn(NULL, "a", take_mutex, "a", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", take_mutex, "b", &err), err);
        green_yield();
        green_foreach(state_of, state);
        ck_assert_str_eq(state, "lock the lock held by #1 a");
        ck_assert(!green_mutex_try(&mutex));
        ck_assert_ok(green_mutex_lock(&mutex, deadline_in_ms(1000), &err), err);
        ck_assert_str_eq(trace.data, "ab");
        ck_assert_int_eq(clock_fake_elapsed_ms(), 200);
        ck_assert_ptr_eq(mutex.owner, green_self());
        green_mutex_unlock(&mutex);
        ck_assert_ptr_null(mutex.owner);
}

GREEN_TEST(mutex_wait_times_out_and_is_cancelled)
{
        struct error err;
        struct green *g;

        green_mutex_init(&mutex, "m");
        ck_assert_ok(green_mutex_lock(&mutex, deadline_never(), &err), err);
        ck_assert_ok(green_spawn(NULL, "t", take_mutex, "?", &err), err);
        ck_assert_ok(green_sleep(0.6, &err), err);
        g = green_spawn_ref(NULL, "c", take_mutex, "?", &err);
        green_yield();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        green_unref(g);
        ck_assert_str_eq(trace.data, "TC");
        green_mutex_unlock(&mutex);
        ck_assert(green_mutex_try(&mutex));
        green_mutex_unlock(&mutex);
}

GREEN_TEST_REAL(locking_twice_aborts)
{
        struct error err;

        quiet_stderr();
        green_mutex_init(&mutex, "m");
        green_mutex_lock(&mutex, deadline_never(), &err);
        green_mutex_lock(&mutex, deadline_never(), &err);
}

static int await_event(void *arg, struct error *err)
{
        assert_green();
        if (green_event_wait(&event, deadline_in_ms(500), err) < 0) {
                strbuf_adds(&trace, err->code == ERR_TIMEOUT ? "T" : "C");
                return -1;
        }
        strbuf_adds(&trace, arg);
        return 0;
}

GREEN_TEST(event_lets_all_pass_until_it_is_cleared)
{
        struct error err;
        struct green *g;

        green_event_init(&event, "ready");
        ck_assert_ok(green_spawn(NULL, "a", await_event, "a", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", await_event, "b", &err), err);
        green_yield();
        green_event_set(&event);
        ck_assert_ok(green_event_wait(&event, deadline_now(), &err), err);
        green_yield();
        ck_assert_str_eq(trace.data, "ab");
        green_event_clear(&event);
        ck_assert_fails(green_event_wait(&event, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
        g = green_spawn_ref(NULL, "c", await_event, "?", &err);
        green_yield();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        green_unref(g);
        ck_assert_str_eq(trace.data, "abC");
}

static int await_cond(void *arg, struct error *err)
{
        assert_green();
        if (green_cond_wait(&cond, deadline_in_ms(500), err) < 0) {
                strbuf_adds(&trace, err->code == ERR_TIMEOUT ? "T" : "C");
                return -1;
        }
        strbuf_adds(&trace, arg);
        return 0;
}

GREEN_TEST(condition_wakes_one_or_all)
{
        struct error err;

        green_cond_init(&cond, "changed");
        green_cond_signal(&cond); /* nobody waits: lost, as it should be */
        ck_assert_ok(green_spawn(NULL, "a", await_cond, "a", &err), err);
        ck_assert_ok(green_spawn(NULL, "b", await_cond, "b", &err), err);
        ck_assert_ok(green_spawn(NULL, "c", await_cond, "c", &err), err);
        green_yield();
        green_cond_signal(&cond);
        green_yield();
        ck_assert_str_eq(trace.data, "a");
        green_cond_broadcast(&cond);
        green_yield();
        ck_assert_str_eq(trace.data, "abc");
        ck_assert_fails(green_cond_wait(&cond, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
}

int main(void)
{
        Suite *suite = suite_create("sync");
        TCase *tcase = tcase_create("sync");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, semaphore_is_fifo_and_hands_over);
        tcase_add_test(tcase, semaphore_made_larger_wakes_and_made_smaller_wants_back);
        tcase_add_test(tcase, semaphore_wait_times_out_and_is_cancelled_holding_nothing);
        tcase_add_test(tcase, mutex_is_fifo_and_shows_its_owner);
        tcase_add_test(tcase, mutex_wait_times_out_and_is_cancelled);
        tcase_add_test_raise_signal(tcase, locking_twice_aborts, SIGABRT);
        tcase_add_test(tcase, event_lets_all_pass_until_it_is_cleared);
        tcase_add_test(tcase, condition_wakes_one_or_all);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
