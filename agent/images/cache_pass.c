/*
 * agent/images/cache_pass.c: one job reads the cache and the headers of all disks; what may go is then
 * removed one by one, each under its lock and after another look at its age: a build may just have chosen it.
 */
#define LOG_MODULE "images.cache"
#include "images/cache_pass.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "images/filework.h"
#include "images/header.h"
#include "images/store_priv.h"
#include "json/json.h"

enum { NAME_LEN = 40, REGISTRY_MAX = 1 << 20, LOCK_MS = 500 }; /* NAME_LEN: of a SHA1 in hexadecimal */

/* ---- which files are ours to remove ---- */

enum kind { KIND_OTHER, KIND_ORIGINAL, KIND_RESIZED };

static bool all_digits(const char *s, size_t len)
{
        return len > 0 && strspn(s, "0123456789") >= len;
}

/* <sha1>, <sha1>_<size>, swap_<mb>, ephemeral_<gb>_<7 characters>. */
static enum kind kind_of(const char *name)
{
        size_t len = strlen(name), digits;

        if (strspn(name, "0123456789abcdef") == NAME_LEN && len == NAME_LEN)
                return KIND_ORIGINAL;
        if (strspn(name, "0123456789abcdef") == NAME_LEN && len > NAME_LEN + 2 && name[NAME_LEN] == '_')
                return KIND_RESIZED;
        if (strncmp(name, "swap_", 5) == 0 && all_digits(name + 5, len - 5))
                return KIND_ORIGINAL;
        if (strncmp(name, "ephemeral_", 10) != 0)
                return KIND_OTHER;
        digits = strspn(name + 10, "0123456789");
        return digits > 0 && len == 10 + digits + 8 && name[10 + digits] == '_' ? KIND_ORIGINAL : KIND_OTHER;
}

/* ---- what is there, and what is used: on a worker ---- */

struct cached {
        char *name;
        enum kind kind;
        bool used;
        int64_t age_s;
};

struct survey {
        char *instances_path, *cache_path, *cache_name;
        char **names; /* that the images of instances are cached as */
        unsigned n_names;
        struct cached *files;
        unsigned n_files;
};

static void survey_free(void *arg)
{
        struct survey *w = arg;

        for (unsigned i = 0; i < w->n_names; i++)
                free(w->names[i]);
        for (unsigned i = 0; i < w->n_files; i++)
                free(w->files[i].name);
        free(w->names);
        free(w->files);
        free(w->instances_path);
        free(w->cache_path);
        free(w->cache_name);
        free(w);
}

static int BLOCKS list_cache(struct survey *w, struct error *err)
{
        DIR *d = opendir(w->cache_path);
        struct dirent *e;

        if (!d)
                return error_system(err, errno, "reading %s", w->cache_path);
        while ((e = readdir(d))) {
                enum kind kind = kind_of(e->d_name);
                struct stat st;

                if (kind == KIND_OTHER || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !S_ISREG(st.st_mode))
                        continue;
                w->files = xrealloc(w->files, (w->n_files + 1) * sizeof(*w->files));
                w->files[w->n_files++] = (struct cached){ .name = xstrdup(e->d_name),
                                                          .kind = kind,
                                                          .age_s = time(NULL) - st.st_mtime };
        }
        closedir(d);
        return 0;
}

/* By name: the same file may be called by different paths, through links or on other hosts. */
static void mark_used(struct survey *w, const char *path)
{
        const char *slash = strrchr(path, '/');

        for (unsigned i = 0; i < w->n_files; i++)
                if (strcmp(w->files[i].name, slash ? slash + 1 : path) == 0)
                        w->files[i].used = true;
}

/* An image and what was made of it by size. */
static void mark_image(struct survey *w, const char *name)
{
        for (unsigned i = 0; i < w->n_files; i++)
                if (strncmp(w->files[i].name, name, NAME_LEN) == 0)
                        w->files[i].used = true;
}

/* Disks that are gone by now, or are no disks at all, use nothing. */
static int BLOCKS mark_disks_in(struct survey *w, const char *dir, struct error *err)
{
        DIR *d = opendir(dir);
        struct dirent *e;
        int r = 0;

        if (!d)
                return errno == ENOTDIR || errno == ENOENT ? 0 : error_system(err, errno, "reading %s", dir);
        while (r == 0 && (e = readdir(d))) {
                CLEANUP(freep) char *path = NULL;
                CLEANUP(freep) char *backing = NULL;

                if (strncmp(e->d_name, "disk", 4) != 0 || strcmp(e->d_name, "disk.info") == 0)
                        continue;
                path = xasprintf("%s/%s", dir, e->d_name);
                r = image_backing_path(path, &backing, err);
                if (r < 0 && err->code == ERR_NOT_FOUND)
                        r = 0;
                if (backing)
                        mark_used(w, backing);
        }
        closedir(d);
        return r;
}

static int BLOCKS mark_all_disks(struct survey *w, const bool *given_up, struct error *err)
{
        DIR *d = opendir(w->instances_path);
        struct dirent *e;
        int r = 0;

        if (!d)
                return error_system(err, errno, "reading %s", w->instances_path);
        while (r == 0 && (e = readdir(d))) {
                CLEANUP(freep) char *dir = xasprintf("%s/%s", w->instances_path, e->d_name);

                if (file_given_up(given_up))
                        r = error_set(err, ERR_CANCELLED, "looking through %s was given up", w->cache_path);
                else if (e->d_name[0] != '.' && strcmp(e->d_name, w->cache_name) != 0)
                        r = mark_disks_in(w, dir, err);
        }
        closedir(d);
        return r;
}

static int look(void *arg, const bool *given_up, struct error *err)
{
        struct survey *w = arg;

        assert_on_worker();
        if (list_cache(w, err) < 0 || mark_all_disks(w, given_up, err) < 0)
                return -1;
        for (unsigned i = 0; i < w->n_names; i++)
                mark_image(w, w->names[i]);
        for (unsigned i = 0; i < w->n_files; i++) {
                CLEANUP(freep) char *path = xasprintf("%s/%s", w->cache_path, w->files[i].name);

                /* not ours while a guest uses it, unless we may (systemd/compute-agent.service): it ages from
                 * the last time that we could */
                if (w->files[i].used && utimensat(AT_FDCWD, path, NULL, 0) < 0 && errno != ENOENT &&
                    errno != EPERM && errno != EACCES)
                        return error_system(err, errno, "renewing the time of %s", path);
        }
        return 0;
}

struct found {
        struct cached *files;
        unsigned n;
};

static void found_free(struct found *f)
{
        for (unsigned i = 0; i < f->n; i++)
                free(f->files[i].name);
        free(f->files);
}

static void take_files(void *arg, void *into)
{
        struct survey *w = arg;

        *(struct found *)into = (struct found){ take_ptr(&w->files), w->n_files };
        w->n_files = 0;
}

static int YIELDS survey(struct disk_store *s, const struct cache_pass *pass, struct found *ret,
                         struct deadline by, struct error *err)
{
        struct survey *w = NEW(struct survey);
        const struct file_call c = { "look through cache", s->cache_path, look, w,
                                     survey_free,          take_files,    ret };

        w->instances_path = xstrdup(s->instances_path);
        w->cache_path = xstrdup(s->cache_path);
        w->cache_name = xstrdup(strrchr(s->cache_path, '/') + 1);
        w->names = xcalloc(pass->n_image_ids, sizeof(*w->names));
        for (unsigned i = 0; i < pass->n_image_ids; i++) {
                char hex[DIGEST_HEX_MAX + 1];

                if (digest_text("sha1", pass->image_ids[i], hex, err) < 0) {
                        survey_free(w);
                        return -1;
                }
                w->names[w->n_names++] = xstrdup(hex);
        }
        return file_call(s->tpool, &c, by, err);
}

/* ---- removing ---- */

struct removal {
        char *path;
        int64_t age_s;
        bool removed;
        int64_t freed;
};

static void removal_free(void *arg)
{
        struct removal *w = arg;

        free(w->path);
        free(w);
}

static int remove_if_old(void *arg, const bool *given_up, struct error *err)
{
        struct removal *w = arg;
        struct stat st;

        assert_on_worker();
        if (file_given_up(given_up))
                return error_set(err, ERR_CANCELLED, "removing %s was given up", w->path);
        if (lstat(w->path, &st) < 0)
                return errno == ENOENT ? 0 : error_system(err, errno, "looking at %s", w->path);
        if (time(NULL) - st.st_mtime < w->age_s)
                return 0;
        if (unlink(w->path) < 0)
                return errno == ENOENT ? 0 : error_system(err, errno, "removing %s", w->path);
        w->removed = true;
        w->freed = (int64_t)st.st_blocks * 512;
        return 0;
}

static void take_removal(void *arg, void *into)
{
        const struct removal *w = arg;
        struct cache_pass_result *result = into;

        result->removed += w->removed;
        result->freed_bytes += w->freed;
}

static int YIELDS remove_one(struct disk_store *s, const struct cached *f, int64_t age_s,
                             struct cache_pass_result *ret, struct deadline by, struct error *err)
{
        struct deadline soon = deadline_earlier(by, deadline_in_ms(LOCK_MS));
        CLEANUP(file_lock_releasep) struct file_lock *lock = cache_lock(s, f->name, soon, err);
        struct file_call c = {
                "remove image", f->name, remove_if_old, NULL, removal_free, take_removal, ret
        };
        unsigned before = ret->removed;
        struct removal *w;

        if (!lock)
                return error_while(err, "locking %s", f->name);
        c.arg = w = NEW(struct removal);
        w->path = xasprintf("%s/%s", s->cache_path, f->name);
        w->age_s = age_s;
        if (file_call(s->tpool, &c, by, err) < 0)
                return -1;
        if (ret->removed > before)
                log_info("removed %s/%s from the cache: not used for %lld s", s->cache_path, f->name,
                         (long long)f->age_s);
        return 0;
}

/* ---- who shares the storage ---- */

/* Hosts that are not in this file do not count for the pass of a nova-compute on the same storage. */
static int YIELDS note_host(struct disk_store *s, const char *host, struct deadline by, struct error *err)
{
        CLEANUP(file_lock_releasep)
        struct file_lock *lock = cache_lock(s, "storage-registry-lock", by, err);
        CLEANUP(freep) char *path = xasprintf("%s/compute_nodes", s->instances_path);
        CLEANUP(jval_unrefp) struct jval *hosts = NULL;
        CLEANUP(freep) char *text = NULL;
        CLEANUP(freep) char *new = NULL;
        struct error parse = {};
        size_t len;

        if (!lock)
                return -1;
        if (file_read(s->tpool, path, REGISTRY_MAX, &text, &len, by, err) == 0)
                hosts = jval_parse(text, len, &parse);
        else if (err->code != ERR_NOT_FOUND)
                return -1;
        if (parse.code)
                log_warning("%s is no JSON and is begun anew: %s", path, parse.text);
        if (jval_type(hosts) != JVAL_OBJECT) {
                jval_unref(hosts);
                hosts = jval_new_object();
        }
        *err = (struct error){};
        jval_set_real(hosts, host, (double)clock_wall_s());
        new = jval_print(hosts, NULL);
        return file_write(s->tpool, path, new, 0644, by, err);
}

int images_cache_pass(struct disk_store *s, const struct cache_pass *pass, struct cache_pass_result *ret,
                      struct deadline by, struct error *err)
{
        CLEANUP(found_free) struct found found = {};
        struct cache_pass_result result = {};

        if (note_host(s, pass->host, by, err) < 0 || survey(s, pass, &found, by, err) < 0)
                return -1;
        result.files = found.n;
        for (unsigned i = 0; i < found.n; i++) {
                const struct cached *f = &found.files[i];
                int64_t age_s = f->kind == KIND_RESIZED ? pass->resized_age_s : pass->original_age_s;
                struct error one = {};

                if (f->used)
                        result.used++;
                else if (f->age_s < age_s)
                        result.young++;
                else if (pass->remove && remove_one(s, f, age_s, &result, by, &one) < 0) {
                        if (error_is_cancel(&one, err))
                                return -1;
                        log_warning("%s; leaving it in the cache", one.text);
                }
        }
        *ret = result;
        return 0;
}
