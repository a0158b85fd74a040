/* tests/support/fake_files.c: see the header. */
#include "fake_files.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "images/cache_pass.h"
#include "images/disk_plan.h"

#define FOLDERS_MAX 64

static char folders[FOLDERS_MAX][UUID_LEN + 1];
static unsigned config_drives;
static char password[64], passed[256], image_token[64], disks_token[64];
static struct {
        char what[24], text[128];
        int code;
} plan;
static const char *console;
static size_t console_len;
static struct image_info image;
static char discarded[128];

static bool shared;
static unsigned taken_back;

void fake_files_reset(void)
{
        memset(folders, 0, sizeof(folders));
        memset(&plan, 0, sizeof(plan));
        discarded[0] = '\0';
        config_drives = 0;
        password[0] = passed[0] = image_token[0] = disks_token[0] = '\0';
        console = NULL;
        console_len = 0;
        shared = false;
        taken_back = 0;
        image = (struct image_info){ .id = "image-1",
                                     .name = "an image",
                                     .disk_format = "raw",
                                     .container_format = "bare",
                                     .status = "active",
                                     .size = 1048576 };
}

struct image_info *fake_image(void)
{
        return &image;
}

static int YIELDS begin(const char *what, struct deadline by, struct error *err)
{
        green_yield();
        if (green_cancelled())
                return error_set(err, ERR_CANCELLED, "%s was cancelled", what);
        if (strcmp(plan.what, what) != 0)
                return deadline_passed(by) ? error_set(err, ERR_TIMEOUT, "%s took too long", what) : 0;
        plan.what[0] = '\0';
        return error_set(err, plan.code, "%s", plan.text);
}

void fake_files_fail_next(const char *what, int code, const char *text)
{
        snprintf(plan.what, sizeof(plan.what), "%s", what);
        snprintf(plan.text, sizeof(plan.text), "%s", text);
        plan.code = code;
}

/* ---- images ---- */

const char *fake_files_image_token(void)
{
        return image_token;
}

const char *fake_files_disks_token(void)
{
        return disks_token;
}

static void note_token(char to[64], const struct image_caller *caller)
{
        snprintf(to, 64, "%s", caller && caller->token ? caller->token : "");
}

void image_info_free(struct image_info *i)
{
        free(i->id);
        free(i->name);
        free(i->disk_format);
        free(i->container_format);
        free(i->status);
        *i = (struct image_info){};
}

static int get_image(struct image_source *s, const char *id, const struct image_caller *caller,
                     struct image_info *ret, struct deadline by, struct error *err)
{
        assert_green();
        note_token(image_token, caller);
        if (begin("get_image", by, err) < 0)
                return -1;
        if (strcmp(id, image.id) != 0)
                return error_set(err, NOVA_IMAGE_NOT_FOUND, "Image %s could not be found.", id);
        *ret = image;
        ret->id = xstrdup(image.id);
        ret->name = xstrdup(image.name);
        ret->disk_format = xstrdup(image.disk_format);
        ret->container_format = xstrdup(image.container_format);
        ret->status = xstrdup(image.status);
        return 0;
}

static int discard_image(struct image_source *s, const char *id, const struct image_caller *caller,
                         struct deadline by, struct error *err)
{
        assert_green();
        if (begin("discard_image", by, err) < 0)
                return -1;
        snprintf(discarded, sizeof(discarded), "%s for %s", id, caller->token ? caller->token : "nobody");
        return 0;
}

const char *fake_image_discarded(void)
{
        return discarded;
}

static const struct image_source_ops image_ops = { .name = "fake",
                                                   .get = get_image,
                                                   .discard = discard_image };
static struct image_source the_images = { &image_ops };

struct image_source *fake_images(void)
{
        return &the_images;
}

/* ---- disks ---- */

struct disk_store {
        int unused;
};
static struct disk_store the_disks;

struct disk_store *fake_disks(void)
{
        return &the_disks;
}

bool fake_files_exist(const char *uuid)
{
        for (unsigned f = 0; f < FOLDERS_MAX; f++)
                if (strcmp(folders[f], uuid) == 0)
                        return true;
        return false;
}

void fake_files_add(const char *uuid)
{
        for (unsigned f = 0; f < FOLDERS_MAX; f++) {
                if (folders[f][0])
                        continue;
                snprintf(folders[f], sizeof(folders[f]), "%s", uuid);
                return;
        }
        abort();
}

unsigned fake_files_config_drives(void)
{
        return config_drives;
}

const char *fake_files_admin_password(void)
{
        return password;
}

static int fill(const struct disks_request *req, struct guest_spec *into, struct error *err)
{
        struct disk_plan disks;

        if (disk_plan_make(req->instance, req->devices, req->config_drive, &disks, err) < 0)
                return -1;
        guest_spec_forget_disks(into);
        into->disks = xcalloc(disks.n, sizeof(*into->disks));
        for (; into->n_disks < disks.n; into->n_disks++) {
                const struct planned_disk *d = &disks.disks[into->n_disks];

                into->disks[into->n_disks] = (struct guest_disk){
                        .path = xasprintf("/fake/%s/%s", req->instance->uuid, d->file),
                        .format = xstrdup(d->cdrom ? "raw" : "qcow2"),
                        .cache = xstrdup("none"),
                        .target = xstrdup(d->target),
                        .bus = xstrdup(d->bus),
                        .cdrom = d->cdrom,
                };
        }
        into->console_log = xasprintf("/fake/%s/console.log", req->instance->uuid);
        return 0;
}

int disks_create(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
                 struct deadline by, struct error *err)
{
        note_token(disks_token, req->caller);
        if (req->caller && req->caller->doing)
                req->caller->doing(req->caller->arg, "downloading image image-1: 37 % of 2.1 GiB");
        if (begin("create", by, err) < 0)
                return -1;
        if (strcmp(req->image->status, "active") != 0)
                return error_set(err, NOVA_IMAGE_NOT_ACTIVE, "Image %s is not active.", req->image->id);
        if (!fake_files_exist(req->instance->uuid))
                fake_files_add(req->instance->uuid);
        config_drives += req->config_drive;
        snprintf(password, sizeof(password), "%s", req->admin_password ? req->admin_password : "");
        return fill(req, into, err);
}

int disks_load(struct disk_store *s, const struct disks_request *req, struct guest_spec *into,
               struct deadline by, struct error *err)
{
        note_token(disks_token, req->caller);
        if (begin("load", by, err) < 0)
                return -1;
        if (!fake_files_exist(req->instance->uuid))
                return error_set(err, NOVA_INVALID_DISK_INFO, "the root disk is missing");
        return fill(req, into, err);
}

int disks_remove(struct disk_store *s, const char *uuid, struct deadline by, struct error *err)
{
        if (begin("remove", by, err) < 0)
                return -1;
        for (unsigned f = 0; f < FOLDERS_MAX; f++)
                if (strcmp(folders[f], uuid) == 0)
                        folders[f][0] = '\0';
        return 0;
}

int disks_take_back(struct disk_store *s, const char *uuid, struct deadline by, struct error *err)
{
        if (begin("take_back", by, err) < 0)
                return -1;
        taken_back++;
        return 0;
}

unsigned fake_files_taken_back(void)
{
        return taken_back;
}

int disks_check(struct disk_store *s, struct deadline by, struct error *err)
{
        return begin("check", by, err);
}

bool disks_are_shared(const struct disk_store *s)
{
        return shared;
}

void fake_files_set_shared(bool yes)
{
        shared = yes;
}

void fake_files_set_console(const char *bytes, size_t len)
{
        console = bytes;
        console_len = len;
}

int disks_console_read(struct disk_store *s, const char *path, size_t max, char **ret, size_t *ret_len,
                       struct deadline by, struct error *err)
{
        if (begin("console_read", by, err) < 0)
                return -1;
        *ret = xmemdup(console ? console : "", console_len);
        *ret_len = console_len;
        return 0;
}

int disks_usage(struct disk_store *s, struct disks_usage *ret, struct deadline by, struct error *err)
{
        if (begin("usage", by, err) < 0)
                return -1;
        *ret = (struct disks_usage){ .total_bytes = INT64_C(251) << 30,
                                     .available_bytes = INT64_C(80) << 30,
                                     .over_committed_bytes = INT64_C(6) << 30 };
        return 0;
}

/* ---- the cache ---- */

const char *fake_files_cache_pass(void)
{
        return passed;
}

int images_cache_pass(struct disk_store *s, const struct cache_pass *pass, struct cache_pass_result *ret,
                      struct deadline by, struct error *err)
{
        size_t n = 0;

        if (begin("cache_pass", by, err) < 0)
                return -1;
        passed[0] = '\0';
        for (unsigned i = 0; i < pass->n_image_ids && n < sizeof(passed); i++)
                n += (size_t)snprintf(passed + n, sizeof(passed) - n, "%s ", pass->image_ids[i]);
        *ret = (struct cache_pass_result){};
        return 0;
}

int disks_remove_leftovers(struct disk_store *s, struct deadline by, struct error *err)
{
        return begin("remove_leftovers", by, err);
}
