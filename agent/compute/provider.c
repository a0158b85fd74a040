/*
 * agent/compute/provider.c: this host as placement's resource provider, and the allocations of its instances
 * (nova-contract 4.6, 6.1).
 *
 * Placement decides what the scheduler offers this host for, so it is told only what this agent does. A
 * placement that does not answer is logged and told at the next audit: guests do not depend on it.
 */
#define LOG_MODULE "compute.provider"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/traits.h"
#include "peers/placement.h"

/* What health shows. */
static void HUB_ONLY note_state(struct compute_manager *m, const struct error *failed)
{
        struct compute_placement_state *s = &m->placement_state;

        if (!failed && !s->ok && s->known)
                log_info("placement is told again what this host has");
        s->known = true;
        s->ok = !failed;
        snprintf(s->text, sizeof(s->text), "%s",
                 failed ? failed->text : "it knows what this host has as of the last audit");
}

static void HUB_ONLY tell_unknown_traits(struct compute_manager *m)
{
        const char *now = placement_unknown_traits(m->placement);

        if (strcmp(now, m->unknown_traits ? m->unknown_traits : "") == 0)
                return;
        if (*now)
                log_info("traits of this host that placement does not know are left out: %s", now);
        replace_str(&m->unknown_traits, now);
}

/* ---- the provider ---- */

/* Is the host disabled? nova-api writes that in the row, at any time; the row of the last report may be old.
 */
static void YIELDS read_disabled(struct compute_manager *m, struct deadline by)
{
        struct error err = {};
        int r;

        if (m->service.id == 0)
                return;
        r = green_mutex_lock(&m->service_mutex, by, &err);
        if (r == 0) {
                r = store_service_refresh(m->store, &m->service, by, &err);
                green_mutex_unlock(&m->service_mutex);
        }
        if (r < 0 && err.code != ERR_CANCELLED)
                log_warning("%s; placement is told what the last report found", err.text);
}

static int YIELDS tell(struct compute_manager *m, struct deadline by, struct error *err)
{
        const struct compute_node_row *row = tracker_row(m->tracker);
        const struct conf *c = m->conf;
        /* Copies: the row may change while placement is talked to. */
        CLEANUP(freep) char *uuid = xstrdup(row->uuid);
        const struct placement_inventory inventories[] = {
                { "VCPU", row->vcpus, c->reserved_host_cpus, c->cpu_allocation_ratio,
                  c->initial_cpu_allocation_ratio },
                { "MEMORY_MB", row->memory_mb, c->reserved_host_memory_mb, c->ram_allocation_ratio,
                  c->initial_ram_allocation_ratio },
                { "DISK_GB", row->local_gb, (c->reserved_host_disk_mb + 1023) / 1024,
                  c->disk_allocation_ratio, c->initial_disk_allocation_ratio },
        };
        struct traits traits;
        struct placement_host host = {
                .uuid = uuid,
                .name = tracker_node(m->tracker),
                .inventories = inventories,
                .n_inventories = ARRAY_SIZE(inventories),
                .traits = traits.yes,
                .owned = traits.owned,
        };

        traits_decide(c, tracker_host(m->tracker), m->service.disabled, &traits);
        m->told_disabled = m->service.disabled;
        return placement_report(m->placement, &host, by, err);
}

static int YIELDS report(struct compute_manager *m, struct deadline by, struct error *err)
{
        int r;

        if (green_mutex_lock(&m->telling, by, err) < 0)
                return -1;
        read_disabled(m, by);
        r = tell(m, by, err);
        green_mutex_unlock(&m->telling);
        return r;
}

void provider_report(struct compute_manager *m, struct deadline by)
{
        struct error err = {};

        if (!m->placement || !tracker_row(m->tracker))
                return;
        if (report(m, by, &err) == 0) {
                note_state(m, NULL);
                tell_unknown_traits(m);
                return;
        }
        if (err.code == ERR_CANCELLED)
                return;
        note_state(m, &err);
        log_warning("placement is not told what this host has: %s; the next audit tries again", err.text);
}

/* ---- the service is disabled or enabled ---- */

/*
 * nova-api wrote the row before it called. An audit that read the row before that has told placement by the
 * time the mutex is ours; one that comes after reads what was written.
 */
static int YIELDS tell_disabled(struct compute_manager *m, bool disabled, struct deadline by,
                                struct error *err)
{
        CLEANUP(freep) char *uuid = xstrdup(tracker_row(m->tracker)->uuid);

        m->told_disabled = disabled;
        if (placement_set_disabled(m->placement, uuid, disabled, by, err) == 0)
                return 0;
        if (err->code == ERR_CANCELLED)
                return -1;
        log_warning("trait " TRAIT_STATUS_DISABLED " could not be %s: %s; the next audit tries again",
                    disabled ? "added" : "removed", err->text);
        *err = (struct error){};
        return 0;
}

int compute_set_host_enabled(struct compute_manager *m, bool enabled, struct deadline by, struct error *err)
{
        int r;

        log_info("this host is %s", enabled ? "enabled" : "disabled");
        service_report_now(m); /* nova-api has written the row: that may end a drain */
        if (!m->placement)
                return 0;
        if (!tracker_row(m->tracker)) {
                log_warning("placement is not told: this host has no compute node yet");
                return 0;
        }
        if (green_mutex_lock(&m->telling, by, err) < 0)
                return -1;
        r = tell_disabled(m, !enabled, by, err);
        green_mutex_unlock(&m->telling);
        return r;
}

/* What the last report read may be old by now: nova-api may have written the row, and called, since. */
static int follow_service(void *arg, struct error *err)
{
        struct compute_manager *m = arg;
        struct deadline by = deadline_in_s(CLEANUP_DEADLINE_S);
        int r;

        assert_green();
        r = green_mutex_lock(&m->telling, by, err);
        if (r == 0) {
                read_disabled(m, by);
                if (m->told_disabled != m->service.disabled)
                        r = tell_disabled(m, m->service.disabled, by, err);
                green_mutex_unlock(&m->telling);
        }
        m->following_service = false;
        if (r == 0 || err->code == ERR_CANCELLED)
                return r;
        log_warning("placement is not told whether this host is disabled: %s; the next audit tries again",
                    err->text);
        return 0;
}

void provider_follow_service(struct compute_manager *m)
{
        struct error err = {};

        if (!m->placement || m->following_service || m->told_disabled == m->service.disabled ||
            !tracker_row(m->tracker))
                return;
        m->following_service = true;
        if (green_spawn(m->work, "placement status", follow_service, m, &err) < 0)
                m->following_service = false;
}

/* ---- other names of this host ---- */

/* The provider goes first: while placement cannot be asked the row stays, and the next audit finds it. */
static int YIELDS forget_node(struct compute_manager *m, const struct node_id *node, struct deadline by,
                              struct error *err)
{
        struct error in_use = {};

        if (m->placement && placement_provider_delete(m->placement, node->uuid, by, &in_use) < 0) {
                if (in_use.code != ERR_BUSY || in_use.sys != 409) {
                        *err = in_use;
                        return -1;
                }
                log_warning("the resource provider of the former node %s stays, delete it when nothing uses "
                            "it any more: %s",
                            node->name, in_use.text);
        }
        return store_compute_node_forget(m->store, node, by, err);
}

void provider_forget_others(struct compute_manager *m, struct deadline by)
{
        CLEANUP(node_list_free) struct node_list nodes = {};
        struct error err = {};

        if (store_compute_nodes_of_host(m->store, &nodes, by, &err) < 0) {
                if (err.code != ERR_CANCELLED)
                        log_warning("%s; the next audit looks again for former names of this host", err.text);
                return;
        }
        for (unsigned n = 0; n < nodes.n; n++) {
                if (!nodes.items[n].name || strcmp(nodes.items[n].name, tracker_node(m->tracker)) == 0)
                        continue;
                if (forget_node(m, &nodes.items[n], by, &err) == 0)
                        log_warning("this host was called %s and is %s now: the compute node of its former "
                                    "name is deleted",
                                    nodes.items[n].name, tracker_node(m->tracker));
                else if (err.code != ERR_CANCELLED)
                        log_warning("the compute node of this host's former name %s could not be deleted: "
                                    "%s; the next audit tries again",
                                    nodes.items[n].name, err.text);
        }
}
