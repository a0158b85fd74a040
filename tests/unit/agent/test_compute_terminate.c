/* The end of an instance, in all the states in which it may be found. */
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;

static struct compute_call YIELDS begin(enum vm_state vm_state, enum power_state guest)
{
        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, vm_state, TASK_DELETING, guest);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &(struct error){}), (struct error){});
        fake_store_journal();
        return compute_fixture_call(&f, UUID_A);
}

static bool YIELDS guest_is_there(void)
{
        struct guest_info info = {};
        struct error err = {};

        ck_assert_ok(f.driver->ops->get_info(f.driver, UUID_A, &info, deadline_in_s(10), &err), err);
        return info.power_state != POWER_NOSTATE;
}

#define WHOLE                                                                         \
        "event+ compute_terminate_instance\n"                                         \
        "instance cleaned=1 +clean_attempts=1\n"                                      \
        "instance power_state=0 vm_state=deleted task_state=NULL terminated_at=now\n" \
        "node update vms=0 mb=512\n"                                                  \
        "soft delete\n"                                                               \
        "event- compute_terminate_instance Success\n"

GREEN_TEST(terminate_removes_guest_files_and_rows)
{
        static const enum power_state guests[] = { POWER_RUNNING, POWER_PAUSED, POWER_SHUTDOWN,
                                                   POWER_NOSTATE };

        for (unsigned g = 0; g < 4; g++) {
                struct compute_call c = begin(VM_ACTIVE, guests[g]);
                struct error err = {};

                ck_assert_ok(compute_terminate(f.m, &c, &err), err);
                ck_assert_journal(WHOLE);
                ck_assert(!guest_is_there());
                ck_assert(!fake_files_exist(UUID_A));
                ck_assert_ptr_null(fake_store_row(UUID_A));
                ck_assert(fake_store_any_row(UUID_A)->deleted);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(nobody_opens_the_console_of_an_instance_that_ends)
{
        struct console_token t = {
                .token = "secret", .console_type = "novnc", .host = "h", .instance_uuid = UUID_A, .port = 5900
        };
        struct compute_call c = begin(VM_ACTIVE, POWER_RUNNING);
        struct error err = {};

        ck_assert_ok(store_console_token_add(&f.store, &t, deadline_in_s(10), &err), err);
        ck_assert_uint_eq(fake_store_console_tokens(UUID_A), 1);
        fake_store_fail("store_instance_soft_delete", 1, ERR_DB_LOST, "server has gone away");
        ck_assert_fails(compute_terminate(f.m, &c, &err), err, ERR_DB_LOST);
        ck_assert_uint_eq(fake_store_console_tokens(UUID_A), 0);
        ck_assert_ptr_nonnull(fake_store_row(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(terminate_that_comes_twice_finds_nothing_to_do)
{
        struct compute_call c = begin(VM_ACTIVE, POWER_RUNNING);
        struct error err = {};

        ck_assert_ok(compute_terminate(f.m, &c, &err), err);
        fake_store_journal();
        ck_assert_ok(compute_terminate(f.m, &c, &err), err);
        ck_assert_journal("event+ compute_terminate_instance\n"
                          "event- compute_terminate_instance Success\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(guest_whose_row_was_deleted_goes_too)
{
        struct compute_call c = begin(VM_ACTIVE, POWER_RUNNING);
        struct error err = {};

        fake_store_row(UUID_A)->deleted = true;
        ck_assert_ok(compute_terminate(f.m, &c, &err), err);
        ck_assert(!guest_is_there());
        ck_assert(!fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(guest_that_will_not_die_is_an_error)
{
        struct compute_call c = begin(VM_ACTIVE, POWER_RUNNING);
        struct error err = {};

        virt_fake_fail_next(f.driver, "power_off", NOVA_INSTANCE_POWER_OFF_FAILURE, "it will not die");
        ck_assert_fails(compute_terminate(f.m, &c, &err), err, NOVA_INSTANCE_POWER_OFF_FAILURE);
        ck_assert_journal(
                "event+ compute_terminate_instance\n"
                "instance vm_state=error\n"
                "fault 400 terminating: powering off: it will not die\n"
                "event- compute_terminate_instance Error: terminating: powering off: it will not die\n"
                "instance task_state=NULL\n"
                "node update vms=1 mb=576\n");
        ck_assert(fake_files_exist(UUID_A));
        compute_fixture_stop(&f);
}

GREEN_TEST(files_that_stay_are_counted_and_do_not_stop_the_delete)
{
        struct compute_call c = begin(VM_ACTIVE, POWER_RUNNING);
        struct error err = {};

        instance_set_system_meta(fake_store_row(UUID_A), "clean_attempts", "2");
        fake_files_fail_next("remove", ERR_SYSTEM, "busy");
        ck_assert_ok(compute_terminate(f.m, &c, &err), err);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "instance +clean_attempts=3\n"));
        ck_assert(!fake_store_any_row(UUID_A)->cleaned);
        ck_assert(fake_store_any_row(UUID_A)->deleted);
        compute_fixture_stop(&f);
}

static void drop_row(void *arg)
{
        fake_store_drop(arg);
}

GREEN_TEST(row_that_vanishes_meanwhile_ends_it_well)
{
        for (unsigned save = 1; save <= 2; save++) {
                struct compute_call c = begin(VM_ACTIVE, POWER_RUNNING);
                struct error err = {};

                fake_store_before("store_instance_save", save, drop_row, (void *)UUID_A);
                ck_assert_ok(compute_terminate(f.m, &c, &err), err);
                ck_assert(!guest_is_there());
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(database_that_fails_at_the_end_leaves_what_the_next_start_finishes)
{
        struct compute_call c = begin(VM_ACTIVE, POWER_RUNNING);
        struct error err = {};

        fake_store_fail("store_instance_soft_delete", 1, ERR_DB_LOST, "server has gone away");
        ck_assert_fails(compute_terminate(f.m, &c, &err), err, ERR_DB_LOST);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        fake_store_row(UUID_A)->task_state = TASK_DELETING; /* the user asks again */
        ck_assert_ok(compute_terminate(f.m, &c, &err), err);
        ck_assert(fake_store_any_row(UUID_A)->deleted);
        compute_fixture_stop(&f);
}

static int build_slowly(void *arg, struct error *err)
{
        assert_green();
        return compute_build_and_run(f.m, compute_fixture_build(UUID_A, NULL), err);
}

GREEN_TEST(delete_during_a_build_waits_and_leaves_nothing)
{
        struct compute_call c;
        struct error err = {};

        compute_fixture_start(&f);
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        virt_fake_slow_next(f.driver, "spawn", 30);
        ck_assert_ok(green_spawn(NULL, "build", build_slowly, NULL, &err), err);
        ck_assert_ok(green_sleep(10, &err), err);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_SPAWNING);
        fake_store_row(UUID_A)->task_state = TASK_DELETING; /* the API, without compare-and-set */
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_terminate(f.m, &c, &err), err);
        compute_fixture_settle(&f);
        ck_assert(fake_store_any_row(UUID_A)->deleted);
        ck_assert(!guest_is_there());
        ck_assert(!fake_files_exist(UUID_A));
        ck_assert_int_eq(fake_store_node()->running_vms, 0);
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-terminate", terminate_removes_guest_files_and_rows,
            nobody_opens_the_console_of_an_instance_that_ends, terminate_that_comes_twice_finds_nothing_to_do,
            guest_whose_row_was_deleted_goes_too, guest_that_will_not_die_is_an_error,
            files_that_stay_are_counted_and_do_not_stop_the_delete, row_that_vanishes_meanwhile_ends_it_well,
            database_that_fails_at_the_end_leaves_what_the_next_start_finishes,
            delete_during_a_build_waits_and_leaves_nothing)
