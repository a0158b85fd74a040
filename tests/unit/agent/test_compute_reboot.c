/* Soft and hard reboots. */
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;

static struct compute_call YIELDS begin(enum vm_state vm_state, enum task_state task, enum power_state guest)
{
        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, vm_state, task, guest);
        return compute_fixture_call(&f, UUID_A);
}

#define SOFT                                                                                            \
        "event+ compute_reboot_instance\n"                                                              \
        "instance power_state=1 task_state=reboot_pending if rebooting|reboot_pending|reboot_started\n" \
        "instance task_state=reboot_started if reboot_pending\n"
#define HARD(power)                                                         \
        "event+ compute_reboot_instance\n"                                  \
        "instance power_state=" power " task_state=reboot_pending_hard if " \
        "rebooting_hard|reboot_pending_hard|reboot_started_hard\n"          \
        "instance task_state=reboot_started_hard if reboot_pending_hard\n"
#define ACTIVE                                                     \
        "instance power_state=1 vm_state=active task_state=NULL\n" \
        "event- compute_reboot_instance Success\n"

GREEN_TEST(soft_reboot_starts_a_guest_that_went_off)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_REBOOTING, POWER_RUNNING);
        struct error err = {};

        ck_assert_ok(compute_reboot(f.m, &c, false, &err), err);
        ck_assert_journal(SOFT ACTIVE);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "start_domain"), 1);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        compute_fixture_settle(&f);
        /* the STOPPED in between was not taken for a guest that went off by itself */
        ck_assert_journal("");
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(soft_reboot_of_a_guest_that_does_not_obey_becomes_a_hard_one)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_REBOOTING, POWER_RUNNING);
        struct error err = {};

        virt_fake_ignore_acpi(f.driver, UUID_A, true);
        ck_assert_ok(compute_reboot(f.m, &c, false, &err), err);
        ck_assert_journal(SOFT ACTIVE);
        ck_assert_int_ge(clock_fake_elapsed_ms(), 120000);
        ck_assert_int_lt(clock_fake_elapsed_ms(), 122000);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 1);
        compute_fixture_stop(&f);
}

static int reboot_itself(void *arg, struct error *err)
{
        assert_green();
        if (green_sleep(7, err) < 0)
                return -1;
        virt_fake_guest_stops(f.driver, UUID_A);
        virt_fake_guest_starts(f.driver, UUID_A);
        return 0;
}

GREEN_TEST(soft_reboot_sees_that_the_guest_rebooted_itself)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_REBOOTING, POWER_RUNNING);
        struct error err = {};

        virt_fake_ignore_acpi(f.driver, UUID_A, true);
        ck_assert_ok(green_spawn(NULL, "guest", reboot_itself, NULL, &err), err);
        ck_assert_ok(compute_reboot(f.m, &c, false, &err), err);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "start_domain"), 0);
        ck_assert_int_lt(clock_fake_elapsed_ms(), 10000);
        compute_fixture_stop(&f);
}

GREEN_TEST(soft_reboot_of_a_guest_that_is_off_is_a_hard_one)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_REBOOTING, POWER_SHUTDOWN);
        struct error err = {};

        ck_assert_ok(compute_reboot(f.m, &c, false, &err), err);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "shutdown"), 0);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(hard_reboot_brings_a_stopped_or_broken_instance_back)
{
        static const enum vm_state from[] = { VM_STOPPED, VM_ERROR, VM_PAUSED, VM_SUSPENDED };

        for (unsigned s = 0; s < 4; s++) {
                struct compute_call c = begin(from[s], TASK_REBOOTING_HARD, POWER_SHUTDOWN);
                struct error err = {};

                ck_assert_ok(compute_reboot(f.m, &c, true, &err), err);
                ck_assert_journal(HARD("4") ACTIVE);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(hard_reboot_of_a_rescued_instance_stays_rescued)
{
        struct compute_call c = begin(VM_RESCUED, TASK_REBOOTING_HARD, POWER_RUNNING);
        struct error err = {};

        ck_assert_ok(compute_reboot(f.m, &c, true, &err), err);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_RESCUED);
        compute_fixture_stop(&f);
}

GREEN_TEST(failed_reboot_with_a_dead_guest_is_an_error)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_REBOOTING_HARD, POWER_SHUTDOWN);
        struct error err = {};

        virt_fake_fail_next(f.driver, "hard_reboot", NOVA_LIBVIRT_ERROR, "no memory");
        ck_assert_fails(compute_reboot(f.m, &c, true, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_journal(HARD("4") "instance power_state=4 vm_state=error\n"
                                    "fault 500 libvirtError\n"
                                    "event- compute_reboot_instance Error: libvirtError\n"
                                    "instance task_state=NULL\n"
                                    "node update vms=1 mb=576\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(failed_reboot_with_a_running_guest_is_only_a_fault)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_REBOOTING_HARD, POWER_RUNNING);
        struct error err = {};

        virt_fake_fail_next(f.driver, "hard_reboot", NOVA_LIBVIRT_ERROR, "no memory");
        ck_assert_ok(compute_reboot(f.m, &c, true, &err), err);
        ck_assert_journal(HARD("1") "fault 500 libvirtError\n" ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(reboot_of_an_instance_in_another_task_touches_nothing)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_DELETING, POWER_RUNNING);
        struct error err = {};

        ck_assert_fails(compute_reboot(f.m, &c, true, &err), err, NOVA_UNEXPECTED_DELETING_TASK_STATE);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_DELETING);
        compute_fixture_stop(&f);
}

static void drop_row(void *arg)
{
        fake_store_drop(arg);
}

GREEN_TEST(row_that_vanishes_during_the_reboot_is_ignored)
{
        struct compute_call c = begin(VM_ACTIVE, TASK_REBOOTING_HARD, POWER_RUNNING);
        struct error err = {};

        fake_store_before("store_instance_save", 3, drop_row, (void *)UUID_A);
        ck_assert_ok(compute_reboot(f.m, &c, true, &err), err);
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-reboot", soft_reboot_starts_a_guest_that_went_off,
            soft_reboot_of_a_guest_that_does_not_obey_becomes_a_hard_one,
            soft_reboot_sees_that_the_guest_rebooted_itself, soft_reboot_of_a_guest_that_is_off_is_a_hard_one,
            hard_reboot_brings_a_stopped_or_broken_instance_back,
            hard_reboot_of_a_rescued_instance_stays_rescued, failed_reboot_with_a_dead_guest_is_an_error,
            failed_reboot_with_a_running_guest_is_only_a_fault,
            reboot_of_an_instance_in_another_task_touches_nothing,
            row_that_vanishes_during_the_reboot_is_ignored)
