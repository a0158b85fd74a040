/*
 * agent/images/cache.c: base images, fetched once and shared as backing files (nova-contract 7.4).
 *
 * The name is the SHA1 of the image's id, so it can be any text. A base appears by rename, whole and checked;
 * what is on the way is <name>.part and <name>.converted. The lock excludes other builds and other processes
 * with the same folder; it is only needed while the base is missing.
 *
 * With force_raw_images every base is raw. A base that looks like something else is then no older cache entry
 * to be taken as it is: the guest's own data may imitate a qcow2 header with a backing file of its choice.
 */
#define LOG_MODULE "images.cache"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "green/lockutils.h"
#include "images/filework.h"
#include "images/store_priv.h"

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

        if (file_inspect(s->tpool, path, &header, by, err) < 0) {
                if (err->code == NOVA_IMAGE_UNACCEPTABLE)
                        err->code = NOVA_INVALID_DISK_INFO;
                return -1;
        }
        if (s->force_raw_images && !is_raw(&header))
                return error_set(err, NOVA_INVALID_DISK_INFO,
                                 "base image %s looks like %s, and must be raw (force_raw_images)", path,
                                 header.format);
        if (utimensat(AT_FDCWD, path, NULL, 0) < 0)
                log_warning("renewing the time of base image %s: %s", path, strerror(errno));
        ret->path = xstrdup(path);
        ret->virtual_size = header.virtual_size;
        snprintf(ret->format, sizeof(ret->format), "%s", format_for_qemu(&header));
        return 0;
}

static int YIELDS put_in_place(struct disk_store *s, const struct image_info *image, const char *part,
                               const char *path, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *converted = xasprintf("%s.converted", path);
        struct image_header header, raw;
        const char *ready = part;

        if (file_inspect(s->tpool, part, &header, by, err) < 0)
                return error_while(err, "image %s", image->id);
        if (!format_fits(image->disk_format, header.format))
                return error_set(err, NOVA_IMAGE_UNACCEPTABLE,
                                 "Image %s is unacceptable: it is said to be %s, but its data is %s",
                                 image->id, image->disk_format, header.format);
        if (s->force_raw_images && !is_raw(&header)) {
                if (qemu_img_convert(s, part, format_for_qemu(&header), converted, header.virtual_size, by,
                                     err) < 0) {
                        unlink(converted);
                        if (err->code == ERR_EXIT)
                                err->code = NOVA_IMAGE_UNACCEPTABLE;
                        return error_while(err, "Image %s is unacceptable: converting to raw", image->id);
                }
                if (file_inspect(s->tpool, converted, &raw, by, err) < 0 || !is_raw(&raw)) {
                        unlink(converted);
                        return error_set(
                                err, NOVA_IMAGE_UNACCEPTABLE,
                                "Image %s is unacceptable: converted to raw, it looks like another format",
                                image->id);
                }
                unlink(part);
                ready = converted;
        }
        if (chmod(ready, 0644) < 0 || rename(ready, path) < 0)
                return error_system(err, errno, "putting base image %s in place", path);
        return 0;
}

static int YIELDS fetch_base(struct disk_store *s, const struct image_info *image, const char *path,
                             struct deadline by, struct error *err)
{
        CLEANUP(freep) char *part = xasprintf("%s.part", path);
        int r;

        if (heavy_begin(s, by, err) < 0)
                return -1;
        log_info("fetching image %s into the cache", image->id);
        r = s->images->ops->fetch(s->images, image->id, part, by, err);
        if (r == 0)
                r = put_in_place(s, image, part, path, by, err);
        if (r < 0)
                unlink(part);
        heavy_end(s);
        return r;
}

int cache_get(struct disk_store *s, const struct image_info *image, struct base_image *ret,
              struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = NULL;
        CLEANUP(freep) char *lock_name = NULL;
        char name[DIGEST_HEX_MAX + 1];
        struct named_lock *lock;
        int r = 0;

        if (digest_text("sha1", image->id, name, err) < 0)
                return -1;
        path = xasprintf("%s/%s", s->cache_path, name);
        if (access(path, F_OK) == 0)
                return use_base(s, path, ret, by, err);
        lock_name = xasprintf("%s/nova-%s", s->locks_path, name);
        lock = lockutils_acquire_external(lock_name, by, err);
        if (!lock)
                return error_while(err, "waiting for image %s", image->id);
        if (access(path, F_OK) < 0)
                r = fetch_base(s, image, path, by, err);
        lockutils_release(lock);
        return r < 0 ? -1 : use_base(s, path, ret, by, err);
}
