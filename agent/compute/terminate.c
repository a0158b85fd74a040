/*
 * agent/compute/terminate.c: the end of an instance (nova-contract 3.4), and the removal of a guest with its
 * files, which a failed build and the cleanup of running deleted guests need too.
 *
 * Everything here can be done again: a terminate that was cut short, or that comes twice, finds less to do
 * and ends the same.
 */
#define LOG_MODULE "compute.terminate"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "model/network_info.h"

/* Counts the attempt in the row; without a row there is nothing to count. */
static int YIELDS note_cleaned(struct compute_manager *m, struct instance *i, bool cleaned,
                               struct deadline by, struct error *err)
{
        const char *text = instance_system_meta(i, "clean_attempts");
        unsigned columns = COL_SYSTEM_METADATA;
        char attempts[24];

        snprintf(attempts, sizeof(attempts), "%ld", (text ? strtol(text, NULL, 10) : 0) + 1);
        instance_set_system_meta(i, "clean_attempts", attempts);
        if (cleaned) {
                i->cleaned = true;
                columns |= COL_CLEANED;
        }
        if (store_instance_save(m->store, i, columns, EXPECT_ANY, by, err) < 0 &&
            err->code != NOVA_INSTANCE_NOT_FOUND)
                return -1;
        return 0;
}

int compute_destroy_guest(struct compute_manager *m, struct instance *i, struct deadline by,
                          struct error *err)
{
        struct error files_err = {};
        bool cleaned;

        if (m->driver->ops->power_off(m->driver, i->uuid, by, err) < 0)
                return error_while(err, "powering off");
        cleaned = disks_remove(m->disks, i->uuid, by, &files_err) == 0;
        if (!cleaned) {
                if (error_is_cancel(&files_err, err))
                        return -1;
                log_warning("the instance's files could not be removed: %s; they are left to the clean-up of "
                            "deleted instances",
                            files_err.text);
        }
        if (!i->deleted && note_cleaned(m, i, cleaned, by, err) < 0)
                return error_while(err, "noting that the files are gone");
        if (m->driver->ops->undefine(m->driver, i->uuid, by, err) < 0)
                return error_while(err, "removing the guest's definition");
        return 0;
}

/*
 * The row first says deleted, then is hidden: a kill in between is finished by the next start (4.3). So is an
 * instance whose allocations could not be removed: NOT_RELEASED, with err filled.
 */
static int YIELDS finish_rows(struct action *a, struct error *err)
{
        struct compute_manager *m = a->m;
        struct instance *i = a->instance;

        i->vm_state = VM_DELETED;
        i->task_state = TASK_NONE;
        i->power_state = POWER_NOSTATE;
        i->terminated_at = clock_wall_s();
        if (action_save(a, COL_STATES | COL_TERMINATED_AT, EXPECT_ANY, err) < 0)
                return -1;
        if (tracker_update_usage(m->tracker, i, a->by, err) < 0)
                return -1;
        /* The soft delete removes them too, but it may have to wait for the next start. */
        if (store_console_tokens_delete(m->store, i->uuid, a->by, err) < 0)
                return -1;
        if (provider_release_deleted(m, i->uuid, a->by, err) < 0)
                return NOT_RELEASED;
        scheduler_deleted(m, a->ctx, i->uuid);
        return store_instance_soft_delete(m->store, i, a->by, err);
}

int compute_destroy_leftovers(struct compute_manager *m, const char *uuid, struct deadline by,
                              struct error *err)
{
        struct instance *i = NULL;
        int r;

        if (store_instance_get(m->store, uuid, WITH_DELETED, &i, by, err) < 0) {
                if (err->code != NOVA_INSTANCE_NOT_FOUND)
                        return -1;
                *err = (struct error){};
                i = instance_new();
                snprintf(i->uuid, sizeof(i->uuid), "%s", uuid);
        }
        i->deleted = true;
        log_info("the instance was deleted already, removing what is left of its guest");
        r = compute_destroy_guest(m, i, by, err);
        instance_free(i);
        return r;
}

/* Neutron goes on to believe in ports that nobody told it to let go of. */
static void YIELDS tell_of_ports(struct action *a)
{
        CLEANUP(network_info_free) struct network_info info = {};
        CLEANUP(strbuf_free) struct strbuf ids = {};
        CLEANUP(freep) char *json = NULL;
        struct error err = {};
        unsigned interfaces;

        if (store_network_info(a->m->store, a->uuid, &json, &interfaces, a->by, &err) < 0 || !json ||
            network_info_parse(json, &info, &err) < 0 || info.n == 0)
                return;
        for (unsigned n = 0; n < info.n; n++)
                strbuf_addf(&ids, "%s%.36s", n ? ", " : "", info.items[n].id);
        log_warning("this agent does not drive neutron: the instance's network ports stay bound to this host "
                    "until somebody removes them: %s",
                    ids.data);
}

int compute_end_instance(struct action *a, struct error *err)
{
        int r;

        log_info("terminating: its guest, files and rows go");
        inflight_step(a->op, "removing the guest");
        if (compute_destroy_guest(a->m, a->instance, a->by, err) < 0)
                return -1;
        tell_of_ports(a);
        inflight_step(a->op, "deleting the rows");
        r = finish_rows(a, err);
        if (r == 0)
                log_info("terminated in %.2f s", inflight_seconds(a->op));
        return r;
}

static int terminate_body(struct action *a, struct error *err)
{
        int r;

        assert_green();
        if (action_load(a, err) < 0) {
                if (err->code != NOVA_INSTANCE_NOT_FOUND)
                        return -1;
                *err = (struct error){};
                return compute_destroy_leftovers(a->m, a->uuid, a->by, err);
        }
        r = compute_end_instance(a, err);
        if (r == 0)
                return 0;
        if (r == NOT_RELEASED)
                return error_while(err, "terminating; the next start of the agent finishes it");
        if (err->code == ERR_CANCELLED)
                return -1;
        if (err->code == NOVA_INSTANCE_NOT_FOUND) {
                log_info("the instance disappeared while it was terminated");
                *err = (struct error){};
                return 0;
        }
        action_error_state(a, 0);
        return error_while(err, "terminating");
}

int compute_terminate(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "terminate_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .locked = true,
                .body = terminate_body,
        };

        return action_run(m, &kind, c, NULL, err);
}
