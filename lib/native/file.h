/*
 * lib/native/file.h: file work on the workers of a tpool, so that the hub never waits for a disk or for a
 * file server that does not answer.
 *
 * Every call copies what it is given and yields until a worker is done. When its time is over, the caller
 * gets ERR_TIMEOUT and the worker is left behind with the operation, which may still happen, and is replaced.
 * Until it comes back, the same call on the same path fails at once with ERR_TIMEOUT and says since when: so
 * a file server that hangs holds one worker for each file, not one more with each attempt.
 *
 * What is one operation of the file system ("short" below) is given at most file_set_timeout(), however late
 * the deadline: more means that it hangs. ERR_NOT_FOUND: the file (or the source) is not there. Other
 * failures are ERR_SYSTEM. The pool is borrowed; give file work one of its own, or what hangs in it keeps
 * other jobs waiting.
 */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "native/tpool.h"

/* Of all short operations of the process. Before the first one: 60 s. */
void HUB_ONLY file_set_timeout(double seconds);
/* The deadline of a short operation that is not among these. */
struct deadline HUB_ONLY file_soon(struct deadline by);

/* Short. At most max bytes; a longer file is ERR_LIMIT. Caller frees; NUL-terminated. */
int YIELDS file_read(struct tpool *p, const char *path, size_t max, char **ret, size_t *ret_len,
                     struct deadline by, struct error *err);
/* Short. Through path.tmp and a rename: there is the old content or the new, never half of it. */
int YIELDS file_write(struct tpool *p, const char *path, const char *text, unsigned mode, struct deadline by,
                      struct error *err);

/* Short, all of them. As stat(2). */
int YIELDS file_stat(struct tpool *p, const char *path, struct stat *ret, struct deadline by,
                     struct error *err);
/* -1 when it cannot be told. */
int YIELDS file_exists(struct tpool *p, const char *path, bool *ret, struct deadline by, struct error *err);
/* As access(2): mode is R_OK | W_OK | X_OK. */
int YIELDS file_check_access(struct tpool *p, const char *path, int mode, struct deadline by,
                             struct error *err);
/* An empty file, unless there is a file, whoever owns it. ERR_INVALID: there is something else. */
int YIELDS file_create(struct tpool *p, const char *path, unsigned mode, struct deadline by,
                       struct error *err);
/* Longer than it was: a hole, which reads as zeros. */
int YIELDS file_set_length(struct tpool *p, const char *path, off_t length, struct deadline by,
                           struct error *err);
/* One level. A folder that is there already is success. */
int YIELDS file_make_folder(struct tpool *p, const char *path, unsigned mode, struct deadline by,
                            struct error *err);
/* With those above it. */
int YIELDS file_make_folders(struct tpool *p, const char *path, unsigned mode, struct deadline by,
                             struct error *err);
int YIELDS file_rename(struct tpool *p, const char *from, const char *to, struct deadline by,
                       struct error *err);
/* A rename to where others see it, after the mode was set. */
int YIELDS file_put_in_place(struct tpool *p, const char *from, const char *to, unsigned mode,
                             struct deadline by, struct error *err);
/* Its times become now. */
int YIELDS file_renew(struct tpool *p, const char *path, struct deadline by, struct error *err);
/* Absent is success. */
int YIELDS file_remove(struct tpool *p, const char *path, struct deadline by, struct error *err);

/* Not short. Absent is success. Never follows a symbolic link out of the tree. */
int YIELDS file_remove_tree(struct tpool *p, const char *path, struct deadline by, struct error *err);

/* Any other function as a job: fn owns no memory of the caller; arg is freed with free_arg when both are
 * done. It may take as long as the deadline says. */
typedef int file_fn(void *arg, const bool *given_up, struct error *err);
struct file_call {
        const char *name, *what; /* for the inventory: a literal, and the path (which is copied) */
        file_fn *fn;             /* begins with assert_on_worker() */
        void *arg;
        void (*free_arg)(void *arg);
        /* Called with arg on success, on the hub, before it is freed: takes the results over. May be NULL. */
        void (*results)(void *arg, void *into);
        void *into;
};
int YIELDS file_call(struct tpool *p, const struct file_call *c, struct deadline by, struct error *err);
/* Long work looks at its flag now and then: its caller has given up. */
bool file_given_up(const bool *given_up);

/* Of those that hang: called for each that a worker of any pool was left behind with. */
struct file_hung_info {
        const char *name, *what;
        double since_s; /* since it was begun */
};
void HUB_ONLY file_foreach_hung(void (*fn)(const struct file_hung_info *info, void *arg), void *arg);

/* The same as file_read() and file_remove_tree() on the thread of the caller. */
int BLOCKS read_small_file(const char *path, size_t max, char **ret, size_t *ret_len, struct error *err);
int BLOCKS remove_tree(const char *path, struct error *err);
/* The whole of it to fd; -1: errno says why not. */
int BLOCKS write_all(int fd, const char *data, size_t len);
