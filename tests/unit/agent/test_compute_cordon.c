/* tests/unit/agent/test_compute_cordon.c: a drained host: builds, the services row, what comes after a
 * restart. */
#include "compute_fixture.h"

#include <string.h>

#include "base/mem.h"
#include "green_test.h"

static struct compute_fixture f;

#define REASON "by root (uid 0): new kernel"

static void YIELDS begin(void)
{
        struct error err = {};

        compute_fixture_start(&f);
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(1), &err), err);
        ck_assert_ok(compute_start_periodic(f.m, &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
}

static void YIELDS cordon(void)
{
        struct error err = {};

        ck_assert_ok(compute_cordon(f.m, REASON, deadline_in_s(5), &err), err);
}

static void YIELDS pass_reports(void)
{
        struct error err = {};

        ck_assert_ok(green_sleep(25, &err), err);
}

static void YIELDS expect_cordon(int row)
{
        struct compute_cordon c;

        ck_assert(compute_get_cordon(f.m, &c));
        ck_assert_str_eq(c.reason, REASON);
        ck_assert_int_eq((int)c.row, row);
}

static bool HUB_ONLY cordoned(void)
{
        struct compute_cordon c;

        return compute_get_cordon(f.m, &c);
}

static void YIELDS build(unsigned *rescheduled)
{
        struct error err = {};

        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, rescheduled), &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
}

GREEN_TEST(a_build_is_sent_on_to_another_host_and_counts_as_no_failure)
{
        unsigned rescheduled = 0;
        struct compute_stats stats;

        begin();
        cordon();
        build(&rescheduled);
        ck_assert_uint_eq(rescheduled, 1);
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_SCHEDULING);
        ck_assert_ptr_null(fake_store_row(UUID_A)->host);
        compute_get_stats(f.m, &stats);
        ck_assert_uint_eq(stats.builds_failed, 0);
        compute_fixture_stop(&f);
}

GREEN_TEST(without_another_host_the_fault_says_that_this_one_is_drained)
{
        begin();
        cordon();
        fake_store_journal();
        build(NULL);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        ck_assert_msg(strstr(fake_store_journal(), "host host-1 is drained (" REASON ")") != NULL,
                      "the fault");
        compute_fixture_stop(&f);
}

GREEN_TEST(the_row_says_it_and_undraining_takes_it_back)
{
        struct error err = {};

        begin();
        cordon();
        ck_assert_journal("service DRAIN: " REASON "\n");
        expect_cordon(CORDON_ROW_OURS);
        pass_reports();
        ck_assert_journal("");
        ck_assert_ok(compute_uncordon(f.m, deadline_in_s(5), &err), err);
        ck_assert_journal("service enabled\n");
        ck_assert(!cordoned());
        build(NULL);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_start_finds_in_the_row_that_the_host_is_drained)
{
        struct error err = {};

        begin();
        cordon();
        compute_manager_free(f.m);
        f.driver->ops->stop(f.driver);
        compute_fixture_make(&f);
        ck_assert(!cordoned());
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(1), &err), err);
        expect_cordon(CORDON_ROW_OURS);
        compute_fixture_stop(&f);
}

GREEN_TEST(enabling_the_service_in_the_cloud_ends_it)
{
        struct error err = {};

        begin();
        cordon();
        fake_store_disable_service(false);
        ck_assert_ok(compute_set_host_enabled(f.m, true, deadline_in_s(5), &err), err);
        ck_assert_ok(green_sleep(1, &err), err); /* at once, not with the next report */
        ck_assert(!cordoned());
        compute_fixture_stop(&f);
}

GREEN_TEST(what_an_operator_of_the_cloud_disabled_keeps_its_reason)
{
        struct error err = {};

        begin();
        fake_store_disable_service(true);
        fake_store_journal();
        cordon();
        ck_assert_journal("");
        expect_cordon(CORDON_ROW_OPERATORS);
        pass_reports();
        expect_cordon(CORDON_ROW_OPERATORS);
        ck_assert_ok(compute_uncordon(f.m, deadline_in_s(5), &err), err);
        ck_assert_journal("");
        ck_assert(!cordoned());
        ck_assert(compute_service(f.m)->disabled);
        ck_assert_str_eq(compute_service(f.m)->disabled_reason, "an operator's reason");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_database_that_is_away_is_told_by_a_later_report)
{
        begin();
        fake_store_fail("store_service_drain", 1, ERR_DB_LOST, "gone away");
        cordon();
        expect_cordon(CORDON_ROW_LATER);
        ck_assert_journal("");
        pass_reports();
        ck_assert_journal("service DRAIN: " REASON "\n");
        expect_cordon(CORDON_ROW_OURS);
        compute_fixture_stop(&f);
}

GREEN_TEST(undraining_without_a_database_changes_nothing)
{
        struct error err = {};

        begin();
        cordon();
        fake_store_fail("store_service_undrain", 1, ERR_DB_LOST, "gone away");
        ck_assert_fails(compute_uncordon(f.m, deadline_in_s(5), &err), err, ERR_DB_LOST);
        ck_assert_msg(strstr(err.text, "nothing was changed") != NULL, "%s", err.text);
        expect_cordon(CORDON_ROW_OURS);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_hypervisor_that_goes_and_comes_does_not_end_it)
{
        struct error err = {};

        begin();
        virt_fake_set_connected(f.driver, false);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert_int_eq(strncmp(fake_store_journal(), "service AUTO: ", 14), 0);
        cordon();
        ck_assert_journal("service DRAIN: " REASON "\n");
        virt_fake_set_connected(f.driver, true);
        pass_reports();
        ck_assert_journal("");
        virt_fake_set_connected(f.driver, false);
        pass_reports();
        ck_assert_journal("");
        ck_assert_ok(compute_uncordon(f.m, deadline_in_s(5), &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert_int_eq(strncmp(fake_store_journal(), "service enabled\nservice AUTO: ", 30), 0);
        compute_fixture_stop(&f);
}

static int stop_slowly(void *arg, struct error *err)
{
        struct compute_call c = compute_fixture_call(&f, arg);

        assert_green();
        return compute_stop(f.m, &c, false, err);
}

/* Users go on using their instances: what they ask for later does not make the drain last. */
GREEN_TEST(only_what_ran_when_it_began_is_left)
{
        struct green_group *group = green_group_new("users");
        struct compute_cordon c;
        struct error err = {};

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        virt_fake_slow_next(f.driver, "power_off", 5);
        virt_fake_slow_next(f.driver, "power_off", 60);
        ck_assert_ok(green_spawn(group, "first", stop_slowly, (char *)UUID_A, &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
        cordon();
        ck_assert_ok(green_spawn(group, "second", stop_slowly, (char *)UUID_B, &err), err);
        ck_assert_ok(green_sleep(1, &err), err);
        ck_assert(compute_get_cordon(f.m, &c));
        ck_assert_uint_eq(c.total, 1);
        ck_assert_uint_eq(c.left, 1);
        ck_assert_ok(green_sleep(10, &err), err);
        ck_assert(compute_get_cordon(f.m, &c));
        ck_assert_uint_eq(c.left, 0);
        ck_assert_ok(green_group_wait(group, deadline_in_s(100), &err), err);
        green_group_close(group);
        compute_fixture_stop(&f);
}

GREEN_SUITE("compute-cordon", a_build_is_sent_on_to_another_host_and_counts_as_no_failure,
            without_another_host_the_fault_says_that_this_one_is_drained,
            the_row_says_it_and_undraining_takes_it_back, a_start_finds_in_the_row_that_the_host_is_drained,
            enabling_the_service_in_the_cloud_ends_it,
            what_an_operator_of_the_cloud_disabled_keeps_its_reason,
            a_database_that_is_away_is_told_by_a_later_report, undraining_without_a_database_changes_nothing,
            a_hypervisor_that_goes_and_comes_does_not_end_it, only_what_ran_when_it_began_is_left)
