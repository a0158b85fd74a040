/*
 * lib/green/timer_heap.h: the hub's timers: a 4-ary heap whose entries hold the deadline.
 *
 * An owner opens a slot once and has at most one timer in it. Where a slot's timer is in the heap stands in a
 * table of the heap's own, not with the owner: entries move at each change, and owners lie far apart, a page
 * of memory each. So adding and cancelling are O(log n), touch no owner, and never need memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_NONE UINT32_MAX

struct timer_entry {
        int64_t at_ns;
        uint32_t slot;
};
struct timer_heap {
        struct timer_entry *entries; /* so placed in `block` that four children share a cache line */
        void *block;
        void **owners; /* by slot */
        uint32_t
                *places; /* by slot: where its timer is in entries, or TIMER_NONE; free: the next free slot */
        uint32_t n, cap, slots, free_slot;
};

void timer_heap_init(struct timer_heap *h);
void timer_heap_free(struct timer_heap *h);
/* A slot for one owner; TIMER_NONE: there is no memory. */
uint32_t timer_heap_open(struct timer_heap *h, void *owner);
void timer_heap_close(struct timer_heap *h, uint32_t slot); /* without a timer in it */

void timer_heap_add(struct timer_heap *h, int64_t at_ns, uint32_t slot); /* there is none yet */
void timer_heap_remove(struct timer_heap *h, uint32_t slot);             /* there is one */
void *timer_heap_pop(struct timer_heap *h); /* the owner of the first, whose timer is gone */

/* INT64_MAX: there is none. */
static inline int64_t timer_heap_first_ns(const struct timer_heap *h)
{
        return h->n ? h->entries[0].at_ns : INT64_MAX;
}
