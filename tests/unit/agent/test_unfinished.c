/*
 * tests/unit/agent/test_unfinished.c: operations that were cut short, and what the next start makes of them
 * by the journal. Cutting short is taking the manager down while they are at it, which leaves all rows as
 * they are, as a kill does; integration tests kill.
 */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "compute_fixture.h"
#include "green/lockutils.h"
#include "green_test.h"
#include "journal/journal.h"
#include "native/tpool.h"
#include "private_dir.h"

static struct compute_fixture f;
static struct tpool *pool;
static struct virt_driver *hypervisor; /* it outlives the manager */

static struct deadline soon(void)
{
        return deadline_in_s(20);
}

static unsigned HUB_ONLY left(void)
{
        struct journal_info info;

        journal_get_info(f.journal, &info);
        return info.left;
}

static void YIELDS open_journal(void)
{
        char path[64];
        struct journal_options opt = { .files = pool, .path = path, .host = "host-1" };
        struct error err;

        snprintf(path, sizeof(path), "%s/journal", private_dir);
        f.journal = journal_open(&opt, &err);
        ck_assert_msg(f.journal != NULL, "%s", err.text);
}

static void YIELDS begin(void)
{
        char path[64];
        struct error err;

        snprintf(path, sizeof(path), "%s/journal", private_dir);
        unlink(path); /* of the test before */
        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        pool = tpool_new("files", 2, &err);
        ck_assert_msg(pool != NULL, "%s", err.text);
        open_journal();
        compute_fixture_make(&f);
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, soon(), &err), err);
        ck_assert_ok(compute_audit(f.m, soon(), &err), err);
        hypervisor = f.driver;
}

static void YIELDS cut_short(void)
{
        compute_manager_free(f.m);
        journal_close(f.journal);
        open_journal();
}

/* The next agent: the same rows, files and journal. Guests are made anew, as the fake forgets them. */
static void YIELDS start_again(void)
{
        compute_fixture_make(&f);
        hypervisor->ops->stop(hypervisor);
        hypervisor = f.driver;
}

static void YIELDS recover(void)
{
        struct error err;

        ck_assert_ok(compute_init_host(f.m, NULL, NULL, soon(), &err), err);
        compute_fixture_settle(&f);
}

static void YIELDS end(void)
{
        compute_manager_free(f.m);
        f.driver->ops->stop(f.driver);
        journal_close(f.journal);
        ck_assert_uint_eq(tpool_close(pool, soon()), 0);
        fake_store_reset();
}

static int stop_in_the_background(void *arg, struct error *err)
{
        struct compute_call c = compute_fixture_call(&f, arg);

        assert_green();
        return compute_stop(f.m, &c, false, err);
}

/* Until the operation waits for the hypervisor. */
static void YIELDS until_called(const char *op)
{
        struct error err;

        while (virt_fake_calls(f.driver, op) == 0)
                ck_assert_ok(green_sleep(0.001, &err), err);
}

static void YIELDS build(const char *uuid, unsigned *rescheduled)
{
        struct error err;

        fake_store_add(uuid, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(uuid, REQ);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(uuid, rescheduled), &err), err);
}

/* ---- builds ---- */

/* Nobody else would ever look at it: its row names no host. */
GREEN_TEST_REAL(a_build_that_was_not_claimed_becomes_an_error)
{
        struct named_lock *lock;
        struct error err;

        begin();
        lock = lockutils_acquire(UUID_A, soon(), &err);
        build(UUID_A, NULL);
        ck_assert_ok(green_sleep(0.01, &err), err);
        cut_short();
        lockutils_release(lock);
        ck_assert_uint_eq(left(), 1);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_BUILDING);
        fake_store_journal();
        start_again();
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "fault"));
        ck_assert_uint_eq(left(), 0);
        end();
}

GREEN_TEST_REAL(a_build_that_was_claimed_is_repaired_by_its_row)
{
        begin();
        virt_fake_hang_next(f.driver, "spawn");
        build(UUID_A, NULL);
        until_called("spawn");
        cut_short();
        ck_assert_uint_eq(left(), 1);
        ck_assert_str_eq(journal_next_left(f.journal, NULL)->step, "starting the guest");
        start_again();
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        ck_assert_uint_eq(left(), 0);
        end();
}

/* Somebody else may have it by now. */
GREEN_TEST_REAL(a_build_that_went_back_to_conductor_is_left_alone)
{
        begin();
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        journal_begin(f.journal, "build_and_run_instance", UUID_A, REQ, "asking for another host");
        cut_short();
        start_again();
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_BUILDING);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_SCHEDULING);
        ck_assert_uint_eq(left(), 0);
        end();
}

GREEN_TEST_REAL(what_is_on_another_host_by_now_is_left_alone)
{
        begin();
        replace_str(&fake_store_add(UUID_A, VM_BUILDING, TASK_SPAWNING)->host, "host-2");
        journal_begin(f.journal, "build_and_run_instance", UUID_A, REQ, "creating disks");
        cut_short();
        start_again();
        virt_fake_add_guest(f.driver, UUID_A, "instance-00000001", POWER_RUNNING);
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_BUILDING);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "power_off"), 0);
        ck_assert_uint_eq(left(), 0);
        end();
}

/* ---- others ---- */

GREEN_TEST_REAL(a_stop_that_was_cut_short_is_done_by_the_next_start)
{
        struct green_group *workers = green_group_new("rpc workers");
        const struct journal_entry *e;
        struct error err;

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_hang_next(f.driver, "power_off");
        ck_assert_ok(green_spawn(workers, "stop", stop_in_the_background, UUID_A, &err), err);
        until_called("power_off");
        green_group_close(workers);
        cut_short();
        ck_assert_uint_eq(left(), 1);
        e = journal_next_left(f.journal, NULL);
        ck_assert_str_eq(e->method, "stop_instance");
        ck_assert_str_eq(e->step, "powering off");
        ck_assert_str_eq(e->request_id, REQ);
        start_again();
        virt_fake_add_guest(f.driver, UUID_A, "instance-00000001", POWER_RUNNING);
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        ck_assert_uint_eq(left(), 0);
        end();
}

/* The rows are gone, so that nobody would look for the guest and its files. */
GREEN_TEST_REAL(what_a_deletion_left_is_removed_when_the_rows_are_gone)
{
        begin();
        fake_store_add(UUID_A, VM_DELETED, TASK_NONE);
        fake_store_drop(UUID_A);
        fake_files_add(UUID_A);
        journal_begin(f.journal, "terminate_instance", UUID_A, REQ, "removing the guest");
        cut_short();
        start_again();
        virt_fake_add_guest(f.driver, UUID_A, "instance-00000001", POWER_RUNNING);
        recover();
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert_uint_eq(virt_fake_calls(f.driver, "undefine"), 1);
        ck_assert_uint_eq(left(), 0);
        end();
}

/* Of an instance that is gone all the same, but not by us. */
GREEN_TEST_REAL(nothing_is_removed_for_the_sake_of_other_operations)
{
        begin();
        fake_files_add(UUID_A);
        journal_begin(f.journal, "stop_instance", UUID_A, REQ, "powering off");
        cut_short();
        start_again();
        recover();
        ck_assert(fake_files_exist(UUID_A));
        ck_assert_uint_eq(left(), 0);
        end();
}

GREEN_TEST_REAL(what_could_not_be_repaired_is_there_for_the_next_start)
{
        begin();
        fake_store_add(UUID_A, VM_DELETED, TASK_NONE);
        fake_store_drop(UUID_A);
        journal_begin(f.journal, "terminate_instance", UUID_A, REQ, "removing the guest");
        cut_short();
        start_again();
        virt_fake_fail_next(f.driver, "power_off", NOVA_LIBVIRT_ERROR, "not now");
        recover();
        ck_assert_uint_eq(left(), 1);
        cut_short();
        ck_assert_uint_eq(left(), 1);
        start_again();
        recover();
        ck_assert_uint_eq(left(), 0);
        end();
}

GREEN_TEST_REAL(what_ends_leaves_nothing_whatever_its_end)
{
        struct compute_call c;
        struct journal_info info;
        struct error err = {};

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_stop(f.m, &c, false, &err), err);
        c = compute_fixture_call(&f, UUID_B);
        ck_assert_int_eq(compute_stop(f.m, &c, false, &err), -1); /* there is no such instance */
        build("cccccccc-cccc-4ccc-8ccc-cccccccccccc", NULL);
        compute_fixture_settle(&f);
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no such machine");
        build("dddddddd-dddd-4ddd-8ddd-dddddddddddd", NULL);
        compute_fixture_settle(&f);
        journal_get_info(f.journal, &info);
        ck_assert_uint_eq(info.open, 0);
        end();
}

GREEN_SUITE("unfinished operations", a_build_that_was_not_claimed_becomes_an_error,
            a_build_that_was_claimed_is_repaired_by_its_row,
            a_build_that_went_back_to_conductor_is_left_alone, what_is_on_another_host_by_now_is_left_alone,
            a_stop_that_was_cut_short_is_done_by_the_next_start,
            what_a_deletion_left_is_removed_when_the_rows_are_gone,
            nothing_is_removed_for_the_sake_of_other_operations,
            what_could_not_be_repaired_is_there_for_the_next_start, what_ends_leaves_nothing_whatever_its_end)
