/*
 * agent/images/disk_plan.h: which disks an instance has, and under which names its guest sees them
 * (nova-contract 7.1.2). Pure: the same rows give the same plan, in the build and at each start.
 */
#pragma once

#include "model/fault.h"
#include "model/instance.h"

enum disk_role { DISK_ROOT, DISK_EPHEMERAL, DISK_SWAP, DISK_CONFIG_DRIVE };

struct planned_disk {
        enum disk_role role;
        char file[16];            /* "disk", "disk.local", "disk.eph0", "disk.swap", "disk.config" */
        char target[8];           /* "vda" */
        const char *bus;          /* a constant */
        bool cdrom;               /* else a disk */
        int64_t size_mb;          /* of ephemeral and swap disks */
        const char *file_system;  /* of an ephemeral disk, as its row says; borrowed, NULL: the usual one */
        struct block_device *row; /* borrowed; NULL: there is none */
};

#define PLANNED_DISKS_MAX 64
struct disk_plan {
        struct planned_disk disks[PLANNED_DISKS_MAX]; /* in the order of the guest's definition */
        unsigned n;
};

/* The bus of a CD-ROM drive in a machine of this type, when the image does not say; NULL: this host's usual
 * one. */
const char *disk_plan_cdrom_bus(const char *machine);

/*
 * Names that rows have are kept, the others are given: root, ephemeral disks, swap, config drive, each the
 * first free name of its bus. devices may be NULL: an instance whose rows were not read has a root disk.
 * NOVA_INVALID_BDM: a volume, or no root disk; NOVA_TOO_MANY_DISK_DEVICES; NOVA_INVALID_INPUT: a bus that
 * there is not, or a file system.
 */
int disk_plan_make(const struct instance *i, const struct block_devices *devices, bool config_drive,
                   struct disk_plan *ret, struct error *err);
