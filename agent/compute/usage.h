/*
 * agent/compute/usage.h: sums over the instances that count on this host, and the counters of
 * compute_nodes.stats (nova-contract 4.6). Plain data, no I/O.
 */
#pragma once

#include "model/instance.h"

struct usage;

struct usage *usage_new(void);
void usage_free(struct usage *u); /* NULL allowed */

/* Forgets all instances and counters, except failed_builds. */
void usage_reset(struct usage *u);
/*
 * Counts i: as new, or in its changed state. One that takes no resources (it is deleted, or offloaded and
 * does not come back now) is taken off instead.
 */
void usage_put(struct usage *u, const struct instance *i);
/* Takes the instance off; its counters stay, at what the others make of them. False: it was not counted. */
bool usage_remove(struct usage *u, const char *uuid);

bool usage_has(const struct usage *u, const char *uuid);

struct usage_sums {
        int64_t instances, vcpus, memory_mb, disk_gb;
        int64_t workload; /* instances with a task under way */
        int64_t vm_states[VM_STATES];
};
void usage_get_sums(const struct usage *u, struct usage_sums *ret);

void usage_set_failed_builds(struct usage *u, int64_t n);
int64_t usage_failed_builds(const struct usage *u);
/* The JSON object of strings. Caller frees. */
char *usage_stats_json(const struct usage *u);
