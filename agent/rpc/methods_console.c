/* agent/rpc/methods_console.c: handlers that tell how a guest's consoles are reached. */
#include <string.h>

#include "base/mem.h"
#include "rpc/methods_priv.h"

static struct jval *console_reply(const struct compute_console *c)
{
        struct jval *o = jval_new_object();

        jval_set_text(o, "host", c->host);
        jval_set_text(o, "port", c->port);
        jval_set(o, "internal_access_path", jval_new_null());
        jval_set_text(o, "token", c->token);
        jval_set_text(o, "access_url", c->access_url);
        return o;
}

int get_vnc_console(struct rpc_call *call, struct error *err)
{
        struct remote_console_args args = {};
        struct compute_console console = {};
        struct instance_request r;
        int failed;

        assert_green();
        if (instance_request_decode(call, remote_console_fields, &args, &r, err) < 0)
                return -1;
        failed = compute_vnc_console(manager_of(call), &r.call, args.console_type, &console, err);
        if (failed == 0)
                call->result = console_reply(&console);
        compute_console_free(&console);
        instance_request_free(&r);
        json_fields_free(remote_console_fields, &args);
        return failed;
}

int other_console(struct rpc_call *call, struct error *err)
{
        struct remote_console_args args = {};
        struct instance_request r;
        int failed;

        assert_green();
        if (instance_request_decode(call, remote_console_fields, &args, &r, err) < 0)
                return -1;
        failed = compute_other_console(manager_of(call), &r.call, call->request->method, args.console_type,
                                       err);
        instance_request_free(&r);
        json_fields_free(remote_console_fields, &args);
        return failed;
}

int validate_console_port(struct rpc_call *call, struct error *err)
{
        struct console_port_args args = {};
        struct instance_request r;
        bool valid = false;
        int failed;

        assert_green();
        if (instance_request_decode(call, console_port_fields, &args, &r, err) < 0)
                return -1;
        failed = compute_validate_console_port(manager_of(call), &r.call, args.port, args.console_type,
                                               &valid, err);
        if (failed == 0)
                call->result = jval_new_bool(valid);
        instance_request_free(&r);
        json_fields_free(console_port_fields, &args);
        return failed;
}
