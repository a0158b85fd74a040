/* agent/rpc/failure.c: an error as the exception that nova-api and conductor know (nova-contract 1.5). */
#include <string.h>

#include "rpc/methods.h"
#include "rpc/objects.h"

#define DISPATCHER "oslo_messaging.rpc.dispatcher"

static bool dispatcher_failure(const struct error *err, struct rpc_failure *ret)
{
        switch (err->code) {
        case ERR_RPC_UNSUPPORTED_VERSION:
                ret->class_name = "UnsupportedVersion";
                ret->module = DISPATCHER;
                return true;
        case ERR_RPC_NO_SUCH_METHOD:
                ret->class_name = "NoSuchMethod";
                ret->module = DISPATCHER;
                return true;
        case ERR_RPC_BAD_ARGUMENTS:
                ret->class_name = "TypeError";
                ret->module = "builtins";
                return true;
        default:
                return false;
        }
}

/* By these nova-api says in which state the instance is instead. */
static void add_power_state(struct jval *kwargs, const struct error *err, const struct rpc_request *r)
{
        jval_set_text(kwargs, "attr", "power state");
        jval_set_text(kwargs, "state", power_state_name((enum power_state)err->sys));
        jval_set_text(kwargs, "method", r->method);
}

/* What the exception's class keeps as its fields. The message travels in args, so none is needed to show it.
 */
static struct jval *nova_kwargs(const struct nova_exception *e, const struct error *err,
                                const struct rpc_request *r)
{
        struct jval *kwargs = jval_new_object();

        jval_set_int(kwargs, "code", e->http_code);
        if (err->code == NOVA_INSTANCE_WRONG_POWER_STATE)
                add_power_state(kwargs, err, r);
        if (!e->kwarg)
                return kwargs;
        switch (e->kwarg_is) {
        case KWARG_INSTANCE:
                jval_set_text(kwargs, e->kwarg, object_instance_uuid(r->args));
                break;
        case KWARG_REASON:
                jval_set_text(kwargs, e->kwarg, err->text);
                break;
        case KWARG_CONSOLE_TYPE:
                jval_set_text(kwargs, e->kwarg, jval_get_text(r->args, "console_type", NULL));
                break;
        }
        return kwargs;
}

void rpc_describe_failure(const struct error *err, const struct rpc_request *r, struct rpc_failure *ret,
                          struct jval **ret_kwargs)
{
        const struct nova_exception *e = nova_exception_of(err->code);

        *ret = (struct rpc_failure){ .message = err->text };
        *ret_kwargs = NULL;
        if (dispatcher_failure(err, ret))
                return;
        ret->class_name = e->class_name;
        ret->module = e->module;
        if (strcmp(e->module, "nova.exception") == 0)
                *ret_kwargs = nova_kwargs(e, err, r);
        ret->kwargs = *ret_kwargs;
}
