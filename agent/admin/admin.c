/*
 * agent/admin/admin.c: the table of admin methods: who may call them, their arguments, and the short ones.
 *
 * Answers are made of what the parts tell about themselves, so that a part which hangs cannot make them wait:
 * only the rows are read afresh, with a short deadline.
 */
#include "admin/admin.h"

#define LOG_MODULE "rpc.admin"
#include "base/log.h"
#include "base/mem.h"
#include "admin/access.h"

int admin_must_serve(const struct admin_sources *s, struct error *err)
{
        if (s->draining)
                return error_set(err, ERR_BUSY, "the agent is being stopped");
        if (!s->ready)
                return error_set(err, ERR_BUSY,
                                 "the agent is still starting: try again when it serves, or stop it");
        return 0;
}

/* ---- methods ---- */

static int method_status(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_status(call->app);
        return 0;
}

static int method_instances(struct rpc_call *call, struct error *err)
{
        assert_green();
        return admin_instances(call->app, &call->result, err);
}

struct threads_args {
        bool backtrace;
        int64_t id;
};

static const struct json_field threads_fields[] = {
        { "backtrace", json_field_bool, offsetof(struct threads_args, backtrace), JSON_NULLABLE },
        { "id", json_field_int, offsetof(struct threads_args, id), JSON_NULLABLE },
        {},
};

static int method_threads(struct rpc_call *call, struct error *err)
{
        struct threads_args args = { .id = -1 };

        assert_green();
        if (json_fields_decode_strict(threads_fields, call->request->args, &args, err) < 0) {
                err->code = ERR_RPC_BAD_ARGUMENTS;
                return -1;
        }
        call->result = admin_threads();
        return args.backtrace ? admin_backtraces(call->app, jval_get(call->result, "green"), args.id, err)
                              : 0;
}

static int method_pools(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_pools(call->app);
        return 0;
}

static int method_locks(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_locks();
        return 0;
}

static int method_jobs(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_jobs(call->app, jval_get_text(call->request->context, "request_id", NULL));
        return 0;
}

static int method_top(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_top(call->app);
        return 0;
}

static int method_tasks(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_tasks(call->app);
        return 0;
}

static int method_health(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_health(call->app);
        return 0;
}

struct report_args {
        bool text;
};

static const struct json_field report_fields[] = {
        { "text", json_field_bool, offsetof(struct report_args, text), 0 },
        {},
};

static int method_report(struct rpc_call *call, struct error *err)
{
        const struct admin_sources *s = call->app;
        char CLEANUP(freep) *path = NULL, *text = NULL;
        struct report_args args = {};

        assert_green();
        if (json_fields_decode_strict(report_fields, call->request->args, &args, err) < 0) {
                err->code = ERR_RPC_BAD_ARGUMENTS;
                return -1;
        }
        if (!s->write_report)
                return error_set(err, ERR_UNSUPPORTED, "this agent writes its report on SIGUSR2 only");
        if (s->write_report(s, &path, args.text ? &text : NULL, err) < 0)
                return error_while(err, "writing the report");
        call->result = jval_new_object();
        if (args.text) {
                jval_set_text(call->result, "text", text);
        } else {
                jval_set_text(call->result, "written_to", path ? path : "standard error");
                jval_set_bool(call->result, "journal", !path && s->stderr_is_journal);
        }
        return 0;
}

const struct rpc_method admin_methods[] = {
        { "status", method_status, access_look },
        { "instances", method_instances, access_look },
        { "threads", method_threads, access_look },
        { "pools", method_pools, access_look },
        { "locks", method_locks, access_look },
        { "jobs", method_jobs, access_look },
        { "top", method_top, access_look },
        { "tasks", method_tasks, access_look },
        { "health", method_health, access_look },
        { "log-level", admin_method_log_level, access_look },
        { "drain", admin_method_drain },
        { "undrain", admin_method_undrain },
        { "drain-state", admin_method_drain_state, access_look },
        { "resync", admin_method_resync },
        { "resync-state", admin_method_resync_state, access_look },
        { "report", method_report },
        {},
};

const struct rpc_endpoint admin_endpoint = {
        .ns = ADMIN_NAMESPACE,
        .version = ADMIN_VERSION,
        .methods = admin_methods,
        .opt_name = "admin",
};
