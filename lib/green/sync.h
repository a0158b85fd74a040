/*
 * lib/green/sync.h: semaphore, mutex, event and condition for green threads.
 *
 * All are FIFO: a release hands over to the longest waiter, nobody overtakes. The structs are embedded in
 * their owner and hold no memory; a name (borrowed, literal or as long-lived as the object) shows in dumps.
 * Waiting calls fail with ERR_TIMEOUT or ERR_CANCELLED and then hold nothing. Hub thread only.
 */
#pragma once

#include "base/list.h"
#include "green/green.h"

struct green_sem {
        const char *name;
        long count; /* negative after it was made smaller: so many must come back first */
        struct list waiters;
};
void HUB_ONLY green_sem_init(struct green_sem *s, const char *name, long count);
int YIELDS green_sem_acquire(struct green_sem *s, struct deadline by, struct error *err);
bool HUB_ONLY green_sem_try(struct green_sem *s);
void HUB_ONLY green_sem_release(struct green_sem *s);
/* So many more than it was made with, or fewer: what is held too much by then is not given out again. */
void HUB_ONLY green_sem_adjust(struct green_sem *s, long more);

struct green_mutex {
        const char *name;
        struct green *owner; /* NULL when free */
        struct list waiters;
        int64_t since_ns;
};
void HUB_ONLY green_mutex_init(struct green_mutex *m, const char *name);
/* Aborts when the caller holds it already. */
int YIELDS green_mutex_lock(struct green_mutex *m, struct deadline by, struct error *err);
bool HUB_ONLY green_mutex_try(struct green_mutex *m);
void HUB_ONLY green_mutex_unlock(struct green_mutex *m); /* aborts when the caller is not the owner */

/* Set once (or again after clear); everyone waiting and everyone coming later passes. */
struct green_event {
        const char *name;
        bool set;
        struct list waiters;
};
void HUB_ONLY green_event_init(struct green_event *e, const char *name);
void HUB_ONLY green_event_set(struct green_event *e);
void HUB_ONLY green_event_clear(struct green_event *e);
int YIELDS green_event_wait(struct green_event *e, struct deadline by, struct error *err);

/* No mutex belongs to it: between the test of a predicate and the wait there is no switch. Re-test after. */
struct green_cond {
        const char *name;
        struct list waiters;
};
void HUB_ONLY green_cond_init(struct green_cond *c, const char *name);
int YIELDS green_cond_wait(struct green_cond *c, struct deadline by, struct error *err);
void HUB_ONLY green_cond_signal(struct green_cond *c);
void HUB_ONLY green_cond_broadcast(struct green_cond *c);
/*
 * green_wait_fd(), which a signal to the condition ends as well: then 0 is returned. For who serves both a
 * descriptor and other green threads; it costs no more system calls than waiting for the descriptor alone.
 * fd -1: the condition only.
 */
int YIELDS green_wait_fd_or_cond(int fd, unsigned events, struct green_cond *c, struct deadline by,
                                 struct error *err);
