/*
 * agent/compute/soft_delete.c: soft_delete_instance and restore_instance (nova-contract 3.4).
 *
 * A soft-deleted guest is off and all of it is kept: deleting it for good is left to the periodic task that
 * reclaims. Without the lock of the instance, as in nova: the compare-and-set on task_state keeps apart.
 */
#define LOG_MODULE "compute.soft_delete"
#include "base/log.h"
#include "compute/compute_priv.h"

static int soft_delete_body(struct action *a, struct error *err)
{
        assert_green();
        if (action_load(a, err) < 0 || action_expect(a, EXPECT(TASK_SOFT_DELETING), err) < 0)
                return -1;
        inflight_step(a->op, "powering off");
        if (a->m->driver->ops->power_off(a->m->driver, a->uuid, a->by, err) < 0)
                return error_while(err, "powering off");
        if (action_finish(a, VM_SOFT_DELETED, 0, EXPECT(TASK_SOFT_DELETING), err) < 0)
                return -1;
        log_info("soft-deleted");
        return 0;
}

static int restore_body(struct action *a, struct error *err)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};

        assert_green();
        if (action_load(a, err) < 0 || action_expect(a, EXPECT(TASK_RESTORING), err) < 0 ||
            guestspec_load(a, &spec, err) < 0)
                return -1;
        inflight_step(a->op, "starting the guest");
        if (a->m->driver->ops->hard_reboot(a->m->driver, &spec, a->by, err) < 0)
                return error_while(err, "starting the guest");
        if (action_finish(a, VM_ACTIVE, 0, EXPECT(TASK_RESTORING), err) < 0)
                return -1;
        log_info("restored");
        return 0;
}

int compute_soft_delete(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "soft_delete_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = soft_delete_body,
        };

        return action_run(m, &kind, c, NULL, err);
}

int compute_restore(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "restore_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = restore_body,
        };

        return action_run(m, &kind, c, NULL, err);
}
