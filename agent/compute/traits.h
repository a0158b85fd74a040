/*
 * agent/compute/traits.h: what this host can do, in the names that placement has for it (nova-contract 6.1).
 */
#pragma once

#include "conf/conf.h"
#include "virt/driver.h"

#define TRAITS_MAX 128

struct traits {                            /* names are constants */
        const char *yes[TRAITS_MAX + 1];   /* true here; ends with NULL */
        const char *owned[TRAITS_MAX + 1]; /* ours to take away where they are not true; ends with NULL */
};

/* Pure. Only what this agent does, too: the scheduler chooses hosts by it. */
void traits_decide(const struct conf *conf, const struct host_info *host, bool disabled, struct traits *ret);
