/* Processes that die: each in a child, whose stderr is read. */
#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "green/green.h"
#include "green/sync.h"
#include "native/fatal.h"
#include "native/native_thread.h"

static char said[1 << 20];
static int status;

static struct green_event never;
static volatile bool over;

static int wait_for_ever(void *arg, struct error *err)
{
        assert_green();
        return green_event_wait(&never, deadline_never(), err);
}

static void HUB_ONLY prepare(unsigned others)
{
        struct error err;

        ck_assert_ok(fatal_start(&err), err);
        ck_assert_ok(green_catch_overflow(&err), err);
        green_event_init(&never, "never");
        for (unsigned i = 0; i < others; i++)
                ck_assert_ok(green_spawn(NULL, "waiter", wait_for_ever, NULL, &err), err);
}

/* Runs the body in a hub of a child. */
static void die_in(green_fn *fn)
{
        struct error err;
        size_t len = 0;
        int fds[2];
        pid_t pid;

        ck_assert_int_eq(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
                dup2(fds[1], STDERR_FILENO);
                close(fds[0]);
                close(fds[1]);
                alarm(50);
                hub_run(fn, NULL, NULL, &err);
                _exit(0);
        }
        close(fds[1]);
        for (ssize_t n; len < sizeof(said) - 1 && (n = read(fds[0], said + len, sizeof(said) - 1 - len)) > 0;)
                len += (size_t)n;
        said[len] = '\0';
        close(fds[0]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static void died_of(int sig)
{
#ifdef __SANITIZE_ADDRESS__
        if (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL)
                return; /* ASan's own handler, which was there before, ends it with a status */
#endif
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == sig, "status %x after: %s", status, said);
}

static void has(const char *text)
{
        ck_assert_msg(strstr(said, text) != NULL, "\"%s\" is not in: %s", text, said);
}

static void has_not(const char *text)
{
        ck_assert_msg(strstr(said, text) == NULL, "\"%s\" is in: %s", text, said);
}

static int __attribute__((noinline)) hold_the_hub(void *arg, struct error *err)
{
        assert_green();
        kill(getpid(), SIGABRT); /* as a service manager does while the hub does not turn */
        while (!over)
                ;
        return 0;
}

static int hang(void *arg, struct error *err)
{
        assert_green();
        prepare(3);
        ck_assert_ok(green_spawn(NULL, "the culprit", hold_the_hub, NULL, err), *err);
        return green_sleep(1000, err);
}

START_TEST(who_holds_the_hub_is_told_when_the_watchdog_ends_the_process)
{
        die_in(hang);
        died_of(SIGABRT);
        has("fatal signal 6 (SIGABRT) sent by process ");
        has("the hub's thread is at\n");
        has("hold_the_hub+0x");
        has("(test_fatal.c:");
        has("runs #4 the culprit, since ");
        has("  #1 waiter (group root, spawned at test_fatal.c:");
        has("): event never for ");
        has("end of what could be said");
}
END_TEST

static int __attribute__((noinline)) touch_what_is_not_there(void *arg, struct error *err)
{
        volatile int *nowhere = (int *)0x1238;

        assert_green();
        return *nowhere;
}

static int fault(void *arg, struct error *err)
{
        assert_green();
        prepare(1);
        ck_assert_ok(green_spawn(NULL, "clumsy", touch_what_is_not_there, NULL, err), *err);
        return green_sleep(1000, err);
}

START_TEST(a_fault_is_told_with_its_address_and_green_thread)
{
        die_in(fault);
        died_of(SIGSEGV);
        has("fatal signal 11 (SIGSEGV) at address 0x1238");
        has("touch_what_is_not_there+0x");
        has("runs #2 clumsy");
        has_not("stack overflow");
}
END_TEST

static int __attribute__((noinline)) deeper(volatile char *above)
{
        volatile char room[512];

        room[0] = above ? above[0] : 0;
        return over ? 0 : deeper(room) + room[0];
}

static int overflow(void *arg, struct error *err)
{
        assert_green();
        return deeper(NULL);
}

static int overflow_a_stack(void *arg, struct error *err)
{
        assert_green();
        prepare(0);
        ck_assert_ok(green_spawn(NULL, "deep", overflow, NULL, err), *err);
        return green_sleep(1000, err);
}

START_TEST(a_stack_overflow_is_named_first)
{
        const char *line;

        die_in(overflow_a_stack);
        died_of(SIGSEGV);
        has("green thread deep: stack overflow");
        line = strstr(said, "stack overflow");
        ck_assert_ptr_nonnull(strstr(line, "fatal signal 11"));
        has("deeper+0x");
}
END_TEST

static void *abort_natively(void *arg)
{
        native_thread_set_name("a-worker");
        raise(SIGABRT); /* abort() may be the last instruction, and so return to the function after this one
                         */
        return NULL;
}

static int abort_elsewhere(void *arg, struct error *err)
{
        pthread_t thread;

        assert_green();
        prepare(1);
        ck_assert_int_eq(native_thread_start(&thread, abort_natively, NULL), 0);
        while (!over)
                ;
        return 0;
}

START_TEST(a_native_thread_that_aborts_tells_of_itself_and_of_the_hub)
{
        die_in(abort_elsewhere);
        died_of(SIGABRT);
        has(" a-worker\n");
        has("that thread is at\n");
        has("abort_natively+0x");
        has("the hub's thread is at\n");
        has("abort_elsewhere+0x");
        has("runs #0 main");
}
END_TEST

static int hang_among_many(void *arg, struct error *err)
{
        assert_green();
        prepare(1000);
        green_yield();
        raise(SIGABRT);
        return 0;
}

START_TEST(many_green_threads_are_cut_off)
{
        die_in(hang_among_many);
        died_of(SIGABRT);
        has("1001 green threads, runs #0 main");
        has("#199 waiter");
        has("the others are left out: there are too many");
        has_not("#200 waiter");
}
END_TEST

static int say_nothing_at_the_end(void *arg, struct error *err)
{
        assert_green();
        prepare(1);
        fatal_stop();
        raise(SIGABRT);
        return 0;
}

START_TEST(after_the_stop_the_hub_is_not_looked_at)
{
        die_in(say_nothing_at_the_end);
        died_of(SIGABRT);
        has("say_nothing_at_the_end+0x");
        has_not("green threads");
}
END_TEST

UNIT_SUITE_BY_ITSELF("fatal", who_holds_the_hub_is_told_when_the_watchdog_ends_the_process,
                     a_fault_is_told_with_its_address_and_green_thread, a_stack_overflow_is_named_first,
                     a_native_thread_that_aborts_tells_of_itself_and_of_the_hub,
                     many_green_threads_are_cut_off, after_the_stop_the_hub_is_not_looked_at)
