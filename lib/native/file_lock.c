/*
 * lib/native/file_lock.c: a green lock by the name of the path first, then a lock of the open file
 * description (F_OFD_SETLK) on the file. Who opens, locks and closes is a worker; a blocking wait for the
 * lock would hold one for as long as somebody else works, so it is tried again and again instead.
 */
#include "native/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "green/lockutils.h"

enum { FIRST_PAUSE_MS = 5, LAST_PAUSE_MS = 100, RELEASE_S = 10 };

struct file_lock {
        struct tpool *pool;
        struct named_lock *named; /* among green threads */
        char *path;
        int fd;
};

/* One attempt, or the end of one that succeeded. */
struct attempt {
        char *path;
        int fd;
};

static void attempt_free(void *arg)
{
        struct attempt *a = arg;

        closep(&a->fd);
        free(a->path);
        free(a);
}

static int try_lock(void *arg, const bool *given_up, struct error *err)
{
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        struct attempt *a = arg;

        assert_on_worker();
        (void)given_up;
        a->fd = open(a->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
        if (a->fd < 0)
                return error_system(err, errno, "opening lock file %s", a->path);
        if (fcntl(a->fd, F_OFD_SETLK, &whole) == 0)
                return 0;
        error_system(err, errno, "locking %s", a->path);
        if (err->sys == EAGAIN || err->sys == EACCES)
                err->code = ERR_BUSY;
        closep(&a->fd);
        return -1;
}

static void take_fd(void *arg, void *into)
{
        struct attempt *a = arg;

        *(int *)into = a->fd;
        a->fd = -1;
}

static int YIELDS attempt_lock(struct file_lock *l, struct deadline by, struct error *err)
{
        struct attempt *a = NEW(struct attempt);
        const struct file_call c = { "lock file", l->path, try_lock, a, attempt_free, take_fd, &l->fd };

        a->path = xstrdup(l->path);
        a->fd = -1;
        return file_call(l->pool, &c, file_soon(by), err);
}

static int YIELDS lock_file(struct file_lock *l, struct deadline by, struct error *err)
{
        int64_t pause_ms = FIRST_PAUSE_MS;

        while (attempt_lock(l, by, err) < 0) {
                if (err->code != ERR_BUSY)
                        return -1;
                if (deadline_passed(by))
                        return error_set(err, ERR_TIMEOUT, "lock %s: another process holds it", l->path);
                *err = (struct error){};
                if (green_sleep_until(deadline_earlier(by, deadline_in_ms(pause_ms)), err) < 0)
                        return error_while(err, "lock %s", l->path);
                if (pause_ms < LAST_PAUSE_MS)
                        pause_ms *= 2;
        }
        return 0;
}

struct file_lock *file_lock_acquire(struct tpool *p, const char *path, struct deadline by, struct error *err)
{
        struct named_lock *named = lockutils_acquire(path, by, err);
        struct file_lock *l;

        if (!named)
                return NULL;
        l = NEW(struct file_lock);
        l->pool = p;
        l->named = named;
        l->path = xstrdup(path);
        l->fd = -1;
        if (lock_file(l, by, err) == 0)
                return l;
        file_lock_release(l);
        return NULL;
}

static int do_close(void *arg, const bool *given_up, struct error *err)
{
        struct attempt *a = arg;

        assert_on_worker();
        (void)given_up;
        (void)err;
        closep(&a->fd); /* gives the lock back */
        return 0;
}

/* The descriptor is the job's, which closes it also when nobody waits for that any more. */
static void YIELDS unlock_file(struct file_lock *l)
{
        struct attempt *a = NEW(struct attempt);
        const struct file_call c = { "unlock file", l->path, do_close, a, attempt_free, NULL, NULL };
        struct error ignored = {};

        a->path = xstrdup(l->path);
        a->fd = l->fd;
        green_shield_begin();
        file_call(l->pool, &c, deadline_in_s(RELEASE_S), &ignored);
        green_shield_end();
}

void file_lock_release(struct file_lock *l)
{
        if (!l)
                return;
        if (l->fd >= 0)
                unlock_file(l);
        lockutils_release(l->named);
        free(l->path);
        free(l);
}

void file_lock_releasep(struct file_lock **l)
{
        assert_green();
        file_lock_release(*l);
}
