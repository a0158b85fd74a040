/*
 * agent/rpc/unsupported.c: a method that is not there must not leave an instance with a task for ever:
 * nova-api set the task before it sent the request (nova-contract 9, item 8).
 */
#include "rpc/methods_priv.h"

#define R WRAP_REVERTS
#define V WRAP_EVENT
#define F WRAP_FAULT

/* Event Error, fault, task_state NULL as the wraps say; then NotImplementedError for who waits. */
static int rpc_unsupported(struct rpc_call *call, struct error *err)
{
        assert_green();
        error_set(err, NOVA_NOT_IMPLEMENTED, "this agent does not implement %s", call->method->name);
        return request_refuse(call, err);
}

#define ABOUT(...) (&(const struct refusal){ __VA_ARGS__ })
#define ROW(method, ...)                                    \
        {                                                   \
                method, rpc_unsupported, ABOUT(__VA_ARGS__) \
        }

/* By tier, as in nova-contract 3.3; with what nova's method is wrapped in, and what was prepared for it. */
const struct rpc_method unsupported_methods[] = {
        ROW("rebuild_instance", R | V | F, left_by_rebuild),
        ROW("snapshot_instance", R | V | F, left_by_snapshot),
        ROW("backup_instance", R | V | F, left_by_snapshot),
        ROW("cache_images", 0),
        ROW("rescue_instance", R | V | F),
        ROW("unrescue_instance", R | V | F),
        ROW("attach_interface", V | F),
        ROW("detach_interface", V | F),
        ROW("reserve_block_device_name", R | F),
        ROW("attach_volume", V | F),
        ROW("detach_volume", V | F),
        ROW("swap_volume", V | F),
        ROW("remove_volume_connection", 0),
        ROW("volume_snapshot_create", 0),
        ROW("volume_snapshot_delete", 0),
        ROW("add_fixed_ip_to_instance", F),
        ROW("remove_fixed_ip_from_instance", F),
        ROW("inject_network_info", F),
        ROW("set_admin_password", R | V | F),
        ROW("quiesce_instance", 0),
        ROW("unquiesce_instance", 0),
        ROW("prep_resize", R | V | F, left_by_resize),
        ROW("resize_instance", R | V | F),
        ROW("finish_resize", R | V | F),
        ROW("confirm_resize", V | F),
        ROW("revert_resize", R | V | F),
        ROW("finish_revert_resize", R | V | F),
        ROW("check_can_live_migrate_destination", V | F),
        ROW("check_can_live_migrate_source", V | F),
        ROW("pre_live_migration", V | F),
        ROW("live_migration", V | F),
        ROW("live_migration_force_complete", V | F),
        ROW("live_migration_abort", V | F),
        ROW("post_live_migration_at_destination", V | F),
        ROW("rollback_live_migration_at_destination", V | F),
        ROW("drop_move_claim_at_destination", F),
        ROW("check_instance_shared_storage", 0),
        ROW("shelve_instance", R | V | F),
        ROW("shelve_offload_instance", R | V | F),
        ROW("unshelve_instance", R | V | F),
        ROW("prep_snapshot_based_resize_at_dest", V | F),
        ROW("prep_snapshot_based_resize_at_source", R | V | F),
        ROW("finish_snapshot_based_resize_at_dest", R | V | F),
        ROW("confirm_snapshot_based_resize_at_source", V | F),
        ROW("revert_snapshot_based_resize_at_dest", V | F),
        ROW("finish_revert_snapshot_based_resize_at_source", V | F),
        ROW("host_power_action", 0),
        ROW("host_maintenance_mode", 0),
        {},
};
