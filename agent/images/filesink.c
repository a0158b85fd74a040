/*
 * agent/images/filesink.c: pieces of a download on their way to the disk.
 *
 * Each piece is a job with a reference to the file, since a job may outlive a caller who gave up; there is
 * one job at a time, so descriptor and digest need no lock.
 */
#include "images/filesink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/strbuf.h"

enum { PIECE = 1 << 20 };

struct target {
        atomic_int refs;
        char *path;
        int fd;
        off_t at;
        EVP_MD_CTX *ctx; /* NULL: no digest */
};

struct file_sink {
        struct tpool *pool;
        struct target *target;
        struct strbuf gathered;
        int64_t length;
        bool opened, finished;
};

/* What one job does: writes data, and begins or ends the file. */
struct piece {
        struct target *target;
        char *data;
        size_t len;
        bool first, last; /* first: what was there before is forgotten */
        char hex[DIGEST_HEX_MAX + 1];
};

static void target_unref(struct target *t)
{
        if (atomic_fetch_sub(&t->refs, 1) > 1)
                return;
        closep(&t->fd);
        EVP_MD_CTX_free(t->ctx);
        free(t->path);
        free(t);
}

static struct piece *piece_new(struct target *t)
{
        struct piece *p = NEW(struct piece);

        atomic_fetch_add(&t->refs, 1);
        p->target = t;
        return p;
}

static void piece_free(void *arg)
{
        struct piece *p = arg;

        if (p->target)
                target_unref(p->target);
        free(p->data);
        free(p);
}

static int open_target(void *arg, const bool *given_up, struct error *err)
{
        struct target *t = ((struct piece *)arg)->target;

        assert_on_worker();
        t->fd = open(t->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (t->fd < 0)
                return error_system(err, errno, "writing %s", t->path);
        if (!__atomic_load_n(given_up, __ATOMIC_SEQ_CST))
                return 0;
        unlink(t->path); /* he who gave up came too early for that */
        return error_set(err, ERR_CANCELLED, "writing %s was given up", t->path);
}

static int BLOCKS end_target(struct piece *p, struct error *err)
{
        struct target *t = p->target;
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        int fd = t->fd;

        if (ftruncate(fd, t->at) < 0)
                return error_system(err, errno, "writing %s", t->path);
        t->fd = -1;
        if (close(fd) < 0) /* a file server may tell only now that it has no room */
                return error_system(err, errno, "writing %s", t->path);
        if (t->ctx && !EVP_DigestFinal_ex(t->ctx, digest, &len))
                return error_set(err, ERR_UNSUPPORTED, "the digest of %s failed", t->path);
        digest_to_hex(digest, len, p->hex);
        return 0;
}

static int BLOCKS begin_anew(struct target *t, struct error *err)
{
        t->at = 0;
        if (ftruncate(t->fd, 0) < 0)
                return error_system(err, errno, "writing %s", t->path);
        if (t->ctx && !EVP_DigestInit_ex(t->ctx, NULL, NULL))
                return error_set(err, ERR_UNSUPPORTED, "the digest of %s failed", t->path);
        return 0;
}

static int write_piece(void *arg, const bool *given_up, struct error *err)
{
        struct piece *p = arg;
        struct target *t = p->target;

        assert_on_worker();
        (void)given_up;
        if (p->first && begin_anew(t, err) < 0)
                return -1;
        if (t->ctx && !EVP_DigestUpdate(t->ctx, p->data, p->len))
                return error_set(err, ERR_UNSUPPORTED, "the digest of %s failed", t->path);
        if (write_sparse(t->fd, p->data, p->len, t->at) < 0)
                return error_system(err, errno, "writing %s", t->path);
        t->at += (off_t)p->len;
        return p->last ? end_target(p, err) : 0;
}

static int start_digest(struct target *t, const char *algo, struct error *err)
{
        const EVP_MD *md;

        if (!algo || !*algo)
                return 0;
        md = EVP_get_digestbyname(algo);
        t->ctx = md ? EVP_MD_CTX_new() : NULL;
        if (!t->ctx || !EVP_DigestInit_ex(t->ctx, md, NULL))
                return error_set(err, ERR_UNSUPPORTED, "digest \"%.40s\" is not available", algo);
        return 0;
}

struct file_sink *file_sink_open(struct tpool *p, const char *path, const char *algo, struct deadline by,
                                 struct error *err)
{
        struct file_sink *s = NEW(struct file_sink);
        struct file_call c = { "open file", path, open_target, NULL, piece_free, NULL, NULL };

        s->pool = p;
        s->target = NEW(struct target);
        atomic_init(&s->target->refs, 1);
        s->target->path = xstrdup(path);
        s->target->fd = -1;
        c.arg = piece_new(s->target);
        if (start_digest(s->target, algo, err) < 0) {
                piece_free(c.arg);
        } else if (file_call(p, &c, by, err) == 0) {
                s->opened = true;
                return s;
        }
        if (err->code == ERR_CANCELLED || err->code == ERR_TIMEOUT)
                file_discard(
                        p, path); /* it may be there all the same; if it comes later the worker removes it */
        file_sink_close(s);
        return NULL;
}

static void take_hex(void *arg, void *into)
{
        const struct piece *p = arg;

        if (into)
                snprintf(into, DIGEST_HEX_MAX + 1, "%s", p->hex);
}

/* Takes p over, which is to have what was gathered. */
static int YIELDS flush(struct file_sink *s, struct piece *p, char *ret_hex, struct deadline by,
                        struct error *err)
{
        const struct file_call c = { "write file", s->target->path, write_piece, p,
                                     piece_free,   take_hex,        ret_hex };

        p->data = strbuf_take(&s->gathered, &p->len);
        return file_call(s->pool, &c, by, err);
}

int file_sink_write(struct file_sink *s, const char *data, size_t len, struct deadline by, struct error *err)
{
        strbuf_add(&s->gathered, data, len);
        s->length += (int64_t)len;
        return s->gathered.len < PIECE ? 0 : flush(s, piece_new(s->target), NULL, by, err);
}

int file_sink_restart(struct file_sink *s, struct deadline by, struct error *err)
{
        struct piece *p = piece_new(s->target);

        strbuf_truncate(&s->gathered, 0);
        s->length = 0;
        p->first = true;
        return flush(s, p, NULL, by, err);
}

int64_t file_sink_length(const struct file_sink *s)
{
        return s->length;
}

int file_sink_finish(struct file_sink *s, char *ret_hex, struct deadline by, struct error *err)
{
        struct piece *p = piece_new(s->target);

        p->last = true;
        if (flush(s, p, ret_hex, by, err) < 0)
                return -1;
        s->finished = true;
        return 0;
}

/* The last reference closes the file, which may take as long as any other operation: so not on the hub. */
static int discard_target(void *arg, const bool *given_up, struct error *err)
{
        struct piece *p = arg;

        assert_on_worker();
        (void)given_up;
        (void)err;
        unlink(p->target->path);
        target_unref(take_ptr(&p->target));
        return 0;
}

static void YIELDS discard(struct file_sink *s)
{
        struct file_call c = { "remove file", s->target->path, discard_target, NULL, piece_free, NULL, NULL };
        struct error ignored = {};

        c.arg = piece_new(s->target);
        target_unref(s->target);
        green_shield_begin();
        file_call(s->pool, &c, file_soon(deadline_never()), &ignored);
        green_shield_end();
}

void file_sink_close(struct file_sink *s)
{
        if (!s)
                return;
        if (s->opened && !s->finished)
                discard(s);
        else
                target_unref(s->target);
        strbuf_free(&s->gathered);
        free(s);
}
