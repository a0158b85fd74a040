/*
 * agent/images/filework.c: work on images and disks as jobs (native/file.h).
 *
 * Every job owns copies of what it needs, because it may outlive its caller. A caller that gave up sets a
 * flag which long work looks at now and then.
 */
#include "images/filework.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "images/header.h"

enum { COPY_CHUNK = 1 << 20, BLOCK = 4096 };

/* One block of arguments and results serves the calls of this file. */
struct work {
        char *path, *other;
        char algo[16];
        size_t max;
        char *out;
        size_t out_len;
        char hex[DIGEST_HEX_MAX + 1];
        struct image_header header;
};

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
        free(w->out);
        free(w);
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

static int BLOCKS open_for_reading(const char *path, struct error *err)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT)
                return error_set(err, ERR_NOT_FOUND, "there is no %s", path);
        return fd < 0 ? error_system(err, errno, "opening %s", path) : fd;
}

/* ---- digests ---- */

void digest_to_hex(const unsigned char *digest, unsigned len, char *hex)
{
        for (unsigned i = 0; i < len; i++)
                snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

int digest_text(const char *algo, const char *text, char *ret_hex, struct error *err)
{
        const EVP_MD *md = EVP_get_digestbyname(algo);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned len;

        if (!md || !EVP_Digest(text, strlen(text), digest, &len, md, NULL))
                return error_set(err, ERR_UNSUPPORTED, "digest \"%s\" is not available", algo);
        digest_to_hex(digest, len, ret_hex);
        return 0;
}

/* ---- copies ---- */

static bool all_zero(const char *data, size_t len)
{
        return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

int write_sparse(int fd, const char *data, size_t len, off_t at)
{
        for (size_t done = 0; done < len; done += BLOCK) {
                size_t n = len - done < BLOCK ? len - done : BLOCK;

                if (!all_zero(data + done, n) && pwrite(fd, data + done, n, at + (off_t)done) != (ssize_t)n)
                        return -1;
        }
        return 0;
}

static int BLOCKS copy_data(struct work *w, int from, int to, EVP_MD_CTX *ctx, const bool *given_up,
                            struct error *err)
{
        CLEANUP(freep) char *buf = xmalloc(COPY_CHUNK);
        off_t at = 0;
        ssize_t n;

        while ((n = read(from, buf, COPY_CHUNK)) != 0) {
                if (n < 0)
                        return error_system(err, errno, "reading %s", w->path);
                if (file_given_up(given_up))
                        return error_set(err, ERR_CANCELLED, "copying %s was given up", w->path);
                if (ctx && !EVP_DigestUpdate(ctx, buf, (size_t)n))
                        return error_set(err, ERR_UNSUPPORTED, "digest \"%s\" failed", w->algo);
                if (write_sparse(to, buf, (size_t)n, at) < 0)
                        return error_system(err, errno, "writing %s", w->other);
                at += n;
        }
        if (ftruncate(to, at) < 0)
                return error_system(err, errno, "writing %s", w->other);
        return 0;
}

static int BLOCKS copy_and_digest(struct work *w, int from, int to, const bool *given_up, struct error *err)
{
        const EVP_MD *md = w->algo[0] ? EVP_get_digestbyname(w->algo) : NULL;
        EVP_MD_CTX *ctx = NULL;
        int r;

        if (w->algo[0]) {
                ctx = md ? EVP_MD_CTX_new() : NULL;
                if (!ctx || !EVP_DigestInit_ex(ctx, md, NULL)) {
                        EVP_MD_CTX_free(ctx);
                        return error_set(err, ERR_UNSUPPORTED, "digest \"%s\" is not available", w->algo);
                }
        }
        r = copy_data(w, from, to, ctx, given_up, err);
        if (r == 0 && ctx) {
                unsigned char digest[EVP_MAX_MD_SIZE];
                unsigned len;

                if (EVP_DigestFinal_ex(ctx, digest, &len))
                        digest_to_hex(digest, len, w->hex);
                else
                        r = error_set(err, ERR_UNSUPPORTED, "digest \"%s\" failed", w->algo);
        }
        EVP_MD_CTX_free(ctx);
        return r;
}

static int do_copy(void *arg, const bool *given_up, struct error *err)
{
        CLEANUP(closep) int from = -1;
        CLEANUP(closep) int to = -1;
        struct work *w = arg;
        int r;

        assert_on_worker();
        from = open_for_reading(w->path, err);
        if (from < 0)
                return -1;
        posix_fadvise(from, 0, 0, POSIX_FADV_SEQUENTIAL);
        to = open(w->other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (to < 0)
                return error_system(err, errno, "writing %s", w->other);
        r = copy_and_digest(w, from, to, given_up, err);
        if (r < 0)
                unlink(w->other);
        return r;
}

static void take_hex(void *arg, void *into)
{
        struct work *w = arg;

        if (into)
                memcpy(into, w->hex, sizeof(w->hex));
}

int file_copy(struct tpool *p, const char *from, const char *to, const char *algo, char *ret_hex,
              struct deadline by, struct error *err)
{
        struct work *w = work_new(from);
        const struct file_call c = { "copy file", to, do_copy, w, work_free, take_hex, ret_hex };

        w->other = xstrdup(to);
        snprintf(w->algo, sizeof(w->algo), "%s", algo ? algo : "");
        return file_call(p, &c, by, err);
}

/* ---- looking ---- */

static int do_inspect(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return image_header_inspect(w->path, &w->header, err);
}

static void take_header(void *arg, void *into)
{
        *(struct image_header *)into = ((struct work *)arg)->header;
}

int file_inspect(struct tpool *p, const char *path, struct image_header *ret, struct deadline by,
                 struct error *err)
{
        struct work *w = work_new(path);
        const struct file_call c = { "inspect image", path, do_inspect, w, work_free, take_header, ret };

        return file_call(p, &c, file_soon(by), err);
}

static int do_backing(void *arg, const bool *given_up, struct error *err)
{
        struct work *w = arg;

        assert_on_worker();
        (void)given_up;
        return image_backing_path(w->path, &w->out, err);
}

int file_backing(struct tpool *p, const char *path, char **ret, struct deadline by, struct error *err)
{
        struct text_into into = { ret, NULL };
        struct work *w = work_new(path);
        const struct file_call c = { "inspect disk", path, do_backing, w, work_free, take_text, &into };

        return file_call(p, &c, file_soon(by), err);
}

/* The end of one file, at most max bytes of it, in front of what is in out already. */
static int BLOCKS prepend_tail(const char *path, size_t max, struct strbuf *out, bool *ret_missing,
                               struct error *err)
{
        CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        CLEANUP(strbuf_free) struct strbuf all = {};
        struct stat st;
        char buf[16384];
        ssize_t n = 0;

        *ret_missing = fd < 0 && errno == ENOENT;
        if (*ret_missing)
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_system(err, errno, "opening %s", path);
        if (!S_ISREG(st.st_mode))
                return error_set(err, ERR_INVALID, "%s is not a file", path);
        if (st.st_size > (off_t)max && lseek(fd, st.st_size - (off_t)max, SEEK_SET) < 0)
                return error_system(err, errno, "reading %s", path);
        while (all.len < max &&
               (n = read(fd, buf, max - all.len < sizeof(buf) ? max - all.len : sizeof(buf))) > 0)
                strbuf_add(&all, buf, (size_t)n);
        if (n < 0)
                return error_system(err, errno, "reading %s", path);
        if (out->len)
                strbuf_add(&all, out->data, out->len);
        strbuf_free(out);
        *out = all;
        all = (struct strbuf){};
        return 0;
}

static int do_tail(void *arg, const bool *given_up, struct error *err)
{
        CLEANUP(strbuf_free) struct strbuf out = {};
        struct work *w = arg;
        bool missing;

        assert_on_worker();
        if (prepend_tail(w->path, w->max, &out, &missing, err) < 0)
                return -1;
        for (unsigned i = 0; out.len < w->max && !missing && !file_given_up(given_up); i++) {
                CLEANUP(freep) char *older = xasprintf("%s.%u", w->path, i);

                if (prepend_tail(older, w->max - out.len, &out, &missing, err) < 0)
                        return -1;
        }
        w->out = strbuf_take(&out, &w->out_len);
        return 0;
}

int file_tail(struct tpool *p, const char *path, size_t max, char **ret, size_t *ret_len, struct deadline by,
              struct error *err)
{
        struct text_into into = { ret, ret_len };
        struct work *w = work_new(path);
        const struct file_call c = { "read console log", path, do_tail, w, work_free, take_text, &into };

        w->max = max;
        return file_call(p, &c, file_soon(by), err);
}

/* ---- removing ---- */

void file_discard(struct tpool *p, const char *path)
{
        struct error ignored = {};

        green_shield_begin();
        file_remove(p, path, deadline_never(), &ignored); /* it is short: see native/file.h */
        green_shield_end();
}
