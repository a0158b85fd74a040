/*
 * agent/images/filework.h: file work that may take long, as jobs of the pool. All calls yield.
 *
 * ERR_NOT_FOUND: the file (or the source) is not there. A copy whose caller gave up stops at its next chunk
 * and removes what it had written.
 */
#pragma once

#include <sys/types.h>

#include "green/green.h"
#include "images/image_source.h"
#include "native/tpool.h"

/* At most max bytes; a longer file is ERR_LIMIT. Caller frees; NUL-terminated. */
int YIELDS file_read(struct tpool *p, const char *path, size_t max, char **ret, size_t *ret_len,
                     struct deadline by, struct error *err);
/* Through path.tmp and a rename: there is the old content or the new, never half of it. */
int YIELDS file_write(struct tpool *p, const char *path, const char *text, unsigned mode, struct deadline by,
                      struct error *err);

#define DIGEST_HEX_MAX 128

/*
 * Holes stay holes. algo: "sha256", "sha512", "md5", or NULL for no digest; ret_hex has room for
 * DIGEST_HEX_MAX + 1. The target is created with mode 0644, or replaced.
 */
int YIELDS file_copy(struct tpool *p, const char *from, const char *to, const char *algo, char *ret_hex,
                     struct deadline by, struct error *err);
int YIELDS file_inspect(struct tpool *p, const char *path, struct image_header *ret, struct deadline by,
                        struct error *err);
/* image_backing_path(). */
int YIELDS file_backing(struct tpool *p, const char *path, char **ret, struct deadline by, struct error *err);
/* Absent is success. Never follows a symbolic link out of the tree. */
int YIELDS file_remove_tree(struct tpool *p, const char *path, struct deadline by, struct error *err);
/* See disks_console_read(). */
int YIELDS file_tail(struct tpool *p, const char *path, size_t max, char **ret, size_t *ret_len,
                     struct deadline by, struct error *err);

/* Any other function as a job: fn owns no memory of the caller; arg is freed with free_arg when both are
 * done. */
typedef int file_fn(void *arg, const bool *given_up, struct error *err);
struct file_call {
        const char *name, *what; /* for the inventory; name is a literal */
        file_fn *fn;             /* begins with assert_on_worker() */
        void *arg;
        void (*free_arg)(void *arg);
        /* Called with arg on success, on the hub, before it is freed: takes the results over. May be NULL. */
        void (*results)(void *arg, void *into);
        void *into;
};
int YIELDS file_call(struct tpool *p, const struct file_call *c, struct deadline by, struct error *err);

/* The same as file_read() and file_remove_tree() on the thread of the caller. */
int BLOCKS read_small_file(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err);
int BLOCKS remove_tree(const char *path, struct error *err);
/* What is all zero is skipped, in blocks: the caller sets the file's length at the end. -1: see errno. */
int write_sparse(int fd, const char *data, size_t len, off_t at);
/* hex has room for 2 * len + 1. */
void digest_to_hex(const unsigned char *digest, unsigned len, char *hex);
/* Lower-case hexadecimal digest of a text: for names. */
int digest_text(const char *algo, const char *text, char *ret_hex, struct error *err);
