#include "green_test.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "green/sync.h"
#include "native/stall_watcher.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/*
 * What the watcher reported, from its thread to the test's. On a loaded machine the hub's thread may not get
 * the processor for longer than the threshold, which is a stall like any other: tests look for those that
 * they have made, by name.
 */
enum { KEPT = 64 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stall_report reports[KEPT];
static unsigned n_reports;
static char lines[KEPT][4096];
static unsigned n_lines;

static void note_report(const struct stall_report *r, void *arg)
{
        pthread_mutex_lock(&lock);
        ck_assert_ptr_eq(arg, reports);
        if (n_reports < KEPT)
                reports[n_reports++] = *r;
        pthread_mutex_unlock(&lock);
}

static void note_line(enum log_level level, const char *line, void *arg)
{
        pthread_mutex_lock(&lock);
        if (n_lines < KEPT)
                snprintf(lines[n_lines++], sizeof(lines[0]), "%d %s", level, line);
        pthread_mutex_unlock(&lock);
}

/* The nth report (from 0) of a culprit's stalls, or of their ends. */
static const struct stall_report *find_report(const char *green, bool over, unsigned nth)
{
        const struct stall_report *found = NULL;

        pthread_mutex_lock(&lock);
        for (unsigned i = 0; i < n_reports && !found; i++)
                if (strcmp(reports[i].green, green) == 0 && reports[i].over == over && nth-- == 0)
                        found = &reports[i];
        pthread_mutex_unlock(&lock);
        return found;
}

static const char *find_line(const char *text)
{
        const char *found = NULL;

        pthread_mutex_lock(&lock);
        for (unsigned i = 0; i < n_lines && !found; i++)
                if (strstr(lines[i], text))
                        found = lines[i];
        pthread_mutex_unlock(&lock);
        return found;
}

/* Waits for another native thread; the test's time limit is the deadline. */
#define EVENTUALLY(condition)                                \
        do {                                                 \
                struct error eventually_err;                 \
                while (!(condition))                         \
                        green_sleep(0.005, &eventually_err); \
        } while (0)

static struct stall_watcher *HUB_ONLY watch(unsigned threshold_ms)
{
        struct stall_options opt = { .threshold_ms = threshold_ms, .report = note_report, .arg = reports };
        struct error err = {};
        struct stall_watcher *w = stall_watcher_start(&opt, &err);

        ck_assert_msg(w != NULL, "%s", err.text);
        return w;
}

/* A stall that lasts until it was noticed. */
struct stall {
        const char *green; /* its name */
        unsigned nth;      /* of this name */
        bool in_log;
};

static bool is_noticed(const struct stall *s)
{
        char text[128];

        snprintf(text, sizeof(text), "green thread %s has held the hub", s->green);
        return s->in_log ? find_line(text) != NULL : find_report(s->green, false, s->nth) != NULL;
}

/* Works, without a switch. */
static __attribute__((noinline)) void burn_until_noticed(const struct stall *s)
{
        static volatile unsigned long work;

        while (!is_noticed(s))
                work++;
}

static int burn(void *arg, struct error *err)
{
        assert_green();
        burn_until_noticed(arg);
        return 0;
}

static void YIELDS run_in_green(green_fn *fn, struct stall *s)
{
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, s->green, fn, s, &err);

        ck_assert_msg(g != NULL, "%s", err.text);
        ck_assert_ok(green_join(g, deadline_never(), NULL, &err), err);
        green_unref(g);
        if (!s->in_log)
                EVENTUALLY(find_report(s->green, true, s->nth));
}

static bool has_frame(const struct stall_report *r, const char *function)
{
        char text[256];

        for (int i = 0; i < r->nframes; i++) {
                symbolise(r->frames[i], text, sizeof(text));
                if (strncmp(text, function, strlen(function)) == 0 && text[strlen(function)] == '+')
                        return true;
        }
        return false;
}

GREEN_TEST_REAL(a_green_thread_that_does_not_switch_is_named_with_its_frames)
{
        struct stall_watcher *w = watch(30);
        struct stall stall = { "culprit" };
        const struct stall_report *during, *after;

        run_in_green(burn, &stall);
        stall_watcher_stop(w);
        during = find_report("culprit", false, 0);
        after = find_report("culprit", true, 0);
        ck_assert(during->seconds >= 0.03);
        ck_assert(has_frame(during, "burn_until_noticed"));
        ck_assert(has_frame(during, "burn"));
#ifndef __SANITIZE_THREAD__ /* there the handler runs later, called from somewhere else */
        ck_assert(!has_frame(during, "on_signal")); /* how it was found out is nobody's business */
#endif
        ck_assert(after->seconds >= during->seconds);
        ck_assert_ptr_null(find_report("culprit", false, 1)); /* one stall, one report */
}

GREEN_TEST_REAL(each_stall_counts)
{
        struct stall_watcher *w = watch(20);
        unsigned long count = 0;

        for (unsigned i = 0; i < 3; i++) {
                struct stall stall = { "again", i };

                run_in_green(burn, &stall);
                ck_assert_uint_gt(stall_watcher_count(w), count);
                count = stall_watcher_count(w);
        }
        stall_watcher_stop(w);
        for (unsigned i = 0; i < n_reports; i++)
                if (reports[i].over) { /* each comes right after the stall that it ends */
                        ck_assert_uint_gt(i, 0);
                        ck_assert(!reports[i - 1].over);
                        ck_assert_str_eq(reports[i].green, reports[i - 1].green);
                }
}

static void note_culprit(const struct stall_culprit *c, void *arg)
{
        struct stall_culprit *all = arg;

        while (all->kind[0])
                all++;
        *all = *c;
}

static const struct stall_culprit *culprit_of(const struct stall_culprit *all, const char *kind)
{
        for (unsigned i = 0; i < STALL_KINDS_MAX; i++)
                if (strcmp(all[i].kind, kind) == 0)
                        return &all[i];
        ck_abort_msg("nobody is called %s", kind);
}

GREEN_TEST_REAL(culprits_are_counted_by_kind_and_their_kinds_are_bounded)
{
        static const char kinds[] = "abcdefghijklmnopqrst";
        static char names[sizeof(kinds) - 1][16];
        static struct stall_culprit all[STALL_KINDS_MAX + 1];
        static struct stall builds[] = { { "build 1" }, { "build 2" } };
        struct stall_watcher *w = watch(20);

        run_in_green(burn, &builds[0]);
        run_in_green(burn, &builds[1]);
        stall_watcher_foreach_culprit(w, note_culprit, all);
        ck_assert_uint_ge(culprit_of(all, "build *")->stalls, 2);
        ck_assert(culprit_of(all, "build *")->seconds >= 0.04);
        for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
                struct stall stall = { names[i] };

                snprintf(names[i], sizeof(names[i]), "kind %c", kinds[i]);
                run_in_green(burn, &stall);
        }
        memset(all, 0, sizeof(all));
        stall_watcher_foreach_culprit(w, note_culprit, all);
        stall_watcher_stop(w);
        ck_assert_str_eq(all[STALL_KINDS_MAX - 1].kind, "other");
        ck_assert_uint_ge(all[STALL_KINDS_MAX - 1].stalls, ARRAY_SIZE(names) + 2 - STALL_KINDS_MAX);
}

GREEN_TEST_REAL(the_native_stack_can_be_the_culprit_too)
{
        struct stall_watcher *w = watch(20);
        struct stall stall = { "main" };

        for (;; stall.nth++) { /* it may have been held up before, elsewhere */
                burn_until_noticed(&stall);
                EVENTUALLY(find_report("main", true, stall.nth));
                if (has_frame(find_report("main", false, stall.nth), "burn_until_noticed"))
                        break;
        }
        stall_watcher_stop(w);
}

GREEN_TEST_REAL(without_a_function_it_is_logged)
{
        struct stall_options opt = { .threshold_ms = 20 };
        struct stall stall = { "build-4711", .in_log = true };
        struct error err = {};
        struct stall_watcher *w;
        const char *line;

        log_set_capture(note_line, NULL);
        w = stall_watcher_start(&opt, &err);
        ck_assert_msg(w != NULL, "%s", err.text);
        run_in_green(burn, &stall);
        EVENTUALLY(find_line("the hub turns again: green thread build-4711 had held it for "));
        stall_watcher_stop(w);
        log_set_capture(NULL, NULL);
        line = find_line("green thread build-4711 has held the hub for 0.");
        ck_assert_int_eq(line[0] - '0', LOG_WARNING);
        ck_assert_ptr_nonnull(strstr(line, "WARNING hub "));
        ck_assert_ptr_nonnull(strstr(line, "burn_until_noticed+0x"));
        ck_assert_ptr_nonnull(strstr(line, " < burn+0x"));
        ck_assert_ptr_nonnull(strstr(line, "(test_stall_watcher.c:"));
}

GREEN_TEST_REAL(an_idle_hub_is_no_stall)
{
        struct stall_watcher *w = watch(50);
        struct error err = {};

        ck_assert_ok(green_sleep(0.4, &err), err);
        ck_assert_uint_eq(stall_watcher_count(w), 0);
        stall_watcher_stop(w);
}

/* How often the watcher's thread went to sleep so far. */
static unsigned long naps_of_watcher(void)
{
        DIR *tasks = opendir("/proc/self/task");
        unsigned long naps = 0;
        struct dirent *d;

        ck_assert_ptr_nonnull(tasks);
        while ((d = readdir(tasks))) {
                static const char key[] = "voluntary_ctxt_switches:";
                char path[300], line[256];
                bool ours = false;
                FILE *f;

                snprintf(path, sizeof(path), "/proc/self/task/%s/status", d->d_name);
                f = fopen(path, "re");
                while (f && fgets(line, sizeof(line), f)) {
                        ours = ours || strcmp(line, "Name:\tstall-watcher\n") == 0;
                        if (ours && strncmp(line, key, strlen(key)) == 0)
                                naps = strtoul(line + strlen(key), NULL, 10);
                }
                if (f)
                        fclose(f);
        }
        closedir(tasks);
        return naps;
}

/* With a threshold of 2 ms a watcher that looked all the time would nap some hundred times. */
GREEN_TEST_REAL(while_the_hub_sleeps_the_watcher_sleeps_too)
{
        struct stall_watcher *w = watch(2);
        struct stall stall = { "after the sleep" };
        struct error err = {};
        unsigned long naps;

        ck_assert_ok(green_sleep(0.02, &err), err);
        naps = naps_of_watcher();
        ck_assert_uint_gt(naps, 0);
        for (int i = 0; i < 3; i++)
                ck_assert_ok(green_sleep(0.2, &err), err);
        ck_assert_uint_lt(naps_of_watcher() - naps, 60);
        run_in_green(burn, &stall);
        stall_watcher_stop(w);
}

GREEN_TEST_REAL(a_hub_that_turns_is_no_stall)
{
        struct stall_watcher *w = watch(400);
        struct deadline end = deadline_in_ms(1000);

        while (!deadline_passed(end))
                green_yield();
        ck_assert_uint_eq(stall_watcher_count(w), 0);
        stall_watcher_stop(w);
}

static int sleep_blocking(void *arg, struct error *err)
{
        assert_green();
        while (!is_noticed(arg))
                usleep(20000); /* not patched in this program: it blocks the hub's thread */
        return 0;
}

GREEN_TEST_REAL(a_blocking_call_is_found)
{
        struct stall_watcher *w = watch(30);
        struct stall stall = { "sleeper" };

        run_in_green(sleep_blocking, &stall);
        stall_watcher_stop(w);
        ck_assert(has_frame(find_report("sleeper", false, 0), "sleep_blocking"));
}

static int pipe_fds[2];

static void *write_when_noticed(void *arg)
{
        while (!is_noticed(arg))
                usleep(1000);
        ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
        return NULL;
}

static int read_blocking(void *arg, struct error *err)
{
        char c;

        assert_green();
        ck_assert_int_eq(read(pipe_fds[0], &c, 1), 1);
        return 0;
}

GREEN_TEST_REAL(an_interrupted_read_goes_on)
{
        struct stall_watcher *w = watch(30);
        struct stall stall = { "reader" };
        pthread_t writer;

        ck_assert_int_eq(pipe(pipe_fds), 0);
        ck_assert_int_eq(pthread_create(&writer, NULL, write_when_noticed, &stall), 0);
        run_in_green(read_blocking, &stall);
        pthread_join(writer, NULL);
        stall_watcher_stop(w);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

GREEN_TEST_REAL(who_does_not_answer_is_named_all_the_same)
{
        struct stall_watcher *w = watch(20);
        struct stall deaf = { "deaf" }, hearing = { "hearing" };
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN + 6);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        run_in_green(burn, &deaf);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* the late signal harms nobody */
        run_in_green(burn, &hearing);             /* and the next stall is asked about again */
        stall_watcher_stop(w);
        ck_assert_int_eq(find_report("deaf", false, 0)->nframes, 0);
        ck_assert_int_gt(find_report("hearing", false, 0)->nframes, 0);
}

GREEN_TEST_REAL(one_watcher_per_hub_but_again_and_again)
{
        struct stall_watcher *w;
        struct error err = {};

        for (int i = 0; i < 3; i++) {
                w = watch(1000);
                ck_assert_ptr_null(stall_watcher_start(NULL, &err));
                ck_assert_int_eq(err.code, ERR_BUSY);
                stall_watcher_stop(w);
                raise(SIGRTMIN + 6); /* a late signal finds a handler */
        }
        w = stall_watcher_start(NULL, &err);
        ck_assert_ptr_nonnull(w);
        stall_watcher_stop(w);
        stall_watcher_stop(NULL);
}

/* Of 64 KiB: too little is left for a signal frame and an unwinder. */
enum { NEARLY_FULL = 58 * 1024 };

static __attribute__((noinline)) int fill_stack_and_burn(const char *top, const struct stall *s)
{
        volatile char room[512];

        room[0] = 1;
        if (top - (const char *)__builtin_frame_address(0) > NEARLY_FULL)
                burn_until_noticed(s);
        else
                room[1] = (char)fill_stack_and_burn(top, s);
        return room[0] + room[1];
}

static int burn_deep_down(void *arg, struct error *err)
{
        assert_green();
        fill_stack_and_burn(__builtin_frame_address(0), arg);
        return 0;
}

GREEN_TEST_REAL(a_stack_that_is_nearly_full_does_not_overflow)
{
        struct stall_watcher *w;
        struct stall stall = { "deep" };

        if (RUNNING_ON_VALGRIND) /* where there is no signal stack */
                return;
        w = watch(20);
        run_in_green(burn_deep_down, &stall);
        stall_watcher_stop(w);
        ck_assert(has_frame(find_report("deep", false, 0), "fill_stack_and_burn"));
}

GREEN_SUITE("stall_watcher", a_green_thread_that_does_not_switch_is_named_with_its_frames, each_stall_counts,
            culprits_are_counted_by_kind_and_their_kinds_are_bounded, the_native_stack_can_be_the_culprit_too,
            without_a_function_it_is_logged, an_idle_hub_is_no_stall,
            while_the_hub_sleeps_the_watcher_sleeps_too, a_hub_that_turns_is_no_stall,
            a_blocking_call_is_found, an_interrupted_read_goes_on, who_does_not_answer_is_named_all_the_same,
            one_watcher_per_hub_but_again_and_again, a_stack_that_is_nearly_full_does_not_overflow)
