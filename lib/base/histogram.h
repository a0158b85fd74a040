/*
 * lib/base/histogram.h: how long things take: how many took at most so long, and all of them together.
 *
 * One set of bounds for everything, from what a hub's turn takes to a guest that is being saved, so that
 * whatever is measured can be compared. Nothing is allocated. Not locked: whoever writes sees to it, and
 * whoever copies.
 */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 10 };
extern const double histogram_bounds_s[HISTOGRAM_BOUNDS]; /* ascending: 0.1 ms to 5 min */
extern const int64_t histogram_bounds_ns[HISTOGRAM_BOUNDS];

struct histogram {
        /* [i]: took at most the bound i and more than the one before; the last one: more than all bounds */
        unsigned long within[HISTOGRAM_BOUNDS + 1];
        int64_t sum_ns;
};

/* Inline, because the hub does it: what is short costs one comparison. */
static inline void histogram_add(struct histogram *h, int64_t ns)
{
        unsigned i = 0;

        while (i < HISTOGRAM_BOUNDS && ns > histogram_bounds_ns[i])
                i++;
        h->within[i]++;
        h->sum_ns += ns;
}
unsigned long histogram_count(const struct histogram *h);
double histogram_sum_s(const struct histogram *h);
