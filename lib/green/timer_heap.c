/* lib/green/timer_heap.c: a 4-ary heap: shallower than a binary one, and a node's children share a line. */
#include "green/timer_heap.h"

#include <stdlib.h>

enum { ARITY = 4 };

static void place(struct timer_heap *h, size_t i, struct timer_entry e)
{
        h->entries[i] = e;
        *e.index = i;
}

static void sift_up(struct timer_heap *h, size_t i, struct timer_entry e)
{
        while (i > 0) {
                size_t parent = (i - 1) / ARITY;

                if (h->entries[parent].at_ns <= e.at_ns)
                        break;
                place(h, i, h->entries[parent]);
                i = parent;
        }
        place(h, i, e);
}

static void sift_down(struct timer_heap *h, size_t i, struct timer_entry e)
{
        for (;;) {
                size_t first = i * ARITY + 1, least = first, end = first + ARITY;

                if (first >= h->n)
                        break;
                if (end > h->n)
                        end = h->n;
                for (size_t c = first + 1; c < end; c++)
                        if (h->entries[c].at_ns < h->entries[least].at_ns)
                                least = c;
                if (h->entries[least].at_ns >= e.at_ns)
                        break;
                place(h, i, h->entries[least]);
                i = least;
        }
        place(h, i, e);
}

bool timer_heap_grow(struct timer_heap *h, size_t n)
{
        size_t cap = h->cap ? h->cap : 64;
        struct timer_entry *entries;

        while (cap < n)
                cap *= 2;
        entries = realloc(h->entries, cap * sizeof(*entries));
        if (!entries)
                return false;
        h->entries = entries;
        h->cap = cap;
        return true;
}

void timer_heap_add(struct timer_heap *h, int64_t at_ns, size_t *index, void *owner)
{
        struct timer_entry e = { at_ns, index, owner };

        sift_up(h, h->n++, e);
}

void timer_heap_remove(struct timer_heap *h, size_t index)
{
        struct timer_entry last = h->entries[--h->n];

        *h->entries[index].index = TIMER_NONE;
        if (index == h->n)
                return;
        if (index > 0 && h->entries[(index - 1) / ARITY].at_ns > last.at_ns)
                sift_up(h, index, last);
        else
                sift_down(h, index, last);
}

void timer_heap_free(struct timer_heap *h)
{
        free(h->entries);
        *h = (struct timer_heap){};
}
