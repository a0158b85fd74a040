/* tests/unit/green/test_lockutils.c: locks by name, within the process and between processes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "green/lockutils.h"
#include "green_test.h"

static struct strbuf trace;

static int in_order(void *arg, struct error *err)
{
        assert_green();
        SYNCHRONIZED("same name");
        strbuf_adds(&trace, arg);
        ck_assert_ok(green_sleep(0.01, err), *err);
        strbuf_adds(&trace, arg);
        return 0;
}

static int other_name(void *arg, struct error *err)
{
        assert_green();
        SYNCHRONIZED("another name");
        strbuf_adds(&trace, arg);
        return 0;
}

GREEN_TEST(same_name_excludes_in_fifo_order_and_other_names_do_not)
{
        struct error err;
        struct green_group *group = green_group_new("g");

        ck_assert_ok(green_spawn(group, "a", in_order, "a", &err), err);
        ck_assert_ok(green_spawn(group, "b", in_order, "b", &err), err);
        ck_assert_ok(green_spawn(group, "c", in_order, "c", &err), err);
        ck_assert_ok(green_spawn(group, "x", other_name, "x", &err), err);
        ck_assert_ok(green_group_wait(group, deadline_never(), &err), err);
        ck_assert_str_eq(trace.data, "axabbcc");
        green_group_close(group);
}

static int too_late(void *arg, struct error *err)
{
        assert_green();
        ck_assert_ptr_null(lockutils_acquire("same name", deadline_now(), err));
        strbuf_adds(&trace, err->code == ERR_TIMEOUT ? "T" : "?");
        return 0;
}

static void see(const struct named_lock_info *info, void *arg)
{
        strbuf_addf(arg, "%s by %s, %u waiting%s;", info->name, info->owner, info->waiters,
                    info->external ? ", external" : "");
}

GREEN_TEST(dumps_show_owner_and_waiters_and_unused_names_vanish)
{
        struct error err;
        struct strbuf seen = {};
        struct named_lock *lock = lockutils_acquire("same name", deadline_never(), &err);

        ck_assert_ptr_nonnull(lock);
        ck_assert_ok(green_spawn(NULL, "late", too_late, NULL, &err), err);
        green_yield();
        ck_assert_str_eq(trace.data, "T");
        ck_assert_ok(green_spawn(NULL, "b", in_order, "b", &err), err);
        green_yield();
        lockutils_foreach(see, &seen);
        ck_assert_str_eq(seen.data, "same name by main, 1 waiting;");
        lockutils_release(lock);
        lockutils_release(NULL);
        ck_assert_ok(green_sleep(1, &err), err);
        strbuf_truncate(&seen, 0);
        lockutils_foreach(see, &seen);
        ck_assert_str_eq(seen.data, "");
        strbuf_free(&seen);
}

GREEN_TEST_REAL(external_locks_need_a_path)
{
        struct error err;

        ck_assert_ptr_null(lockutils_acquire_external("x", deadline_now(), &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_fails(lockutils_set_lock_path("/proc/self/exe", &err), err, ERR_INVALID);
}

static int tick(void *arg, struct error *err)
{
        assert_green();
        while (green_sleep(0.001, err) == 0)
                ++*(int *)arg;
        return 0;
}

/* The child holds the file's lock until the parent has written a byte. */
static pid_t other_process(const char *file, int ready, int go)
{
        pid_t pid = fork();
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
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

GREEN_TEST_REAL(another_process_excludes_without_stopping_the_hub)
{
        char dir[] = "/tmp/test-lockutils-XXXXXX";
        CLEANUP(freep) char *file = NULL;
        struct error err;
        struct named_lock *lock;
        static int ticks; /* the ticker outlives this function */
        int ready[2], go[2], status;
        char c;
        pid_t child;

        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_ok(lockutils_set_lock_path(dir, &err), err);
        file = xasprintf("%s/nova-a-b", dir);
        ck_assert_int_eq(pipe(ready) | pipe(go), 0);
        child = other_process(file, ready[1], go[0]);
        ck_assert_int_eq(read(ready[0], &c, 1), 1);
        ck_assert_ok(green_spawn(NULL, "tick", tick, &ticks, &err), err);
        ck_assert_ptr_null(lockutils_acquire_external("nova-a/b", deadline_in_ms(60), &err));
        ck_assert_int_eq(err.code, ERR_TIMEOUT);
        ck_assert_int_gt(ticks, 0); /* how many is a matter of the machine */
        ck_assert_int_eq(write(go[1], "g", 1), 1);
        lock = lockutils_acquire_external("nova-a/b", deadline_in_ms(10000), &err);
        ck_assert_msg(lock != NULL, "%s", err.text);
        lockutils_release(lock);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        unlink(file);
        rmdir(dir);
}

GREEN_TEST_REAL(an_absolute_name_is_the_path_of_the_lock_file)
{
        char dir[] = "/tmp/test-lockutils-XXXXXX";
        CLEANUP(freep) char *file = NULL;
        struct error err;
        struct named_lock *lock;

        ck_assert_ptr_nonnull(mkdtemp(dir));
        file = xasprintf("%s/nova-x", dir);
        lock = lockutils_acquire_external(file, deadline_in_ms(10000), &err);
        ck_assert_msg(lock != NULL, "%s", err.text);
        ck_assert_int_eq(access(file, F_OK), 0);
        lockutils_release(lock);
        unlink(file);
        ck_assert_int_eq(rmdir(dir), 0);
        ck_assert_ptr_null(lockutils_acquire_external(file, deadline_in_ms(10000), &err));
        ck_assert_int_eq(err.code, ERR_SYSTEM);
}

GREEN_SUITE("lockutils", same_name_excludes_in_fifo_order_and_other_names_do_not,
            dumps_show_owner_and_waiters_and_unused_names_vanish, external_locks_need_a_path,
            another_process_excludes_without_stopping_the_hub, an_absolute_name_is_the_path_of_the_lock_file)
