/*
 * agent/compute/strays.c: instances that are not this host's any more, or not yet, and of which something is
 * here all the same (nova-contract 4.2, steps 7 and 9).
 *
 * Evacuated ones run elsewhere: the guest goes before anything else is done at the start, so that no instance
 * runs twice; what it holds in placement may wait until placement can be asked.
 *
 * Builds whose request was lost (the agent was killed between taking it and the claim) are rows that say
 * building, name no host and hold something of this one. So do builds whose request is still on its way:
 * only those that look the same twice, a minute apart, with nothing at work on them here, are called an
 * error.
 */
#define LOG_MODULE "compute.strays"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "peers/placement.h"

#define LOOK_AGAIN_S 60.0
#define INTERRUPTED                                                                                          \
        "The build was interrupted: the compute service of host %s was restarted before it had claimed the " \
        "instance"

/* ---- sets of uuids ---- */

void uuid_set_add(struct uuid_set *s, const char *uuid)
{
        s->items = xrealloc(s->items, (s->n + 1) * sizeof(*s->items));
        snprintf(s->items[s->n++], sizeof(*s->items), "%s", uuid);
}

bool uuid_set_has(const struct uuid_set *s, const char *uuid)
{
        for (unsigned n = 0; n < s->n; n++)
                if (strcmp(s->items[n], uuid) == 0)
                        return true;
        return false;
}

void uuid_set_free(struct uuid_set *s)
{
        free(s->items);
        *s = (struct uuid_set){};
}

/* ---- evacuated ---- */

/* An instance that lives may use these very files from another host. */
static int YIELDS may_remove_files(struct compute_manager *m, const char *uuid, bool *ret, struct deadline by,
                                   struct error *err)
{
        struct instance *i = NULL;

        *ret = true;
        if (!disks_are_shared(m->disks))
                return 0;
        if (store_instance_get(m->store, uuid, 0, &i, by, err) < 0) {
                if (err->code != NOVA_INSTANCE_NOT_FOUND)
                        return -1;
                *err = (struct error){};
                return 0;
        }
        *ret = false;
        instance_free(i);
        log_info("its files stay: %s can be shared with the host it was evacuated to",
                 m->conf->instances_path);
        return 0;
}

static int YIELDS remove_guest(struct compute_manager *m, const char *uuid, struct deadline by,
                               struct error *err)
{
        CLEANUP(lockutils_releasep) struct named_lock *lock = lockutils_acquire(uuid, by, err);
        bool files;

        if (!lock || may_remove_files(m, uuid, &files, by, err) < 0)
                return -1;
        if (m->driver->ops->power_off(m->driver, uuid, by, err) < 0)
                return error_while(err, "powering off");
        if (files && disks_remove(m->disks, uuid, by, err) < 0)
                return -1;
        return m->driver->ops->undefine(m->driver, uuid, by, err);
}

static bool has_guest(const struct guest_list *guests, const char *uuid)
{
        for (unsigned n = 0; n < guests->n; n++)
                if (strcmp(guests->items[n].uuid, uuid) == 0)
                        return true;
        return false;
}

int strays_remove_evacuated(struct compute_manager *m, const struct guest_list *guests, struct uuid_set *ret,
                            struct deadline by, struct error *err)
{
        CLEANUP(migration_list_free) struct migration_list list = {};

        if (store_evacuations_from_here(m->store, &list, by, err) < 0)
                return -1;
        for (unsigned n = 0; n < list.n; n++) {
                const char *uuid = list.items[n].instance_uuid;
                struct error one = {};

                if (uuid_set_has(ret, uuid))
                        continue;
                uuid_set_add(ret, uuid);
                if (!has_guest(guests, uuid))
                        continue;
                log_warning("instance %s was evacuated from this host, removing its guest", uuid);
                if (remove_guest(m, uuid, by, &one) == 0)
                        continue;
                if (error_is_cancel(&one, err))
                        return -1;
                log_error("the guest of instance %s, which was evacuated, could not be removed: %s; the next "
                          "start tries again",
                          uuid, one.text);
        }
        return 0;
}

/* The provider that the node of this name is; NULL when this host has no such node. */
static const char *provider_of(const struct node_list *nodes, const char *name)
{
        for (unsigned n = 0; n < nodes->n; n++)
                if (name && nodes->items[n].name && strcmp(nodes->items[n].name, name) == 0)
                        return nodes->items[n].uuid;
        return NULL;
}

/* 1: there is nothing to end, the instance is gone with all it held. */
static int YIELDS end_evacuation(struct compute_manager *m, const struct migration *mig,
                                 const struct node_list *nodes, struct deadline by, struct error *err)
{
        const char *provider = provider_of(nodes, mig->source_node);
        struct instance *i = NULL;

        if (store_instance_get(m->store, mig->instance_uuid, 0, &i, by, err) < 0) {
                bool deleted = err->code == NOVA_INSTANCE_NOT_FOUND;

                if (deleted)
                        *err = (struct error){};
                return deleted ? 1 : -1;
        }
        instance_free(i);
        if (!provider)
                return error_set(err, ERR_NOT_FOUND, "this host has no compute node %s",
                                 mig->source_node ? mig->source_node : "(none)");
        if (m->placement &&
            placement_allocation_leave(m->placement, mig->instance_uuid, provider, by, err) < 0)
                return -1;
        return store_migration_set_status(m->store, mig->id, "completed", by, err);
}

int strays_end_evacuations(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(migration_list_free) struct migration_list list = {};
        CLEANUP(node_list_free) struct node_list nodes = {};

        if (store_evacuations_from_here(m->store, &list, by, err) < 0)
                return -1;
        if (list.n == 0)
                return 0;
        if (store_compute_nodes_of_host(m->store, &nodes, by, err) < 0)
                return -1;
        for (unsigned n = 0; n < list.n; n++) {
                struct error one = {};
                int r = end_evacuation(m, &list.items[n], &nodes, by, &one);

                if (r == 0)
                        log_info("instance %s was evacuated and holds nothing of this host any more",
                                 list.items[n].instance_uuid);
                if (r >= 0)
                        continue;
                if (error_is_cancel(&one, err))
                        return -1;
                log_warning("the evacuation of instance %s is not ended: %s; the next start tries again",
                            list.items[n].instance_uuid, one.text);
        }
        return 0;
}

/* ---- interrupted builds ---- */

void strays_call_it_an_error(struct compute_manager *m, struct instance *i, struct deadline by)
{
        struct error why = {}, err = {};
        struct task_expect expect = EXPECT(i->task_state);

        error_set(&why, NOVA_BUILD_ABORT, INTERRUPTED, m->conf->host);
        log_warning("instance %s has been building without a host, and nothing builds it: calling it an "
                    "error",
                    i->uuid);
        i->vm_state = VM_ERROR;
        i->task_state = TASK_NONE;
        if (store_instance_save(m->store, i, COL_VM_STATE | COL_TASK_STATE, expect, by, &err) < 0) {
                log_info("not done, somebody was quicker: %s", err.text);
                return;
        }
        compute_add_fault(m, i->uuid, &why, NULL);
        if (provider_release(m, i->uuid, by, &err) < 0) /* as of any build that failed */
                log_warning("%s", err.text);
}

int strays_look_for_lost_builds(struct compute_manager *m, struct uuid_set *seen, struct deadline by,
                                struct error *err)
{
        const struct compute_node_row *row = tracker_row(m->tracker);
        CLEANUP(instance_list_free) struct instance_list building = {};
        CLEANUP(freep) const char **uuids = NULL;
        CLEANUP(freep) char *provider = NULL;
        struct uuid_set now = {};
        unsigned n = 0;

        if (!m->placement || !row)
                return 0;
        provider = xstrdup(row->uuid);
        if (provider_consumers(m, provider, &uuids, &n, by, err) < 0 ||
            store_instances_building_among(m->store, uuids, n, &building, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < building.n; k++) {
                struct instance *i = building.items[k];

                if ((i->host && *i->host) || inflight_has(&m->inflight, i->uuid))
                        continue;
                if (uuid_set_has(seen, i->uuid))
                        strays_call_it_an_error(m, i, by);
                else
                        uuid_set_add(&now, i->uuid);
        }
        uuid_set_free(seen);
        *seen = now;
        return 0;
}

static int follow_up(void *arg, struct error *err)
{
        struct compute_manager *m = arg;
        CLEANUP(uuid_set_free) struct uuid_set seen = {};

        assert_green();
        if (strays_end_evacuations(m, deadline_in_s(CLEANUP_DEADLINE_S), err) < 0 &&
            err->code != ERR_CANCELLED)
                log_warning("%s; the next start tries again", err->text);
        for (int look = 0; m->placement && look < 2 && err->code != ERR_CANCELLED; look++) {
                *err = (struct error){};
                if (green_sleep(LOOK_AGAIN_S, err) < 0)
                        break;
                if (strays_look_for_lost_builds(m, &seen, deadline_in_s(CLEANUP_DEADLINE_S), err) < 0 &&
                    err->code != ERR_CANCELLED)
                        log_warning("builds that a restart interrupted are not looked for: %s", err->text);
        }
        if (err->code == ERR_CANCELLED)
                return -1;
        *err = (struct error){};
        return 0;
}

int strays_start(struct compute_manager *m, struct error *err)
{
        return green_spawn(m->work, "after the start", follow_up, m, err);
}
