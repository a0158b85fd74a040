/*
 * agent/compute/guestspec.c: from an instance to what the hypervisor is asked for (nova-contract 7.1, 7.2).
 */
#define LOG_MODULE "compute.guestspec"
#include "compute/compute_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "images/disk_plan.h"
#include "model/primitive.h"

#if defined(__aarch64__)
#define HOST_ARCH       "aarch64"
#define DEFAULT_MACHINE "virt"
#else
#define HOST_ARCH       "x86_64"
#define DEFAULT_MACHINE "pc"
#endif

/* [libvirt] hw_machine_type: "q35", or nova's list "x86_64=q35,aarch64=virt". */
static char *configured_machine(const char *list)
{
        while (*list) {
                size_t len, arch;

                list += strspn(list, ", ");
                len = strcspn(list, ", ");
                arch = strcspn(list, "=, ");
                if (len > 0 && arch == len)
                        return xstrndup(list, len);
                if (arch == strlen(HOST_ARCH) && strncmp(list, HOST_ARCH, arch) == 0)
                        return xstrndup(list + arch + 1, len - arch - 1);
                list += len;
        }
        return NULL;
}

static char *machine_of(const struct compute_manager *m, const struct instance *i)
{
        const char *machine = instance_system_meta(i, "image_hw_machine_type");
        char *configured;

        if (machine && *machine)
                return xstrdup(machine);
        configured = configured_machine(m->conf->libvirt.hw_machine_type);
        return configured ? configured : xstrdup(DEFAULT_MACHINE);
}

static const char *meta_or(const struct instance *i, const char *key, const char *fallback)
{
        const char *value = instance_system_meta(i, key);

        return value && *value ? value : fallback;
}

/* The machine's own keyboard does not exist on arm: nova gives those guests one. */
static const char *default_keyboard_bus(void)
{
#if defined(__aarch64__)
        return "usb";
#else
        return NULL;
#endif
}

int guestspec_fill(struct compute_manager *m, const struct instance *i, struct guest_spec *ret,
                   struct deadline by, struct error *err)
{
        memcpy(ret->uuid, i->uuid, sizeof(ret->uuid));
        ret->name = instance_domain_name(i, m->conf->instance_name_template);
        ret->memory_mb = i->flavor.memory_mb;
        ret->vcpus = i->flavor.vcpus;
        ret->display_name = xstrdup(i->display_name ? i->display_name : ret->name);
        ret->flavor_name = xstrdup(i->flavor.name ? i->flavor.name : "");
        ret->user_id = xstrdup(i->user_id);
        ret->project_id = xstrdup(i->project_id);
        ret->user_name = xstrdup(meta_or(i, "owner_user_name", "N/A"));
        ret->project_name = xstrdup(meta_or(i, "owner_project_name", "N/A"));
        ret->image_ref = xstrdup(i->image_ref && *i->image_ref ? i->image_ref : NULL);
        ret->flavor_disk_gb = i->flavor.root_gb;
        ret->flavor_swap_mb = i->flavor.swap_mb;
        ret->flavor_ephemeral_gb = i->flavor.ephemeral_gb;
        ret->created = clock_wall_s();
        ret->machine = machine_of(m, i);
        ret->os_type = xstrdup(i->os_type);
        ret->keyboard_bus = xstrdup(default_keyboard_bus());
        if (guestprops_apply(i, ret, err) < 0)
                return -1;
        return guestnics_load(m, i, ret, by, err);
}

/* ---- recorded defaults ---- */

bool guestspec_record_machine(const struct compute_manager *m, struct instance *i)
{
        CLEANUP(freep) char *machine = NULL;

        if (instance_system_meta(i, "image_hw_machine_type"))
                return false;
        machine = machine_of(m, i);
        instance_set_system_meta(i, "image_hw_machine_type", machine);
        return true;
}

bool guestspec_record_defaults(const struct compute_manager *m, struct instance *i)
{
        CLEANUP(freep) char *machine = machine_of(m, i);
        const struct {
                const char *key, *value;
        } defaults[] = {
                { "image_hw_machine_type", machine },
                { "image_hw_cdrom_bus", disk_plan_cdrom_bus(machine) },
                { "image_hw_disk_bus", "virtio" },
                { "image_hw_input_bus", "usb" },
                { "image_hw_pointer_model", "usbtablet" },
                { "image_hw_video_model", "virtio" },
                { "image_hw_vif_model", "virtio" },
        };
        bool changed = false;

        for (size_t d = 0; d < ARRAY_SIZE(defaults); d++) {
                CLEANUP(freep) char *value = NULL;

                if (instance_system_meta(i, defaults[d].key))
                        continue;
                value = xstrdup(defaults[d].value); /* may point into the metadata that is about to move */
                instance_set_system_meta(i, defaults[d].key, value);
                changed = true;
        }
        return changed;
}

/* ---- instance_extra.vcpu_model ---- */

char *guestspec_vcpu_model(const struct compute_manager *m, const struct guest_spec *s)
{
        const char *mode = m->conf->libvirt.cpu_mode;
        struct jval *topology = jval_new_object(), *model = jval_new_object(), *o;
        char *text;

        jval_set_int(topology, "sockets", s->cpu_sockets);
        jval_set_int(topology, "cores", s->cpu_cores);
        jval_set_int(topology, "threads", s->cpu_threads);
        jval_set(model, "arch", jval_new_null());
        jval_set(model, "vendor", jval_new_null());
        jval_set(model, "topology", nova_object("VirtCPUTopology", "1.0", topology));
        jval_set(model, "features", jval_new_array());
        if (!*mode)
                mode = "host-model";
        jval_set(model, "mode", strcmp(mode, "none") == 0 ? jval_new_null() : jval_new_text(mode));
        jval_set(model, "model", jval_new_null());
        jval_set_text(model, "match", "exact");
        o = nova_object("VirtCPUModel", "1.0", model);
        text = jval_print(o, NULL);
        jval_unref(o);
        return text;
}

/* ---- disks ---- */

bool guestspec_wants_config_drive(const struct compute_manager *m, const struct instance *i)
{
        const char *image = instance_system_meta(i, "image_img_config_drive");

        return m->conf->force_config_drive || guestprops_true(i->config_drive) ||
               (image && strcmp(image, "mandatory") == 0);
}

int guestspec_load(struct action *a, struct guest_spec *ret, struct error *err)
{
        CLEANUP(block_devices_free) struct block_devices devices = {};
        const struct image_caller caller = action_image_caller(a);
        const struct disks_request req = { .instance = a->instance,
                                           .devices = &devices,
                                           .caller = &caller,
                                           .config_drive = guestspec_wants_config_drive(a->m, a->instance) };

        if (guestspec_fill(a->m, a->instance, ret, a->by, err) < 0)
                return error_while(err, "the guest cannot be defined anew and was left as it is");
        if (store_block_devices(a->m->store, a->uuid, &devices, a->by, err) < 0 ||
            disks_load(a->m->disks, &req, ret, a->by, err) < 0)
                return error_while(err, "the guest cannot be defined anew and was left as it is");
        return 0;
}
