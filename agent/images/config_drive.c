/*
 * agent/images/config_drive.c: the config drive: an ISO image labelled config-2 with what a guest may know of
 * itself, as cloud-init reads it.
 *
 *      openstack/latest/meta_data.json, user_data, vendor_data.json, network_data.json
 *      openstack/content/0000 ...     injected files; meta_data.json says where in the guest they belong
 *
 * The tree is written below the instance's folder, readable by us alone, turned into an image by the
 * configured mkisofs, and removed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/list.h"
#include "base/mem.h"
#include "images/filework.h"
#include "images/store_priv.h"
#include "json/json.h"
#include "process/execute.h"

enum { SEED_BYTES = 512 };

static void set_text_unless_null(struct jval *o, const char *key, const char *value)
{
        if (value)
                jval_set_text(o, key, value);
}

static void add_keys(struct jval *o, const struct instance *i)
{
        struct jval *public_keys, *keys, *key;

        if (!i->key_name || !i->key_data)
                return;
        public_keys = jval_new_object();
        jval_set_text(public_keys, i->key_name, i->key_data);
        jval_set(o, "public_keys", public_keys);
        key = jval_new_object();
        jval_set_text(key, "name", i->key_name);
        jval_set_text(key, "type", "ssh");
        jval_set_text(key, "data", i->key_data);
        keys = jval_new_array();
        jval_push(keys, key);
        jval_set(o, "keys", keys);
}

static void add_files(struct jval *o, const struct disks_request *req)
{
        struct jval *files;

        if (req->n_files == 0)
                return;
        files = jval_new_array();
        for (unsigned i = 0; i < req->n_files; i++) {
                struct jval *file = jval_new_object();
                char content[32];

                snprintf(content, sizeof(content), "/content/%04u", i);
                jval_set_text(file, "path", req->files[i].path);
                jval_set_text(file, "content_path", content);
                jval_push(files, file);
        }
        jval_set(o, "files", files);
}

static void add_seed(struct jval *o)
{
        CLEANUP(freep) char *text = NULL;
        unsigned char seed[SEED_BYTES];
        size_t done = 0;

        while (done < sizeof(seed)) {
                ssize_t n = getrandom(seed + done, sizeof(seed) - done, 0);

                if (n > 0)
                        done += (size_t)n;
        }
        text = base64_encode(seed, sizeof(seed));
        jval_set_text(o, "random_seed", text);
}

static char *meta_data(const struct disks_request *req)
{
        const struct instance *i = req->instance;
        struct jval *o = jval_new_object(), *meta = jval_new_object();
        char *text;

        jval_set_text(o, "uuid", i->uuid);
        jval_set_text(o, "name", i->display_name ? i->display_name : i->uuid);
        jval_set_text(o, "hostname", i->hostname ? i->hostname : i->uuid);
        jval_set_int(o, "launch_index", 0);
        set_text_unless_null(o, "availability_zone", i->availability_zone);
        set_text_unless_null(o, "project_id", i->project_id);
        set_text_unless_null(o, "admin_pass", req->admin_password);
        for (unsigned m = 0; m < i->n_metadata; m++)
                jval_set_text(meta, i->metadata[m].key, i->metadata[m].value);
        jval_set(o, "meta", meta);
        jval_set(o, "devices", jval_new_array());
        add_keys(o, i);
        add_files(o, req);
        add_seed(o);
        text = jval_print(o, NULL);
        jval_unref(o);
        return text;
}

/* ---- writing the tree, on a worker ---- */

struct tree {
        char *dir; /* of the tree */
        char *meta_data;
        char *user_data;
        size_t user_data_len;
        struct injected_file *files; /* paths are not kept: meta_data.json has them */
        unsigned n_files;
};

static void tree_free(void *arg)
{
        struct tree *t = arg;

        free(t->dir);
        if (t->meta_data) {
                explicit_bzero(t->meta_data, strlen(t->meta_data)); /* may hold a password */
                free(t->meta_data);
        }
        free(t->user_data);
        for (unsigned i = 0; i < t->n_files; i++)
                free(t->files[i].data);
        free(t->files);
        free(t);
}

static int BLOCKS write_one(const char *dir, const char *name, const void *data, size_t len,
                            struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/%s", dir, name);
        FILE *f = fopen(path, "wxe");

        if (!f)
                return error_system(err, errno, "writing %s of the config drive", name);
        if (len && fwrite(data, 1, len, f) != len) {
                error_system(err, errno, "writing %s of the config drive", name);
                fclose(f);
                return -1;
        }
        return fclose(f) == 0 ? 0 : error_system(err, errno, "writing %s of the config drive", name);
}

static int BLOCKS write_files(const struct tree *t, struct error *err)
{
        CLEANUP(freep) char *content = xasprintf("%s/openstack/content", t->dir);

        if (t->n_files == 0)
                return 0;
        if (mkdir(content, 0755) < 0)
                return error_system(err, errno, "making the tree of the config drive");
        for (unsigned i = 0; i < t->n_files; i++) {
                char name[16];

                snprintf(name, sizeof(name), "%04u", i);
                if (write_one(content, name, t->files[i].data, t->files[i].len, err) < 0)
                        return -1;
        }
        return 0;
}

static int write_tree(void *arg, const bool *given_up, struct error *err)
{
        static const char *const parts[] = { "", "/openstack", "/openstack/latest" };
        static const char network[] = "{\"links\": [], \"networks\": [], \"services\": []}";
        CLEANUP(freep) char *latest = NULL;
        struct tree *t = arg;

        assert_on_worker();
        (void)given_up;
        if (remove_tree(t->dir, err) < 0)
                return -1;
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                CLEANUP(freep) char *path = xasprintf("%s%s", t->dir, parts[i]);

                if (mkdir(path, i == 0 ? 0700 : 0755) < 0)
                        return error_system(err, errno, "making the tree of the config drive");
        }
        latest = xasprintf("%s/openstack/latest", t->dir);
        if (write_one(latest, "meta_data.json", t->meta_data, strlen(t->meta_data), err) < 0 ||
            write_one(latest, "vendor_data.json", "{}", 2, err) < 0 ||
            write_one(latest, "network_data.json", network, strlen(network), err) < 0 ||
            write_files(t, err) < 0)
                return -1;
        return t->user_data ? write_one(latest, "user_data", t->user_data, t->user_data_len, err) : 0;
}

/* ---- the image ---- */

static int YIELDS make_iso(struct disk_store *s, const char *tree, const char *path, struct deadline by,
                           struct error *err)
{
        const char *const argv[] = { s->mkisofs_cmd,
                                     "-o",
                                     path,
                                     "-ldots",
                                     "-allow-lowercase",
                                     "-allow-multidot",
                                     "-l",
                                     "-publisher",
                                     "compute-agent " AGENT_VERSION,
                                     "-quiet",
                                     "-J",
                                     "-r",
                                     "-V",
                                     "config-2",
                                     tree,
                                     NULL };
        const struct execute_options opt = { .argv = argv };

        if (execute(&opt, by, NULL, err) < 0)
                return error_while(err, "making the config drive");
        return 0;
}

int config_drive_create(struct disk_store *s, const struct disks_request *req, const char *dir,
                        const char *path, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *tree_dir = xasprintf("%s/disk.config.tree", dir);
        CLEANUP(freep) char *tmp = xasprintf("%s.tmp", path);
        struct tree *t = NEW(struct tree);
        const struct file_call c = {
                "write config drive", req->instance->uuid, write_tree, t, tree_free, NULL, NULL
        };
        struct error ignored = {};
        int r;

        t->dir = xstrdup(tree_dir);
        t->meta_data = meta_data(req);
        t->files = xcalloc(req->n_files, sizeof(*t->files));
        for (; t->n_files < req->n_files; t->n_files++) {
                const struct injected_file *f = &req->files[t->n_files];

                t->files[t->n_files] =
                        (struct injected_file){ .data = xmemdup(f->data, f->len), .len = f->len };
        }
        if (req->instance->user_data) {
                t->user_data = base64_decode(req->instance->user_data, &t->user_data_len);
                if (!t->user_data) {
                        tree_free(t);
                        return error_set(err, NOVA_INVALID_INPUT, "user_data of the instance is not base64");
                }
        }
        r = file_call(s->tpool, &c, by, err);
        if (r == 0)
                r = make_iso(s, tree_dir, tmp, by, err);
        if (r == 0)
                r = file_put_in_place(s->tpool, tmp, path, 0640, by, err);
        green_shield_begin();
        if (r < 0)
                file_remove(s->tpool, tmp, deadline_in_s(30), &ignored);
        file_remove_tree(s->tpool, tree_dir, deadline_in_s(30), &ignored);
        green_shield_end();
        return r;
}
