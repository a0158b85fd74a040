/* agent/peers/placement_priv.h: what the two files about placement share. */
#pragma once

#include "base/strbuf.h"
#include "green/sync.h"
#include "peers/placement.h"

struct jval;

struct placement {
        struct service *service;
        int64_t refresh_s;
        struct green_mutex busy; /* protects the rest, which is what placement has */
        char uuid[37];           /* "": not known */
        int64_t generation;
        struct jval *inventories, *traits;
        struct jval *unknown; /* traits that this placement does not know: array of names, or NULL */
        struct deadline refresh_at;
        struct strbuf told; /* for placement_unknown_traits() */
};

/* version: "1.26", or NULL for 1.0. */
int YIELDS placement_call(struct placement *p, const char *method, const char *version,
                          const struct jval *body, struct service_answer *ret, const char *path,
                          struct deadline by, struct error *err);
