/*
 * tests/unit/agent/test_journal.c: the journal of operations in flight: what the next start finds, and files
 * that are torn, of somebody else, of a later version, or cannot be written.
 */
#include "journal/journal.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "green_test.h"
#include "journal/record.h"
#include "native/file.h"
#include "private_dir.h"

#define A      "a14cc8ca-2568-44fe-8878-257bd1a1988d"
#define B      "b14cc8ca-2568-44fe-8878-257bd1a1988d"
#define C      "c14cc8ca-2568-44fe-8878-257bd1a1988d"
#define HEADER "{\"journal\":\"compute-agent\",\"format\":1,\"host\":\"h\",\"version\":\"0.0.9\",\"pid\":7}\n"
#define BEGIN(id, uuid)                                                    \
        "{\"id\":" #id ",\"begin\":\"stop_instance\",\"instance\":\"" uuid \
        "\",\"request_id\":\"req-1\",\"step\":\"powering off\",\"at\":5,\"version\":\"0.0.9\",\"pid\":7}\n"

static char path[64], beside[80];
static struct tpool *pool;

static void HUB_ONLY begin(void)
{
        struct error err;

        signal(SIGXFSZ, SIG_IGN);
        snprintf(path, sizeof(path), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(path));
        snprintf(path + strlen(path), 16, "/state/journal");
        snprintf(beside, sizeof(beside), "%s.unreadable", path);
        pool = tpool_new("files", 2, &err);
        ck_assert_msg(pool != NULL, "%s", err.text);
}

static void YIELDS end(void)
{
        ck_assert_uint_eq(tpool_close(pool, deadline_in_s(20)), 0);
}

static struct journal *YIELDS open_journal(void)
{
        const struct journal_options opt = { .files = pool, .path = path, .host = "h" };
        struct error err;
        struct journal *j = journal_open(&opt, &err);

        ck_assert_msg(j != NULL, "%s", err.text);
        return j;
}

static struct journal_info HUB_ONLY info_of(const struct journal *j)
{
        struct journal_info info;

        journal_get_info(j, &info);
        return info;
}

/* As an earlier agent left it. */
static void YIELDS left(const char *text)
{
        struct error err;

        ck_assert_ok(file_make_folders(pool, strndupa(path, strlen(path) - 8), 0700, deadline_in_s(20), &err),
                     err);
        ck_assert_ok(file_write(pool, path, text, 0600, deadline_in_s(20), &err), err);
}

static char *YIELDS content(const char *file)
{
        struct error err;
        char *text;

        ck_assert_ok(file_read(pool, file, 1 << 20, &text, NULL, deadline_in_s(20), &err), err);
        return text;
}

static bool YIELDS exists(const char *file)
{
        struct error err;
        bool there;

        ck_assert_ok(file_exists(pool, file, &there, deadline_in_s(20), &err), err);
        return there;
}

/* Whose operations are left: the first letters of their uuids. */
static const char *HUB_ONLY whose(struct journal *j)
{
        static char text[16];
        size_t n = 0;

        for (struct journal_entry *e = NULL; (e = journal_next_left(j, e)) && n < sizeof(text) - 1;)
                text[n++] = e->uuid[0];
        text[n] = '\0';
        return text;
}

/* ---- what the next start finds ---- */

GREEN_TEST_REAL(what_did_not_end_is_found_by_the_next_start)
{
        struct journal_entry *stop, *build, *e;
        struct journal *j;

        begin();
        j = open_journal();
        stop = journal_begin(j, "stop_instance", A, "req-1", "starting");
        build = journal_begin(j, "build_and_run_instance", B, "", "starting");
        journal_step(j, build, "creating disks");
        journal_end(j, stop);
        ck_assert_uint_eq(info_of(j).open, 1);
        journal_close(j);
        j = open_journal();
        ck_assert_str_eq(whose(j), "b");
        ck_assert_str_eq(info_of(j).former_version, AGENT_VERSION);
        e = journal_next_left(j, NULL);
        ck_assert_str_eq(e->method, "build_and_run_instance");
        ck_assert_str_eq(e->step, "creating disks");
        ck_assert_str_eq(e->request_id, "");
        ck_assert_int_eq(e->pid, getpid());
        journal_close(j); /* not done with it: it is found again */
        j = open_journal();
        ck_assert_str_eq(whose(j), "b");
        journal_end(j, journal_next_left(j, NULL));
        journal_close(j);
        j = open_journal();
        ck_assert_str_eq(whose(j), "");
        journal_close(j);
        end();
}

/* What a kill -9 leaves is what the file holds at that moment. */
GREEN_TEST_REAL(an_operation_that_was_waited_for_outlives_the_process)
{
        struct journal_entry *e;
        char CLEANUP(freep) *text = NULL;
        struct journal *j;

        begin();
        j = open_journal();
        e = journal_begin(j, "reboot_instance", A, "req-1", "starting");
        journal_wait(j, e);
        text = content(path);
        journal_end(j, e);
        journal_close(j);
        left(text);
        j = open_journal();
        ck_assert_str_eq(whose(j), "a");
        journal_close(j);
        end();
}

GREEN_TEST_REAL(operations_of_two_agents_stay_apart)
{
        struct journal_entry *e;
        struct journal *j;

        begin();
        left(HEADER BEGIN(1, A) BEGIN(2, B));
        j = open_journal();
        e = journal_begin(j, "stop_instance", C, "req-2", "starting");
        journal_end(j, journal_next_left(j, NULL));
        ck_assert_str_eq(whose(j), "b");
        journal_step(j, e, "powering off");
        journal_close(j);
        j = open_journal();
        ck_assert_str_eq(whose(j), "bc");
        e = journal_next_left(j, NULL);
        ck_assert_str_eq(e->version, "0.0.9");
        ck_assert_int_eq(e->pid, 7);
        ck_assert_int_eq(e->begun_at, 5);
        ck_assert_str_eq(journal_next_left(j, e)->version, AGENT_VERSION);
        journal_close(j);
        end();
}

GREEN_TEST_REAL(the_file_stays_small_however_much_was_done)
{
        struct journal_entry *kept, *e = NULL;
        struct journal *j;
        char CLEANUP(freep) *text = NULL;

        begin();
        j = open_journal();
        kept = journal_begin(j, "stop_instance", A, "req-1", "starting");
        for (int n = 0; n < 20000; n++) {
                e = journal_begin(j, "stop_instance", B, "req-2", "starting");
                if (n % 1000 == 0)
                        journal_wait(j, e);
                journal_end(j, e);
        }
        e = journal_begin(j, "stop_instance", C, "req-2", "starting");
        journal_wait(j, e);
        text = content(path);
        ck_assert_ptr_nonnull(text);
        journal_end(j, e);
        journal_close(j);
        free(text);
        text = content(path);
        ck_assert_uint_lt(strlen(text), 1000);
        j = open_journal();
        ck_assert_str_eq(whose(j), "a");
        journal_close(j);
        (void)kept;
        end();
}

/* ---- what is not as it should be ---- */

GREEN_TEST_REAL(a_torn_last_record_never_counted)
{
        struct journal *j;

        begin();
        left(HEADER BEGIN(1, A) "{\"id\":2,\"begin\":\"stop_instance\",\"instance\":\"" B);
        j = open_journal();
        ck_assert_str_eq(whose(j), "a");
        ck_assert(!exists(beside));
        journal_close(j);
        left(HEADER BEGIN(1, A) "{\"id\":1,\"end\":tr");
        j = open_journal();
        ck_assert_str_eq(whose(j), "a");
        journal_close(j);
        end();
}

static void YIELDS expect_kept_beside(const char *text)
{
        struct journal *j;
        char CLEANUP(freep) *kept = NULL;

        left(text);
        j = open_journal();
        ck_assert_str_eq(whose(j), "");
        ck_assert(info_of(j).ok);
        kept = content(beside);
        ck_assert_str_eq(kept, text);
        journal_end(j, journal_begin(j, "stop_instance", A, "", "starting"));
        journal_close(j);
}

GREEN_TEST_REAL(what_is_no_journal_of_ours_is_kept_beside)
{
        begin();
        expect_kept_beside("[DEFAULT]\nhost = x\n");
        expect_kept_beside("\n\n");
        expect_kept_beside("{\"journal\":\"another\",\"format\":1,\"host\":\"h\"}\n" BEGIN(1, A));
        expect_kept_beside("{\"journal\":\"compute-agent\",\"host\":\"h\"}\n");
        expect_kept_beside("{\"journal\":\"compute-agent\",\"format\":1,\"host\":\"h\"}"); /* cut off */
        end();
}

GREEN_TEST_REAL(a_later_format_and_another_host_are_kept_beside)
{
        begin();
        expect_kept_beside(
                "{\"journal\":\"compute-agent\",\"format\":2,\"host\":\"h\",\"version\":\"9\"}\n" BEGIN(1,
                                                                                                        A));
        expect_kept_beside("{\"journal\":\"compute-agent\",\"format\":1,\"host\":\"other\"}\n" BEGIN(1, A));
        end();
}

GREEN_TEST_REAL(lines_that_are_spoilt_do_not_spoil_the_others)
{
        struct journal *j;

        begin();
        left(HEADER BEGIN(1, A) "\x01\x02garbage\n{\"id\":-1,\"begin\":\"x\"}\n{\"id\":3,\"begin\":"
                                "\"stop_instance\",\"instance\":\"no uuid\"}\n" BEGIN(2, B));
        j = open_journal();
        ck_assert_str_eq(whose(j), "ab");
        ck_assert(exists(beside));
        journal_close(j);
        end();
}

GREEN_TEST_REAL(fields_and_records_of_a_later_version_are_passed_over)
{
        struct journal *j;

        begin();
        left("{\"journal\":\"compute-agent\",\"format\":1,\"host\":\"h\",\"version\":\"9\",\"new\":[1]}\n"
             "{\"id\":1,\"begin\":\"stop_instance\",\"instance\":\"" A "\",\"mood\":{\"good\":true}}\n"
             "{\"id\":1,\"progress\":55}\n{\"id\":8,\"step\":\"of nobody\"}\n{\"id\":8,\"end\":true}\n" BEGIN(
                     2, B));
        j = open_journal();
        ck_assert_str_eq(whose(j), "ab");
        ck_assert_str_eq(info_of(j).former_version, "9");
        ck_assert(!exists(beside));
        journal_close(j);
        end();
}

GREEN_TEST_REAL(of_two_agents_with_one_file_the_second_keeps_none)
{
        struct journal *first, *second;
        struct journal_entry *e;

        begin();
        first = open_journal();
        journal_begin(first, "stop_instance", A, "", "starting");
        second = open_journal();
        ck_assert(!info_of(second).ok);
        ck_assert_str_eq(whose(second), "");
        e = journal_begin(second, "stop_instance", B, "", "starting");
        journal_wait(second, e); /* for nothing */
        journal_close(second);
        journal_close(first);
        first = open_journal();
        ck_assert_str_eq(whose(first), "a");
        journal_close(first);
        end();
}

/* ---- disks ---- */

static void limit_files(rlim_t bytes)
{
        struct rlimit limit;

        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = bytes;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

GREEN_TEST_REAL(a_full_disk_stops_nobody_and_loses_nothing_once_there_is_room)
{
        struct journal_entry *a, *b;
        struct journal *j;

        begin();
        j = open_journal();
        a = journal_begin(j, "stop_instance", A, "", "starting");
        journal_wait(j, a);
        limit_files(8);
        b = journal_begin(j, "stop_instance", B, "", "starting");
        journal_wait(j, b);
        ck_assert(!info_of(j).ok);
        journal_wait(j, journal_begin(j, "stop_instance", C, "", "starting")); /* does not wait */
        journal_end(j, a);
        limit_files(RLIM_INFINITY);
        journal_close(j);
        j = open_journal();
        ck_assert_str_eq(whose(j), "bc");
        journal_close(j);
        end();
}

GREEN_TEST_REAL(a_full_disk_at_the_start_keeps_what_was_left)
{
        struct journal *j;

        begin();
        left(HEADER BEGIN(1, A));
        limit_files(8);
        j = open_journal();
        ck_assert_str_eq(whose(j), "a");
        ck_assert(!info_of(j).ok);
        journal_close(j); /* still full */
        limit_files(RLIM_INFINITY);
        j = open_journal();
        ck_assert_str_eq(whose(j), "a");
        journal_close(j);
        end();
}

static int wait_for_a_byte(void *arg, const bool *given_up, struct error *err)
{
        char c;

        assert_on_worker();
        (void)given_up;
        return read(*(int *)arg, &c, 1) == 1 ? 0 : error_set(err, ERR_CLOSED, "no byte");
}

static void not_owned(void *arg)
{
        (void)arg;
}

static int occupy_a_worker(void *arg, struct error *err)
{
        const struct file_call c = { "wait", "for a byte", wait_for_a_byte, arg, not_owned, NULL, NULL };

        assert_green();
        return file_call(pool, &c, deadline_never(), err);
}

GREEN_TEST_REAL(a_slow_disk_is_waited_for_once)
{
        static int ends[2];
        struct green_group *group = green_group_new("workers");
        struct journal *j;
        struct error err;

        begin();
        ck_assert_int_eq(pipe(ends), 0);
        j = open_journal();
        for (int n = 0; n < 2; n++)
                ck_assert_ok(green_spawn(group, "occupied", occupy_a_worker, &ends[0], &err), err);
        green_yield();
        journal_wait(j, journal_begin(j, "stop_instance", A, "", "starting"));
        for (int n = 0; n < 1000; n++) /* a second each would be too long for this test */
                journal_wait(j, journal_begin(j, "stop_instance", B, "", "starting"));
        ck_assert_int_eq(write(ends[1], "xx", 2), 2);
        ck_assert_ok(green_group_wait(group, deadline_in_s(20), &err), err);
        journal_wait(j, journal_begin(j, "stop_instance", C, "", "starting"));
        green_group_close(group);
        journal_close(j);
        j = open_journal();
        ck_assert_uint_eq(info_of(j).left, 1002);
        journal_close(j);
        end();
}

GREEN_SUITE("journal", what_did_not_end_is_found_by_the_next_start,
            an_operation_that_was_waited_for_outlives_the_process, operations_of_two_agents_stay_apart,
            the_file_stays_small_however_much_was_done, a_torn_last_record_never_counted,
            what_is_no_journal_of_ours_is_kept_beside, a_later_format_and_another_host_are_kept_beside,
            lines_that_are_spoilt_do_not_spoil_the_others,
            fields_and_records_of_a_later_version_are_passed_over,
            of_two_agents_with_one_file_the_second_keeps_none,
            a_full_disk_stops_nobody_and_loses_nothing_once_there_is_room,
            a_full_disk_at_the_start_keeps_what_was_left, a_slow_disk_is_waited_for_once)
