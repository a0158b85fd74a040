/* Soft delete and restore: what is written, in which order, and what failures leave. */
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;
static struct error e;

static enum power_state YIELDS guest_state(const char *uuid)
{
        struct guest_info info = {};

        ck_assert_ok(f.driver->ops->get_info(f.driver, uuid, &info, deadline_in_s(10), &e), e);
        return info.power_state;
}

static void YIELDS begin(enum vm_state vm_state, enum task_state task, enum power_state guest)
{
        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, vm_state, task, guest);
}

GREEN_TEST(soft_delete_powers_off_and_keeps_everything)
{
        struct compute_call c;

        begin(VM_ACTIVE, TASK_SOFT_DELETING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_soft_delete(f.m, &c, &e), e);
        ck_assert_journal("event+ compute_soft_delete_instance\n"
                          "instance power_state=4 vm_state=soft-delete task_state=NULL if soft-deleting\n"
                          "event- compute_soft_delete_instance Success\n");
        ck_assert_int_eq(guest_state(UUID_A), POWER_SHUTDOWN);
        ck_assert(fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(a_soft_delete_that_comes_twice_touches_nothing)
{
        struct compute_call c;

        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_soft_delete(f.m, &c, &e), e, NOVA_UNEXPECTED_TASK_STATE);
        ck_assert_int_eq(guest_state(UUID_A), POWER_RUNNING);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_soft_delete_that_fails_leaves_a_fault_and_no_task)
{
        struct compute_call c;

        begin(VM_ACTIVE, TASK_SOFT_DELETING, POWER_RUNNING);
        virt_fake_fail_next(f.driver, "power_off", NOVA_INSTANCE_POWER_OFF_FAILURE, "it resists");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_soft_delete(f.m, &c, &e), e, NOVA_INSTANCE_POWER_OFF_FAILURE);
        ck_assert_journal("event+ compute_soft_delete_instance\n"
                          "fault 400 powering off: it resists\n"
                          "event- compute_soft_delete_instance Error: powering off: it resists\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(restore_starts_the_guest)
{
        struct compute_call c;

        begin(VM_SOFT_DELETED, TASK_RESTORING, POWER_SHUTDOWN);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_restore(f.m, &c, &e), e);
        ck_assert_journal("event+ compute_restore_instance\n"
                          "instance power_state=1 vm_state=active task_state=NULL if restoring\n"
                          "event- compute_restore_instance Success\n");
        ck_assert_int_eq(guest_state(UUID_A), POWER_RUNNING);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_restore_that_fails_stays_soft_deleted)
{
        struct compute_call c;

        begin(VM_SOFT_DELETED, TASK_RESTORING, POWER_SHUTDOWN);
        virt_fake_fail_next(f.driver, "hard_reboot", NOVA_LIBVIRT_ERROR, "no memory");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_restore(f.m, &c, &e), e, NOVA_LIBVIRT_ERROR);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_SOFT_DELETED);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_restart_goes_on_with_what_a_kill_cut_short)
{
        begin(VM_SOFT_DELETED, TASK_RESTORING, POWER_SHUTDOWN);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_SOFT_DELETING, POWER_RUNNING);
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, deadline_in_s(10), &e), e);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_int_eq(guest_state(UUID_A), POWER_RUNNING);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_SOFT_DELETED);
        ck_assert_int_eq(guest_state(UUID_B), POWER_SHUTDOWN);
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-soft-delete", soft_delete_powers_off_and_keeps_everything,
            a_soft_delete_that_comes_twice_touches_nothing,
            a_soft_delete_that_fails_leaves_a_fault_and_no_task, restore_starts_the_guest,
            a_restore_that_fails_stays_soft_deleted, a_restart_goes_on_with_what_a_kill_cut_short)
