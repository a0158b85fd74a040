/*
 * agent/compute/resync.h: what the periodic tasks look at by and by, looked at now, because somebody asked:
 * power states of instances beside the hypervisor's, the resources of this host and what placement knows of
 * them, the services row.
 *
 * One at a time. It goes on by itself, whether or not somebody waits for its end; the last one is remembered.
 * Tasks that are turned off for the loop are done, too. Hub thread only.
 */
#pragma once

#include "compute/manager.h"

enum { RESYNC_STEPS_MAX = 3 };

struct compute_resync_step {
        const char *task; /* the periodic task that does the same */
        enum resync_state { RESYNC_WAITING, RESYNC_RUNNING, RESYNC_DONE, RESYNC_FAILED } state;
        double seconds; /* since it began, or how long it took */
        /* What was found, or why it failed; while it runs how far it is, or "". */
        char text[ERROR_TEXT_MAX];
};

struct compute_resync {
        uint64_t id;             /* counts from 1 in this process */
        char uuid[UUID_LEN + 1]; /* of the instance that alone is looked at; "": all */
        unsigned uid;            /* who asked */
        bool running;
        double seconds; /* since it began, or how long it took */
        unsigned n_steps;
        struct compute_resync_step steps[RESYNC_STEPS_MAX];
};

/* uuid NULL: everything. ERR_BUSY: another one is under way; the text says whose, and what it is at. */
int HUB_ONLY compute_resync_start(struct compute_manager *m, const char *uuid, unsigned uid,
                                  struct error *err);
/* The one that runs, else the last one. False: there was none. */
bool HUB_ONLY compute_get_resync(const struct compute_manager *m, struct compute_resync *ret);
