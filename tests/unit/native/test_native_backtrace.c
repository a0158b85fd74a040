#include "suite.h"

#include <gnu/libc-version.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "native/native_backtrace.h"
#include "native/native_thread.h"
#include "native/symbolise.h"

enum { LONG_MS = 20000 };

static struct error err;
static _Atomic pid_t tid;
static atomic_bool stop;
static sem_t there;
static void *frames[32];

static void __attribute__((noinline)) spin_here(void)
{
        tid = gettid();
        sem_post(&there);
        while (!stop)
                ;
}

static void *spin(void *arg)
{
        spin_here();
        return NULL;
}

static void *block_and_spin(void *arg)
{
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        spin_here();
        return NULL;
}

static pthread_t begin(void *(*fn)(void *arg))
{
        pthread_t thread;

        ck_assert_ok(native_backtrace_start(&err), err);
        sem_init(&there, 0, 0);
        ck_assert_int_eq(native_thread_start(&thread, fn, NULL), 0);
        sem_wait(&there);
        return thread;
}

static void end(pthread_t thread)
{
        stop = true;
        pthread_join(thread, NULL);
}

static bool found(const char *name, int n)
{
        char text[256];

        for (int i = 0; i < n; i++) {
                symbolise(frames[i], text, sizeof(text));
                if (strncmp(text, name, strlen(name)) == 0)
                        return true;
        }
        return false;
}

START_TEST(a_thread_that_spins_says_where)
{
        pthread_t thread = begin(spin);

        for (int i = 0; i < 20; i++) {
                int n = native_backtrace(tid, frames, 32, LONG_MS);

                ck_assert_int_gt(n, 0);
                ck_assert(found("spin_here", n));
        }
        ck_assert_int_eq(native_backtrace(tid, frames, 1, LONG_MS), 1);
        end(thread);
}
END_TEST

START_TEST(one_that_takes_no_signals_is_not_asked)
{
        pthread_t thread = begin(block_and_spin);

        ck_assert_int_eq(native_backtrace(tid, frames, 32, LONG_MS), -1);
        end(thread);
}
END_TEST

START_TEST(one_that_has_ended_is_not_asked)
{
        end(begin(spin));
        ck_assert_int_eq(native_backtrace(tid, frames, 32, LONG_MS), -1);
        ck_assert_int_eq(native_backtrace(tid, frames, 32, LONG_MS), -1); /* nor is anything stuck */
}
END_TEST

START_TEST(without_names_there_are_offsets_into_files)
{
        char text[128], small[4];
        void *end_of_text;

        symbolise_plainly((void *)begin, text, sizeof(text));
        ck_assert_msg(strncmp(text, "test-native-backtrace+0x", 24) == 0, "%s", text);
        symbolise_plainly((void *)gnu_get_libc_version, text, sizeof(text));
        ck_assert_msg(strncmp(text, "libc.so.6+0x", 12) == 0, "%s", text);
        symbolise_plainly((void *)0x10, text, sizeof(text));
        ck_assert_str_eq(text, "0x10");
        symbolise_plainly((void *)gnu_get_libc_version, small, sizeof(small));
        ck_assert_str_eq(small, "lib");
        end_of_text = text;
        symbolise_plainly((void *)gnu_get_libc_version, end_of_text, 0);
}
END_TEST

UNIT_SUITE_BY_ITSELF("native backtrace", a_thread_that_spins_says_where,
                     one_that_takes_no_signals_is_not_asked, one_that_has_ended_is_not_asked,
                     without_names_there_are_offsets_into_files)
