/* The hypervisor in memory behaves as virt/driver.h says, and does what tests order. */
#include "green_test.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "virt/fake.h"

#define UUID_A "aaaaaaaa-0000-4000-8000-000000000001"
#define UUID_B "bbbbbbbb-0000-4000-8000-000000000002"

struct seen {
        struct virt_event events[32];
        unsigned n;
};

static void remember(const struct virt_event *ev, void *arg)
{
        struct seen *seen = arg;

        assert_green();
        ck_assert_uint_lt(seen->n, ARRAY_SIZE(seen->events));
        seen->events[seen->n++] = *ev;
        green_yield(); /* handlers may */
}

static struct virt_driver *HUB_ONLY started(struct seen *seen)
{
        struct virt_driver *d = virt_fake_new();
        struct error err = {};

        d->on_event = remember;
        d->on_event_arg = seen;
        ck_assert_ok(d->ops->start(d, &err), err);
        return d;
}

static struct guest_spec spec_of(const char *uuid, const char *name)
{
        struct guest_spec s = {
                .name = (char *)name, .memory_mb = 64, .vcpus = 1, .console_log = (char *)"/tmp/console.log"
        };

        snprintf(s.uuid, sizeof(s.uuid), "%s", uuid);
        return s;
}

static void YIELDS check_events(struct virt_driver *d, struct seen *seen, unsigned n,
                                const enum virt_event_kind *kinds)
{
        struct error err = {};

        ck_assert_ok(virt_fake_drain(d, deadline_in_s(1), &err), err);
        ck_assert_uint_eq(seen->n, n);
        for (unsigned i = 0; i < n; i++)
                ck_assert_str_eq(virt_event_name(seen->events[i].kind), virt_event_name(kinds[i]));
        seen->n = 0;
}

GREEN_TEST(a_guest_lives_its_life_and_each_change_is_an_event)
{
        const enum virt_event_kind expected[] = {
                VIRT_EVENT_CONNECTED, VIRT_EVENT_STARTED, VIRT_EVENT_PAUSED,
                VIRT_EVENT_RESUMED,   VIRT_EVENT_STOPPED, VIRT_EVENT_STARTED,
                VIRT_EVENT_STOPPED,   VIRT_EVENT_STARTED, VIRT_EVENT_STOPPED,
        };
        struct guest_spec spec = spec_of(UUID_A, "instance-00000001");
        struct deadline by = deadline_in_s(10);
        struct error err = {};
        struct guest_info info;
        struct seen seen = {};
        struct virt_driver *d = started(&seen);
        int first_id;

        ck_assert_ok(d->ops->wait_connected(d, by, &err), err);
        ck_assert_ok(d->ops->spawn(d, &spec, by, &err), err);
        ck_assert_ok(d->ops->get_info(d, UUID_A, &info, by, &err), err);
        ck_assert_int_eq(info.power_state, POWER_RUNNING);
        ck_assert_str_eq(info.name, "instance-00000001");
        first_id = info.id;
        ck_assert_int_ge(first_id, 0);
        ck_assert_ok(d->ops->pause(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->pause(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->unpause(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->shutdown(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->start_domain(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->hard_reboot(d, &spec, by, &err), err);
        ck_assert_ok(d->ops->get_info(d, UUID_A, &info, by, &err), err);
        ck_assert_int_gt(info.id, first_id);
        ck_assert_fails(d->ops->undefine(d, UUID_A, by, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_ok(d->ops->power_off(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->power_off(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->undefine(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->undefine(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->power_off(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->get_info(d, UUID_A, &info, by, &err), err);
        ck_assert_int_eq(info.power_state, POWER_NOSTATE);
        ck_assert_int_eq(info.id, -1);
        check_events(d, &seen, ARRAY_SIZE(expected), expected);
        d->ops->stop(d);
}

GREEN_TEST(ordered_failures_come_once_each_and_in_order)
{
        struct guest_spec spec = spec_of(UUID_A, "instance-00000001");
        struct deadline by = deadline_in_s(10);
        struct error err = {};
        struct seen seen = {};
        struct virt_driver *d = started(&seen);

        virt_fake_fail_next(d, "spawn", NOVA_LIBVIRT_ERROR, "first");
        virt_fake_fail_next(d, "spawn", NOVA_HYPERVISOR_UNAVAILABLE, "second");
        ck_assert_fails(d->ops->spawn(d, &spec, by, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_str_eq(err.text, "first");
        ck_assert_fails(d->ops->spawn(d, &spec, by, &err), err, NOVA_HYPERVISOR_UNAVAILABLE);
        ck_assert_ok(d->ops->spawn(d, &spec, by, &err), err);
        ck_assert_uint_eq(virt_fake_calls(d, "spawn"), 3);
        d->ops->stop(d);
}

GREEN_TEST(a_hung_call_ends_at_its_deadline_and_did_nothing)
{
        struct guest_spec spec = spec_of(UUID_A, "instance-00000001");
        struct virt_status status;
        struct error err = {};
        struct guest_list list;
        struct seen seen = {};
        struct virt_driver *d = started(&seen);

        virt_fake_hang_next(d, "spawn");
        ck_assert_fails(d->ops->spawn(d, &spec, deadline_in_ms(700), &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 700);
        virt_fake_slow_next(d, "spawn", 2.0);
        ck_assert_ok(d->ops->spawn(d, &spec, deadline_in_s(3), &err), err);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 2700);
        virt_fake_slow_next(d, "pause", 2.0);
        ck_assert_fails(d->ops->pause(d, UUID_A, deadline_in_s(1), &err), err, ERR_TIMEOUT);
        ck_assert_ok(d->ops->list(d, &list, deadline_in_s(1), &err), err);
        ck_assert_uint_eq(list.n, 1);
        ck_assert_int_eq(list.items[0].power_state, POWER_RUNNING);
        guest_list_free(&list);
        d->ops->get_status(d, &status);
        ck_assert_uint_eq(status.timeouts, 2);
        d->ops->stop(d);
}

struct hung {
        struct virt_driver *d;
        int result;
        struct error err;
};

static int call_that_hangs(void *arg, struct error *err)
{
        struct hung *h = arg;

        assert_green();
        (void)err;
        h->result = h->d->ops->power_off(h->d, UUID_A, deadline_never(), &h->err);
        return 0;
}

GREEN_TEST(a_hung_call_can_be_cancelled)
{
        struct error err = {};
        struct seen seen = {};
        struct hung h = { .d = started(&seen) };
        struct green *g;

        virt_fake_hang_next(h.d, "power_off");
        g = green_spawn_ref(NULL, "caller", call_that_hangs, &h, &err);
        ck_assert_ptr_nonnull(g);
        ck_assert_int_eq(green_sleep(1, &err), 0);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(h.result, -1);
        ck_assert_int_eq(h.err.code, ERR_CANCELLED);
        h.d->ops->stop(h.d);
}

GREEN_TEST(guests_can_act_by_themselves_and_connections_come_and_go)
{
        const enum virt_event_kind expected[] = {
                VIRT_EVENT_CONNECTED, VIRT_EVENT_STOPPED,      VIRT_EVENT_STARTED,   VIRT_EVENT_STOPPED,
                VIRT_EVENT_PAUSED,    VIRT_EVENT_DISCONNECTED, VIRT_EVENT_CONNECTED, VIRT_EVENT_RESYNC,
        };
        struct deadline by = deadline_in_s(10);
        struct error err = {};
        struct guest_info info;
        struct seen seen = {};
        struct virt_driver *d = started(&seen);

        virt_fake_add_guest(d, UUID_B, "orphan", POWER_RUNNING);
        ck_assert(virt_fake_guest_stops(d, UUID_B));
        ck_assert(virt_fake_guest_starts(d, UUID_B));
        ck_assert(virt_fake_guest_crashes(d, UUID_B));
        ck_assert(!virt_fake_guest_stops(d, UUID_A));
        ck_assert_ok(d->ops->get_info(d, UUID_B, &info, by, &err), err);
        ck_assert_int_eq(info.power_state, POWER_CRASHED);
        ck_assert(virt_fake_set_state(d, UUID_B, POWER_PAUSED));
        virt_fake_emit(d, UUID_A, VIRT_EVENT_PAUSED);
        virt_fake_set_connected(d, false);
        ck_assert_fails(d->ops->get_info(d, UUID_B, &info, by, &err), err, NOVA_HYPERVISOR_UNAVAILABLE);
        ck_assert_fails(d->ops->wait_connected(d, deadline_in_ms(50), &err), err, ERR_TIMEOUT);
        virt_fake_set_connected(d, true);
        ck_assert_ok(d->ops->wait_connected(d, by, &err), err);
        check_events(d, &seen, ARRAY_SIZE(expected), expected);
        d->ops->stop(d);
}

GREEN_TEST(a_guest_may_ignore_its_power_button)
{
        struct guest_spec spec = spec_of(UUID_A, "instance-00000001");
        struct deadline by = deadline_in_s(10);
        struct error err = {};
        struct guest_info info;
        struct seen seen = {};
        struct virt_driver *d = started(&seen);
        char *path;

        ck_assert_ok(d->ops->spawn(d, &spec, by, &err), err);
        ck_assert(virt_fake_ignore_acpi(d, UUID_A, true));
        ck_assert_ok(d->ops->shutdown(d, UUID_A, by, &err), err);
        ck_assert_ok(d->ops->get_info(d, UUID_A, &info, by, &err), err);
        ck_assert_int_eq(info.power_state, POWER_RUNNING);
        ck_assert_ok(d->ops->console_path(d, UUID_A, &path, by, &err), err);
        ck_assert_str_eq(path, "/tmp/console.log");
        free(path);
        ck_assert_fails(d->ops->console_path(d, UUID_B, &path, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_fails(d->ops->shutdown(d, UUID_B, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_fails(d->ops->start_domain(d, UUID_B, by, &err), err, NOVA_INSTANCE_NOT_FOUND);
        d->ops->stop(d);
}

GREEN_SUITE("virt-fake", a_guest_lives_its_life_and_each_change_is_an_event,
            ordered_failures_come_once_each_and_in_order, a_hung_call_ends_at_its_deadline_and_did_nothing,
            a_hung_call_can_be_cancelled, guests_can_act_by_themselves_and_connections_come_and_go,
            a_guest_may_ignore_its_power_button)
