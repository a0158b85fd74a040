/* tests/unit/agent/test_compute_resync.c: everything looked at now, because somebody asked. */
#include "compute/resync.h"

#include <string.h>

#include "compute_fixture.h"
#include "green_test.h"

#define UUID_C "cccccccc-cccc-4ccc-8ccc-cccccccccccc"

static struct compute_fixture f;
static struct compute_resync now; /* the last look */

/* A runs, B went off behind the agent's back. */
static void YIELDS begin(void)
{
        struct error err = {};

        compute_fixture_start(&f);
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(1), &err), err);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert(virt_fake_set_state(f.driver, UUID_B, POWER_SHUTDOWN));
        fake_store_journal();
}

static void YIELDS ask(const char *uuid)
{
        struct error err = {};

        ck_assert_ok(compute_resync_start(f.m, uuid, 7, &err), err);
}

static bool HUB_ONLY runs(void)
{
        ck_assert(compute_get_resync(f.m, &now));
        return now.running;
}

static void YIELDS wait_for_its_end(void)
{
        struct error err = {};

        while (runs())
                ck_assert_ok(green_sleep(0.1, &err), err);
}

static void expect_step(unsigned n, const char *task, enum resync_state state, const char *text)
{
        ck_assert_uint_lt(n, now.n_steps);
        ck_assert_str_eq(now.steps[n].task, task);
        ck_assert_str_eq(now.steps[n].text, text);
        ck_assert_int_eq((int)now.steps[n].state, (int)state);
}

GREEN_TEST(everything_is_looked_at_at_once)
{
        unsigned reports;

        begin();
        ck_assert(!compute_get_resync(f.m, &now));
        reports = fake_store_reports();
        ask(NULL);
        ck_assert(runs());
        ck_assert_uint_eq(now.uid, 7);
        ck_assert_int_eq((int)now.steps[2].state, RESYNC_WAITING);
        wait_for_its_end();
        ck_assert_uint_eq(now.n_steps, 3);
        expect_step(0, "sync_power_states", RESYNC_DONE,
                    "2 instances, 2 guests: 1 differed, 1 being stopped or deleted");
        ck_assert_int_eq((int)now.steps[1].state, RESYNC_DONE);
        ck_assert_str_eq(now.steps[1].task, "update_available_resource");
        ck_assert_ptr_nonnull(strstr(now.steps[1].text, "there is no placement to tell"));
        expect_step(2, "report_state", RESYNC_DONE, "the service is enabled");
        ck_assert_int_eq(fake_store_row(UUID_B)->power_state, POWER_SHUTDOWN);
        ck_assert_uint_eq(fake_store_reports(), reports + 1);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_STOPPED);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(where_all_is_well_it_says_so)
{
        begin();
        ck_assert(virt_fake_set_state(f.driver, UUID_B, POWER_RUNNING));
        virt_fake_add_guest(f.driver, UUID_C, "stranger", POWER_RUNNING);
        ask(NULL);
        wait_for_its_end();
        expect_step(0, "sync_power_states", RESYNC_DONE, "2 instances, 3 guests: all are as the rows say");
        compute_fixture_stop(&f);
}

GREEN_TEST(the_second_one_is_told_of_the_first)
{
        struct error err = {};
        uint64_t first;

        begin();
        virt_fake_slow_next(f.driver, "get_info", 2);
        ask(NULL);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert(runs());
        first = now.id;
        ck_assert_str_eq(now.steps[0].text, "0 of 1 that differ");
        ck_assert_fails(compute_resync_start(f.m, UUID_A, 8, &err), err, ERR_BUSY);
        ck_assert_msg(strstr(err.text, "of everything, asked for by uid 7 1.0 s ago, is under way "
                                       "(sync_power_states)") != NULL,
                      "%s", err.text);
        wait_for_its_end();
        ck_assert_uint_eq(now.id, first);
        ask(UUID_A);
        wait_for_its_end();
        ck_assert_uint_eq(now.id, first + 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_step_that_fails_does_not_hinder_the_next)
{
        begin();
        fake_store_fail("store_instances_page", 1, ERR_DB_LOST, "gone away");
        virt_fake_fail_next(f.driver, "get_host_info", ERR_TIMEOUT, "no answer");
        ask(NULL);
        wait_for_its_end();
        expect_step(0, "sync_power_states", RESYNC_FAILED, "reading the instances of this host: gone away");
        expect_step(1, "update_available_resource", RESYNC_FAILED,
                    "asking the hypervisor for this host's resources: no answer");
        expect_step(2, "report_state", RESYNC_DONE, "the service is enabled");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_instance_that_cannot_be_looked_at_fails_its_step)
{
        begin();
        virt_fake_fail_next(f.driver, "get_info", ERR_TIMEOUT, "no answer");
        ask(NULL);
        wait_for_its_end();
        expect_step(0, "sync_power_states", RESYNC_FAILED,
                    "1 of 1 instances that differ: asking for the guest's power state: no answer");
        compute_fixture_stop(&f);
}

GREEN_TEST(the_reason_of_a_disabled_service_is_told)
{
        begin();
        fake_store_disable_service(true);
        ask(NULL);
        wait_for_its_end();
        ck_assert_msg(strncmp(now.steps[2].text, "the service is disabled: ", 25) == 0, "%s",
                      now.steps[2].text);
        compute_fixture_stop(&f);
}

/* ---- one instance ---- */

static void YIELDS expect_of(const char *uuid, enum resync_state state, const char *text)
{
        ask(uuid);
        wait_for_its_end();
        ck_assert_uint_eq(now.n_steps, 1);
        ck_assert_str_eq(now.uuid, uuid);
        expect_step(0, "sync_power_states", state, text);
}

GREEN_TEST(one_instance_alone_is_looked_at)
{
        begin();
        expect_of(UUID_A, RESYNC_DONE, "the guest is running, as the row says");
        ck_assert_journal("");
        expect_of(UUID_B, RESYNC_DONE, "power_state was running, is shutdown; stop of the instance begun");
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_B)->vm_state, VM_STOPPED);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_instance_with_a_task_is_left_to_it)
{
        begin();
        fake_store_row(UUID_B)->task_state = TASK_REBOOTING;
        expect_of(UUID_B, RESYNC_DONE, "left to the task under way");
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_instance_that_is_not_here_is_an_error)
{
        begin();
        free(fake_store_row(UUID_B)->host);
        fake_store_row(UUID_B)->host = strdup("host-2");
        expect_of(UUID_B, RESYNC_FAILED, "instance " UUID_B " is not on this host");
        ask(UUID_C);
        wait_for_its_end();
        ck_assert_int_eq((int)now.steps[0].state, RESYNC_FAILED);
        ck_assert_ptr_nonnull(strstr(now.steps[0].text, UUID_C));
        compute_fixture_stop(&f);
}

/* ---- its end ---- */

GREEN_TEST(an_agent_that_ends_does_not_wait_for_it)
{
        struct error err = {};

        begin();
        virt_fake_hang_next(f.driver, "get_info");
        ask(NULL);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert(runs());
        compute_fixture_stop(&f);
        ck_assert_int_lt(clock_fake_elapsed_ms(), 5000);
}

GREEN_TEST(what_hangs_is_given_up_in_time)
{
        begin();
        virt_fake_hang_next(f.driver, "list");
        ask(NULL);
        wait_for_its_end();
        ck_assert_int_eq((int)now.steps[0].state, RESYNC_FAILED);
        ck_assert_int_eq((int)now.steps[2].state, RESYNC_DONE);
        ck_assert_double_ge(now.seconds, now.steps[0].seconds);
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-resync", everything_is_looked_at_at_once, where_all_is_well_it_says_so,
            the_second_one_is_told_of_the_first, a_step_that_fails_does_not_hinder_the_next,
            an_instance_that_cannot_be_looked_at_fails_its_step, the_reason_of_a_disabled_service_is_told,
            one_instance_alone_is_looked_at, an_instance_with_a_task_is_left_to_it,
            an_instance_that_is_not_here_is_an_error, an_agent_that_ends_does_not_wait_for_it,
            what_hangs_is_given_up_in_time)
