/*
 * agent/images/filesink.h: a file that is written piece by piece, in the pool, with a digest of what was
 * written.
 */
#pragma once

#include "images/filework.h"

struct file_sink;

/*
 * Creates path with mode 0644, or empties it. algo as in file_copy(): ERR_UNSUPPORTED when there is no such
 * digest.
 */
struct file_sink *YIELDS file_sink_open(struct tpool *p, const char *path, const char *algo,
                                        struct deadline by, struct error *err);
/* Data is gathered and written a MiB at a time. */
int YIELDS file_sink_write(struct file_sink *s, const char *data, size_t len, struct deadline by,
                           struct error *err);
/* Forgets all that was written. */
int YIELDS file_sink_restart(struct file_sink *s, struct deadline by, struct error *err);
int64_t HUB_ONLY file_sink_length(const struct file_sink *s); /* so far */
/* Writes the rest. ret_hex has room for DIGEST_HEX_MAX + 1; "" without algo. */
int YIELDS file_sink_finish(struct file_sink *s, char *ret_hex, struct deadline by, struct error *err);
/* Without a file_sink_finish() that succeeded the file is removed. NULL is allowed. */
void YIELDS file_sink_close(struct file_sink *s);
