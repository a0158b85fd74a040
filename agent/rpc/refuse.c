/*
 * agent/rpc/refuse.c: a request that is not done: its method is not here, or it cannot be understood.
 *
 * nova-api set a task before it sent the request, and nobody else takes it back: an object of a newer release
 * would leave each instance with a task for ever. So the method's wrappers run around the mistake: the event
 * and a fault tell it to people, and the task is over (nova-contract 9, item 8).
 */
#include "rpc/args.h"
#include "rpc/unsupported.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

#define BUILD "build_and_run_instance"

/* Casts for which nova-api or conductor set a task. */
static const char *const with_task[] = { BUILD,
                                         "terminate_instance",
                                         "stop_instance",
                                         "start_instance",
                                         "reboot_instance",
                                         "pause_instance",
                                         "unpause_instance",
                                         "suspend_instance",
                                         "resume_instance",
                                         "soft_delete_instance",
                                         "restore_instance" };

static unsigned wraps_of(const char *method)
{
        for (size_t i = 0; i < ARRAY_SIZE(with_task); i++)
                if (strcmp(with_task[i], method) == 0)
                        return WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT;
        return unsupported_wraps(method);
}

/* What can be read of a context of which something is wrong: the action is found by its request_id. */
static void salvage_context(const struct jval *context, struct request_context *ret)
{
        struct error err = {};
        struct jval *less;
        const char *id;

        if (object_context_decode(context, ret, &err) == 0)
                return;
        less = jval_new_object();
        id = jval_get_text(context, "request_id", NULL);
        if (id)
                jval_set_text(less, "request_id", id);
        if (object_context_decode(less, ret, &err) < 0)
                request_context_admin(ret);
        jval_unref(less);
}

int request_refuse(const struct rpc_call *call, struct error *err)
{
        const struct agent_methods *methods = call->app;
        const struct rpc_request *request = call->request;
        const char *uuid = object_instance_uuid(request->args);
        unsigned wraps = wraps_of(request->method);
        CLEANUP(request_context_free) struct request_context ctx = {};
        struct compute_call c = { .ctx = &ctx, .by = deadline_in_s(methods->timeout_s), .caller_logs = true };
        const struct error why = *err;

        if (!uuid || !wraps)
                return -1;
        salvage_context(request->context, &ctx);
        memcpy(c.uuid, uuid, sizeof(c.uuid));
        if (strcmp(request->method, BUILD) == 0)
                return compute_refuse_build(methods->manager, &c, &why, err);
        return compute_refuse(methods->manager, &c, request->method, wraps, &why, err);
}
