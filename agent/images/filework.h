/*
 * agent/images/filework.h: work on images and disks, as jobs of the pool of native/file.h. All calls yield.
 *
 * ERR_NOT_FOUND: the file (or the source) is not there. A copy whose caller gave up stops at its next chunk
 * and removes what it had written.
 */
#pragma once

#include <sys/types.h>

#include "green/green.h"
#include "images/image_source.h"
#include "native/file.h"

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
/* See disks_console_read(). */
int YIELDS file_tail(struct tpool *p, const char *path, size_t max, char **ret, size_t *ret_len,
                     struct deadline by, struct error *err);

/*
 * Removes a file that came to nothing, also when the caller was cancelled. Takes no longer than
 * file_set_timeout(); what is not removed then is overwritten by the next attempt, or goes with other
 * leftovers.
 */
void YIELDS file_discard(struct tpool *p, const char *path);

/* What is all zero is skipped, in blocks: the caller sets the file's length at the end. -1: see errno. */
int BLOCKS write_sparse(int fd, const char *data, size_t len, off_t at);
/* hex has room for 2 * len + 1. */
void digest_to_hex(const unsigned char *digest, unsigned len, char *hex);
/* Lower-case hexadecimal digest of a text: for names. */
int digest_text(const char *algo, const char *text, char *ret_hex, struct error *err);
