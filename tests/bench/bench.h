/*
 * tests/bench/bench.h: benchmarks: each returns what one operation costs, in its unit.
 *
 * Each is run in a process of its own ("bench NAME") and knows nothing of rounds, medians or peers:
 * tests/bench/run does that.
 */
#pragma once

#include "green/green.h"

struct bench {
        const char *name, *unit;
        double (*run)(void); /* on the hub, as green thread main: begins with assert_green() */
};
extern const struct bench green_benches[], native_benches[], sql_benches[]; /* end with a NULL name */

double bench_cpu_ns(void); /* CPU time of this process */
void bench_fail(const struct error *err) __attribute__((noreturn));

/* Starts fn in a group; waits for the group and closes it. Failing ends the process. */
void HUB_ONLY bench_start(struct green_group *in, green_fn *fn, void *arg);
void YIELDS bench_finish(struct green_group *g);
