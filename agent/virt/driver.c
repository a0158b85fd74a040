/* agent/virt/driver.c: what belongs to no hypervisor: freeing the plain structs, names of events. */
#include "virt/driver.h"

#include "base/list.h"
#include "base/mem.h"

void guest_spec_free(struct guest_spec *s)
{
        if (!s)
                return;
        for (unsigned i = 0; i < s->n_disks; i++) {
                free(s->disks[i].path);
                free(s->disks[i].format);
                free(s->disks[i].cache);
                free(s->disks[i].target);
                free(s->disks[i].bus);
        }
        free(s->disks);
        free(s->name);
        free(s->console_log);
        free(s->display_name);
        free(s->flavor_name);
        free(s->user_id);
        free(s->user_name);
        free(s->project_id);
        free(s->project_name);
        free(s->image_ref);
        free(s->machine);
        free(s->video_model);
        free(s->os_type);
        *s = (struct guest_spec){};
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
        *h = (struct host_info){};
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
