/*
 * agent/rpc/refuse.c: a request that is not done: its method is not here, or it cannot be understood.
 *
 * nova-api set a task before it sent the request, and nobody else takes it back: an object of a newer release
 * would leave each instance with a task for ever. So the method's wrappers run around the mistake: the event
 * and a fault tell it to people, and the task is over (nova-contract 9, item 8).
 */
#include "rpc/methods_priv.h"

#include <string.h>

#include "base/mem.h"

/* ---- what the request says of things that were prepared for it ---- */

static void left_by_build(const struct jval *args, struct compute_leftover *ret)
{
        (void)args;
        ret->what = LEFT_BUILD;
}

/* False: there is no Migration that can be used. */
static bool decode_migration(const struct jval *args, struct compute_leftover *ret)
{
        const struct jval *data = jval_get(jval_get(args, "migration"), "nova_object.data");
        const char *uuid = jval_get_text(data, "uuid", NULL);

        ret->migration_id = jval_get_int(data, "id", 0);
        if (uuid_is(uuid))
                memcpy(ret->migration_uuid, uuid, sizeof(ret->migration_uuid));
        return ret->migration_id > 0;
}

void left_by_resize(const struct jval *args, struct compute_leftover *ret)
{
        if (decode_migration(args, ret))
                ret->what = LEFT_RESIZE;
}

void left_by_rebuild(const struct jval *args, struct compute_leftover *ret)
{
        if (jval_get_bool(args, "recreate", false) && decode_migration(args, ret))
                ret->what = LEFT_EVACUATION;
}

void left_by_snapshot(const struct jval *args, struct compute_leftover *ret)
{
        const char *id = jval_get_text(args, "image_id", NULL);

        if (!uuid_is(id))
                return;
        memcpy(ret->image_id, id, sizeof(ret->image_id));
        ret->what = LEFT_IMAGE;
}

const struct refusal refused_build = { WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT, left_by_build };
const struct refusal refused_task = { WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT, NULL };

/* ---- the context ---- */

static int keep_if_read(const char *key, struct jval *v, void *arg)
{
        CLEANUP(request_context_free) struct request_context ctx = {};
        struct jval *kept = arg;
        struct error err = {};

        jval_set(kept, key, jval_ref(v));
        if (object_context_decode(kept, &ctx, &err) < 0)
                jval_remove(kept, key);
        return 0;
}

/*
 * Without the members that cannot be understood: the action is found by its request_id, and an image is
 * deleted with its user's token.
 */
static void salvage_context(const struct jval *context, struct request_context *ret)
{
        struct jval *kept = jval_new_object();
        struct error err = {};

        jval_foreach(context, keep_if_read, kept);
        if (object_context_decode(kept, ret, &err) < 0)
                request_context_admin(ret);
        jval_unref(kept);
}

/* ---- refusing ---- */

int request_refuse(const struct rpc_call *call, struct error *err)
{
        const struct refusal *refusal = call->method ? call->method->about : NULL;
        const struct agent_methods *methods = call->app;
        const struct rpc_request *request = call->request;
        const char *uuid = object_instance_uuid(request->args);
        CLEANUP(request_context_free) struct request_context ctx = {};
        struct compute_call c = { .ctx = &ctx, .by = deadline_in_s(methods->timeout_s), .caller_logs = true };
        struct compute_leftover left = {};
        const struct error why = *err;

        if (!uuid || !refusal || !refusal->wraps)
                return -1;
        salvage_context(request->context, &ctx);
        memcpy(c.uuid, uuid, sizeof(c.uuid));
        if (refusal->leftover)
                refusal->leftover(request->args, &left);
        return compute_refuse(methods->manager, &c, call->method->name, refusal->wraps, &left, &why, err);
}
