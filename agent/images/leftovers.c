/*
 * agent/images/leftovers.c: what an agent leaves in the cache that is killed while it fetches an image: a
 * half of a file that nobody will ever finish.
 *
 * Files on their way to the cache belong to whoever holds the lock of that base. So they are dead when one
 * can have that lock.
 */
#define LOG_MODULE "images.cache"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "images/filework.h"
#include "images/store_priv.h"

enum { NAME_LEN = 40, TRY_LOCK_MS = 20 }; /* NAME_LEN: of a SHA1 in hexadecimal */

struct file_lock *cache_lock(struct disk_store *s, const char *name, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/nova-%s", s->locks_path, name);

        return file_lock_acquire(s->tpool, path, by, err);
}

/* <name>.part (as nova has it), <name>.<number>.part, and the same with .converted. */
static bool is_leftover(const char *file)
{
        size_t len = strlen(file);

        if (len <= NAME_LEN || strspn(file, "0123456789abcdef") != NAME_LEN || file[NAME_LEN] != '.')
                return false;
        return strcmp(file + len - 5, ".part") == 0 ||
               (len >= NAME_LEN + 10 && strcmp(file + len - 10, ".converted") == 0);
}

struct search {
        char *dir;
        char **files;
        unsigned n;
};

static void search_free(void *arg)
{
        struct search *w = arg;

        for (unsigned i = 0; i < w->n; i++)
                free(w->files[i]);
        free(w->files);
        free(w->dir);
        free(w);
}

static int search(void *arg, const bool *given_up, struct error *err)
{
        struct search *w = arg;
        struct dirent *e;
        DIR *d;

        assert_on_worker();
        d = opendir(w->dir);
        if (!d)
                return error_system(err, errno, "reading %s", w->dir);
        while ((e = readdir(d)) && !file_given_up(given_up)) {
                if (!is_leftover(e->d_name))
                        continue;
                w->files = xrealloc(w->files, (w->n + 1) * sizeof(*w->files));
                w->files[w->n++] = xstrdup(e->d_name);
        }
        closedir(d);
        return 0;
}

struct found {
        char **files;
        unsigned n;
};

static void take_found(void *arg, void *into)
{
        struct search *w = arg;

        *(struct found *)into = (struct found){ take_ptr(&w->files), w->n };
        w->n = 0;
}

static void found_free(struct found *f)
{
        for (unsigned i = 0; i < f->n; i++)
                free(f->files[i]);
        free(f->files);
}

static int YIELDS find_all(struct disk_store *s, struct found *ret, struct deadline by, struct error *err)
{
        struct search *w = NEW(struct search);
        const struct file_call c = { "search cache", s->cache_path, search, w, search_free, take_found, ret };

        w->dir = xstrdup(s->cache_path);
        return file_call(s->tpool, &c, by, err);
}

static int YIELDS remove_one(struct disk_store *s, const char *file, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", s->cache_path, file);

        log_info("removing %s, which a fetch left behind that never ended", path);
        return file_remove_tree(s->tpool, path, by, err);
}

int cache_remove_leftovers(struct disk_store *s, const char *name, struct deadline by, struct error *err)
{
        CLEANUP(found_free) struct found found = {};

        if (find_all(s, &found, by, err) < 0)
                return -1;
        for (unsigned i = 0; i < found.n; i++)
                if (strncmp(found.files[i], name, NAME_LEN) == 0 &&
                    remove_one(s, found.files[i], by, err) < 0)
                        return -1;
        return 0;
}

int disks_remove_leftovers(struct disk_store *s, struct deadline by, struct error *err)
{
        CLEANUP(found_free) struct found found = {};

        if (find_all(s, &found, by, err) < 0)
                return -1;
        for (unsigned i = 0; i < found.n; i++) {
                CLEANUP(file_lock_releasep) struct file_lock *lock = NULL;
                CLEANUP(freep) char *name = xstrndup(found.files[i], NAME_LEN);
                struct error lock_err = {};

                lock = cache_lock(s, name, deadline_earlier(by, deadline_in_ms(TRY_LOCK_MS)), &lock_err);
                if (error_is_cancel(&lock_err, err))
                        return -1;
                /* Without the lock somebody is still at it. */
                if (lock && remove_one(s, found.files[i], by, err) < 0)
                        return -1;
        }
        return 0;
}
