/*
 * lib/native/native_queue.h: from any native thread to the hub.
 *
 * Bounded, several producers, one green consumer. A push never blocks and never allocates; the hub is woken
 * through one eventfd, rung only when the consumer sleeps. Items of one size are copied in and out, in order
 * per producer. A full queue is a state, not a loss to be ignored: the push returns false, the queue is
 * "overflowed", and the consumer is told so exactly once for each time: it must then re-sync everything.
 */
#pragma once

#include "base/context.h"
#include "green/green.h"

struct native_queue;

/* capacity is rounded up to a power of two, at least 2. Made and freed on the hub, when no producer is left.
 */
struct native_queue *HUB_ONLY native_queue_new(const char *name, size_t item_size, size_t capacity,
                                               struct error *err);
void HUB_ONLY native_queue_free(struct native_queue *q); /* NULL allowed */

/* Any thread, the hub too. False: it was full and is now overflowed, or it was closed. */
bool native_queue_push(struct native_queue *q, const void *item);

/*
 * Waits until there is something: up to max items into ret_items, their number is returned. 0 with
 * *ret_overflowed: pushes were lost since the last call; the state was reset. -1: ERR_TIMEOUT, ERR_CANCELLED,
 * ERR_CLOSED (native_queue_close), ERR_SYSTEM (no memory to wait for a descriptor): then nothing was taken.
 */
int YIELDS native_queue_pop(struct native_queue *q, void *ret_items, size_t max, bool *ret_overflowed,
                            struct deadline by, struct error *err);
void native_queue_close(struct native_queue *q); /* any thread: the consumer gets ERR_CLOSED after the rest */

struct native_queue_info {
        const char *name;
        size_t capacity, depth;
        unsigned long pushed, lost, overflows;
};
void native_queue_get_info(struct native_queue *q, struct native_queue_info *ret);
