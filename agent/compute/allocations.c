/*
 * agent/compute/allocations.c: what instances hold of this host in placement (nova-contract 3.4, 4.6): given
 * back when they end, and looked for by each audit when they ended elsewhere.
 */
#define LOG_MODULE "compute.allocations"
#include "compute/compute_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "peers/placement.h"

int provider_release(struct compute_manager *m, const char *uuid, struct deadline by, struct error *err)
{
        if (!m->placement || placement_allocation_delete(m->placement, uuid, by, err) == 0)
                return 0;
        return error_while(err, "removing the allocations of instance %s", uuid);
}

int provider_release_deleted(struct compute_manager *m, const char *uuid, struct deadline by,
                             struct error *err)
{
        if (m->conf->reclaim_instance_interval <= 0)
                return provider_release(m, uuid, by, err);
        if (!m->placement || placement_allocation_clear(m->placement, uuid, by, err) == 0)
                return 0;
        return error_while(err, "removing the allocations of instance %s", uuid);
}

int provider_consumers(struct compute_manager *m, const char *provider, const char ***ret, unsigned *ret_n,
                       struct deadline by, struct error *err)
{
        struct placement_consumer *all;
        unsigned n;
        const char **uuids;
        char *text;

        if (placement_consumers(m->placement, provider, &all, &n, by, err) < 0)
                return -1;
        /* One block: the pointers, then what they point to. */
        uuids = xmalloc((n + 1) * (sizeof(*uuids) + sizeof(*all)));
        text = (char *)(uuids + n + 1);
        memcpy(text, all, n * sizeof(*all));
        for (unsigned k = 0; k < n; k++)
                uuids[k] = text + k * sizeof(*all);
        free(all);
        *ret = uuids;
        *ret_n = n;
        return 0;
}

static int YIELDS sweep(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *provider = xstrdup(tracker_row(m->tracker)->uuid);
        CLEANUP(instance_list_free) struct instance_list deleted = {};
        CLEANUP(freep) const char **uuids = NULL;
        unsigned n = 0, unknown = 0;

        if (provider_consumers(m, provider, &uuids, &n, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < n; k++)
                if (!tracker_counts(m->tracker, uuids[k]))
                        uuids[unknown++] = uuids[k];
        if (unknown == 0)
                return 0;
        if (store_instances_deleted_among(m->store, uuids, unknown, &deleted, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < deleted.n; k++) {
                const char *uuid = deleted.items[k]->uuid;

                if (deleted.items[k]->hidden) /* it lives on in another cell */
                        continue;
                log_info("instance %s is deleted, giving back what it still holds here", uuid);
                if (placement_allocation_clear(m->placement, uuid, by, err) < 0)
                        return error_while(err, "instance %s", uuid);
        }
        return 0;
}

void provider_sweep(struct compute_manager *m, struct deadline by)
{
        struct error err = {};

        if (!m->placement || !tracker_row(m->tracker) || sweep(m, by, &err) == 0 || err.code == ERR_CANCELLED)
                return;
        log_warning("allocations of deleted instances are not looked for: %s; the next audit tries again",
                    err.text);
}
