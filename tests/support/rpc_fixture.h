/*
 * tests/support/rpc_fixture.h: RPC methods as the server calls them, without a socket: requests, captured
 * ones of a Zed control plane or made here, dispatched through the tables of rpc/ to a manager on the fake
 * hypervisor.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "compute_fixture.h"
#include "green_test.h"
#include "messaging/envelope.h"
#include "rpc/methods.h"
#include "rpc/objects.h"

#define CAPTURED_MAX ((size_t)128 * 1024)

static struct compute_fixture f;
static struct agent_methods methods;

/* t: where casts to others go; NULL: none are expected. End with compute_fixture_stop(&f). */
static inline void YIELDS rpc_fixture_start(struct transport *t)
{
        compute_fixture_start(&f);
        methods = (struct agent_methods){ .manager = f.m,
                                          .transport = t,
                                          .control_exchange = "nova",
                                          .long_timeout_s = 1800,
                                          .timeout_s = 60 };
}

static inline const struct rpc_method *find_method(const struct rpc_request *r)
{
        for (const struct rpc_endpoint *e = agent_endpoints; e->methods; e++) {
                if (strcmp(e->ns ? e->ns : "", r->ns ? r->ns : "") != 0 ||
                    !rpc_version_compatible(e->version, r->version))
                        continue;
                for (const struct rpc_method *m = e->methods; m->name; m++)
                        if (strcmp(m->name, r->method) == 0)
                                return m;
        }
        return NULL;
}

static inline int YIELDS dispatch(const struct rpc_request *r, struct jval **ret_result, struct error *err)
{
        struct rpc_call call = { .request = r, .app = &methods };
        int failed;

        call.method = find_method(r);
        ck_assert_msg(call.method != NULL, "no method %s", r->method);
        failed = call.method->fn(&call, err);
        if (ret_result)
                *ret_result = call.result;
        else
                jval_unref(call.result);
        return failed;
}

/* The text of tests/data/amqp/NAME SUFFIX. Caller frees. */
static inline char *captured_body(const char *name, const char *suffix, size_t *ret_len)
{
        char path[512];
        char *body = xcalloc(1, CAPTURED_MAX);
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s%s", AMQP_DATA_DIR, name, suffix);
        file = fopen(path, "re");
        ck_assert_msg(file != NULL, "%s", path);
        *ret_len = fread(body, 1, CAPTURED_MAX, file);
        fclose(file);
        return body;
}

static inline struct rpc_request captured(const char *name)
{
        struct rpc_request r = {};
        struct error err = {};
        size_t len;
        char *body = captured_body(name, ".json", &len);

        ck_assert_ok(envelope_decode_request(body, len, &r, &err), err);
        free(body);
        return r;
}

/* A row for the instance that the request is about, with its action. */
static inline struct instance *HUB_ONLY row_for(const struct rpc_request *r, enum vm_state vm_state,
                                                enum task_state task, enum power_state guest)
{
        const char *uuid = object_instance_uuid(r->args);
        struct instance *i = compute_fixture_instance(&f, uuid, vm_state, task, guest);

        fake_store_add_action(uuid, jval_get_text(r->context, "request_id", ""));
        return i;
}

static inline struct rpc_request request(const char *method, const char *args)
{
        struct rpc_request r = { .method = xstrdup(method), .version = xstrdup("6.0") };
        struct error err = {};

        r.args = jval_parse(args, strlen(args), &err);
        ck_assert_msg(r.args != NULL, "%s: %s", args, err.text);
        r.context = jval_new_object();
        jval_set_text(r.context, "request_id", REQ);
        jval_set_text(r.context, "project_id", "project-1");
        return r;
}

/* The arguments of a method on one instance. */
#define INSTANCE(version, data)                                                                     \
        "{\"instance\": {\"nova_object.name\": \"Instance\", \"nova_object.namespace\": \"nova\", " \
        "\"nova_object.version\": \"" version "\", \"nova_object.data\": " data "}}"
