/* agent/virt/driver.c: what belongs to no hypervisor: freeing and copying the plain structs, names of events.
 */
#include "virt/driver.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

/* The texts of a spec itself, so that freeing and copying cannot forget different ones. */
static const size_t spec_texts[] = {
#define TEXT(member) offsetof(struct guest_spec, member)
        TEXT(name),        TEXT(console_log),  TEXT(display_name), TEXT(flavor_name),
        TEXT(user_id),     TEXT(user_name),    TEXT(project_id),   TEXT(project_name),
        TEXT(image_ref),   TEXT(machine),      TEXT(video_model),  TEXT(os_type),
        TEXT(pointer_bus), TEXT(keyboard_bus), TEXT(scsi_model),   TEXT(watchdog_action),
        TEXT(pmu),
#undef TEXT
};

static char **text_at(struct guest_spec *s, size_t n)
{
        return (char **)((char *)s + spec_texts[n]);
}

static void free_disk(struct guest_disk *d)
{
        free(d->path);
        free(d->format);
        free(d->cache);
        free(d->target);
        free(d->bus);
        free(d->discard);
}

static void free_nic(struct guest_nic *n)
{
        free(n->port_id);
        free(n->mac);
        free(n->model);
        free(n->source);
        free(n->target);
        free(n->mode);
        free(n->interface_id);
        for (unsigned i = 0; i < n->n_ips; i++) {
                free(n->ips[i].type);
                free(n->ips[i].address);
        }
        free(n->ips);
}

void guest_spec_forget_disks(struct guest_spec *s)
{
        for (unsigned i = 0; i < s->n_disks; i++)
                free_disk(&s->disks[i]);
        free(s->disks);
        s->disks = NULL;
        s->n_disks = 0;
        replace_str(&s->console_log, NULL);
}

void guest_spec_free(struct guest_spec *s)
{
        if (!s)
                return;
        guest_spec_forget_disks(s);
        for (unsigned i = 0; i < s->n_nics; i++)
                free_nic(&s->nics[i]);
        free(s->nics);
        for (size_t n = 0; n < ARRAY_SIZE(spec_texts); n++)
                free(*text_at(s, n));
        *s = (struct guest_spec){};
}

static void copy_disk(struct guest_disk *to, const struct guest_disk *from)
{
        *to = *from;
        to->path = xstrdup(from->path);
        to->format = xstrdup(from->format);
        to->cache = xstrdup(from->cache);
        to->target = xstrdup(from->target);
        to->bus = xstrdup(from->bus);
        to->discard = xstrdup(from->discard);
}

static void copy_nic(struct guest_nic *to, const struct guest_nic *from)
{
        *to = *from;
        to->port_id = xstrdup(from->port_id);
        to->mac = xstrdup(from->mac);
        to->model = xstrdup(from->model);
        to->source = xstrdup(from->source);
        to->target = xstrdup(from->target);
        to->mode = xstrdup(from->mode);
        to->interface_id = xstrdup(from->interface_id);
        to->ips = xcalloc(from->n_ips + 1, sizeof(*to->ips));
        for (unsigned i = 0; i < from->n_ips; i++)
                to->ips[i] = (struct guest_ip){ xstrdup(from->ips[i].type), xstrdup(from->ips[i].address),
                                                from->ips[i].version };
}

void guest_spec_copy(struct guest_spec *to, const struct guest_spec *from)
{
        guest_spec_free(to);
        *to = *from;
        for (size_t n = 0; n < ARRAY_SIZE(spec_texts); n++)
                *text_at(to, n) = xstrdup(*text_at(to, n));
        to->disks = xcalloc(from->n_disks + 1, sizeof(*to->disks));
        for (unsigned i = 0; i < from->n_disks; i++)
                copy_disk(&to->disks[i], &from->disks[i]);
        to->nics = xcalloc(from->n_nics + 1, sizeof(*to->nics));
        for (unsigned i = 0; i < from->n_nics; i++)
                copy_nic(&to->nics[i], &from->nics[i]);
}

void guest_list_free(struct guest_list *l)
{
        if (!l)
                return;
        free(l->items);
        *l = (struct guest_list){};
}

void host_info_free(struct host_info *h)
{
        if (!h)
                return;
        free(h->cpu_info);
        free(h->supported_instances);
        free(h->cpu_features);
        free(h->plain_cpu_features);
        free(h->disk_buses);
        free(h->video_models);
        *h = (struct host_info){};
}

void guest_usage_free(struct guest_usage *u)
{
        if (!u)
                return;
        for (unsigned i = 0; i < u->n_disks; i++)
                free(u->disks[i].target);
        for (unsigned i = 0; i < u->n_nics; i++) {
                free(u->nics[i].mac);
                free(u->nics[i].target);
        }
        free(u->cpus);
        free(u->disks);
        free(u->nics);
        *u = (struct guest_usage){};
}

const char *virt_event_name(enum virt_event_kind k)
{
        static const char *const names[] = {
                [VIRT_EVENT_STARTED] = "started",     [VIRT_EVENT_STOPPED] = "stopped",
                [VIRT_EVENT_PAUSED] = "paused",       [VIRT_EVENT_RESUMED] = "resumed",
                [VIRT_EVENT_SUSPENDED] = "suspended", [VIRT_EVENT_RESYNC] = "resync",
                [VIRT_EVENT_CONNECTED] = "connected", [VIRT_EVENT_DISCONNECTED] = "disconnected",
        };

        return (unsigned)k < ARRAY_SIZE(names) ? names[k] : "unknown";
}
