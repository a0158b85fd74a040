/*
 * lib/native/file_lock.h: a lock on a file that may lie on a file server, held against other processes, other
 * hosts (as far as the file server carries locks) and other green threads.
 *
 * Where lockutils_acquire_external() opens and locks its file on the hub, because lock_path is a local
 * directory, here a worker does.
 */
#pragma once

#include "native/file.h"

struct file_lock;

/*
 * Green threads wait in the order of their coming, other processes are asked again in growing intervals (up
 * to 100 ms). The file is created with mode 0640 and stays. ERR_TIMEOUT: somebody else holds it, or the file
 * server does not answer.
 */
struct file_lock *YIELDS file_lock_acquire(struct tpool *p, const char *path, struct deadline by,
                                           struct error *err);
/* NULL is allowed. Waits for the file server at most 10 s; what takes longer goes on without the caller. */
void YIELDS file_lock_release(struct file_lock *l);
/* For CLEANUP(). */
void YIELDS file_lock_releasep(struct file_lock **l);
