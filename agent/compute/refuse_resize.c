/*
 * agent/compute/refuse_resize.c: prep_resize, which this agent does not do, but must undo.
 *
 * Before this host was asked, the conductor gave the allocation of the instance to a migration and the
 * scheduler made the instance a new one, of the new flavor. Left alone the first would be held for ever, as
 * nobody deletes the migration, and the second would not be what the instance is.
 */
#define LOG_MODULE "compute.refuse_resize"
#include "compute/compute_priv.h"

#include "base/log.h"
#include "peers/placement.h"

static int refuse_body(struct action *a, struct error *err)
{
        const struct compute_migration *migration = a->arg;
        struct error undo = {};

        assert_green();
        a->running.doing = "giving the allocation back";
        if (a->m->placement &&
            placement_allocation_move(a->m->placement, migration->uuid, a->uuid, a->by, &undo) < 0)
                log_warning("the allocation stays with migration %s: %s", migration->uuid, undo.text);
        if (undo.code != ERR_CANCELLED &&
            store_migration_failed(a->m->store, migration->id, a->by, &undo) < 0)
                log_warning("%s", undo.text);
        if (undo.code == ERR_CANCELLED) {
                *err = undo;
                return -1;
        }
        return error_set(err, NOVA_NOT_IMPLEMENTED, "this agent does not implement prep_resize");
}

int compute_refuse_resize(struct compute_manager *m, const struct compute_call *c,
                          const struct compute_migration *migration, struct error *err)
{
        static const struct action_kind kind = {
                .method = "prep_resize",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = refuse_body,
        };
        struct compute_migration copy = *migration;

        return action_run(m, &kind, c, &copy, err);
}
