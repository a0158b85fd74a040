/*
 * agent/images/disks.h: the files of instances: cached base images, root disks, config drives, console logs
 * (nova-contract 7.3, 7.4).
 *
 *      instances_path/<uuid>/disk, disk.local, disk.eph<N>, disk.swap, disk.info, disk.config, console.log
 *      instances_path/_base/<sha1 of the image id>     fetched once, shared as backing file
 *      instances_path/locks/nova-<name>                held while a base is fetched; excludes other processes
 * too
 *
 * All calls yield: file work runs in the tpool, qemu-img and mkisofs as subprocesses. Errors:
 * NOVA_FLAVOR_DISK_SMALLER_THAN_IMAGE, NOVA_FLAVOR_DISK_SMALLER_THAN_MIN_DISK, NOVA_IMAGE_NOT_ACTIVE,
 * NOVA_IMAGE_NOT_FOUND, NOVA_IMAGE_UNACCEPTABLE (the image does not hold what it says, or names other files),
 * NOVA_INVALID_DISK_INFO, ERR_SYSTEM, ERR_EXIT (of mkfs, mkswap, qemu-img), ERR_TIMEOUT, and those of
 * disk_plan.h.
 */
#pragma once

#include "green/green.h"
#include "images/image_source.h"
#include "model/instance.h"
#include "virt/driver.h"

struct disk_store;

struct disk_store_options {
        const char *instances_path;           /* created with mode 0755 when missing */
        const char *cache_name;               /* [image_cache] subdirectory_name; NULL: "_base" */
        const char *mkisofs_cmd;              /* NULL: genisoimage */
        const char *default_ephemeral_format; /* NULL or "": by the guest's system */
        const char *disk_cachemodes; /* "file=writeback"; NULL or "": none, if the file system can do it */
        const char *discard;         /* "unmap", "ignore"; NULL or "": not said */
        bool force_raw_images;       /* nova's default: true */
        bool use_cow_images;         /* false: a full raw copy instead of an overlay */
        unsigned max_concurrent_ops; /* fetches and conversions at once; 0: no bound */
        struct image_source *images; /* borrowed */
        struct tpool *tpool;         /* for work on files; borrowed */
};
/* ERR_TIMEOUT: the file system below instances_path does not answer. */
struct disk_store *YIELDS disk_store_new(const struct disk_store_options *opt, struct deadline by,
                                         struct error *err);
void HUB_ONLY disk_store_free(struct disk_store *s); /* no call may be running; NULL allowed */

struct injected_file {
        char *path; /* in the guest */
        char *data;
        size_t len;
};

struct disks_request {
        const struct instance *instance;     /* uuid, flavor, device names, os_type, image_hw_*_bus */
        const struct block_devices *devices; /* its rows; NULL: only a root disk */
        const struct image_info *image;      /* as image_source_ops.get() gave it; only for disks_create() */
        const struct image_caller *caller;   /* for whom an image is fetched, or NULL */
        bool config_drive;
        /* For the config drive; without one they are not needed. */
        const char *admin_password; /* or NULL */
        const struct injected_file *files;
        unsigned n_files;
};

/*
 * Makes the instance's folder with all its files, and fills into->disks, into->n_disks and into->console_log
 * (what was there is freed). Disk names are those of disk_plan.h; the caller writes them to the rows. On
 * failure the folder is gone again, a base image that was fetched stays. Files left by an earlier attempt for
 * the same uuid are replaced, unless a process has that disk open: ERR_BUSY, and nothing is touched.
 */
int YIELDS disks_create(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
                        struct deadline by, struct error *err);

/*
 * The same description from the files that are there, for hard reboot and start. The image of the instance is
 * fetched again when the root disk's backing file is that one and missing: nova-contract 3.4. A missing disk
 * is NOVA_INVALID_DISK_INFO. The config drive is listed when its file exists, whatever req->config_drive
 * says.
 */
int YIELDS disks_load(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
                      struct deadline by, struct error *err);

/* instances_path can be read and written; ERR_INVALID: it cannot. */
int YIELDS disks_check(struct disk_store *s, struct deadline by, struct error *err);

/* Files that a fetch left in the cache which never ended: of an agent that was killed. */
int YIELDS disks_remove_leftovers(struct disk_store *s, struct deadline by, struct error *err);

/*
 * The folder is renamed to <uuid>_del, then removed; absent is success. So is <uuid>_resize; an earlier
 * <uuid>_del is picked up, too.
 */
int YIELDS disks_remove(struct disk_store *s, const char *uuid, struct deadline by, struct error *err);

/*
 * A move away that did not come to its end: <uuid>_resize, if it is there, becomes the instance's folder
 * again, and what another host may have written to <uuid> meanwhile is removed.
 */
int YIELDS disks_take_back(struct disk_store *s, const char *uuid, struct deadline by, struct error *err);

/* Others may use the same folders: instances_path is on a file system that several hosts can share. */
bool HUB_ONLY disks_are_shared(const struct disk_store *s);

/*
 * The last max bytes (0: nova's 102400) of a console log with its rotated predecessors <path>.0, <path>.1 ...
 * in front. A missing file is "". Not text: any byte may be inside; *ret is NUL-terminated, caller frees.
 */
int YIELDS disks_console_read(struct disk_store *s, const char *path, size_t max, char **ret, size_t *ret_len,
                              struct deadline by, struct error *err);

/* Of the file system below instances_path, for the compute_nodes row (nova-contract 4.6). */
struct disks_usage {
        int64_t total_bytes, available_bytes;
        int64_t over_committed_bytes; /* virtual minus allocated size, summed over all instances' disks */
};
int YIELDS disks_usage(struct disk_store *s, struct disks_usage *ret, struct deadline by, struct error *err);
