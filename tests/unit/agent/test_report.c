#include "report/report.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "green/lockutils.h"
#include "green/sync.h"
#include "green_test.h"
#include "native/file.h"
#include "native/tpool.h"
#include "private_dir.h"

#if defined(__SANITIZE_THREAD__)
enum { MANY = 1200 };
#else
enum { MANY = 10000 };
#endif
enum { TEXT_MAX = 4 * 1024 * 1024 };

#define SECRET_A "seeded-secret-a"
#define SECRET_B "seeded-secret-b"

static char dir[64];
static struct admin_sources from;
static struct strbuf mistakes;

/* ---- the fixture ---- */

static void YIELDS start_with(const char *log_dir)
{
        CLEANUP(freep) char *text = NULL;
        struct error err = {};
        sigset_t usr2;

        snprintf(dir, sizeof(dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        text = xasprintf("host = 'node-1'\nmy_ip = '127.0.0.1'\nstate_path = '%s'\n"
                         "transport_url = 'rabbit://u:" SECRET_A "@127.0.0.1/'\n"
                         "database { connection = 'mysql://u:" SECRET_B "@127.0.0.1/nova' }\n"
                         "oslo_reports { log_dir = '%s' }\n",
                         dir, log_dir ? log_dir : dir);
        from.conf = conf_load_text("test.conf", text, &mistakes);
        ck_assert_msg(from.conf != NULL, "%s", mistakes.data);
        from.started_ns = clock_now_ns();
        sigemptyset(&usr2);
        sigaddset(&usr2, SIGUSR2);
        sigprocmask(SIG_BLOCK, &usr2, NULL);
        from.reporter = reporter_start(&from, &err);
        ck_assert_msg(from.reporter != NULL, "%s", err.text);
}

static void YIELDS start(void)
{
        start_with(NULL);
}

static void YIELDS finish(void)
{
        reporter_stop(take_ptr(&from.reporter));
        conf_free((struct conf *)from.conf);
        strbuf_free(&mistakes);
}

static char *read_file(const char *path)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY);
        char *text = xmalloc(TEXT_MAX + 1);
        size_t len = 0;

        ck_assert_msg(fd >= 0, "%s", path);
        for (ssize_t n; len < TEXT_MAX && (n = read(fd, text + len, TEXT_MAX - len)) > 0;)
                len += (size_t)n;
        ck_assert_uint_lt(len, TEXT_MAX);
        text[len] = '\0';
        return text;
}

static unsigned count_files(char **ret_first)
{
        CLEANUP(freep) char *pattern = xasprintf("%s/compute-agent_gurumeditation_*", dir);
        glob_t found = {};
        unsigned n;

        glob(pattern, 0, NULL, &found);
        n = (unsigned)found.gl_pathc;
        if (ret_first && n > 0)
                *ret_first = xstrdup(found.gl_pathv[0]);
        globfree(&found);
        return n;
}

#define has(text, what)     ck_assert_msg(strstr(text, what) != NULL, "\"%s\" is not in: %s", what, text)
#define has_not(text, what) ck_assert_msg(strstr(text, what) == NULL, "\"%s\" is in: %s", what, text)

/* That these come in this order; NULL at the end. */
static void has_in_order(const char *text, const char *const *parts)
{
        const char *at = text;

        for (; *parts; parts++) {
                at = strstr(at, *parts);
                ck_assert_msg(at != NULL, "\"%s\" is not at its place in: %s", *parts, text);
        }
}

/* ---- while the hub turns ---- */

static const char *const titles[] = {
        "    Guru Meditation ", " Package ", " Threads ",   " Green Threads ",    " Processes ",
        " Configuration ",      " Status ",  " Health ",    " Pools and Queues ", " Locks ",
        " Periodic Tasks ",     " Hub ",     " Instances ", " Memory ",           " Descriptors ",
        " End of the report ",  NULL,
};

GREEN_TEST_REAL(a_report_has_everything_in_its_order_and_no_secrets)
{
        CLEANUP(freep) char *path = NULL, *text = NULL;
        struct error err = {};
        struct stat st;

        start();
        ck_assert_ok(report_write(&from, &path, NULL, &err), err);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0640);
        text = read_file(path);
        has_in_order(text, titles);
        has(text, "version = " AGENT_VERSION "\n");
        has(text, "(the hub: all green threads)");
        has(text, "connection = 'mysql://u:***@127.0.0.1/nova'");
        has(text, "the agent has not reached its database yet"); /* instead of instances */
        has(text, " kB\n");
        has_not(text, SECRET_A);
        has_not(text, SECRET_B);
        has_not(text, "from a copy");
        has_not(text, "\1");
        finish();
}

static struct green_event never;

static int YIELDS __attribute__((noinline)) wait_deep_down(struct error *err)
{
        int r = green_event_wait(&never, deadline_never(), err);

        __asm__ volatile(""); /* no tail call */
        return r;
}

static int wait_for_ever(void *arg, struct error *err)
{
        assert_green();
        return wait_deep_down(err);
}

GREEN_TEST_REAL(green_threads_are_told_with_their_functions)
{
        CLEANUP(freep) char *path = NULL, *text = NULL;
        struct error err = {};

        start();
        green_event_init(&never, "never");
        ck_assert_ok(green_spawn(NULL, "waiter", wait_for_ever, NULL, &err), err);
        ck_assert_ok(report_write(&from, &path, &text, &err), err);
        ck_assert_ptr_null(path);
        has_in_order(text, (const char *const[]){ " Green Threads ", " waiter (group root, spawned at ",
                                                  "): event never for ", "wait_deep_down+0x", NULL });
        ck_assert_uint_eq(count_files(NULL), 0); /* as text it is written nowhere */
        finish();
}

GREEN_TEST_REAL(many_green_threads_are_cut_off)
{
        CLEANUP(freep) char *path = NULL, *text = NULL;
        struct error err = {};

        start();
        green_event_init(&never, "never");
        for (unsigned i = 0; i < MANY; i++)
                ck_assert_ok(green_spawn(NULL, "one of many", wait_for_ever, NULL, &err), err);
        green_yield();
        ck_assert_ok(report_write(&from, &path, &text, &err), err);
        has(text,
            MANY == 10000 ? "9002 more green threads are not shown" : " more green threads are not shown");
        has(text, " End of the report ");
        ck_assert_uint_lt(strlen(text), 2 * 1024 * 1024);
        finish();
}

GREEN_TEST_REAL(none_is_overwritten)
{
        struct error err = {};

        start();
        for (unsigned i = 1; i <= 3; i++) {
                CLEANUP(freep) char *path = NULL;

                ck_assert_ok(report_write(&from, &path, NULL, &err), err);
                ck_assert_uint_eq(count_files(NULL), i);
        }
        finish();
}

GREEN_TEST_REAL(where_it_cannot_be_written_is_said)
{
        CLEANUP(freep) char *path = NULL;
        struct error err = {};

        quiet_stderr();
        start_with("/nowhere/at/all");
        ck_assert_fails(report_write(&from, &path, NULL, &err), err, ERR_SYSTEM);
        ck_assert_str_eq(err.text, "writing the report to /nowhere/at/all: No such file or directory");
        finish();
}

GREEN_TEST_REAL(without_a_reporter_there_is_an_error)
{
        CLEANUP(freep) char *path = NULL;
        struct error err = {};

        ck_assert_fails(report_write(&from, &path, NULL, &err), err, ERR_UNSUPPORTED);
}

/* ---- while it does not ---- */

static int hold(void *arg, struct error *err)
{
        struct named_lock *lock;
        int r;

        assert_green();
        lock = lockutils_acquire("the lock", deadline_never(), err);
        r = wait_deep_down(err);
        lockutils_release(lock);
        return r;
}

static int want(void *arg, struct error *err)
{
        assert_green();
        lockutils_release(lockutils_acquire("the lock", deadline_never(), err));
        return 0;
}

static void __attribute__((noinline)) hold_the_hub(char **ret_path)
{
        const char end[] = " End of the report ";
        bool complete = false;

        kill(getpid(), SIGUSR2);
        while (!complete) {
                if (count_files(NULL) > 0) {
                        CLEANUP(freep) char *text = NULL;

                        free(take_ptr(ret_path));
                        count_files(ret_path);
                        text = read_file(*ret_path);
                        complete = strstr(text, end) != NULL;
                }
        }
}

static int be_the_culprit(void *arg, struct error *err)
{
        assert_green();
        hold_the_hub(arg);
        return 0;
}

GREEN_TEST_REAL(a_hub_that_is_stuck_is_told_of_from_outside)
{
        CLEANUP(freep) char *path = NULL, *text = NULL;
        struct error err = {}, failed = {};
        struct green *culprit;

        quiet_stderr();
        start();
        from.tpool = tpool_new("workers", 2, &err);
        green_event_init(&never, "never");
        ck_assert_ok(green_spawn(NULL, "holder", hold, NULL, &err), err);
        ck_assert_ok(green_spawn(NULL, "wanter", want, NULL, &err), err);
        green_yield();
        culprit = green_spawn_ref(NULL, "the culprit", be_the_culprit, &path, &err);
        ck_assert_int_eq(green_join(culprit, deadline_never(), &failed, &err), 0);
        green_unref(culprit);
        text = read_file(path);
        has_in_order(text, titles);
        has(text, "The hub did not answer within 2 s and does not turn. It runs green thread the culprit");
        has_in_order(text, (const char *const[]){ "(the hub: all green threads)", "hold_the_hub+0x",
                                                  " Green Threads ", "(from a copy)", "wait_deep_down+0x",
                                                  " the culprit (group ", "): running for ", NULL });
        has(text, "connection = 'mysql://u:***@127.0.0.1/nova'");
        has_in_order(text, (const char *const[]){ " Pools and Queues (from a copy) ", "name = workers",
                                                  " Locks (from a copy) ", "name = the lock",
                                                  "owner = holder", NULL });
        has(text, "The rows could not be read: only the hub could.");
        has_not(text, SECRET_A);
        has_not(text, SECRET_B);
        has_not(text, "could not be read: it was just being changed");
        ck_assert_uint_eq(tpool_close(take_ptr(&from.tpool), deadline_in_s(5)), 0);
        finish();
}

GREEN_TEST_REAL(what_is_broken_costs_its_own_section_only)
{
        CLEANUP(freep) char *path = NULL, *text = NULL;
        struct error err = {}, failed = {};
        struct green *culprit;

        quiet_stderr();
        start();
        culprit = green_spawn_ref(NULL, "the culprit", be_the_culprit, &path, &err);
        from.manager = (struct compute_manager *)16; /* as if memory were damaged */
        ck_assert_int_eq(green_join(culprit, deadline_never(), &failed, &err), 0);
        from.manager = NULL;
        green_unref(culprit);
        text = read_file(path);
        has_in_order(text, titles);
        has_in_order(text, (const char *const[]){ " Configuration (from a copy) ", "host = 'node-1'",
                                                  " Status (from a copy) ", "This could not be read",
                                                  " Locks (from a copy) ", NULL });
        finish();
}

GREEN_TEST_REAL(a_late_answer_is_not_taken_for_that_of_the_next_report)
{
        CLEANUP(freep) char *path = NULL, *nowhere = NULL, *text = NULL;
        struct error err = {}, failed = {};
        struct green *culprit;

        quiet_stderr();
        start();
        culprit = green_spawn_ref(NULL, "the culprit", be_the_culprit, &path, &err);
        ck_assert_int_eq(green_join(culprit, deadline_never(), &failed, &err), 0);
        green_unref(culprit);
        green_event_init(&never, "never");
        ck_assert_ok(green_spawn(NULL, "later", wait_for_ever, NULL, &err), err);
        ck_assert_ok(report_write(&from, &nowhere, &text, &err), err);
        has(text, " later (group root");
        has_not(text, "from a copy");
        finish();
}

GREEN_SUITE("report", a_report_has_everything_in_its_order_and_no_secrets,
            green_threads_are_told_with_their_functions, many_green_threads_are_cut_off, none_is_overwritten,
            where_it_cannot_be_written_is_said, without_a_reporter_there_is_an_error,
            a_hub_that_is_stuck_is_told_of_from_outside, what_is_broken_costs_its_own_section_only,
            a_late_answer_is_not_taken_for_that_of_the_next_report)
