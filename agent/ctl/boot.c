/*
 * agent/ctl/boot.c: a new instance: the part of nova-api, the scheduler and conductor, whose choice is easy
 * where there is one host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/primitive.h"
#include "images/image_source.h"

#define USER_DATA_MAX 65535              /* of the encoded text, as nova-api */
#define OPERATOR      "compute-agentctl" /* user and project of instances made here */
#define LARGE         (INT64_C(1) << 30)

struct boot {
        const char *name, *image, *user_data_file;
        int64_t vcpus, memory_mb, disk_gb; /* disk_gb -1: as the image asks */
        bool config_drive, wait;
        struct image_info info;
        struct instance *instance;
        char *user_data, *node;
        struct request_context ctx;
};

/* ---- what is asked for ---- */

static enum ctl_exit YIELDS find_image(struct ctl *c, struct boot *b)
{
        struct image_info *images = NULL;
        struct error err;
        unsigned n = 0, matches = 0, which = 0;

        if (image_local_list(c->conf->images.local_path, &images, &n, &err) < 0)
                return ctl_error(&err, "images in %s", c->conf->images.local_path);
        for (unsigned i = 0; i < n; i++) {
                bool by_id = strcmp(images[i].id, b->image) == 0;

                if (by_id || (images[i].name && strcmp(images[i].name, b->image) == 0)) {
                        matches = by_id ? 1 : matches + 1;
                        which = i;
                        if (by_id)
                                break;
                }
        }
        for (unsigned i = 0; i < n; i++) {
                if (matches == 1 && i == which)
                        b->info = images[i];
                else
                        image_info_free(&images[i]);
        }
        free(images);
        if (matches == 1)
                return CTL_OK;
        if (matches > 1)
                return ctl_complain(CTL_FAILED,
                                    "several images are called \"%s\"; name one by its id (see "
                                    "\"compute-agentctl images\")",
                                    b->image);
        return ctl_complain(CTL_FAILED,
                            "there is no image \"%s\" in %s (see \"compute-agentctl images\" and "
                            "\"compute-agentctl image-import\")",
                            b->image, c->conf->images.local_path);
}

static enum ctl_exit check_sizes(struct boot *b)
{
        if (b->disk_gb < 0)
                b->disk_gb = b->info.min_disk_gb > 0 ? b->info.min_disk_gb : 1;
        if (b->disk_gb > 0 && b->disk_gb < b->info.min_disk_gb)
                return ctl_complain(CTL_FAILED, "image %s needs a disk of %lld GB: --disk %lld is too small",
                                    b->image, (long long)b->info.min_disk_gb, (long long)b->disk_gb);
        if (b->memory_mb < b->info.min_ram_mb)
                return ctl_complain(CTL_FAILED,
                                    "image %s needs %lld MB of memory: --memory %lld is too small", b->image,
                                    (long long)b->info.min_ram_mb, (long long)b->memory_mb);
        return CTL_OK;
}

static enum ctl_exit read_user_data(struct boot *b)
{
        char data[USER_DATA_MAX];
        size_t n;
        FILE *f;

        if (!b->user_data_file)
                return CTL_OK;
        local_files("a program for one command, whose user waits anyway");
        f = fopen(b->user_data_file, "re");
        if (!f)
                return ctl_complain(CTL_FAILED, "--user-data %s: %s", b->user_data_file, strerror(errno));
        n = fread(data, 1, sizeof(data), f);
        fclose(f);
        b->user_data = base64_encode(data, n);
        if (n == sizeof(data) || strlen(b->user_data) > USER_DATA_MAX)
                return ctl_complain(CTL_FAILED, "--user-data %s: it may have %d bytes at most",
                                    b->user_data_file, USER_DATA_MAX / 4 * 3);
        return CTL_OK;
}

/* ---- making it ---- */

static enum ctl_exit YIELDS make_rows(struct ctl *c, struct boot *b)
{
        const struct new_instance new = {
                .display_name = b->name,
                .image_ref = b->info.id,
                .user_data = b->user_data,
                .user_id = b->ctx.user_id,
                .project_id = b->ctx.project_id,
                .request_id = b->ctx.request_id,
                .image_disk_format = b->info.disk_format,
                .image_container_format = b->info.container_format,
                .memory_mb = b->memory_mb,
                .vcpus = b->vcpus,
                .root_gb = b->disk_gb,
                .image_min_disk = b->info.min_disk_gb,
                .image_min_ram = b->info.min_ram_mb,
                .config_drive = b->config_drive,
        };
        struct error err;

        if (store_instance_create(&c->store, &new, &b->instance, c->by, &err) < 0)
                return ctl_error(&err, "boot: making the rows");
        return CTL_OK;
}

/* As conductor does with a build that finds no host. */
static void YIELDS mark_failed(struct ctl *c, struct boot *b)
{
        struct deadline by = deadline_in_s(10);
        struct error err;

        b->instance->vm_state = VM_ERROR;
        b->instance->task_state = TASK_NONE;
        if (store_instance_save(&c->store, b->instance, COL_VM_STATE | COL_TASK_STATE,
                                EXPECT(TASK_SCHEDULING), by, &err) < 0 ||
            store_fault_add(&c->store, b->instance->uuid, 500, "the request could not be sent to the agent",
                            "", by, &err) < 0)
                ctl_error(&err, "instance %s is left in building", b->instance->uuid);
}

static enum ctl_exit YIELDS send_build(struct ctl *c, struct boot *b)
{
        struct block_devices disks = {};
        struct jval *args;
        struct error err;
        enum ctl_exit status;

        if (store_block_devices(&c->store, b->instance->uuid, &disks, c->by, &err) < 0) {
                mark_failed(c, b);
                return ctl_error(&err, "boot");
        }
        args = primitive_build_arguments(b->instance, &disks, &b->info, b->node);
        block_devices_free(&disks);
        status = ctl_cast(c, "build_and_run_instance", args, &b->ctx);
        if (status != CTL_OK)
                mark_failed(c, b);
        return status;
}

/* Everything that can be wrong is found before the first row is written. */
static enum ctl_exit YIELDS boot(struct ctl *c, struct boot *b)
{
        enum ctl_exit status;

        if ((status = ctl_need_conf(c)) != CTL_OK || (status = ctl_need_tpool(c)) != CTL_OK ||
            (status = find_image(c, b)) != CTL_OK || (status = check_sizes(b)) != CTL_OK ||
            (status = read_user_data(b)) != CTL_OK || (status = ctl_need_serving_agent(c)) != CTL_OK ||
            (status = ctl_need_store(c)) != CTL_OK || (status = ctl_node_name(c, &b->node)) != CTL_OK ||
            (status = make_rows(c, b)) != CTL_OK || (status = send_build(c, b)) != CTL_OK)
                return status;
        return ctl_conclude(c, b->instance, &b->ctx, b->wait);
}

enum ctl_exit ctl_boot(struct ctl *c)
{
        struct boot b = { .vcpus = 1, .memory_mb = 512, .disk_gb = -1 };
        const struct ctl_option options[] = {
                { "image", CTL_TEXT, &b.image, "IMAGE", "name or id; see images", 0, 0 },
                { "vcpus", CTL_INT, &b.vcpus, "N", "virtual CPUs; default 1", 1, 4096 },
                { "memory", CTL_INT, &b.memory_mb, "MB", "default 512", 1, LARGE },
                { "disk", CTL_INT, &b.disk_gb, "GB", "0: as large as the image; default: its min_disk, or 1",
                  0, LARGE },
                { "user-data", CTL_TEXT, &b.user_data_file, "FILE", "for cloud-init in the guest", 0, 0 },
                { "config-drive", CTL_FLAG, &b.config_drive, NULL, "attach a disk with the metadata", 0, 0 },
                { "wait", CTL_FLAG, &b.wait, NULL, "until it is done; tell how it ended", 0, 0 },
                {},
        };
        enum ctl_exit status;

        if (!ctl_arguments(c, options, &b.name, 1, 1, &status))
                return status;
        if (!b.image)
                return ctl_complain(CTL_USAGE, "boot: --image is missing (see \"compute-agentctl images\")");
        if (!*b.name)
                return ctl_complain(CTL_USAGE, "boot: the name is empty");
        request_context_admin(&b.ctx);
        b.ctx.user_id = xstrdup(OPERATOR);
        b.ctx.project_id = xstrdup(OPERATOR);
        b.ctx.roles = xstrdup("admin");
        status = boot(c, &b);
        instance_free(b.instance);
        image_info_free(&b.info);
        request_context_free(&b.ctx);
        free(b.user_data);
        free(b.node);
        return status;
}
