/*
 * agent/compute/external_events.c: what neutron, cinder and others tell of an instance by way of nova-api
 * (external_instance_event, nova-contract 3.4).
 *
 * Nobody waits for events here: guests are started without waiting for their ports, and nothing is attached
 * or rebuilt. So most of them are only said in the log. Two are actions of the instance, with an event row.
 */
#define LOG_MODULE "compute.external_events"
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "compute/compute_priv.h"

static const char *tag_of(const struct external_event *ev)
{
        return ev->tag && *ev->tag ? ev->tag : "(none)";
}

/* ---- volume-extended ---- */

static bool has_volume(const struct block_devices *disks)
{
        for (unsigned n = 0; n < disks->n; n++)
                if (disks->items[n].destination_type &&
                    strcmp(disks->items[n].destination_type, "volume") == 0)
                        return true;
        return false;
}

static int extend_volume_body(struct action *a, struct error *err)
{
        const struct external_event *ev = a->arg;
        struct block_devices disks = {};
        bool volume;

        assert_green();
        if (action_load(a, err) < 0 || store_block_devices(a->m->store, a->uuid, &disks, a->by, err) < 0)
                return -1;
        volume = has_volume(&disks);
        block_devices_free(&disks);
        if (volume)
                return error_set(err, NOVA_NOT_IMPLEMENTED, "this agent does not extend volumes");
        log_warning("volume %.64s was extended, but it is not attached to the instance; nothing is done",
                    tag_of(ev));
        return 0;
}

static int YIELDS volume_extended(struct compute_manager *m, const struct compute_call *c,
                                  const struct external_event *ev, struct error *err)
{
        static const struct action_kind kind = {
                .method = "extend_volume",
                .wraps = WRAP_EVENT | WRAP_FAULT,
                .body = extend_volume_body,
        };

        return action_run(m, &kind, c, (void *)ev, err);
}

/* ---- power-update ---- */

/* Of a guest whose state is not what the event wants nothing is to be done, and one at work is left alone. */
static bool wants_a_change(const struct instance *i, const struct external_event *ev)
{
        if (i->task_state != TASK_NONE || !ev->tag)
                return false;
        if (strcmp(ev->tag, "POWER_ON") == 0)
                return i->vm_state == VM_STOPPED && i->power_state == POWER_SHUTDOWN;
        return strcmp(ev->tag, "POWER_OFF") == 0 && i->vm_state == VM_ACTIVE &&
               i->power_state == POWER_RUNNING;
}

static int power_update_body(struct action *a, struct error *err)
{
        const struct external_event *ev = a->arg;
        const char *task;

        assert_green();
        if (action_load(a, err) < 0)
                return -1;
        if (wants_a_change(a->instance, ev)) /* for bare metal: libvirt tells of its guests itself */
                return error_set(err, NOVA_NOT_IMPLEMENTED, "power-update is not for guests of libvirt");
        task = task_state_name(a->instance->task_state);
        log_info("power-update %.32s asks for nothing: the instance is %s (%s), its task is %s", tag_of(ev),
                 vm_state_name(a->instance->vm_state), power_state_name(a->instance->power_state),
                 task ? task : "None");
        return 0;
}

static int YIELDS power_update(struct compute_manager *m, const struct compute_call *c,
                               const struct external_event *ev, struct error *err)
{
        static const struct action_kind kind = {
                .method = "power_update",
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .locked = true,
                .body = power_update_body,
        };

        return action_run(m, &kind, c, (void *)ev, err);
}

/* ---- the others ---- */

static int YIELDS network_event(struct compute_manager *m, const struct compute_call *c,
                                const struct external_event *ev, struct error *err)
{
        log_info("%s, port %.64s: this agent does not drive neutron, what it knows of the instance's network "
                 "stays as it is",
                 ev->name, tag_of(ev));
        return 0;
}

static int YIELDS nobody_waits(struct compute_manager *m, const struct compute_call *c,
                               const struct external_event *ev, struct error *err)
{
        log_info("nobody waits for %.64s of %.64s (%.32s)", ev->name, tag_of(ev),
                 ev->status ? ev->status : "no status");
        return 0;
}

int compute_external_event(struct compute_manager *m, const struct compute_call *c,
                           const struct external_event *ev, struct error *err)
{
        compute_set_log_context(c->ctx, c->uuid);
        if (strcmp(ev->name, "volume-extended") == 0)
                return volume_extended(m, c, ev, err);
        if (strcmp(ev->name, "power-update") == 0)
                return power_update(m, c, ev, err);
        if (strcmp(ev->name, "network-changed") == 0 || strcmp(ev->name, "network-vif-deleted") == 0)
                return network_event(m, c, ev, err);
        return nobody_waits(m, c, ev, err);
}
