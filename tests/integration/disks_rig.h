/*
 * tests/integration/disks_rig.h: a store of disks in a folder of its own, with an image and an instance to
 * make disks for; with the real qemu-img.
 */
#pragma once

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "green_test.h"
#include "images/disks.h"
#include "images/filework.h"
#include "process/execute.h"

#define UUID "4f1c0f6e-2d5b-4a3e-9d77-0a1b2c3d4e5f"

struct rig {
        char dir[64];
        struct tpool *pool;
        char *images_dir, *instances_dir, *source;
        struct image_source *images;
        struct disk_store *store;
        struct instance *instance;
        struct image_info image;
        struct disks_request req;
        struct guest_spec spec;
};

static inline struct deadline soon(void)
{
        return deadline_in_s(60);
}

static inline void YIELDS run(const char *const *argv)
{
        const struct execute_options opt = { .argv = argv };
        struct error err = {};

        ck_assert_ok(execute(&opt, soon(), NULL, &err), err);
}

static inline char *output_of(const char *const *argv)
{
        const struct execute_options opt = { .argv = argv };
        struct execute_result r = {};
        struct error err = {};
        char *out;

        assert_green();
        ck_assert_ok(execute(&opt, soon(), &r, &err), err);
        out = xstrdup(r.out);
        execute_result_free(&r);
        return out;
}

static inline void YIELDS open_store(struct rig *r, bool raw, bool cow)
{
        const struct disk_store_options opt = {
                .instances_path = r->instances_dir,
                .force_raw_images = raw,
                .use_cow_images = cow,
                .max_concurrent_ops = 2,
                .images = r->images,
                .tpool = r->pool,
        };
        struct error err = {};

        disk_store_free(r->store);
        r->store = disk_store_new(&opt, deadline_in_s(10), &err);
        ck_assert_msg(r->store != NULL, "%s", err.text);
}

static inline void YIELDS begin(struct rig *r)
{
        struct error err = {};

        *r = (struct rig){};
        snprintf(r->dir, sizeof(r->dir), "/var/tmp/compute-agent-disks.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(r->dir));
        r->pool = tpool_new("files", 4, &err);
        ck_assert_msg(r->pool != NULL, "%s", err.text);
        image_source_set_tpool(r->pool);
        r->images_dir = xasprintf("%s/images", r->dir);
        r->instances_dir = xasprintf("%s/instances", r->dir);
        r->source = xasprintf("%s/source", r->dir);
        r->images = image_source_local_new(r->images_dir, deadline_in_s(10), &err);
        ck_assert_msg(r->images != NULL, "%s", err.text);
        open_store(r, true, true);
        r->instance = instance_new();
        snprintf(r->instance->uuid, sizeof(r->instance->uuid), "%s", UUID);
        r->instance->flavor.root_gb = 1;
        r->req = (struct disks_request){ .instance = r->instance, .image = &r->image };
}

static inline void YIELDS end(struct rig *r)
{
        struct error err = {};

        guest_spec_free(&r->spec);
        image_info_free(&r->image);
        instance_free(r->instance);
        disk_store_free(r->store);
        r->images->ops->free(r->images);
        ck_assert_ok(file_remove_tree(r->pool, r->dir, soon(), &err), err);
        ck_assert_uint_eq(tpool_close(r->pool, soon()), 0);
        free(r->images_dir);
        free(r->instances_dir);
        free(r->source);
}

/* An image of some MiB of that format, imported. */
static inline void YIELDS give_image(struct rig *r, const char *format, const char *size)
{
        const char *const create[] = { "qemu-img", "create", "-q", "-f", format, r->source, size, NULL };
        const struct image_import what = { .file = r->source };
        struct error err = {};

        run(create);
        image_info_free(&r->image);
        ck_assert_ok(image_local_import(r->images_dir, &what, &r->image, soon(), &err), err);
        replace_str(&r->instance->image_ref, r->image.id);
}

static inline char *instance_file(const struct rig *r, const char *name)
{
        return xasprintf("%s/" UUID "%s%s", r->instances_dir, *name ? "/" : "", name);
}

static inline char *base_path(const struct rig *r)
{
        char hex[DIGEST_HEX_MAX + 1];
        struct error err = {};

        ck_assert_ok(digest_text("sha1", r->image.id, hex, &err), err);
        return xasprintf("%s/_base/%s", r->instances_dir, hex);
}

static inline bool has(const struct rig *r, const char *name)
{
        CLEANUP(freep) char *path = instance_file(r, name);

        return access(path, F_OK) == 0;
}
