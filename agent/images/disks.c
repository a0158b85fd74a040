/*
 * agent/images/disks.c: the folder of an instance: its disks, disk.info, console log (nova-contract 7.3).
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
#include <sys/vfs.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "images/filework.h"
#include "images/store_priv.h"
#include "json/json.h"

enum { CONSOLE_MAX = 102400 };
static const double CLEANUP_TIMEOUT_S = 60;

/* ---- the description ---- */

static char *path_of(const char *dir, const struct planned_disk *d)
{
        return xasprintf("%s/%s", dir, d->file);
}

static void add_disk(const struct disk_store *s, struct guest_spec *into, const char *dir,
                     const struct planned_disk *d, const char *format)
{
        into->disks = xrealloc(into->disks, (into->n_disks + 1) * sizeof(*into->disks));
        into->disks[into->n_disks++] = (struct guest_disk){
                .path = path_of(dir, d),
                .format = xstrdup(d->role == DISK_CONFIG_DRIVE ? "raw" : format),
                .cache = xstrdup(s->cache_mode),
                .discard = *s->discard ? xstrdup(s->discard) : NULL,
                .target = xstrdup(d->target),
                .bus = xstrdup(d->bus),
                .cdrom = d->cdrom,
        };
}

/* ---- what can be refused at once ---- */

static int check_uuid(const char *uuid, struct error *err)
{
        return uuid_is(uuid) ? 0 : error_set(err, NOVA_INVALID_INPUT, "\"%.64s\" is no uuid", uuid);
}

/* What nova boots, too, but by other ways than a disk (iso), is not here. */
static bool is_bootable(const char *disk_format)
{
        static const char *const formats[] = { "raw", "qcow2", "vmdk", "vdi", "vhd", "vpc", "ami" };

        for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
                if (strcmp(disk_format, formats[i]) == 0)
                        return true;
        return false;
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
        if (!is_bootable(image->disk_format))
                return error_set(
                        err, NOVA_NOT_IMPLEMENTED,
                        "Image %s cannot be booted by this agent: its disk format is %.32s, and only "
                        "raw, qcow2, vmdk, vdi, vhd and ami are supported",
                        image->id, *image->disk_format ? image->disk_format : "not known");
        if (i->flavor.root_gb > 0 && image->min_disk_gb > i->flavor.root_gb)
                return error_set(
                        err, NOVA_FLAVOR_DISK_SMALLER_THAN_MIN_DISK,
                        "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor "
                        "disk is %" PRId64 " bytes, minimum size is %" PRId64 " bytes.",
                        i->flavor.root_gb * GIB, image->min_disk_gb * GIB);
        return 0;
}

/* ---- making ---- */

static const char *new_format(const struct disk_store *s)
{
        return s->use_cow_images ? "qcow2" : "raw";
}

/* The config drive is not in it: nova makes that after the others, and its format is in its name. */
static int YIELDS write_info(struct disk_store *s, const char *dir, const struct disk_plan *plan,
                             struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/disk.info", dir);
        CLEANUP(freep) char *json = NULL;
        CLEANUP(freep) char *line = NULL;
        struct jval *o = jval_new_object();

        for (unsigned k = 0; k < plan->n; k++) {
                CLEANUP(freep) char *disk = path_of(dir, &plan->disks[k]);

                if (plan->disks[k].role != DISK_CONFIG_DRIVE)
                        jval_set_text(o, disk, new_format(s));
        }
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
        return r == 0 ? file_set_length(s->tpool, disk, size, by, err) : r;
}

static int YIELDS make_console_log(struct disk_store *s, const char *dir, struct deadline by,
                                   struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/console.log", dir);

        return file_create(s->tpool, path, 0640, by, err);
}

/*
 * A request that came twice must never cost a running guest its disk. QEMU keeps shared locks on the bytes
 * from 100 on of each image that it has open.
 */
static int probe_locks(void *arg, const bool *given_up, struct error *err)
{
        struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 200 };
        CLEANUP(closep) int fd = -1;
        const char *disk = arg;

        assert_on_worker();
        (void)given_up;
        fd = open(disk, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* it may be QEMU's user's */
        if (fd < 0 && errno != ENOENT)
                return error_system(err, errno, "looking who uses %s", disk);
        if (fd >= 0 && fcntl(fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK)
                return error_set(err, ERR_BUSY, "%s is in use by a process: not replacing it", disk);
        return 0;
}

static int YIELDS check_not_in_use(struct disk_store *s, const char *dir, struct deadline by,
                                   struct error *err)
{
        char *disk = xasprintf("%s/disk", dir);
        const struct file_call c = { "look who uses disk", disk, probe_locks, disk, free, NULL, NULL };

        return file_call(s->tpool, &c, file_soon(by), err);
}

static int YIELDS make_disk(struct disk_store *s, const struct disks_request *req,
                            const struct base_image *base, const char *dir, const struct planned_disk *d,
                            struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = path_of(dir, d);

        switch (d->role) {
        case DISK_ROOT:
                return make_root_disk(s, req, base, dir, by, err);
        case DISK_EPHEMERAL:
        case DISK_SWAP:
                return blank_disk_create(s, req->instance, d, dir, by, err);
        case DISK_CONFIG_DRIVE:
                return config_drive_create(s, req, dir, path, by, err);
        }
        return 0;
}

static int YIELDS fill_folder(struct disk_store *s, const struct disks_request *req,
                              const struct disk_plan *plan, const struct base_image *base, const char *dir,
                              struct deadline by, struct error *err)
{
        if (file_remove_tree(s->tpool, dir, by, err) < 0 ||
            file_make_folder(s->tpool, dir, 0755, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < plan->n; k++)
                if (make_disk(s, req, base, dir, &plan->disks[k], by, err) < 0)
                        return -1;
        if (write_info(s, dir, plan, by, err) < 0)
                return -1;
        return make_console_log(s, dir, by, err);
}

static void YIELDS remove_failed(struct disk_store *s, const char *dir)
{
        struct error ignored = {};

        green_shield_begin();
        if (file_remove_tree(s->tpool, dir, deadline_in_s(CLEANUP_TIMEOUT_S), &ignored) < 0)
                log_warning("%s; leaving it behind", ignored.text);
        green_shield_end();
}

int disks_create(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
                 struct deadline by, struct error *err)
{
        int64_t root_bytes = req->instance->flavor.root_gb * GIB;
        CLEANUP(freep) char *dir = NULL;
        struct base_image base = {};
        struct disk_plan plan;
        int r;

        if (check_request(req, err) < 0 ||
            disk_plan_make(req->instance, req->devices, req->config_drive, &plan, err) < 0)
                return -1;
        dir = xasprintf("%s/%s", s->instances_path, req->instance->uuid);
        if (check_not_in_use(s, dir, by, err) < 0)
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
                r = fill_folder(s, req, &plan, &base, dir, by, err);
        free(base.path);
        if (r < 0) {
                remove_failed(s, dir);
                return -1;
        }
        guest_spec_forget_disks(into);
        for (unsigned k = 0; k < plan.n; k++)
                add_disk(s, into, dir, &plan.disks[k], new_format(s));
        into->console_log = xasprintf("%s/console.log", dir);
        return 0;
}

/* ---- finding again ---- */

static int YIELDS read_info(struct disk_store *s, const char *dir, struct jval **ret, struct deadline by,
                            struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/disk.info", dir);
        CLEANUP(freep) char *text = NULL;
        struct error parse = {};
        size_t len;

        if (file_read(s->tpool, path, DISK_INFO_MAX, &text, &len, by, err) < 0) {
                if (err->code == ERR_NOT_FOUND)
                        error_set(err, NOVA_INVALID_DISK_INFO,
                                  "%s is missing: the formats of the disks are not known", path);
                return -1;
        }
        *ret = jval_parse(text, len, &parse);
        return *ret ? 0 : error_set(err, NOVA_INVALID_DISK_INFO, "%s: %.300s", path, parse.text);
}

static int YIELDS keep_base(struct disk_store *s, const struct disks_request *req, const char *disk,
                            struct deadline by, struct error *err)
{
        CLEANUP(freep) char *base = NULL;

        if (file_backing(s->tpool, disk, &base, by, err) < 0)
                return error_while(err, "looking for the backing file of the root disk");
        return base ? cache_keep(s, base, req->instance->image_ref, req->caller, by, err) : 0;
}

/* The disk is there with all it needs. *ret_format is borrowed from info. */
static int YIELDS check_disk(struct disk_store *s, const struct disks_request *req, const char *dir,
                             const struct planned_disk *d, const struct jval *info, const char **ret_format,
                             struct deadline by, struct error *err)
{
        CLEANUP(freep) char *disk = path_of(dir, d);
        bool there;

        *ret_format = "raw";
        if (d->role == DISK_CONFIG_DRIVE)
                return 0;
        if (file_exists(s->tpool, disk, &there, by, err) < 0)
                return -1;
        if (!there)
                return error_set(err, NOVA_INVALID_DISK_INFO, "%s disk %s is missing",
                                 d->role == DISK_ROOT ? "the root" : "the", disk);
        *ret_format = jval_get_text(info, disk, "");
        if (strcmp(*ret_format, "raw") == 0)
                return 0;
        if (strcmp(*ret_format, "qcow2") != 0)
                return error_set(err, NOVA_INVALID_DISK_INFO, "%s/disk.info does not say qcow2 or raw for %s",
                                 dir, disk);
        return d->role == DISK_ROOT ? keep_base(s, req, disk, by, err) : blank_disk_check(s, disk, by, err);
}

int disks_load(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
               struct deadline by, struct error *err)
{
        CLEANUP(freep) char *dir = NULL;
        CLEANUP(freep) char *drive = NULL;
        CLEANUP(jval_unrefp) struct jval *info = NULL;
        struct disk_plan plan;
        bool has_drive;

        if (check_uuid(req->instance->uuid, err) < 0)
                return -1;
        dir = xasprintf("%s/%s", s->instances_path, req->instance->uuid);
        drive = xasprintf("%s/disk.config", dir);
        if (file_exists(s->tpool, drive, &has_drive, by, err) < 0 ||
            disk_plan_make(req->instance, req->devices, has_drive, &plan, err) < 0 ||
            read_info(s, dir, &info, by, err) < 0)
                return -1;
        guest_spec_forget_disks(into);
        for (unsigned k = 0; k < plan.n; k++) {
                const char *format;

                if (check_disk(s, req, dir, &plan.disks[k], info, &format, by, err) < 0) {
                        guest_spec_forget_disks(into);
                        return -1;
                }
                add_disk(s, into, dir, &plan.disks[k], format);
        }
        into->console_log = xasprintf("%s/console.log", dir);
        return make_console_log(s, dir, by, err);
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

                if (file_rename(s->tpool, dir, doomed, by, err) < 0) {
                        if (err->code != ERR_NOT_FOUND)
                                return error_while(err, "removing %s", dir);
                        *err = (struct error){};
                        continue;
                }
                if (file_remove_tree(s->tpool, doomed, by, err) < 0)
                        return -1;
        }
        return 0;
}

int disks_take_back(struct disk_store *s, const char *uuid, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *aside = NULL, *dir = NULL, *doomed = NULL;
        bool there;

        if (check_uuid(uuid, err) < 0)
                return -1;
        dir = xasprintf("%s/%s", s->instances_path, uuid);
        aside = xasprintf("%s_resize", dir);
        doomed = xasprintf("%s_del", dir);
        if (file_exists(s->tpool, aside, &there, by, err) < 0)
                return -1;
        if (!there)
                return 0;
        if (file_remove_tree(s->tpool, doomed, by, err) < 0)
                return -1;
        if (file_rename(s->tpool, dir, doomed, by, err) < 0 && err->code != ERR_NOT_FOUND)
                return error_while(err, "putting %s aside", dir);
        *err = (struct error){};
        if (file_rename(s->tpool, aside, dir, by, err) < 0)
                return error_while(err, "taking %s back", aside);
        return file_remove_tree(s->tpool, doomed, by, err);
}

/* Numbers of statfs(2): NFS, CIFS, SMB2, Ceph, FUSE (GlusterFS and others), GFS2, OCFS2, Lustre, 9p, AFS. */
static bool BLOCKS is_shared(const char *path)
{
        static const uint32_t types[] = { 0x6969,     0xff534d42, 0xfe534d42, 0x00c36400, 0x65735546,
                                          0x01161970, 0x7461636f, 0x0bd00bd0, 0x01021997, 0x5346414f };
        struct statfs fs;

        if (statfs(path, &fs) < 0)
                return true; /* the safe answer */
        for (size_t n = 0; n < ARRAY_SIZE(types); n++)
                if ((uint32_t)fs.f_type == types[n])
                        return true;
        return false;
}

bool disks_are_shared(const struct disk_store *s)
{
        return s->shared;
}

int disks_console_read(struct disk_store *s, const char *path, size_t max, char **ret, size_t *ret_len,
                       struct deadline by, struct error *err)
{
        return file_tail(s->tpool, path, max ? max : CONSOLE_MAX, ret, ret_len, by, err);
}

int disks_check(struct disk_store *s, struct deadline by, struct error *err)
{
        if (file_check_access(s->tpool, s->instances_path, R_OK | W_OK | X_OK, by, err) == 0)
                return 0;
        if (err->code == ERR_TIMEOUT || err->code == ERR_CANCELLED)
                return error_while(err, "instances_path %s", s->instances_path);
        error_while(err, "instances_path %s cannot be written", s->instances_path);
        err->code = ERR_INVALID;
        return -1;
}

/* ---- the store ---- */

/* QEMU's cache mode "none" needs O_DIRECT, which not every file system has (nova-contract 7.1). */
static bool BLOCKS has_direct_io(const char *dir)
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

/* What [libvirt] disk_cachemodes says of files, the last word counting; else by what the files can do. */
static char *cache_mode_of(const char *modes, bool direct_io)
{
        const char *found = NULL;

        for (const char *at = modes; at && (at = strstr(at, "file=")); at++)
                found = at + strlen("file=");
        if (found)
                return xstrndup(found, strcspn(found, ", "));
        return xstrdup(direct_io ? "none" : "writeback");
}

/* What the file system below instances_path is. */
struct facts {
        char *path;
        bool direct_io, shared;
};

static void facts_free(void *arg)
{
        struct facts *f = arg;

        free(f->path);
        free(f);
}

static int find_facts(void *arg, const bool *given_up, struct error *err)
{
        struct facts *f = arg;

        assert_on_worker();
        (void)given_up;
        (void)err;
        f->direct_io = has_direct_io(f->path);
        f->shared = is_shared(f->path);
        return 0;
}

static void take_facts(void *arg, void *into)
{
        const struct facts *f = arg;
        struct disk_store *s = into;

        s->direct_io = f->direct_io;
        s->shared = f->shared;
}

static int YIELDS learn_facts(struct disk_store *s, struct deadline by, struct error *err)
{
        struct facts *f = NEW(struct facts);
        const struct file_call c = { "look at folder", s->instances_path, find_facts, f,
                                     facts_free,       take_facts,        s };

        f->path = xstrdup(s->instances_path);
        return file_call(s->tpool, &c, file_soon(by), err);
}

struct disk_store *disk_store_new(const struct disk_store_options *opt, struct deadline by, struct error *err)
{
        struct disk_store *s = NEW(struct disk_store);

        s->instances_path = xstrdup(opt->instances_path);
        s->cache_path = xasprintf("%s/%s", opt->instances_path, opt->cache_name ? opt->cache_name : "_base");
        s->locks_path = xasprintf("%s/locks", opt->instances_path);
        s->mkisofs_cmd = xstrdup(opt->mkisofs_cmd ? opt->mkisofs_cmd : "genisoimage");
        s->default_ephemeral_format =
                xstrdup(opt->default_ephemeral_format ? opt->default_ephemeral_format : "");
        s->discard = xstrdup(opt->discard ? opt->discard : "");
        s->force_raw_images = opt->force_raw_images;
        s->use_cow_images = opt->use_cow_images;
        s->max_concurrent_ops = opt->max_concurrent_ops;
        s->images = opt->images;
        s->tpool = opt->tpool;
        green_sem_init(&s->heavy_ops, "max_concurrent_disk_ops", (long)opt->max_concurrent_ops);
        if (file_make_folders(s->tpool, s->instances_path, 0755, by, err) < 0 ||
            file_make_folder(s->tpool, s->cache_path, 0755, by, err) < 0 ||
            file_make_folder(s->tpool, s->locks_path, 0755, by, err) < 0 || learn_facts(s, by, err) < 0) {
                disk_store_free(s);
                return NULL;
        }
        s->cache_mode = cache_mode_of(opt->disk_cachemodes, s->direct_io);
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
        free(s->default_ephemeral_format);
        free(s->cache_mode);
        free(s->discard);
        free(s);
}
