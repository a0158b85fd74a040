/* Power state synchronisation and lifecycle events. */
#include "compute/sync.h"

#include "base/list.h"
#include "compute/compute_priv.h"
#include "compute_fixture.h"
#include "green_test.h"

static struct compute_fixture f;

static void YIELDS begin(enum vm_state vm_state, enum power_state row, enum power_state guest)
{
        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, vm_state, TASK_NONE, guest);
        fake_store_row(UUID_A)->power_state = row;
}

static void YIELDS sync_one(void)
{
        struct error err = {};

        ck_assert_ok(compute_sync_instance(f.m, UUID_A, deadline_in_s(60), &err), err);
        compute_fixture_settle(&f);
}

#define FORCED_STOP                                             \
        "instance task_state=powering-off progress=0 if NULL\n" \
        "action stop\n"                                         \
        "event+ compute_stop_instance\n"
#define STOPPED                                                                          \
        "instance power_state=4 vm_state=stopped task_state=NULL if powering-off|NULL\n" \
        "event- compute_stop_instance Success\n"

START_TEST(the_table_of_verdicts)
{
        static const struct {
                enum vm_state vm_state;
                enum sync_verdict
                        by_power[8]; /* 0 nostate, 1 running, 3 paused, 4 off, 6 crashed, 7 asleep */
        } table[] = {
#define N SYNC_NOTHING
#define S SYNC_STOP
#define F SYNC_FORCE_STOP
#define R SYNC_REMARK
                { VM_BUILDING, { N, N, N, N, N, N, N, N } },     { VM_RESCUED, { N, N, N, N, N, N, N, N } },
                { VM_RESIZED, { N, N, N, N, N, N, N, N } },      { VM_SUSPENDED, { N, N, N, N, N, N, N, N } },
                { VM_ERROR, { N, N, N, N, N, N, N, N } },        { VM_ACTIVE, { R, N, N, R, S, N, S, S } },
                { VM_STOPPED, { N, F, N, F, N, N, N, F } },      { VM_PAUSED, { N, N, N, N, F, N, F, N } },
                { VM_SOFT_DELETED, { N, R, N, R, N, N, R, R } }, { VM_DELETED, { N, R, N, R, N, N, R, R } },
#undef N
#undef S
#undef F
#undef R
        };
        static const enum power_state powers[] = { POWER_NOSTATE,  POWER_RUNNING, POWER_PAUSED,
                                                   POWER_SHUTDOWN, POWER_CRASHED, POWER_SUSPENDED };

        for (size_t t = 0; t < ARRAY_SIZE(table); t++)
                for (size_t p = 0; p < ARRAY_SIZE(powers); p++)
                        ck_assert_msg(
                                sync_decide(table[t].vm_state, powers[p]) == table[t].by_power[powers[p]],
                                "%s, %s", vm_state_name(table[t].vm_state), power_state_name(powers[p]));
}
END_TEST

GREEN_TEST(row_follows_a_guest_that_went_off)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_SHUTDOWN);
        sync_one();
        ck_assert_journal("instance power_state=4\n" FORCED_STOP STOPPED);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "shutdown"), 0);
        compute_fixture_stop(&f);
}

GREEN_TEST(guest_that_runs_against_its_row_is_stopped)
{
        begin(VM_STOPPED, POWER_SHUTDOWN, POWER_RUNNING);
        sync_one();
        ck_assert_journal("instance power_state=1\n" FORCED_STOP
                          "instance power_state=4 vm_state=stopped task_state=NULL if powering-off\n"
                          "event- compute_stop_instance Success\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(instance_that_is_to_end_with_its_guest_is_deleted)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_SHUTDOWN);
        fake_store_row(UUID_A)->shutdown_terminate = true;
        sync_one();
        ck_assert(fake_store_any_row(UUID_A)->deleted);
        ck_assert_ptr_nonnull(
                strstr(fake_store_journal(), "action delete\nevent+ compute_terminate_instance\n"));
        compute_fixture_stop(&f);
}

GREEN_TEST(only_the_power_state_is_written_where_the_table_says_no_more)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_PAUSED);
        sync_one();
        ck_assert_journal("instance power_state=3\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(nothing_is_written_when_all_is_well)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        sync_one();
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_instance_with_a_task_is_left_alone)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_SHUTDOWN);
        fake_store_row(UUID_A)->task_state = TASK_REBOOT_STARTED;
        sync_one();
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_instance_of_another_host_is_left_alone)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_SHUTDOWN);
        free(fake_store_row(UUID_A)->host);
        fake_store_row(UUID_A)->host = strdup("host-2");
        sync_one();
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

static void set_task(void *arg)
{
        ((struct instance *)arg)->task_state = TASK_REBOOTING_HARD;
}

GREEN_TEST(a_task_that_begins_meanwhile_wins)
{
        begin(VM_ACTIVE, POWER_SHUTDOWN, POWER_SHUTDOWN);
        fake_store_before("store_instance_save", 1, set_task, fake_store_row(UUID_A));
        sync_one();
        ck_assert_journal("");
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_REBOOTING_HARD);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_action_row_that_cannot_be_written_leaves_no_task)
{
        struct error err = {};

        begin(VM_ACTIVE, POWER_SHUTDOWN, POWER_SHUTDOWN);
        fake_store_fail("store_action_start", 1, ERR_DB, "disk full");
        ck_assert_fails(compute_sync_instance(f.m, UUID_A, deadline_in_s(60), &err), err, ERR_DB);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_NONE);
        compute_fixture_stop(&f);
}

GREEN_TEST(all_are_compared_by_one_list_and_only_those_that_differ_are_touched)
{
        struct error err = {};
        unsigned before;

        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_SHUTDOWN);
        fake_store_row(UUID_B)->power_state = POWER_RUNNING;
        before = virt_fake_calls(f.driver, "get_info");
        ck_assert_ok(compute_sync_all(f.m, deadline_in_s(60), &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_STOPPED);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        /* B: to compare, again before it is stopped, and twice in the stop; A: never */
        ck_assert_uint_eq(virt_fake_calls(f.driver, "get_info") - before, 4);
        compute_fixture_stop(&f);
}

/* ---- events ---- */

GREEN_TEST(a_guest_that_dies_is_seen_at_once)
{
        struct error err = {};

        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        ck_assert(virt_fake_guest_crashes(f.driver, UUID_A));
        ck_assert_ok(virt_fake_drain(f.driver, deadline_in_s(1), &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        ck_assert_int_lt(clock_fake_elapsed_ms(), 2000);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_guest_that_goes_off_by_itself_is_stopped_by_its_event)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        ck_assert(virt_fake_guest_stops(f.driver, UUID_A));
        compute_fixture_settle(&f);
        ck_assert_journal("instance power_state=4\n" FORCED_STOP STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_outdated_event_is_dropped)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        virt_fake_emit(f.driver, UUID_A, VIRT_EVENT_STOPPED);
        compute_fixture_settle(&f);
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_event_of_an_unknown_guest_is_ignored)
{
        compute_fixture_start(&f);
        virt_fake_add_guest(f.driver, UUID_B, "stranger", POWER_SHUTDOWN);
        virt_fake_emit(f.driver, UUID_B, VIRT_EVENT_STOPPED);
        compute_fixture_settle(&f);
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_stop_that_is_held_back_is_cancelled_by_a_start)
{
        struct error err = {};

        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        f.conf.libvirt.delay_stopped_event = 15;
        ck_assert(virt_fake_guest_stops(f.driver, UUID_A));
        ck_assert_ok(green_sleep(5, &err), err);
        ck_assert_journal("");
        ck_assert(virt_fake_guest_starts(f.driver, UUID_A));
        ck_assert_ok(green_sleep(30, &err), err);
        compute_fixture_settle(&f);
        ck_assert_journal("");
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_stop_that_is_held_back_counts_when_its_time_has_come)
{
        struct error err = {};

        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        f.conf.libvirt.delay_stopped_event = 15;
        ck_assert(virt_fake_guest_stops(f.driver, UUID_A));
        ck_assert_ok(green_sleep(14, &err), err);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_ok(green_sleep(2, &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(events_can_be_switched_off)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        f.conf.workarounds.handle_virt_lifecycle_events = false;
        ck_assert(virt_fake_guest_stops(f.driver, UUID_A));
        compute_fixture_settle(&f);
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(after_a_gap_all_guests_are_looked_at)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        virt_fake_set_connected(f.driver, false);
        ck_assert(virt_fake_set_state(f.driver, UUID_A, POWER_SHUTDOWN));
        virt_fake_set_connected(f.driver, true);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

static bool YIELDS becomes(enum vm_state wanted)
{
        struct error err = {};

        for (int s = 0; s < 60 && fake_store_row(UUID_A)->vm_state != wanted; s++)
                ck_assert_ok(green_sleep(1, &err), err);
        return fake_store_row(UUID_A)->vm_state == wanted;
}

/* The rows are out of reach just then: what happened meanwhile is not forgotten. */
GREEN_TEST(a_look_at_all_guests_that_fails_is_repeated)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        virt_fake_set_connected(f.driver, false);
        ck_assert(virt_fake_set_state(f.driver, UUID_A, POWER_SHUTDOWN));
        fake_store_fail("store_instances_page", 1, ERR_DB_LOST, "gone away");
        virt_fake_set_connected(f.driver, true);
        ck_assert(becomes(VM_STOPPED));
        compute_fixture_stop(&f);
}

GREEN_TEST(an_event_that_cannot_be_acted_on_is_made_up_for)
{
        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        fake_store_fail("store_instance_get", 1, ERR_DB_LOST, "gone away");
        ck_assert(virt_fake_guest_stops(f.driver, UUID_A));
        ck_assert(becomes(VM_STOPPED));
        compute_fixture_stop(&f);
}

GREEN_TEST(events_before_the_recovery_lead_to_a_look_after_it)
{
        struct error err = {};

        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        compute_fixture_make(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert(virt_fake_guest_stops(f.driver, UUID_A));
        ck_assert_ok(virt_fake_drain(f.driver, deadline_in_s(1), &err), err);
        ck_assert_journal("");
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, deadline_in_s(10), &err), err);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_draining_agent_starts_no_stop)
{
        struct error err = {};

        begin(VM_ACTIVE, POWER_RUNNING, POWER_RUNNING);
        ck_assert_ok(compute_drain(f.m, deadline_in_s(1), &err), err);
        ck_assert(virt_fake_guest_stops(f.driver, UUID_A));
        compute_fixture_settle(&f);
        ck_assert_journal("instance power_state=4\n");
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-sync", the_table_of_verdicts, row_follows_a_guest_that_went_off,
            guest_that_runs_against_its_row_is_stopped, instance_that_is_to_end_with_its_guest_is_deleted,
            only_the_power_state_is_written_where_the_table_says_no_more, nothing_is_written_when_all_is_well,
            an_instance_with_a_task_is_left_alone, an_instance_of_another_host_is_left_alone,
            a_task_that_begins_meanwhile_wins, an_action_row_that_cannot_be_written_leaves_no_task,
            all_are_compared_by_one_list_and_only_those_that_differ_are_touched,
            a_guest_that_dies_is_seen_at_once, a_guest_that_goes_off_by_itself_is_stopped_by_its_event,
            an_outdated_event_is_dropped, an_event_of_an_unknown_guest_is_ignored,
            a_stop_that_is_held_back_is_cancelled_by_a_start,
            a_stop_that_is_held_back_counts_when_its_time_has_come, events_can_be_switched_off,
            after_a_gap_all_guests_are_looked_at, a_look_at_all_guests_that_fails_is_repeated,
            an_event_that_cannot_be_acted_on_is_made_up_for,
            events_before_the_recovery_lead_to_a_look_after_it, a_draining_agent_starts_no_stop)
