/*
 * agent/compute/spawn.c: steps 8 to 12 of a build: networking, disk names, block devices, spawning
 * (nova-contract 3.4, 7.1.2). Networks and volumes come with their services: their states are passed through.
 */
#define LOG_MODULE "compute.spawn"
#include "compute/build_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "images/disk_plan.h"

/*
 * Networks are neutron's, whom this agent does not ask for any. A guest that is to have some only comes up
 * with those that another compute service got for it before.
 */
static int YIELDS check_networks(struct action *a, const struct compute_build *b, struct error *err)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};

        if (!b->wants_networks)
                return 0;
        if (guestnics_load(a->m, a->instance, &spec, a->by, err) < 0)
                return -1;
        if (spec.n_nics > 0)
                return 0;
        return error_set(
                err, NOVA_INVALID_INPUT,
                "the instance asks for networks, and this agent does not drive neutron: only servers "
                "created with networks \"none\" can be built here");
}

/* Step 8. A lost compare-and-set means that somebody else drives this instance: no other host may try. */
static int YIELDS networking(struct action *a, struct error *err)
{
        struct instance *i = a->instance;
        const char *allocated = instance_system_meta(i, "network_allocated");

        if (allocated && strcmp(allocated, "True") == 0)
                return 0;
        i->vm_state = VM_BUILDING;
        i->task_state = TASK_NETWORKING;
        if (action_save(a, COL_VM_STATE | COL_TASK_STATE, EXPECT(TASK_NONE), err) == 0)
                return 0;
        if (err->code == NOVA_UNEXPECTED_TASK_STATE)
                err->code = NOVA_BUILD_ABORT;
        return -1;
}

static int check_block_devices(const struct compute_manager *m, const struct block_devices *devices,
                               struct error *err)
{
        int64_t most = m->conf->compute.max_disk_devices_to_attach;

        if (devices->n == 0)
                return error_set(err, NOVA_INVALID_BDM, "there is no root disk made from an image");
        if (most > 0 && devices->n > (uint64_t)most)
                return error_set(err, NOVA_TOO_MANY_DISK_DEVICES,
                                 "%u disks are asked for, max_disk_devices_to_attach is %lld", devices->n,
                                 (long long)most);
        return 0;
}

/* What users called their disks is only heard for the root disk. */
static void forget_names(struct block_devices *devices)
{
        for (unsigned d = 0; d < devices->n; d++)
                if (devices->items[d].boot_index != 0)
                        replace_str(&devices->items[d].device_name, NULL);
}

static int YIELDS name_device(struct action *a, const struct planned_disk *d, struct error *err)
{
        CLEANUP(freep) char *name = xasprintf("/dev/%s", d->target);
        struct instance *i = a->instance;

        if (d->role == DISK_ROOT)
                replace_str(&i->root_device_name, name);
        else if (d->role == DISK_EPHEMERAL && !d->row)
                replace_str(&i->default_ephemeral_device, name);
        else if (d->role == DISK_SWAP)
                replace_str(&i->default_swap_device, name);
        if (!d->row)
                return 0;
        replace_str(&d->row->device_name, name);
        replace_str(&d->row->disk_bus, d->bus);
        if (!d->row->device_type && d->role != DISK_SWAP)
                d->row->device_type = xstrdup("disk");
        if (store_block_device_save(a->m->store, d->row, a->by, err) < 0)
                return error_while(err, "naming %s", d->file);
        return 0;
}

/* Step 9. */
static int YIELDS name_devices(struct action *a, struct block_devices *devices, struct error *err)
{
        struct disk_plan plan;

        if (store_block_devices(a->m->store, a->uuid, devices, a->by, err) < 0)
                return error_while(err, "reading block devices");
        if (check_block_devices(a->m, devices, err) < 0)
                return -1;
        forget_names(devices);
        if (disk_plan_make(a->instance, devices, guestspec_wants_config_drive(a->m, a->instance), &plan,
                           err) < 0)
                return -1;
        for (unsigned d = 0; d < plan.n; d++)
                if (name_device(a, &plan.disks[d], err) < 0)
                        return -1;
        return 0;
}

/* Steps 10 and 11. */
static int YIELDS block_devices_then_spawning(struct action *a, struct error *err)
{
        struct instance *i = a->instance;
        unsigned named = COL_ROOT_DEVICE_NAME;

        if (i->default_ephemeral_device)
                named |= COL_EPHEMERAL_DEVICE;
        if (i->default_swap_device)
                named |= COL_SWAP_DEVICE;
        i->vm_state = VM_BUILDING;
        i->task_state = TASK_BLOCK_DEVICE_MAPPING;
        if (action_save(a, COL_VM_STATE | COL_TASK_STATE | named, EXPECT_ANY, err) < 0)
                return -1;
        i->task_state = TASK_SPAWNING;
        return action_save(a, COL_VM_STATE | COL_TASK_STATE, EXPECT(TASK_BLOCK_DEVICE_MAPPING), err);
}

static int YIELDS find_image(struct action *a, const struct image_caller *caller, struct image_info *ret,
                             struct error *err)
{
        const struct instance *i = a->instance;
        struct image_source *images = a->m->images;

        if (!i->image_ref || !*i->image_ref)
                return error_set(err, NOVA_INVALID_BDM, "the instance names no image to boot from");
        if (images->ops->get(images, i->image_ref, caller, ret, a->by, err) < 0)
                return -1;
        if (ret->min_ram_mb > i->flavor.memory_mb)
                return error_set(err, NOVA_FLAVOR_MEMORY_TOO_SMALL,
                                 "the image needs %lld MiB of memory, the flavor has %lld",
                                 (long long)ret->min_ram_mb, (long long)i->flavor.memory_mb);
        return 0;
}

/* Defaults in use and the CPU become part of the rows (7.2). */
static int YIELDS record_spawned(struct action *a, const struct guest_spec *spec, bool changed,
                                 struct error *err)
{
        CLEANUP(freep) char *cpu = guestspec_vcpu_model(a->m, spec);

        if (store_instance_extra_save(a->m->store, a->uuid, cpu, a->by, err) < 0)
                return error_while(err, "recording the CPU model");
        changed |= guestspec_record_defaults(a->m, a->instance);
        if (!changed)
                return 0;
        return action_save(a, COL_SYSTEM_METADATA, EXPECT_ANY, err);
}

/* Step 12. */
static int YIELDS spawn(struct action *a, const struct block_devices *devices, bool has_news,
                        struct compute_build *b, struct error *err)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};
        CLEANUP(image_info_free) struct image_info image = {};
        const struct image_caller caller = action_image_caller(a);
        struct compute_manager *m = a->m;
        struct disks_request req = {
                .instance = a->instance,
                .devices = devices,
                .image = &image,
                .caller = &caller,
                .config_drive = guestspec_wants_config_drive(m, a->instance),
                .admin_password = b->admin_password,
                .files = b->files,
                .n_files = b->n_files,
        };

        if (b->n_files > 0 && !req.config_drive) /* nova drops them too */
                log_warning("%u injected files are ignored: there is no config drive to put them on",
                            b->n_files);
        if (guestspec_fill(m, a->instance, &spec, a->by, err) < 0)
                return -1;
        inflight_step(a->op, "asking for the image");
        if (find_image(a, &caller, &image, err) < 0)
                return -1;
        inflight_step(a->op, "creating disks");
        if (disks_create(m->disks, &req, &spec, a->by, err) < 0)
                return error_while(err, "creating disks");
        inflight_step(a->op, "starting the guest");
        if (m->driver->ops->spawn(m->driver, &spec, a->by, err) < 0) {
                /* The domain is missing, not the instance: the row must not be left alone for it. */
                if (err->code == NOVA_INSTANCE_NOT_FOUND)
                        err->code = NOVA_LIBVIRT_ERROR;
                return error_while(err, "starting the guest");
        }
        return record_spawned(a, &spec, has_news, err);
}

static int YIELDS name_then_spawn(struct action *a, bool has_news, struct compute_build *b, struct error *err)
{
        CLEANUP(block_devices_free) struct block_devices devices = {};

        if (name_devices(a, &devices, err) < 0 || block_devices_then_spawning(a, err) < 0)
                return -1;
        return spawn(a, &devices, has_news, b, err);
}

int build_guest(struct action *a, struct compute_build *b, struct error *err)
{
        bool has_news; /* for the row's system_metadata */

        inflight_step(a->op, "networking");
        if (check_networks(a, b, err) < 0 || networking(a, err) < 0)
                return -1;
        inflight_step(a->op, "naming block devices");
        has_news = guestspec_record_machine(a->m, a->instance);
        if (name_then_spawn(a, has_news, b, err) == 0)
                return 0;
        if (has_news) /* the next host that tries has a default of its own */
                instance_set_system_meta(a->instance, "image_hw_machine_type", NULL);
        return -1;
}
