/*
 * agent/rpc/build_request.c: the arguments of build_and_run_instance, and their way back to conductor when
 * this host cannot build the instance (nova-contract 3.4, 3.5).
 *
 * The build goes on after the request was answered, so the request's JSON is kept with it: a reschedule sends
 * most of it back unchanged.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/list.h"
#include "base/mem.h"
#include "messaging/transport.h"
#include "rpc/args.h"

#define FILES_MAX 1000

struct build_args {
        struct jval *instance, *image, *request_spec, *filter_properties, *requested_networks,
                *security_groups, *block_device_mapping, *limits, *host_list, *accel_uuids, *injected_files;
        char *admin_password, *node;
};
#define ANY(name)                                                           \
        {                                                                   \
#name, json_field_any, offsetof(struct build_args, name), 0 \
        }
static const struct json_field build_fields[] = {
        { "instance", json_field_object, offsetof(struct build_args, instance), JSON_REQUIRED },
        { "filter_properties", json_field_object, offsetof(struct build_args, filter_properties),
          JSON_NULLABLE },
        { "injected_files", json_field_array, offsetof(struct build_args, injected_files), JSON_NULLABLE },
        { "host_list", json_field_array, offsetof(struct build_args, host_list), JSON_NULLABLE },
        { "admin_password", json_field_text, offsetof(struct build_args, admin_password), JSON_NULLABLE },
        { "node", json_field_text, offsetof(struct build_args, node), JSON_NULLABLE },
        ANY(image),
        ANY(request_spec),
        ANY(requested_networks),
        ANY(security_groups),
        ANY(block_device_mapping),
        ANY(limits),
        ANY(accel_uuids),
        {},
};

struct build_request {
        struct compute_build base;
        const struct agent_methods *methods; /* borrowed: outlives the manager's work */
        struct jval *args, *context;
        char *version; /* of the request */
};

static struct build_request *request_of(struct compute_build *b)
{
        return CONTAINER_OF(b, struct build_request, base);
}

static void build_drop(struct compute_build *b)
{
        struct build_request *r = request_of(b);

        for (unsigned i = 0; i < b->n_files; i++) {
                free(b->files[i].path);
                free(b->files[i].data);
        }
        free(b->files);
        free(b->files_error);
        free_secret(b->admin_password);
        free(b->node);
        if (b->flavor)
                flavor_clear(b->flavor);
        free(b->flavor);
        request_context_free(&b->ctx);
        jval_unref(r->args);
        jval_unref(r->context);
        free(r->version);
        free(r);
}

/* ---- injected files ---- */

/* [path, base64] pairs. What is wrong is kept for the build to report: the event row has to tell it. */
static void decode_files(struct compute_build *b, const struct jval *files)
{
        size_t n = jval_len(files);

        if (n > FILES_MAX) {
                b->files_error = xasprintf("%zu files, at most %d are taken", n, FILES_MAX);
                return;
        }
        b->files = xcalloc(n + 1, sizeof(*b->files));
        for (size_t i = 0; i < n; i++) {
                const struct jval *pair = jval_at(files, i);
                const char *path = jval_text(jval_at(pair, 0), NULL);
                const char *data = jval_text(jval_at(pair, 1), NULL);
                struct injected_file *f = &b->files[b->n_files];

                if (path && data)
                        f->data = base64_decode(data, &f->len);
                if (!f->data) {
                        b->files_error = xasprintf("file %zu is not a path with base64 data", i);
                        return;
                }
                f->path = xstrdup(path);
                b->n_files++;
        }
}

/* Nothing named means that neutron chooses; only the one word "none" asks for no network. */
static bool wants_networks(const struct jval *requested)
{
        const struct jval *list = jval_get(jval_get(requested, "nova_object.data"), "objects");
        const struct jval *only = jval_get(jval_at(list, 0), "nova_object.data");

        return jval_len(list) != 1 || strcmp(jval_get_text(only, "network_id", ""), "none") != 0;
}

/* ---- back to conductor ---- */

static void set_text_or_null(struct jval *object, const char *key, const char *text)
{
        jval_set(object, key, jval_new_text(text));
}

/* The instance as it was received, with what its row says now. */
static struct jval *updated_instance(const struct build_request *r, const struct instance *i)
{
        struct jval *primitive = jval_copy(jval_get(r->args, "instance"));
        struct jval *data = jval_get(primitive, "nova_object.data");
        struct jval *meta = jval_new_object();

        set_text_or_null(data, "host", i->host);
        set_text_or_null(data, "node", i->node);
        set_text_or_null(data, "launched_on", i->launched_on);
        set_text_or_null(data, "availability_zone", i->availability_zone);
        set_text_or_null(data, "root_device_name", i->root_device_name);
        set_text_or_null(data, "vm_state", vm_state_name(i->vm_state));
        set_text_or_null(data, "task_state", task_state_name(i->task_state));
        jval_set_bool(data, "cleaned", i->cleaned);
        for (unsigned k = 0; k < i->n_system_metadata; k++)
                jval_set_text(meta, i->system_metadata[k].key, i->system_metadata[k].value);
        jval_set(data, "system_metadata", meta);
        return primitive;
}

/* conductor shows the last of these lines to people. */
static struct jval *updated_properties(const struct build_request *r, const char *reason)
{
        struct jval *properties = jval_copy(jval_get(r->args, "filter_properties"));
        struct jval *retry = jval_get(properties, "retry"), *lines = jval_new_array();

        jval_push(lines, jval_new_text(reason));
        jval_set(retry, "exc", lines);
        jval_set_text(retry, "exc_reason", reason);
        return properties;
}

static struct jval *reschedule_args(const struct build_request *r, const struct instance *i,
                                    const char *reason)
{
        static const char *const unchanged[] = { "image",           "admin_password",
                                                 "injected_files",  "requested_networks",
                                                 "security_groups", "request_spec" };
        struct jval *args = jval_new_object(), *instances = jval_new_array(), *lists = jval_new_array();
        struct jval *hosts = jval_get(r->args, "host_list");

        jval_push(instances, updated_instance(r, i));
        jval_set(args, "instances", instances);
        jval_set(args, "filter_properties", updated_properties(r, reason));
        for (size_t k = 0; k < ARRAY_SIZE(unchanged); k++) {
                struct jval *v = jval_get(r->args, unchanged[k]);

                jval_set(args, unchanged[k], v ? jval_ref(v) : jval_new_null());
        }
        jval_push(lists, hosts ? jval_ref(hosts) : jval_new_null());
        jval_set(args, "host_lists", lists);
        return args;
}

static int YIELDS send_request(const struct build_request *r, const struct transport_target *to,
                               const struct rpc_request *cast, struct deadline by, struct error *err)
{
        char *body;
        size_t len;
        int failed;

        if (!r->methods->transport)
                return error_set(err, ERR_CLOSED, "the agent is being stopped");
        body = envelope_encode_request(cast, &len);
        failed = transport_publish(r->methods->transport, to, body, len, by, err);
        explicit_bzero(body, len); /* it holds the guest's password */
        free(body);
        return failed;
}

static int build_reschedule(struct compute_build *b, const struct instance *i, const char *reason,
                            struct deadline by, struct error *err)
{
        struct build_request *r = request_of(b);
        struct transport_target to = { .exchange = r->methods->control_exchange, .topic = "conductor" };
        struct rpc_request cast = {
                .method = "build_instances",
                .ns = "compute_task",
                .version = "1.19",
                .context = r->context,
        };
        int failed;

        assert_green();
        cast.args = reschedule_args(r, i, reason);
        failed = send_request(r, &to, &cast, by, err);
        jval_unref(cast.args);
        return failed;
}

/* ---- back into this host's queue ---- */

static int build_hand_back(struct compute_build *b, struct deadline by, struct error *err)
{
        struct build_request *r = request_of(b);
        struct transport_target to = { .exchange = r->methods->control_exchange,
                                       .topic = "compute",
                                       .server = r->methods->host };
        struct rpc_request cast = {
                .method = "build_and_run_instance",
                .version = r->version,
                .args = r->args,
                .context = r->context,
        };

        assert_green();
        return send_request(r, &to, &cast, by, err);
}

/* ---- decoding ---- */

struct compute_build *build_request_decode(const struct rpc_call *call, struct error *err)
{
        const struct rpc_request *request = call->request;
        struct object_instance instance = {};
        struct request_context ctx = {};
        struct build_args args = {};
        struct build_request *r;

        if (json_fields_decode_strict(build_fields, request->args, &args, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                error_while(err, "%.64s()", request->method);
                request_refuse(call, err);
                return NULL;
        }
        if (object_instance_decode(args.instance, &instance, err) < 0 ||
            object_context_decode(request->context, &ctx, err) < 0) {
                object_instance_free(&instance);
                json_fields_free(build_fields, &args);
                error_while(err, "%.64s()", request->method);
                request_refuse(call, err);
                return NULL;
        }
        r = NEW(struct build_request);
        r->methods = call->app;
        r->args = jval_ref(request->args);
        r->context = jval_ref(request->context);
        r->base.ctx = ctx;
        memcpy(r->base.uuid, instance.uuid, sizeof(r->base.uuid));
        r->base.flavor = take_ptr(&instance.flavor);
        r->base.node = take_ptr(&args.node);
        r->base.admin_password = take_ptr(&args.admin_password);
        r->base.drop = build_drop;
        r->version = xstrdup(request->version);
        if (r->methods->transport && r->methods->transport->ops->gives_back)
                r->base.hand_back = build_hand_back;
        if (jval_type(jval_get(args.filter_properties, "retry")) == JVAL_OBJECT)
                r->base.reschedule = build_reschedule;
        r->base.wants_networks = wants_networks(args.requested_networks);
        decode_files(&r->base, args.injected_files);
        json_fields_free(build_fields, &args);
        return &r->base;
}
