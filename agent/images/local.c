/*
 * agent/images/local.c: a folder of images: <id>.json says what glance would, <id>.img is the data.
 *
 * An image exists from the moment its .json does: the data is put in place before. Ids become file names, so
 * only those of harmless characters exist at all.
 */
#include "images/image_source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "images/filework.h"
#include "json/json.h"

enum { METADATA_MAX = 256 << 10, ID_MAX = 128 };
#define ALGO "sha512"

static bool id_is_harmless(const char *id)
{
        size_t len = id ? strlen(id) : 0;

        return len > 0 && len <= ID_MAX && id[0] != '.' &&
               strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") == len;
}

/* ---- metadata ---- */

static char *text_of(const struct jval *o, const char *key, const char *fallback)
{
        return xstrdup(jval_get_text(o, key, fallback));
}

static int parse_metadata(const char *id, const char *text, size_t len, struct image_info *ret,
                          struct error *err)
{
        struct jval *o = jval_parse(text, len, err);

        if (!o)
                return error_while(err, "metadata of image %s", id);
        if (jval_type(o) != JVAL_OBJECT || !jval_get_text(o, "disk_format", NULL)) {
                jval_unref(o);
                return error_set(err, NOVA_IMAGE_UNACCEPTABLE, "metadata of image %s names no disk_format",
                                 id);
        }
        *ret = (struct image_info){
                .id = xstrdup(id),
                .name = text_of(o, "name", id),
                .disk_format = text_of(o, "disk_format", ""),
                .container_format = text_of(o, "container_format", "bare"),
                .status = text_of(o, "status", "active"),
                .checksum_algo = text_of(o, "os_hash_algo", NULL),
                .checksum = text_of(o, "os_hash_value", NULL),
                .size = jval_get_int(o, "size", 0),
                .min_disk_gb = jval_get_int(o, "min_disk", 0),
                .min_ram_mb = jval_get_int(o, "min_ram", 0),
                .created_at = text_of(o, "created_at", NULL),
        };
        jval_unref(o);
        return 0;
}

static char *print_metadata(const struct image_info *i)
{
        struct jval *o = jval_new_object();
        char *text;

        jval_set_text(o, "id", i->id);
        jval_set_text(o, "name", i->name);
        jval_set_text(o, "status", i->status);
        jval_set_text(o, "disk_format", i->disk_format);
        jval_set_text(o, "container_format", i->container_format);
        jval_set_int(o, "size", i->size);
        jval_set_int(o, "min_disk", i->min_disk_gb);
        jval_set_int(o, "min_ram", i->min_ram_mb);
        jval_set_text(o, "os_hash_algo", i->checksum_algo);
        jval_set_text(o, "os_hash_value", i->checksum);
        jval_set_text(o, "created_at", i->created_at);
        text = jval_print_pretty(o, NULL);
        jval_unref(o);
        return text;
}

static int not_found(const char *id, struct error *err)
{
        return error_set(err, NOVA_IMAGE_NOT_FOUND, "Image %.*s could not be found.", ID_MAX, id ? id : "");
}

static int YIELDS read_metadata(const char *dir, const char *id, struct image_info *ret, struct deadline by,
                                struct error *err)
{
        CLEANUP(freep) char *path = NULL;
        CLEANUP(freep) char *text = NULL;
        size_t len;

        if (!id_is_harmless(id))
                return not_found(id, err);
        path = xasprintf("%s/%s.json", dir, id);
        if (file_read(image_source_tpool(), path, METADATA_MAX, &text, &len, by, err) < 0)
                return err->code == ERR_NOT_FOUND ? not_found(id, err) : -1;
        return parse_metadata(id, text, len, ret, err);
}

/* ---- the source ---- */

struct local_source {
        struct image_source base;
        char *dir;
};

static struct local_source *local_of(struct image_source *s)
{
        return CONTAINER_OF(s, struct local_source, base);
}

static int local_get(struct image_source *s, const char *id, const struct image_caller *caller,
                     struct image_info *ret, struct deadline by, struct error *err)
{
        assert_green();
        (void)caller; /* whoever can use the agent's socket may use its images */
        return read_metadata(local_of(s)->dir, id, ret, by, err);
}

static int local_fetch(struct image_source *s, const struct image_info *image,
                       const struct image_caller *caller, const char *path, struct deadline by,
                       struct error *err)
{
        CLEANUP(freep) char *from = NULL;
        char hex[DIGEST_HEX_MAX + 1] = "";

        assert_green();
        if (!id_is_harmless(image->id))
                return not_found(image->id, err);
        image_doing(caller, "copying image %s", image->id);
        from = xasprintf("%s/%s.img", local_of(s)->dir, image->id);
        if (file_copy(image_source_tpool(), from, path, image->checksum_algo, hex, by, err) < 0) {
                if (err->code == ERR_NOT_FOUND)
                        error_set(err, NOVA_IMAGE_NOT_FOUND, "image %s has no data", image->id);
                else if (err->code == ERR_UNSUPPORTED)
                        err->code = NOVA_IMAGE_UNACCEPTABLE;
                return -1;
        }
        if (!image->checksum || strcasecmp(image->checksum, hex) == 0)
                return 0;
        file_discard(image_source_tpool(), path);
        return error_set(err, NOVA_IMAGE_UNACCEPTABLE,
                         "data of image %s is damaged: its %s is %.16s..., not %.16s...", image->id,
                         image->checksum_algo ? image->checksum_algo : "checksum", hex, image->checksum);
}

static void local_free(struct image_source *s)
{
        struct local_source *l = local_of(s);

        free(l->dir);
        free(l);
}

static const struct image_source_ops local_ops = {
        .name = "local", .get = local_get, .fetch = local_fetch, .free = local_free
};

static int YIELDS make_folder(const char *dir, struct deadline by, struct error *err)
{
        if (file_make_folder(image_source_tpool(), dir, 0755, by, err) == 0)
                return 0;
        if (err->sys == ENOTDIR)
                return error_set(err, ERR_INVALID, "%s is no folder for images", dir);
        return error_while(err, "the folder of images");
}

struct image_source *image_source_local_new(const char *dir, struct deadline by, struct error *err)
{
        struct local_source *l;

        if (make_folder(dir, by, err) < 0)
                return NULL;
        l = NEW(struct local_source);
        l->base.ops = &local_ops;
        l->dir = xstrdup(dir);
        return &l->base;
}

/* ---- import ---- */

static char *now_text(void)
{
        time_t now = clock_wall_s();
        char buf[32];
        struct tm tm;

        gmtime_r(&now, &tm);
        strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);
        return xstrdup(buf);
}

/* What the file is must be what it is said to be, or an instance would fail later with less of an
 * explanation. */
static int check_format(const struct image_import *what, const struct image_header *header, struct error *err)
{
        const char *said = what->disk_format;

        if (!said || strcmp(said, header->format) == 0)
                return 0;
        if (strcmp(said, "vpc") == 0 && strcmp(header->format, "vhd") == 0)
                return 0;
        if (strcmp(said, "raw") == 0 && strcmp(header->format, "iso") == 0)
                return 0;
        return error_set(err, NOVA_IMAGE_UNACCEPTABLE, "%s is said to be %s, but looks like %s", what->file,
                         said, header->format);
}

static int YIELDS import_data(const char *dir, const struct image_import *what, struct image_info *i,
                              struct deadline by, struct error *err)
{
        CLEANUP(freep) char *part = xasprintf("%s/%s.part", dir, i->id);
        CLEANUP(freep) char *data = xasprintf("%s/%s.img", dir, i->id);
        CLEANUP(freep) char *metadata = xasprintf("%s/%s.json", dir, i->id);
        CLEANUP(freep) char *text = NULL;
        char hex[DIGEST_HEX_MAX + 1] = "";
        struct image_header header;
        struct stat st;

        if (file_copy(image_source_tpool(), what->file, part, ALGO, hex, by, err) < 0)
                return -1;
        /* The copy is looked at, not the original: that one may change meanwhile. */
        if (file_inspect(image_source_tpool(), part, &header, by, err) < 0 ||
            check_format(what, &header, err) < 0 || file_stat(image_source_tpool(), part, &st, by, err) < 0) {
                file_discard(image_source_tpool(), part);
                return -1;
        }
        i->disk_format = xstrdup(what->disk_format ? what->disk_format : header.format);
        i->checksum = xstrdup(hex);
        i->size = st.st_size;
        text = print_metadata(i);
        if (file_rename(image_source_tpool(), part, data, by, err) < 0) {
                file_discard(image_source_tpool(), part);
                return -1;
        }
        return file_write(image_source_tpool(), metadata, text, 0644, by, err);
}

int image_local_import(const char *dir, const struct image_import *what, struct image_info *ret,
                       struct deadline by, struct error *err)
{
        const char *slash = strrchr(what->file, '/');
        struct image_info i = {};
        char id[UUID_LEN + 1];
        struct image_info there;

        if (make_folder(dir, by, err) < 0)
                return -1;
        uuid_new(id);
        if (what->id && !id_is_harmless(what->id))
                return error_set(err, ERR_INVALID, "\"%.*s\" cannot be the id of an image", ID_MAX, what->id);
        if (what->min_disk_gb < 0 || what->min_ram_mb < 0)
                return error_set(err, ERR_INVALID, "minimum sizes of an image cannot be negative");
        if (what->id && read_metadata(dir, what->id, &there, by, err) == 0) {
                image_info_free(&there);
                return error_set(err, ERR_INVALID, "there is already an image %s", what->id);
        }
        *err = (struct error){};
        i.id = xstrdup(what->id ? what->id : id);
        i.name = xstrdup(what->name ? what->name : slash ? slash + 1 : what->file);
        i.status = xstrdup("active");
        i.container_format = xstrdup("bare");
        i.checksum_algo = xstrdup(ALGO);
        i.min_disk_gb = what->min_disk_gb;
        i.min_ram_mb = what->min_ram_mb;
        i.created_at = now_text();
        if (import_data(dir, what, &i, by, err) < 0) {
                image_info_free(&i);
                return error_while(err, "importing %s", what->file);
        }
        *ret = i;
        return 0;
}

/* ---- list ---- */

static int by_name(const void *a, const void *b)
{
        const struct image_info *x = a, *y = b;
        int r = strcmp(x->name, y->name);

        return r ? r : strcmp(x->id, y->id);
}

struct names {
        char *dir;
        char **items;
        unsigned n;
};

static void names_free(void *arg)
{
        struct names *w = arg;

        for (unsigned i = 0; i < w->n; i++)
                free(w->items[i]);
        free(w->items);
        free(w->dir);
        free(w);
}

static int read_names(void *arg, const bool *given_up, struct error *err)
{
        struct names *w = arg;
        struct dirent *e;
        DIR *d;

        assert_on_worker();
        d = opendir(w->dir);
        if (!d)
                return errno == ENOENT ? 0
                                       : error_system(err, errno, "reading the folder of images, %s", w->dir);
        while ((e = readdir(d)) && !file_given_up(given_up)) {
                size_t len = strlen(e->d_name);

                if (len <= 5 || strcmp(e->d_name + len - 5, ".json") != 0)
                        continue;
                w->items = xrealloc(w->items, (w->n + 1) * sizeof(*w->items));
                w->items[w->n++] = xstrndup(e->d_name, len - 5);
        }
        closedir(d);
        return 0;
}

static void take_names(void *arg, void *into)
{
        struct names *w = arg, *to = into;

        *to = (struct names){ .items = take_ptr(&w->items), .n = w->n };
        w->n = 0;
}

int image_local_list(const char *dir, struct image_info **ret, unsigned *ret_n, struct error *err)
{
        struct names names = {}, *w = NEW(struct names);
        const struct file_call c = { "list images", dir, read_names, w, names_free, take_names, &names };
        struct image_info *list;
        unsigned found = 0;

        w->dir = xstrdup(dir);
        if (file_call(image_source_tpool(), &c, file_soon(deadline_never()), err) < 0)
                return -1;
        list = xcalloc(names.n, sizeof(*list));
        for (unsigned i = 0; i < names.n; i++) {
                struct error ignored = {};

                /* One that is damaged or just going away does not hide the others. */
                if (read_metadata(dir, names.items[i], &list[found], deadline_in_s(10), &ignored) == 0)
                        found++;
                free(names.items[i]);
        }
        free(names.items);
        if (found)
                qsort(list, found, sizeof(*list), by_name);
        *ret = list;
        *ret_n = found;
        return 0;
}
