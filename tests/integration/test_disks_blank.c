/* Ephemeral and swap disks, with the real mkfs and mkswap; how disks are cached; what others left. */
#include "disks_rig.h"

GREEN_TEST_REAL(cache_and_discard_are_as_configured)
{
        static const struct {
                const char *modes, *expected;
        } cases[] = { { "file=writethrough", "writethrough" },
                      { "network=none, file=unsafe,block=directsync", "unsafe" } };
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
                const struct disk_store_options opt = {
                        .instances_path = r.instances_dir,
                        .disk_cachemodes = cases[k].modes,
                        .discard = "unmap",
                        .force_raw_images = true,
                        .use_cow_images = true,
                        .images = r.images,
                        .tpool = r.pool,
                };

                disk_store_free(r.store);
                r.store = disk_store_new(&opt, deadline_in_s(10), &err);
                ck_assert_msg(r.store != NULL, "%s", err.text);
                ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
                ck_assert_str_eq(r.spec.disks[0].cache, cases[k].expected);
                ck_assert_str_eq(r.spec.disks[0].discard, "unmap");
        }
        end(&r);
}

/* ---- ephemeral and swap disks ---- */

static struct block_device blank_rows[] = {
        { .source_type = (char *)"image", .destination_type = (char *)"local" },
        { .source_type = (char *)"blank",
          .destination_type = (char *)"local",
          .boot_index = -1,
          .volume_size = 1 },
        { .source_type = (char *)"blank",
          .destination_type = (char *)"local",
          .boot_index = -1,
          .guest_format = (char *)"swap",
          .volume_size = 32 },
};
static const struct block_devices blank_devices = { blank_rows, ARRAY_SIZE(blank_rows) };

static char *kind_of(const char *path)
{
        assert_green();
        return output_of((const char *const[]){ "blkid", "-p", "-o", "value", "-s", "TYPE", path, NULL });
}

/* The last digits are those that the MD5 of the file system's name begins with. */
GREEN_TEST_REAL(ephemeral_and_swap_disks_lie_over_formatted_bases)
{
        static const struct {
                const char *os_type, *base, *type;
        } kinds[] = { { NULL, "ephemeral_1_0706d66", "vfat\n" },
                      { "linux", "ephemeral_1_40d1d2c", "ext4\n" } };
        CLEANUP(freep) char *swap = NULL, *text = NULL, *want = NULL, *info = NULL;
        struct error err = {};
        struct rig r;
        size_t len;

        begin(&r);
        give_image(&r, "raw", "1M");
        r.req.devices = &blank_devices;
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
                CLEANUP(freep) char *base = xasprintf("%s/_base/%s", r.instances_dir, kinds[k].base);
                CLEANUP(freep) char *disk = NULL;
                CLEANUP(freep) char *found = NULL;
                CLEANUP(freep) char *kind = NULL;

                replace_str(&r.instance->os_type, kinds[k].os_type);
                ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
                disk = instance_file(&r, "disk.eph0");
                found = output_of((const char *const[]){ "qemu-img", "info", "--output=json", disk, NULL });
                ck_assert_ptr_nonnull(strstr(found, base));
                ck_assert_ptr_nonnull(strstr(found, "\"virtual-size\": 1073741824"));
                kind = kind_of(base);
                ck_assert_str_eq(kind, kinds[k].type);
        }
        ck_assert_uint_eq(r.spec.n_disks, 3);
        ck_assert_str_eq(r.spec.disks[1].target, "vdb");
        ck_assert_str_eq(r.spec.disks[2].target, "vdc");
        swap = xasprintf("%s/_base/swap_32", r.instances_dir);
        text = kind_of(swap);
        ck_assert_str_eq(text, "swap\n");
        free(take_ptr(&text));

        info = instance_file(&r, "disk.info");
        want = xasprintf("{\"%s\":\"qcow2\",\"%s\":\"qcow2\",\"%s\":\"qcow2\"}\n", r.spec.disks[0].path,
                         r.spec.disks[1].path, r.spec.disks[2].path);
        ck_assert_ok(file_read(r.pool, info, 4096, &text, &len, soon(), &err), err);
        ck_assert_str_eq(text, want);
        end(&r);
}

GREEN_TEST_REAL(ephemeral_and_swap_disks_are_found_again_or_refused)
{
        CLEANUP(freep) char *base = NULL, *swap = NULL;
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        r.req.devices = &blank_devices;
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        guest_spec_free(&r.spec);
        ck_assert_ok(disks_load(r.store, &r.req, &r.spec, soon(), &err), err);
        ck_assert_uint_eq(r.spec.n_disks, 3);
        ck_assert_str_eq(r.spec.disks[2].format, "qcow2");

        base = xasprintf("%s/_base/swap_32", r.instances_dir);
        ck_assert_int_eq(unlink(base), 0);
        ck_assert_fails(disks_load(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_DISK_INFO);
        ck_assert_ptr_nonnull(strstr(err.text, base));
        swap = instance_file(&r, "disk.swap");
        ck_assert_int_eq(unlink(swap), 0);
        ck_assert_fails(disks_load(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_DISK_INFO);
        ck_assert_ptr_nonnull(strstr(err.text, "disk.swap is missing"));
        end(&r);
}

GREEN_TEST_REAL(without_overlays_blank_disks_are_copies)
{
        CLEANUP(freep) char *disk = NULL, *kind = NULL;
        struct error err = {};
        struct stat st;
        struct rig r;

        begin(&r);
        open_store(&r, true, false);
        give_image(&r, "raw", "1M");
        r.req.devices = &blank_devices;
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        disk = instance_file(&r, "disk.swap");
        kind = kind_of(disk);
        ck_assert_str_eq(kind, "swap\n");
        ck_assert_int_eq(stat(disk, &st), 0);
        ck_assert_int_eq(st.st_size, 32 << 20);
        ck_assert_str_eq(r.spec.disks[2].format, "raw");
        end(&r);
}

GREEN_TEST_REAL(a_file_system_that_cannot_be_made_leaves_nothing)
{
        struct block_device rows[ARRAY_SIZE(blank_rows)];
        const struct block_devices devices = { rows, ARRAY_SIZE(rows) };
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        memcpy(rows, blank_rows, sizeof(rows));
        rows[1].guest_format = (char *)"zfs";
        r.req.devices = &devices;
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_BDM);
        ck_assert_ptr_nonnull(strstr(err.text, "zfs"));
        ck_assert(!has(&r, ""));
        end(&r);
}

/* What a resize left is only removed with the instance. */
GREEN_TEST_REAL(the_folder_of_a_resize_is_left_alone)
{
        CLEANUP(freep) char *resize = NULL;
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        resize = xasprintf("%s/" UUID "_resize", r.instances_dir);
        ck_assert_int_eq(mkdir(resize, 0755), 0);
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        ck_assert_ok(disks_load(r.store, &r.req, &r.spec, soon(), &err), err);
        ck_assert_int_eq(access(resize, F_OK), 0);
        end(&r);
}

GREEN_SUITE("disks-blank", cache_and_discard_are_as_configured,
            ephemeral_and_swap_disks_lie_over_formatted_bases,
            ephemeral_and_swap_disks_are_found_again_or_refused, without_overlays_blank_disks_are_copies,
            a_file_system_that_cannot_be_made_leaves_nothing, the_folder_of_a_resize_is_left_alone)
