/*
 * lib/green/lockutils.h: locks by name, as oslo.concurrency's lockutils.
 *
 *      {
 *              SYNCHRONIZED("compute_resources");    // held until the end of the scope
 *              ...
 *      }
 *
 * Same name, same lock, within the process; FIFO; the owner shows in dumps. A name exists only while someone
 * holds or wants it. External locks add a lock on <lock_path>/<name> (slashes in the name become '-'), which
 * excludes other processes on this machine; the wait for it is a green one. An external name that is an
 * absolute path is the path of the lock file itself.
 */
#pragma once

#include "base/mem.h"
#include "green/green.h"

struct named_lock;

/* Where external locks live; created with mode 0750 when missing. Copied. */
int lockutils_set_lock_path(const char *dir, struct error *err);

/* NULL on ERR_TIMEOUT, ERR_CANCELLED, ERR_SYSTEM; for external ones also ERR_INVALID (no lock path). */
struct named_lock *YIELDS lockutils_acquire(const char *name, struct deadline by, struct error *err);
struct named_lock *YIELDS lockutils_acquire_external(const char *name, struct deadline by, struct error *err);
void HUB_ONLY lockutils_release(struct named_lock *lock); /* NULL is allowed */

/*
 * For a scope; waits for ever and within a shield, so it cannot fail (it aborts without memory): for short
 * critical sections. Where the wait may be long, use lockutils_acquire() with a deadline and
 * CLEANUP(lockutils_releasep).
 */
struct named_lock *YIELDS lockutils_enter(const char *name);
void lockutils_releasep(struct named_lock **lock);
#define SYNCHRONIZED_CAT2(a, b) a##b
#define SYNCHRONIZED_CAT(a, b)  SYNCHRONIZED_CAT2(a, b)
#define SYNCHRONIZED(name)                                           \
        struct named_lock *SYNCHRONIZED_CAT(synchronized_, __LINE__) \
                __attribute__((unused, cleanup(lockutils_releasep))) = lockutils_enter(name)

struct named_lock_info {
        const char *name;
        bool external;
        const char *owner; /* its green thread's name; "" if waiting for another process */
        unsigned long owner_id;
        unsigned waiters;
        double held_s;
        const struct green_mutex *mutex; /* green_info.lock of those who wait */
};
void HUB_ONLY lockutils_foreach(void (*fn)(const struct named_lock_info *info, void *arg), void *arg);
