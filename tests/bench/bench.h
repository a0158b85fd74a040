/*
 * tests/bench/bench.h: the works of our own runtime: bench WORK [COUNT].
 *
 * Each is run as green thread "main" of a process of its own and reports its metrics (measure.h).
 */
#pragma once

#include "green/green.h"
#include "measure.h"

struct bench {
        const char *name;
        void (*run)(void); /* begins with assert_green() */
};
/* All end with a NULL name. */
extern const struct bench green_benches[], sleep_benches[], native_benches[], sql_benches[], echo_benches[],
        growth_benches[], file_benches[];

extern long bench_threads; /* COUNT of the command line, for growth_benches: how many green threads; else 0 */

void bench_fail(const struct error *err) __attribute__((noreturn));

/* Starts fn in a group; waits for the group and closes it. Failing ends the process. */
void HUB_ONLY bench_start(struct green_group *in, green_fn *fn, void *arg);
void YIELDS bench_finish(struct green_group *g);
