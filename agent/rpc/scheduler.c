/* agent/rpc/scheduler.c: fanout casts to the schedulers. */
#include "rpc/scheduler.h"

#include <stdlib.h>

#include "base/mem.h"
#include "messaging/transport.h"
#include "model/primitive.h"

#define SCHEDULER_VERSION "4.2"

/* Takes over args. */
static int YIELDS cast(struct agent_methods *m, const char *method, struct jval *args,
                       const struct request_context *ctx, struct deadline by, struct error *err)
{
        struct transport_target to = { .exchange = m->control_exchange,
                                       .topic = "scheduler",
                                       .fanout = true };
        struct rpc_request r = { .method = (char *)method,
                                 .version = (char *)SCHEDULER_VERSION,
                                 .args = args };
        char *body;
        size_t len;
        int failed;

        if (!m->transport) {
                jval_unref(args);
                return error_set(err, ERR_CLOSED, "the agent is being stopped");
        }
        r.context = nova_context(ctx);
        body = envelope_encode_request(&r, &len);
        jval_unref(r.context);
        jval_unref(args);
        failed = transport_publish(m->transport, &to, body, len, by, err);
        free(body);
        return failed < 0 ? error_while(err, "%s", method) : 0;
}

static struct jval *args_of(const struct agent_methods *m)
{
        struct jval *args = jval_new_object();

        jval_set_text(args, "host_name", m->host);
        return args;
}

static int update_instance_info(void *arg, const struct request_context *ctx, struct jval *instances,
                                struct deadline by, struct error *err)
{
        struct jval *args = args_of(arg), *data = jval_new_object();

        assert_green();
        jval_set(data, "objects", jval_ref(instances));
        jval_set(args, "instance_info", nova_object("InstanceList", "2.6", data));
        return cast(arg, "update_instance_info", args, ctx, by, err);
}

static int delete_instance_info(void *arg, const struct request_context *ctx, const char *uuid,
                                struct deadline by, struct error *err)
{
        struct jval *args = args_of(arg);

        assert_green();
        jval_set_text(args, "instance_uuid", uuid);
        return cast(arg, "delete_instance_info", args, ctx, by, err);
}

static int sync_instance_info(void *arg, const struct request_context *ctx, const struct uuid_text *uuids,
                              unsigned n, struct deadline by, struct error *err)
{
        struct jval *args = args_of(arg), *list = jval_new_array();

        assert_green();
        for (unsigned k = 0; k < n; k++)
                jval_push(list, jval_new_text(uuids[k].text));
        jval_set(args, "instance_uuids", list);
        return cast(arg, "sync_instance_info", args, ctx, by, err);
}

const struct scheduler_ops rpc_scheduler_ops = {
        .update_instance_info = update_instance_info,
        .delete_instance_info = delete_instance_info,
        .sync_instance_info = sync_instance_info,
};
