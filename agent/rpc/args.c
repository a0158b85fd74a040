/* agent/rpc/args.c: the field tables of the methods' arguments (nova-contract 3.3). */
#include "rpc/args.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(type, name, get, flags)                          \
        {                                                      \
#name, get, offsetof(struct type, name), flags \
        }

const struct json_field instance_fields[] = {
        FIELD(instance_args, instance, json_field_object, JSON_REQUIRED),
        {},
};

const struct json_field terminate_fields[] = {
        FIELD(terminate_args, instance, json_field_object, JSON_REQUIRED),
        FIELD(terminate_args, bdms, json_field_any, 0),
        {},
};

const struct json_field stop_fields[] = {
        FIELD(stop_args, instance, json_field_object, JSON_REQUIRED),
        FIELD(stop_args, clean_shutdown, json_field_bool, 0),
        {},
};

const struct json_field reboot_fields[] = {
        FIELD(reboot_args, instance, json_field_object, JSON_REQUIRED),
        FIELD(reboot_args, block_device_info, json_field_any, 0),
        FIELD(reboot_args, reboot_type, json_field_text, JSON_REQUIRED),
        {},
};

const struct json_field enabled_fields[] = {
        FIELD(enabled_args, enabled, json_field_bool, JSON_REQUIRED),
        {},
};

const struct json_field console_fields[] = {
        FIELD(console_args, instance, json_field_object, JSON_REQUIRED),
        FIELD(console_args, tail_length, json_field_any, 0),
        {},
};

const struct json_field remote_console_fields[] = {
        FIELD(remote_console_args, instance, json_field_object, JSON_REQUIRED),
        FIELD(remote_console_args, console_type, json_field_text, JSON_REQUIRED),
        {},
};

const struct json_field console_port_fields[] = {
        FIELD(console_port_args, instance, json_field_object, JSON_REQUIRED),
        FIELD(console_port_args, port, json_field_text, JSON_REQUIRED),
        FIELD(console_port_args, console_type, json_field_text, JSON_REQUIRED),
        {},
};

int64_t console_tail_of(const struct jval *tail_length)
{
        const char *text;
        char *end;
        long long n;

        switch (jval_type(tail_length)) {
        case JVAL_NULL:
                return COMPUTE_TAIL_ALL;
        case JVAL_INT:
                n = jval_int(tail_length, 0);
                return n < 0 ? COMPUTE_TAIL_ALL : n;
        case JVAL_TEXT:
                text = jval_text(tail_length, "");
                n = strtoll(text, &end, 10);
                if (end == text || *end)
                        return 0;
                return n < 0 ? COMPUTE_TAIL_ALL : n;
        default:
                return 0;
        }
}

int instance_request_decode(const struct rpc_call *call, const struct json_field *fields, void *into,
                            struct instance_request *ret, struct error *err)
{
        const struct agent_methods *methods = call->app;
        const struct rpc_request *request = call->request;
        struct instance_request r = {};

        if (json_fields_decode_strict(fields, request->args, into, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                error_while(err, "%.64s()", request->method);
                return request_refuse(call, err);
        }
        if (object_instance_decode(jval_get(request->args, "instance"), &r.instance, err) < 0 ||
            object_context_decode(request->context, &r.ctx, err) < 0) {
                object_instance_free(&r.instance);
                json_fields_free(fields, into);
                error_while(err, "%.64s()", request->method);
                return request_refuse(call, err);
        }
        *ret = r;
        ret->call = (struct compute_call){
                .ctx = &ret->ctx,
                .flavor = ret->instance.flavor,
                .by = deadline_in_s(request->msg_id ? methods->timeout_s : methods->long_timeout_s),
                .caller_logs = true, /* the RPC server does, for all requests */
        };
        memcpy(ret->call.uuid, r.instance.uuid, sizeof(ret->call.uuid));
        return 0;
}

void instance_request_free(struct instance_request *r)
{
        object_instance_free(&r->instance);
        request_context_free(&r->ctx);
}
