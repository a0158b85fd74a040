/* agent/virt/fake_hooks.c: what tests do to the hypervisor in memory. */
#include "virt/fake_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct plan *HUB_ONLY plan(struct virt_driver *d, const char *op, enum plan_kind kind)
{
        struct plan *p = NEW(struct plan);

        p->op = fake_op_name(fake_op_index(op));
        p->kind = kind;
        list_append(&fake_of(d)->plans, &p->link);
        return p;
}

void virt_fake_fail_next(struct virt_driver *d, const char *op, int code, const char *text)
{
        struct plan *p = plan(d, op, PLAN_FAIL);

        p->code = code;
        snprintf(p->text, sizeof(p->text), "%s", text);
}

void virt_fake_hang_next(struct virt_driver *d, const char *op)
{
        plan(d, op, PLAN_HANG);
}

void virt_fake_slow_next(struct virt_driver *d, const char *op, double seconds)
{
        plan(d, op, PLAN_SLOW)->seconds = seconds;
}

unsigned virt_fake_calls(const struct virt_driver *d, const char *op)
{
        return fake_of(d)->calls[fake_op_index(op)];
}

bool virt_fake_guest_stops(struct virt_driver *d, const char *uuid)
{
        struct fake_guest *g = fake_find(fake_of(d), uuid);

        if (g)
                fake_go_off(fake_of(d), g, POWER_SHUTDOWN);
        return g != NULL;
}

bool virt_fake_guest_crashes(struct virt_driver *d, const char *uuid)
{
        struct fake_guest *g = fake_find(fake_of(d), uuid);

        if (g)
                fake_go_off(fake_of(d), g, POWER_CRASHED);
        return g != NULL;
}

bool virt_fake_guest_starts(struct virt_driver *d, const char *uuid)
{
        struct fake_guest *g = fake_find(fake_of(d), uuid);

        if (g)
                fake_go_on(fake_of(d), g);
        return g != NULL;
}

bool virt_fake_set_state(struct virt_driver *d, const char *uuid, enum power_state state)
{
        struct fake_guest *g = fake_find(fake_of(d), uuid);
        bool active = state == POWER_RUNNING || state == POWER_PAUSED || state == POWER_SUSPENDED;

        if (!g)
                return false;
        g->info.power_state = state;
        if (!active)
                g->info.id = -1;
        else if (g->info.id < 0)
                g->info.id = ++fake_of(d)->next_id;
        return true;
}

void virt_fake_add_guest(struct virt_driver *d, const char *uuid, const char *name, enum power_state state)
{
        fake_add(fake_of(d), uuid, name);
        virt_fake_set_state(d, uuid, state);
}

bool virt_fake_ignore_acpi(struct virt_driver *d, const char *uuid, bool ignore)
{
        struct fake_guest *g = fake_find(fake_of(d), uuid);

        if (g)
                g->ignores_acpi = ignore;
        return g != NULL;
}

bool virt_fake_without_display(struct virt_driver *d, const char *uuid)
{
        struct fake_guest *g = fake_find(fake_of(d), uuid);

        if (g)
                g->no_display = true;
        return g != NULL;
}

void virt_fake_emit(struct virt_driver *d, const char *uuid, enum virt_event_kind kind)
{
        fake_send_event(fake_of(d), uuid, kind);
}

void virt_fake_set_connected(struct virt_driver *d, bool connected)
{
        struct fake *f = fake_of(d);

        if (f->connected == connected)
                return;
        f->connected = connected;
        if (connected) {
                f->n_reconnects++;
                fake_send_event(f, "", VIRT_EVENT_CONNECTED);
                fake_send_event(f, "", VIRT_EVENT_RESYNC);
        } else {
                fake_send_event(f, "", VIRT_EVENT_DISCONNECTED);
        }
}

int virt_fake_drain(struct virt_driver *d, struct deadline by, struct error *err)
{
        struct fake *f = fake_of(d);

        while (!list_empty(&f->events) || f->delivering)
                if (green_cond_wait(&f->changed, by, err) < 0)
                        return -1;
        return 0;
}

void virt_fake_set_versions(struct virt_driver *d, int64_t libvirt, int64_t qemu)
{
        struct fake *f = fake_of(d);

        f->libvirt_version = libvirt;
        f->qemu_version = qemu;
}

void virt_fake_lack(struct virt_driver *d, const char *virt_type)
{
        fake_of(d)->lacks = virt_type;
}

void virt_fake_set_host(struct virt_driver *d, const char *hostname, int64_t vcpus, int64_t memory_mb)
{
        struct fake *f = fake_of(d);

        snprintf(f->hostname, sizeof(f->hostname), "%s", hostname);
        f->vcpus = vcpus;
        f->memory_mb = memory_mb;
}

const struct guest_spec *virt_fake_spec(struct virt_driver *d, const char *uuid)
{
        struct fake_guest *g = fake_find(fake_of(d), uuid);

        return g && g->spec.name ? &g->spec : NULL;
}
