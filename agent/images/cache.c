/*
 * agent/images/cache.c: base images, fetched once and shared as backing files (nova-contract 7.4).
 *
 * The name is the SHA1 of the image's id, so it can be any text. A base appears by rename, whole and checked;
 * what is on the way is <name>.<random>.part and <name>.<random>.converted: work that was given up may go on
 * for a while on a worker, and must not meet the next attempt. The lock excludes other builds and other
 * processes with the same folder; it is only needed while the base is missing. Whoever holds it may remove
 * what others left on their way.
 *
 * With force_raw_images every base is raw. A base that looks like something else is then no older cache entry
 * to be taken as it is: the guest's own data may imitate a qcow2 header with a backing file of its choice.
 */
#define LOG_MODULE "images.cache"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "images/filework.h"
#include "images/store_priv.h"

enum { FORGET_S = 60 };

/* Does the file hold what the image's metadata says? (nova-contract 7.4) */
static bool format_fits(const char *said, const char *found)
{
        static const char *const not_checked[] = { "ami", "aki", "ari" };
        bool found_raw = strcmp(found, "raw") == 0 || strcmp(found, "iso") == 0;

        for (size_t i = 0; i < sizeof(not_checked) / sizeof(not_checked[0]); i++)
                if (strcmp(said, not_checked[i]) == 0)
                        return found_raw; /* used as raw: so that they must be */
        if (strcmp(said, "raw") == 0 || strcmp(said, "iso") == 0)
                return found_raw;
        if (strcmp(said, "vhd") == 0 || strcmp(said, "vpc") == 0)
                return strcmp(found, "vhd") == 0;
        return strcmp(said, found) == 0;
}

static bool is_raw(const struct image_header *h)
{
        return strcmp(h->format, "raw") == 0 || strcmp(h->format, "iso") == 0;
}

/* qemu-img calls it vpc. */
static const char *format_for_qemu(const struct image_header *h)
{
        if (is_raw(h))
                return "raw";
        return strcmp(h->format, "vhd") == 0 ? "vpc" : h->format;
}

/* A base that is there: looked at each time, because it is named to QEMU with a format. */
static int YIELDS use_base(struct disk_store *s, const char *path, struct base_image *ret, struct deadline by,
                           struct error *err)
{
        struct image_header header;
        struct error renewal = {};

        /* First of all: what was used just now is not removed as unused (cache_pass.c). */
        if (file_renew(s->tpool, path, by, &renewal) < 0 && renewal.code != ERR_NOT_FOUND)
                log_warning("%s; it may be removed as unused", renewal.text);
        if (file_inspect(s->tpool, path, &header, by, err) < 0) {
                if (err->code != NOVA_IMAGE_UNACCEPTABLE)
                        return -1;
                err->code = NOVA_INVALID_DISK_INFO;
                return error_while(err, "base image %s cannot be used", path);
        }
        if (s->force_raw_images && !is_raw(&header))
                return error_set(err, NOVA_INVALID_DISK_INFO,
                                 "base image %s looks like %s, and must be raw (force_raw_images)", path,
                                 header.format);
        ret->path = xstrdup(path);
        ret->virtual_size = header.virtual_size;
        snprintf(ret->format, sizeof(ret->format), "%s", format_for_qemu(&header));
        return 0;
}

/* One attempt to have a base. */
struct attempt {
        const struct image_info *image;
        const struct image_caller *caller;
        char *part, *converted;
};

static int YIELDS put_in_place(struct disk_store *s, const struct attempt *a, const char *path,
                               struct deadline by, struct error *err)
{
        const struct image_info *image = a->image;
        const char *part = a->part, *converted = a->converted, *ready = part;
        struct image_header header, raw;

        if (file_inspect(s->tpool, part, &header, by, err) < 0)
                return error_while(
                        err, err->code == NOVA_IMAGE_UNACCEPTABLE ? "Image %s is unacceptable" : "image %s",
                        image->id);
        if (!format_fits(image->disk_format, header.format))
                return error_set(err, NOVA_IMAGE_UNACCEPTABLE,
                                 "Image %s is unacceptable: it is said to be %s, but its data is %s",
                                 image->id, image->disk_format, header.format);
        if (s->force_raw_images && !is_raw(&header)) {
                image_doing(a->caller, "converting image %s from %s to raw", image->id, header.format);
                if (qemu_img_convert(s, part, format_for_qemu(&header), converted, header.virtual_size, by,
                                     err) < 0) {
                        if (err->code == ERR_EXIT)
                                err->code = NOVA_IMAGE_UNACCEPTABLE;
                        return error_while(err, "Image %s is unacceptable: converting to raw", image->id);
                }
                if (file_inspect(s->tpool, converted, &raw, by, err) < 0 || !is_raw(&raw))
                        return error_set(
                                err, NOVA_IMAGE_UNACCEPTABLE,
                                "Image %s is unacceptable: converted to raw, it looks like another format",
                                image->id);
                ready = converted;
        }
        return file_put_in_place(s->tpool, ready, path, 0644, by, err);
}

/* Whatever is left of an attempt; it has its own time for that. */
static void YIELDS forget(struct disk_store *s, struct attempt *a)
{
        struct error err = {};

        green_shield_begin();
        if (file_remove_tree(s->tpool, a->part, deadline_in_s(FORGET_S), &err) < 0 ||
            file_remove_tree(s->tpool, a->converted, deadline_in_s(FORGET_S), &err) < 0)
                log_warning("%s; it is removed with the next attempt", err.text);
        green_shield_end();
        free(a->part);
        free(a->converted);
}

static int YIELDS fetch_base(struct disk_store *s, struct attempt *a, const char *path, struct deadline by,
                             struct error *err)
{
        uint64_t number = (uint64_t)arc4random() << 32 | arc4random();
        int r;

        if (s->max_concurrent_ops)
                image_doing(a->caller, "waiting for others to fetch images (max_concurrent_disk_ops)");
        if (heavy_begin(s, by, err) < 0)
                return -1;
        log_info("fetching image %s into the cache", a->image->id);
        a->part = xasprintf("%s.%016" PRIx64 ".part", path, number);
        a->converted = xasprintf("%s.%016" PRIx64 ".converted", path, number);
        r = s->images->ops->fetch(s->images, a->image, a->caller, a->part, by, err);
        if (r == 0)
                r = put_in_place(s, a, path, by, err);
        forget(s, a);
        heavy_end(s);
        return r;
}

/* Caller frees. NULL: err. */
static char *base_path(const struct disk_store *s, const char *image_id, struct error *err)
{
        char name[DIGEST_HEX_MAX + 1];

        return digest_text("sha1", image_id, name, err) < 0 ? NULL : xasprintf("%s/%s", s->cache_path, name);
}

int cache_get(struct disk_store *s, const struct image_info *image, const struct image_caller *caller,
              struct base_image *ret, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = base_path(s, image->id, err);
        struct attempt a = { .image = image, .caller = caller };
        struct error ignored = {};
        struct file_lock *lock;
        bool there;
        int r;

        if (!path || file_exists(s->tpool, path, &there, by, err) < 0)
                return -1;
        if (there) {
                if (use_base(s, path, ret, by, err) == 0)
                        return 0;
                if (err->code != ERR_NOT_FOUND)
                        return -1;
                *err = (struct error){}; /* removed just now */
        }
        image_doing(caller, "waiting for image %s, which another build fetches", image->id);
        lock = cache_lock(s, strrchr(path, '/') + 1, by, err);
        if (!lock)
                return error_while(err, "waiting for image %s", image->id);
        r = file_exists(s->tpool, path, &there, by, err);
        if (r == 0 && !there) {
                if (cache_remove_leftovers(s, strrchr(path, '/') + 1, by, &ignored) < 0)
                        log_warning("%s; leaving it there", ignored.text);
                r = fetch_base(s, &a, path, by, err);
        }
        file_lock_release(lock);
        return r < 0 ? -1 : use_base(s, path, ret, by, err);
}

int cache_keep(struct disk_store *s, const char *path, const char *image_id,
               const struct image_caller *caller, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *expected = NULL;
        CLEANUP(image_info_free) struct image_info image = {};
        struct base_image base = {};
        struct error renewal = {};
        bool there;

        if (file_exists(s->tpool, path, &there, by, err) < 0)
                return -1;
        if (there) {
                if (file_renew(s->tpool, path, by, &renewal) < 0)
                        log_warning("%s; it may be removed as unused", renewal.text);
                return 0;
        }
        if (image_id && *image_id && !(expected = base_path(s, image_id, err)))
                return -1;
        if (!expected || strcmp(strrchr(expected, '/'), strrchr(path, '/')) != 0)
                return error_set(err, NOVA_INVALID_DISK_INFO,
                                 "the backing file %s of the root disk is missing, and it is not that of the "
                                 "instance's image: it cannot be fetched again",
                                 path);
        log_warning("the base image %s is missing, fetching image %s again", path, image_id);
        if (s->images->ops->get(s->images, image_id, caller, &image, by, err) < 0 ||
            cache_get(s, &image, caller, &base, by, err) < 0)
                return error_while(err, "fetching the missing backing file of the root disk");
        free(base.path);
        if (file_exists(s->tpool, path, &there, by, err) < 0)
                return -1;
        if (there)
                return 0;
        return error_set(err, NOVA_INVALID_DISK_INFO, "the root disk needs %s, but images are kept in %s",
                         path, s->cache_path);
}
