/*
 * agent/images/blank.c: ephemeral and swap disks (nova-contract 7.3, 7.4): made once per size and kind in the
 * cache, formatted there, and given to each instance as an overlay or a copy.
 *
 *      _base/ephemeral_<GiB>_<7 digits of the MD5 of the file system's name>
 *      _base/swap_<MiB>
 *
 * nova takes the digest of the name of its default file system even when it makes another one; two bases that
 * differ must not share a name, so that it is that of the file system which is in it here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "images/filework.h"
#include "images/store_priv.h"
#include "process/execute.h"

#define MIB           INT64_C(1048576)
#define MKFS_CPU_S    120
#define DIGEST_DIGITS 7

/* ---- which file system ---- */

static const char *usual_file_system(const struct disk_store *s, const char *os_type)
{
        if (*s->default_ephemeral_format)
                return s->default_ephemeral_format;
        if (os_type && strcmp(os_type, "linux") == 0)
                return "ext4";
        return os_type && strcmp(os_type, "windows") == 0 ? "ntfs" : "vfat";
}

static int file_system_of(const struct disk_store *s, const struct instance *i, const struct planned_disk *d,
                          const char **ret, struct error *err)
{
        static const char *const for_rows[] = { "ext2", "ext3", "ext4", "xfs" };

        *ret = usual_file_system(s, i->os_type);
        if (!d->file_system || strcmp(d->file_system, *ret) == 0)
                return 0;
        for (size_t k = 0; k < ARRAY_SIZE(for_rows); k++) {
                if (strcmp(d->file_system, for_rows[k]) == 0) {
                        *ret = for_rows[k];
                        return 0;
                }
        }
        return error_set(err, NOVA_INVALID_BDM, "%.32s is no file system for ephemeral disks",
                         d->file_system);
}

/* ---- making a base ---- */

static int YIELDS make_file_system(const char *file_system, const char *path, struct deadline by,
                                   struct error *err)
{
        bool dos = strcmp(file_system, "vfat") == 0;
        bool force = strcmp(file_system, "ext3") == 0 || strcmp(file_system, "ext4") == 0 ||
                     strcmp(file_system, "ext2") == 0 || strcmp(file_system, "ntfs") == 0;
        const char *argv[9] = { "mkfs", "-t", file_system };
        const struct execute_options opt = { .argv = argv, .limit_cpu_s = MKFS_CPU_S };
        unsigned n = 3;

        if (force)
                argv[n++] = "-F"; /* it is no block device */
        argv[n++] = dos ? "-n" : "-L";
        argv[n++] = "ephemeral0";
        argv[n] = path;
        return execute(&opt, by, NULL, err);
}

static int YIELDS make_swap(const char *path, struct deadline by, struct error *err)
{
        const char *const argv[] = { "mkswap", path, NULL };
        const struct execute_options opt = { .argv = argv, .limit_cpu_s = MKFS_CPU_S };

        return execute(&opt, by, NULL, err);
}

/* file_system NULL: swap. */
static int YIELDS make_base(struct disk_store *s, const char *path, int64_t size, const char *file_system,
                            struct deadline by, struct error *err)
{
        CLEANUP(freep) char *part = xasprintf("%s.part", path);
        int r;

        /* First what a killed agent left: we hold the lock of this name. */
        if (file_remove(s->tpool, part, by, err) < 0 || file_create(s->tpool, part, 0644, by, err) < 0)
                return -1;
        r = file_set_length(s->tpool, part, size, by, err);
        if (r == 0)
                r = file_system ? make_file_system(file_system, part, by, err) : make_swap(part, by, err);
        if (r == 0)
                r = file_put_in_place(s->tpool, part, path, 0644, by, err);
        if (r < 0)
                file_discard(s->tpool, part);
        return r;
}

static int YIELDS have_base(struct disk_store *s, const char *name, int64_t size, const char *file_system,
                            char **ret_path, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", s->cache_path, name);
        struct file_lock *lock = cache_lock(s, name, by, err);
        struct error ignored = {};
        bool there;
        int r;

        if (!lock)
                return error_while(err, "waiting for %s", name);
        r = file_exists(s->tpool, path, &there, by, err);
        if (r == 0 && !there)
                r = make_base(s, path, size, file_system, by, err);
        else if (r == 0)
                file_renew(s->tpool, path, by, &ignored); /* so that the cache's cleaner sees it used */
        file_lock_release(lock);
        if (r == 0)
                *ret_path = take_ptr(&path);
        return r;
}

/* ---- a disk ---- */

static int base_name(const struct disk_store *s, const struct instance *i, const struct planned_disk *d,
                     char **ret, const char **ret_file_system, struct error *err)
{
        char hex[DIGEST_HEX_MAX + 1];

        *ret_file_system = NULL;
        if (d->role == DISK_SWAP) {
                *ret = xasprintf("swap_%" PRId64, d->size_mb);
                return 0;
        }
        if (file_system_of(s, i, d, ret_file_system, err) < 0 ||
            digest_text("md5", *ret_file_system, hex, err) < 0)
                return -1;
        *ret = xasprintf("ephemeral_%" PRId64 "_%.*s", d->size_mb / 1024, DIGEST_DIGITS, hex);
        return 0;
}

int blank_disk_create(struct disk_store *s, const struct instance *i, const struct planned_disk *d,
                      const char *dir, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *disk = xasprintf("%s/%s", dir, d->file);
        CLEANUP(freep) char *base = NULL;
        CLEANUP(freep) char *name = NULL;
        const char *file_system;
        int r;

        if (base_name(s, i, d, &name, &file_system, err) < 0 ||
            have_base(s, name, d->size_mb * MIB, file_system, &base, by, err) < 0)
                return error_while(err, "making %s", d->file);
        if (s->use_cow_images)
                return qemu_img_overlay(base, "raw", disk, d->size_mb * MIB, by, err);
        if (heavy_begin(s, by, err) < 0)
                return -1;
        r = file_copy(s->tpool, base, disk, NULL, NULL, by, err);
        heavy_end(s);
        return r;
}

/* A base made anew would not be the one that the guest's data lies over. */
int blank_disk_check(struct disk_store *s, const char *disk, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *base = NULL;
        bool there = true;

        if (file_backing(s->tpool, disk, &base, by, err) < 0 ||
            (base && file_exists(s->tpool, base, &there, by, err) < 0))
                return error_while(err, "looking for the backing file of %s", disk);
        if (there)
                return 0;
        return error_set(err, NOVA_INVALID_DISK_INFO, "the backing file %s of %s is missing", base, disk);
}
