/* lib/green/timer_heap.c: a 4-ary heap: shallower than a binary one, and a node's children share a line. */
#include "green/timer_heap.h"

#include <stdlib.h>
#include <string.h>

enum { ARITY = 4, CACHE_LINE = 64, FIRST_CAP = 64 };

void timer_heap_init(struct timer_heap *h)
{
        *h = (struct timer_heap){ .free_slot = TIMER_NONE };
}

void timer_heap_free(struct timer_heap *h)
{
        free(h->block);
        free(h->owners);
        free(h->places);
        timer_heap_init(h);
}

/* Each of the three arrays is grown by itself: what was grown before one fails does no harm. */
static bool grow(struct timer_heap *h)
{
        uint32_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
        size_t before_first_child = CACHE_LINE / sizeof(*h->entries) - 1;
        struct timer_entry *entries;
        uint32_t *places;
        void **owners, *block;

        if (cap < h->cap || cap == TIMER_NONE)
                return false;
        owners = realloc(h->owners, cap * sizeof(*owners));
        if (!owners)
                return false;
        h->owners = owners;
        places = realloc(h->places, cap * sizeof(*places));
        if (!places)
                return false;
        h->places = places;
        block = aligned_alloc(CACHE_LINE, cap * sizeof(*entries) + CACHE_LINE);
        if (!block)
                return false;
        entries = (struct timer_entry *)block + before_first_child;
        if (h->n)
                memcpy(entries, h->entries, h->n * sizeof(*entries));
        free(h->block);
        h->block = block;
        h->entries = entries;
        h->cap = cap;
        return true;
}

uint32_t timer_heap_open(struct timer_heap *h, void *owner)
{
        uint32_t slot = h->free_slot;

        if (slot != TIMER_NONE) {
                h->free_slot = h->places[slot];
        } else {
                if (h->slots == h->cap && !grow(h))
                        return TIMER_NONE;
                slot = h->slots++;
        }
        h->places[slot] = TIMER_NONE;
        h->owners[slot] = owner;
        return slot;
}

void timer_heap_close(struct timer_heap *h, uint32_t slot)
{
        h->places[slot] = h->free_slot;
        h->free_slot = slot;
}

static void place(struct timer_heap *h, uint32_t i, struct timer_entry e)
{
        h->entries[i] = e;
        h->places[e.slot] = i;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer_entry e)
{
        while (i > 0) {
                uint32_t parent = (i - 1) / ARITY;

                if (h->entries[parent].at_ns <= e.at_ns)
                        break;
                place(h, i, h->entries[parent]);
                i = parent;
        }
        place(h, i, e);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer_entry e)
{
        for (;;) {
                uint32_t first = i * ARITY + 1, least = first, end = first + ARITY;

                if (first >= h->n)
                        break;
                if (end > h->n)
                        end = h->n;
                for (uint32_t c = first + 1; c < end; c++)
                        if (h->entries[c].at_ns < h->entries[least].at_ns)
                                least = c;
                if (h->entries[least].at_ns >= e.at_ns)
                        break;
                place(h, i, h->entries[least]);
                i = least;
        }
        place(h, i, e);
}

void timer_heap_add(struct timer_heap *h, int64_t at_ns, uint32_t slot)
{
        sift_up(h, h->n++, (struct timer_entry){ at_ns, slot });
}

void timer_heap_remove(struct timer_heap *h, uint32_t slot)
{
        uint32_t i = h->places[slot];
        struct timer_entry last = h->entries[--h->n];

        h->places[slot] = TIMER_NONE;
        if (i == h->n)
                return;
        if (i > 0 && h->entries[(i - 1) / ARITY].at_ns > last.at_ns)
                sift_up(h, i, last);
        else
                sift_down(h, i, last);
}

void *timer_heap_pop(struct timer_heap *h)
{
        uint32_t slot = h->entries[0].slot;

        timer_heap_remove(h, slot);
        return h->owners[slot];
}
