/* Usage, statistics, the compute_nodes row. */
#include "compute/tracker.h"

#include "base/list.h"
#include "base/mem.h"
#include "compute/usage.h"
#include "compute_fixture.h"
#include "green_test.h"
#include "json/json.h"

static struct compute_fixture f;

static struct instance make(const char *uuid, enum vm_state vm_state, enum task_state task)
{
        struct instance i = {
                .host = (char *)"host-1",
                .node = (char *)"fake-host",
                .project_id = (char *)"p1",
                .image_ref = (char *)"image-1",
                .vm_state = vm_state,
                .task_state = task,
                .flavor = { .vcpus = 2, .memory_mb = 128, .root_gb = 3, .ephemeral_gb = 1, .swap_mb = 2048 }
        };

        snprintf(i.uuid, sizeof(i.uuid), "%s", uuid);
        return i;
}

#define ck_assert_stats(u, expected)               \
        do {                                       \
                char *text_ = usage_stats_json(u); \
                ck_assert_str_eq(text_, expected); \
                free(text_);                       \
        } while (0)

START_TEST(sums_follow_instances)
{
        struct usage *u = usage_new();
        struct instance i = make(UUID_A, VM_BUILDING, TASK_NONE);
        struct usage_sums sums;

        ck_assert_stats(u, "{\"failed_builds\":\"0\"}");
        usage_put(u, &i);
        usage_get_sums(u, &sums);
        ck_assert_int_eq(sums.instances, 1);
        ck_assert_int_eq(sums.vcpus, 2);
        ck_assert_int_eq(sums.memory_mb, 128);
        ck_assert_int_eq(sums.disk_gb, 6);
        ck_assert_int_eq(sums.workload, 0);
        /* as nova writes it for the claim of a first build */
        ck_assert_stats(u, "{\"failed_builds\":\"0\",\"num_instances\":\"1\",\"num_vm_building\":\"1\","
                           "\"num_task_None\":\"1\",\"num_os_type_None\":\"1\",\"num_proj_p1\":\"1\","
                           "\"io_workload\":\"1\"}");
        i.vm_state = VM_ACTIVE;
        i.task_state = TASK_REBOOTING;
        usage_put(u, &i);
        usage_get_sums(u, &sums);
        ck_assert_int_eq(sums.instances, 1);
        ck_assert_int_eq(sums.workload, 1);
        i.vm_state = VM_DELETED;
        i.task_state = TASK_NONE;
        usage_put(u, &i);
        usage_get_sums(u, &sums);
        ck_assert_int_eq(sums.instances, 0);
        ck_assert_int_eq(sums.vcpus, 0);
        ck_assert_int_eq(sums.workload, 0);
        ck_assert_stats(u, "{\"failed_builds\":\"0\",\"num_instances\":\"0\",\"num_vm_building\":\"0\","
                           "\"num_task_None\":\"0\",\"num_os_type_None\":\"0\",\"num_proj_p1\":\"0\","
                           "\"num_vm_active\":\"0\",\"num_task_rebooting\":\"0\",\"io_workload\":\"0\"}");
        ck_assert(!usage_remove(u, UUID_A));
        usage_free(u);
}
END_TEST

START_TEST(instances_that_are_elsewhere_or_on_volumes_take_less)
{
        struct usage *u = usage_new();
        struct instance i = make(UUID_A, VM_SHELVED_OFFLOADED, TASK_NONE);
        struct usage_sums sums;

        usage_put(u, &i);
        usage_get_sums(u, &sums);
        ck_assert_int_eq(sums.instances, 0);
        i.task_state = TASK_SPAWNING;
        i.image_ref = NULL; /* boots from a volume */
        usage_put(u, &i);
        usage_get_sums(u, &sums);
        ck_assert_int_eq(sums.instances, 1);
        ck_assert_int_eq(sums.disk_gb, 3);
        usage_free(u);
}
END_TEST

START_TEST(a_reset_keeps_failed_builds)
{
        struct usage *u = usage_new();
        struct instance i = make(UUID_A, VM_ACTIVE, TASK_RESCUING);

        usage_set_failed_builds(u, 3);
        usage_put(u, &i);
        usage_reset(u);
        ck_assert_stats(u, "{\"failed_builds\":\"3\"}");
        usage_free(u);
}
END_TEST

START_TEST(ten_thousand_instances)
{
        struct usage *u = usage_new();
        struct usage_sums sums;
        char uuid[UUID_LEN + 1];

        for (int round = 0; round < 2; round++)
                for (int n = 0; n < 10000; n++) {
                        struct instance i;

                        snprintf(uuid, sizeof(uuid), "%08d-aaaa-4aaa-8aaa-aaaaaaaaaaaa", n);
                        i = make(uuid, VM_ACTIVE, TASK_NONE);
                        usage_put(u, &i);
                }
        usage_get_sums(u, &sums);
        ck_assert_int_eq(sums.instances, 10000);
        usage_free(u);
}
END_TEST

/* ---- the row ---- */

GREEN_TEST(the_first_audit_makes_the_row)
{
        const struct compute_node_row *row;

        compute_fixture_start(&f);
        row = fake_store_node();
        ck_assert_str_eq(row->hypervisor_hostname, "fake-host");
        ck_assert_str_eq(row->hypervisor_type, "QEMU");
        ck_assert_int_eq(row->hypervisor_version, 7002000);
        ck_assert_int_eq(row->vcpus, 8);
        ck_assert_int_eq(row->memory_mb, 16384);
        ck_assert_int_eq(row->memory_mb_used, 512);
        ck_assert_int_eq(row->free_ram_mb, 16384 - 512);
        ck_assert_int_eq(row->local_gb, 251);
        ck_assert_int_eq(row->disk_available_least, 74);
        ck_assert_str_eq(row->host_ip, "127.0.0.1");
        ck_assert_str_eq(row->metrics, "[]");
        ck_assert_double_eq(row->cpu_allocation_ratio, 16.0);
        ck_assert_double_eq(row->ram_allocation_ratio, 1.5);
        ck_assert_str_eq(row->stats, "{\"failed_builds\":\"0\"}");
        ck_assert_str_eq(tracker_node(compute_tracker(f.m)), "fake-host");
        compute_fixture_stop(&f);
}

GREEN_TEST(the_empty_list_of_devices_is_what_nova_decodes)
{
        struct error err = {};
        struct jval *v;

        compute_fixture_start(&f);
        v = jval_parse(fake_store_node()->pci_stats, strlen(fake_store_node()->pci_stats), &err);
        ck_assert_str_eq(jval_get_text(v, "nova_object.name", ""), "PciDevicePoolList");
        ck_assert_uint_eq(jval_len(jval_get(jval_get(v, "nova_object.data"), "objects")), 0);
        jval_unref(v);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_audit_without_a_change_writes_nothing)
{
        struct error err = {};

        compute_fixture_start(&f);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_journal("");
        virt_fake_set_host(f.driver, "fake-host", 8, 32768);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_journal("node update vms=0 mb=512\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_audit_counts_the_instances_of_this_node_only)
{
        struct error err = {};

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_STOPPED, TASK_NONE, POWER_SHUTDOWN);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        replace_str(&fake_store_row(UUID_B)->node, "old-name");
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_int_eq(fake_store_node()->running_vms, 1);
        ck_assert_int_eq(fake_store_node()->vcpus_used, 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_row_that_was_removed_is_made_again)
{
        struct error err = {};

        compute_fixture_start(&f);
        fake_store_drop_node();
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_journal("node insert vms=0 mb=512\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(the_node_keeps_its_name)
{
        struct error err = {};

        compute_fixture_start(&f);
        virt_fake_set_host(f.driver, "renamed", 8, 16384);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_str_eq(fake_store_node()->hypervisor_hostname, "fake-host");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_configured_ratio_wins_over_the_row)
{
        struct error err = {};

        compute_fixture_start(&f);
        f.conf.cpu_allocation_ratio = 4.0;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_double_eq(fake_store_node()->cpu_allocation_ratio, 4.0);
        ck_assert_double_eq(fake_store_node()->ram_allocation_ratio, 1.5);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_audit_fails_as_a_whole)
{
        struct error err = {};

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        virt_fake_fail_next(f.driver, "get_host_info", NOVA_HYPERVISOR_UNAVAILABLE, "gone");
        ck_assert_fails(compute_audit(f.m, deadline_in_s(10), &err), err, NOVA_HYPERVISOR_UNAVAILABLE);
        fake_files_fail_next("usage", ERR_SYSTEM, "no such folder");
        ck_assert_fails(compute_audit(f.m, deadline_in_s(10), &err), err, ERR_SYSTEM);
        fake_store_fail("store_instances_page", 1, ERR_DB_LOST, "gone away");
        ck_assert_fails(compute_audit(f.m, deadline_in_s(10), &err), err, ERR_DB_LOST);
        ck_assert_journal("");
        err = (struct error){};
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_int_eq(fake_store_node()->running_vms, 1);
        compute_fixture_stop(&f);
}

GREEN_TEST(rows_that_cannot_all_be_read_change_no_sum)
{
        static const char *const more[] = { UUID_B, "cccccccc-cccc-4ccc-8ccc-cccccccccccc" };
        struct error err = {};
        int64_t mb;

        compute_fixture_start(&f);
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        mb = fake_store_node()->memory_mb_used;
        for (size_t n = 0; n < ARRAY_SIZE(more); n++)
                compute_fixture_instance(&f, more[n], VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_fail("store_instances_page", 2, ERR_DB_LOST, "gone away"); /* after a page of two */
        ck_assert_fails(compute_audit(f.m, deadline_in_s(10), &err), err, ERR_DB_LOST);
        /* What leaves now is taken off the old sums. */
        fake_store_row(UUID_A)->vm_state = VM_DELETED;
        err = (struct error){};
        ck_assert_int_eq(fake_store_node()->memory_mb_used, mb);
        ck_assert_ok(tracker_update_usage((struct tracker *)compute_tracker(f.m), fake_store_row(UUID_A),
                                          deadline_in_s(10), &err),
                     err);
        ck_assert_int_eq(fake_store_node()->running_vms, 0);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &err), err);
        ck_assert_int_eq(fake_store_node()->running_vms, 2);
        compute_fixture_stop(&f);
}

GREEN_SUITE("tracker", sums_follow_instances, instances_that_are_elsewhere_or_on_volumes_take_less,
            a_reset_keeps_failed_builds, ten_thousand_instances, the_first_audit_makes_the_row,
            the_empty_list_of_devices_is_what_nova_decodes, an_audit_without_a_change_writes_nothing,
            an_audit_counts_the_instances_of_this_node_only, a_row_that_was_removed_is_made_again,
            the_node_keeps_its_name, a_configured_ratio_wins_over_the_row, an_audit_fails_as_a_whole,
            rows_that_cannot_all_be_read_change_no_sum)
