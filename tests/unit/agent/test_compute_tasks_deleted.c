/* Reclaiming of soft-deleted instances; files and migrations that outlived their instance. */
#include "base/mem.h"
#include "compute/compute_priv.h"
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;
static struct error e;

static bool YIELDS guest_is(const char *uuid, enum power_state state)
{
        struct guest_info info = {};

        ck_assert_ok(f.driver->ops->get_info(f.driver, uuid, &info, deadline_in_s(10), &e), e);
        return info.power_state == state;
}

/* ---- reclaim ---- */

/* A is old enough, B is not. */
static void YIELDS begin_soft_deleted(void)
{
        compute_fixture_start(&f);
        f.conf.reclaim_instance_interval = 3600;
        compute_fixture_instance(&f, UUID_A, VM_SOFT_DELETED, TASK_NONE, POWER_SHUTDOWN);
        compute_fixture_instance(&f, UUID_B, VM_SOFT_DELETED, TASK_NONE, POWER_SHUTDOWN);
        fake_store_row(UUID_A)->deleted_at = clock_wall_s() - 3601;
        fake_store_row(UUID_B)->deleted_at = clock_wall_s() - 3500;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        fake_store_journal();
}

static void YIELDS reclaim(void)
{
        ck_assert_ok(tasks_reclaim_queued_deletes(f.m, deadline_in_s(60), &e), e);
}

GREEN_TEST(what_was_soft_deleted_long_ago_is_deleted)
{
        begin_soft_deleted();
        reclaim();
        /* as nova: no action, no event, since nobody asked for it */
        ck_assert_journal("instance task_state=deleting if NULL|deleting\n"
                          "instance cleaned=1 +clean_attempts=1\n"
                          "instance power_state=0 vm_state=deleted task_state=NULL terminated_at=now\n"
                          "node update vms=1 mb=576\n"
                          "soft delete\n");
        ck_assert(guest_is(UUID_A, POWER_NOSTATE));
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_SOFT_DELETED);
        ck_assert(fake_files_exist(UUID_B));
        compute_fixture_stop(&f);
}

GREEN_TEST(without_a_time_it_counts_as_old)
{
        begin_soft_deleted();
        fake_store_row(UUID_B)->deleted_at = 0;
        reclaim();
        ck_assert_ptr_null(fake_store_row(UUID_B));
        compute_fixture_stop(&f);
}

GREEN_TEST(one_with_a_task_or_another_state_is_left_alone)
{
        begin_soft_deleted();
        fake_store_row(UUID_A)->task_state = TASK_RESTORING;
        fake_store_row(UUID_B)->deleted_at = clock_wall_s() - 99999;
        fake_store_row(UUID_B)->vm_state = VM_ACTIVE;
        reclaim();
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_delete_that_was_cut_short_is_gone_on_with)
{
        begin_soft_deleted();
        fake_store_row(UUID_A)->task_state = TASK_DELETING;
        reclaim();
        ck_assert_ptr_null(fake_store_row(UUID_A));
        compute_fixture_stop(&f);
}

/* nova-api: task_state restoring if it is NULL, deleted_at NULL. */
static void restore_it(void *arg)
{
        (void)arg;
        fake_store_row(UUID_A)->task_state = TASK_RESTORING;
        fake_store_row(UUID_A)->deleted_at = 0;
}

GREEN_TEST(a_restore_that_comes_first_wins)
{
        begin_soft_deleted();
        fake_store_before("store_instance_get", 1, restore_it, NULL);
        reclaim();
        ck_assert_journal("");
        ck_assert(fake_files_exist(UUID_A));
        compute_fixture_stop(&f);

        begin_soft_deleted();
        fake_store_before("store_instance_save", 1, restore_it, NULL);
        reclaim();
        ck_assert_journal("");
        ck_assert(fake_files_exist(UUID_A));
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_RESTORING);
        compute_fixture_stop(&f);
}

GREEN_TEST(one_that_cannot_be_deleted_does_not_hold_up_the_others_and_is_tried_again)
{
        begin_soft_deleted();
        fake_store_row(UUID_B)->deleted_at = 1;
        virt_fake_fail_next(f.driver, "power_off", NOVA_LIBVIRT_ERROR, "busy");
        reclaim();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_SOFT_DELETED);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        ck_assert_ptr_null(fake_store_row(UUID_B));
        reclaim();
        ck_assert_ptr_null(fake_store_row(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(without_the_rows_nothing_is_reclaimed)
{
        begin_soft_deleted();
        fake_store_fail("store_instances_page", 1, ERR_DB_LOST, "gone away");
        ck_assert_fails(tasks_reclaim_queued_deletes(f.m, deadline_in_s(60), &e), e, ERR_DB_LOST);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_SOFT_DELETED);
        compute_fixture_stop(&f);
}

/* ---- files that are left ---- */

static void YIELDS begin_left_files(enum power_state guest)
{
        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, guest);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_row(UUID_A)->deleted = true;
        fake_store_journal();
}

static void YIELDS run_deletes(void)
{
        ck_assert_ok(tasks_run_pending_deletes(f.m, deadline_in_s(60), &e), e);
}

GREEN_TEST(files_of_a_deleted_instance_are_removed_once)
{
        begin_left_files(POWER_NOSTATE);
        run_deletes();
        ck_assert_journal("attempt 1 cleaned\n");
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert(fake_files_exist(UUID_B));
        run_deletes();
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(it_is_tried_only_so_often)
{
        begin_left_files(POWER_SHUTDOWN);
        f.conf.maximum_instance_delete_attempts = 2;
        for (int n = 0; n < 3; n++) {
                if (n < 2)
                        fake_files_fail_next("remove", ERR_SYSTEM, "Read-only file system");
                run_deletes();
        }
        ck_assert_journal("attempt 1\nattempt 2\n");
        ck_assert(fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(a_guest_that_runs_keeps_its_files)
{
        begin_left_files(POWER_RUNNING);
        run_deletes();
        ck_assert_journal("");
        ck_assert(fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

/* ---- migrations ---- */

GREEN_TEST(a_migration_of_an_instance_deleted_elsewhere_ends_here)
{
        begin_left_files(POWER_NOSTATE);
        replace_str(&fake_store_any_row(UUID_A)->host, "host-2");
        fake_store_add_migration(7, UUID_A);
        fake_store_add_migration(8, UUID_B);
        ck_assert_ok(tasks_cleanup_incomplete_migrations(f.m, deadline_in_s(60), &e), e);
        ck_assert_journal("migration 7 failed\n");
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert(fake_files_exist(UUID_B));
        ck_assert_uint_eq(fake_store_migrations(), 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_migration_whose_files_resist_stays)
{
        begin_left_files(POWER_NOSTATE);
        replace_str(&fake_store_any_row(UUID_A)->host, "host-2");
        fake_store_add_migration(7, UUID_A);
        fake_files_fail_next("remove", ERR_SYSTEM, "Read-only file system");
        ck_assert_ok(tasks_cleanup_incomplete_migrations(f.m, deadline_in_s(60), &e), e);
        ck_assert_journal("");
        ck_assert_uint_eq(fake_store_migrations(), 1);
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-tasks-deleted", what_was_soft_deleted_long_ago_is_deleted,
            without_a_time_it_counts_as_old, one_with_a_task_or_another_state_is_left_alone,
            a_delete_that_was_cut_short_is_gone_on_with, a_restore_that_comes_first_wins,
            one_that_cannot_be_deleted_does_not_hold_up_the_others_and_is_tried_again,
            without_the_rows_nothing_is_reclaimed, files_of_a_deleted_instance_are_removed_once,
            it_is_tried_only_so_often, a_guest_that_runs_keeps_its_files,
            a_migration_of_an_instance_deleted_elsewhere_ends_here, a_migration_whose_files_resist_stays)
