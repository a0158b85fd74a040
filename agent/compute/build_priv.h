/* agent/compute/build_priv.h: the build's two files: build.c (queue, outcome), spawn.c (networking to
 * running). */
#pragma once

#include "compute/compute_priv.h"

enum build_result {
        BUILD_ACTIVE,
        BUILD_FAILED,
        BUILD_RESCHEDULED,
        BUILD_SENT_ON,   /* this host is drained: no failure of its own */
        BUILD_NOT_ASKED, /* the row says that there is nothing to build */
};

struct build_work { /* action.arg */
        struct compute_build *b;
        enum build_result result;
};

/* Steps 8 to 12 of nova-contract 3.4. On failure parts of the guest may be left: the caller undoes them. */
int YIELDS build_guest(struct action *a, struct compute_build *b, struct error *err);
