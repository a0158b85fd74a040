/*
 * lib/messaging/dead_queues.h: reply queues that nobody reads any more (nova-contract 1.3): known for a
 * while, so that the next replies for them are dropped at once. Hub thread only; no I/O.
 */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

#define DEAD_QUEUES_MAX 200
#define DEAD_QUEUE_S    60.0

struct dead_queues {
        struct {
                char *name; /* NULL: free */
                struct deadline until;
        } slots[DEAD_QUEUES_MAX];
};

void dead_queues_add(struct dead_queues *d, const char *name); /* when full, the oldest goes */
bool dead_queues_has(struct dead_queues *d, const char *name);
void dead_queues_free(struct dead_queues *d); /* forgets all */
