/*
 * agent/compute/diagnostics.c: what an operator asks of a guest from outside: its counters, and to crash
 * (nova-contract 3.4).
 */
#define LOG_MODULE "compute.diagnostics"
#include "compute/compute_priv.h"

#include "base/log.h"

static int YIELDS must_run(struct action *a, struct error *err)
{
        enum power_state power;

        if (compute_power_of(a->m, a->uuid, &power, a->by, err) < 0)
                return -1;
        if (power == POWER_RUNNING)
                return 0;
        error_set(err, NOVA_INSTANCE_WRONG_POWER_STATE,
                  "instance %s must run for that, its power state is %s", a->uuid, power_state_name(power));
        err->sys = (int)power;
        return -1;
}

static int diagnostics_body(struct action *a, struct error *err)
{
        struct compute_diagnostics *d = a->arg;
        struct virt_driver *driver = a->m->driver;

        assert_green();
        if (must_run(a, err) < 0 || action_load(a, err) < 0)
                return -1;
        d->driver = driver->ops->name;
        d->hypervisor = a->m->conf->libvirt.virt_type;
        d->config_drive = guestspec_wants_config_drive(a->m, a->instance);
        d->uptime_s = a->instance->launched_at ? clock_wall_s() - a->instance->launched_at : -1;
        return driver->ops->get_usage(driver, a->uuid, &d->usage, a->by, err);
}

int compute_diagnostics(struct compute_manager *m, const struct compute_call *c, const char *method,
                        struct compute_diagnostics *ret, struct error *err)
{
        struct action_kind kind = { .method = method, .wraps = WRAP_FAULT, .body = diagnostics_body };

        return action_run(m, &kind, c, ret, err);
}

static int crash_dump_body(struct action *a, struct error *err)
{
        struct virt_driver *d = a->m->driver;

        assert_green();
        if (d->ops->inject_nmi(d, a->uuid, a->by, err) < 0)
                return -1;
        log_info("a non-maskable interrupt was sent to the guest");
        return 0;
}

/* What the guest makes of it is its own affair: no state changes. */
int compute_trigger_crash_dump(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "trigger_crash_dump",
                .wraps = WRAP_EVENT | WRAP_FAULT,
                .body = crash_dump_body,
        };

        return action_run(m, &kind, c, NULL, err);
}
