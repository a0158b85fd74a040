/*
 * lib/green/timer_heap.h: the hub's timers: a 4-ary heap whose entries hold the deadline.
 *
 * At most one timer per green thread; the owner keeps the entry's place in an index, so that cancelling is
 * O(log n) and no stack is touched before its timer fires. Room is reserved when an owner is made, so that a
 * wait never needs memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer_entry {
        int64_t at_ns;
        size_t *index; /* of the owner: its place here; TIMER_NONE when it is not in the heap */
        void *owner;
};
struct timer_heap {
        struct timer_entry *entries;
        size_t n, cap;
};
#define TIMER_NONE ((size_t)-1)

bool timer_heap_grow(struct timer_heap *h, size_t n);
/* Room for n timers in all; must come before the add that needs it. False: there is no memory. */
static inline bool timer_heap_reserve(struct timer_heap *h, size_t n)
{
        return n <= h->cap || timer_heap_grow(h, n);
}
void timer_heap_add(struct timer_heap *h, int64_t at_ns, size_t *index, void *owner);
void timer_heap_remove(struct timer_heap *h, size_t index);
static inline const struct timer_entry *timer_heap_first(const struct timer_heap *h)
{
        return h->n ? &h->entries[0] : NULL;
}
void timer_heap_free(struct timer_heap *h);
