/* agent/images/store_priv.h: what disks.c, cache.c and config_drive.c share. */
#pragma once

#include "green/sync.h"
#include "images/disk_plan.h"
#include "images/disks.h"
#include "native/file_lock.h"

#define GIB INT64_C(1073741824)
enum { DISK_INFO_MAX = 64 << 10 }; /* bytes of a disk.info */

struct disk_store {
        char *instances_path, *cache_path, *locks_path, *mkisofs_cmd, *default_ephemeral_format;
        char *cache_mode, *discard; /* of disks; discard "": not said */
        bool force_raw_images, use_cow_images, direct_io, shared;
        unsigned max_concurrent_ops;
        struct green_sem heavy_ops; /* used when max_concurrent_ops > 0 */
        struct image_source *images;
        struct tpool *tpool;
};

/* ---- cache.c ---- */

struct base_image {
        char *path;
        char format[16];
        int64_t virtual_size;
};
/* The base of an image, fetched if it is not there; its mtime is renewed. Caller frees path. */
int YIELDS cache_get(struct disk_store *s, const struct image_info *image, const struct image_caller *caller,
                     struct base_image *ret, struct deadline by, struct error *err);
/*
 * The base at path, which a disk has as its backing file, is there: its mtime is renewed, or it is fetched
 * again when it is that of this image.
 */
int YIELDS cache_keep(struct disk_store *s, const char *path, const char *image_id,
                      const struct image_caller *caller, struct deadline by, struct error *err);

/* ---- leftovers.c ---- */

/* The lock that is held while the base of that name is made. NULL: err. */
struct file_lock *YIELDS cache_lock(struct disk_store *s, const char *name, struct deadline by,
                                    struct error *err);
/* What attempts left that ended badly. The caller holds the lock of that name. */
int YIELDS cache_remove_leftovers(struct disk_store *s, const char *name, struct deadline by,
                                  struct error *err);

/* ---- blank.c ---- */

/* An ephemeral or swap disk in the instance's folder. */
int YIELDS blank_disk_create(struct disk_store *s, const struct instance *i, const struct planned_disk *d,
                             const char *dir, struct deadline by, struct error *err);
/* Is all there that such a disk (a qcow2) needs? */
int YIELDS blank_disk_check(struct disk_store *s, const char *disk, struct deadline by, struct error *err);

/* ---- config_drive.c ---- */

int YIELDS config_drive_create(struct disk_store *s, const struct disks_request *req, const char *dir,
                               const char *path, struct deadline by, struct error *err);

/* ---- qemu_img.c ---- */

/* from: with its format, which qemu-img is never left to guess. */
int YIELDS qemu_img_convert(struct disk_store *s, const char *from, const char *format, const char *to,
                            int64_t virtual_size, struct deadline by, struct error *err);
int YIELDS qemu_img_overlay(const char *base, const char *base_format, const char *path, int64_t size,
                            struct deadline by, struct error *err);

/* Waits for a turn when [compute] max_concurrent_disk_ops bounds them; give it back with heavy_end(). */
int YIELDS heavy_begin(struct disk_store *s, struct deadline by, struct error *err);
void HUB_ONLY heavy_end(struct disk_store *s);
