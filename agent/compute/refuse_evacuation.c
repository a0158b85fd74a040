/*
 * agent/compute/refuse_evacuation.c: rebuild_instance for an instance of another host, which this agent does
 * not do, but must undo.
 *
 * Before this host was asked, the conductor made a migration and the scheduler gave the instance a second
 * allocation, here. Left alone the migration would cost the instance its disks: the other host, when it
 * comes back, removes the guests of all evacuations that are not called failed.
 */
#define LOG_MODULE "compute.refuse_evacuation"
#include "compute/compute_priv.h"

#include <string.h>

#include "base/log.h"
#include "peers/placement.h"

/* What an instance of this very host holds of it is its own. */
static int YIELDS leave_this_host(struct action *a, struct error *err)
{
        const struct compute_node_row *row = tracker_row(a->m->tracker);
        CLEANUP(freep) char *provider = row ? xstrdup(row->uuid) : NULL;
        struct instance *i = NULL;
        bool ours;

        if (!a->m->placement || !provider)
                return 0;
        if (store_instance_get(a->m->store, a->uuid, 0, &i, a->by, err) < 0)
                return -1;
        ours = i->host && strcmp(i->host, a->m->conf->host) == 0;
        instance_free(i);
        return ours ? 0 : placement_allocation_leave(a->m->placement, a->uuid, provider, a->by, err);
}

static int refuse_body(struct action *a, struct error *err)
{
        const struct compute_migration *migration = a->arg;
        struct error undo = {}, left = {};

        assert_green();
        a->running.doing = "taking the evacuation back";
        if (store_migration_failed(a->m->store, migration->id, a->by, &undo) < 0 &&
            undo.code != ERR_CANCELLED)
                log_error("%s: do not start the compute service of the other host before it is called failed",
                          undo.text);
        if (undo.code != ERR_CANCELLED && leave_this_host(a, &left) < 0 && left.code != ERR_CANCELLED)
                log_warning("the instance goes on to hold something of this host: %s", left.text);
        if (undo.code == ERR_CANCELLED || left.code == ERR_CANCELLED) {
                *err = undo.code == ERR_CANCELLED ? undo : left;
                return -1;
        }
        return error_set(err, NOVA_NOT_IMPLEMENTED, "this agent does not implement rebuild_instance");
}

int compute_refuse_evacuation(struct compute_manager *m, const struct compute_call *c,
                              const struct compute_migration *migration, struct error *err)
{
        static const struct action_kind kind = {
                .method = "rebuild_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = refuse_body,
        };
        struct compute_migration copy = *migration;

        return action_run(m, &kind, c, &copy, err);
}
