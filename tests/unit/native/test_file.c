/*
 * tests/unit/native/test_file.c: work on files by workers, and files that hang. Those are FIFOs: who opens
 * one to read waits until somebody opens it to write.
 */
#include "native/file.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "green_test.h"
#include "native/file_lock.h"
#include "private_dir.h"

static char dir[64];
static struct tpool *pool;

static struct deadline soon(void)
{
        return deadline_in_s(20);
}

static void HUB_ONLY begin(void)
{
        struct error err;

        snprintf(dir, sizeof(dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(dir));
        pool = tpool_new("files", 2, &err);
        ck_assert_msg(pool != NULL, "%s", err.text);
}

static void YIELDS end(void)
{
        ck_assert_uint_eq(tpool_close(pool, soon()), 0);
}

static const char *path(const char *name)
{
        static char text[4][128];
        static unsigned n;

        snprintf(text[n %= 4], sizeof(text[0]), "%s/%s", dir, name);
        return text[n++];
}

static void put(const char *name, const char *data)
{
        FILE *f = fopen(path(name), "we");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(data, f), 0);
        ck_assert_int_eq(fclose(f), 0);
}

static void YIELDS expect_content(const char *name, const char *want)
{
        CLEANUP(freep) char *text = NULL;
        struct error err;
        size_t len;

        ck_assert_ok(file_read(pool, path(name), 100, &text, &len, soon(), &err), err);
        ck_assert_str_eq(text, want);
        ck_assert_uint_eq(len, strlen(want));
}

/* ---- what each call does ---- */

GREEN_TEST_REAL(files_are_written_whole_and_read)
{
        struct error err;
        char *text;

        begin();
        ck_assert_ok(file_write(pool, path("a"), "one", 0600, soon(), &err), err);
        ck_assert_ok(file_write(pool, path("a"), "two", 0600, soon(), &err), err);
        expect_content("a", "two");
        ck_assert_fails(file_read(pool, path("a"), 2, &text, NULL, soon(), &err), err, ERR_LIMIT);
        ck_assert_fails(file_read(pool, path("none"), 2, &text, NULL, soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_fails(file_read(pool, dir, 2, &text, NULL, soon(), &err), err, ERR_SYSTEM);
        ck_assert_fails(file_write(pool, path("no/a"), "x", 0600, soon(), &err), err, ERR_SYSTEM);
        end();
}

GREEN_TEST_REAL(files_are_looked_at)
{
        struct error err;
        struct stat st;
        bool there;

        begin();
        put("a", "12345");
        ck_assert_ok(file_stat(pool, path("a"), &st, soon(), &err), err);
        ck_assert_int_eq(st.st_size, 5);
        ck_assert_fails(file_stat(pool, path("b"), &st, soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_ok(file_exists(pool, path("a"), &there, soon(), &err), err);
        ck_assert(there);
        ck_assert_ok(file_exists(pool, path("b"), &there, soon(), &err), err);
        ck_assert(!there);
        ck_assert_ok(file_check_access(pool, dir, R_OK | W_OK | X_OK, soon(), &err), err);
        ck_assert_fails(file_check_access(pool, path("b"), R_OK, soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_fails(file_check_access(pool, path("a"), X_OK, soon(), &err), err, ERR_SYSTEM);
        end();
}

GREEN_TEST_REAL(files_are_made_moved_and_removed)
{
        struct error err;
        struct stat st;

        begin();
        put("old", "kept");
        ck_assert_ok(file_create(pool, path("old"), 0600, soon(), &err), err);
        expect_content("old", "kept");
        ck_assert_ok(file_create(pool, path("new"), 0600, soon(), &err), err);
        expect_content("new", "");
        ck_assert_int_eq(symlink("new", path("link")), 0);
        ck_assert_fails(file_create(pool, path("link"), 0600, soon(), &err), err, ERR_INVALID);
        ck_assert_ok(file_set_length(pool, path("new"), 1 << 20, soon(), &err), err);
        ck_assert_fails(file_set_length(pool, path("none"), 1, soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_ok(file_put_in_place(pool, path("new"), path("place"), 0640, soon(), &err), err);
        ck_assert_ok(file_stat(pool, path("place"), &st, soon(), &err), err);
        ck_assert_int_eq(st.st_size, 1 << 20);
        ck_assert_int_eq(st.st_mode & 0777, 0640);
        ck_assert_fails(file_put_in_place(pool, path("new"), path("x"), 0640, soon(), &err), err,
                        ERR_NOT_FOUND);
        ck_assert_ok(file_rename(pool, path("place"), path("new"), soon(), &err), err);
        ck_assert_fails(file_rename(pool, path("place"), path("new"), soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_ok(file_renew(pool, path("new"), soon(), &err), err);
        ck_assert_ok(file_remove(pool, path("new"), soon(), &err), err);
        ck_assert_ok(file_remove(pool, path("new"), soon(), &err), err);
        ck_assert_fails(file_renew(pool, path("new"), soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_fails(file_remove(pool, dir, soon(), &err), err, ERR_SYSTEM);
        end();
}

GREEN_TEST_REAL(folders_are_made_and_removed_with_all_in_them)
{
        struct error err;
        bool there;

        begin();
        ck_assert_fails(file_make_folder(pool, path("a/b"), 0700, soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_ok(file_make_folders(pool, path("a/b/c"), 0700, soon(), &err), err);
        ck_assert_ok(file_make_folders(pool, path("a/b/c"), 0700, soon(), &err), err);
        ck_assert_ok(file_make_folder(pool, path("a/b"), 0700, soon(), &err), err);
        put("a/b/file", "x");
        ck_assert_fails(file_make_folder(pool, path("a/b/file"), 0700, soon(), &err), err, ERR_SYSTEM);
        ck_assert_fails(file_make_folders(pool, path("a/b/file/c"), 0700, soon(), &err), err, ERR_SYSTEM);
        ck_assert_ok(file_remove_tree(pool, path("a"), soon(), &err), err);
        ck_assert_ok(file_remove_tree(pool, path("a"), soon(), &err), err);
        ck_assert_ok(file_exists(pool, path("a"), &there, soon(), &err), err);
        ck_assert(!there);
        end();
}

/* ---- what hangs ---- */

static int tick(void *arg, struct error *err)
{
        assert_green();
        do
                ++*(int *)arg;
        while (green_sleep(0.001, err) == 0);
        return 0;
}

static struct {
        unsigned n;
        char name[64], what[128];
} seen;

static void see(const struct file_hung_info *info, void *arg)
{
        (void)arg;
        seen.n++;
        ck_assert(info->since_s >= 0);
        snprintf(seen.name, sizeof(seen.name), "%s", info->name);
        snprintf(seen.what, sizeof(seen.what), "%s", info->what);
}

static unsigned HUB_ONLY hung(void)
{
        seen.n = 0;
        file_foreach_hung(see, NULL);
        return seen.n;
}

static unsigned HUB_ONLY busy(void)
{
        struct tpool_info info;

        tpool_get_info(pool, &info);
        return info.busy;
}

/* Lets those go on who wait for the FIFO: who reads finds it empty. */
static void YIELDS release(const char *fifo)
{
        struct error err = {};
        int fd;

        while (hung() + busy() > 0) {
                fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
                if (fd >= 0)
                        close(fd);
                ck_assert_ok(green_sleep(0.005, &err), err);
        }
}

GREEN_TEST_REAL(a_file_that_hangs_costs_its_caller_the_deadline_and_nobody_else)
{
        struct tpool_info info;
        struct error err;
        static int ticks; /* the ticker outlives this function */
        char *text;

        begin();
        put("good", "data");
        ck_assert_int_eq(mkfifo(path("fifo"), 0600), 0);
        ck_assert_ok(green_spawn(NULL, "tick", tick, &ticks, &err), err);
        for (int ms = 60; hung() == 0; ms *= 2) { /* no worker may have come to it in time */
                ck_assert_fails(file_read(pool, path("fifo"), 10, &text, NULL, deadline_in_ms(ms), &err), err,
                                ERR_TIMEOUT);
                ck_assert_ptr_nonnull(strstr(err.text, "read file"));
        }
        ck_assert_int_gt(ticks, 0); /* how many is a matter of the machine */
        ck_assert_uint_eq(hung(), 1);
        ck_assert_str_eq(seen.name, "read file");
        ck_assert_str_eq(seen.what, path("fifo"));
        expect_content("good", "data");

        /* The same again would only be one more who waits. */
        ck_assert_fails(file_read(pool, path("fifo"), 10, &text, NULL, soon(), &err), err, ERR_TIMEOUT);
        ck_assert_ptr_nonnull(strstr(err.text, "the same has been hanging for"));
        tpool_get_info(pool, &info);
        ck_assert_uint_eq(info.hung, 1);

        release(path("fifo"));
        ck_assert_int_eq(unlink(path("fifo")), 0);
        put("fifo", "a file now");
        expect_content("fifo", "a file now");
        end();
}

GREEN_TEST_REAL(what_hangs_is_named_when_it_is_refused)
{
        struct error err;

        begin();
        signal(SIGPIPE, SIG_IGN); /* its reader may leave first */
        ck_assert_int_eq(mkfifo(path("a.tmp"), 0600), 0);
        for (int ms = 60; hung() == 0; ms *= 2)
                ck_assert_fails(file_write(pool, path("a"), "x", 0600, deadline_in_ms(ms), &err), err,
                                ERR_TIMEOUT);
        ck_assert_fails(file_write(pool, path("a"), "x", 0600, soon(), &err), err, ERR_TIMEOUT);
        ck_assert_ptr_nonnull(strstr(err.text, path("a")));
        release(path("a.tmp"));
        end();
}

GREEN_TEST_REAL(short_operations_have_a_time_of_their_own)
{
        struct error err;
        char *text;

        begin();
        file_set_timeout(0.05);
        ck_assert_int_eq(mkfifo(path("fifo"), 0600), 0);
        ck_assert_fails(file_read(pool, path("fifo"), 10, &text, NULL, deadline_never(), &err), err,
                        ERR_TIMEOUT);
        release(path("fifo"));
        end();
}

static int read_fifo(void *arg, struct error *err)
{
        char *text;

        assert_green();
        return file_read(pool, arg, 10, &text, NULL, deadline_never(), err);
}

GREEN_TEST_REAL(who_is_cancelled_does_not_wait_for_a_file_that_hangs)
{
        struct error err = {};
        struct error failed = {};
        static char fifo[128]; /* the reader's */
        struct green *g;

        begin();
        snprintf(fifo, sizeof(fifo), "%s", path("fifo"));
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        g = green_spawn_ref(NULL, "reader", read_fifo, fifo, &err);
        ck_assert_ptr_nonnull(g);
        while (busy() == 0)
                ck_assert_ok(green_sleep(0.001, &err), err);
        green_cancel(g);
        ck_assert_ok(green_join(g, soon(), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_CANCELLED);
        green_unref(g);
        ck_assert_uint_eq(hung(), 0); /* nothing was late */
        release(fifo);
        end();
}

/* ---- locks ---- */

static int lock_shortly(void *arg, struct error *err)
{
        struct file_lock *lock;

        assert_green();
        lock = file_lock_acquire(pool, arg, deadline_in_ms(20), err);
        file_lock_release(lock);
        return lock ? 0 : -1;
}

GREEN_TEST_REAL(a_lock_excludes_other_green_threads_and_is_given_back)
{
        static char file[128]; /* the other's */
        struct error err = {}, failed = {};
        struct file_lock *lock, *other;
        struct green *g;

        begin();
        lock = file_lock_acquire(pool, path("lock"), soon(), &err);
        ck_assert_msg(lock != NULL, "%s", err.text);
        other = file_lock_acquire(pool, path("another"), soon(), &err);
        ck_assert_msg(other != NULL, "%s", err.text);
        file_lock_release(other);
        snprintf(file, sizeof(file), "%s", path("lock"));
        g = green_spawn_ref(NULL, "other", lock_shortly, file, &err);
        ck_assert_ptr_nonnull(g);
        ck_assert_ok(green_join(g, soon(), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_TIMEOUT);
        green_unref(g);
        file_lock_release(lock);
        lock = file_lock_acquire(pool, path("lock"), soon(), &err);
        ck_assert_msg(lock != NULL, "%s", err.text);
        file_lock_release(lock);
        file_lock_release(NULL);
        ck_assert_ptr_null(file_lock_acquire(pool, path("no/lock"), soon(), &err));
        ck_assert_int_eq(err.code, ERR_SYSTEM);
        end();
}

/* The child holds the file's lock until the parent has written a byte. */
static pid_t other_process(const char *file, int ready, int go)
{
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        pid_t pid = fork();
        char c;

        if (pid == 0) {
                int fd = open(file, O_RDWR | O_CREAT, 0640);

                if (fd < 0 || fcntl(fd, F_OFD_SETLK, &whole) < 0 || write(ready, "r", 1) != 1 ||
                    read(go, &c, 1) != 1)
                        _exit(1);
                _exit(0);
        }
        return pid;
}

GREEN_TEST_REAL(a_lock_excludes_other_processes)
{
        int ready[2], go[2], status;
        struct file_lock *lock;
        struct error err;
        pid_t child;
        char c;

        begin();
        ck_assert_int_eq(pipe(ready) | pipe(go), 0);
        child = other_process(path("lock"), ready[1], go[0]);
        ck_assert_int_eq(read(ready[0], &c, 1), 1);
        ck_assert_ptr_null(file_lock_acquire(pool, path("lock"), deadline_in_ms(60), &err));
        ck_assert_int_eq(err.code, ERR_TIMEOUT);
        ck_assert_int_eq(write(go[1], "g", 1), 1);
        lock = file_lock_acquire(pool, path("lock"), soon(), &err);
        ck_assert_msg(lock != NULL, "%s", err.text);
        file_lock_release(lock);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        end();
}

GREEN_SUITE("file", files_are_written_whole_and_read, files_are_looked_at, files_are_made_moved_and_removed,
            folders_are_made_and_removed_with_all_in_them,
            a_file_that_hangs_costs_its_caller_the_deadline_and_nobody_else,
            what_hangs_is_named_when_it_is_refused, short_operations_have_a_time_of_their_own,
            who_is_cancelled_does_not_wait_for_a_file_that_hangs,
            a_lock_excludes_other_green_threads_and_is_given_back, a_lock_excludes_other_processes)
