/*
 * agent/compute/reboot.c: soft and hard reboot (nova-contract 3.4).
 *
 * Soft asks the guest and starts it again when it went off; a guest that does not obey in time is rebooted
 * the hard way. A soft reboot that the guest performs itself shows as a changed id of the running domain.
 */
#define LOG_MODULE "compute.reboot"
#include "compute/compute_priv.h"

#include "base/log.h"

struct reboot_states { /* of one type of reboot */
        enum task_state asked, pending, started;
};
static const struct reboot_states soft_states = { TASK_REBOOTING, TASK_REBOOT_PENDING, TASK_REBOOT_STARTED };
static const struct reboot_states hard_states = { TASK_REBOOTING_HARD, TASK_REBOOT_PENDING_HARD,
                                                  TASK_REBOOT_STARTED_HARD };

/* 0: rebooted; -1: the hard way is needed (or, ERR_CANCELLED, nothing more is to be done). */
static int YIELDS soft_reboot(struct action *a, struct error *err)
{
        struct compute_manager *m = a->m;
        struct virt_driver *d = m->driver;
        struct deadline give_up =
                deadline_earlier(deadline_in_s((double)m->conf->libvirt.wait_soft_reboot_seconds), a->by);
        struct guest_info before = {}, now = {};

        if (d->ops->get_info(d, a->uuid, &before, a->by, err) < 0)
                return -1;
        if (before.power_state != POWER_RUNNING)
                return error_set(err, NOVA_INSTANCE_NOT_RUNNING, "the guest is %s",
                                 power_state_name(before.power_state));
        if (d->ops->shutdown(d, a->uuid, a->by, err) < 0)
                return -1;
        for (int64_t started = clock_now_ns();;) {
                double pause = clock_now_ns() - started < 2 * NS_PER_S ? 0.1 : 1;

                if (d->ops->get_info(d, a->uuid, &now, a->by, err) < 0)
                        return -1;
                if (now.id != before.id) {
                        if (now.power_state != POWER_SHUTDOWN && now.power_state != POWER_CRASHED)
                                return 0; /* the guest came up again by itself */
                        return d->ops->start_domain(d, a->uuid, a->by, err);
                }
                if (deadline_passed(give_up))
                        return error_set(err, ERR_TIMEOUT, "the guest did not shut down by itself");
                if (green_sleep_until(deadline_earlier(give_up, deadline_in_s(pause)), err) < 0)
                        return -1;
        }
}

static int YIELDS hard_reboot(struct action *a, struct error *err)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};

        if (guestspec_load(a, &spec, err) < 0)
                return -1;
        return a->m->driver->ops->hard_reboot(a->m->driver, &spec, a->by, err);
}

static int YIELDS reboot_guest(struct action *a, bool hard, struct error *err)
{
        if (!hard) {
                log_info("rebooting: the guest has %lld s to shut down by itself",
                         (long long)a->m->conf->libvirt.wait_soft_reboot_seconds);
                inflight_step(a->op, "waiting for the guest to reboot");
                if (soft_reboot(a, err) == 0)
                        return 0;
                if (err->code == ERR_CANCELLED)
                        return -1;
                log_info("rebooting the hard way: %s", err->text);
                *err = (struct error){};
        }
        inflight_step(a->op, "rebooting the hard way");
        return hard_reboot(a, err);
}

/*
 * After a failed attempt: a guest that runs all the same keeps its state, and the failure is only a fault.
 * Returns 0 to go on, -1 when the failure stands.
 */
static int YIELDS reboot_failed(struct action *a, struct error *err)
{
        struct error power_err = {};
        enum power_state power = POWER_NOSTATE;

        if (err->code == ERR_CANCELLED)
                return -1;
        if (compute_power_of(a->m, a->uuid, &power, deadline_in_s(CLEANUP_DEADLINE_S), &power_err) < 0)
                log_warning("%s; calling it an error", power_err.text);
        if (power == POWER_RUNNING) {
                log_warning("reboot failed but the guest runs, and stays as it is: %s", err->text);
                compute_add_fault(a->m, a->uuid, err, NULL);
                *err = (struct error){};
                return 0;
        }
        a->instance->power_state = power;
        action_error_state(a, COL_POWER_STATE);
        return error_while(err, "rebooting");
}

static int reboot_body(struct action *a, struct error *err)
{
        bool hard = *(const bool *)a->arg;
        const struct reboot_states *s = hard ? &hard_states : &soft_states;
        struct instance *i;

        assert_green();
        if (action_load(a, err) < 0)
                return -1;
        i = a->instance;
        if (compute_power_of(a->m, a->uuid, &i->power_state, a->by, err) < 0)
                return -1;
        i->task_state = s->pending;
        if (action_save(a, COL_TASK_STATE | COL_POWER_STATE, EXPECT(s->asked, s->pending, s->started), err) <
            0)
                return -1;
        i->task_state = s->started;
        if (action_save(a, COL_TASK_STATE, EXPECT(s->pending), err) < 0)
                return -1;
        if (reboot_guest(a, hard, err) < 0 && reboot_failed(a, err) < 0)
                return -1;
        if (action_finish(a, i->vm_state == VM_RESCUED ? VM_RESCUED : VM_ACTIVE, 0, EXPECT_ANY, err) < 0) {
                if (err->code != NOVA_INSTANCE_NOT_FOUND)
                        return -1;
                log_info("the instance was deleted while it rebooted");
                *err = (struct error){};
                return 0;
        }
        log_info("rebooted");
        return 0;
}

int compute_reboot(struct compute_manager *m, const struct compute_call *c, bool hard, struct error *err)
{
        static const struct action_kind kind = {
                .method = "reboot_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .locked = true,
                .body = reboot_body,
        };

        return action_run(m, &kind, c, &hard, err);
}
