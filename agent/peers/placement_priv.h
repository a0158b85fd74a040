/* agent/peers/placement_priv.h: what the files about placement share. */
#pragma once

#include "base/strbuf.h"
#include "green/sync.h"
#include "json/json.h"
#include "peers/placement.h"

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

/* ---- placement.c ---- */

enum { ATTEMPTS_MAX = 4 };
/* Result of a step whose generation was old: all is to be read again. */
enum { STALE = 1 };

void placement_forget(struct placement *p);
/* The answer to a GET, which must be 200 and an object. */
int YIELDS placement_get(struct placement *p, const char *path, const char *version,
                         struct service_answer *ret, struct deadline by, struct error *err);
/* A PUT of something of the provider, with its generation. Takes over value. 0, STALE or -1. */
int YIELDS placement_put(struct placement *p, const char *what, const char *version, struct jval *value,
                         struct service_answer *ret, struct deadline by, struct error *err);
/* A member of an answer, of the type that it must have. Referenced; NULL: ERR_PROTOCOL. */
struct jval *placement_member(const struct service_answer *a, const char *key, enum jval_type type,
                              struct error *err);
bool placement_take_generation(struct placement *p, const struct jval *from, const char *key);

/* ---- placement_traits.c ---- */

/* Makes the provider's traits what is true and what others set. 0, STALE or -1. */
int YIELDS placement_sync_traits(struct placement *p, const char *const *yes, const char *const *owned,
                                 struct deadline by, struct error *err);
void placement_tell_unknown(struct placement *p); /* for placement_unknown_traits() */
