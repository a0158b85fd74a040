/* tests/integration/compute_world.c: see the header. */
#include "compute_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "green/lockutils.h"
#include "process/execute.h"

#define STEPS_TABLE "CREATE TABLE steps (id INT AUTO_INCREMENT PRIMARY KEY, uuid CHAR(36), step VARCHAR(100))"
#define STEPS_TRIGGER                                                                                     \
        "CREATE TRIGGER note_step AFTER UPDATE ON instances FOR EACH ROW INSERT INTO steps (uuid, step) " \
        "VALUES (NEW.uuid, CONCAT(NEW.vm_state, '/', IFNULL(NEW.task_state, '-'), '/', "                  \
        "IFNULL(NEW.power_state, 'NULL'), IF(NEW.deleted, ' deleted', '')))"

static void YIELDS make_image(struct world *w)
{
        CLEANUP(freep) char *file = xasprintf("%s/disk.raw", w->dir);
        CLEANUP(freep) char *images = xasprintf("%s/images", w->dir);
        const struct image_import import = {
                .file = file, .name = "tiny", .id = IMAGE_ID, .disk_format = "raw", .min_disk_gb = 1
        };
        struct image_info info = {};
        struct error err = {};
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
        close(fd);
        w->images = image_source_local_new(images, deadline_in_s(10), &err);
        ck_assert_msg(w->images != NULL, "%s", err.text);
        ck_assert_ok(image_local_import(images, &import, &info, soon(), &err), err);
        image_info_free(&info);
}

static void YIELDS make_files(struct world *w)
{
        CLEANUP(freep) char *instances = NULL;
        CLEANUP(freep) char *locks = NULL;
        struct disk_store_options opt = { .force_raw_images = true,
                                          .use_cow_images = true,
                                          .tpool = w->desk.here.workers };
        struct error err = {};

        /* below the server's folder, which goes in any case: also when a test fails half way */
        snprintf(w->dir, sizeof(w->dir), "%s/compute.XXXXXX", env("MARIADB_DIR"));
        ck_assert_ptr_nonnull(mkdtemp(w->dir));
        opt.instances_path = instances = xasprintf("%s/instances", w->dir);
        locks = xasprintf("%s/locks", w->dir);
        ck_assert_ok(lockutils_set_lock_path(locks, &err), err);
        image_source_set_tpool(w->desk.here.workers);
        make_image(w);
        opt.images = w->images;
        w->disks = disk_store_new(&opt, deadline_in_s(10), &err);
        ck_assert_msg(w->disks != NULL, "%s", err.text);
}

void world_start_manager(struct world *w)
{
        struct compute_options opt = { .conf = &w->conf,
                                       .store = &w->desk.store,
                                       .driver = w->driver,
                                       .images = w->images,
                                       .disks = w->disks };
        struct error err = {};

        w->m = compute_manager_new(&opt, &err);
        ck_assert_msg(w->m != NULL, "%s", err.text);
        w->driver->on_event_arg = w->m;
        w->driver->on_event = compute_on_virt_event;
        ck_assert_ok(compute_init_host(w->m, NULL, NULL, soon(), &err), err);
        ck_assert_ok(compute_service_ensure(w->m, soon(), &err), err);
        ck_assert_ok(compute_audit(w->m, soon(), &err), err);
}

void world_stop_manager(struct world *w)
{
        compute_manager_free(take_ptr(&w->m));
}

void world_open(struct world *w)
{
        struct error err = {};

        desk_open(&w->desk);
        run(w->desk.here.pool, STEPS_TABLE);
        run(w->desk.here.pool, STEPS_TRIGGER);
        w->conf = compute_conf();
        w->conf.host = (char *)w->desk.store.host;
        w->ctx = (struct request_context){ .user_id = (char *)USER, .project_id = (char *)PROJECT };
        make_files(w);
        w->driver = virt_fake_new();
        ck_assert_ok(w->driver->ops->start(w->driver, &err), err);
        world_start_manager(w);
}

void world_close(struct world *w)
{
        const char *const argv[] = { "rm", "-rf", w->dir, NULL };
        const struct execute_options opt = { .argv = argv };
        struct error err = {};

        world_stop_manager(w);
        w->driver->ops->stop(w->driver);
        disk_store_free(w->disks);
        w->images->ops->free(w->images);
        ck_assert_ok(execute(&opt, soon(), NULL, &err), err);
        free(w->ctx.request_id);
        desk_close(&w->desk);
}

/* ---- requests ---- */

static void new_request(struct world *w)
{
        char uuid[UUID_LEN + 1];

        uuid_new(uuid);
        free(w->ctx.request_id);
        w->ctx.request_id = xasprintf("req-%s", uuid);
}

void world_new_instance(struct world *w, const char *name, char ret[UUID_LEN + 1])
{
        struct new_instance n = {
                .display_name = name,
                .image_ref = IMAGE_ID,
                .user_id = USER,
                .project_id = PROJECT,
                .image_disk_format = "raw",
                .image_container_format = "bare",
                .memory_mb = 64,
                .vcpus = 1,
                .root_gb = 1,
                .image_min_disk = 1,
        };
        struct instance *i = NULL;
        struct error err = {};

        new_request(w);
        n.request_id = w->ctx.request_id;
        ck_assert_ok(store_instance_create(&w->desk.store, &n, &i, soon(), &err), err);
        memcpy(ret, i->uuid, sizeof(i->uuid));
        instance_free(i);
}

static void drop_build(struct compute_build *b)
{
        request_context_free(&b->ctx);
        free(b->node);
        free(b);
}

void world_build(struct world *w, const char *uuid)
{
        struct compute_build *b = NEW(struct compute_build);
        struct error err = {};

        snprintf(b->uuid, sizeof(b->uuid), "%s", uuid);
        b->ctx = (struct request_context){ .request_id = xstrdup(w->ctx.request_id),
                                           .user_id = xstrdup(USER),
                                           .project_id = xstrdup(PROJECT),
                                           .roles = xstrdup("member,reader,admin") };
        b->node = xstrdup("fake-host");
        b->drop = drop_build;
        ck_assert_ok(compute_build_and_run(w->m, b, &err), err);
}

void world_boot(struct world *w, const char *name, char ret[UUID_LEN + 1])
{
        world_new_instance(w, name, ret);
        world_build(w, ret);
        world_settle(w);
        world_expect(w, ret, "SELECT vm_state FROM instances WHERE uuid = '%s'", "active");
        run(w->desk.here.pool, "DELETE FROM steps");
}

struct compute_call world_ask(struct world *w, const char *uuid, const char *action, const char *task_state)
{
        CLEANUP(freep)
        char *sql = xasprintf("UPDATE instances SET task_state = '%s' WHERE uuid = '%%s'", task_state);
        struct compute_call c = { .ctx = &w->ctx, .by = deadline_in_s(300) };
        struct error err = {};

        new_request(w);
        world_run(w, uuid, sql);
        ck_assert_ok(store_action_start(&w->desk.store, uuid, action, &w->ctx, soon(), &err), err);
        run(w->desk.here.pool, "DELETE FROM steps");
        snprintf(c.uuid, sizeof(c.uuid), "%s", uuid);
        return c;
}

void world_settle(struct world *w)
{
        struct compute_stats stats;
        struct error err = {};

        for (int quiet = 0; quiet < 5; quiet++) {
                ck_assert_ok(virt_fake_drain(w->driver, soon(), &err), err);
                ck_assert_ok(green_sleep(0.02, &err), err);
                compute_get_stats(w->m, &stats);
                if (stats.running > 0)
                        quiet = 0;
        }
}

/* ---- looking ---- */

void world_run(struct world *w, const char *uuid, const char *sql)
{
        struct strbuf text = {};
        const char *at = strstr(sql, "%s");

        strbuf_add(&text, sql, at ? (size_t)(at - sql) : strlen(sql));
        if (at)
                strbuf_addf(&text, "%s%s", uuid, at + 2);
        run(w->desk.here.pool, text.data);
        strbuf_free(&text);
}

void world_expect(struct world *w, const char *uuid, const char *sql, const char *want)
{
        struct strbuf text = {};
        const char *at = strstr(sql, "%s");

        strbuf_add(&text, sql, at ? (size_t)(at - sql) : strlen(sql));
        if (at)
                strbuf_addf(&text, "%s%s", uuid, at + 2);
        ck_assert_sql(&w->desk, text.data, want);
        strbuf_free(&text);
}

char *world_steps(struct world *w)
{
        char *text = text_of(&w->desk,
                             "SELECT IFNULL(GROUP_CONCAT(step ORDER BY id SEPARATOR ' '), '') FROM steps");

        run(w->desk.here.pool, "DELETE FROM steps");
        return text;
}

bool world_has_file(struct world *w, const char *uuid, const char *name)
{
        CLEANUP(freep) char *path = xasprintf("%s/instances/%s/%s", w->dir, uuid, name);

        return access(path, F_OK) == 0;
}

enum power_state world_guest(struct world *w, const char *uuid)
{
        struct guest_info info = {};
        struct error err = {};

        ck_assert_ok(w->driver->ops->get_info(w->driver, uuid, &info, soon(), &err), err);
        return info.power_state;
}
