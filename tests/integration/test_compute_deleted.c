/* Soft delete, restore, reclaiming, and files that outlived their rows: on a real database and real files. */
#include "compute/compute_priv.h"
#include "compute_world.h"

static struct error e;

#define ROW(columns)     "SELECT CONCAT_WS(' ', " columns ") FROM instances WHERE uuid = '%s'"
#define LIVE_ROWS(table) "SELECT COUNT(*) FROM " table " WHERE instance_uuid = '%s' AND deleted = 0"
#define EVENTS                                                                                              \
        "SELECT GROUP_CONCAT(a.action, ' ', v.event, ' ', v.result ORDER BY v.id) FROM instance_actions a " \
        "JOIN instance_actions_events v ON v.action_id = a.id WHERE a.instance_uuid = '%s'"
#define BUILT "create compute__do_build_and_run_instance Success"

/* As nova-api: the live row gets the time of its deletion. */
static void YIELDS soft_delete(struct world *world, const char *uuid)
{
        struct compute_call c = world_ask(world, uuid, "delete", "soft-deleting");

        world_run(world, uuid, "UPDATE instances SET deleted_at = UTC_TIMESTAMP() WHERE uuid = '%s'");
        ck_assert_ok(compute_soft_delete(world->m, &c, &e), e);
}

WORLD_TEST(a_soft_deleted_instance_keeps_all_and_comes_back)
{
        char uuid[UUID_LEN + 1];
        struct compute_call c;

        world_boot(world, "not yet", uuid);
        soft_delete(world, uuid);
        world_expect(world, uuid, ROW("vm_state, IFNULL(task_state, '-'), power_state, deleted, cleaned"),
                     "soft-delete - 4 0 0");
        world_expect(world, uuid, "SELECT running_vms FROM compute_nodes", "1"); /* it still takes its room */
        ck_assert(world_has_file(world, uuid, "disk"));
        ck_assert_int_eq(world_guest(world, uuid), POWER_SHUTDOWN);

        c = world_ask(world, uuid, "restore", "restoring");
        ck_assert_ok(compute_restore(world->m, &c, &e), e);
        world_expect(world, uuid, ROW("vm_state, IFNULL(task_state, '-'), power_state, deleted"),
                     "active - 1 0");
        world_expect(world, uuid, EVENTS,
                     BUILT ",delete compute_soft_delete_instance Success,"
                           "restore compute_restore_instance Success");
        ck_assert_int_eq(world_guest(world, uuid), POWER_RUNNING);
}

WORLD_TEST(reclaiming_leaves_the_rows_that_a_delete_leaves)
{
        char uuid[UUID_LEN + 1], young[UUID_LEN + 1];

        world->conf.reclaim_instance_interval = 3600;
        world_boot(world, "old", uuid);
        world_boot(world, "young", young);
        soft_delete(world, uuid);
        soft_delete(world, young);
        world_run(
                world, uuid,
                "UPDATE instances SET deleted_at = UTC_TIMESTAMP() - INTERVAL 3601 SECOND WHERE uuid = '%s'");
        ck_assert_ok(tasks_reclaim_queued_deletes(world->m, soon(), &e), e);

        world_expect(world, uuid,
                     ROW("vm_state, IFNULL(task_state, '-'), power_state, deleted = id, terminated_at IS NOT "
                         "NULL, "
                         "TIMESTAMPDIFF(SECOND, deleted_at, UTC_TIMESTAMP()) < 60, cleaned, host"),
                     "deleted - 0 1 1 1 1 lab-compute");
        world_expect(world, uuid, LIVE_ROWS("instance_system_metadata"), "0");
        world_expect(world, uuid, LIVE_ROWS("instance_extra"), "0");
        world_expect(world, uuid, LIVE_ROWS("instance_info_caches"), "0");
        world_expect(world, uuid, LIVE_ROWS("block_device_mapping"), "0");
        world_expect(world, uuid, EVENTS, BUILT ",delete compute_soft_delete_instance Success");
        ck_assert(!world_has_file(world, uuid, ""));
        ck_assert_int_eq(world_guest(world, uuid), POWER_NOSTATE);

        world_expect(world, young, ROW("vm_state, deleted"), "soft-delete 0");
        ck_assert(world_has_file(world, young, "disk"));
        world_expect(world, uuid, "SELECT running_vms FROM compute_nodes", "1");
}

WORLD_TEST(a_kill_while_it_is_reclaimed_is_made_up_for_by_the_next_start)
{
        char uuid[UUID_LEN + 1];

        world->conf.reclaim_instance_interval = 3600;
        world_boot(world, "killed", uuid);
        soft_delete(world, uuid);
        world_run(world, uuid, "UPDATE instances SET task_state = 'deleting' WHERE uuid = '%s'");
        world_stop_manager(world);
        world_start_manager(world);
        world_settle(world);
        world_expect(world, uuid, ROW("vm_state, deleted = id"), "deleted 1");
        ck_assert(!world_has_file(world, uuid, ""));
}

/* nova-api deletes the rows itself while this host is down. */
WORLD_TEST(what_was_deleted_while_this_host_was_down_is_cleaned_up)
{
        char uuid[UUID_LEN + 1];

        world_boot(world, "deleted elsewhere", uuid);
        world_run(world, uuid,
                  "UPDATE instances SET deleted = id, deleted_at = UTC_TIMESTAMP(), vm_state = 'deleted' "
                  "WHERE uuid = '%s'");
        ck_assert_ok(tasks_run_pending_deletes(world->m, soon(), &e), e);
        ck_assert(world_has_file(world, uuid, "disk")); /* its guest runs */
        world_expect(world, uuid, ROW("cleaned"), "0");

        ck_assert_ok(tasks_cleanup_running_deleted(world->m, soon(), &e), e);
        ck_assert_int_eq(world_guest(world, uuid), POWER_NOSTATE);
        ck_assert_ok(tasks_run_pending_deletes(world->m, soon(), &e), e);
        ck_assert(!world_has_file(world, uuid, ""));
        world_expect(world, uuid, ROW("cleaned"), "1");
        world_expect(world, uuid,
                     "SELECT value FROM instance_system_metadata WHERE instance_uuid = '%s' AND `key` = "
                     "'clean_attempts'",
                     "1");
}

GREEN_SUITE("compute-deleted", a_soft_deleted_instance_keeps_all_and_comes_back,
            reclaiming_leaves_the_rows_that_a_delete_leaves,
            a_kill_while_it_is_reclaimed_is_made_up_for_by_the_next_start,
            what_was_deleted_while_this_host_was_down_is_cleaned_up)
