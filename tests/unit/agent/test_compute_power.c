/* Stop, start, pause, unpause, suspend, resume: what is written, in which order, and what failures leave. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;

static enum power_state YIELDS guest_state(const char *uuid)
{
        struct guest_info info = {};
        struct error err = {};

        ck_assert_ok(f.driver->ops->get_info(f.driver, uuid, &info, deadline_in_s(10), &err), err);
        return info.power_state;
}

static void YIELDS begin(enum vm_state vm_state, enum task_state task, enum power_state guest)
{
        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, vm_state, task, guest);
}

GREEN_TEST(stop_writes_event_and_states)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_stop(f.m, &c, true, &err), err);
        ck_assert_journal("event+ compute_stop_instance\n"
                          "instance power_state=4 vm_state=stopped task_state=NULL if powering-off\n"
                          "event- compute_stop_instance Success\n");
        ck_assert_uint_eq(virt_fake_calls(f.driver, "shutdown"), 1);
        ck_assert_int_eq(guest_state(UUID_A), POWER_SHUTDOWN);
        compute_fixture_stop(&f);
}

GREEN_TEST(stop_asks_again_and_then_pulls_the_plug)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_ignore_acpi(f.driver, UUID_A, true);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_stop(f.m, &c, true, &err), err);
        /* at 0, 10, .. 50 s; at 60 s it is over */
        ck_assert_uint_eq(virt_fake_calls(f.driver, "shutdown"), 6);
        ck_assert_int_ge(clock_fake_elapsed_ms(), 60000);
        ck_assert_int_lt(clock_fake_elapsed_ms(), 61000);
        ck_assert_int_eq(guest_state(UUID_A), POWER_SHUTDOWN);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(stop_honours_the_time_that_the_image_asks_for)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_ignore_acpi(f.driver, UUID_A, true);
        instance_set_system_meta(fake_store_row(UUID_A), "image_os_shutdown_timeout", "5");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_stop(f.m, &c, true, &err), err);
        ck_assert_int_ge(clock_fake_elapsed_ms(), 5000);
        ck_assert_int_lt(clock_fake_elapsed_ms(), 6100);
        compute_fixture_stop(&f);
}

GREEN_TEST(stop_without_clean_shutdown_does_not_ask)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_stop(f.m, &c, false, &err), err);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "shutdown"), 0);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(stop_of_a_guest_that_is_off_accepts_a_task_that_is_over)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_NONE, POWER_SHUTDOWN);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_stop(f.m, &c, true, &err), err);
        ck_assert_journal("event+ compute_stop_instance\n"
                          "instance power_state=4 vm_state=stopped task_state=NULL if powering-off|NULL\n"
                          "event- compute_stop_instance Success\n");
        ck_assert_uint_eq(virt_fake_calls(f.driver, "shutdown"), 0);
        compute_fixture_stop(&f);
}

GREEN_TEST(failure_leaves_fault_event_and_no_task)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_fail_next(f.driver, "power_off", NOVA_INSTANCE_POWER_OFF_FAILURE, "it will not die");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_stop(f.m, &c, false, &err), err, NOVA_INSTANCE_POWER_OFF_FAILURE);
        ck_assert_journal("event+ compute_stop_instance\n"
                          "fault 400 powering off: it will not die\n"
                          "event- compute_stop_instance Error: powering off: it will not die\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(failure_that_is_no_exception_of_nova_is_named_by_its_class)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_PAUSING, POWER_RUNNING);
        virt_fake_fail_next(f.driver, "pause", NOVA_LIBVIRT_ERROR, "internal error");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_pause(f.m, &c, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_journal("event+ compute_pause_instance\n"
                          "fault 500 libvirtError\n"
                          "event- compute_pause_instance Error: libvirtError\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(lost_compare_and_set_leaves_the_task_to_the_other)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_REBOOTING_HARD, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_pause(f.m, &c, &err), err, NOVA_UNEXPECTED_TASK_STATE);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_REBOOTING_HARD);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "pause"), 0);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "event- compute_pause_instance Error:"));
        compute_fixture_stop(&f);
}

static void set_deleting(void *arg)
{
        ((struct instance *)arg)->task_state = TASK_DELETING;
}

GREEN_TEST(delete_that_came_meanwhile_wins)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        fake_store_before("store_instance_save", 1, set_deleting, fake_store_row(UUID_A));
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_stop(f.m, &c, false, &err), err, NOVA_UNEXPECTED_DELETING_TASK_STATE);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_DELETING);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

static void drop_row(void *arg)
{
        fake_store_drop(arg);
}

GREEN_TEST(row_that_vanishes_is_no_fault)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        fake_store_before("store_instance_save", 1, drop_row, (void *)UUID_A);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_stop(f.m, &c, false, &err), err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_journal("event+ compute_stop_instance\n"
                          "event- compute_stop_instance Error: Instance " UUID_A " could not be found.\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(without_an_action_row_the_body_does_not_run)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        f.ctx.request_id = "req-unknown";
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_stop(f.m, &c, true, &err), err, NOVA_INSTANCE_ACTION_NOT_FOUND);
        ck_assert_journal("instance task_state=NULL\nnode update vms=1 mb=576\n");
        ck_assert_int_eq(guest_state(UUID_A), POWER_RUNNING);
        compute_fixture_stop(&f);
}

GREEN_TEST(instance_of_another_host_is_not_touched)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        free(fake_store_row(UUID_A)->host);
        fake_store_row(UUID_A)->host = strdup("host-2");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_stop(f.m, &c, true, &err), err, NOVA_INSTANCE_INVALID_STATE);
        ck_assert_int_eq(guest_state(UUID_A), POWER_RUNNING);
        compute_fixture_stop(&f);
}

GREEN_TEST(start_makes_the_guest_anew_and_forgets_the_shelf)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        instance_set_system_meta(fake_store_row(UUID_A), "shelved_at", "2026-01-01T00:00:00");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_start(f.m, &c, &err), err);
        ck_assert_journal(
                "event+ compute_start_instance\n"
                "instance power_state=1 vm_state=active task_state=NULL -shelved_at if powering-on\n"
                "event- compute_start_instance Success\n");
        ck_assert_str_eq(virt_fake_spec(f.driver, UUID_A)->name, "instance-00000001");
        ck_assert_int_eq(virt_fake_spec(f.driver, UUID_A)->memory_mb, 64);
        ck_assert_uint_eq(virt_fake_spec(f.driver, UUID_A)->n_disks, 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(start_that_comes_twice_does_not_restart_the_guest)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_start(f.m, &c, &err), err);
        ck_assert_fails(compute_start(f.m, &c, &err), err, NOVA_UNEXPECTED_TASK_STATE);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 1);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(start_without_its_disk_fails_clearly)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        fake_files_reset();
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_start(f.m, &c, &err), err, NOVA_INVALID_DISK_INFO);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(pause_and_unpause)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_PAUSING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_pause(f.m, &c, &err), err);
        ck_assert_journal("event+ compute_pause_instance\n"
                          "instance power_state=3 vm_state=paused task_state=NULL if pausing\n"
                          "event- compute_pause_instance Success\n");
        fake_store_row(UUID_A)->task_state = TASK_UNPAUSING;
        ck_assert_ok(compute_unpause(f.m, &c, &err), err);
        ck_assert_journal("event+ compute_unpause_instance\n"
                          "instance power_state=1 vm_state=active task_state=NULL if unpausing\n"
                          "event- compute_unpause_instance Success\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(suspend_and_resume_remember_the_state)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_SUSPENDING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_suspend(f.m, &c, &err), err);
        ck_assert_journal("event+ compute_suspend_instance\n"
                          "instance power_state=4 vm_state=suspended task_state=NULL +old_vm_state=active "
                          "if suspending\n"
                          "event- compute_suspend_instance Success\n");
        fake_store_row(UUID_A)->task_state = TASK_RESUMING;
        ck_assert_ok(compute_resume(f.m, &c, &err), err);
        ck_assert_journal("event+ compute_resume_instance\n"
                          "instance power_state=1 vm_state=active task_state=NULL -old_vm_state if resuming\n"
                          "event- compute_resume_instance Success\n");
        ck_assert_uint_eq(virt_fake_calls(f.driver, "start_domain"), 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(resume_without_a_definition_boots)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_SUSPENDED, TASK_RESUMING, POWER_NOSTATE);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_resume(f.m, &c, &err), err);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "hard_reboot"), 1);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(failed_suspend_is_an_error_of_the_instance)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_SUSPENDING, POWER_RUNNING);
        virt_fake_fail_next(f.driver, "suspend", NOVA_LIBVIRT_ERROR, "no room");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_suspend(f.m, &c, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(suspend_that_the_driver_lacks_changes_nothing)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_SUSPENDING, POWER_RUNNING);
        virt_fake_fail_next(f.driver, "suspend", NOVA_NOT_IMPLEMENTED, "not here");
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_fails(compute_suspend(f.m, &c, &err), err, NOVA_NOT_IMPLEMENTED);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(hypervisor_that_hangs_fails_the_method_at_its_deadline_and_still_cleans_up)
{
        struct error err = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_PAUSING, POWER_RUNNING);
        virt_fake_hang_next(f.driver, "pause");
        c = compute_fixture_call(&f, UUID_A);
        c.by = deadline_in_s(30);
        ck_assert_fails(compute_pause(f.m, &c, &err), err, ERR_TIMEOUT);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "fault 500 TimeoutError\n"));
        compute_fixture_stop(&f);
}

static int stop_in_background(void *arg, struct error *err)
{
        struct compute_call c = compute_fixture_call(&f, UUID_A);

        assert_green();
        return compute_stop(f.m, &c, true, err);
}

GREEN_TEST(cancelled_work_leaves_the_rows_for_the_next_start)
{
        struct error err = {};
        struct green *g;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_ignore_acpi(f.driver, UUID_A, true);
        g = green_spawn_ref(NULL, "stop", stop_in_background, NULL, &err);
        ck_assert_ok(green_sleep(5, &err), err);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_journal("event+ compute_stop_instance\n");
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_POWERING_OFF);
        compute_fixture_stop(&f);
}

static void count_running(const struct compute_running *r, void *arg)
{
        ++*(unsigned *)arg;
        ck_assert_str_eq(r->method, "stop_instance");
        ck_assert_str_eq(r->uuid, UUID_A);
        ck_assert_str_eq(r->request_id, REQ);
        ck_assert_str_eq(r->doing, "waiting for the guest to shut down");
}

GREEN_TEST(drain_waits_for_running_work_and_names_it)
{
        struct error err = {};
        unsigned running = 0;

        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_ignore_acpi(f.driver, UUID_A, true);
        ck_assert_ok(green_spawn(NULL, "stop", stop_in_background, NULL, &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert_fails(compute_drain(f.m, deadline_in_s(5), &err), err, ERR_TIMEOUT);
        compute_manager_foreach_running(f.m, count_running, &running);
        ck_assert_uint_eq(running, 1);
        err = (struct error){};
        ck_assert_ok(compute_drain(f.m, deadline_in_s(100), &err), err);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(method_that_is_not_here_leaves_no_task)
{
        struct error err = {}, why = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        error_set(&why, NOVA_NOT_IMPLEMENTED, "not here");
        ck_assert_fails(compute_refuse(f.m, &c, "rebuild_instance", WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                                       NULL, &why, &err),
                        err, NOVA_NOT_IMPLEMENTED);
        ck_assert_journal("event+ compute_rebuild_instance\n"
                          "fault 500 NotImplementedError\n"
                          "event- compute_rebuild_instance Error: NotImplementedError\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        compute_fixture_stop(&f);
}

static char heard[1024];

static void hear_errors(enum log_level level, const char *line, void *arg)
{
        (void)arg;
        if (level == LOG_ERROR && !heard[0])
                snprintf(heard, sizeof(heard), "%s", line);
}

/* As rpc/ refuses a method that is not here. */
static void YIELDS refuse(const char *method, const struct compute_leftover *left)
{
        struct compute_call c = compute_fixture_call(&f, UUID_A);
        struct error err = {}, why = {};

        error_set(&why, NOVA_NOT_IMPLEMENTED, "not here");
        ck_assert_fails(
                compute_refuse(f.m, &c, method, WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT, left, &why, &err),
                err, NOVA_NOT_IMPLEMENTED);
}

static const struct compute_leftover resize = { LEFT_RESIZE, .migration_id = 3, .migration_uuid = UUID_B };
static const struct compute_leftover evacuation = { LEFT_EVACUATION, .migration_id = 4 };

GREEN_TEST(resize_that_is_not_here_ends_its_migration)
{
        begin(VM_ACTIVE, TASK_RESIZE_PREP, POWER_RUNNING);
        refuse("prep_resize", &resize);
        ck_assert_journal("migration 3 failed\n"
                          "event+ compute_prep_resize\n"
                          "fault 500 NotImplementedError\n"
                          "event- compute_prep_resize Error: NotImplementedError\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(evacuation_that_is_not_here_ends_its_migration)
{
        begin(VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
        refuse("rebuild_instance", &evacuation);
        ck_assert_journal("migration 4 failed\n"
                          "event+ compute_rebuild_instance\n"
                          "fault 500 NotImplementedError\n"
                          "event- compute_rebuild_instance Error: NotImplementedError\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        compute_fixture_stop(&f);
}

/* Else the other host would remove the guest with its disks. */
GREEN_TEST(migration_is_ended_although_the_event_cannot_be_started)
{
        begin(VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
        fake_store_fail("store_event_start", 1, NOVA_INSTANCE_ACTION_NOT_FOUND, "no such action");
        refuse("rebuild_instance", &evacuation);
        ck_assert_journal("migration 4 failed\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        fake_store_row(UUID_A)->task_state = TASK_RESIZE_PREP;
        fake_store_fail("store_event_start", 1, ERR_DB_LOST, "gone away");
        refuse("prep_resize", &resize);
        ck_assert_journal("migration 3 failed\n"
                          "instance task_state=NULL\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(undo_that_fails_is_told_and_the_request_is_refused_all_the_same)
{
        begin(VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
        fake_store_fail("store_migration_set_status", 1, ERR_DB_LOST, "gone away");
        heard[0] = '\0';
        log_set_capture(hear_errors, NULL);
        refuse("rebuild_instance", &evacuation);
        log_set_capture(NULL, NULL);
        ck_assert_ptr_nonnull(strstr(heard, "do not start the compute service of the other host"));
        ck_assert_ptr_nonnull(strstr(heard, "gone away"));
        ck_assert_journal("event+ compute_rebuild_instance\n"
                          "fault 500 NotImplementedError\n"
                          "event- compute_rebuild_instance Error: NotImplementedError\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        compute_fixture_stop(&f);
}

/* The next start, or the sender's own time limit, continues: nothing is said to be over. */
GREEN_TEST(undo_that_is_cancelled_leaves_the_rows)
{
        struct error err = {}, why = {};
        struct compute_call c;

        begin(VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        fake_store_fail("store_migration_set_status", 1, ERR_CANCELLED, "the service is stopping");
        error_set(&why, NOVA_NOT_IMPLEMENTED, "not here");
        ck_assert_fails(compute_refuse(f.m, &c, "rebuild_instance", WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                                       &evacuation, &why, &err),
                        err, ERR_CANCELLED);
        ck_assert_journal("");
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_REBUILDING);
        compute_fixture_stop(&f);
}

static void YIELDS refuse_snapshot(const char *image_id, const char *discarded, bool with_event)
{
        struct compute_leftover left = { LEFT_IMAGE };

        snprintf(left.image_id, sizeof(left.image_id), "%s", image_id);
        begin(VM_ACTIVE, TASK_IMAGE_SNAPSHOT_PENDING, POWER_RUNNING);
        if (strcmp(discarded, "") != 0)
                fake_image()->status = "queued";
        if (!with_event)
                fake_store_fail("store_event_start", 1, NOVA_INSTANCE_ACTION_NOT_FOUND, "no such action");
        refuse("snapshot_instance", &left);
        ck_assert_journal(with_event ? "event+ compute_snapshot_instance\n"
                                       "fault 500 NotImplementedError\n"
                                       "event- compute_snapshot_instance Error: NotImplementedError\n"
                                       "instance task_state=NULL\n"
                                       "node update vms=1 mb=576\n"
                                     : "instance task_state=NULL\n"
                                       "node update vms=1 mb=576\n");
        ck_assert_str_eq(fake_image_discarded(), discarded);
        compute_fixture_stop(&f);
}

GREEN_TEST(snapshot_that_is_not_here_deletes_its_image_unless_it_has_data)
{
        refuse_snapshot("image-1", "image-1 for nobody", true);
        refuse_snapshot("image-1", "image-1 for nobody", false);
        refuse_snapshot("image-1", "", true); /* active */
        refuse_snapshot("image-2", "", true); /* gone */
}

GREEN_SUITE("compute-power", stop_writes_event_and_states, stop_asks_again_and_then_pulls_the_plug,
            stop_honours_the_time_that_the_image_asks_for, stop_without_clean_shutdown_does_not_ask,
            stop_of_a_guest_that_is_off_accepts_a_task_that_is_over, failure_leaves_fault_event_and_no_task,
            failure_that_is_no_exception_of_nova_is_named_by_its_class,
            lost_compare_and_set_leaves_the_task_to_the_other, delete_that_came_meanwhile_wins,
            row_that_vanishes_is_no_fault, without_an_action_row_the_body_does_not_run,
            instance_of_another_host_is_not_touched, start_makes_the_guest_anew_and_forgets_the_shelf,
            start_that_comes_twice_does_not_restart_the_guest, start_without_its_disk_fails_clearly,
            pause_and_unpause, suspend_and_resume_remember_the_state, resume_without_a_definition_boots,
            failed_suspend_is_an_error_of_the_instance, suspend_that_the_driver_lacks_changes_nothing,
            hypervisor_that_hangs_fails_the_method_at_its_deadline_and_still_cleans_up,
            cancelled_work_leaves_the_rows_for_the_next_start, drain_waits_for_running_work_and_names_it,
            method_that_is_not_here_leaves_no_task, resize_that_is_not_here_ends_its_migration,
            evacuation_that_is_not_here_ends_its_migration,
            migration_is_ended_although_the_event_cannot_be_started,
            undo_that_fails_is_told_and_the_request_is_refused_all_the_same,
            undo_that_is_cancelled_leaves_the_rows,
            snapshot_that_is_not_here_deletes_its_image_unless_it_has_data)
