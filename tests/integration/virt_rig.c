/* tests/integration/virt_rig.c: one libvirt driver with everything a test needs beside it. */
#include "virt_rig.h"

#include "green_test.h"

#include <stdlib.h>

void rig_open_uri(struct rig *r, const char *uri, double call_timeout_s)
{
        const struct virt_options opt = {
                .connection_uri = uri,
                .virt_type = r->virt_type ? r->virt_type : "qemu",
                .cpu_mode = "none",
                .vnc_listen = r->vnc_listen,
                .mem_stats_period_s = 10,
                .call_timeout_s = call_timeout_s,
                .keepalive_interval_s = 1,
                .keepalive_count = 2,
        };
        struct error err = {};

        green_cond_init(&r->changed, "told");
        r->told = (struct told){ .changed = &r->changed };
        r->seen = 0;
        r->d = virt_libvirt_new(&opt, &err);
        ck_assert_msg(r->d != NULL, "%s", err.text);
        r->d->on_event = on_told;
        r->d->on_event_arg = &r->told;
        ck_assert_ok(r->d->ops->start(r->d, &err), err);
}

void rig_connect(struct rig *r)
{
        struct error err = {};

        ck_assert_ok(r->d->ops->wait_connected(r->d, deadline_in_s(30), &err), err);
        ck_assert_ok(wait_told(&r->told, &r->seen, VIRT_EVENT_CONNECTED, NULL, deadline_in_s(5), &err), err);
}

void rig_open_embed(struct rig *r)
{
        r->uri = virt_env_embed(&r->root);
        rig_open_uri(r, r->uri, 0);
        rig_connect(r);
}

void rig_close(struct rig *r)
{
        r->d->ops->stop(r->d);
        free(r->uri);
        free(r->root);
}

void expect_event(struct rig *r, enum virt_event_kind kind, const char *uuid)
{
        struct error err = {};

        ck_assert_ok(wait_told(&r->told, &r->seen, kind, uuid, deadline_in_s(20), &err), err);
}

struct guest_info info_of(struct rig *r, const char *uuid)
{
        struct guest_info info;
        struct error err = {};

        ck_assert_ok(r->d->ops->get_info(r->d, uuid, &info, deadline_in_s(20), &err), err);
        return info;
}

void remove_guest(struct rig *r, const struct test_guest *g)
{
        struct error err = {};

        ck_assert_ok(r->d->ops->power_off(r->d, g->uuid, deadline_in_s(30), &err), err);
        ck_assert_ok(r->d->ops->undefine(r->d, g->uuid, deadline_in_s(30), &err), err);
        ck_assert_int_eq(info_of(r, g->uuid).power_state, POWER_NOSTATE);
}
