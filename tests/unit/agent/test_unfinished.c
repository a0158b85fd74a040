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

/* ---- handed back ---- */

static struct {
        unsigned n;
        int fails;
} handed_back;

static int fixture_hand_back(struct compute_build *b, struct deadline by, struct error *err)
{
        assert_green();
        green_yield();
        if (handed_back.fails)
                return error_set(err, handed_back.fails, "no route to the broker");
        handed_back.n++;
        return 0;
}

static void YIELDS build_from_a_broker(const char *uuid)
{
        struct compute_build *b = compute_fixture_build(uuid, NULL);
        struct error err;

        b->hand_back = fixture_hand_back;
        fake_store_add(uuid, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(uuid, REQ);
        ck_assert_ok(compute_build_and_run(f.m, b, &err), err);
}

/* One at work, one that waits for the only slot, and one for which somebody else has the lock. */
static struct named_lock *YIELDS three_builds(void)
{
        struct named_lock *lock;
        struct error err;

        begin();
        compute_manager_free(f.m);
        f.driver->ops->stop(f.driver);
        f.conf.max_concurrent_builds = 1;
        compute_fixture_make(&f);
        hypervisor = f.driver;
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, soon(), &err), err);
        ck_assert_ok(compute_audit(f.m, soon(), &err), err);
        lock = lockutils_acquire("cccccccc-cccc-4ccc-8ccc-cccccccccccc", soon(), &err);
        virt_fake_slow_next(f.driver, "spawn", 0.2);
        build_from_a_broker(UUID_A);
        until_called("spawn");
        build_from_a_broker(UUID_B);
        build_from_a_broker("cccccccc-cccc-4ccc-8ccc-cccccccccccc");
        ck_assert_ok(green_sleep(0.01, &err), err);
        fake_store_journal();
        return lock;
}

GREEN_TEST_REAL(builds_that_have_not_begun_are_handed_back_untouched)
{
        struct named_lock *lock = three_builds();
        struct journal_info info;
        struct error err;

        compute_hand_back_builds(f.m);
        build_from_a_broker("dddddddd-dddd-4ddd-8ddd-dddddddddddd"); /* of a worker that was at it */
        ck_assert_ok(compute_drain(f.m, soon(), &err), err);
        lockutils_release(lock);
        ck_assert_uint_eq(handed_back.n, 3);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_BUILDING);
        ck_assert_int_eq(fake_store_row(UUID_B)->task_state, TASK_SCHEDULING);
        journal_get_info(f.journal, &info);
        ck_assert_uint_eq(info.open, 0);
        ck_assert_uint_eq(compute_fixture_builds_alive(), 0);
        end();
}

GREEN_TEST_REAL(what_cannot_be_handed_back_is_told_by_the_next_start)
{
        struct named_lock *lock = three_builds();
        struct error err;

        handed_back.fails = ERR_TIMEOUT;
        compute_hand_back_builds(f.m);
        ck_assert_ok(compute_drain(f.m, soon(), &err), err);
        lockutils_release(lock);
        cut_short();
        ck_assert_uint_eq(left(), 2);
        start_again();
        virt_fake_add_guest(f.driver, UUID_A, "instance-00000001", POWER_RUNNING);
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_ERROR);
        ck_assert_uint_eq(left(), 0);
        end();
}

/* The agent was killed in between: the request may be in the queue. */
GREEN_TEST_REAL(a_build_that_was_being_handed_back_is_left_alone)
{
        begin();
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        journal_begin(f.journal, "build_and_run_instance", UUID_A, REQ, "handing the request back");
        cut_short();
        start_again();
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_BUILDING);
        ck_assert_uint_eq(left(), 0);
        end();
}

GREEN_SUITE("unfinished operations", a_build_that_was_not_claimed_becomes_an_error,
            a_build_that_was_claimed_is_repaired_by_its_row,
            a_build_that_went_back_to_conductor_is_left_alone, what_is_on_another_host_by_now_is_left_alone,
            a_stop_that_was_cut_short_is_done_by_the_next_start,
            what_a_deletion_left_is_removed_when_the_rows_are_gone,
            nothing_is_removed_for_the_sake_of_other_operations,
            what_could_not_be_repaired_is_there_for_the_next_start, what_ends_leaves_nothing_whatever_its_end,
            builds_that_have_not_begun_are_handed_back_untouched,
            what_cannot_be_handed_back_is_told_by_the_next_start,
            a_build_that_was_being_handed_back_is_left_alone)
