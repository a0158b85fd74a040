/*
 * The libvirt driver against real hypervisors: the embedded driver with real QEMU processes, and libvirt's
 * own test driver. Guests are emulated (TCG): they print sooner than under nested KVM.
 */
#include "green_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/sync.h"
#include "virt/driver.h"
#include "virt_env.h"

/* One driver with everything a test needs beside it. */
struct rig {
        struct virt_driver *d;
        char *root, *uri;
        struct green_cond changed;
        struct told told;
        unsigned seen;
};

static void HUB_ONLY rig_open_uri(struct rig *r, const char *uri, double timeout_s)
{
        const struct virt_options opt = {
                .connection_uri = uri,
                .virt_type = "qemu",
                .cpu_mode = "none",
                .vnc_listen = NULL,
                .mem_stats_period_s = 10,
                .call_timeout_s = timeout_s,
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

static void YIELDS rig_connect(struct rig *r)
{
        struct error err = {};

        ck_assert_ok(r->d->ops->wait_connected(r->d, deadline_in_s(30), &err), err);
        ck_assert_ok(wait_told(&r->told, &r->seen, VIRT_EVENT_CONNECTED, NULL, deadline_in_s(5), &err), err);
}

static void YIELDS rig_open_embed(struct rig *r)
{
        r->uri = virt_env_embed(&r->root);
        rig_open_uri(r, r->uri, 0);
        rig_connect(r);
}

static void YIELDS rig_close(struct rig *r)
{
        r->d->ops->stop(r->d);
        free(r->uri);
        free(r->root);
}

static void YIELDS expect_event(struct rig *r, enum virt_event_kind kind, const char *uuid)
{
        struct error err = {};

        ck_assert_ok(wait_told(&r->told, &r->seen, kind, uuid, deadline_in_s(20), &err), err);
}

static struct guest_info YIELDS info_of(struct rig *r, const char *uuid)
{
        struct guest_info info;
        struct error err = {};

        ck_assert_ok(r->d->ops->get_info(r->d, uuid, &info, deadline_in_s(20), &err), err);
        return info;
}

static void YIELDS remove_guest(struct rig *r, const struct test_guest *g)
{
        struct error err = {};

        ck_assert_ok(r->d->ops->power_off(r->d, g->uuid, deadline_in_s(30), &err), err);
        ck_assert_ok(r->d->ops->undefine(r->d, g->uuid, deadline_in_s(30), &err), err);
        ck_assert_int_eq(info_of(r, g->uuid).power_state, POWER_NOSTATE);
}

GREEN_TEST_REAL(a_guest_boots_prints_and_obeys_its_power_button)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct guest_info info;
        struct test_guest g;
        struct rig r = {};
        char *path;

        rig_open_embed(&r);
        test_guest_init(&g, r.root, 1);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        info = info_of(&r, g.uuid);
        ck_assert_int_eq(info.power_state, POWER_RUNNING);
        ck_assert_int_ge(info.id, 0);
        ck_assert_str_eq(info.name, g.spec.name);
        ck_assert_ok(wait_console(&g, "COMPUTE-AGENT GUEST up", by, &err), err);
        ck_assert_ok(r.d->ops->console_path(r.d, g.uuid, &path, by, &err), err);
        ck_assert_str_eq(path, g.spec.console_log);
        free(path);

        ck_assert_ok(r.d->ops->shutdown(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid);
        info = info_of(&r, g.uuid);
        ck_assert_int_eq(info.power_state, POWER_SHUTDOWN);
        ck_assert_int_eq(info.id, -1);
        remove_guest(&r, &g);
        rig_close(&r);
}

static int run_suite(void)
{
        const TTest *const tests[] = {
                a_guest_boots_prints_and_obeys_its_power_button,
        };
        Suite *suite = suite_create("virt");
        TCase *tcase = tcase_create("virt");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 120);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
        return virt_env_main(run_suite);
}
