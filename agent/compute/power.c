/*
 * agent/compute/power.c: stop, start, pause, unpause, suspend, resume (nova-contract 3.4).
 *
 * Only stop holds the instance's lock, as in nova: a hard reboot must be able to rescue a guest whose pause
 * or resume hangs. What keeps the others apart is the compare-and-set on task_state.
 */
#define LOG_MODULE "compute.power"
#include "compute/compute_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* ---- stop ---- */

/* The guest's own time to shut down, as its image asks; else the configured one. */
static double shutdown_timeout(const struct compute_manager *m, const struct instance *i)
{
        const char *text = instance_system_meta(i, "image_os_shutdown_timeout");
        char *end = NULL;
        long seconds;

        if (!text || !*text)
                return (double)m->conf->shutdown_timeout;
        seconds = strtol(text, &end, 10);
        if (*end || seconds < 0 || seconds > 86400) {
                log_warning("image property os_shutdown_timeout is not a number of seconds, using %lld",
                            (long long)m->conf->shutdown_timeout);
                return (double)m->conf->shutdown_timeout;
        }
        return (double)seconds;
}

/* Looks often at first: a guest that listens to ACPI at all is usually off within two seconds. */
static double shutdown_poll_s(int64_t started_ns)
{
        return clock_now_ns() - started_ns < 2 * NS_PER_S ? 0.1 : 1;
}

/*
 * Asks the guest to shut down and waits until it is off. The request is repeated: a guest that is just
 * booting does not hear the first one. Returns 0 when it is off, ERR_TIMEOUT when it did not obey in time.
 */
static int YIELDS clean_shutdown(struct compute_manager *m, const char *uuid, double timeout_s,
                                 struct deadline by, struct error *err)
{
        struct deadline give_up = deadline_earlier(deadline_in_s(timeout_s), by);
        struct deadline resend = deadline_now();
        int64_t started = clock_now_ns();

        for (;;) {
                enum power_state power;

                if (compute_power_of(m, uuid, &power, by, err) < 0)
                        return -1;
                if (power_is_off(power))
                        return 0;
                if (power != POWER_RUNNING || deadline_passed(give_up))
                        return error_set(err, ERR_TIMEOUT, "the guest did not shut down by itself");
                if (deadline_passed(resend)) {
                        struct error shutdown_err = {};
                        double again = (double)m->conf->compute.shutdown_retry_interval;

                        /* It may have gone off since it was looked at: the next look tells. */
                        if (m->driver->ops->shutdown(m->driver, uuid, by, &shutdown_err) < 0)
                                log_info("asking the guest to shut down: %s", shutdown_err.text);
                        resend = again > 0 ? deadline_in_s(again) : deadline_never();
                }
                if (green_sleep_until(deadline_earlier(give_up, deadline_in_s(shutdown_poll_s(started))),
                                      err) < 0)
                        return -1;
        }
}

static int stop_body(struct action *a, struct error *err)
{
        const bool *clean = a->arg;
        struct compute_manager *m = a->m;
        struct task_expect expect = EXPECT(TASK_POWERING_OFF);
        enum power_state before;

        assert_green();
        if (action_load(a, err) < 0 || compute_power_of(m, a->uuid, &before, a->by, err) < 0)
                return -1;
        if (power_is_off(before)) /* it went off alone, and the synchronisation may have noted it already */
                expect = EXPECT(TASK_POWERING_OFF, TASK_NONE);
        if (action_expect(a, expect, err) < 0)
                return -1;
        if (*clean && !power_is_off(before)) {
                double timeout = shutdown_timeout(m, a->instance);

                if (timeout > 0)
                        log_info("stopping: the guest has %.0f s to shut down by itself", timeout);
                inflight_step(a->op, "waiting for the guest to shut down");
                if (timeout > 0 && clean_shutdown(m, a->uuid, timeout, a->by, err) < 0) {
                        if (err->code == ERR_CANCELLED)
                                return -1;
                        log_info("powering off the hard way: %s", err->text);
                        *err = (struct error){};
                }
        }
        inflight_step(a->op, "powering off");
        if (m->driver->ops->power_off(m->driver, a->uuid, a->by, err) < 0)
                return error_while(err, "powering off");
        if (action_finish(a, VM_STOPPED, 0, expect, err) < 0)
                return -1;
        log_info("stopped");
        return 0;
}

int compute_stop(struct compute_manager *m, const struct compute_call *c, bool clean_shutdown,
                 struct error *err)
{
        static const struct action_kind kind = {
                .method = "stop_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .locked = true,
                .body = stop_body,
        };

        return action_run(m, &kind, c, &clean_shutdown, err);
}

/* ---- start ---- */

static int start_body(struct action *a, struct error *err)
{
        static const char *const shelved[] = { "shelved_at", "shelved_image_id", "shelved_host" };
        CLEANUP(guest_spec_free) struct guest_spec spec = {};
        struct compute_manager *m = a->m;
        unsigned columns = 0;

        assert_green();
        if (action_load(a, err) < 0 || action_expect(a, EXPECT(TASK_POWERING_ON), err) < 0 ||
            guestspec_load(a, &spec, err) < 0)
                return -1;
        inflight_step(a->op, "starting the guest");
        if (m->driver->ops->hard_reboot(m->driver, &spec, a->by, err) < 0)
                return error_while(err, "starting the guest");
        for (size_t k = 0; k < ARRAY_SIZE(shelved); k++) {
                if (!instance_system_meta(a->instance, shelved[k]))
                        continue;
                instance_set_system_meta(a->instance, shelved[k], NULL);
                columns = COL_SYSTEM_METADATA;
        }
        if (action_finish(a, VM_ACTIVE, columns, EXPECT(TASK_POWERING_ON), err) < 0)
                return -1;
        log_info("started");
        return 0;
}

int compute_start(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "start_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = start_body,
        };

        return action_run(m, &kind, c, NULL, err);
}

/* ---- pause, unpause ---- */

static int pause_body(struct action *a, struct error *err)
{
        assert_green();
        if (action_load(a, err) < 0 || action_expect(a, EXPECT(TASK_PAUSING), err) < 0)
                return -1;
        if (a->m->driver->ops->pause(a->m->driver, a->uuid, a->by, err) < 0)
                return error_while(err, "pausing");
        if (action_finish(a, VM_PAUSED, 0, EXPECT(TASK_PAUSING), err) < 0)
                return -1;
        log_info("paused");
        return 0;
}

static int unpause_body(struct action *a, struct error *err)
{
        assert_green();
        if (action_load(a, err) < 0 || action_expect(a, EXPECT(TASK_UNPAUSING), err) < 0)
                return -1;
        if (a->m->driver->ops->unpause(a->m->driver, a->uuid, a->by, err) < 0)
                return error_while(err, "unpausing");
        if (action_finish(a, VM_ACTIVE, 0, EXPECT(TASK_UNPAUSING), err) < 0)
                return -1;
        log_info("unpaused");
        return 0;
}

int compute_pause(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "pause_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = pause_body,
        };

        return action_run(m, &kind, c, NULL, err);
}

int compute_unpause(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "unpause_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = unpause_body,
        };

        return action_run(m, &kind, c, NULL, err);
}

/* ---- suspend, resume ---- */

/*
 * A driver that cannot do it at all leaves the guest as it was; after any other failure nobody knows what is
 * left of it. Then the row says so, unless the work was only cut short.
 */
static int YIELDS suspend_failed(struct action *a, const char *what, struct error *err)
{
        if (err->code != ERR_CANCELLED && err->code != NOVA_NOT_IMPLEMENTED)
                action_error_state(a, COL_SYSTEM_METADATA);
        return error_while(err, "%s", what);
}

static int suspend_body(struct action *a, struct error *err)
{
        assert_green();
        if (action_load(a, err) < 0 || action_expect(a, EXPECT(TASK_SUSPENDING), err) < 0)
                return -1;
        instance_set_system_meta(a->instance, "old_vm_state", vm_state_name(a->instance->vm_state));
        log_info("suspending: the guest's memory of %lld MB is saved first",
                 (long long)a->instance->memory_mb);
        inflight_step(a->op, "saving the guest's memory");
        if (a->m->driver->ops->suspend(a->m->driver, a->uuid, a->by, err) < 0)
                return suspend_failed(a, "suspending", err);
        if (action_finish(a, VM_SUSPENDED, COL_SYSTEM_METADATA, EXPECT(TASK_SUSPENDING), err) < 0)
                return -1;
        log_info("suspended");
        return 0;
}

/*
 * The host may have been restarted meanwhile. What cannot be done here is libvirt's to judge: it has the
 * guest's definition, which stays as it is.
 */
static void YIELDS plug_again(struct action *a)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};
        struct virt_driver *d = a->m->driver;
        struct error err = {};

        if (guestnics_load(a->m, a->instance, &spec, a->by, &err) == 0 &&
            (spec.n_nics == 0 || d->ops->plug(d, &spec, a->by, &err) == 0))
                return;
        log_warning("%s; starting the guest as it is defined", err.text);
}

/* From its saved memory; a definition that is gone is made again, and the guest boots. */
static int YIELDS resume_guest(struct action *a, struct error *err)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};
        struct virt_driver *d = a->m->driver;

        plug_again(a);
        if (d->ops->start_domain(d, a->uuid, a->by, err) == 0)
                return 0;
        if (err->code != NOVA_INSTANCE_NOT_FOUND)
                return -1;
        log_warning("the suspended guest's definition is gone, starting it afresh");
        *err = (struct error){};
        if (guestspec_load(a, &spec, err) < 0)
                return -1;
        return d->ops->hard_reboot(d, &spec, a->by, err);
}

static int resume_body(struct action *a, struct error *err)
{
        enum vm_state old = VM_ACTIVE;
        const char *text;

        assert_green();
        if (action_load(a, err) < 0 || action_expect(a, EXPECT(TASK_RESUMING), err) < 0)
                return -1;
        inflight_step(a->op, "restoring the guest's memory");
        if (resume_guest(a, err) < 0)
                return suspend_failed(a, "resuming", err);
        text = instance_system_meta(a->instance, "old_vm_state");
        if (text)
                old = vm_state_parse(text);
        if (old == VM_UNKNOWN)
                old = VM_ACTIVE;
        instance_set_system_meta(a->instance, "old_vm_state", NULL);
        if (action_finish(a, old, COL_SYSTEM_METADATA, EXPECT(TASK_RESUMING), err) < 0)
                return -1;
        log_info("resumed");
        return 0;
}

int compute_suspend(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "suspend_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = suspend_body,
        };

        return action_run(m, &kind, c, NULL, err);
}

int compute_resume(struct compute_manager *m, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "resume_instance",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = resume_body,
        };

        return action_run(m, &kind, c, NULL, err);
}
