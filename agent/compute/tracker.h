/*
 * agent/compute/tracker.h: what this host has and how much of it is taken: claims, usage, and the
 * compute_nodes row that tells the scheduler (nova-contract 4.6).
 *
 * All changes happen under the named lock "compute_resources". The row is written only when a value differs
 * from what was written last. CPU, memory and disk are not checked here: placement has decided them.
 */
#pragma once

#include "conf/conf.h"
#include "images/disks.h"
#include "store/store.h"
#include "virt/driver.h"

struct tracker;

/* All are borrowed and outlive the tracker. */
struct tracker *HUB_ONLY tracker_new(const struct conf *conf, struct store *store, struct virt_driver *driver,
                                     struct disk_store *disks);
void HUB_ONLY tracker_free(struct tracker *t); /* NULL allowed */

/* Asks the hypervisor, reads all instances, starts the sums anew, writes the row (makes it when missing). */
int YIELDS tracker_audit(struct tracker *t, struct deadline by, struct error *err);

/* Takes over what was just asked for: the next audit does not ask again. */
void HUB_ONLY tracker_know_host(struct tracker *t, struct host_info *host);

/*
 * Sets host, launched_on and node of i, saves them with the system metadata of i, and counts i.
 * NOVA_COMPUTE_RESOURCES_UNAVAILABLE when node (NULL: ours) is not this host's.
 */
int YIELDS tracker_claim(struct tracker *t, struct instance *i, const char *node, struct deadline by,
                         struct error *err);
/* Undoes a claim: host and node NULL in i and in the row, i is not counted. A missing row is success. */
int YIELDS tracker_abort_claim(struct tracker *t, struct instance *i, struct deadline by, struct error *err);
/* Counts i in its present state: new, changed or gone (vm_state deleted). Instances of other hosts: nothing.
 */
int YIELDS tracker_update_usage(struct tracker *t, const struct instance *i, struct deadline by,
                                struct error *err);

/* In memory, written by the next audit: the scheduler weighs hosts by it. */
void HUB_ONLY tracker_build_failed(struct tracker *t);
void HUB_ONLY tracker_build_succeeded(struct tracker *t);

/* Seconds since an audit last succeeded; negative: never. */
double HUB_ONLY tracker_audit_age(const struct tracker *t);
/* hypervisor_hostname as of the first audit; "" before. */
const char *HUB_ONLY tracker_node(const struct tracker *t);
/* The row as last computed; borrowed until the next switch. NULL before the first audit. */
const struct compute_node_row *HUB_ONLY tracker_row(const struct tracker *t);
/* What the hypervisor said of the host at the last audit; borrowed until the next switch. */
const struct host_info *HUB_ONLY tracker_host(const struct tracker *t);
/* What is used by the instances that count, as of now. */
struct usage_sums;
void HUB_ONLY tracker_get_sums(const struct tracker *t, struct usage_sums *ret);
bool HUB_ONLY tracker_counts(const struct tracker *t, const char *uuid);
