/*
 * What each method leaves in nova's tables: the same columns, states and steps as were recorded from nova
 * itself (nova-contract 3.4, 5.4 to 5.7).
 */
#include "compute_world.h"

#include <string.h>

#include "base/mem.h"
#include "compute/compute_priv.h"
#include "json/json.h"

#define EVENT(name)                                                                                         \
        "SELECT CONCAT(e.result, ' ', e.host, ' ', IFNULL(e.details, '-')) FROM instance_actions_events e " \
        "JOIN instance_actions a ON a.id = e.action_id WHERE a.instance_uuid = '%s' AND e.event = '" name   \
        "' AND e.finish_time IS NOT NULL ORDER BY e.id DESC LIMIT 1"
#define ROW(columns) "SELECT CONCAT_WS(' ', " columns ") FROM instances WHERE uuid = '%s'"
#define META(key)                                                                                 \
        "SELECT value FROM instance_system_metadata WHERE instance_uuid = '%s' AND `key` = '" key \
        "' AND deleted = 0"
#define FAULT                                                                                               \
        "SELECT CONCAT(code, ' ', message, ' ', host) FROM instance_faults WHERE instance_uuid = '%s' AND " \
        "deleted = 0 ORDER BY id DESC LIMIT 1"
#define FAULTS "SELECT COUNT(*) FROM instance_faults WHERE instance_uuid = '%s'"

/* ---- build ---- */

WORLD_TEST(a_build_leaves_what_nova_leaves)
{
        char uuid[UUID_LEN + 1];

        world_new_instance(world, "smoke", uuid);
        world_build(world, uuid);
        world_settle(world);
        /* begin, claim, networking, block devices, spawning, recorded defaults, active */
        ck_assert_steps(world,
                        "building/-/0 building/-/0 building/networking/0 building/block_device_mapping/0 "
                        "building/spawning/0 building/spawning/0 active/-/1");
        world_expect(world, uuid,
                     ROW("vm_state, IFNULL(task_state, 'NULL'), power_state, host, node, launched_on, "
                         "root_device_name, launched_at IS NOT NULL, IFNULL(terminated_at, 'NULL'), cleaned"),
                     "active NULL 1 lab-compute fake-host lab-compute /dev/vda 1 NULL 0");
        world_expect(world, uuid, META("boot_roles"), "member,reader,admin");
        world_expect(world, uuid, META("image_hw_machine_type"), "pc");
        world_expect(world, uuid, META("image_hw_vif_model"), "virtio");
        world_expect(world, uuid, EVENT("compute__do_build_and_run_instance"), "Success lab-compute -");
        world_expect(
                world, uuid,
                "SELECT CONCAT_WS(' ', device_name, disk_bus, device_type) FROM block_device_mapping WHERE "
                "instance_uuid = '%s' AND boot_index = 0",
                "/dev/vda virtio disk");
        world_expect(world, uuid,
                     "SELECT CONCAT_WS(' ', vcpus_used, memory_mb_used, local_gb_used, running_vms, "
                     "current_workload) FROM compute_nodes",
                     "1 576 1 1 0");
        world_expect(world, uuid, FAULTS, "0");
        ck_assert(world_has_file(world, uuid, "disk"));
        ck_assert(world_has_file(world, uuid, "console.log"));
        ck_assert_int_eq(world_guest(world, uuid), POWER_RUNNING);
}

/* What nova wrote for the same flavor, but for the order of the lists of changes. */
WORLD_TEST(the_recorded_cpu_is_nova_s)
{
        char uuid[UUID_LEN + 1], *text;
        struct jval *cpu, *data, *topology;
        struct error err = {};

        world_boot(world, "cpu", uuid);
        text = text_of(&world->desk, "SELECT vcpu_model FROM instance_extra");
        cpu = jval_parse(text, strlen(text), &err);
        data = jval_get(cpu, "nova_object.data");
        topology = jval_get(data, "topology");
        ck_assert_str_eq(jval_get_text(cpu, "nova_object.name", ""), "VirtCPUModel");
        ck_assert_str_eq(jval_get_text(cpu, "nova_object.version", ""), "1.0");
        ck_assert_uint_eq(jval_len(data), 7);
        ck_assert_str_eq(jval_get_text(data, "match", ""), "exact");
        ck_assert(jval_get(data, "mode") && jval_is_null(jval_get(data, "mode")));
        ck_assert_str_eq(jval_get_text(topology, "nova_object.name", ""), "VirtCPUTopology");
        ck_assert_int_eq(jval_get_int(jval_get(topology, "nova_object.data"), "sockets", 0), 1);
        jval_unref(cpu);
        free(text);
}

WORLD_TEST(the_statistics_of_the_node_are_nova_s)
{
        char uuid[UUID_LEN + 1];

        world_boot(world, "stats", uuid);
        world_expect(world, uuid, "SELECT stats FROM compute_nodes",
                     "{\"failed_builds\":\"0\",\"num_instances\":\"1\",\"num_vm_building\":\"1\","
                     "\"num_task_None\":\"1\",\"num_os_type_None\":\"1\",\"num_proj_" PROJECT
                     "\":\"1\",\"io_workload\":\"1\"}");
        ck_assert_int_eq(compute_audit(world->m, soon(), &(struct error){}), 0);
        world_expect(world, uuid, "SELECT stats FROM compute_nodes",
                     "{\"failed_builds\":\"0\",\"num_instances\":\"1\",\"num_vm_active\":\"1\","
                     "\"num_task_None\":\"1\",\"num_os_type_None\":\"1\",\"num_proj_" PROJECT
                     "\":\"1\",\"io_workload\":\"0\"}");
}

WORLD_TEST(a_failed_build_is_undone_and_explained)
{
        char uuid[UUID_LEN + 1];

        world_new_instance(world, "bad", uuid);
        virt_fake_fail_next(world->driver, "spawn", NOVA_LIBVIRT_ERROR, "'no-such-machine' is not supported");
        world_build(world, uuid);
        world_settle(world);
        world_expect(world, uuid,
                     ROW("vm_state, IFNULL(task_state, 'NULL'), IFNULL(host, 'NULL'), IFNULL(node, 'NULL'), "
                         "IFNULL(launched_on, 'NULL'), IFNULL(availability_zone, 'NULL'), cleaned"),
                     "error NULL NULL NULL NULL NULL 1");
        world_expect(world, uuid, FAULT,
                     "500 starting the guest: 'no-such-machine' is not supported lab-compute");
        world_expect(world, uuid, META("clean_attempts"), "1");
        world_expect(world, uuid, META("network_allocated"), "False");
        world_expect(world, uuid, EVENT("compute__do_build_and_run_instance"), "Success lab-compute -");
        world_expect(world, uuid, "SELECT CONCAT_WS(' ', vcpus_used, running_vms) FROM compute_nodes", "0 0");
        ck_assert(!world_has_file(world, uuid, ""));
        ck_assert_int_eq(world_guest(world, uuid), POWER_NOSTATE);
}

WORLD_TEST(an_unknown_image_is_named)
{
        char uuid[UUID_LEN + 1];

        world_new_instance(world, "no image", uuid);
        world_run(world, uuid, "UPDATE instances SET image_ref = 'no-such-image' WHERE uuid = '%s'");
        world_build(world, uuid);
        world_settle(world);
        world_expect(world, uuid, ROW("vm_state"), "error");
        world_expect(
                world, uuid,
                "SELECT message LIKE '%%no-such-image%%' FROM instance_faults WHERE instance_uuid = '%s'",
                "1");
}

WORLD_TEST(a_flavor_without_a_disk_takes_the_image_s_size)
{
        char uuid[UUID_LEN + 1];

        world_new_instance(world, "small", uuid);
        world_run(world, uuid,
                  "UPDATE instance_extra SET flavor = REPLACE(flavor, '\"root_gb\": 1', '\"root_gb\": 0') "
                  "WHERE "
                  "instance_uuid = '%s'");
        world_build(world, uuid);
        world_settle(world);
        world_expect(world, uuid, ROW("vm_state"), "active");
}

WORLD_TEST(hostile_names_stay_names)
{
        static const char name[] = "</name><x y=\"'&amp;\">`id`; -- \xe2\x82\xac";
        char uuid[UUID_LEN + 1];

        world_boot(world, name, uuid);
        ck_assert_str_eq(virt_fake_spec(world->driver, uuid)->display_name, name);
}

WORLD_TEST(a_request_that_comes_twice_builds_once)
{
        char uuid[UUID_LEN + 1];

        world_new_instance(world, "twice", uuid);
        world_build(world, uuid);
        world_build(world, uuid);
        world_settle(world);
        ck_assert_uint_eq(virt_fake_calls(world->driver, "spawn"), 1);
        world_expect(world, uuid, ROW("vm_state"), "active");
        world_expect(world, uuid, FAULTS, "0");
}

WORLD_TEST(no_more_builds_at_once_than_configured)
{
        char uuids[8][UUID_LEN + 1];
        struct error err = {};

        world_stop_manager(world);
        world->conf.max_concurrent_builds = 2;
        world_start_manager(world);
        for (int n = 0; n < 8; n++) {
                world_new_instance(world, "many", uuids[n]);
                virt_fake_slow_next(world->driver, "spawn", 0.2);
                world_build(world, uuids[n]);
        }
        for (int look = 0; look < 40; look++) {
                int64_t now = number_of(
                        world->desk.here.pool,
                        "SELECT COUNT(*) FROM instances WHERE host IS NOT NULL AND vm_state = 'building'");

                ck_assert_int_le(now, 2);
                ck_assert_ok(green_sleep(0.02, &err), err);
        }
        world_settle(world);
        ck_assert_int_eq(
                number_of(world->desk.here.pool, "SELECT COUNT(*) FROM instances WHERE vm_state = 'active'"),
                8);
        world_expect(world, "", "SELECT running_vms FROM compute_nodes", "8");
}

WORLD_TEST(a_row_deleted_during_the_build_leaves_nothing)
{
        char uuid[UUID_LEN + 1];
        struct error err = {};

        world_new_instance(world, "gone", uuid);
        virt_fake_slow_next(world->driver, "spawn", 0.5);
        world_build(world, uuid);
        ck_assert_ok(green_sleep(0.25, &err), err);
        world_run(world, uuid, "UPDATE instances SET deleted = id, vm_state = 'deleted' WHERE uuid = '%s'");
        world_settle(world);
        ck_assert_int_eq(world_guest(world, uuid), POWER_NOSTATE);
        ck_assert(!world_has_file(world, uuid, ""));
        world_expect(world, uuid, FAULTS, "0");
        world_expect(world, uuid, "SELECT running_vms FROM compute_nodes", "0");
}

/* ---- power ---- */

WORLD_TEST(each_method_takes_nova_s_steps)
{
        char uuid[UUID_LEN + 1];
        struct compute_call c;
        struct error err = {};

        world_boot(world, "steps", uuid);
        c = world_ask(world, uuid, "stop", "powering-off");
        ck_assert_ok(compute_stop(world->m, &c, true, &err), err);
        ck_assert_steps(world, "stopped/-/4");
        world_expect(world, uuid, EVENT("compute_stop_instance"), "Success lab-compute -");

        c = world_ask(world, uuid, "start", "powering-on");
        ck_assert_ok(compute_start(world->m, &c, &err), err);
        ck_assert_steps(world, "active/-/1");
        world_expect(world, uuid, EVENT("compute_start_instance"), "Success lab-compute -");

        c = world_ask(world, uuid, "reboot", "rebooting");
        ck_assert_ok(compute_reboot(world->m, &c, false, &err), err);
        ck_assert_steps(world, "active/reboot_pending/1 active/reboot_started/1 active/-/1");
        world_expect(world, uuid, EVENT("compute_reboot_instance"), "Success lab-compute -");

        c = world_ask(world, uuid, "reboot", "rebooting_hard");
        ck_assert_ok(compute_reboot(world->m, &c, true, &err), err);
        ck_assert_steps(world, "active/reboot_pending_hard/1 active/reboot_started_hard/1 active/-/1");

        c = world_ask(world, uuid, "pause", "pausing");
        ck_assert_ok(compute_pause(world->m, &c, &err), err);
        ck_assert_steps(world, "paused/-/3");
        world_expect(world, uuid, EVENT("compute_pause_instance"), "Success lab-compute -");

        c = world_ask(world, uuid, "unpause", "unpausing");
        ck_assert_ok(compute_unpause(world->m, &c, &err), err);
        ck_assert_steps(world, "active/-/1");
        world_expect(world, uuid, EVENT("compute_unpause_instance"), "Success lab-compute -");

        c = world_ask(world, uuid, "suspend", "suspending");
        ck_assert_ok(compute_suspend(world->m, &c, &err), err);
        ck_assert_steps(world, "suspended/-/4");
        world_expect(world, uuid, META("old_vm_state"), "active");
        world_expect(world, uuid, EVENT("compute_suspend_instance"), "Success lab-compute -");

        c = world_ask(world, uuid, "resume", "resuming");
        ck_assert_ok(compute_resume(world->m, &c, &err), err);
        ck_assert_steps(world, "active/-/1");
        world_expect(world, uuid,
                     "SELECT COUNT(*) FROM instance_system_metadata WHERE instance_uuid = '%s' AND `key` = "
                     "'old_vm_state'",
                     "0");
        world_expect(world, uuid, EVENT("compute_resume_instance"), "Success lab-compute -");
        world_settle(world);
        ck_assert_steps(world, ""); /* the events of all this changed nothing */
        world_expect(world, uuid, FAULTS, "0");
}

WORLD_TEST(a_failure_is_in_the_rows)
{
        char uuid[UUID_LEN + 1];
        struct compute_call c;
        struct error err = {};

        world_boot(world, "fails", uuid);
        c = world_ask(world, uuid, "stop", "powering-off");
        virt_fake_fail_next(world->driver, "power_off", NOVA_INSTANCE_POWER_OFF_FAILURE, "it will not die");
        ck_assert_fails(compute_stop(world->m, &c, false, &err), err, NOVA_INSTANCE_POWER_OFF_FAILURE);
        ck_assert_steps(world, "active/-/1");
        world_expect(world, uuid, FAULT, "400 powering off: it will not die lab-compute");
        world_expect(world, uuid, "SELECT details FROM instance_faults WHERE instance_uuid = '%s'", "");
        world_expect(world, uuid, EVENT("compute_stop_instance"),
                     "Error lab-compute powering off: it will not die");
        world_expect(world, uuid,
                     "SELECT message FROM instance_actions WHERE instance_uuid = '%s' AND action = 'stop'",
                     "Error");
}

WORLD_TEST(errors_of_libvirt_are_named_by_class_with_details)
{
        char uuid[UUID_LEN + 1];
        struct compute_call c;
        struct error err = {};

        world_boot(world, "fails", uuid);
        c = world_ask(world, uuid, "pause", "pausing");
        virt_fake_fail_next(world->driver, "pause", NOVA_LIBVIRT_ERROR, "internal error: monitor is gone");
        ck_assert_fails(compute_pause(world->m, &c, &err), err, NOVA_LIBVIRT_ERROR);
        world_expect(world, uuid, FAULT, "500 libvirtError lab-compute");
        world_expect(world, uuid, "SELECT details FROM instance_faults WHERE instance_uuid = '%s'",
                     "pausing: internal error: monitor is gone");
        world_expect(world, uuid, ROW("vm_state, IFNULL(task_state, 'NULL')"), "active NULL");
}

WORLD_TEST(a_lost_compare_and_set_changes_nothing)
{
        char uuid[UUID_LEN + 1];
        struct compute_call c;
        struct error err = {};

        world_boot(world, "race", uuid);
        c = world_ask(world, uuid, "reboot", "rebooting");
        world_run(world, uuid, "UPDATE instances SET task_state = 'deleting' WHERE uuid = '%s'");
        free(world_steps(world));
        ck_assert_fails(compute_reboot(world->m, &c, false, &err), err, NOVA_UNEXPECTED_DELETING_TASK_STATE);
        ck_assert_steps(world, "");
        world_expect(world, uuid, ROW("task_state"), "deleting");
        ck_assert_int_eq(world_guest(world, uuid), POWER_RUNNING);
}

WORLD_TEST(an_instance_without_a_row_is_not_found)
{
        struct compute_call c = { .ctx = &world->ctx, .uuid = "00000000-0000-4000-8000-000000000000" };
        struct error err = {};

        c.by = soon();
        world->ctx.request_id = xstrdup("req-nothing");
        ck_assert_fails(compute_stop(world->m, &c, true, &err), err, NOVA_INSTANCE_ACTION_NOT_FOUND);
        ck_assert_fails(compute_terminate(world->m, &c, &err), err, NOVA_INSTANCE_ACTION_NOT_FOUND);
}

/* ---- delete ---- */

WORLD_TEST(a_delete_hides_all_rows_and_keeps_the_history)
{
        static const char *const tables[] = { "instance_system_metadata", "instance_extra",
                                              "instance_info_caches", "block_device_mapping" };
        char uuid[UUID_LEN + 1];
        struct compute_call c;
        struct error err = {};

        world_boot(world, "delete me", uuid);
        c = world_ask(world, uuid, "delete", "deleting");
        ck_assert_ok(compute_terminate(world->m, &c, &err), err);
        ck_assert_steps(world, "active/deleting/1 deleted/-/0 deleted/-/0 deleted");
        world_expect(world, uuid,
                     ROW("deleted = id, deleted_at IS NOT NULL, terminated_at IS NOT NULL, cleaned, host"),
                     "1 1 1 1 lab-compute");
        for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
                CLEANUP(freep)
                char *sql = xasprintf("SELECT COUNT(*) FROM %s WHERE instance_uuid = '%%s' AND deleted = 0",
                                      tables[t]);

                world_expect(world, uuid, sql, "0");
        }
        world_expect(world, uuid,
                     "SELECT COUNT(*) FROM instance_actions WHERE instance_uuid = '%s' AND deleted = 0", "2");
        world_expect(world, uuid, EVENT("compute_terminate_instance"), "Success lab-compute -");
        world_expect(world, uuid,
                     "SELECT CONCAT_WS(' ', vcpus_used, memory_mb_used, running_vms) FROM compute_nodes",
                     "0 512 0");
        ck_assert(!world_has_file(world, uuid, ""));
        ck_assert_int_eq(world_guest(world, uuid), POWER_NOSTATE);

        ck_assert_ok(compute_terminate(world->m, &c, &err), err); /* once more: nothing to do */
}

WORLD_TEST(a_delete_that_fails_can_be_repeated)
{
        char uuid[UUID_LEN + 1];
        struct compute_call c;
        struct error err = {};

        world_boot(world, "stubborn", uuid);
        c = world_ask(world, uuid, "delete", "deleting");
        virt_fake_fail_next(world->driver, "power_off", NOVA_INSTANCE_POWER_OFF_FAILURE, "it will not die");
        ck_assert_fails(compute_terminate(world->m, &c, &err), err, NOVA_INSTANCE_POWER_OFF_FAILURE);
        world_expect(world, uuid, ROW("vm_state, IFNULL(task_state, 'NULL'), deleted"), "error NULL 0");
        c = world_ask(world, uuid, "delete", "deleting");
        ck_assert_ok(compute_terminate(world->m, &c, &err), err);
        world_expect(world, uuid, ROW("deleted = id"), "1");
}

/* ---- synchronisation ---- */

WORLD_TEST(a_guest_that_dies_is_in_the_row_at_once)
{
        char uuid[UUID_LEN + 1];

        world_boot(world, "dies", uuid);
        ck_assert(virt_fake_guest_crashes(world->driver, uuid));
        world_settle(world);
        world_expect(world, uuid, ROW("vm_state, IFNULL(task_state, 'NULL')"), "stopped NULL");
        world_expect(
                world, uuid,
                "SELECT CONCAT_WS(' ', action, IFNULL(user_id, 'NULL'), IFNULL(project_id, 'NULL')) FROM "
                "instance_actions WHERE instance_uuid = '%s' ORDER BY id DESC LIMIT 1",
                "stop NULL NULL");
        world_expect(world, uuid, EVENT("compute_stop_instance"), "Success lab-compute -");
}

WORLD_TEST(a_round_of_synchronisation_brings_all_into_line)
{
        static const struct {
                const char *vm_state;
                enum power_state guest;
                const char *then;
        } cases[] = {
                { "active", POWER_SHUTDOWN, "stopped/-/4" },      { "active", POWER_PAUSED, "active/-/3" },
                { "active", POWER_RUNNING, "active/-/1" },        { "stopped", POWER_RUNNING, "stopped/-/4" },
                { "stopped", POWER_SHUTDOWN, "stopped/-/4" },     { "paused", POWER_SHUTDOWN, "stopped/-/4" },
                { "suspended", POWER_SHUTDOWN, "suspended/-/4" }, { "error", POWER_SHUTDOWN, "error/-/4" },
        };
        char uuids[ARRAY_SIZE(cases)][UUID_LEN + 1];
        struct error err = {};

        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
                CLEANUP(freep)
                char *sql = xasprintf("UPDATE instances SET vm_state = '%s' WHERE uuid = '%%s'",
                                      cases[k].vm_state);

                world_boot(world, "sync", uuids[k]);
                world_run(world, uuids[k], sql);
                ck_assert(virt_fake_set_state(world->driver, uuids[k], cases[k].guest));
        }
        ck_assert_ok(compute_sync_all(world->m, soon(), &err), err);
        world_settle(world);
        for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
                world_expect(world, uuids[k],
                             "SELECT CONCAT(vm_state, '/', IFNULL(task_state, '-'), '/', power_state) FROM "
                             "instances "
                             "WHERE uuid = '%s'",
                             cases[k].then);
}

WORLD_TEST(guests_of_deleted_instances_are_reaped)
{
        char deleted[UUID_LEN + 1], alive[UUID_LEN + 1];
        struct error err = {};

        world_boot(world, "deleted", deleted);
        world_boot(world, "alive", alive);
        world_run(world, deleted,
                  "UPDATE instances SET deleted = id, deleted_at = UTC_TIMESTAMP() - INTERVAL 1 HOUR WHERE "
                  "uuid = '%s'");
        ck_assert_ok(tasks_cleanup_running_deleted(world->m, soon(), &err), err);
        ck_assert_int_eq(world_guest(world, deleted), POWER_NOSTATE);
        ck_assert(!world_has_file(world, deleted, ""));
        ck_assert_int_eq(world_guest(world, alive), POWER_RUNNING);
        ck_assert(world_has_file(world, alive, "disk"));
}

/* ---- start and stop ---- */

WORLD_TEST(a_start_repairs_what_was_interrupted)
{
        static const struct {
                const char *vm_state, *task;
                enum power_state guest;
                const char *then;
        } cases[] = {
                { "building", "spawning", POWER_RUNNING, "error/-" },
                { "active", "powering-off", POWER_RUNNING, "stopped/-" },
                { "stopped", "powering-on", POWER_SHUTDOWN, "active/-" },
                { "active", "reboot_pending", POWER_RUNNING, "active/-" },
                { "active", "reboot_started_hard", POWER_SHUTDOWN, "active/-" },
                { "active", "pausing", POWER_PAUSED, "paused/-" },
                { "paused", "unpausing", POWER_PAUSED, "active/-" },
                { "active", "suspending", POWER_SHUTDOWN, "suspended/-" },
                { "suspended", "resuming", POWER_SHUTDOWN, "active/-" },
                { "active", "deleting", POWER_RUNNING, "deleted/-" },
                { "active", "image_uploading", POWER_RUNNING, "active/-" },
        };
        char uuids[ARRAY_SIZE(cases)][UUID_LEN + 1];

        for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
                world_boot(world, "interrupted", uuids[k]);
        world_stop_manager(world);
        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
                CLEANUP(freep)
                char *sql = xasprintf(
                        "UPDATE instances SET vm_state = '%s', task_state = '%s' WHERE uuid = '%%s'",
                        cases[k].vm_state, cases[k].task);

                world_run(world, uuids[k], sql);
                ck_assert(virt_fake_set_state(world->driver, uuids[k], cases[k].guest));
        }
        world_start_manager(world);
        world_settle(world);
        for (size_t k = 0; k < ARRAY_SIZE(cases); k++)
                world_expect(world, uuids[k],
                             "SELECT CONCAT(vm_state, '/', IFNULL(task_state, '-')) FROM instances WHERE "
                             "uuid = '%s'",
                             cases[k].then);
        ck_assert(!world_has_file(world, uuids[9], ""));
}

WORLD_TEST(a_start_leaves_healthy_guests_untouched)
{
        char uuid[UUID_LEN + 1];
        struct guest_info before = {}, after = {};
        struct error err = {};

        world_boot(world, "healthy", uuid);
        ck_assert_ok(world->driver->ops->get_info(world->driver, uuid, &before, soon(), &err), err);
        world_stop_manager(world);
        world_start_manager(world);
        world_settle(world);
        ck_assert_ok(world->driver->ops->get_info(world->driver, uuid, &after, soon(), &err), err);
        ck_assert_int_eq(before.id, after.id);
        ck_assert_steps(world, "");
        world_expect(world, uuid, "SELECT running_vms FROM compute_nodes", "1");
}

WORLD_TEST(a_build_cut_short_is_an_error_after_the_start)
{
        char uuid[UUID_LEN + 1];
        struct compute_call c;
        struct error err = {};

        world_new_instance(world, "cut", uuid);
        virt_fake_slow_next(world->driver, "spawn", 100);
        world_build(world, uuid);
        while (number_of(world->desk.here.pool,
                         "SELECT COUNT(*) FROM instances WHERE task_state = 'spawning'") == 0)
                ck_assert_ok(green_sleep(0.02, &err), err);
        world_stop_manager(world);
        world_expect(world, uuid, ROW("vm_state, task_state, host"), "building spawning lab-compute");
        world_start_manager(world);
        world_expect(world, uuid, ROW("vm_state, IFNULL(task_state, 'NULL')"), "error NULL");
        c = world_ask(world, uuid, "delete", "deleting");
        ck_assert_ok(compute_terminate(world->m, &c, &err), err);
        ck_assert(!world_has_file(world, uuid, ""));
}

WORLD_TEST(the_service_reports)
{
        struct error err = {};

        ck_assert_ok(compute_start_periodic(world->m, &err), err);
        while (compute_last_report_age(world->m) < 0)
                ck_assert_ok(green_sleep(0.02, &err), err);
        world_expect(world, "",
                     "SELECT CONCAT_WS(' ', host, `binary`, topic, version, report_count, last_seen_up IS "
                     "NOT NULL) FROM "
                     "services",
                     "lab-compute nova-compute compute 64 1 1");
}

WORLD_TEST(the_service_follows_the_hypervisor_but_not_an_operator)
{
        struct error err = {};

        ck_assert_ok(compute_start_periodic(world->m, &err), err);
        while (compute_last_report_age(world->m) < 0)
                ck_assert_ok(green_sleep(0.02, &err), err);
        virt_fake_set_connected(world->driver, false);
        while (!compute_service(world->m)->disabled)
                ck_assert_ok(green_sleep(0.02, &err), err);
        world_expect(world, "", "SELECT CONCAT(disabled, ' ', LEFT(disabled_reason, 32)) FROM services",
                     "1 AUTO: Connection to libvirt lost");
        virt_fake_set_connected(world->driver, true);
        while (compute_service(world->m)->disabled)
                ck_assert_ok(green_sleep(0.02, &err), err);
        world_expect(world, "", "SELECT CONCAT(disabled, ' ', IFNULL(disabled_reason, 'NULL')) FROM services",
                     "0 NULL");
        /* an operator is quicker than our report of what the row holds */
        run(world->desk.here.pool, "UPDATE services SET disabled = 1, disabled_reason = 'spare parts'");
        virt_fake_set_connected(world->driver, false);
        while (!compute_service(world->m)->disabled)
                ck_assert_ok(green_sleep(0.02, &err), err);
        virt_fake_set_connected(world->driver, true);
        ck_assert_ok(green_sleep(0.3, &err), err);
        world_expect(world, "", "SELECT CONCAT(disabled, ' ', disabled_reason) FROM services",
                     "1 spare parts");
}

WORLD_TEST(old_names_of_this_host_are_forgotten)
{
        struct error err = {};

        run(world->desk.here.pool,
            "INSERT INTO compute_nodes (host, hypervisor_hostname, uuid, vcpus, memory_mb, local_gb, "
            "vcpus_used, "
            "memory_mb_used, local_gb_used, hypervisor_type, hypervisor_version, cpu_info, deleted) VALUES "
            "('lab-compute', 'old-name', UUID(), 1, 1, 1, 1, 1, 1, 'QEMU', 1, '', 0), "
            "('other-host', 'other-name', UUID(), 1, 1, 1, 1, 1, 1, 'QEMU', 1, '', 0)");
        ck_assert_ok(compute_audit(world->m, soon(), &err), err);
        world_expect(
                world, "",
                "SELECT GROUP_CONCAT(hypervisor_hostname ORDER BY id) FROM compute_nodes WHERE deleted = 0",
                "fake-host,other-name");
        world_expect(world, "",
                     "SELECT deleted = id FROM compute_nodes WHERE hypervisor_hostname = 'old-name'", "1");
}

/* ---- a database that goes away ---- */

struct stopping {
        struct world *w;
        struct compute_call call;
        struct error err;
        bool done;
        int result;
};

static int stop_in_background(void *arg, struct error *err)
{
        struct stopping *s = arg;

        assert_green();
        s->result = compute_stop(s->w->m, &s->call, false, &s->err);
        s->done = true;
        return 0;
}

WORLD_TEST(a_method_outlives_a_restart_of_the_database)
{
        struct stopping s = { .w = world };
        char uuid[UUID_LEN + 1];
        struct error err = {};

        world_boot(world, "patient", uuid);
        s.call = world_ask(world, uuid, "stop", "powering-off");
        virt_fake_slow_next(world->driver, "power_off", 2);
        ck_assert_ok(green_spawn(NULL, "stop", stop_in_background, &s, &err), err);
        ck_assert_ok(green_sleep(0.5, &err), err);
        server("kill");
        server("start");
        while (!s.done)
                ck_assert_ok(green_sleep(0.1, &err), err);
        ck_assert_msg(s.result == 0, "%s", s.err.text);
        world_expect(world, uuid, ROW("vm_state, IFNULL(task_state, 'NULL')"), "stopped NULL");
        world_expect(world, uuid, EVENT("compute_stop_instance"), "Success lab-compute -");
}

GREEN_SUITE("compute", a_build_leaves_what_nova_leaves, the_recorded_cpu_is_nova_s,
            the_statistics_of_the_node_are_nova_s, a_failed_build_is_undone_and_explained,
            an_unknown_image_is_named, a_flavor_without_a_disk_takes_the_image_s_size,
            hostile_names_stay_names, a_request_that_comes_twice_builds_once,
            no_more_builds_at_once_than_configured, a_row_deleted_during_the_build_leaves_nothing,
            each_method_takes_nova_s_steps, a_failure_is_in_the_rows,
            errors_of_libvirt_are_named_by_class_with_details, a_lost_compare_and_set_changes_nothing,
            an_instance_without_a_row_is_not_found, a_delete_hides_all_rows_and_keeps_the_history,
            a_delete_that_fails_can_be_repeated, a_guest_that_dies_is_in_the_row_at_once,
            a_round_of_synchronisation_brings_all_into_line, guests_of_deleted_instances_are_reaped,
            a_start_repairs_what_was_interrupted, a_start_leaves_healthy_guests_untouched,
            a_build_cut_short_is_an_error_after_the_start, the_service_reports,
            the_service_follows_the_hypervisor_but_not_an_operator, old_names_of_this_host_are_forgotten,
            a_method_outlives_a_restart_of_the_database)
