/*
 * agent/images/disks.c: the folder of an instance: root disk, config drive, disk.info, console log
 * (nova-contract 7.1.2, 7.3).
 *
 * disk.info tells the format of each disk that was made, so that nobody ever has to look into a guest's disk
 * to find out: a guest can write there what it likes.
 */
#define LOG_MODULE "images.disks"
#include "images/disks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "images/filework.h"
#include "images/store_priv.h"
#include "json/json.h"
#include "model/uuid.h"

enum { CONSOLE_MAX = 102400, INFO_MAX = 64 << 10 };
static const double CLEANUP_TIMEOUT_S = 60;

/* ---- names ---- */

struct bus {
        const char *name, *prefix;
        char last; /* letter */
};

static const struct bus buses[] = {
        { "virtio", "vd", 'z' }, { "scsi", "sd", 'z' }, { "sata", "sd", 'z' },
        { "usb", "sd", 'z' },    { "ide", "hd", 'd' },
};

static const struct bus *find_bus(const char *name, struct error *err)
{
        for (size_t i = 0; i < ARRAY_SIZE(buses); i++)
                if (strcmp(buses[i].name, name) == 0)
                        return &buses[i];
        error_set(err, NOVA_INVALID_INPUT, "disk bus \"%s\" is not supported", name);
        return NULL;
}

static const char *cdrom_bus(const struct instance *i)
{
        const char *bus = instance_system_meta(i, "image_hw_cdrom_bus");
        const char *machine = instance_system_meta(i, "image_hw_machine_type");

        if (bus)
                return bus;
        if (machine && strstr(machine, "q35"))
                return "sata";
        return machine && strncmp(machine, "virt", 4) == 0 ? "scsi" : "ide";
}

/* The row's name counts when it fits the bus ("/dev/vdb" on virtio); all others are given anew. */
static char *root_target(const struct instance *i, const struct bus *bus)
{
        const char *name = i->root_device_name;

        if (name && strncmp(name, "/dev/", 5) == 0)
                name += 5;
        if (name && strlen(name) == 3 && strncmp(name, bus->prefix, 2) == 0 && name[2] >= 'a' &&
            name[2] <= bus->last)
                return xstrdup(name);
        return xasprintf("%sa", bus->prefix);
}

static char *free_target(const struct guest_spec *spec, const struct bus *bus, struct error *err)
{
        for (char letter = 'a'; letter <= bus->last; letter++) {
                char name[4] = { bus->prefix[0], bus->prefix[1], letter };
                bool taken = false;

                for (unsigned i = 0; i < spec->n_disks; i++)
                        taken |= strcmp(spec->disks[i].target, name) == 0;
                if (!taken)
                        return xstrdup(name);
        }
        error_set(err, NOVA_TOO_MANY_DISK_DEVICES, "no free device name on bus %s", bus->name);
        return NULL;
}

/* Takes target over. */
static void add_disk(const struct disk_store *s, struct guest_spec *into, const char *path,
                     const char *format, const struct bus *bus, char *target, bool cdrom)
{
        into->disks = xrealloc(into->disks, (into->n_disks + 1) * sizeof(*into->disks));
        into->disks[into->n_disks++] = (struct guest_disk){
                .path = xstrdup(path),
                .format = xstrdup(format),
                .cache = xstrdup(s->direct_io ? "none" : "writeback"),
                .target = target,
                .bus = xstrdup(bus->name),
                .cdrom = cdrom,
        };
}

/* The description of what lies in dir. */
static int describe(const struct disk_store *s, const struct instance *i, const char *dir, const char *format,
                    bool config_drive, struct guest_spec *into, struct error *err)
{
        const char *root_bus = instance_system_meta(i, "image_hw_disk_bus");
        const struct bus *bus = find_bus(root_bus ? root_bus : "virtio", err);
        CLEANUP(freep) char *root = xasprintf("%s/disk", dir);
        CLEANUP(freep) char *drive = xasprintf("%s/disk.config", dir);

        guest_spec_forget_disks(into);
        if (!bus)
                return -1;
        add_disk(s, into, root, format, bus, root_target(i, bus), false);
        if (config_drive) {
                char *target;

                bus = find_bus(cdrom_bus(i), err);
                target = bus ? free_target(into, bus, err) : NULL;
                if (!target) {
                        guest_spec_forget_disks(into);
                        return -1;
                }
                add_disk(s, into, drive, "raw", bus, target, true);
        }
        into->console_log = xasprintf("%s/console.log", dir);
        return 0;
}

/* ---- what can be refused at once ---- */

static int check_uuid(const char *uuid, struct error *err)
{
        return uuid_is(uuid) ? 0 : error_set(err, NOVA_INVALID_INPUT, "\"%.64s\" is no uuid", uuid);
}

static int check_request(const struct disks_request *req, struct error *err)
{
        const struct instance *i = req->instance;
        const struct image_info *image = req->image;

        if (check_uuid(i->uuid, err) < 0)
                return -1;
        if (!image)
                return error_set(err, NOVA_IMAGE_NOT_FOUND, "the instance has no image to boot from");
        if (image->status && strcmp(image->status, "active") != 0)
                return error_set(err, NOVA_IMAGE_NOT_ACTIVE, "Image %s is not active.", image->id);
        if (strcmp(image->disk_format, "iso") == 0)
                return error_set(err, NOVA_NOT_IMPLEMENTED, "booting from an ISO image is not supported");
        if (i->flavor.ephemeral_gb > 0 || i->flavor.swap_mb > 0)
                return error_set(err, NOVA_NOT_IMPLEMENTED,
                                 "flavors with ephemeral or swap disks are not supported");
        if (i->flavor.root_gb > 0 && image->min_disk_gb > i->flavor.root_gb)
                return error_set(
                        err, NOVA_FLAVOR_DISK_SMALLER_THAN_MIN_DISK,
                        "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor "
                        "disk is %" PRId64 " bytes, minimum size is %" PRId64 " bytes.",
                        i->flavor.root_gb * GIB, image->min_disk_gb * GIB);
        return 0;
}

/* ---- making ---- */

static int YIELDS write_info(struct disk_store *s, const char *dir, const char *format, struct deadline by,
                             struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/disk.info", dir);
        CLEANUP(freep) char *disk = xasprintf("%s/disk", dir);
        CLEANUP(freep) char *json = NULL;
        CLEANUP(freep) char *line = NULL;
        struct jval *o = jval_new_object();

        jval_set_text(o, disk, format);
        json = jval_print(o, NULL);
        jval_unref(o);
        line = xasprintf("%s\n", json);
        return file_write(s->tpool, path, line, 0644, by, err);
}

static int YIELDS make_root_disk(struct disk_store *s, const struct disks_request *req,
                                 const struct base_image *base, const char *dir, struct deadline by,
                                 struct error *err)
{
        CLEANUP(freep) char *disk = xasprintf("%s/disk", dir);
        int64_t wanted = req->instance->flavor.root_gb * GIB;
        int64_t size = wanted > base->virtual_size ? wanted : base->virtual_size;
        int r;

        if (s->use_cow_images)
                return qemu_img_overlay(base->path, base->format, disk, size, by, err);
        if (strcmp(base->format, "raw") != 0)
                return error_set(err, NOVA_NOT_IMPLEMENTED,
                                 "disks without use_cow_images need raw images: set force_raw_images");
        if (heavy_begin(s, by, err) < 0)
                return -1;
        r = file_copy(s->tpool, base->path, disk, NULL, NULL, by, err);
        heavy_end(s);
        if (r == 0 && truncate(disk, size) < 0)
                return error_system(err, errno, "giving %s its size", disk);
        return r;
}

static int make_console_log(const char *dir, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/console.log", dir);
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

        return fd < 0 ? error_system(err, errno, "making %s", path) : 0;
}

/*
 * A request that came twice must never cost a running guest its disk. QEMU keeps shared locks on the bytes
 * from 100 on of each image that it has open.
 */
static int check_not_in_use(const char *dir, struct error *err)
{
        CLEANUP(freep) char *disk = xasprintf("%s/disk", dir);
        CLEANUP(closep) int fd = open(disk, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 200 };

        if (fd >= 0 && fcntl(fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK)
                return error_set(err, ERR_BUSY, "%s is in use by a process: not replacing it", disk);
        return 0;
}

static int YIELDS fill_folder(struct disk_store *s, const struct disks_request *req,
                              const struct base_image *base, const char *dir, struct deadline by,
                              struct error *err)
{
        const char *format = s->use_cow_images ? "qcow2" : "raw";
        CLEANUP(freep) char *drive = xasprintf("%s/disk.config", dir);

        if (file_remove_tree(s->tpool, dir, by, err) < 0)
                return -1;
        if (mkdir(dir, 0755) < 0)
                return error_system(err, errno, "making the instance's folder %s", dir);
        if (make_root_disk(s, req, base, dir, by, err) < 0 || write_info(s, dir, format, by, err) < 0 ||
            make_console_log(dir, err) < 0)
                return -1;
        return req->config_drive ? config_drive_create(s, req, dir, drive, by, err) : 0;
}

int disks_create(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
                 struct deadline by, struct error *err)
{
        int64_t root_bytes = req->instance->flavor.root_gb * GIB;
        CLEANUP(freep) char *dir = NULL;
        struct base_image base = {};
        int r;

        if (check_request(req, err) < 0)
                return -1;
        dir = xasprintf("%s/%s", s->instances_path, req->instance->uuid);
        if (check_not_in_use(dir, err) < 0)
                return -1;
        if (describe(s, req->instance, dir, s->use_cow_images ? "qcow2" : "raw", req->config_drive, into,
                     err) < 0)
                return -1;
        if (cache_get(s, req->image, req->caller, &base, by, err) < 0)
                return -1;
        image_doing(req->caller, "creating disks");
        if (root_bytes > 0 && base.virtual_size > root_bytes)
                r = error_set(err, NOVA_FLAVOR_DISK_SMALLER_THAN_IMAGE,
                              "Flavor's disk is too small for requested image. Flavor disk is %" PRId64
                              " bytes, image is %" PRId64 " bytes.",
                              root_bytes, base.virtual_size);
        else
                r = fill_folder(s, req, &base, dir, by, err);
        free(base.path);
        if (r < 0) {
                struct error ignored = {};

                green_shield_begin();
                if (file_remove_tree(s->tpool, dir, deadline_in_s(CLEANUP_TIMEOUT_S), &ignored) < 0)
                        log_warning("%s; leaving it behind", ignored.text);
                green_shield_end();
        }
        return r;
}

/* ---- finding again ---- */

static int YIELDS read_format(struct disk_store *s, const char *dir, char *buf, size_t size,
                              struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/disk.info", dir);
        CLEANUP(freep) char *disk = xasprintf("%s/disk", dir);
        CLEANUP(freep) char *text = NULL;
        struct error parse = {};
        struct jval *o;
        size_t len;

        if (file_read(s->tpool, path, INFO_MAX, &text, &len, by, err) < 0) {
                if (err->code == ERR_NOT_FOUND)
                        error_set(err, NOVA_INVALID_DISK_INFO,
                                  "%s is missing: the disk's format is not known", path);
                return -1;
        }
        o = jval_parse(text, len, &parse);
        snprintf(buf, size, "%s", jval_get_text(o, disk, ""));
        jval_unref(o);
        if (strcmp(buf, "qcow2") != 0 && strcmp(buf, "raw") != 0)
                return error_set(err, NOVA_INVALID_DISK_INFO, "%s does not say qcow2 or raw for %s", path,
                                 disk);
        return 0;
}

static int YIELDS keep_base(struct disk_store *s, const struct disks_request *req, const char *disk,
                            struct deadline by, struct error *err)
{
        CLEANUP(freep) char *base = NULL;

        if (file_backing(s->tpool, disk, &base, by, err) < 0)
                return error_while(err, "looking for the backing file of the root disk");
        return base ? cache_keep(s, base, req->instance->image_ref, req->caller, by, err) : 0;
}

int disks_load(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
               struct deadline by, struct error *err)
{
        CLEANUP(freep) char *dir = NULL;
        CLEANUP(freep) char *disk = NULL;
        CLEANUP(freep) char *drive = NULL;
        char format[16];

        if (check_uuid(req->instance->uuid, err) < 0)
                return -1;
        dir = xasprintf("%s/%s", s->instances_path, req->instance->uuid);
        disk = xasprintf("%s/disk", dir);
        drive = xasprintf("%s/disk.config", dir);
        if (access(disk, F_OK) < 0)
                return error_set(err, NOVA_INVALID_DISK_INFO, "the root disk %s is missing", disk);
        if (read_format(s, dir, format, sizeof(format), by, err) < 0)
                return -1;
        if (strcmp(format, "qcow2") == 0 && keep_base(s, req, disk, by, err) < 0)
                return -1;
        if (make_console_log(dir, err) < 0)
                return -1;
        return describe(s, req->instance, dir, format, access(drive, F_OK) == 0, into, err);
}

/* ---- removing, reading ---- */

int disks_remove(struct disk_store *s, const char *uuid, struct deadline by, struct error *err)
{
        static const char *const left[] = { "", "_resize" }; /* a nova-compute may have left the second */
        CLEANUP(freep) char *doomed = NULL;

        if (check_uuid(uuid, err) < 0)
                return -1;
        doomed = xasprintf("%s/%s_del", s->instances_path, uuid);
        if (file_remove_tree(s->tpool, doomed, by, err) < 0)
                return -1;
        for (size_t n = 0; n < ARRAY_SIZE(left); n++) {
                CLEANUP(freep) char *dir = xasprintf("%s/%s%s", s->instances_path, uuid, left[n]);

                if (rename(dir, doomed) < 0) {
                        if (errno == ENOENT)
                                continue;
                        return error_system(err, errno, "removing %s", dir);
                }
                if (file_remove_tree(s->tpool, doomed, by, err) < 0)
                        return -1;
        }
        return 0;
}

int disks_console_read(struct disk_store *s, const char *path, size_t max, char **ret, size_t *ret_len,
                       struct deadline by, struct error *err)
{
        return file_tail(s->tpool, path, max ? max : CONSOLE_MAX, ret, ret_len, by, err);
}

/* ---- the store ---- */

static int make_folder(const char *path, struct error *err)
{
        return mkdir(path, 0755) < 0 && errno != EEXIST ? error_system(err, errno, "making %s", path) : 0;
}

/* QEMU's cache mode "none" needs O_DIRECT, which not every file system has (nova-contract 7.1). */
static bool has_direct_io(const char *dir)
{
        CLEANUP(freep) char *path = xasprintf("%s/.directio.%ld", dir, (long)getpid());
        CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
        void *block = NULL;
        bool works = false;

        if (fd >= 0 && posix_memalign(&block, 4096, 4096) == 0) {
                memset(block, 0, 4096);
                works = write(fd, block, 4096) == 4096;
                free(block);
        }
        unlink(path);
        return works;
}

struct disk_store *disk_store_new(const struct disk_store_options *opt, struct error *err)
{
        struct disk_store *s = NEW(struct disk_store);

        s->instances_path = xstrdup(opt->instances_path);
        s->cache_path = xasprintf("%s/%s", opt->instances_path, opt->cache_name ? opt->cache_name : "_base");
        s->locks_path = xasprintf("%s/locks", opt->instances_path);
        s->mkisofs_cmd = xstrdup(opt->mkisofs_cmd ? opt->mkisofs_cmd : "genisoimage");
        s->force_raw_images = opt->force_raw_images;
        s->use_cow_images = opt->use_cow_images;
        s->max_concurrent_ops = opt->max_concurrent_ops;
        s->images = opt->images;
        s->tpool = opt->tpool;
        green_sem_init(&s->heavy_ops, "max_concurrent_disk_ops", (long)opt->max_concurrent_ops);
        if (make_folder(s->instances_path, err) < 0 || make_folder(s->cache_path, err) < 0 ||
            make_folder(s->locks_path, err) < 0) {
                disk_store_free(s);
                return NULL;
        }
        s->direct_io = has_direct_io(s->instances_path);
        return s;
}

void disk_store_free(struct disk_store *s)
{
        if (!s)
                return;
        free(s->instances_path);
        free(s->cache_path);
        free(s->locks_path);
        free(s->mkisofs_cmd);
        free(s);
}
