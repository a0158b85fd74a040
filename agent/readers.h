/* agent/readers.h: the group whose members may look with compute-agentctl. */
#pragma once

#include "native/tpool.h"

struct readers {
        bool exist;
        unsigned gid;
};

/*
 * Looks the group up by name ("": none) on a worker of p. A group that does not exist, or cannot be looked
 * up, is logged, and then nobody is a reader. -1: cancelled.
 */
int YIELDS readers_find(const char *name, struct tpool *p, struct readers *ret, struct error *err);
