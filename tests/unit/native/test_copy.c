#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native/copy.h"
#include "native/symbolise.h"

enum { LONG_MS = 60000, SHORT_MS = 50 };

static int value = 1;
static int pipes[2];

static int run(int (*fn)(void *arg), void *arg, unsigned ms)
{
        const struct copy c = { fn, arg, { pipes[1], -1 }, ms };

        return copy_run(&c);
}

static int change(void *arg)
{
        value = 2;
        return *(int *)arg;
}

START_TEST(it_ends_with_what_it_returned_and_changes_nothing_here)
{
        int wanted = 127;

        ck_assert_int_eq(run(change, &wanted, LONG_MS), 127);
        ck_assert_int_eq(value, 1);
        wanted = 0;
        ck_assert_int_eq(run(change, &wanted, LONG_MS), 0);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD); /* nothing is left behind */
}
END_TEST

static int crash(void *arg)
{
        return raise(SIGSEGV);
}

START_TEST(a_crash_is_an_error)
{
        ck_assert_int_eq(run(crash, NULL, LONG_MS), -1);
        ck_assert_int_eq(errno, EFAULT);
}
END_TEST

static int hang(void *arg)
{
        while (value)
                pause();
        return 0;
}

START_TEST(one_that_hangs_is_ended)
{
        ck_assert_int_eq(run(hang, NULL, SHORT_MS), -1);
        ck_assert_int_eq(errno, ETIMEDOUT);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static int look_at_descriptors(void *arg)
{
        const int *other = arg;

        if (fcntl(pipes[0], F_GETFD) >= 0 || fcntl(*other, F_GETFD) >= 0 || fcntl(*other + 1, F_GETFD) >= 0)
                return 1;
        return write(pipes[1], "x", 1) == 1 ? 0 : 2;
}

START_TEST(it_has_the_descriptors_that_it_was_given_only)
{
        char byte = 0;
        int other;

        ck_assert_int_eq(pipe(pipes), 0);
        other = dup(STDIN_FILENO);
        ck_assert_int_eq(run(look_at_descriptors, &other, LONG_MS), 0);
        ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
        ck_assert_int_eq(byte, 'x');
        ck_assert_int_ge(fcntl(other, F_GETFD), 0);
}
END_TEST

/* ---- trying ---- */

static void do_nothing(void *arg)
{
        (*(int *)arg)++;
}

static void touch(void *arg)
{
        *(volatile int *)arg = 1;
}

static void give_up(void *arg)
{
        abort();
}

static void hang_in_lock(void *arg)
{
        pthread_mutex_lock(arg);
}

static int try_each(void *arg)
{
        pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
        int done = 0;

        pthread_mutex_lock(&held);
        if (!copy_try(do_nothing, &done, LONG_MS) || done != 1)
                return 1;
        if (copy_try(touch, (void *)8, LONG_MS))
                return 2;
        if (copy_try(give_up, NULL, LONG_MS))
                return 3;
        if (copy_try(hang_in_lock, &held, SHORT_MS))
                return 4;
        return copy_try(do_nothing, &done, LONG_MS) && done == 2 ? 0 : 5;
}

START_TEST(what_crashes_aborts_or_hangs_is_left_and_the_next_is_tried)
{
        ck_assert_int_eq(run(try_each, NULL, LONG_MS), 0);
}
END_TEST

static int look_up(void *arg)
{
        char text[256];

        symbolise_in_copy();
        symbolise((void *)look_up, text, sizeof(text));
        return strncmp(text, "look_up+0x0 (test_copy.c:", 25) == 0 ? 0 : 1;
}

static void *look_up_for_ever(void *stop)
{
        char text[256];

        while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
                symbolise((void *)look_up, text, sizeof(text));
        return NULL;
}

START_TEST(names_are_found_in_it_while_another_thread_looks_for_some)
{
        static bool stop;
        pthread_t other;

        ck_assert_int_eq(pthread_create(&other, NULL, look_up_for_ever, &stop), 0);
        for (int i = 0; i < 5; i++)
                ck_assert_int_eq(run(look_up, NULL, LONG_MS), 0);
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
        pthread_join(other, NULL);
}
END_TEST

UNIT_SUITE_BY_ITSELF("copy", it_ends_with_what_it_returned_and_changes_nothing_here, a_crash_is_an_error,
                     one_that_hangs_is_ended, it_has_the_descriptors_that_it_was_given_only,
                     what_crashes_aborts_or_hangs_is_left_and_the_next_is_tried,
                     names_are_found_in_it_while_another_thread_looks_for_some)
