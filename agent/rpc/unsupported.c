/*
 * agent/rpc/unsupported.c: a method that is not there must not leave an instance with a task for ever:
 * nova-api set the task before it sent the request (nova-contract 9, item 8).
 */
#include "rpc/unsupported.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "rpc/args.h"

#define R WRAP_REVERTS
#define V WRAP_EVENT
#define F WRAP_FAULT

/* X(name, wraps): by tier, as in nova-contract 3.3 */
#define UNSUPPORTED(X)                                          \
        X(rebuild_instance, R | V | F)                          \
        X(snapshot_instance, R | V | F)                         \
        X(backup_instance, R | V | F)                           \
        X(cache_images, 0)                                      \
        X(rescue_instance, R | V | F)                           \
        X(unrescue_instance, R | V | F)                         \
        X(attach_interface, V | F)                              \
        X(detach_interface, V | F)                              \
        X(reserve_block_device_name, R | F)                     \
        X(attach_volume, V | F)                                 \
        X(detach_volume, V | F)                                 \
        X(swap_volume, V | F)                                   \
        X(remove_volume_connection, 0)                          \
        X(volume_snapshot_create, 0)                            \
        X(volume_snapshot_delete, 0)                            \
        X(add_fixed_ip_to_instance, F)                          \
        X(remove_fixed_ip_from_instance, F)                     \
        X(inject_network_info, F)                               \
        X(set_admin_password, R | V | F)                        \
        X(quiesce_instance, 0)                                  \
        X(unquiesce_instance, 0)                                \
        X(prep_resize, R | V | F)                               \
        X(resize_instance, R | V | F)                           \
        X(finish_resize, R | V | F)                             \
        X(confirm_resize, V | F)                                \
        X(revert_resize, R | V | F)                             \
        X(finish_revert_resize, R | V | F)                      \
        X(check_can_live_migrate_destination, V | F)            \
        X(check_can_live_migrate_source, V | F)                 \
        X(pre_live_migration, V | F)                            \
        X(live_migration, V | F)                                \
        X(live_migration_force_complete, V | F)                 \
        X(live_migration_abort, V | F)                          \
        X(post_live_migration_at_destination, V | F)            \
        X(rollback_live_migration_at_destination, V | F)        \
        X(drop_move_claim_at_destination, F)                    \
        X(check_instance_shared_storage, 0)                     \
        X(shelve_instance, R | V | F)                           \
        X(shelve_offload_instance, R | V | F)                   \
        X(unshelve_instance, R | V | F)                         \
        X(prep_snapshot_based_resize_at_dest, V | F)            \
        X(prep_snapshot_based_resize_at_source, R | V | F)      \
        X(finish_snapshot_based_resize_at_dest, R | V | F)      \
        X(confirm_snapshot_based_resize_at_source, V | F)       \
        X(revert_snapshot_based_resize_at_dest, V | F)          \
        X(finish_revert_snapshot_based_resize_at_source, V | F) \
        X(host_power_action, 0)                                 \
        X(host_maintenance_mode, 0)

static int rpc_unsupported(struct rpc_call *call, struct error *err);

const struct rpc_method unsupported_methods[] = {
#define METHOD(name, wraps) { #name, rpc_unsupported },
        UNSUPPORTED(METHOD)
#undef METHOD
                {},
};

static const struct {
        const char *name;
        unsigned wraps; /* what nova's method is wrapped in; 0: it has no instance, or leaves no rows */
} wraps_table[] = {
#define WRAPS(name, wraps) { #name, wraps },
        UNSUPPORTED(WRAPS)
#undef WRAPS
};

unsigned unsupported_wraps(const char *method)
{
        for (size_t i = 0; i < ARRAY_SIZE(wraps_table); i++)
                if (strcmp(wraps_table[i].name, method) == 0)
                        return wraps_table[i].wraps;
        return 0;
}

/* The Migration that came along; false: there is none that can be used. */
static bool decode_migration(const struct jval *args, struct compute_migration *ret)
{
        const struct jval *data = jval_get(jval_get(args, "migration"), "nova_object.data");
        const char *uuid = jval_get_text(data, "uuid", NULL);

        if (!uuid_is(uuid))
                return false;
        memcpy(ret->uuid, uuid, sizeof(ret->uuid));
        ret->id = jval_get_int(data, "id", 0);
        return ret->id > 0;
}

/* Some methods have more to undo. 1: this one has not, or the request does not say what. */
static int YIELDS refuse_and_undo(struct rpc_call *call, struct error *err)
{
        const struct agent_methods *methods = call->app;
        const struct rpc_request *request = call->request;
        const char *uuid = object_instance_uuid(request->args), *method = request->method;
        const char *image_id = jval_get_text(request->args, "image_id", NULL);
        bool snapshot = strcmp(method, "snapshot_instance") == 0 || strcmp(method, "backup_instance") == 0;
        CLEANUP(request_context_free) struct request_context ctx = {};
        struct compute_call c = { .ctx = &ctx, .by = deadline_in_s(methods->timeout_s), .caller_logs = true };
        struct compute_migration migration;
        struct error unreadable = {};

        if (!uuid || object_context_decode(request->context, &ctx, &unreadable) < 0)
                return 1;
        memcpy(c.uuid, uuid, sizeof(c.uuid));
        if (strcmp(method, "prep_resize") == 0 && decode_migration(request->args, &migration))
                return compute_refuse_resize(methods->manager, &c, &migration, err);
        if (strcmp(method, "rebuild_instance") == 0 && jval_get_bool(request->args, "recreate", false) &&
            decode_migration(request->args, &migration))
                return compute_refuse_evacuation(methods->manager, &c, &migration, err);
        if (snapshot && uuid_is(image_id))
                return compute_refuse_snapshot(methods->manager, &c, method, image_id, err);
        return 1;
}

/* Event Error, fault, task_state NULL as the wraps say; then NotImplementedError for who waits. */
static int rpc_unsupported(struct rpc_call *call, struct error *err)
{
        assert_green();
        if (refuse_and_undo(call, err) < 0)
                return -1;
        error_set(err, NOVA_NOT_IMPLEMENTED, "this agent does not implement %.64s", call->request->method);
        return request_refuse(call, err);
}
