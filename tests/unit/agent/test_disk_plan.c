/* Which disks an instance has, and how its guest calls them. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "images/disk_plan.h"

/* "disk=vda/virtio disk.eph0=vdb/virtio:1024 ..." of a plan; the error's text when there is none. */
static char *plan_of(const struct instance *i, struct block_device *rows, unsigned n, bool drive)
{
        const struct block_devices devices = { rows, n };
        CLEANUP(strbuf_free) struct strbuf b = {};
        struct disk_plan p;
        struct error err = {};

        if (disk_plan_make(i, rows ? &devices : NULL, drive, &p, &err) < 0)
                return xasprintf("%s: %s", nova_exception_of(err.code)->class_name, err.text);
        for (unsigned k = 0; k < p.n; k++) {
                const struct planned_disk *d = &p.disks[k];

                strbuf_addf(&b, "%s%s=%s/%s", k ? " " : "", d->file, d->target, d->bus);
                if (d->size_mb)
                        strbuf_addf(&b, ":%lld", (long long)d->size_mb);
        }
        return strbuf_take(&b, NULL);
}

#define IMAGE                                                                        \
        {                                                                            \
                .source_type = (char *)"image", .destination_type = (char *)"local", \
        }
#define BLANK(gb)                                                                                      \
        {                                                                                              \
                .source_type = (char *)"blank", .destination_type = (char *)"local", .boot_index = -1, \
                .volume_size = gb                                                                      \
        }
#define SWAP(mb)                                                                                       \
        {                                                                                              \
                .source_type = (char *)"blank", .destination_type = (char *)"local", .boot_index = -1, \
                .guest_format = (char *)"swap", .volume_size = mb                                      \
        }

static void check(const struct instance *i, struct block_device *rows, unsigned n, bool drive,
                  const char *expected)
{
        CLEANUP(freep) char *got = plan_of(i, rows, n, drive);

        ck_assert_str_eq(got, expected);
}

START_TEST(a_plain_instance_has_one_disk)
{
        struct instance *i = instance_new();
        struct block_device rows[] = { IMAGE };

        check(i, NULL, 0, false, "disk=vda/virtio");
        check(i, rows, 1, true, "disk=vda/virtio disk.config=hda/ide");
        instance_free(i);
}
END_TEST

START_TEST(disks_come_in_novas_order)
{
        struct instance *i = instance_new();
        struct block_device rows[] = { SWAP(512), BLANK(2), IMAGE, BLANK(3) };

        i->flavor.ephemeral_gb = 5; /* has its rows */
        i->flavor.swap_mb = 512;
        check(i, rows, 4, true,
              "disk=vda/virtio disk.eph0=vdb/virtio:2048 disk.eph1=vdc/virtio:3072 disk.swap=vdd/virtio:512 "
              "disk.config=hda/ide");
        instance_free(i);
}
END_TEST

START_TEST(a_flavor_without_rows_has_its_own_disks)
{
        struct instance *i = instance_new();
        struct block_device rows[] = { IMAGE };

        i->flavor.ephemeral_gb = 1;
        i->flavor.swap_mb = 64;
        check(i, rows, 1, false, "disk=vda/virtio disk.local=vdb/virtio:1024 disk.swap=vdc/virtio:64");
        instance_free(i);
}
END_TEST

START_TEST(names_of_rows_are_kept_and_not_given_twice)
{
        struct instance *i = instance_new();
        struct block_device rows[] = { IMAGE, BLANK(1), BLANK(1), SWAP(64) };

        rows[0].device_name = (char *)"/dev/vdb";
        rows[2].device_name = (char *)"/dev/vda";
        rows[3].device_name = (char *)"vdd";
        check(i, rows, 4, false,
              "disk=vdb/virtio disk.eph0=vdc/virtio:1024 disk.eph1=vda/virtio:1024 disk.swap=vdd/virtio:64");
        instance_free(i);
}
END_TEST

START_TEST(the_bus_of_the_row_comes_before_that_of_the_image)
{
        struct instance *i = instance_new();
        struct block_device rows[] = { IMAGE, BLANK(1) };

        instance_set_system_meta(i, "image_hw_disk_bus", "scsi");
        instance_set_system_meta(i, "image_hw_cdrom_bus", "sata");
        rows[1].disk_bus = (char *)"virtio";
        check(i, rows, 2, true, "disk=sda/scsi disk.eph0=vda/virtio:1024 disk.config=sdb/sata");
        instance_free(i);
}
END_TEST

START_TEST(names_that_make_no_sense_are_given_anew)
{
        static const char *const names[] = { "",          "/dev/",    "/dev/vd",  "/dev/vdA",
                                             "../../etc", "/dev/sda", "/dev/vdaa" };

        for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
                struct instance *i = instance_new();
                struct block_device rows[] = { IMAGE };

                rows[0].device_name = (char *)names[n];
                check(i, rows, 1, false, "disk=vda/virtio");
                instance_free(i);
        }
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
        struct instance *i = instance_new();
        struct block_device volume[] = { IMAGE,
                                         { .source_type = (char *)"volume",
                                           .destination_type = (char *)"volume",
                                           .boot_index = -1,
                                           .device_name = (char *)"/dev/vdb" } };
        struct block_device none[] = { SWAP(1) }, empty[] = { IMAGE, BLANK(0) };
        struct block_device odd[] = { IMAGE }, lun[] = { IMAGE };
        struct block_device many[] = { IMAGE, BLANK(1), BLANK(1), BLANK(1) };

        check(i, volume, 2, false,
              "InvalidBDM: block device 1 (/dev/vdb) is a volume, which this agent cannot attach");
        check(i, none, 1, false, "InvalidBDM: there is no root disk made from an image");
        check(i, empty, 2, false, "InvalidBDM: an ephemeral disk of 0 GiB");
        odd[0].disk_bus = (char *)"fdc";
        check(i, odd, 1, false, "InvalidInput: disk bus \"fdc\" is not supported");
        lun[0].device_type = (char *)"lun";
        check(i, lun, 1, false, "InvalidBDM: block devices of type lun are not supported");
        instance_set_system_meta(i, "image_hw_disk_bus", "ide");
        check(i, many, 4, true, "TooManyDiskDevices: no free device name on bus ide");
        instance_free(i);
}
END_TEST

START_TEST(a_cdrom_drive_fits_the_machine)
{
        ck_assert_str_eq(disk_plan_cdrom_bus("q35"), "sata");
        ck_assert_str_eq(disk_plan_cdrom_bus("pc-q35-7.2"), "sata");
        ck_assert_str_eq(disk_plan_cdrom_bus("virt-7.2"), "scsi");
#if defined(__aarch64__)
        ck_assert_str_eq(disk_plan_cdrom_bus(NULL), "scsi");
#else
        ck_assert_str_eq(disk_plan_cdrom_bus(NULL), "ide");
        ck_assert_str_eq(disk_plan_cdrom_bus("pc-i440fx-7.2"), "ide");
#endif
}
END_TEST

UNIT_SUITE("disk-plan", a_cdrom_drive_fits_the_machine, a_plain_instance_has_one_disk,
           disks_come_in_novas_order, a_flavor_without_rows_has_its_own_disks,
           names_of_rows_are_kept_and_not_given_twice, the_bus_of_the_row_comes_before_that_of_the_image,
           names_that_make_no_sense_are_given_anew, what_cannot_be_is_refused)
