/* lib/base/histogram.c: the bounds, and what is read out of a histogram. */
#include "base/histogram.h"

#include "base/clock.h"

#define BOUNDS(X) \
        X(100) X(1000) X(5000) X(25000) X(100000) X(500000) X(1000000) X(5000000) X(30000000) X(300000000)
#define US_TO_NS(us) INT64_C(us) * 1000,
#define US_TO_S(us)  us / 1e6,

const int64_t histogram_bounds_ns[HISTOGRAM_BOUNDS] = { BOUNDS(US_TO_NS) };
const double histogram_bounds_s[HISTOGRAM_BOUNDS] = { BOUNDS(US_TO_S) };

unsigned long histogram_count(const struct histogram *h)
{
        unsigned long n = 0;

        for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
                n += h->within[i];
        return n;
}

double histogram_sum_s(const struct histogram *h)
{
        return (double)h->sum_ns / (double)NS_PER_S;
}
