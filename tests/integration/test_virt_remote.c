/*
 * The libvirt driver against a libvirtd of our own, which is killed, frozen and brought back. Its guests are
 * emulated, as in test_virt.c.
 */
#include "green_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "virt/driver.h"
#include "virt_env.h"
#include "virt_rig.h"

GREEN_TEST_REAL(a_guest_lives_in_libvirtd)
{
        struct deadline by = deadline_in_s(60);
        struct error err = {};
        struct guest_list list;
        struct test_guest g;
        struct libvirtd l;
        struct rig r = {};

        libvirtd_init(&l);
        libvirtd_start(&l);
        rig_open_uri(&r, l.uri, 0);
        rig_connect(&r);
        test_guest_init(&g, l.dir, 11);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);
        ck_assert_ok(r.d->ops->list(r.d, &list, by, &err), err);
        ck_assert_uint_eq(list.n, 1);
        ck_assert_str_eq(list.items[0].uuid, g.uuid);
        ck_assert_int_eq(list.items[0].power_state, POWER_RUNNING);
        ck_assert_int_eq(list.items[0].id, info_of(&r, g.uuid).id);
        guest_list_free(&list);
        ck_assert_ok(r.d->ops->shutdown(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STOPPED, g.uuid);
        ck_assert_ok(r.d->ops->start_domain(r.d, g.uuid, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        remove_guest(&r, &g);
        test_guest_free(&g);
        rig_close(&r);
        libvirtd_kill(&l, SIGTERM);
}

GREEN_TEST_REAL(a_late_libvirtd_is_waited_for)
{
        struct error err = {};
        struct guest_info info;
        struct virt_status status;
        struct libvirtd l;
        struct rig r = {};

        libvirtd_init(&l);
        rig_open_uri(&r, l.uri, 0);
        ck_assert_fails(r.d->ops->wait_connected(r.d, deadline_in_ms(700), &err), err, ERR_TIMEOUT);
        ck_assert_fails(r.d->ops->get_info(r.d, "00000000-0000-4000-8000-000000000000", &info,
                                           deadline_in_s(5), &err),
                        err, NOVA_HYPERVISOR_UNAVAILABLE);
        r.d->ops->get_status(r.d, &status);
        ck_assert(!status.connected);
        ck_assert_msg(strstr(status.last_error, "libvirt-sock") != NULL, "%s", status.last_error);
        libvirtd_start(&l);
        rig_connect(&r);
        rig_close(&r);
        libvirtd_kill(&l, SIGKILL);
}

/* What happened while nobody listened is not told, so RESYNC must be; and no cycle may cost a descriptor. */
GREEN_TEST_REAL(a_killed_libvirtd_is_connected_to_again_and_all_is_looked_at)
{
        struct deadline by = deadline_in_s(60);
        unsigned descriptors = 0, from = 0;
        struct virt_status status;
        struct error err = {};
        struct guest_info info;
        struct test_guest g;
        struct libvirtd l;
        struct rig r = {};
        pid_t qemu;

        libvirtd_init(&l);
        libvirtd_start(&l);
        rig_open_uri(&r, l.uri, 0);
        rig_connect(&r);
        test_guest_init(&g, l.dir, 12);
        ck_assert_ok(r.d->ops->spawn(r.d, &g.spec, by, &err), err);
        expect_event(&r, VIRT_EVENT_STARTED, g.uuid);
        ck_assert_ok(wait_console(&g, "GUEST up", by, &err), err);
        /* 2 s after the open; wherever it came. */
        ck_assert_ok(wait_told(&r.told, &from, VIRT_EVENT_RESYNC, NULL, by, &err), err);
        r.seen = r.told.n;
        qemu = qemu_pid(l.dir, &g);
        ck_assert_int_gt(qemu, 1);
        for (unsigned cycle = 0; cycle < 4; cycle++) {
                libvirtd_kill(&l, SIGKILL);
                expect_event(&r, VIRT_EVENT_DISCONNECTED, NULL);
                ck_assert_fails(r.d->ops->get_info(r.d, g.uuid, &info, by, &err), err,
                                NOVA_HYPERVISOR_UNAVAILABLE);
                if (cycle == 3)
                        ck_assert_int_eq(kill(qemu, SIGKILL), 0);
                libvirtd_start(&l);
                expect_event(&r, VIRT_EVENT_CONNECTED, NULL);
                expect_event(&r, VIRT_EVENT_RESYNC, NULL);
                expect_event(&r, VIRT_EVENT_RESYNC, NULL); /* the second one, 2 s later */
                if (cycle < 3)
                        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_RUNNING);
                if (cycle == 0)
                        descriptors = open_descriptors();
                ck_assert_uint_le(open_descriptors(), descriptors);
        }
        ck_assert_int_eq(info_of(&r, g.uuid).power_state, POWER_SHUTDOWN);
        r.d->ops->get_status(r.d, &status);
        ck_assert_uint_eq(status.reconnects, 4);
        ck_assert_uint_eq(status.hung, 0);
        remove_guest(&r, &g);
        test_guest_free(&g);
        rig_close(&r);
        libvirtd_kill(&l, SIGKILL);
}

/* By then the pause between two attempts has grown to seconds. */
GREEN_TEST_REAL(a_call_does_not_wait_for_the_next_attempt)
{
        struct error err = {};
        struct libvirtd l;
        struct rig r = {};

        libvirtd_init(&l);
        libvirtd_start(&l);
        rig_open_uri(&r, l.uri, 0);
        rig_connect(&r);
        libvirtd_kill(&l, SIGKILL);
        expect_event(&r, VIRT_EVENT_DISCONNECTED, NULL);
        for (int i = 0; i < 3; i++) {
                struct guest_info info;

                ck_assert_int_eq(green_sleep(3, &err), 0);
                libvirtd_start(&l);
                ck_assert_ok(r.d->ops->get_info(r.d, "00000000-0000-4000-8000-000000000000", &info,
                                                deadline_in_s(30), &err),
                             err);
                libvirtd_kill(&l, SIGKILL);
                expect_event(&r, VIRT_EVENT_CONNECTED, NULL);
                expect_event(&r, VIRT_EVENT_DISCONNECTED, NULL);
        }
        rig_close(&r);
}

struct hung {
        unsigned n;
        bool seen;
};

static void count_hung(const char *doing, const char *what, double since_s, bool hung, void *arg)
{
        struct hung *h = arg;

        (void)what;
        if (hung && since_s >= 0) {
                h->n++;
                h->seen |= strcmp(doing, "virDomainGetState") == 0;
        }
}

GREEN_TEST_REAL(a_frozen_libvirtd_costs_its_callers_their_deadline_and_nothing_more)
{
        static const char uuid[] = "00000000-0000-4000-8000-000000000000";
        struct virt_status status;
        unsigned most = 0;
        struct hung hung = {};
        struct error err = {};
        struct guest_info info;
        struct libvirtd l;
        struct rig r = {};
        int64_t before_ns;

        libvirtd_init(&l);
        libvirtd_start(&l);
        rig_open_uri(&r, l.uri, 1);
        rig_connect(&r);
        ck_assert_int_eq(info_of(&r, uuid).power_state, POWER_NOSTATE);
        libvirtd_kill(&l, SIGSTOP);
        before_ns = clock_now_ns();
        ck_assert_fails(r.d->ops->get_info(r.d, uuid, &info, deadline_in_ms(300), &err), err, ERR_TIMEOUT);
        ck_assert_int_ge(clock_now_ns() - before_ns, 300 * NS_PER_MS);
        r.d->ops->foreach_worker(r.d, count_hung, &hung);
        ck_assert_uint_eq(hung.n, 1);
        ck_assert(hung.seen);
        expect_event(&r, VIRT_EVENT_DISCONNECTED, NULL); /* by keepalive */
        ck_assert_fails(r.d->ops->get_info(r.d, uuid, &info, deadline_in_s(5), &err), err,
                        NOVA_HYPERVISOR_UNAVAILABLE);
        /* The opens hang now, but few of them at a time. */
        for (int i = 0; i < 200; i++) {
                r.d->ops->get_status(r.d, &status);
                ck_assert(!status.connected);
                ck_assert_uint_le(status.hung, 2);
                most = status.hung > most ? status.hung : most;
                ck_assert_int_eq(green_sleep(0.02, &err), 0);
        }
        ck_assert_uint_ge(most, 1);
        libvirtd_kill(&l, SIGCONT);
        expect_event(&r, VIRT_EVENT_CONNECTED, NULL);
        expect_event(&r, VIRT_EVENT_RESYNC, NULL);
        ck_assert_int_eq(info_of(&r, uuid).power_state, POWER_NOSTATE);
        for (int i = 0; i < 500; i++) {
                r.d->ops->get_status(r.d, &status);
                if (status.hung == 0)
                        break;
                ck_assert_int_eq(green_sleep(0.02, &err), 0);
        }
        ck_assert_uint_eq(status.hung, 0);
        rig_close(&r);
        libvirtd_kill(&l, SIGKILL);
}

GREEN_TEST_REAL(a_caller_with_much_time_does_not_spend_it_on_one_call_that_hangs)
{
        static const char uuid[] = "11111111-1111-4111-8111-111111111111";
        struct virt_status status;
        struct guest_info info;
        struct error err = {};
        struct libvirtd l;
        struct rig r = {};

        libvirtd_init(&l);
        libvirtd_start(&l);
        rig_open_uri(&r, l.uri, 1);
        rig_connect(&r);
        libvirtd_kill(&l, SIGSTOP);
        ck_assert_fails(r.d->ops->get_info(r.d, uuid, &info, deadline_in_s(3600), &err), err, ERR_TIMEOUT);
        libvirtd_kill(&l, SIGCONT);
        do {
                r.d->ops->get_status(r.d, &status);
        } while (status.hung > 0 && green_sleep(0.02, &err) == 0);
        rig_close(&r);
        libvirtd_kill(&l, SIGKILL);
}

GREEN_TEST_REAL(the_driver_stops_beside_a_frozen_libvirtd)
{
        struct libvirtd l;
        struct rig r = {};

        libvirtd_init(&l);
        libvirtd_start(&l);
        rig_open_uri(&r, l.uri, 1);
        rig_connect(&r);
        libvirtd_kill(&l, SIGSTOP);
        rig_close(&r); /* within the test's own limit of time */
        libvirtd_kill(&l, SIGKILL);
}

static int run_suite(void)
{
        const TTest *const tests[] = {
                a_guest_lives_in_libvirtd,
                a_late_libvirtd_is_waited_for,
                a_killed_libvirtd_is_connected_to_again_and_all_is_looked_at,
                a_call_does_not_wait_for_the_next_attempt,
                a_frozen_libvirtd_costs_its_callers_their_deadline_and_nothing_more,
                a_caller_with_much_time_does_not_spend_it_on_one_call_that_hangs,
                the_driver_stops_beside_a_frozen_libvirtd,
        };

        return virt_env_suite("virt-remote", tests, ARRAY_SIZE(tests));
}

int main(void)
{
        char why[128];

        if (!libvirtd_can_run(why, sizeof(why))) {
                printf("%s\n", why);
                return 77;
        }
        return virt_env_main(run_suite);
}
