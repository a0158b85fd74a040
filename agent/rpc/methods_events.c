/*
 * agent/rpc/methods_events.c: external_instance_event: a list of instances and a list of events for them.
 *
 * Each event is handled for itself: one that is no event, or that fails, does not stop the others, since
 * nobody would send them again.
 */
#define LOG_MODULE "rpc.events"
#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "rpc/methods_priv.h"

#define OBJECT_EVENT_VERSION "1.5"

struct events_args {
        struct jval *instances, *events;
};
static const struct json_field events_fields[] = {
        { "instances", json_field_array, offsetof(struct events_args, instances), JSON_REQUIRED },
        { "events", json_field_array, offsetof(struct events_args, events), JSON_REQUIRED },
        {},
};

struct event_fields {
        char uuid[UUID_LEN + 1];
        struct external_event event;
};
static const struct json_field event_fields[] = {
        { "instance_uuid", json_field_uuid, offsetof(struct event_fields, uuid), JSON_REQUIRED },
        { "name", json_field_text, offsetof(struct event_fields, event.name), JSON_REQUIRED },
        { "status", json_field_text, offsetof(struct event_fields, event.status), JSON_NULLABLE },
        { "tag", json_field_text, offsetof(struct event_fields, event.tag), JSON_NULLABLE },
        {},
};

/* The sender names the instances that this host has: an event for another one is not for us. */
static int check_is_listed(const struct jval *instances, const char *uuid, struct error *err)
{
        for (size_t n = 0; n < jval_len(instances); n++) {
                const struct jval *data = jval_get(jval_at(instances, n), "nova_object.data");

                if (strcasecmp(jval_get_text(data, "uuid", ""), uuid) == 0)
                        return 0;
        }
        return error_set(err, NOVA_TYPE_ERROR, "instance %s is not among those that came with it", uuid);
}

static int YIELDS handle(struct rpc_call *call, const struct events_args *args, const struct jval *primitive,
                         struct compute_call *c, struct error *err)
{
        struct jval *data = object_data(primitive, "InstanceExternalEvent", OBJECT_EVENT_VERSION, err);
        struct event_fields f = {};
        int r;

        if (!data)
                return -1;
        if (json_fields_decode(event_fields, data, &f, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                return error_while(err, "InstanceExternalEvent");
        }
        r = check_is_listed(args->instances, f.uuid, err);
        if (r == 0) {
                memcpy(c->uuid, f.uuid, sizeof(c->uuid));
                r = compute_external_event(manager_of(call), c, &f.event, err);
        }
        json_fields_free(event_fields, &f);
        return r;
}

int external_instance_event(struct rpc_call *call, struct error *err)
{
        const struct agent_methods *methods = call->app;
        CLEANUP(request_context_free) struct request_context ctx = {};
        struct events_args args = {};
        int r = 0;

        assert_green();
        if (json_fields_decode_strict(events_fields, call->request->args, &args, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                return error_while(err, "%.64s()", call->request->method);
        }
        r = object_context_decode(call->request->context, &ctx, err);
        for (size_t n = 0; r == 0 && n < jval_len(args.events); n++) {
                struct compute_call c = { .ctx = &ctx,
                                          .by = deadline_in_s(methods->long_timeout_s),
                                          .caller_logs = true };
                struct error one_err = {};

                if (handle(call, &args, jval_at(args.events, n), &c, &one_err) == 0)
                        continue;
                if (error_is_cancel(&one_err, err)) {
                        r = -1;
                } else {
                        log_warning("event %zu of %zu could not be handled, and is passed over: %s", n + 1,
                                    jval_len(args.events), one_err.text);
                }
        }
        json_fields_free(events_fields, &args);
        return r;
}
