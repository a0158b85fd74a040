/* Signals, fork and posix_spawn from a green thread. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "green/sync.h"
#include "patch.h"

extern char **environ;

/* What a child that runs fn ends with. */
static int YIELDS status_of(void (*fn)(void *arg), void *arg)
{
        int status = -1;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                fn(arg);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        return status;
}

static void use_plain_calls(void *arg)
{
        int *fds = arg;
        struct pollfd p = { .fd = fds[0], .events = POLLIN };
        char c;

        if (on_hub_thread() || poll(&p, 1, 10) != 0 || usleep(1000) != 0)
                _exit(1);
        if (write(fds[1], "x", 1) != 1 || read(fds[0], &c, 1) != 1 || close(fds[0]) != 0)
                _exit(2);
}

/* A pipe of the child's own: the parent's waiters must not notice what it does. */
GREEN_TEST_REAL(a_child_has_plain_calls)
{
        int fds[2];

        patch(PATCH_ALL);
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq(status_of(use_plain_calls, fds), 0);
        ck_assert(on_hub_thread());
}

static struct error ignored;

static CONTEXT(no_thread_safety_analysis) void sleep_green(void *arg)
{
        green_sleep(0.01, &ignored);
}

static CONTEXT(no_thread_safety_analysis) void yield_green(void *arg)
{
        green_yield();
}

static CONTEXT(no_thread_safety_analysis) void wait_green(void *arg)
{
        green_wait_fd(STDIN_FILENO, GREEN_READ, deadline_never(), &ignored);
}

static CONTEXT(no_thread_safety_analysis) void assert_it(void *arg)
{
        assert_on_hub();
}

/* Runs fn in a child whose standard error comes back. */
struct aborting {
        void (*fn)(void *arg);
        int err;
};

static void abort_with_message(void *arg)
{
        const struct aborting *a = arg;

        signal(SIGABRT, SIG_DFL);
        dup2(a->err, STDERR_FILENO);
        a->fn(NULL);
}

GREEN_TEST_REAL(green_calls_of_a_child_are_refused_with_a_message)
{
        void (*const calls[])(void *arg) = { sleep_green, yield_green, wait_green, assert_it };

        patch(PATCH_ALL);
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
                char said[1000] = "";
                int fds[2], status;
                struct aborting a = { calls[i], -1 };

                ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
                a.err = fds[1];
                status = status_of(abort_with_message, &a);
                ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "call %zu: status %d", i,
                              status);
                ck_assert_int_gt(read(fds[0], said, sizeof(said) - 1), 0);
                ck_assert_msg(strstr(said, "forked child"), "%s", said);
                close(fds[0]);
                close(fds[1]);
        }
}

static int wait_for_byte(void *arg, struct error *err)
{
        char c;

        assert_green();
        ck_assert_int_eq(recv(*(int *)arg, &c, 1, 0), 1);
        *(int *)arg = -1;
        return 0;
}

static void close_and_poll(void *arg)
{
        struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

        if (poll(&p, 1, 2000) != 1) /* sees the byte, and leaves it there */
                _exit(1);
        close(*(int *)arg);
}

/* The child looks at the same socket while a green thread of the parent waits for it. */
GREEN_TEST_REAL(a_child_takes_no_events_from_its_parent)
{
        static int waiting;
        struct pair p = stream_pair();
        pid_t pid;
        int status;

        patch(PATCH_ALL);
        waiting = p.a;
        spawn("waiter", wait_for_byte, &waiting);
        green_yield();
        pid = fork();
        if (pid == 0) {
                close_and_poll(&(int){ p.a });
                _exit(0);
        }
        usleep(20000);
        ck_assert_int_eq(waiting, p.a);
        ck_assert_int_eq(send(p.b, "x", 1, 0), 1);
        while (waiting >= 0)
                usleep(1000);
        kill(pid, SIGKILL); /* it may have come too late to see the byte */
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static int own_main(void *arg, struct error *err)
{
        assert_green();
        *(int *)arg = green_sleep(0.01, err) == 0 ? 3 : 4;
        return 0;
}

static void begin_anew(void *arg)
{
        int r = 1;

        if (hub_run(own_main, &r, NULL, &ignored) < 0 || on_hub_thread())
                _exit(1);
        _exit(r);
}

GREEN_TEST_REAL(a_child_may_run_a_hub_of_its_own)
{
        patch(PATCH_ALL);
        ck_assert_int_eq(WEXITSTATUS(status_of(begin_anew, NULL)), 3);
}

GREEN_TEST_REAL(posix_spawn_and_waitpid_leave_the_hub_free)
{
        static int ticks;
        char *argv[] = { (char *)"sleep", (char *)"0.1", NULL };
        pid_t pid;
        int status = -1;

        patch(PATCH_ALL);
        spawn("ticker", ticker, &ticks);
        ck_assert_int_eq(posix_spawnp(&pid, "sleep", NULL, NULL, argv, environ), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        ck_assert_int_gt(ticks, 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), -1);
        ck_assert_int_eq(errno, ECHILD);
}

/* ---- signals ---- */

static volatile sig_atomic_t alarms;
static volatile uintptr_t handler_stack;

static void on_alarm(int sig)
{
        handler_stack = (uintptr_t)__builtin_frame_address(0); /* ASan may keep locals elsewhere */
        alarms++;
}

GREEN_TEST_REAL(a_timer_s_signals_disturb_no_wait)
{
        struct sigaction sa = { .sa_handler = on_alarm }; /* no SA_RESTART */
        struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = {};
        struct pair p = stream_pair();
        struct pollfd fd = { .fd = p.a, .events = POLLIN };
        int64_t begin = clock_now_ns();
        char c;

        patch(PATCH_ALL);
        sigaction(SIGALRM, &sa, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
        while (alarms < 5) {
                ck_assert_int_eq(poll(&fd, 1, 20), 0);
                ck_assert_int_eq(usleep(20000), 0);
        }
        ck_assert_int_ge(clock_now_ns() - begin, 40 * NS_PER_MS);
        ck_assert_int_eq(send(p.b, "x", 1, 0), 1);
        ck_assert_int_eq(recv(p.a, &c, 1, 0), 1);
        setitimer(ITIMER_REAL, &never, NULL);
}

static int raise_it(void *arg, struct error *err)
{
        assert_green();
        raise(SIGALRM);
        *(bool *)arg = handler_stack - (uintptr_t)__builtin_frame_address(0) + 60000 < 120000;
        return 0;
}

GREEN_TEST(handlers_run_on_the_green_stack_or_on_the_one_for_signals)
{
        struct sigaction sa = { .sa_handler = on_alarm };
        struct error err;
        static bool near;
        stack_t special;

        sigaction(SIGALRM, &sa, NULL);
        spawn("raises", raise_it, &near);
        green_yield();
        ck_assert_int_eq(alarms, 1);
        ck_assert(near);
        ck_assert_ok(hub_use_signal_stack(&err), err);
        sa.sa_flags = SA_ONSTACK;
        sigaction(SIGALRM, &sa, NULL);
        spawn("raises", raise_it, &near);
        green_yield();
        ck_assert_int_eq(alarms, 2);
        ck_assert_int_eq(sigaltstack(NULL, &special), 0);
        if (special.ss_flags & SS_DISABLE)
                ck_assert(near); /* valgrind, under which there is none */
        else
                ck_assert_uint_lt(handler_stack - (uintptr_t)special.ss_sp, special.ss_size);
}

GREEN_SUITE("patcher-fork", a_child_has_plain_calls, green_calls_of_a_child_are_refused_with_a_message,
            a_child_takes_no_events_from_its_parent, a_child_may_run_a_hub_of_its_own,
            posix_spawn_and_waitpid_leave_the_hub_free, a_timer_s_signals_disturb_no_wait,
            handlers_run_on_the_green_stack_or_on_the_one_for_signals)
