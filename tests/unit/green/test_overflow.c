/* tests/unit/green/test_overflow.c: what a process says that dies of a stack overflow, or of something else.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/original.h"
#include "green/sanitizer.h"
#include "green_test.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#if defined(WITH_ASAN) || defined(WITH_TSAN)
enum { SANITIZED = true }; /* they report, and exit instead of dying of the signal */
#else
enum { SANITIZED = false };
#endif

static char said[8192]; /* by the child that ended last */

/* Runs body in a child; its wait status. What it writes to stderr is in `said`. */
static int status_of(void (*body)(void))
{
        size_t len = 0;
        int fds[2], status;
        ssize_t n;
        pid_t pid;

        ck_assert_int_eq(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
                setrlimit(RLIMIT_CORE, &(struct rlimit){});
                dup2(fds[1], STDERR_FILENO);
                close(fds[0]);
                close(fds[1]);
                body();
                _exit(0);
        }
        close(fds[1]);
        while ((n = read(fds[0], said + len, sizeof(said) - 1 - len)) > 0)
                len += (size_t)n;
        said[len] = '\0';
        close(fds[0]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        return status;
}

static void died_of_sigsegv(int status)
{
        if (!SANITIZED)
                ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status 0x%x: %s", status,
                              said);
}

static void has_said(const char *text)
{
        ck_assert_msg(strstr(said, text) != NULL, "said nothing of \"%s\", but: %s", text, said);
}

static int in_hub(green_fn *fn, void *arg, struct error *err)
{
        struct green *g;

        assert_green();
        if (green_catch_overflow(err) < 0)
                return -1;
        g = green_spawn_ref(NULL, "downwards-7", fn, arg, err);
        return g && green_join(g, deadline_never(), NULL, err) == 0 ? 0 : -1;
}

static green_fn *the_body;

static int body_main(void *arg, struct error *err)
{
        assert_green();
        return in_hub(the_body, arg, err);
}

static void run_the_body(void)
{
        struct error err = {};

        if (hub_run(body_main, NULL, NULL, &err) < 0)
                fprintf(stderr, "%s\n", err.text);
}

static int status_of_thread(green_fn *body)
{
        the_body = body;
        return status_of(run_the_body);
}

static volatile int bottomless = 1;

static __attribute__((noinline)) int descend(int depth)
{
        volatile char frame[1000];
        int r = 0;

        frame[0] = frame[sizeof(frame) - 1] = 1;
        if (bottomless)
                r = descend(depth + 1);
        __asm__ volatile("" ::"r"(frame) : "memory");
        return r + frame[0];
}

static int recurse(void *arg, struct error *err)
{
        assert_green();
        return descend(0);
}

START_TEST(an_overflow_names_the_thread_and_its_stack)
{
        int status;

        if (RUNNING_ON_VALGRIND) /* where there is no signal stack */
                return;
        status = status_of_thread(recurse);
        has_said("green thread downwards-7: stack overflow (");
        has_said(SANITIZED ? "(256 KiB from 0x" : "(64 KiB from 0x");
        died_of_sigsegv(status);
}
END_TEST

/* Touches its deep end first: what lies between, the guard too, only the compiler's probes touch. */
static __attribute__((noinline)) int take_a_large_frame(void)
{
        volatile char frame[SANITIZED ? 800 * 1024 : 200 * 1024];

        frame[0] = 1;
        __asm__ volatile("" ::"r"(frame) : "memory");
        return frame[0];
}

static int jump_over_the_guard(void *arg, struct error *err)
{
        assert_green();
        return take_a_large_frame();
}

START_TEST(a_frame_larger_than_the_stack_does_not_jump_over_the_guard)
{
        int status;

        if (RUNNING_ON_VALGRIND)
                return;
        status = status_of_thread(jump_over_the_guard);
        has_said("green thread downwards-7: stack overflow (");
        died_of_sigsegv(status);
}
END_TEST

/* In the page after the first, where nothing is ever mapped: UBSan would tell of the null pointer itself. */
static int *volatile nowhere = (int *)4096;

static int write_nowhere(void *arg, struct error *err)
{
        assert_green();
        *nowhere = 1;
        return 0;
}

START_TEST(a_null_pointer_is_no_overflow)
{
        int status = status_of_thread(write_nowhere);

        ck_assert_ptr_null(strstr(said, "stack overflow ("));
        died_of_sigsegv(status);
}
END_TEST

static int be_killed(void *arg, struct error *err)
{
        assert_green();
        kill(getpid(), SIGSEGV);
        return 0;
}

START_TEST(a_signal_that_somebody_sent_is_no_overflow_and_kills)
{
        int status = status_of_thread(be_killed);

        ck_assert_ptr_null(strstr(said, "stack overflow ("));
        died_of_sigsegv(status);
}
END_TEST

static void report_and_exit(int sig)
{
        static const char text[] = "the handler before\n";

        _exit(write(STDERR_FILENO, text, sizeof(text) - 1) > 0 ? 9 : 8);
}

static void write_nowhere_with_a_handler(void)
{
        signal(SIGSEGV, report_and_exit);
        the_body = write_nowhere;
        run_the_body();
}

START_TEST(other_faults_go_to_the_handler_before)
{
        int status;

        if (RUNNING_ON_VALGRIND) /* which ends such children in a way of its own */
                return;
        status = status_of(write_nowhere_with_a_handler);
        has_said("the handler before");
        ck_assert_ptr_null(strstr(said, "stack overflow ("));
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}
END_TEST

static void recurse_with_a_handler(void)
{
        struct sigaction action = { .sa_handler = report_and_exit, .sa_flags = SA_ONSTACK };

        sigaction(SIGSEGV, &action, NULL);
        the_body = recurse;
        run_the_body();
}

START_TEST(after_the_line_an_overflow_goes_there_too)
{
        int status;

        if (RUNNING_ON_VALGRIND)
                return;
        status = status_of(recurse_with_a_handler);
        has_said("green thread downwards-7: stack overflow (");
        has_said("the handler before");
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}
END_TEST

static void *write_nowhere_natively(void *arg)
{
        *nowhere = 1;
        return NULL;
}

static int fault_on_a_native_thread(void *arg, struct error *err)
{
        pthread_t t;

        assert_green();
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, write_nowhere_natively, NULL), 0);
        patcher_original(pthread_join)(t, NULL);
        return 0;
}

START_TEST(a_fault_of_a_native_thread_is_no_overflow)
{
        int status;

        if (RUNNING_ON_VALGRIND) /* which ends such children in a way of its own */
                return;
        status = status_of_thread(fault_on_a_native_thread);
        ck_assert_ptr_null(strstr(said, "stack overflow ("));
        died_of_sigsegv(status);
}
END_TEST

static int overflow_the_native_stack(void *arg, struct error *err)
{
        assert_green();
        if (green_catch_overflow(err) < 0)
                return -1;
        return descend(0);
}

static void *run_a_hub(void *arg)
{
        struct error err = {};

        hub_run(overflow_the_native_stack, NULL, NULL, &err);
        return NULL;
}

static void overflow_in_main(void)
{
        pthread_attr_t attr;
        pthread_t t;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 512 * 1024);
        if (pthread_create(&t, &attr, run_a_hub, NULL) == 0)
                pthread_join(t, NULL);
}

START_TEST(the_native_stack_of_main_can_overflow_too)
{
        int status;

        if (RUNNING_ON_VALGRIND)
                return;
        status = status_of(overflow_in_main);
        has_said(SANITIZED ? "green thread main: stack overflow (" /* theirs are larger */
                           : "green thread main: stack overflow (512 KiB from 0x");
        died_of_sigsegv(status);
}
END_TEST

UNIT_SUITE("green-overflow", an_overflow_names_the_thread_and_its_stack,
           a_frame_larger_than_the_stack_does_not_jump_over_the_guard, a_null_pointer_is_no_overflow,
           a_signal_that_somebody_sent_is_no_overflow_and_kills, other_faults_go_to_the_handler_before,
           after_the_line_an_overflow_goes_there_too, a_fault_of_a_native_thread_is_no_overflow,
           the_native_stack_of_main_can_overflow_too)
