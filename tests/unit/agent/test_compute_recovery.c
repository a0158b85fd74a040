/* What the start does for each instance it finds: the table, and what it leads to. */
#include "compute/recovery.h"

#include "base/list.h"
#include "base/mem.h"
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;

/* ---- the table ---- */

static const struct {
        const char *row;
        enum vm_state vm_state;
        enum task_state task;
        enum power_state guest;
        enum recovery_step steps[3];
} rows[] = {
#define OF(...)             \
        {                   \
                __VA_ARGS__ \
        }
        { "soft-deleted", VM_SOFT_DELETED, TASK_NONE, POWER_SHUTDOWN, OF(RECOVER_LEAVE) },
        { "reclaim or delete of it", VM_SOFT_DELETED, TASK_DELETING, POWER_SHUTDOWN, OF(RECOVER_DELETE) },
        { "restore of it", VM_SOFT_DELETED, TASK_RESTORING, POWER_SHUTDOWN, OF(RECOVER_RESTORE) },
        { "soft delete", VM_ACTIVE, TASK_SOFT_DELETING, POWER_RUNNING, OF(RECOVER_SOFT_DELETE) },
        { "error", VM_ERROR, TASK_NONE, POWER_RUNNING, OF(RECOVER_LEAVE) },
        { "error while powering off", VM_ERROR, TASK_POWERING_OFF, POWER_RUNNING, OF(RECOVER_LEAVE) },
        { "error while deleting", VM_ERROR, TASK_DELETING, POWER_RUNNING, OF(RECOVER_DELETE) },
        { "deleted but seen", VM_DELETED, TASK_NONE, POWER_NOSTATE, OF(RECOVER_FINISH_DELETE) },
        { "building", VM_BUILDING, TASK_NONE, POWER_NOSTATE, OF(RECOVER_TO_ERROR) },
        { "spawning", VM_BUILDING, TASK_SPAWNING, POWER_RUNNING, OF(RECOVER_TO_ERROR) },
        { "spawning elsewise", VM_SHELVED_OFFLOADED, TASK_SPAWNING, POWER_NOSTATE, OF(RECOVER_TO_ERROR) },
        { "scheduling", VM_ACTIVE, TASK_SCHEDULING, POWER_RUNNING, OF(RECOVER_TO_ERROR) },
        { "networking", VM_ACTIVE, TASK_NETWORKING, POWER_RUNNING, OF(RECOVER_TO_ERROR) },
        { "block devices", VM_ACTIVE, TASK_BLOCK_DEVICE_MAPPING, POWER_RUNNING, OF(RECOVER_TO_ERROR) },
        { "rebuilding", VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING, OF(RECOVER_TO_ERROR) },
        { "rebuild spawning", VM_STOPPED, TASK_REBUILD_SPAWNING, POWER_RUNNING, OF(RECOVER_TO_ERROR) },
        { "snapshot", VM_ACTIVE, TASK_IMAGE_SNAPSHOT, POWER_RUNNING, OF(RECOVER_CLEAR_TASK) },
        { "snapshot upload", VM_STOPPED, TASK_IMAGE_UPLOADING, POWER_SHUTDOWN, OF(RECOVER_CLEAR_TASK) },
        { "resize asked for", VM_ACTIVE, TASK_RESIZE_PREP, POWER_RUNNING, OF(RECOVER_CLEAR_TASK) },
        { "deleting", VM_ACTIVE, TASK_DELETING, POWER_RUNNING, OF(RECOVER_DELETE) },
        { "soft reboot, runs", VM_ACTIVE, TASK_REBOOT_PENDING, POWER_RUNNING, OF(RECOVER_REBOOT_SOFT) },
        { "soft reboot, off", VM_ACTIVE, TASK_REBOOT_PENDING, POWER_SHUTDOWN, OF(RECOVER_REBOOT_HARD) },
        { "hard reboot", VM_STOPPED, TASK_REBOOT_PENDING_HARD, POWER_RUNNING, OF(RECOVER_REBOOT_HARD) },
        { "reboot begun, off", VM_ACTIVE, TASK_REBOOT_STARTED, POWER_SHUTDOWN, OF(RECOVER_REBOOT_HARD) },
        { "reboot begun, gone", VM_ACTIVE, TASK_REBOOT_STARTED_HARD, POWER_NOSTATE, OF(RECOVER_REBOOT_HARD) },
        { "reboot begun, runs", VM_ACTIVE, TASK_REBOOT_STARTED, POWER_RUNNING, OF(RECOVER_TO_ACTIVE) },
        { "hard reboot begun, runs", VM_ERROR, TASK_REBOOT_STARTED_HARD, POWER_RUNNING, OF(RECOVER_LEAVE) },
        { "pausing, runs", VM_ACTIVE, TASK_PAUSING, POWER_RUNNING, OF(RECOVER_TO_ACTIVE) },
        { "unpausing, runs", VM_PAUSED, TASK_UNPAUSING, POWER_RUNNING, OF(RECOVER_TO_ACTIVE) },
        { "unpausing, paused", VM_PAUSED, TASK_UNPAUSING, POWER_PAUSED, OF(RECOVER_UNPAUSE) },
        { "error while resizing", VM_ERROR, TASK_RESIZE_MIGRATING, POWER_SHUTDOWN,
          OF(RECOVER_REVERT_RESIZE) },
        { "resizing", VM_ACTIVE, TASK_RESIZE_MIGRATING, POWER_SHUTDOWN, OF(RECOVER_REVERT_RESIZE) },
        { "migrating", VM_ACTIVE, TASK_MIGRATING, POWER_RUNNING, OF(RECOVER_ABORT_MIGRATION) },
        { "error while migrating", VM_ERROR, TASK_MIGRATING, POWER_RUNNING, OF(RECOVER_LEAVE) },
        { "resized on its way", VM_ACTIVE, TASK_RESIZE_MIGRATED, POWER_SHUTDOWN, {} },
        { "powering off", VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING, OF(RECOVER_STOP) },
        { "powering off, off", VM_ACTIVE, TASK_POWERING_OFF, POWER_SHUTDOWN, OF(RECOVER_STOP) },
        { "powering on", VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN, OF(RECOVER_START) },
        { "all is well", VM_ACTIVE, TASK_NONE, POWER_RUNNING, {} },
        { "went off while we were away", VM_ACTIVE, TASK_NONE, POWER_SHUTDOWN, {} },
        { "stopped", VM_STOPPED, TASK_NONE, POWER_SHUTDOWN, {} },
        /* ours */
        { "reboot not begun", VM_ACTIVE, TASK_REBOOTING, POWER_RUNNING, OF(RECOVER_REBOOT_SOFT) },
        { "reboot not begun, off", VM_ACTIVE, TASK_REBOOTING, POWER_SHUTDOWN, OF(RECOVER_REBOOT_HARD) },
        { "hard reboot not begun", VM_PAUSED, TASK_REBOOTING_HARD, POWER_PAUSED, OF(RECOVER_REBOOT_HARD) },
        { "pausing, paused", VM_ACTIVE, TASK_PAUSING, POWER_PAUSED, OF(RECOVER_TO_PAUSED) },
        { "pausing, off", VM_ACTIVE, TASK_PAUSING, POWER_SHUTDOWN, OF(RECOVER_CLEAR_TASK) },
        { "suspending, runs", VM_ACTIVE, TASK_SUSPENDING, POWER_RUNNING, OF(RECOVER_TO_ACTIVE) },
        { "suspending, off", VM_ACTIVE, TASK_SUSPENDING, POWER_SHUTDOWN, OF(RECOVER_TO_SUSPENDED) },
        { "resuming, off", VM_SUSPENDED, TASK_RESUMING, POWER_SHUTDOWN, OF(RECOVER_RESUME) },
        { "resuming, runs", VM_SUSPENDED, TASK_RESUMING, POWER_RUNNING, OF(RECOVER_RESUMED) },
#undef OF
};

START_TEST(each_row_of_the_table)
{
        struct recovery_options opt = { .host = "host-1" };

        for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
                struct instance i = { .host = (char *)"host-1",
                                      .vm_state = rows[r].vm_state,
                                      .task_state = rows[r].task };
                enum recovery_step steps[RECOVERY_STEPS_MAX];
                unsigned n = recovery_decide(&opt, &i, rows[r].guest, steps), want = 0;

                while (want < 3 && rows[r].steps[want] != RECOVER_NOTHING)
                        want++;
                ck_assert_msg(n == want, "%s: %u steps, expected %u", rows[r].row, n, want);
                for (unsigned s = 0; s < n; s++)
                        ck_assert_msg(steps[s] == rows[r].steps[s], "%s: step %u is \"%s\"", rows[r].row, s,
                                      recovery_step_name(steps[s]));
        }
}
END_TEST

START_TEST(instances_of_other_hosts_are_left_alone)
{
        struct recovery_options opt = { .host = "host-1" };
        struct instance i = { .host = (char *)"host-2", .task_state = TASK_DELETING, .vm_state = VM_ACTIVE };
        enum recovery_step steps[RECOVERY_STEPS_MAX];

        ck_assert_uint_eq(recovery_decide(&opt, &i, POWER_RUNNING, steps), 1);
        ck_assert_int_eq(steps[0], RECOVER_LEAVE);
}
END_TEST

START_TEST(guests_that_ran_boot_again_only_when_asked)
{
        struct recovery_options opt = { .host = "host-1", .boot_again = true };
        struct instance i = { .host = (char *)"host-1", .vm_state = VM_ACTIVE, .power_state = POWER_RUNNING };
        enum recovery_step steps[RECOVERY_STEPS_MAX];
        static const struct {
                enum power_state guest;
                unsigned n;
        } cases[] = { { POWER_RUNNING, 0 },  { POWER_PAUSED, 0 },  { POWER_NOSTATE, 0 },
                      { POWER_SHUTDOWN, 1 }, { POWER_CRASHED, 1 }, { POWER_SUSPENDED, 0 } };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++)
                ck_assert_uint_eq(recovery_decide(&opt, &i, cases[c].guest, steps), cases[c].n);
        ck_assert_uint_eq(recovery_decide(&opt, &i, POWER_SHUTDOWN, steps), 1);
        ck_assert_int_eq(steps[0], RECOVER_BOOT_AGAIN);
        i.power_state = POWER_SHUTDOWN;
        ck_assert_uint_eq(recovery_decide(&opt, &i, POWER_SHUTDOWN, steps), 0);
}
END_TEST

/* ---- the work ---- */

static unsigned last_done, last_total;

static void note_progress(unsigned done, unsigned total, void *arg)
{
        ck_assert_uint_le(done, total);
        last_done = done;
        last_total = total;
}

static void YIELDS prepare(void)
{
        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        compute_fixture_make(&f);
}

static void YIELDS recover(void)
{
        struct error err = {};

        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        fake_store_journal();
        ck_assert_ok(compute_init_host(f.m, note_progress, NULL, deadline_in_s(1000), &err), err);
        compute_fixture_settle(&f);
}

/* What each row of the table makes of the instance in the end. */
GREEN_TEST(each_row_leads_to_a_state_that_users_can_act_on)
{
        static const struct {
                enum vm_state vm_state;
                enum task_state task;
                enum power_state guest;
                enum vm_state then;
                enum power_state guest_then;
        } cases[] = {
                { VM_BUILDING, TASK_SPAWNING, POWER_NOSTATE, VM_ERROR, POWER_NOSTATE },
                { VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING, VM_ERROR, POWER_RUNNING },
                { VM_ACTIVE, TASK_IMAGE_SNAPSHOT, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_REBOOT_PENDING, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_REBOOT_PENDING, POWER_SHUTDOWN, VM_ACTIVE, POWER_RUNNING },
                { VM_STOPPED, TASK_REBOOT_PENDING_HARD, POWER_SHUTDOWN, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_REBOOT_STARTED, POWER_SHUTDOWN, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_REBOOT_STARTED, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_REBOOTING, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_REBOOTING, POWER_SHUTDOWN, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_REBOOTING_HARD, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_PAUSING, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_PAUSING, POWER_PAUSED, VM_PAUSED, POWER_PAUSED },
                { VM_PAUSED, TASK_UNPAUSING, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_PAUSED, TASK_UNPAUSING, POWER_PAUSED, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_SUSPENDING, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_SUSPENDING, POWER_SHUTDOWN, VM_SUSPENDED, POWER_SHUTDOWN },
                { VM_SUSPENDED, TASK_RESUMING, POWER_SHUTDOWN, VM_ACTIVE, POWER_RUNNING },
                { VM_SUSPENDED, TASK_RESUMING, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING, VM_STOPPED, POWER_SHUTDOWN },
                { VM_ACTIVE, TASK_POWERING_OFF, POWER_SHUTDOWN, VM_STOPPED, POWER_SHUTDOWN },
                { VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_RESIZE_PREP, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_RESIZE_MIGRATING, POWER_SHUTDOWN, VM_ACTIVE, POWER_RUNNING },
                { VM_ACTIVE, TASK_MIGRATING, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
                { VM_ERROR, TASK_NONE, POWER_RUNNING, VM_ERROR, POWER_RUNNING },
                { VM_ACTIVE, TASK_NONE, POWER_RUNNING, VM_ACTIVE, POWER_RUNNING },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct guest_info info = {};
                struct error err = {};
                struct instance *i;

                prepare();
                i = compute_fixture_instance(&f, UUID_A, cases[c].vm_state, cases[c].task, cases[c].guest);
                replace_str(&i->host, "host-1");
                i->power_state = POWER_RUNNING; /* as of before the kill */
                recover();
                ck_assert_msg(i->vm_state == cases[c].then && i->task_state == TASK_NONE,
                              "case %zu (%s, %s, guest %s): %s, %s", c, vm_state_name(cases[c].vm_state),
                              task_state_name(cases[c].task), power_state_name(cases[c].guest),
                              vm_state_name(i->vm_state), task_state_name(i->task_state));
                ck_assert_ok(f.driver->ops->get_info(f.driver, UUID_A, &info, deadline_in_s(1), &err), err);
                ck_assert_msg(info.power_state == cases[c].guest_then, "case %zu: guest %s", c,
                              power_state_name(info.power_state));
                ck_assert_msg(i->vm_state == VM_ERROR || i->power_state == cases[c].guest_then,
                              "case %zu: power_state %s", c, power_state_name(i->power_state));
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(an_unfinished_delete_is_finished)
{
        struct instance *i;

        prepare();
        i = compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_DELETING, POWER_RUNNING);
        recover();
        ck_assert(i->deleted);
        ck_assert(!fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(a_row_that_says_deleted_is_hidden)
{
        struct instance *i;

        prepare();
        i = compute_fixture_instance(&f, UUID_A, VM_DELETED, TASK_NONE, POWER_NOSTATE);
        recover();
        ck_assert(i->deleted);
        ck_assert_journal("soft delete\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_interrupted_build_says_why_it_failed)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_BUILDING, TASK_SPAWNING, POWER_NOSTATE);
        replace_str(&fake_store_row(UUID_A)->host, "host-1");
        recover();
        ck_assert_journal("instance vm_state=error task_state=NULL if spawning\n"
                          "fault 500 The build was interrupted: the compute service of host host-1 was "
                          "restarted\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_half_done_resize_is_taken_back)
{
        struct instance *i;

        prepare();
        i = compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_RESIZE_MIGRATING, POWER_SHUTDOWN);
        instance_set_system_meta(i, "old_vm_state", "active");
        i = compute_fixture_instance(&f, UUID_B, VM_STOPPED, TASK_RESIZE_MIGRATING, POWER_SHUTDOWN);
        instance_set_system_meta(i, "old_vm_state", "stopped");
        recover();
        ck_assert_uint_eq(fake_files_taken_back(), 2);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 1); /* of the one that ran */
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        ck_assert_int_eq(fake_store_row(UUID_B)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_resize_that_had_not_switched_the_guest_off_leaves_it_alone)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_RESIZE_MIGRATING, POWER_RUNNING);
        recover();
        ck_assert_uint_eq(fake_files_taken_back(), 0);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_resize_that_cannot_be_taken_back_leaves_no_task)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_RESIZE_MIGRATING, POWER_SHUTDOWN);
        fake_files_fail_next("take_back", ERR_SYSTEM, "I/O error");
        recover();
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 0);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_live_migration_under_way_is_ended)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_MIGRATING, POWER_RUNNING);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_MIGRATING, POWER_RUNNING);
        fake_store_add_move(UUID_A, false, "running");
        fake_store_add_move(UUID_B, false, "queued"); /* libvirt was not asked yet */
        recover();
        ck_assert_uint_eq(virt_fake_calls(f.driver, "abort_job"), 1);
        ck_assert_str_eq(fake_store_move_status(UUID_A), "error");
        ck_assert_str_eq(fake_store_move_status(UUID_B), "queued");
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        ck_assert_int_eq(fake_store_row(UUID_B)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_migration_that_cannot_be_ended_leaves_no_task)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_MIGRATING, POWER_RUNNING);
        fake_store_add_move(UUID_A, false, "running");
        virt_fake_fail_next(f.driver, "abort_job", NOVA_LIBVIRT_ERROR, "busy");
        recover();
        ck_assert_str_eq(fake_store_move_status(UUID_A), "running");
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

/* ---- evacuated ---- */

GREEN_TEST(the_guest_of_an_evacuated_instance_is_removed_before_anything_else)
{
        struct error err = {};
        struct guest_info info;

        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        replace_str(&fake_store_row(UUID_A)->host, "host-2");
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_add_move(UUID_A, true, "done");
        recover();
        ck_assert_ok(f.driver->ops->get_info(f.driver, UUID_A, &info, deadline_in_s(1), &err), err);
        ck_assert_int_eq(info.power_state, POWER_NOSTATE);
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert_journal(""); /* the row is its new host's */
        ck_assert_ok(f.driver->ops->get_info(f.driver, UUID_B, &info, deadline_in_s(1), &err), err);
        ck_assert_int_eq(info.power_state, POWER_RUNNING);
        ck_assert(fake_files_exist(UUID_B));

        ck_assert_ok(compute_start_periodic(f.m, &err), err); /* then, in the background */
        compute_fixture_settle(&f);
        ck_assert_str_eq(fake_store_move_status(UUID_A), "completed");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_evacuation_that_has_just_begun_hides_the_instance_from_the_table)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
        fake_store_add_move(UUID_A, true, "accepted");
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_REBUILDING);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "undefine"), 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(files_that_the_new_host_may_use_stay)
{
        prepare();
        fake_files_set_shared(true);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        replace_str(&fake_store_row(UUID_A)->host, "host-2");
        compute_fixture_instance(&f, UUID_B, VM_DELETED, TASK_NONE, POWER_RUNNING);
        fake_store_any_row(UUID_B)->deleted = true;
        fake_store_add_move(UUID_A, true, "done");
        fake_store_add_move(UUID_B, true, "done");
        recover();
        ck_assert_uint_eq(virt_fake_calls(f.driver, "undefine"), 2);
        ck_assert(fake_files_exist(UUID_A));
        ck_assert(!fake_files_exist(UUID_B)); /* nobody uses those of a deleted one */
        compute_fixture_stop(&f);
}

GREEN_TEST(a_guest_that_does_not_go_holds_up_nothing)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        replace_str(&fake_store_row(UUID_A)->host, "host-2");
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        fake_store_add_move(UUID_A, true, "done");
        virt_fake_fail_next(f.driver, "power_off", ERR_BUSY, "it will not die");
        recover();
        ck_assert(fake_files_exist(UUID_A));
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(defaults_of_old_instances_are_recorded)
{
        prepare();
        fake_store_add(UUID_A, VM_ACTIVE, TASK_NONE);
        virt_fake_add_guest(f.driver, UUID_A, "instance-00000001", POWER_RUNNING);
        recover();
        ck_assert_str_eq(instance_system_meta(fake_store_row(UUID_A), "image_hw_disk_bus"), "virtio");
        ck_assert_str_eq(instance_system_meta(fake_store_row(UUID_A), "image_hw_machine_type"), "pc");
        compute_fixture_stop(&f);
}

GREEN_TEST(guests_boot_again_after_the_host_did)
{
        prepare();
        f.conf.resume_guests_state_on_host_boot = true;
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_SHUTDOWN);
        fake_store_row(UUID_A)->power_state = POWER_RUNNING;
        recover();
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 1);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_guest_that_does_not_boot_again_is_an_error)
{
        prepare();
        f.conf.resume_guests_state_on_host_boot = true;
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_SHUTDOWN);
        fake_store_row(UUID_A)->power_state = POWER_RUNNING;
        virt_fake_fail_next(f.driver, "hard_reboot", NOVA_LIBVIRT_ERROR, "no memory");
        recover();
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        compute_fixture_stop(&f);
}

GREEN_TEST(one_that_cannot_be_recovered_does_not_hold_up_the_others)
{
        prepare();
        compute_fixture_instance(&f, UUID_A, VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        compute_fixture_instance(&f, UUID_B, VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        virt_fake_fail_next(f.driver, "hard_reboot", NOVA_LIBVIRT_ERROR, "no memory");
        recover();
        ck_assert_uint_eq(last_done, 2);
        ck_assert_uint_eq(last_total, 2);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(recovery_that_cannot_read_the_rows_says_so_and_can_be_repeated)
{
        struct error err = {};

        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        fake_store_fail("store_instances_page", 1, ERR_DB_LOST, "gone away");
        ck_assert_fails(compute_init_host(f.m, NULL, NULL, deadline_in_s(100), &err), err, ERR_DB_LOST);
        virt_fake_fail_next(f.driver, "list", NOVA_HYPERVISOR_UNAVAILABLE, "not yet");
        ck_assert_fails(compute_init_host(f.m, NULL, NULL, deadline_in_s(100), &err), err,
                        NOVA_HYPERVISOR_UNAVAILABLE);
        err = (struct error){};
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, deadline_in_s(100), &err), err);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

static int recover_in_background(void *arg, struct error *err)
{
        assert_green();
        return compute_init_host(f.m, NULL, NULL, deadline_never(), err);
}

GREEN_TEST(recovery_can_be_cancelled)
{
        struct error err = {}, failed = {};
        struct green *g;

        prepare();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_ignore_acpi(f.driver, UUID_A, true);
        g = green_spawn_ref(NULL, "recovery", recover_in_background, NULL, &err);
        ck_assert_ok(green_sleep(10, &err), err);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), &failed, &err), err);
        green_unref(g);
        ck_assert_int_eq(failed.code, ERR_CANCELLED);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_POWERING_OFF);
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-recovery", each_row_of_the_table, instances_of_other_hosts_are_left_alone,
            guests_that_ran_boot_again_only_when_asked, each_row_leads_to_a_state_that_users_can_act_on,
            an_unfinished_delete_is_finished, a_row_that_says_deleted_is_hidden,
            defaults_of_old_instances_are_recorded, guests_boot_again_after_the_host_did,
            a_guest_that_does_not_boot_again_is_an_error,
            one_that_cannot_be_recovered_does_not_hold_up_the_others,
            recovery_that_cannot_read_the_rows_says_so_and_can_be_repeated, recovery_can_be_cancelled,
            an_interrupted_build_says_why_it_failed, a_half_done_resize_is_taken_back,
            a_resize_that_had_not_switched_the_guest_off_leaves_it_alone,
            a_resize_that_cannot_be_taken_back_leaves_no_task, a_live_migration_under_way_is_ended,
            a_migration_that_cannot_be_ended_leaves_no_task,
            the_guest_of_an_evacuated_instance_is_removed_before_anything_else,
            an_evacuation_that_has_just_begun_hides_the_instance_from_the_table,
            files_that_the_new_host_may_use_stay, a_guest_that_does_not_go_holds_up_nothing)
