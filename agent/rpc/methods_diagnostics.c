/* agent/rpc/methods_diagnostics.c: handlers that tell what a guest has used. */
#include "rpc/diagnostics.h"
#include "rpc/methods_priv.h"

static int YIELDS diagnose(struct rpc_call *call, struct jval *(*encode)(const struct compute_diagnostics *),
                           struct error *err)
{
        struct compute_diagnostics d = {};
        struct instance_args args = {};
        struct instance_request r;
        int failed;

        if (instance_request_decode(call, instance_fields, &args, &r, err) < 0)
                return -1;
        failed = compute_diagnostics(manager_of(call), &r.call, call->request->method, &d, err);
        if (failed == 0)
                call->result = encode(&d);
        guest_usage_free(&d.usage);
        instance_request_free(&r);
        json_fields_free(instance_fields, &args);
        return failed;
}

int get_diagnostics(struct rpc_call *call, struct error *err)
{
        assert_green();
        return diagnose(call, diagnostics_flat, err);
}

int get_instance_diagnostics(struct rpc_call *call, struct error *err)
{
        assert_green();
        return diagnose(call, diagnostics_object, err);
}
