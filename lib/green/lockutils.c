/*
 * lib/green/lockutils.c: locks by name.
 *
 * The table holds only names that someone holds or wants. An external lock is the same named green mutex
 * first, then a lock of the open file description (F_OFD_SETLK) on a file, tried in growing intervals: other
 * processes cannot wake a hub, and a blocking wait would stop it.
 */
#include "green/lockutils.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "green/green_priv.h"

enum { BUCKETS = 256, FIRST_PAUSE_MS = 5, LAST_PAUSE_MS = 100 };

struct named_lock {
        struct list link; /* in its bucket */
        struct green_mutex mutex;
        unsigned users; /* holder and waiters */
        int fd;         /* external: the lock file while held; else -1 */
        bool external, waits_for_process;
        char name[];
};

static char *lock_path;

/* NULL: no memory for the table. */
static struct list *HUB_ONLY bucket_of(const char *name)
{
        struct list *buckets = the_hub->named_locks;
        unsigned hash = 5381;

        for (const char *c = name; *c; c++)
                hash = hash * 33 + (unsigned char)*c;
        if (!buckets) {
                buckets = the_hub->named_locks = malloc(BUCKETS * sizeof(*buckets));
                for (int i = 0; buckets && i < BUCKETS; i++)
                        list_init(&buckets[i]);
        }
        return !buckets ? NULL : &buckets[hash % BUCKETS];
}

int lockutils_set_lock_path(const char *dir, struct error *err)
{
        struct stat st;

        local_files("lock_path is local: it excludes processes of this host");
        if (mkdir(dir, 0750) < 0 && errno != EEXIST)
                return error_system(err, errno, "making lock path %s", dir);
        if (stat(dir, &st) < 0)
                return error_system(err, errno, "lock path %s", dir);
        if (!S_ISDIR(st.st_mode))
                return error_set(err, ERR_INVALID, "lock path %s is not a directory", dir);
        replace_str(&lock_path, dir);
        return 0;
}

static struct named_lock *HUB_ONLY find_or_make(const char *name, struct error *err)
{
        struct list *bucket = bucket_of(name);
        struct named_lock *lock = NULL;
        size_t len = strlen(name) + 1;

        if (!bucket)
                goto no_memory;
        list_for_each (node, bucket) {
                lock = CONTAINER_OF(node, struct named_lock, link);
                if (strcmp(lock->name, name) == 0)
                        return lock;
        }
        lock = calloc(1, sizeof(*lock) + len);
        if (!lock)
                goto no_memory;
        memcpy(lock->name, name, len);
        lock->fd = -1;
        green_mutex_init(&lock->mutex, lock->name);
        list_append(bucket, &lock->link);
        return lock;
no_memory:
        error_system(err, ENOMEM, "lock %s", name);
        return NULL;
}

static void forget_if_unused(struct named_lock *lock)
{
        if (--lock->users > 0)
                return;
        list_remove(&lock->link);
        free(lock);
}

struct named_lock *lockutils_acquire(const char *name, struct deadline by, struct error *err)
{
        struct named_lock *lock = find_or_make(name, err);

        if (!lock)
                return NULL;
        lock->users++;
        if (green_mutex_lock(&lock->mutex, by, err) == 0)
                return lock;
        forget_if_unused(lock);
        return NULL;
}

void lockutils_release(struct named_lock *lock)
{
        if (!lock)
                return;
        closep(&lock->fd); /* gives the file lock back */
        lock->external = false;
        green_mutex_unlock(&lock->mutex);
        forget_if_unused(lock);
}

static char *lock_file_path(const char *name)
{
        char *path;

        if (name[0] == '/')
                return xstrdup(name);
        if (!lock_path)
                return NULL;
        path = xasprintf("%s/%s", lock_path, name);
        for (char *c = path + strlen(lock_path) + 1; *c; c++)
                if (*c == '/')
                        *c = '-';
        return path;
}

static int open_lock_file(const char *name, struct error *err)
{
        CLEANUP(freep) char *path = lock_file_path(name);
        int fd;

        local_files("lock_path is local; for other places there is native/file_lock.h");
        if (!path)
                return error_set(err, ERR_INVALID, "external lock %s: no lock_path is set", name);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        return fd < 0 ? error_system(err, errno, "opening lock file %s", path) : fd;
}

static int YIELDS lock_file(struct named_lock *lock, struct deadline by, struct error *err)
{
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int64_t pause_ms = FIRST_PAUSE_MS;

        while (fcntl(lock->fd, F_OFD_SETLK, &whole) < 0) {
                if (errno != EAGAIN && errno != EACCES)
                        return error_system(err, errno, "locking the file of %s", lock->name);
                if (deadline_passed(by))
                        return error_set(err, ERR_TIMEOUT, "lock %s: another process holds it", lock->name);
                if (green_sleep_until(deadline_earlier(by, deadline_in_ms(pause_ms)), err) < 0)
                        return error_while(err, "lock %s", lock->name);
                if (pause_ms < LAST_PAUSE_MS)
                        pause_ms *= 2;
        }
        return 0;
}

struct named_lock *lockutils_acquire_external(const char *name, struct deadline by, struct error *err)
{
        struct named_lock *lock = lockutils_acquire(name, by, err);
        int r;

        if (!lock)
                return NULL;
        lock->fd = open_lock_file(name, err);
        if (lock->fd < 0) {
                lockutils_release(lock);
                return NULL;
        }
        lock->external = true;
        lock->waits_for_process = true;
        r = lock_file(lock, by, err);
        lock->waits_for_process = false;
        if (r == 0)
                return lock;
        lockutils_release(lock);
        return NULL;
}

struct named_lock *lockutils_enter(const char *name)
{
        struct named_lock *lock;
        struct error err;

        green_shield_begin();
        lock = lockutils_acquire(name, deadline_never(), &err);
        green_shield_end();
        if (!lock) { /* no memory for the name: going on without the lock would be worse */
                fprintf(stderr, "green: %s\n", err.text);
                abort();
        }
        return lock;
}

void lockutils_releasep(struct named_lock **lock)
{
        assert_on_hub();
        lockutils_release(*lock);
}

void lockutils_foreach(void (*fn)(const struct named_lock_info *info, void *arg), void *arg)
{
        struct list *buckets = the_hub->named_locks;

        for (int i = 0; buckets && i < BUCKETS; i++) {
                list_for_each (node, &buckets[i]) {
                        struct named_lock *lock = CONTAINER_OF(node, struct named_lock, link);
                        struct green *owner = lock->mutex.owner;
                        struct named_lock_info info = {
                                .name = lock->name,
                                .external = lock->external,
                                .owner = owner && !lock->waits_for_process ? green_name(owner) : "",
                                .owner_id = owner ? green_id(owner) : 0,
                                .waiters = lock->users - 1,
                                .held_s = (double)(clock_now_ns() - lock->mutex.since_ns) / 1e9,
                                .mutex = &lock->mutex,
                        };

                        fn(&info, arg);
                }
        }
}
