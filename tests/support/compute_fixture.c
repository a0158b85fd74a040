/* tests/support/compute_fixture.c: see the header. */
#include "compute_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "compute_conf.h"
#include "green_test.h"

void compute_fixture_defaults(struct compute_fixture *f)
{
        *f = (struct compute_fixture){};
        f->conf = compute_conf();
}

void compute_fixture_make(struct compute_fixture *f)
{
        struct error err = {};
        struct compute_options opt = { .conf = &f->conf, .store = &f->store };

        f->store = (struct store){ .host = f->conf.host };
        f->ctx = (struct request_context){
                .request_id = REQ, .user_id = "user-1", .project_id = "project-1", .roles = "member,reader"
        };
        opt.driver = f->driver = virt_fake_new();
        opt.images = fake_images();
        opt.disks = fake_disks();
        opt.placement = f->placement;
        opt.scheduler = f->scheduler;
        opt.scheduler_arg = f->scheduler_arg;
        opt.journal = f->journal;
        f->m = compute_manager_new(&opt, &err);
        ck_assert_msg(f->m != NULL, "%s", err.text);
        f->driver->on_event = compute_on_virt_event;
        f->driver->on_event_arg = f->m;
        ck_assert_ok(f->driver->ops->start(f->driver, &err), err);
}

void compute_fixture_start(struct compute_fixture *f)
{
        struct error err = {};

        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(f);
        compute_fixture_make(f);
        ck_assert_ok(compute_init_host(f->m, NULL, NULL, deadline_in_s(10), &err), err);
        ck_assert_ok(compute_audit(f->m, deadline_in_s(10), &err), err);
        fake_store_journal();
}

void compute_fixture_stop(struct compute_fixture *f)
{
        compute_manager_free(f->m);
        f->driver->ops->stop(f->driver);
        fake_store_reset();
}

struct compute_call compute_fixture_call(struct compute_fixture *f, const char *uuid)
{
        struct compute_call c = { .ctx = &f->ctx, .by = deadline_in_s((double)f->conf.long_rpc_timeout) };

        snprintf(c.uuid, sizeof(c.uuid), "%s", uuid);
        return c;
}

struct instance *compute_fixture_instance(struct compute_fixture *f, const char *uuid, enum vm_state vm_state,
                                          enum task_state task_state, enum power_state guest)
{
        static const char *const defaults[][2] = {
                { "image_hw_machine_type", "pc" },         { "image_hw_cdrom_bus", "ide" },
                { "image_hw_disk_bus", "virtio" },         { "image_hw_input_bus", "usb" },
                { "image_hw_pointer_model", "usbtablet" }, { "image_hw_video_model", "virtio" },
                { "image_hw_vif_model", "virtio" },
        };
        struct instance *i = fake_store_add(uuid, vm_state, task_state);

        i->power_state = guest;
        fake_store_add_action(uuid, REQ);
        for (size_t k = 0; k < ARRAY_SIZE(defaults); k++)
                instance_set_system_meta(i, defaults[k][0], defaults[k][1]);
        if (guest != POWER_NOSTATE)
                virt_fake_add_guest(f->driver, uuid, "instance-00000001", guest);
        fake_files_add(uuid);
        return i;
}

void compute_fixture_settle(struct compute_fixture *f)
{
        struct error err = {};
        struct compute_stats stats;

        for (int quiet = 0; quiet < 50; quiet++) {
                ck_assert_ok(virt_fake_drain(f->driver, deadline_in_s(60), &err), err);
                green_yield();
                compute_get_stats(f->m, &stats);
                if (stats.running > 0) {
                        quiet = 0;
                        ck_assert_ok(green_sleep(0.01, &err), err);
                }
        }
}

/* ---- builds ---- */

struct fixture_build {
        struct compute_build base;
        unsigned *rescheduled;
};

static unsigned alive;
static int reschedule_code;

static int fixture_reschedule(struct compute_build *b, const struct instance *i, const char *reason,
                              struct deadline by, struct error *err)
{
        struct fixture_build *fb = CONTAINER_OF(b, struct fixture_build, base);

        assert_green();
        green_yield();
        if (reschedule_code)
                return error_set(err, reschedule_code, "no route to conductor");
        ++*fb->rescheduled;
        return 0;
}

static void fixture_drop(struct compute_build *b)
{
        alive--;
        free(b->node);
        free(b->admin_password);
        free(b->files_error);
        request_context_free(&b->ctx);
        free(CONTAINER_OF(b, struct fixture_build, base));
}

struct compute_build *compute_fixture_build(const char *uuid, unsigned *ret_rescheduled)
{
        struct fixture_build *fb = NEW(struct fixture_build);

        alive++;
        fb->rescheduled = ret_rescheduled;
        snprintf(fb->base.uuid, sizeof(fb->base.uuid), "%s", uuid);
        fb->base.ctx.request_id = xstrdup(REQ);
        fb->base.ctx.user_id = xstrdup("user-1");
        fb->base.ctx.project_id = xstrdup("project-1");
        fb->base.ctx.roles = xstrdup("member,reader");
        fb->base.node = xstrdup("fake-host");
        fb->base.drop = fixture_drop;
        if (ret_rescheduled)
                fb->base.reschedule = fixture_reschedule;
        return &fb->base;
}

void compute_fixture_reschedule_fails(int code)
{
        reschedule_code = code;
}

unsigned compute_fixture_builds_alive(void)
{
        return alive;
}
