/* The files of instances, with the real qemu-img and genisoimage. */
#include "disks_rig.h"

#include <fcntl.h>

#include "green/lockutils.h"
#include "green/sync.h"
#include "images/header.h"

GREEN_TEST_REAL(a_raw_image_becomes_base_and_overlay)
{
        CLEANUP(freep) char *disk = NULL, *base = NULL, *info = NULL, *text = NULL, *want = NULL;
        struct disks_usage usage;
        struct error err = {};
        struct rig r;
        size_t len;

        begin(&r);
        give_image(&r, "raw", "1M");
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        disk = instance_file(&r, "disk");
        base = base_path(&r);
        ck_assert_uint_eq(r.spec.n_disks, 1);
        ck_assert_str_eq(r.spec.disks[0].path, disk);
        ck_assert_str_eq(r.spec.disks[0].format, "qcow2");
        ck_assert_str_eq(r.spec.disks[0].target, "vda");
        ck_assert_str_eq(r.spec.disks[0].bus, "virtio");
        ck_assert(!r.spec.disks[0].cdrom);
        ck_assert(has(&r, "console.log") && !has(&r, "disk.config"));

        text = output_of((const char *const[]){ "qemu-img", "info", "--output=json", disk, NULL });
        ck_assert_ptr_nonnull(strstr(text, "\"virtual-size\": 1073741824"));
        ck_assert_ptr_nonnull(strstr(text, "\"backing-filename-format\": \"raw\""));
        ck_assert_ptr_nonnull(strstr(text, base));
        free(take_ptr(&text));

        info = instance_file(&r, "disk.info");
        want = xasprintf("{\"%s\":\"qcow2\"}\n", disk);
        ck_assert_ok(file_read(r.pool, info, 4096, &text, &len, soon(), &err), err);
        ck_assert_str_eq(text, want);

        ck_assert_ok(disks_usage(r.store, &usage, soon(), &err), err);
        ck_assert_int_gt(usage.over_committed_bytes, 1000 << 20);
        ck_assert_int_le(usage.over_committed_bytes, 1 << 30);
        ck_assert_int_gt(usage.total_bytes, usage.available_bytes);
        end(&r);
}

GREEN_TEST_REAL(a_qcow2_image_is_converted_unless_bases_may_be_qcow2)
{
        CLEANUP(freep) char *base = NULL, *other = NULL;
        struct image_header h;
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "qcow2", "3M");
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        base = base_path(&r);
        ck_assert_ok(file_inspect(r.pool, base, &h, soon(), &err), err);
        ck_assert_str_eq(h.format, "raw");
        ck_assert_int_eq(h.virtual_size, 3 << 20);

        give_image(&r, "qcow2", "3M");
        open_store(&r, false, true);
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        other = base_path(&r);
        ck_assert_ok(file_inspect(r.pool, other, &h, soon(), &err), err);
        ck_assert_str_eq(h.format, "qcow2");
        end(&r);
}

GREEN_TEST_REAL(other_formats_are_converted_too)
{
        static const char *const formats[] = { "vmdk", "vdi", "vpc" };
        struct error err = {};
        struct rig r;

        begin(&r);
        for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
                CLEANUP(freep) char *base = NULL;
                struct image_header h;

                give_image(&r, formats[i], "4M");
                ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
                base = base_path(&r);
                ck_assert_ok(file_inspect(r.pool, base, &h, soon(), &err), err);
                ck_assert_str_eq(h.format, "raw");
                ck_assert_int_ge(h.virtual_size, 4 << 20);
        }
        end(&r);
}

GREEN_TEST_REAL(without_overlays_the_disk_is_a_copy_of_full_size)
{
        CLEANUP(freep) char *disk = NULL;
        struct error err = {};
        struct stat st;
        struct rig r;

        begin(&r);
        open_store(&r, true, false);
        give_image(&r, "raw", "1M");
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        disk = instance_file(&r, "disk");
        ck_assert_str_eq(r.spec.disks[0].format, "raw");
        ck_assert_int_eq(stat(disk, &st), 0);
        ck_assert_int_eq(st.st_size, 1 << 30);
        ck_assert_int_lt(st.st_blocks * 512, 4 << 20);
        end(&r);
}

GREEN_TEST_REAL(what_does_not_fit_is_refused_and_leaves_no_folder)
{
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "qcow2", "2G");
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err,
                        NOVA_FLAVOR_DISK_SMALLER_THAN_IMAGE);
        ck_assert(!has(&r, ""));
        r.instance->flavor.root_gb = 0; /* as large as the image */
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        r.instance->flavor.root_gb = 3;
        r.image.min_disk_gb = 4;
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err,
                        NOVA_FLAVOR_DISK_SMALLER_THAN_MIN_DISK);
        r.image.min_disk_gb = 0;
        replace_str(&r.image.status, "queued");
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_IMAGE_NOT_ACTIVE);
        replace_str(&r.image.status, "active");
        replace_str(&r.image.disk_format, "iso");
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_NOT_IMPLEMENTED);
        ck_assert_ptr_nonnull(strstr(err.text, "its disk format is iso"));
        replace_str(&r.image.disk_format, "qcow2");
        snprintf(r.instance->uuid, sizeof(r.instance->uuid), "../../../../../../../../../../../tmp");
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_INPUT);
        ck_assert_fails(disks_remove(r.store, r.instance->uuid, soon(), &err), err, NOVA_INVALID_INPUT);
        end(&r);
}

/* The metadata says raw, the data is a qcow2 that names a file of the host (CVE-2024-32498). */
GREEN_TEST_REAL(hostile_images_never_reach_qemu)
{
        CLEANUP(freep) char *data = NULL, *base = NULL, *victim = NULL, *nested = NULL, *found = NULL;
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        data = xasprintf("%s/%s.img", r.images_dir, r.image.id);
        victim = xasprintf("%s/victim", r.dir);
        run((const char *const[]){ "qemu-img", "create", "-q", "-f", "raw", victim, "1M", NULL });
        run((const char *const[]){ "qemu-img", "create", "-q", "-f", "qcow2", "-b", victim, "-F", "raw",
                                   r.source, NULL });
        ck_assert_fails(image_local_import(r.images_dir, &(struct image_import){ .file = r.source }, &r.image,
                                           soon(), &err),
                        err, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_ptr_nonnull(strstr(err.text, "backing file"));

        ck_assert_ok(file_copy(r.pool, r.source, data, NULL, NULL, soon(), &err), err);
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_ptr_nonnull(strstr(err.text, "is damaged"));
        replace_str(&r.image.checksum, NULL);
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_IMAGE_UNACCEPTABLE);
        ck_assert_ptr_nonnull(strstr(err.text, " is unacceptable: it has a backing file"));
        ck_assert(!has(&r, ""));
        base = base_path(&r);
        found = output_of((const char *const[]){ "find", r.instances_dir, "-path", "*/_base/*", NULL });
        ck_assert_str_eq(found, "");

        /* A disk in a disk: what the guest sees of a raw base begins like a qcow2. */
        ck_assert_ok(file_copy(r.pool, r.source, base, NULL, NULL, soon(), &err), err);
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_DISK_INFO);
        ck_assert_int_eq(unlink(base), 0);
        nested = xasprintf("%s/nested", r.dir);
        run((const char *const[]){ "qemu-img", "convert", "-f", "raw", "-O", "qcow2", r.source, nested,
                                   NULL });
        image_info_free(&r.image);
        ck_assert_ok(image_local_import(r.images_dir, &(struct image_import){ .file = nested }, &r.image,
                                        soon(), &err),
                     err);
        ck_assert_str_eq(r.image.disk_format, "qcow2");
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_IMAGE_UNACCEPTABLE);
        end(&r);
}

GREEN_TEST_REAL(a_config_drive_holds_what_the_guest_may_know)
{
        CLEANUP(freep)
        char *drive = NULL, *listing = NULL, *meta = NULL, *user = NULL, *label = NULL, *file = NULL;
        struct injected_file files[] = {
                { (char *)"/etc/motd", (char *)"hello\n", 6 },
                { (char *)"/root/empty", (char *)"", 0 },
        };
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        replace_str(&r.instance->display_name, "a \"name\" of\n two lines");
        replace_str(&r.instance->hostname, "host-1");
        replace_str(&r.instance->key_name, "mine");
        replace_str(&r.instance->key_data, "ssh-ed25519 AAAA me");
        replace_str(&r.instance->user_data, "IyEvYmluL3NoCmVjaG8gaGkK");
        r.req.config_drive = true;
        r.req.files = files;
        r.req.n_files = 2;
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        drive = instance_file(&r, "disk.config");
        ck_assert_uint_eq(r.spec.n_disks, 2);
        ck_assert_str_eq(r.spec.disks[1].path, drive);
        ck_assert_str_eq(r.spec.disks[1].target, "hda");
        ck_assert_str_eq(r.spec.disks[1].bus, "ide");
        ck_assert_str_eq(r.spec.disks[1].format, "raw");
        ck_assert(r.spec.disks[1].cdrom);
        ck_assert(!has(&r, "disk.config.tree"));

        label = output_of((const char *const[]){ "isoinfo", "-d", "-i", drive, NULL });
        ck_assert_ptr_nonnull(strstr(label, "Volume id: config-2"));
        listing = output_of((const char *const[]){ "isoinfo", "-R", "-f", "-i", drive, NULL });
        ck_assert_ptr_nonnull(strstr(listing, "/openstack/latest/network_data.json"));
        meta = output_of((const char *const[]){ "isoinfo", "-R", "-x", "/openstack/latest/meta_data.json",
                                                "-i", drive, NULL });
        ck_assert_ptr_nonnull(strstr(meta, "\"uuid\":\"" UUID "\""));
        ck_assert_ptr_nonnull(strstr(meta, "\"name\":\"a \\\"name\\\" of\\n two lines\""));
        ck_assert_ptr_nonnull(strstr(meta, "\"public_keys\":{\"mine\":\"ssh-ed25519 AAAA me\"}"));
        ck_assert_ptr_nonnull(strstr(meta, "\"random_seed\":\""));
        ck_assert_ptr_nonnull(strstr(meta,
                                     "\"files\":[{\"path\":\"/etc/motd\",\"content_path\":\"/content/0000\"},"
                                     "{\"path\":\"/root/empty\",\"content_path\":\"/content/0001\"}]"));
        ck_assert_ptr_nonnull(strstr(listing, "/openstack/content/0001"));
        file = output_of(
                (const char *const[]){ "isoinfo", "-R", "-x", "/openstack/content/0000", "-i", drive, NULL });
        ck_assert_str_eq(file, "hello\n");
        user = output_of((const char *const[]){ "isoinfo", "-R", "-x", "/openstack/latest/user_data", "-i",
                                                drive, NULL });
        ck_assert_str_eq(user, "#!/bin/sh\necho hi\n");

        replace_str(&r.instance->user_data, "not base64!");
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_INPUT);
        ck_assert(!has(&r, ""));
        end(&r);
}

GREEN_TEST_REAL(disks_are_found_again_and_a_missing_base_is_fetched)
{
        CLEANUP(freep) char *base = NULL, *disk = NULL, *info = NULL;
        struct error err = {};
        struct stat before, after;
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        instance_set_system_meta(r.instance, "image_hw_disk_bus", "scsi");
        instance_set_system_meta(r.instance, "image_hw_cdrom_bus", "scsi");
        replace_str(&r.instance->root_device_name, "/dev/sdb");
        r.req.config_drive = true;
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        base = base_path(&r);
        disk = instance_file(&r, "disk");
        info = instance_file(&r, "disk.info");
        ck_assert_int_eq(unlink(base), 0);
        r.req.config_drive = false;
        ck_assert_ok(disks_load(r.store, &r.req, &r.spec, soon(), &err), err);
        ck_assert_int_eq(access(base, F_OK), 0);
        ck_assert_uint_eq(r.spec.n_disks, 2);
        ck_assert_str_eq(r.spec.disks[0].target, "sdb");
        ck_assert_str_eq(r.spec.disks[1].target, "sda");

        ck_assert_int_eq(utimensat(AT_FDCWD, base, (const struct timespec[]){ { 1000, 0 }, { 1000, 0 } }, 0),
                         0);
        ck_assert_int_eq(stat(base, &before), 0);
        ck_assert_ok(disks_load(r.store, &r.req, &r.spec, soon(), &err), err);
        ck_assert_int_eq(stat(base, &after), 0);
        ck_assert_int_gt(after.st_mtime, before.st_mtime);

        ck_assert_int_eq(truncate(info, 3), 0);
        ck_assert_fails(disks_load(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_DISK_INFO);
        ck_assert_int_eq(unlink(disk), 0);
        ck_assert_fails(disks_load(r.store, &r.req, &r.spec, soon(), &err), err, NOVA_INVALID_DISK_INFO);
        end(&r);
}

GREEN_TEST_REAL(removing_is_whole_and_can_be_repeated)
{
        CLEANUP(freep) char *left = NULL, *file = NULL, *resized = NULL;
        struct error err = {};
        struct rig r;
        int fd;

        begin(&r);
        give_image(&r, "raw", "1M");
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        left = xasprintf("%s/" UUID "_del", r.instances_dir);       /* of a removal that was cut off */
        resized = xasprintf("%s/" UUID "_resize", r.instances_dir); /* of a nova-compute */
        file = xasprintf("%s/disk", left);
        ck_assert_int_eq(mkdir(left, 0755), 0);
        fd = open(file, O_WRONLY | O_CREAT, 0644);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert_int_eq(mkdir(resized, 0755), 0);
        ck_assert_ok(disks_remove(r.store, UUID, soon(), &err), err);
        ck_assert(!has(&r, ""));
        ck_assert_int_eq(access(left, F_OK), -1);
        ck_assert_int_eq(access(resized, F_OK), -1);
        ck_assert_ok(disks_remove(r.store, UUID, soon(), &err), err);
        end(&r);
}

/* As QEMU does it, which cannot be had here without a guest. */
GREEN_TEST_REAL(a_disk_that_is_in_use_is_never_replaced)
{
        struct flock shared = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 103, .l_len = 1 };
        CLEANUP(freep) char *disk = NULL;
        struct error err = {};
        struct stat before, after;
        struct rig r;
        int fd;

        begin(&r);
        give_image(&r, "raw", "1M");
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        disk = instance_file(&r, "disk");
        ck_assert_int_eq(stat(disk, &before), 0);
        fd = open(disk, O_RDWR | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &shared), 0);
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, soon(), &err), err, ERR_BUSY);
        ck_assert_int_eq(stat(disk, &after), 0);
        ck_assert_uint_eq(before.st_ino, after.st_ino);
        close(fd);
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        end(&r);
}

struct builder {
        struct rig *r;
        struct instance *instance;
        int result;
        struct error err;
};

static int build_one(void *arg, struct error *err)
{
        struct builder *b = arg;
        struct disks_request req = b->r->req;
        struct guest_spec spec = {};

        assert_green();
        (void)err;
        req.instance = b->instance;
        b->result = disks_create(b->r->store, &req, &spec, soon(), &b->err);
        guest_spec_free(&spec);
        return 0;
}

static unsigned fetches;
static const struct image_source_ops *real_ops;

static int counted_fetch(struct image_source *s, const struct image_info *image,
                         const struct image_caller *caller, const char *path, struct deadline by,
                         struct error *err)
{
        assert_green();
        fetches++;
        return real_ops->fetch(s, image, caller, path, by, err);
}

GREEN_TEST_REAL(eight_builds_fetch_an_image_once)
{
        struct image_source_ops ops;
        struct builder builders[8];
        struct green_group *group;
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "qcow2", "8M");
        real_ops = r.images->ops;
        ops = *real_ops;
        ops.fetch = counted_fetch;
        r.images->ops = &ops;
        group = green_group_new("builds");
        for (unsigned i = 0; i < ARRAY_SIZE(builders); i++) {
                builders[i] = (struct builder){ .r = &r, .instance = instance_new() };
                snprintf(builders[i].instance->uuid, sizeof(builders[i].instance->uuid),
                         "00000000-0000-4000-8000-00000000000%u", i);
                builders[i].instance->flavor.root_gb = 1;
                ck_assert_ok(green_spawn(group, "build", build_one, &builders[i], &err), err);
        }
        ck_assert_ok(green_group_wait(group, soon(), &err), err);
        green_group_close(group);
        for (unsigned i = 0; i < ARRAY_SIZE(builders); i++) {
                ck_assert_msg(builders[i].result == 0, "%s", builders[i].err.text);
                instance_free(builders[i].instance);
        }
        ck_assert_uint_eq(fetches, 1);
        r.images->ops = real_ops;
        end(&r);
}

struct holder {
        char *lock_path;
        struct green_event locked, let_go;
};

static int hold_lock(void *arg, struct error *err)
{
        struct holder *h = arg;
        struct named_lock *lock;

        assert_green();
        lock = lockutils_acquire_external(h->lock_path, soon(), err);
        ck_assert_ptr_nonnull(lock);
        green_event_set(&h->locked);
        ck_assert_int_eq(green_event_wait(&h->let_go, soon(), err), 0);
        lockutils_release(lock);
        return 0;
}

GREEN_TEST_REAL(waiting_for_another_fetch_ends_at_the_deadline)
{
        CLEANUP(freep) char *base = NULL;
        struct holder h = {};
        struct error err = {};
        struct rig r;

        begin(&r);
        give_image(&r, "raw", "1M");
        base = base_path(&r);
        h.lock_path = xasprintf("%s/locks/nova-%s", r.instances_dir, strrchr(base, '/') + 1);
        green_event_init(&h.locked, "locked");
        green_event_init(&h.let_go, "let go");
        ck_assert_ok(green_spawn(NULL, "another build", hold_lock, &h, &err), err);
        ck_assert_ok(green_event_wait(&h.locked, soon(), &err), err);
        ck_assert_fails(disks_create(r.store, &r.req, &r.spec, deadline_in_ms(100), &err), err, ERR_TIMEOUT);
        ck_assert(!has(&r, ""));
        green_event_set(&h.let_go);
        ck_assert_ok(disks_create(r.store, &r.req, &r.spec, soon(), &err), err);
        free(h.lock_path);
        end(&r);
}

static void put_file(const char *dir, const char *name)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", dir, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        close(fd);
}

GREEN_TEST_REAL(a_move_away_is_taken_back_whole_and_once)
{
        CLEANUP(freep) char *dir = NULL, *aside = NULL, *doomed = NULL;
        struct error err = {};
        struct rig r;

        begin(&r);
        dir = xasprintf("%s/" UUID, r.instances_dir);
        aside = xasprintf("%s_resize", dir);
        doomed = xasprintf("%s_del", dir);
        ck_assert_int_eq(mkdir(dir, 0755), 0);
        put_file(dir, "half");
        ck_assert_ok(disks_take_back(r.store, UUID, soon(), &err), err); /* nothing was put aside */
        ck_assert(has(&r, "half"));
        ck_assert_int_eq(mkdir(aside, 0755), 0);
        put_file(aside, "disk");
        ck_assert_ok(disks_take_back(r.store, UUID, soon(), &err), err);
        ck_assert(has(&r, "disk"));
        ck_assert(!has(&r, "half"));
        ck_assert_int_eq(access(aside, F_OK), -1);
        ck_assert_int_eq(access(doomed, F_OK), -1);
        ck_assert_ok(disks_take_back(r.store, UUID, soon(), &err), err);
        ck_assert(has(&r, "disk"));
        ck_assert_fails(disks_take_back(r.store, "../x", soon(), &err), err, NOVA_INVALID_INPUT);
        ck_assert(!disks_are_shared(r.store)); /* the test's directory is on a local file system */
        end(&r);
}

GREEN_SUITE("disks", a_raw_image_becomes_base_and_overlay,
            a_qcow2_image_is_converted_unless_bases_may_be_qcow2, other_formats_are_converted_too,
            without_overlays_the_disk_is_a_copy_of_full_size,
            what_does_not_fit_is_refused_and_leaves_no_folder, hostile_images_never_reach_qemu,
            a_config_drive_holds_what_the_guest_may_know, disks_are_found_again_and_a_missing_base_is_fetched,
            removing_is_whole_and_can_be_repeated, a_disk_that_is_in_use_is_never_replaced,
            eight_builds_fetch_an_image_once, waiting_for_another_fetch_ends_at_the_deadline,
            a_move_away_is_taken_back_whole_and_once)
