/*
 * The heartbeat file. One scenario for both kinds of thread: what differs is only what monkey_patch() was
 * told. Real time, because a native thread and subprocesses have no other; nothing here depends on how long
 * it takes.
 */
#include "heartbeat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "green_test.h"
#include "patcher/patcher.h"

static char top[64], dir[128], file[160];
static _Atomic int errors_logged;
static char error_line[512];

static void on_line(enum log_level level, const char *line, void *arg)
{
        if (level != LOG_ERROR)
                return;
        if (errors_logged == 0) /* the first is kept; who reads it has seen the count */
                snprintf(error_line, sizeof(error_line), "%s", line);
        errors_logged++;
}

static void begin(unsigned categories)
{
        struct error err = {};

        snprintf(top, sizeof(top), "/tmp/test-heartbeat-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(top));
        snprintf(dir, sizeof(dir), "%s/a/b", top);
        snprintf(file, sizeof(file), "%s/beat", dir);
        log_set_capture(on_line, NULL);
        ck_assert_ok(monkey_patch(categories, &err), err);
}

static void end(void)
{
        char parent[128];

        log_set_capture(NULL, NULL);
        snprintf(parent, sizeof(parent), "%s/a", top);
        unlink(file);
        rmdir(dir);
        rmdir(parent);
        ck_assert_int_eq(rmdir(top), 0);
}

static struct heartbeat *start(void)
{
        struct heartbeat_options opt = { .path = dir, .file_name = "beat", .interval_s = 1 };
        struct error err = {};
        struct heartbeat *h = heartbeat_start(&opt, &err);

        ck_assert_msg(h != NULL, "%s", err.text);
        return h;
}

/* Patched: the hub turns while it waits. check's own time limit ends a test that waits in vain. */
#define wait_until(condition)         \
        do {                          \
                while (!(condition))  \
                        usleep(2000); \
        } while (0)

static bool exists(void)
{
        return access(file, F_OK) == 0;
}

static void make_old(void)
{
        struct timespec past[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

        ck_assert_int_eq(utimensat(AT_FDCWD, file, past, 0), 0);
}

static bool is_old(void)
{
        struct stat st;

        return stat(file, &st) == 0 && st.st_mtime == 1000;
}

/* How many native threads of this process have the name. */
static int native_threads(const char *name)
{
        DIR *d = opendir("/proc/self/task");
        struct dirent *e;
        int n = 0;

        while ((e = readdir(d))) {
                char path[300], comm[32] = "";
                CLEANUP(closep) int fd = -1;

                snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd >= 0 && read(fd, comm, sizeof(comm) - 1) > 0)
                        n += strcmp(comm, name) == 0;
        }
        closedir(d);
        return n;
}

static void count_named(const struct green_info *info, struct green *g, void *arg)
{
        *(int *)arg += strcmp(info->name, "heartbeat") == 0;
}

/* Deleted things come back, times are renewed, errors are told and survived. */
static void lives_through_everything(void)
{
        struct heartbeat *h = start();
        struct stat st;
        int before;

        wait_until(exists()); /* with its parents */
        ck_assert_int_eq(stat(dir, &st), 0);
        ck_assert(S_ISDIR(st.st_mode));
        wait_until(heartbeat_last_beat(h) >= 0);

        make_old();
        wait_until(!is_old());
        ck_assert_int_eq(unlink(file), 0);
        wait_until(exists());
        /* The directory goes as well; another beat may come between the two. */
        while (unlink(file), rmdir(dir) < 0)
                ck_assert_int_eq(errno, ENOTEMPTY);
        wait_until(exists());
        ck_assert_int_eq(errors_logged, 0);

        /* A file where the directory should be. */
        while (unlink(file), rmdir(dir) < 0)
                ck_assert_int_eq(errno, ENOTEMPTY);
        while (mknod(dir, S_IFREG | 0600, 0) < 0) { /* it was quicker */
                unlink(file);
                rmdir(dir);
        }
        wait_until(errors_logged >= 1);
        ck_assert_ptr_nonnull(strstr(error_line, "ERROR heartbeat [-] Write to file failed: "));
        before = errors_logged;
        wait_until(errors_logged > before); /* and again at the next beat */
        ck_assert_int_eq(unlink(dir), 0);
        wait_until(exists());
        ck_assert_double_ge(heartbeat_last_beat(h), 0);
        heartbeat_stop(h);
        ck_assert(exists());
}

GREEN_TEST_REAL(green_it_lives_through_everything)
{
        begin(PATCH_ALL & ~(unsigned)PATCH_OS);
        lives_through_everything();
        end();
}

GREEN_TEST_REAL(native_it_lives_through_everything)
{
        begin(PATCH_ALL & ~(unsigned)(PATCH_OS | PATCH_THREAD));
        lives_through_everything();
        end();
}

GREEN_TEST_REAL(green_a_blocked_hub_stops_the_beat)
{
        struct heartbeat *h;
        int named = 0;

        begin(PATCH_ALL & ~(unsigned)PATCH_OS);
        h = start();
        wait_until(exists());
        green_foreach(count_named, &named);
        ck_assert_int_eq(named, 1);
        ck_assert_int_eq(native_threads("heartbeat\n"), 0);
        make_old();
        patcher_original(sleep)(3); /* blocks: three beats are due */
        ck_assert(is_old());
        wait_until(!is_old());
        heartbeat_stop(h);
        end();
}

GREEN_TEST_REAL(native_it_beats_whatever_the_hub_does)
{
        struct heartbeat *h;
        unsigned long switches;
        int named = 0;

        begin(PATCH_ALL & ~(unsigned)(PATCH_OS | PATCH_THREAD));
        h = start();
        switches = green_switches();
        while (!exists())
                patcher_original(usleep)(1000);
        ck_assert_int_eq(native_threads("heartbeat\n"), 1);
        green_foreach(count_named, &named);
        ck_assert_int_eq(named, 0);
        make_old();
        while (is_old())
                patcher_original(usleep)(1000);
        ck_assert_uint_eq(green_switches(), switches); /* the hub did nothing all the time */
        heartbeat_stop(h);
        ck_assert_int_eq(native_threads("heartbeat\n"), 0);
        end();
}

/* Stopped in the middle of a long pause: the end of this test is the proof that stop does not sit it out. */
static void stops_at_once(void)
{
        struct heartbeat_options opt = { .path = dir, .file_name = "beat", .interval_s = 100000 };
        struct error err = {};
        struct heartbeat *h = heartbeat_start(&opt, &err);

        ck_assert_msg(h != NULL, "%s", err.text);
        wait_until(heartbeat_last_beat(h) >= 0);
        usleep(10000);
        heartbeat_stop(h);
        h = heartbeat_start(&opt, &err);
        heartbeat_stop(h); /* also before the first beat */
        heartbeat_stop(NULL);
        ck_assert_int_eq(errors_logged, 0);
}

GREEN_TEST_REAL(green_it_stops_at_once)
{
        begin(PATCH_ALL & ~(unsigned)PATCH_OS);
        stops_at_once();
        end();
}

GREEN_TEST_REAL(native_it_stops_at_once)
{
        begin(PATCH_ALL & ~(unsigned)(PATCH_OS | PATCH_THREAD));
        stops_at_once();
        end();
}

static int forget_it(void *arg, struct error *err)
{
        assert_green();
        start();
        wait_until(exists());
        return 0;
}

START_TEST(green_the_end_of_the_hub_ends_it_too)
{
        struct error err = {};

        begin(PATCH_ALL & ~(unsigned)PATCH_OS);
        ck_assert_ok(hub_run(forget_it, NULL, NULL, &err), err);
        end();
}
END_TEST

GREEN_TEST_REAL(a_file_that_is_no_file_does_not_hang_it)
{
        struct heartbeat *h;
        char parent[128];

        begin(PATCH_ALL & ~(unsigned)(PATCH_OS | PATCH_THREAD));
        snprintf(parent, sizeof(parent), "%s/a", top);
        ck_assert_int_eq(mkdir(parent, 0700), 0);
        ck_assert_int_eq(mkdir(dir, 0700), 0);
        ck_assert_int_eq(mknod(file, S_IFIFO | 0600, 0), 0);
        h = start();
        wait_until(errors_logged > 0);
        ck_assert_ptr_nonnull(strstr(error_line, "Write to file failed: opening "));
        ck_assert_double_lt(heartbeat_last_beat(h), 0);
        ck_assert_int_eq(unlink(file), 0);
        wait_until(exists());
        heartbeat_stop(h);
        end();
}

GREEN_SUITE("heartbeat", green_it_lives_through_everything, native_it_lives_through_everything,
            green_a_blocked_hub_stops_the_beat, native_it_beats_whatever_the_hub_does, green_it_stops_at_once,
            native_it_stops_at_once, green_the_end_of_the_hub_ends_it_too,
            a_file_that_is_no_file_does_not_hang_it)
