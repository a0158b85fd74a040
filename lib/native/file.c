/*
 * lib/native/file.c: the calls of file.h, each a function that runs on a worker.
 *
 * One block of arguments and results serves them all; it belongs to the job, which may outlive its caller.
 */
#include "native/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strbuf.h"

enum { TREE_DEPTH_MAX = 32, TIMEOUT_S = 60 };

static double timeout_s = TIMEOUT_S;

struct work {
        char *path, *other, *text;
        unsigned mode;
        size_t max;
        off_t length;
        char *out;
        size_t out_len;
        struct stat st;
        bool there;
};

void file_set_timeout(double seconds)
{
        timeout_s = seconds;
}

struct deadline file_soon(struct deadline by)
{
        return deadline_earlier(by, deadline_in_s(timeout_s));
}

static struct work *work_new(const char *path)
{
        struct work *w = NEW(struct work);

        w->path = xstrdup(path);
        return w;
}

static void work_free(void *arg)
{
        struct work *w = arg;

        free(w->path);
        free(w->other);
        free(w->text);
        free(w->out);
        free(w);
}

/* A short operation without results. Takes w over. */
static int YIELDS short_call(struct tpool *p, const char *name, file_fn *fn, struct work *w,
                             struct deadline by, struct error *err)
{
        const struct file_call c = { name, w->path, fn, w, work_free, NULL, NULL };

        return file_call(p, &c, file_soon(by), err);
}

static int failed(struct error *err, const char *doing, const char *path)
{
        if (errno == ENOENT)
                return error_set(err, ERR_NOT_FOUND, "%s %s: it is not there", doing, path);
        return error_system(err, errno, "%s %s", doing, path);
}

/* ---- content ---- */

int read_small_file(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err)
{
        CLEANUP(strbuf_free) struct strbuf b = {};
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        char buf[16384];
        ssize_t n;

        if (fd < 0 && errno == ENOENT)
                return error_set(err, ERR_NOT_FOUND, "there is no %s", path);
        if (fd < 0)
                return error_system(err, errno, "opening %s", path);
        while ((n = read(fd, buf, sizeof(buf))) > 0) {
                if (b.len + (size_t)n > max)
                        return error_set(err, ERR_LIMIT, "%s is longer than %zu bytes", path, max);
                strbuf_add(&b, buf, (size_t)n);
        }
        if (n < 0)
                return error_system(err, errno, "reading %s", path);
        *ret = strbuf_take(&b, ret_len);
        return 0;
}

static int do_read(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return read_small_file(w->path, w->max, &w->out, &w->out_len, err);
}

struct text_into {
        char **text;
        size_t *len;
};

static void take_text(void *arg, void *into)
{
        struct work *w = arg;
        struct text_into *t = into;

        *t->text = take_ptr(&w->out);
        if (t->len)
                *t->len = w->out_len;
}

int file_read(struct tpool *p, const char *path, size_t max, char **ret, size_t *ret_len, struct deadline by,
              struct error *err)
{
        struct text_into into = { ret, ret_len };
        struct work *w = work_new(path);
        const struct file_call c = { "read file", path, do_read, w, work_free, take_text, &into };

        w->max = max;
        return file_call(p, &c, file_soon(by), err);
}

int write_all(int fd, const char *data, size_t len)
{
        while (len > 0) {
                ssize_t n = write(fd, data, len);

                if (n < 0 && errno != EINTR)
                        return -1;
                if (n > 0) {
                        data += n;
                        len -= (size_t)n;
                }
        }
        return 0;
}

static int do_write(void *arg, const bool *given_up, struct error *err)
{
        CLEANUP(freep) char *tmp = NULL;
        CLEANUP(closep) int fd = -1;
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        tmp = xasprintf("%s.tmp", w->path);
        fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, w->mode);
        if (fd < 0)
                return error_system(err, errno, "writing %s", tmp);
        if (write_all(fd, w->text, strlen(w->text)) == 0 && rename(tmp, w->path) == 0)
                return 0;
        error_system(err, errno, "writing %s", w->path);
        unlink(tmp);
        return -1;
}

int file_write(struct tpool *p, const char *path, const char *text, unsigned mode, struct deadline by,
               struct error *err)
{
        struct work *w = work_new(path);

        w->text = xstrdup(text);
        w->mode = mode;
        return short_call(p, "write file", do_write, w, by, err);
}

/* ---- looking ---- */

static int do_stat(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return stat(w->path, &w->st) == 0 ? 0 : failed(err, "looking at", w->path);
}

static void take_stat(void *arg, void *into)
{
        *(struct stat *)into = ((struct work *)arg)->st;
}

int file_stat(struct tpool *p, const char *path, struct stat *ret, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);
        const struct file_call c = { "look at file", path, do_stat, w, work_free, take_stat, ret };

        return file_call(p, &c, file_soon(by), err);
}

static int do_exists(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        w->there = access(w->path, F_OK) == 0;
        if (w->there || errno == ENOENT || errno == ENOTDIR)
                return 0;
        return error_system(err, errno, "looking for %s", w->path);
}

static void take_there(void *arg, void *into)
{
        *(bool *)into = ((struct work *)arg)->there;
}

int file_exists(struct tpool *p, const char *path, bool *ret, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);
        const struct file_call c = { "look for file", path, do_exists, w, work_free, take_there, ret };

        return file_call(p, &c, file_soon(by), err);
}

static int do_access(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return access(w->path, (int)w->mode) == 0 ? 0 : failed(err, "access to", w->path);
}

int file_check_access(struct tpool *p, const char *path, int mode, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);

        w->mode = (unsigned)mode;
        return short_call(p, "check access", do_access, w, by, err);
}

/* ---- changing ---- */

static int do_create(void *arg, const bool *given_up, struct error *err)
{
        CLEANUP(closep) int fd = -1;
        struct work *w = arg;
        struct stat st;

        assert_on_worker();
        (void)given_up;
        fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, w->mode);
        if (fd >= 0)
                return 0;
        /* it may be there and not be ours to open: virtlogd keeps console logs for root */
        if (errno == EEXIST && lstat(w->path, &st) == 0)
                return S_ISREG(st.st_mode) ? 0
                                           : error_set(err, ERR_INVALID, "%s is no regular file", w->path);
        return failed(err, "making", w->path);
}

int file_create(struct tpool *p, const char *path, unsigned mode, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);

        w->mode = mode;
        return short_call(p, "make file", do_create, w, by, err);
}

static int do_set_length(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return truncate(w->path, w->length) == 0 ? 0 : failed(err, "giving its size to", w->path);
}

int file_set_length(struct tpool *p, const char *path, off_t length, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);

        w->length = length;
        return short_call(p, "set length", do_set_length, w, by, err);
}

static int BLOCKS make_folder(const char *path, unsigned mode, struct error *err)
{
        struct stat st;

        if (mkdir(path, mode) == 0)
                return 0;
        if (errno != EEXIST)
                return failed(err, "making folder", path);
        if (stat(path, &st) < 0)
                return failed(err, "looking at", path);
        return S_ISDIR(st.st_mode) ? 0 : error_system(err, ENOTDIR, "%s", path);
}

static int do_make_folder(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return make_folder(w->path, w->mode, err);
}

int file_make_folder(struct tpool *p, const char *path, unsigned mode, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);

        w->mode = mode;
        return short_call(p, "make folder", do_make_folder, w, by, err);
}

static int do_make_folders(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        for (char *c = w->path + 1; *c && !file_given_up(given_up); c++) {
                int r;

                if (*c != '/')
                        continue;
                *c = '\0';
                r = make_folder(w->path, w->mode, err);
                *c = '/';
                if (r < 0)
                        return -1;
        }
        return make_folder(w->path, w->mode, err);
}

int file_make_folders(struct tpool *p, const char *path, unsigned mode, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);
        /* Not w->path, which changes while it runs. */
        const struct file_call c = { "make folders", path, do_make_folders, w, work_free, NULL, NULL };

        w->mode = mode;
        return file_call(p, &c, file_soon(by), err);
}

static int do_rename(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return rename(w->path, w->other) == 0 ? 0 : failed(err, "renaming", w->path);
}

int file_rename(struct tpool *p, const char *from, const char *to, struct deadline by, struct error *err)
{
        struct work *w = work_new(from);

        w->other = xstrdup(to);
        return short_call(p, "rename file", do_rename, w, by, err);
}

static int do_put_in_place(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        if (chmod(w->path, w->mode) == 0 && rename(w->path, w->other) == 0)
                return 0;
        return failed(err, "putting in place", w->path);
}

int file_put_in_place(struct tpool *p, const char *from, const char *to, unsigned mode, struct deadline by,
                      struct error *err)
{
        struct work *w = work_new(from);

        w->other = xstrdup(to);
        w->mode = mode;
        return short_call(p, "put file in place", do_put_in_place, w, by, err);
}

static int do_renew(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return utimensat(AT_FDCWD, w->path, NULL, 0) == 0 ? 0 : failed(err, "renewing the time of", w->path);
}

int file_renew(struct tpool *p, const char *path, struct deadline by, struct error *err)
{
        return short_call(p, "renew file", do_renew, work_new(path), by, err);
}

/* ---- removing ---- */

static int do_remove(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return unlink(w->path) == 0 || errno == ENOENT ? 0 : failed(err, "removing", w->path);
}

int file_remove(struct tpool *p, const char *path, struct deadline by, struct error *err)
{
        return short_call(p, "remove file", do_remove, work_new(path), by, err);
}

static int BLOCKS remove_at(int parent, const char *name, int depth)
{
        struct dirent *e;
        DIR *dir;
        int fd, r = 0;

        if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -1;
        if (depth == 0) {
                errno = ELOOP;
                return -1;
        }
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (!dir) {
                closep(&fd);
                return -1;
        }
        while (r == 0 && (e = readdir(dir)))
                if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                        r = remove_at(fd, e->d_name, depth - 1);
        if (r < 0) {
                int saved = errno;

                closedir(dir);
                errno = saved;
                return -1;
        }
        closedir(dir);
        return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int remove_tree(const char *path, struct error *err)
{
        if (remove_at(AT_FDCWD, path, TREE_DEPTH_MAX) < 0)
                return error_system(err, errno, "removing %s", path);
        return 0;
}

static int do_remove_tree(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return remove_tree(w->path, err);
}

int file_remove_tree(struct tpool *p, const char *path, struct deadline by, struct error *err)
{
        struct work *w = work_new(path);
        const struct file_call c = { "remove files", path, do_remove_tree, w, work_free, NULL, NULL };

        return file_call(p, &c, by, err);
}
