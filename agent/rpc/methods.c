/*
 * agent/rpc/methods.c: the handlers: decode, call the manager, encode; and the tables of endpoints. Families
 * of handlers have files of their own: methods_*.c.
 *
 * A method that is added moves from the table of unsupported.c to the one here, with what is taken back of it
 * when its arguments cannot be understood.
 */
#include "rpc/methods.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "rpc/methods_priv.h"

/* ---- methods on one instance that take nothing else ---- */

typedef int simple_method(struct compute_manager *m, const struct compute_call *c, struct error *err);

static int YIELDS run_simple(struct rpc_call *call, const struct json_field *fields, simple_method *method,
                             struct error *err)
{
        union { /* the fields are those of one of them */
                struct instance_args plain;
                struct terminate_args terminate;
        } args = {};
        struct instance_request r;
        int failed;

        if (instance_request_decode(call, fields, &args, &r, err) < 0)
                return -1;
        failed = method(manager_of(call), &r.call, err);
        instance_request_free(&r);
        json_fields_free(fields, &args);
        return failed;
}

#define SIMPLE_HANDLER(name, fields, method)                      \
        static int name(struct rpc_call *call, struct error *err) \
        {                                                         \
                assert_green();                                   \
                return run_simple(call, fields, method, err);     \
        }

SIMPLE_HANDLER(terminate_instance, terminate_fields, compute_terminate)
SIMPLE_HANDLER(start_instance, instance_fields, compute_start)
SIMPLE_HANDLER(pause_instance, instance_fields, compute_pause)
SIMPLE_HANDLER(unpause_instance, instance_fields, compute_unpause)
SIMPLE_HANDLER(suspend_instance, instance_fields, compute_suspend)
SIMPLE_HANDLER(resume_instance, instance_fields, compute_resume)
SIMPLE_HANDLER(soft_delete_instance, instance_fields, compute_soft_delete)
SIMPLE_HANDLER(restore_instance, instance_fields, compute_restore)
SIMPLE_HANDLER(trigger_crash_dump, instance_fields, compute_trigger_crash_dump)

/* ---- the others ---- */

static int build_and_run_instance(struct rpc_call *call, struct error *err)
{
        struct compute_build *b;

        assert_green();
        b = build_request_decode(call, err);
        if (!b)
                return -1;
        if (compute_build_and_run(manager_of(call), b, err) == 0)
                return 0;
        b->drop(b);
        return -1;
}

static int stop_instance(struct rpc_call *call, struct error *err)
{
        struct stop_args args = { .clean_shutdown = true };
        struct instance_request r;
        int failed;

        assert_green();
        if (instance_request_decode(call, stop_fields, &args, &r, err) < 0)
                return -1;
        failed = compute_stop(manager_of(call), &r.call, args.clean_shutdown, err);
        instance_request_free(&r);
        json_fields_free(stop_fields, &args);
        return failed;
}

static int reboot_instance(struct rpc_call *call, struct error *err)
{
        struct reboot_args args = {};
        struct instance_request r;
        int failed;

        assert_green();
        if (instance_request_decode(call, reboot_fields, &args, &r, err) < 0)
                return -1;
        if (strcmp(args.reboot_type, "SOFT") == 0 || strcmp(args.reboot_type, "HARD") == 0) {
                failed = compute_reboot(manager_of(call), &r.call, args.reboot_type[0] == 'H', err);
        } else {
                error_set(err, NOVA_INVALID_INPUT, "reboot_type is %.32s, neither SOFT nor HARD",
                          args.reboot_type);
                failed = request_refuse(call, err);
        }
        instance_request_free(&r);
        json_fields_free(reboot_fields, &args);
        return failed;
}

static int get_console_output(struct rpc_call *call, struct error *err)
{
        struct console_args args = {};
        struct instance_request r;
        char *text = NULL;
        int failed;

        assert_green();
        if (instance_request_decode(call, console_fields, &args, &r, err) < 0)
                return -1;
        failed = compute_console_output(manager_of(call), &r.call, console_tail_of(args.tail_length), &text,
                                        err);
        if (failed == 0)
                call->result = jval_new_text(text);
        free(text);
        instance_request_free(&r);
        json_fields_free(console_fields, &args);
        return failed;
}

static int YIELDS no_arguments(const struct rpc_call *call, struct error *err)
{
        if (jval_len(call->request->args) == 0)
                return 0;
        return error_set(err, NOVA_TYPE_ERROR, "%.64s() takes no arguments", call->request->method);
}

static int get_host_uptime(struct rpc_call *call, struct error *err)
{
        char *text;

        assert_green();
        if (no_arguments(call, err) < 0 || compute_host_uptime(manager_of(call), &text, err) < 0)
                return -1;
        call->result = jval_new_text(text);
        free(text);
        return 0;
}

/* A call that its sender monitors: it has the time of a long one. */
static int set_host_enabled(struct rpc_call *call, struct error *err)
{
        const struct agent_methods *methods = call->app;
        struct enabled_args args = {};

        assert_green();
        if (json_fields_decode_strict(enabled_fields, call->request->args, &args, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                return error_while(err, "%.64s()", call->request->method);
        }
        if (compute_set_host_enabled(methods->manager, args.enabled, deadline_in_s(methods->long_timeout_s),
                                     err) < 0)
                return -1;
        call->result = jval_new_text(args.enabled ? "enabled" : "disabled");
        return 0;
}

/* ---- baseapi ---- */

static int ping(struct rpc_call *call, struct error *err)
{
        struct jval *arg = jval_get(call->request->args, "arg");

        assert_green();
        if (!arg)
                return error_set(err, NOVA_TYPE_ERROR, "ping(): arg: missing");
        call->result = jval_new_object();
        jval_set_text(call->result, "service", "compute");
        jval_set(call->result, "arg", jval_ref(arg));
        return 0;
}

/* There is no backdoor: null, as nova answers without one. */
static int get_backdoor_port(struct rpc_call *call, struct error *err)
{
        assert_green();
        return no_arguments(call, err);
}

/* oslo's own, for those who watch over the bus; whatever arguments it has. */
static int oslo_rpc_server_ping(struct rpc_call *call, struct error *err)
{
        (void)err;
        assert_green();
        call->result = jval_new_text("pong");
        return 0;
}

/* ---- tables ---- */

static const struct rpc_method ping_methods[] = { { "oslo_rpc_server_ping", oslo_rpc_server_ping }, {} };

static const struct rpc_method base_methods[] = {
        { "ping", ping },
        { "get_backdoor_port", get_backdoor_port },
        {},
};

static const struct rpc_method compute_methods[] = {
        { "build_and_run_instance", build_and_run_instance, &refused_build },
        { "terminate_instance", terminate_instance, &refused_task },
        { "stop_instance", stop_instance, &refused_task },
        { "start_instance", start_instance, &refused_task },
        { "reboot_instance", reboot_instance, &refused_task },
        { "pause_instance", pause_instance, &refused_task },
        { "unpause_instance", unpause_instance, &refused_task },
        { "suspend_instance", suspend_instance, &refused_task },
        { "resume_instance", resume_instance, &refused_task },
        { "soft_delete_instance", soft_delete_instance, &refused_task },
        { "restore_instance", restore_instance, &refused_task },
        { "get_console_output", get_console_output },
        { "trigger_crash_dump", trigger_crash_dump },
        { "get_vnc_console", get_vnc_console },
        { "get_spice_console", other_console },
        { "get_serial_console", other_console },
        { "get_rdp_console", other_console },
        { "get_mks_console", other_console },
        { "validate_console_port", validate_console_port },
        { "get_diagnostics", get_diagnostics },
        { "get_instance_diagnostics", get_instance_diagnostics },
        { "get_host_uptime", get_host_uptime },
        { "set_host_enabled", set_host_enabled },
        { "external_instance_event", external_instance_event },
        {},
};

const struct rpc_endpoint agent_endpoints[] = {
        { NULL, COMPUTE_RPC_VERSION, compute_methods, "compute" },
        { NULL, COMPUTE_RPC_VERSION, unsupported_methods, "compute, refused" },
        { "baseapi", BASE_RPC_VERSION, base_methods, "baseapi" },
        /* What 5.x says differently is optional here, or concerns methods whose arguments nobody reads. */
        { NULL, OLD_RPC_VERSION, compute_methods, "compute 5.x" },
        { NULL, OLD_RPC_VERSION, unsupported_methods, "compute 5.x, refused" },
        {},
};
const struct rpc_endpoint agent_ping_endpoint = { NULL, "1.0", ping_methods, "ping" };
