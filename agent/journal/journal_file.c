/* agent/journal/journal_file.c: jobs on the journal's file, all of them short ones of native/file.h. */
#include "journal/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "native/file.h"

struct journal_file {
        int fd;
        unsigned refs; /* atomic */
        char *path;
};

struct work { /* the job's */
        char *path, *text;
        size_t len;
        struct journal_file *file; /* referenced, or NULL */
        bool too_long;
};

static struct journal_file *file_new(const char *path, int fd)
{
        struct journal_file *f = NEW(struct journal_file);

        f->fd = fd;
        f->refs = 1;
        f->path = xstrdup(path);
        return f;
}

static struct journal_file *file_ref(struct journal_file *f)
{
        __atomic_add_fetch(&f->refs, 1, __ATOMIC_SEQ_CST);
        return f;
}

void journal_file_unref(struct journal_file *f)
{
        if (!f || __atomic_sub_fetch(&f->refs, 1, __ATOMIC_SEQ_CST) > 0)
                return;
        close(f->fd);
        free(f->path);
        free(f);
}

static struct work *work_new(const char *path, struct journal_file *f, char *text, size_t len)
{
        struct work *w = NEW(struct work);

        w->path = xstrdup(path);
        w->file = f ? file_ref(f) : NULL;
        w->text = text;
        w->len = len;
        return w;
}

static void work_free(void *arg)
{
        struct work *w = arg;

        journal_file_unref(w->file);
        free(w->path);
        free(w->text);
        free(w);
}

static int YIELDS run(struct tpool *p, const char *name, file_fn *fn, struct work *w,
                      void (*results)(void *arg, void *into), void *into, struct error *err)
{
        const struct file_call c = { name, w->path, fn, w, work_free, results, into };

        return file_call(p, &c, file_soon(deadline_never()), err);
}

/* ---- reading what is there ---- */

static int BLOCKS lock_or_busy(int fd, const char *path, struct error *err)
{
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        if (errno == EWOULDBLOCK)
                return error_set(err, ERR_BUSY, "another process has %s open", path);
        return error_system(err, errno, "locking %s", path);
}

static int BLOCKS make_folder_of(const char *path, struct error *err)
{
        CLEANUP(freep) char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));

        if (mkdir(folder, 0755) == 0 || errno == EEXIST)
                return 0;
        return error_system(err, errno, "making the directory %s", folder);
}

static int load(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;
        CLEANUP(closep) int fd = -1;

        assert_on_worker();
        (void)given_up;
        fd = open(w->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
                return make_folder_of(w->path, err);
        if (fd < 0)
                return error_system(err, errno, "opening %s", w->path);
        if (lock_or_busy(fd, w->path, err) < 0)
                return -1;
        if (read_small_file(w->path, JOURNAL_SIZE_MAX, &w->text, &w->len, err) < 0) {
                if (err->code != ERR_LIMIT)
                        return -1;
                w->too_long = true;
        }
        w->file = file_new(w->path, fd);
        fd = -1;
        return 0;
}

static void take_work(void *arg, void *into)
{
        struct work *w = arg, *to = into;

        to->file = take_ptr(&w->file);
        to->text = take_ptr(&w->text);
        to->len = w->len;
        to->too_long = w->too_long;
}

int journal_file_load(struct tpool *p, const char *path, struct journal_file **ret_file, char **ret_text,
                      size_t *ret_len, struct error *err)
{
        struct work got = {};

        if (run(p, "read journal", load, work_new(path, NULL, NULL, 0), take_work, &got, err) < 0)
                return -1;
        *ret_file = got.file;
        if (got.too_long)
                return error_set(err, ERR_LIMIT, "%s is longer than %u bytes", path, JOURNAL_SIZE_MAX);
        *ret_text = got.text;
        *ret_len = got.len;
        return 0;
}

/* ---- writing ---- */

/* The name of a new file is safe on disk when its folder is. */
static int BLOCKS sync_folder_of(const char *path, struct error *err)
{
        CLEANUP(freep) char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
        CLEANUP(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
                return error_system(err, errno, "writing the directory %s", folder);
        return 0;
}

/* Locked before it is seen under its name, so at no time can another agent take it. */
static int BLOCKS write_new(const char *path, int fd, const struct work *w, struct error *err)
{
        if (lock_or_busy(fd, path, err) < 0)
                return -1;
        if (write_all(fd, w->text, w->len) < 0 || fdatasync(fd) < 0)
                return error_system(err, errno, "writing %s", path);
        if (rename(path, w->path) < 0)
                return error_system(err, errno, "renaming %s to %s", path, w->path);
        return sync_folder_of(w->path, err);
}

static int replace(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;
        CLEANUP(freep) char *beside = xasprintf("%s.tmp", w->path);
        CLEANUP(closep) int fd = -1;

        assert_on_worker();
        (void)given_up;
        unlink(beside); /* of a process that died in here */
        fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_system(err, errno, "making %s", beside);
        if (write_new(beside, fd, w, err) < 0) {
                unlink(beside);
                return -1;
        }
        w->file = file_new(w->path, fd);
        fd = -1;
        return 0;
}

int journal_file_replace(struct tpool *p, const char *path, char *text, size_t len, struct journal_file **ret,
                         struct error *err)
{
        struct work got = {};

        if (run(p, "replace journal", replace, work_new(path, NULL, text, len), take_work, &got, err) < 0)
                return -1;
        free(got.text);
        *ret = got.file;
        return 0;
}

static int append(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        if (write_all(w->file->fd, w->text, w->len) < 0)
                return error_system(err, errno, "writing %s", w->path);
        return 0;
}

int journal_file_append(struct tpool *p, struct journal_file *f, char *text, size_t len, struct error *err)
{
        return run(p, "write journal", append, work_new(f->path, f, text, len), NULL, NULL, err);
}

static int sync_file(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        if (fdatasync(w->file->fd) < 0)
                return error_system(err, errno, "writing %s to its disk", w->path);
        return 0;
}

int journal_file_sync(struct tpool *p, struct journal_file *f, struct error *err)
{
        return run(p, "sync journal", sync_file, work_new(f->path, f, NULL, 0), NULL, NULL, err);
}
