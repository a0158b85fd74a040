/* agent/ctl/images.c: the local folder of images: listing it, and importing into it. The agent need not run.
 */
#include "images/image_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

#define SIZE_MAX_GB (INT64_C(1) << 20)

static struct jval *image_value(const struct image_info *i)
{
        struct jval *o = jval_new_object();

        jval_set_text(o, "id", i->id);
        jval_set_text(o, "name", i->name);
        jval_set_text(o, "disk_format", i->disk_format);
        jval_set_text(o, "container_format", i->container_format);
        jval_set_text(o, "status", i->status);
        jval_set_int(o, "size", i->size);
        jval_set_int(o, "min_disk", i->min_disk_gb);
        jval_set_int(o, "min_ram", i->min_ram_mb);
        jval_set_text(o, "checksum_algo", i->checksum_algo);
        jval_set_text(o, "checksum", i->checksum);
        jval_set_text(o, "created_at", i->created_at);
        return o;
}

static void size_cell(struct table *t, int64_t bytes)
{
        char text[32];

        format_bytes((double)bytes, text, sizeof(text));
        table_cell(t, text);
}

static void print_images(const struct ctl *c, const struct image_info *images, unsigned n)
{
        static const char *const headers[] = { "ID",        "NAME",     "FORMAT", "#SIZE",
                                               "#MIN DISK", "#MIN RAM", "STATUS", NULL };
        struct jval CLEANUP(jval_unrefp) *all = jval_new_object();
        struct jval *list = jval_new_array();
        struct table t;

        table_begin(&t, headers);
        for (unsigned i = 0; i < n; i++) {
                jval_push(list, image_value(&images[i]));
                table_cell(&t, images[i].id);
                table_cell(&t, images[i].name);
                table_cell(&t, images[i].disk_format);
                size_cell(&t, images[i].size);
                table_cellf(&t, "%lld GB", (long long)images[i].min_disk_gb);
                table_cellf(&t, "%lld MB", (long long)images[i].min_ram_mb);
                table_cell(&t, images[i].status);
        }
        jval_set(all, "images", list);
        if (c->json)
                print_json(all);
        if (c->json)
                table_free(&t);
        else
                table_print(&t, "no images here (\"compute-agentctl image-import FILE\" brings one in)");
}

enum ctl_exit ctl_images(struct ctl *c)
{
        static const struct ctl_option no_options[] = { {} };
        struct image_info *images = NULL;
        struct error err;
        enum ctl_exit status;
        unsigned n = 0;

        if (!ctl_arguments(c, no_options, NULL, 0, 0, &status) || (status = ctl_need_conf(c)) != CTL_OK ||
            (status = ctl_need_tpool(c)) != CTL_OK)
                return status;
        if (image_local_list(c->conf->images.local_path, &images, &n, &err) < 0)
                return ctl_error(&err, "images in %s", c->conf->images.local_path);
        print_images(c, images, n);
        for (unsigned i = 0; i < n; i++)
                image_info_free(&images[i]);
        free(images);
        return CTL_OK;
}

enum ctl_exit ctl_image_import(struct ctl *c)
{
        struct image_import what = {};
        struct image_info made = {};
        const char *words[1] = {};
        const struct ctl_option options[] = {
                { "name", CTL_TEXT, &what.name, "N", "default: the file's name", 0, 0 },
                { "id", CTL_TEXT, &what.id, "ID", "a uuid; default: a new one", 0, 0 },
                { "format", CTL_TEXT, &what.disk_format, "F", "raw, qcow2, ...; default: as its header says",
                  0, 0 },
                { "min-disk", CTL_INT, &what.min_disk_gb, "G", "smallest disk in GB", 0, SIZE_MAX_GB },
                { "min-ram", CTL_INT, &what.min_ram_mb, "M", "smallest memory in MB", 0, SIZE_MAX_GB },
                {},
        };
        const char *base;
        struct error err;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        ctl_may_take_long(c);
        if ((status = ctl_need_conf(c)) != CTL_OK || (status = ctl_need_tpool(c)) != CTL_OK)
                return status;
        local_files("a program for one command, whose user waits anyway");
        if (mkdir(c->conf->state_path, 0755) < 0 && errno != EEXIST)
                return ctl_complain(CTL_FAILED, "making the directory %s: %s", c->conf->state_path,
                                    strerror(errno));
        base = strrchr(words[0], '/');
        what.file = words[0];
        what.name = what.name ? what.name : base ? base + 1 : words[0];
        if (what.id && !uuid_is(what.id))
                return ctl_complain(CTL_USAGE, "image-import: --id: \"%s\" is no uuid", what.id);
        if (image_local_import(c->conf->images.local_path, &what, &made, c->by, &err) < 0)
                return ctl_error(&err, "image-import");
        print_images(c, &made, 1);
        image_info_free(&made);
        return CTL_OK;
}
