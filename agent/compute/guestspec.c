/*
 * agent/compute/guestspec.c: from an instance to what the hypervisor is asked for (nova-contract 7.1, 7.2).
 */
#define LOG_MODULE "compute.guestspec"
#include "compute/compute_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "json/json.h"

#if defined(__aarch64__)
#define DEFAULT_MACHINE "virt"
#else
#define DEFAULT_MACHINE "pc"
#endif

static const char *machine_of(const struct compute_manager *m, const struct instance *i)
{
        const char *machine = instance_system_meta(i, "image_hw_machine_type");

        if (machine && *machine)
                return machine;
        return *m->conf->libvirt.hw_machine_type ? m->conf->libvirt.hw_machine_type : DEFAULT_MACHINE;
}

static const char *meta_or(const struct instance *i, const char *key, const char *fallback)
{
        const char *value = instance_system_meta(i, key);

        return value && *value ? value : fallback;
}

void guestspec_fill(const struct compute_manager *m, const struct instance *i,
                    const struct request_context *ctx, struct guest_spec *ret)
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
        ret->machine = xstrdup(machine_of(m, i));
        ret->video_model = xstrdup(instance_system_meta(i, "image_hw_video_model"));
        ret->os_type = xstrdup(i->os_type);
}

/* ---- recorded defaults ---- */

static bool is_q35(const char *machine)
{
        return strcmp(machine, "q35") == 0 || strncmp(machine, "pc-q35", 6) == 0;
}

static const char *default_cdrom_bus(const char *machine)
{
#if defined(__aarch64__)
        return "scsi";
#else
        return is_q35(machine) ? "sata" : "ide";
#endif
}

bool guestspec_record_defaults(const struct compute_manager *m, struct instance *i)
{
        const char *machine = machine_of(m, i);
        const struct {
                const char *key, *value;
        } defaults[] = {
                { "image_hw_machine_type", machine },
                { "image_hw_cdrom_bus", default_cdrom_bus(machine) },
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

static struct jval *nova_object(const char *name, struct jval *data)
{
        struct jval *o = jval_new_object();

        jval_set_text(o, "nova_object.name", name);
        jval_set_text(o, "nova_object.namespace", "nova");
        jval_set_text(o, "nova_object.version", "1.0");
        jval_set(o, "nova_object.data", data);
        return o;
}

char *guestspec_vcpu_model(const struct compute_manager *m, const struct instance *i)
{
        const char *mode = m->conf->libvirt.cpu_mode;
        struct jval *topology = jval_new_object(), *model = jval_new_object(), *o;
        char *text;

        jval_set_int(topology, "sockets", i->flavor.vcpus);
        jval_set_int(topology, "cores", 1);
        jval_set_int(topology, "threads", 1);
        jval_set(model, "arch", jval_new_null());
        jval_set(model, "vendor", jval_new_null());
        jval_set(model, "topology", nova_object("VirtCPUTopology", topology));
        jval_set(model, "features", jval_new_array());
        if (!*mode)
                mode = "host-model";
        jval_set(model, "mode", strcmp(mode, "none") == 0 ? jval_new_null() : jval_new_text(mode));
        jval_set(model, "model", jval_new_null());
        jval_set_text(model, "match", "exact");
        o = nova_object("VirtCPUModel", model);
        text = jval_print(o, NULL);
        jval_unref(o);
        return text;
}

/* ---- disks ---- */

/* oslo's bool_from_string: the column holds what a user once typed. */
static bool text_is_true(const char *s)
{
        static const char *const words[] = { "1", "t", "true", "on", "y", "yes" };

        for (size_t w = 0; s && w < ARRAY_SIZE(words); w++)
                if (strcasecmp(s, words[w]) == 0)
                        return true;
        return false;
}

bool guestspec_wants_config_drive(const struct compute_manager *m, const struct instance *i)
{
        const char *image = instance_system_meta(i, "image_img_config_drive");

        return m->conf->force_config_drive || text_is_true(i->config_drive) ||
               (image && strcmp(image, "mandatory") == 0);
}

/* "/dev/vda", "vda": one to four letters after the prefix; anything else is not trusted. */
static bool good_disk_name(const char *name, const char *prefix)
{
        size_t n = strlen(prefix);

        if (strncmp(name, "/dev/", 5) == 0)
                name += 5;
        if (strncmp(name, prefix, n) != 0 || !name[n] || strlen(name + n) > 2)
                return false;
        for (name += n; *name; name++)
                if (!islower((unsigned char)*name))
                        return false;
        return true;
}

int guestspec_root_disk(const struct instance *i, const char *asked, char name[16], const char **ret_bus,
                        struct error *err)
{
        static const struct {
                const char *bus, *prefix;
        } buses[] = {
                { "virtio", "vd" }, { "ide", "hd" }, { "scsi", "sd" }, { "sata", "sd" }, { "usb", "sd" }
        };
        const char *bus = meta_or(i, "image_hw_disk_bus", "virtio");

        for (size_t b = 0; b < ARRAY_SIZE(buses); b++) {
                if (strcmp(bus, buses[b].bus) != 0)
                        continue;
                *ret_bus = buses[b].bus;
                if (asked && good_disk_name(asked, buses[b].prefix))
                        snprintf(name, 16, "/dev/%s", asked + (strncmp(asked, "/dev/", 5) == 0 ? 5 : 0));
                else
                        snprintf(name, 16, "/dev/%sa", buses[b].prefix);
                return 0;
        }
        return error_set(err, NOVA_INVALID_INPUT, "disk bus %.32s of the image is not supported", bus);
}

int guestspec_load(struct action *a, struct guest_spec *ret, struct error *err)
{
        const struct image_caller caller = action_image_caller(a);
        const struct disks_request req = { .instance = a->instance,
                                           .caller = &caller,
                                           .config_drive = guestspec_wants_config_drive(a->m, a->instance) };

        if (disks_load(a->m->disks, &req, ret, a->by, err) < 0)
                return -1;
        guestspec_fill(a->m, a->instance, a->ctx, ret);
        return 0;
}
