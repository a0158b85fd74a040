/*
 * agent/peers/placement.h: what this host tells placement, and the allocations of its instances
 * (nova-contract 6.1; microversions are those of its table).
 *
 * Allocations are read, moved and removed here, never made: that is the scheduler's. Providers of shared
 * storage and nested providers are not looked at.
 *
 * ERR_BUSY: a conflict that did not go away, or placement is out of order: the next audit tries again.
 */
#pragma once

#include "green/green.h"
#include "peers/service.h"

struct placement;

struct placement_options {
        struct service *service; /* borrowed; of type "placement" */
        /* Seconds after which what placement has is read again: [compute]
         * resource_provider_association_refresh. 0: never */
        int64_t refresh_s;
};
struct placement *HUB_ONLY placement_new(const struct placement_options *opt);
/* As nova's SIGHUP: the next audit reads what placement has, and then it is read again after refresh_s. */
void HUB_ONLY placement_set_refresh(struct placement *p, int64_t refresh_s);
void HUB_ONLY placement_free(struct placement *p); /* no call may be running; NULL is allowed */

struct placement_inventory {
        const char *resource_class; /* "VCPU" */
        int64_t total;              /* 0: left out */
        int64_t reserved;
        double allocation_ratio; /* 0: what placement has is kept */
        double initial_ratio;    /* where it has none */
};

#define TRAIT_COMPUTE_NODE    "COMPUTE_NODE"
#define TRAIT_STATUS_DISABLED "COMPUTE_STATUS_DISABLED"

struct placement_host {
        const char *uuid, *name; /* compute_nodes.uuid and hypervisor_hostname */
        const struct placement_inventory *inventories;
        unsigned n_inventories;
        const char *const *traits; /* ends with NULL: those that are true */
        const char *const *owned;  /* ends with NULL: those that are ours to remove when they are not true */
};

/*
 * Makes the provider if there is none, and its inventories and traits what h says; traits that others set
 * stay. Sends nothing when nothing changed. When someone else changed the provider meanwhile all is read and
 * done again, at most 4 times. ERR_INVALID: another provider has this name; ERR_BUSY: an inventory that is in
 * use would become too small or vanish.
 */
int YIELDS placement_report(struct placement *p, const struct placement_host *h, struct deadline by,
                            struct error *err);

/*
 * Traits of the last report that placement does not know and that it makes only for its own release, each
 * with a blank after it; "" when there were none. Borrowed until the next report.
 */
const char *HUB_ONLY placement_unknown_traits(const struct placement *p);

/* Adds or removes COMPUTE_STATUS_DISABLED. ERR_NOT_FOUND: there is no such provider yet. */
int YIELDS placement_set_disabled(struct placement *p, const char *uuid, bool disabled, struct deadline by,
                                  struct error *err);

/* A node that is gone for good. Absent is success; ERR_BUSY: it has allocations. */
int YIELDS placement_provider_delete(struct placement *p, const char *uuid, struct deadline by,
                                     struct error *err);

/* ---- allocations ---- */

/* Consumers (instances) with an allocation on this provider. Caller frees the array. */
struct placement_consumer {
        char uuid[37];
};
int YIELDS placement_consumers(struct placement *p, const char *provider, struct placement_consumer **ret,
                               unsigned *ret_n, struct deadline by, struct error *err);

/* How many providers the consumer has allocations on; 0: none. */
int YIELDS placement_allocation_count(struct placement *p, const char *consumer, unsigned *ret,
                                      struct deadline by, struct error *err);

/* For a deleted instance: whatever it holds is removed. Absent is success. */
int YIELDS placement_allocation_delete(struct placement *p, const char *consumer, struct deadline by,
                                       struct error *err);

/* The same unless somebody changes the allocation at this moment: ERR_BUSY. Absent is success. */
int YIELDS placement_allocation_clear(struct placement *p, const char *consumer, struct deadline by,
                                      struct error *err);

/* It goes on elsewhere: what it holds of this provider is removed. ERR_BUSY as above. */
int YIELDS placement_allocation_leave(struct placement *p, const char *consumer, const char *provider,
                                      struct deadline by, struct error *err);

/*
 * What one consumer holds becomes the other's, instead of what that one held. Nothing to move is success.
 * ERR_BUSY: somebody changed one of them at this moment.
 */
int YIELDS placement_allocation_move(struct placement *p, const char *from, const char *to,
                                     struct deadline by, struct error *err);
