/* agent/images/disk_plan.c: see the header. */
#include "images/disk_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"

struct bus {
        const char *name, *prefix;
        unsigned most; /* disks */
};

static const struct bus buses[] = {
        { "virtio", "vd", 26 }, { "scsi", "sd", 26 }, { "sata", "sd", 26 },
        { "usb", "sd", 26 },    { "ide", "hd", 4 },
};

static bool is(const char *a, const char *b)
{
        return a && strcmp(a, b) == 0;
}

static const struct bus *find_bus(const char *name, struct error *err)
{
        for (size_t i = 0; i < ARRAY_SIZE(buses); i++)
                if (strcmp(buses[i].name, name) == 0)
                        return &buses[i];
        error_set(err, NOVA_INVALID_INPUT, "disk bus \"%.32s\" is not supported", name);
        return NULL;
}

static const char *disk_bus(const struct instance *i)
{
        const char *bus = instance_system_meta(i, "image_hw_disk_bus");

        return bus && *bus ? bus : "virtio";
}

const char *disk_plan_cdrom_bus(const char *machine)
{
        if (machine && (strcmp(machine, "q35") == 0 || strncmp(machine, "pc-q35", 6) == 0))
                return "sata";
#if !defined(__aarch64__)
        if (!machine || strncmp(machine, "virt", 4) != 0)
                return "ide";
#endif
        return "scsi";
}

static const char *cdrom_bus(const struct instance *i)
{
        const char *bus = instance_system_meta(i, "image_hw_cdrom_bus");

        return bus && *bus ? bus : disk_plan_cdrom_bus(instance_system_meta(i, "image_hw_machine_type"));
}

/* ---- names ---- */

static const char *without_dev(const char *name)
{
        return name && strncmp(name, "/dev/", 5) == 0 ? name + 5 : name;
}

/* "vdc" or "/dev/vdc" on virtio. What else a row says is not trusted. */
static bool fits(const char *name, const struct bus *bus)
{
        name = without_dev(name);
        return name && strlen(name) == 3 && strncmp(name, bus->prefix, 2) == 0 && name[2] >= 'a' &&
               name[2] < (char)('a' + bus->most);
}

static bool is_taken(const struct disk_plan *p, const struct block_devices *devices, const char *name)
{
        for (unsigned k = 0; k < p->n; k++)
                if (strcmp(p->disks[k].target, name) == 0)
                        return true;
        for (unsigned k = 0; devices && k < devices->n; k++)
                if (is(without_dev(devices->items[k].device_name), name))
                        return true;
        return false;
}

static int give_name(const struct disk_plan *p, const struct block_devices *devices, const struct bus *bus,
                     const char *wanted, char ret[8], struct error *err)
{
        if (fits(wanted, bus)) {
                snprintf(ret, 8, "%s", without_dev(wanted));
                return 0;
        }
        for (unsigned k = 0; k < bus->most; k++) {
                snprintf(ret, 8, "%s%c", bus->prefix, (char)('a' + k));
                if (!is_taken(p, devices, ret))
                        return 0;
        }
        return error_set(err, NOVA_TOO_MANY_DISK_DEVICES, "no free device name on bus %s", bus->name);
}

/* d: role, file, size; what it is called and where it hangs comes from its row, or is the usual. */
static int add(struct disk_plan *p, const struct block_devices *devices, struct planned_disk d,
               const char *usual_bus, const char *wanted, struct error *err)
{
        const struct bus *bus = find_bus(d.row && d.row->disk_bus ? d.row->disk_bus : usual_bus, err);

        if (!bus)
                return -1;
        if (p->n == PLANNED_DISKS_MAX)
                return error_set(err, NOVA_TOO_MANY_DISK_DEVICES, "more than %d disks", PLANNED_DISKS_MAX);
        if (d.row && d.row->device_type && !is(d.row->device_type, "disk"))
                return error_set(err, NOVA_INVALID_BDM, "block devices of type %.32s are not supported",
                                 d.row->device_type);
        if (d.row && d.row->device_name && *d.row->device_name)
                wanted = d.row->device_name;
        d.bus = bus->name;
        if (give_name(p, devices, bus, wanted, d.target, err) < 0)
                return -1;
        p->disks[p->n++] = d;
        return 0;
}

/* ---- kinds of rows ---- */

static bool is_blank(const struct block_device *b)
{
        return is(b->source_type, "blank") && is(b->destination_type, "local");
}

static bool is_swap(const struct block_device *b)
{
        return is_blank(b) && is(b->guest_format, "swap");
}

static bool is_ephemeral(const struct block_device *b)
{
        return is_blank(b) && !is(b->guest_format, "swap");
}

static int find_root(const struct block_devices *devices, struct block_device **ret, struct error *err)
{
        *ret = NULL;
        for (unsigned k = 0; devices && k < devices->n; k++) {
                struct block_device *b = &devices->items[k];

                if (b->destination_type && strcmp(b->destination_type, "local") != 0)
                        return error_set(err, NOVA_INVALID_BDM,
                                         "block device %u (%.32s) is a %.32s, which this agent cannot attach",
                                         k, b->device_name ? b->device_name : "not named yet",
                                         b->destination_type);
                if (b->boot_index == 0 && is(b->source_type, "image"))
                        *ret = b;
        }
        if (devices && devices->n && !*ret)
                return error_set(err, NOVA_INVALID_BDM, "there is no root disk made from an image");
        return 0;
}

/* ---- the plan ---- */

static int add_ephemeral(const struct instance *i, const struct block_devices *devices, struct disk_plan *p,
                         struct error *err)
{
        unsigned found = 0;

        for (unsigned k = 0; devices && k < devices->n; k++) {
                struct block_device *b = &devices->items[k];
                struct planned_disk d = { .role = DISK_EPHEMERAL, .row = b };

                if (!is_ephemeral(b))
                        continue;
                snprintf(d.file, sizeof(d.file), "disk.eph%u", found++);
                if (b->volume_size < 1 || b->volume_size > INT32_MAX)
                        return error_set(err, NOVA_INVALID_BDM, "an ephemeral disk of %" PRId64 " GiB",
                                         b->volume_size);
                d.size_mb = b->volume_size * 1024;
                d.file_system = b->guest_format && *b->guest_format ? b->guest_format : NULL;
                if (add(p, devices, d, disk_bus(i), NULL, err) < 0)
                        return -1;
        }
        if (found == 0 && i->flavor.ephemeral_gb > 0) {
                struct planned_disk d = { .role = DISK_EPHEMERAL,
                                          .file = "disk.local",
                                          .size_mb = i->flavor.ephemeral_gb * 1024 };

                return add(p, devices, d, disk_bus(i), i->default_ephemeral_device, err);
        }
        return 0;
}

static int add_swap(const struct instance *i, const struct block_devices *devices, struct disk_plan *p,
                    struct error *err)
{
        struct planned_disk d = { .role = DISK_SWAP, .file = "disk.swap", .size_mb = i->flavor.swap_mb };

        for (unsigned k = 0; devices && k < devices->n && !d.row; k++) {
                if (!is_swap(&devices->items[k]) || devices->items[k].volume_size < 1)
                        continue;
                d.row = &devices->items[k];
                d.size_mb = d.row->volume_size;
        }
        return d.size_mb > 0 ? add(p, devices, d, disk_bus(i), i->default_swap_device, err) : 0;
}

int disk_plan_make(const struct instance *i, const struct block_devices *devices, bool config_drive,
                   struct disk_plan *ret, struct error *err)
{
        struct planned_disk root = { .role = DISK_ROOT, .file = "disk" };
        struct planned_disk drive = { .role = DISK_CONFIG_DRIVE, .file = "disk.config", .cdrom = true };

        ret->n = 0;
        if (find_root(devices, &root.row, err) < 0 ||
            add(ret, devices, root, disk_bus(i), i->root_device_name, err) < 0 ||
            add_ephemeral(i, devices, ret, err) < 0 || add_swap(i, devices, ret, err) < 0)
                return -1;
        return config_drive ? add(ret, devices, drive, cdrom_bus(i), NULL, err) : 0;
}
