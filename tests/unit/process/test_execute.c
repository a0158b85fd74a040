#include "green_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/sync.h"
#include "process/execute.h"

/* A private directory, which is also where the test stands; left and removed at the end. */
static char dir[64];

static void enter_dir(void)
{
        snprintf(dir, sizeof(dir), "/tmp/test-execute.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chmod(dir, 0777), 0);
        ck_assert_int_eq(chdir(dir), 0);
}

static void leave_dir(void)
{
        DIR *d = opendir(".");
        struct dirent *e;

        while ((e = readdir(d)))
                unlink(e->d_name);
        closedir(d);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(rmdir(dir), 0);
}

/* What a file holds as a number; 0 while it is missing or not written to its end of line. */
static int number_in(const char *path)
{
        char text[32] = "";
        FILE *f = fopen(path, "re");

        if (!f)
                return 0;
        if (!fgets(text, sizeof(text), f) || !strchr(text, '\n'))
                text[0] = '\0';
        fclose(f);
        return (int)strtol(text, NULL, 10);
}

static bool is_alive(int pid)
{
        char path[64], text[256] = "";
        FILE *f;
        const char *state;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f)
                return false;
        if (!fgets(text, sizeof(text), f))
                text[0] = '\0';
        fclose(f);
        state = strrchr(text, ')'); /* an orphan may wait for init to reap it */
        return state && state[2] != 'Z' && state[2] != 'X';
}

static void YIELDS nap(void)
{
        struct error ignored;

        green_sleep(0.002, &ignored);
}

/* The test's time limit is the deadline. */
#define EVENTUALLY(condition) \
        do                    \
                nap();        \
        while (!(condition))

#define ARGV(...)                 \
        (const char *const[])     \
        {                         \
                __VA_ARGS__, NULL \
        }
#define SH(script) ARGV("sh", "-c", script)

static struct deadline soon(void)
{
        return deadline_in_s(30);
}

static void YIELDS expect_output(const struct execute_options *opt, const char *out)
{
        struct execute_result r = {};
        struct error err = {};

        ck_assert_ok(execute(opt, soon(), &r, &err), err);
        ck_assert_str_eq(r.out, out);
        ck_assert_str_eq(r.err, "");
        ck_assert_int_eq(r.exit_code, 0);
        execute_result_free(&r);
}

GREEN_TEST_REAL(both_outputs_are_captured)
{
        struct execute_options opt = { .argv = SH("echo one; echo two >&2; printf three") };
        struct execute_result r = {};
        struct error err = {};

        ck_assert_ok(execute(&opt, soon(), &r, &err), err);
        ck_assert_str_eq(r.out, "one\nthree");
        ck_assert_str_eq(r.err, "two\n");
        ck_assert_uint_eq(r.out_len, 9);
        ck_assert_uint_eq(r.err_len, 4);
        ck_assert_uint_eq(r.attempts, 1);
        ck_assert(!r.truncated);
        execute_result_free(&r);
}

GREEN_TEST_REAL(the_result_may_be_left_out)
{
        struct execute_options opt = { .argv = ARGV("true") };
        struct error err = {};

        ck_assert_ok(execute(&opt, soon(), NULL, &err), err);
}

GREEN_TEST_REAL(a_failure_names_command_code_and_what_was_said)
{
        struct execute_options opt = { .argv = SH("echo lost; echo 'no such\nguest' >&2; exit 3") };
        struct execute_result r = {};
        struct error err;

        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_EXIT);
        ck_assert_int_eq(err.sys, 3);
        ck_assert_str_eq(err.text, "sh -c 'echo lost; echo 'no such guest' >&2; exit 3': exit code 3: "
                                   "no such guest");
        ck_assert_int_eq(r.exit_code, 3);
        ck_assert_str_eq(r.out, "lost\n");
        ck_assert_str_eq(r.err, "no such\nguest\n");
        execute_result_free(&r);
}

GREEN_TEST_REAL(an_allowed_code_is_no_failure)
{
        static const int codes[] = { 0, 3, -1 };
        struct execute_options opt = { .argv = SH("exit 3"), .ok_exit_codes = codes };
        struct execute_result r = {};
        struct error err = {};

        ck_assert_ok(execute(&opt, soon(), &r, &err), err);
        ck_assert_int_eq(r.exit_code, 3);
        execute_result_free(&r);
        opt.argv = SH("exit 4");
        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_EXIT);
}

GREEN_TEST_REAL(death_by_signal_is_an_exit_code)
{
        struct execute_options opt = { .argv = SH("kill -SEGV $$") };
        struct error err;

        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_EXIT);
        ck_assert_int_eq(err.sys, 128 + SIGSEGV);
        ck_assert_ptr_nonnull(strstr(err.text, "exit code 139 (Segmentation fault)"));
}

GREEN_TEST_REAL(a_long_complaint_is_cut_at_its_beginning)
{
        struct execute_options opt = {
                .argv = SH("i=0; while [ $i -lt 3000 ]; do echo noise >&2; i=$((i+1)); done; echo the end "
                           ">&2; exit 1"),
                .output_max = 100,
        };
        struct execute_result r = {};
        struct error err;

        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_EXIT);
        ck_assert_str_eq(err.text + strlen(err.text) - 14, " noise the end");
        ck_assert(r.truncated);
        ck_assert_uint_eq(r.err_len, 100);
        ck_assert_int_eq(strncmp(r.err, "noise\nnoise\n", 12), 0);
        execute_result_free(&r);
}

GREEN_TEST_REAL(input_is_read_by_the_command)
{
        struct execute_options opt = { .argv = ARGV("cat"), .input = "some\ntext", .input_len = 9 };

        expect_output(&opt, "some\ntext");
        opt = (struct execute_options){ .argv = ARGV("cat") }; /* no input: at its end, not ours */
        expect_output(&opt, "");
        opt = (struct execute_options){ .argv = ARGV("cat"), .input = "", .input_len = 0 };
        expect_output(&opt, "");
}

GREEN_TEST_REAL(input_and_output_may_be_large)
{
        enum { SIZE = 5 * 1024 * 1024 + 17 };
        char *input = xmalloc(SIZE);
        struct execute_options opt = {
                .argv = ARGV("cat"), .input = input, .input_len = SIZE, .output_max = SIZE
        };
        struct execute_result r = {};
        struct error err = {};

        for (size_t i = 0; i < SIZE; i++)
                input[i] = (char)(i * 31);
        ck_assert_ok(execute(&opt, soon(), &r, &err), err);
        ck_assert_uint_eq(r.out_len, SIZE);
        ck_assert_mem_eq(r.out, input, SIZE);
        ck_assert(!r.truncated);
        execute_result_free(&r);
        opt.output_max = 1000; /* the rest is thrown away, but the command is not stopped by it */
        ck_assert_ok(execute(&opt, soon(), &r, &err), err);
        ck_assert_uint_eq(r.out_len, 1000);
        ck_assert_mem_eq(r.out, input, 1000);
        ck_assert(r.truncated);
        execute_result_free(&r);
        free(input);
}

GREEN_TEST_REAL(a_command_that_reads_no_input_harms_nobody)
{
        enum { SIZE = 1024 * 1024 };
        char *input = xcalloc(1, SIZE);
        struct execute_options opt = { .argv = ARGV("true"), .input = input, .input_len = SIZE };

        signal(SIGPIPE, SIG_DFL);
        expect_output(&opt, "");
        free(input);
}

GREEN_TEST_REAL(environment_and_directory_are_as_asked)
{
        struct execute_options opt = {
                .argv = SH("pwd; echo $COLOUR $SHAPE $INHERITED"),
                .env = ARGV("COLOUR=blue", "SHAPE=a=b"),
                .cwd = "/usr",
        };

        setenv("COLOUR", "red", 1);
        setenv("INHERITED", "yes", 1);
        expect_output(&opt, "/usr\nblue a=b yes\n");
        ck_assert_str_eq(getenv("COLOUR"), "red");
}

GREEN_TEST_REAL(the_program_is_looked_up_in_the_path_of_the_command)
{
        struct execute_options opt = { .argv = ARGV("tool") };
        struct error err;

        enter_dir();
        ck_assert_int_eq(symlink("/bin/pwd", "tool"), 0);
        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, ENOENT);
        opt.env = ARGV("PATH=/nowhere:.");
        ck_assert_ok(execute(&opt, soon(), NULL, &err), err);
        leave_dir();
}

GREEN_TEST_REAL(what_cannot_be_started_says_why)
{
        struct execute_options opt = { .argv = ARGV("no-such-program") };
        struct execute_result r = { .attempts = 77 };
        struct error err;
        FILE *f;

        enter_dir();
        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_SYSTEM);
        ck_assert_str_eq(err.text, "running no-such-program: No such file or directory");
        opt.argv = ARGV("/no/such/program", "x");
        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_SYSTEM);
        ck_assert_str_eq(err.text, "/no/such/program x: running /no/such/program: No such file or directory");
        opt.argv = ARGV("/usr");
        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, EACCES);
        opt = (struct execute_options){ .argv = ARGV("pwd"), .cwd = "/no/such/directory" };
        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_SYSTEM);
        ck_assert_str_eq(err.text, "pwd: directory /no/such/directory: No such file or directory");
        f = fopen("script", "we"); /* no shell takes over what the kernel cannot run */
        fputs("echo hello\n", f);
        fclose(f);
        chmod("script", 0755);
        opt = (struct execute_options){ .argv = ARGV("./script") };
        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, ENOEXEC);
        ck_assert_uint_eq(r.attempts, 77); /* untouched */
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
        leave_dir();
}

GREEN_TEST_REAL(nonsense_is_refused)
{
        struct execute_options opt = {};
        struct error err;

        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_INVALID);
        opt.argv = (const char *const[]){ NULL };
        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_INVALID);
        opt.argv = ARGV("", "x");
        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_INVALID);
        opt.argv = ARGV("true");
        opt.env = ARGV("NOVALUE");
        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_INVALID);
}

GREEN_TEST_REAL(the_child_starts_with_a_clean_slate)
{
        struct execute_options opt = {
                .argv = ARGV("sed", "-n", "s/^Sig\\(Blk\\|Ign\\|Cgt\\):.*\\(.\\{15\\}\\)$/\\1 \\2/p",
                             "/proc/self/status"),
        };
        sigset_t blocked, after;
        struct sigaction ignored = { .sa_handler = SIG_IGN }, now;

        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR1);
        sigaddset(&blocked, SIGRTMIN + 3);
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        sigaction(SIGPIPE, &ignored, NULL);
        sigaction(SIGHUP, &ignored, NULL);
        expect_output(&opt, "Blk 000000000000000\nIgn 000000000000000\nCgt 000000000000000\n");
        sigprocmask(SIG_BLOCK, NULL, &after); /* and ours is as it was */
        ck_assert(sigismember(&after, SIGUSR1) && sigismember(&after, SIGRTMIN + 3));
        ck_assert(!sigismember(&after, SIGUSR2));
        sigaction(SIGPIPE, NULL, &now);
        ck_assert(now.sa_handler == SIG_IGN);
}

GREEN_TEST_REAL(descriptors_of_ours_stay_ours)
{
        struct execute_options opt = { .argv = SH("ls /proc/$$/fd") };
        int leaky = open("/dev/null", O_RDONLY), low = dup(STDIN_FILENO);

        ck_assert_int_ge(dup2(leaky, 77), 0);
        expect_output(&opt, "0\n1\n2\n");
        close(STDIN_FILENO); /* then our own pipes may get the numbers 0 to 2 */
        expect_output(&opt, "0\n1\n2\n");
        dup2(low, STDIN_FILENO);
        close(77);
        close(leaky);
        close(low);
}

GREEN_TEST_REAL(limits_are_set)
{
        struct execute_options opt = { .argv = SH("ulimit -v; ulimit -S -t"),
                                       .limit_as = 1 << 30,
                                       .limit_cpu_s = 7 };

        expect_output(&opt, "1048576\n7\n");
}

GREEN_TEST_REAL(too_much_processor_time_kills)
{
        struct execute_options opt = { .argv = SH("while :; do :; done"), .limit_cpu_s = 1 };
        struct error err;

        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_EXIT);
        ck_assert_int_eq(err.sys, 128 + SIGXCPU);
}

/* ---- deadlines and cancellation ---- */

GREEN_TEST_REAL(a_deadline_ends_the_command)
{
        struct execute_options opt = { .argv = SH("echo $$ >pid; exec sleep 1000") };
        struct execute_result r = { .attempts = 77 };
        struct error err;

        enter_dir();
        do /* on a loaded machine it may not have come so far in time */
                ck_assert_fails(execute(&opt, deadline_in_ms(100), &r, &err), err, ERR_TIMEOUT);
        while (!number_in("pid"));
        ck_assert_ptr_nonnull(strstr(err.text, "sleep 1000': killed, not done in 0."));
        ck_assert(!is_alive(number_in("pid")));
        ck_assert_uint_eq(r.attempts, 77);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* reaped */
        ck_assert_int_eq(errno, ECHILD);
        leave_dir();
}

GREEN_TEST_REAL(a_deadline_in_the_past_fails_too)
{
        struct execute_options opt = { .argv = ARGV("sleep", "1000") };
        struct error err;

        ck_assert_fails(execute(&opt, deadline_now(), NULL, &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}

struct call {
        struct execute_options opt;
        struct deadline by;
        int result;
        struct error err;
};

static int call(void *arg, struct error *err)
{
        struct call *c = arg;

        assert_green();
        c->result = execute(&c->opt, c->by, NULL, &c->err);
        return 0;
}

static struct green *HUB_ONLY call_in_green(struct call *c)
{
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, "caller", call, c, &err);

        ck_assert_msg(g != NULL, "%s", err.text);
        return g;
}

static void YIELDS join(struct green *g)
{
        struct error err = {};

        ck_assert_ok(green_join(g, soon(), NULL, &err), err);
        green_unref(g);
}

GREEN_TEST_REAL(cancelling_ends_the_command)
{
        struct call c = { .opt = { .argv = SH("echo $$ >pid; exec sleep 1000") }, .by = deadline_never() };
        struct green *g;

        enter_dir();
        g = call_in_green(&c);
        EVENTUALLY(number_in("pid"));
        green_cancel(g);
        join(g);
        ck_assert_int_eq(c.result, -1);
        ck_assert_int_eq(c.err.code, ERR_CANCELLED);
        ck_assert(!is_alive(number_in("pid")));
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        leave_dir();
}

GREEN_TEST_REAL(the_whole_group_is_killed_if_it_does_not_listen)
{
        struct call c = {
                .opt = { .argv = SH("trap '' TERM; sleep 1000 & echo $! >child; echo $$ >pid; "
                                    "while :; do sleep 1000; done") },
                .by = deadline_never(),
        };
        struct green *g;

        enter_dir();
        g = call_in_green(&c);
        EVENTUALLY(number_in("pid"));
        green_cancel(g);
        join(g);
        ck_assert_int_eq(c.err.code, ERR_CANCELLED);
        ck_assert(!is_alive(number_in("pid")));
        EVENTUALLY(!is_alive(number_in("child")));
        leave_dir();
}

GREEN_TEST_REAL(the_command_may_clean_up_on_sigterm)
{
        struct call c = {
                .opt = { .argv = SH("trap 'echo 1 >cleaned; exit 0' TERM; echo $$ >pid; sleep 1000 & wait") },
                .by = deadline_never(),
        };
        struct green *g;

        enter_dir();
        g = call_in_green(&c);
        EVENTUALLY(number_in("pid"));
        green_cancel(g);
        join(g);
        ck_assert_int_eq(number_in("cleaned"), 1);
        leave_dir();
}

GREEN_TEST_REAL(somebody_who_keeps_the_pipes_does_not_keep_us)
{
        struct execute_options opt = { .argv = SH("sleep 1000 & echo $!") };
        struct execute_result r = {};
        struct error err = {};
        int pid;

        ck_assert_ok(execute(&opt, soon(), &r, &err), err); /* in time, although the sleep has our pipe */
        pid = (int)strtol(r.out, NULL, 10);
        ck_assert(is_alive(pid)); /* it ended well, so what it left is not our business */
        kill(pid, SIGKILL);
        execute_result_free(&r);
}

static int tick(void *arg, struct error *err)
{
        unsigned *ticks = arg;

        assert_green();
        while (green_sleep(0.001, err) == 0)
                (*ticks)++;
        return 0;
}

GREEN_TEST_REAL(a_flood_of_output_starves_nobody)
{
        struct execute_options opt = { .argv = ARGV("yes"), .output_max = 10 };
        unsigned ticks = 0;
        struct error err;
        struct green *g = green_spawn_ref(NULL, "ticker", tick, &ticks, &err);

        ck_assert_fails(execute(&opt, deadline_in_ms(200), NULL, &err), err, ERR_TIMEOUT);
        ck_assert_uint_gt(ticks, 0);
        green_cancel(g);
        join(g);
}

/* ---- attempts ---- */

#define COUNT "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n; "

GREEN_TEST_REAL(a_failing_command_is_tried_again)
{
        struct execute_options opt = { .argv = SH(COUNT "echo $n; [ $n = 3 ]"), .attempts = 5 };
        struct execute_result r = {};
        struct error err = {};

        enter_dir();
        ck_assert_ok(execute(&opt, soon(), &r, &err), err);
        ck_assert_uint_eq(r.attempts, 3);
        ck_assert_str_eq(r.out, "3\n"); /* of the last attempt only */
        execute_result_free(&r);
        leave_dir();
}

GREEN_TEST_REAL(attempts_come_to_an_end)
{
        struct execute_options opt = { .argv = SH(COUNT "exit 9"), .attempts = 2, .delay_s = 0.001 };
        struct execute_result r = {};
        struct error err;

        enter_dir();
        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_EXIT);
        ck_assert_int_eq(err.sys, 9);
        ck_assert_uint_eq(r.attempts, 2);
        ck_assert_int_eq(number_in("n"), 2);
        execute_result_free(&r);
        leave_dir();
}

GREEN_TEST_REAL(the_pause_is_random_when_asked_and_ends_with_the_deadline)
{
        struct execute_options opt = { .argv = SH(COUNT "exit 9"), .attempts = 3, .delay_s = -1 };
        struct execute_result r = {};
        struct error err;
        int64_t began = clock_now_ns();

        enter_dir();
        opt.attempts = 2;
        ck_assert_fails(execute(&opt, soon(), NULL, &err), err, ERR_EXIT);
        ck_assert_int_ge(clock_now_ns() - began, NS_PER_S / 5);
        opt.delay_s = 1000; /* not worth waiting for: it says what it knows at once */
        ck_assert_fails(execute(&opt, soon(), &r, &err), err, ERR_EXIT);
        ck_assert_uint_eq(r.attempts, 1);
        execute_result_free(&r);
        leave_dir();
}

GREEN_TEST_REAL(cancelling_ends_the_pause)
{
        struct call c = {
                .opt = { .argv = SH(COUNT "exit 9"), .attempts = 2, .delay_s = 1000 },
                .by = deadline_never(),
        };
        struct green *g;

        enter_dir();
        g = call_in_green(&c);
        EVENTUALLY(number_in("n"));
        green_cancel(g);
        join(g);
        ck_assert_int_eq(c.err.code, ERR_CANCELLED);
        leave_dir();
}

/* ---- other people's processes ---- */

GREEN_TEST_REAL(children_of_others_are_left_to_them)
{
        struct execute_options opt = { .argv = ARGV("true") };
        pid_t mine = fork();
        int status;

        if (mine == 0)
                _exit(42);
        for (int i = 0; i < 10; i++)
                expect_output(&opt, "");
        ck_assert_int_eq(waitpid(mine, &status, 0), mine);
        ck_assert_int_eq(WEXITSTATUS(status), 42);
}

static unsigned count_descriptors(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

GREEN_TEST_REAL(many_at_once_leave_nothing_behind)
{
        enum { CALLS = 40 };
        const char *const *const commands[] = { SH("sleep 0.05; exit 0"), SH("exit 1"), ARGV("sleep", "1000"),
                                                ARGV("/no/such/program") };
        struct call c[CALLS];
        struct green *g[CALLS];
        unsigned descriptors = count_descriptors();

        for (int i = 0; i < CALLS; i++) {
                c[i] = (struct call){ .opt.argv = commands[i % 4], .by = soon() };
                if (i % 4 == 2)
                        c[i].by = deadline_in_ms(50);
                g[i] = call_in_green(&c[i]);
        }
        for (int i = 0; i < CALLS; i++) {
                static const int expected[] = { ERR_NONE, ERR_EXIT, ERR_TIMEOUT, ERR_SYSTEM };

                join(g[i]);
                ck_assert_int_eq(c[i].err.code, expected[i % 4]);
        }
        ck_assert_uint_eq(count_descriptors(), descriptors);
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}

/* ---- as root ---- */

enum { NOBODY = 65534 };

GREEN_TEST_REAL(root_needs_no_helper)
{
        struct execute_options opt = { .argv = SH("echo $HELPED"), .run_as_root = true };

        if (geteuid() != 0)
                ck_assert_int_eq(setenv("HELPED", "yes", 1), 0);
        execute_set_root_helper("env HELPED=yes");
        expect_output(&opt, geteuid() == 0 ? "\n" : "yes\n");
}

GREEN_TEST_REAL(others_go_through_the_helper)
{
        struct execute_options opt = { .argv = SH("echo $HELPED $COLOUR"), .env = ARGV("COLOUR=blue") };

        execute_set_root_helper(" env -i  HELPED=yes ");
        if (geteuid() == 0)
                ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
        expect_output(&opt, "blue\n");
        opt.run_as_root = true; /* this helper clears the environment, as sudo does */
        expect_output(&opt, "yes blue\n");
}

GREEN_TEST_REAL(the_default_helper_is_sudo)
{
        struct execute_options opt = { .argv = ARGV("id", "-u"), .run_as_root = true };
        FILE *f;

        enter_dir();
        f = fopen("sudo", "we");
        fputs("#!/bin/sh\necho sudo \"$@\"\n", f);
        fclose(f);
        chmod("sudo", 0755);
        setenv("PATH", dir, 1);
        execute_set_root_helper(NULL);
        if (geteuid() == 0)
                ck_assert_int_eq(seteuid(NOBODY), 0);
        expect_output(&opt, "sudo -n id -u\n");
        ck_assert_int_eq(seteuid(getuid()), 0);
        leave_dir();
}

/* A real one: a program with the set-user-ID bit, whose children an ordinary user cannot signal. */
GREEN_TEST_REAL(a_process_of_root_is_ended_through_the_helper)
{
        struct execute_options copy = { .argv = ARGV("install", "-m", "4755", BECOME_ROOT, "become-root") };
        struct execute_options probe = { .argv = ARGV("id", "-u"), .run_as_root = true };
        struct execute_result r = {};
        struct call c = {
                .opt = { .argv = SH("echo $$ >pid; exec sleep 1000"), .run_as_root = true },
                .by = deadline_never(),
        };
        struct error err = {};
        struct green *g;

        if (geteuid() != 0) {
                fprintf(stderr, "left out: needs root to make a helper\n");
                return;
        }
        enter_dir();
        ck_assert_ok(execute(&copy, soon(), NULL, &err), err);
        execute_set_root_helper("./become-root");
        ck_assert_int_eq(setresuid(NOBODY, NOBODY, 0), 0);
        ck_assert_ok(execute(&probe, soon(), &r, &err), err);
        if (strcmp(r.out, "0\n") != 0) {
                fprintf(stderr, "left out: set-user-ID has no effect in %s\n", dir);
        } else {
                int pid;

                g = call_in_green(&c);
                EVENTUALLY(number_in("pid"));
                pid = number_in("pid");
                ck_assert_int_eq(kill(pid, SIGTERM), -1);
                ck_assert_int_eq(errno, EPERM);
                green_cancel(g);
                join(g);
                ck_assert_int_eq(c.err.code, ERR_CANCELLED);
                ck_assert(!is_alive(pid));
                ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        }
        execute_result_free(&r);
        ck_assert_int_eq(setresuid(0, 0, 0), 0);
        leave_dir();
}

GREEN_SUITE("execute", both_outputs_are_captured, the_result_may_be_left_out,
            a_failure_names_command_code_and_what_was_said, an_allowed_code_is_no_failure,
            death_by_signal_is_an_exit_code, a_long_complaint_is_cut_at_its_beginning,
            input_is_read_by_the_command, input_and_output_may_be_large,
            a_command_that_reads_no_input_harms_nobody, environment_and_directory_are_as_asked,
            the_program_is_looked_up_in_the_path_of_the_command, what_cannot_be_started_says_why,
            nonsense_is_refused, the_child_starts_with_a_clean_slate, descriptors_of_ours_stay_ours,
            limits_are_set, too_much_processor_time_kills, a_deadline_ends_the_command,
            a_deadline_in_the_past_fails_too, cancelling_ends_the_command,
            the_whole_group_is_killed_if_it_does_not_listen, the_command_may_clean_up_on_sigterm,
            somebody_who_keeps_the_pipes_does_not_keep_us, a_flood_of_output_starves_nobody,
            a_failing_command_is_tried_again, attempts_come_to_an_end,
            the_pause_is_random_when_asked_and_ends_with_the_deadline, cancelling_ends_the_pause,
            children_of_others_are_left_to_them, many_at_once_leave_nothing_behind, root_needs_no_helper,
            others_go_through_the_helper, the_default_helper_is_sudo,
            a_process_of_root_is_ended_through_the_helper)
