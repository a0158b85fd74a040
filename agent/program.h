/*
 * agent/program.h: is the program on disk still the one that runs? After an upgrade it is not, until somebody
 * restarts the agent.
 */
#pragma once

#include "native/tpool.h"

struct program;

/*
 * Looks now and then, by a green thread. changed() is called on the hub with what to tell people, or "" when
 * the file on disk is ours again; it must not yield. files is borrowed and outlives it.
 */
struct program *HUB_ONLY program_watch(struct tpool *files, void (*changed)(const char *text, void *arg),
                                       void *arg, struct error *err);
void YIELDS program_forget(struct program *p); /* NULL allowed */
