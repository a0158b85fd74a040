/*
 * lib/green/pool.h: eventlet's GreenPool: at most `size` green threads at once.
 *
 * green_pool_spawn() waits for a free slot; the others do not. Pools register themselves for dumps.
 */
#pragma once

#include "green/green.h"

struct green_pool;

struct green_pool *HUB_ONLY green_pool_new(const char *name, unsigned size);
/* Waits for a slot, then starts fn. The name is that of the green thread. Fails as green_spawn(), or with
 * ERR_TIMEOUT, ERR_CANCELLED, ERR_CLOSED. */
#define green_pool_spawn(...) green_pool_spawn_at(GREEN_SITE, __VA_ARGS__)
int YIELDS green_pool_spawn_at(const char *site, struct green_pool *p, const char *name, green_fn *fn,
                               void *arg, struct deadline by, struct error *err);
/* waitall(): until nothing runs in it. */
int YIELDS green_pool_waitall(struct green_pool *p, struct deadline by, struct error *err);
/* Refuses new work with ERR_CLOSED, cancels and joins what runs, frees. NULL allowed. */
void YIELDS green_pool_close(struct green_pool *p);
/* What runs beyond a smaller size runs on, and nothing new starts meanwhile. At least 1. */
void HUB_ONLY green_pool_resize(struct green_pool *p, unsigned size);
unsigned HUB_ONLY green_pool_size(const struct green_pool *p);
unsigned HUB_ONLY green_pool_running(const struct green_pool *p);
unsigned HUB_ONLY green_pool_waiting(const struct green_pool *p); /* green threads in green_pool_spawn() */

struct green_pool_info {
        const char *name;
        unsigned size, running, waiting, most; /* most: the largest `running` so far */
        unsigned long started;
};
void HUB_ONLY green_pool_foreach(void (*fn)(const struct green_pool_info *info, void *arg), void *arg);
