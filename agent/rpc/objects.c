/* agent/rpc/objects.c: Instance, Flavor and the request context out of their JSON. */
#include "rpc/objects.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "messaging/envelope.h"
#include "model/primitive.h"

#define ID_MAX 255 /* what the columns hold */

/* The same major, at most our minor; a third component never changes what is in an object
 * (nova-contract 2.1). */
static bool version_is_known(const char *ours, const char *got)
{
        char two[16];
        const char *dot = strchr(got, '.');
        size_t len = dot ? (size_t)(dot + 1 - got) + strcspn(dot + 1, ".") : strlen(got);

        if (len >= sizeof(two))
                return false;
        memcpy(two, got, len);
        two[len] = '\0';
        return rpc_version_compatible(ours, two);
}

struct jval *object_data(const struct jval *primitive, const char *name, const char *version,
                         struct error *err)
{
        const char *got, *got_version;
        struct jval *data;

        if (jval_type(primitive) != JVAL_OBJECT || !jval_get(primitive, "nova_object.name")) {
                error_set(err, NOVA_TYPE_ERROR, "expected a nova object %s, got %s", name,
                          jval_type_name(jval_type(primitive)));
                return NULL;
        }
        got = jval_get_text(primitive, "nova_object.name", "");
        got_version = jval_get_text(primitive, "nova_object.version", "");
        if (strcmp(got, name) != 0) {
                error_set(err, NOVA_UNSUPPORTED_OBJECT, "expected a nova object %s, got %.64s", name, got);
                return NULL;
        }
        if (!version_is_known(version, got_version)) {
                error_set(err, NOVA_UNSUPPORTED_OBJECT,
                          "Version %.16s of %s is not supported, supported version is %s", got_version, name,
                          version);
                return NULL;
        }
        data = jval_get(primitive, "nova_object.data");
        if (jval_type(data) != JVAL_OBJECT) {
                error_set(err, NOVA_TYPE_ERROR, "nova object %s has no data", name);
                return NULL;
        }
        return data;
}

/* ---- Flavor ---- */

static const struct json_field flavor_fields[] = {
        { "id", json_field_int, offsetof(struct flavor, id), JSON_NULLABLE },
        { "name", json_field_text, offsetof(struct flavor, name), JSON_NULLABLE },
        { "flavorid", json_field_text, offsetof(struct flavor, flavorid), JSON_NULLABLE },
        { "memory_mb", json_field_int, offsetof(struct flavor, memory_mb), JSON_REQUIRED },
        { "vcpus", json_field_int, offsetof(struct flavor, vcpus), JSON_REQUIRED },
        { "root_gb", json_field_int, offsetof(struct flavor, root_gb), JSON_REQUIRED },
        { "ephemeral_gb", json_field_int, offsetof(struct flavor, ephemeral_gb), 0 },
        { "swap", json_field_int, offsetof(struct flavor, swap_mb), 0 },
        {},
};

static int check_range(const char *field, int64_t value, int64_t least, int64_t most, struct error *err)
{
        if (value >= least && value <= most)
                return 0;
        return error_set(err, NOVA_INVALID_INPUT, "Flavor.%s is %lld, not between %lld and %lld", field,
                         (long long)value, (long long)least, (long long)most);
}

/* The columns are 32 bit integers. */
static int check_flavor(const struct flavor *f, struct error *err)
{
        if (check_range("memory_mb", f->memory_mb, 1, INT32_MAX, err) < 0 ||
            check_range("vcpus", f->vcpus, 1, INT32_MAX, err) < 0 ||
            check_range("root_gb", f->root_gb, 0, INT32_MAX, err) < 0 ||
            check_range("ephemeral_gb", f->ephemeral_gb, 0, INT32_MAX, err) < 0 ||
            check_range("swap", f->swap_mb, 0, INT32_MAX, err) < 0)
                return -1;
        return 0;
}

/* A field that is not there was not loaded by the sender (nova-contract 2.1). */
static bool all_loaded(const struct json_field *fields, const struct jval *data)
{
        for (const struct json_field *f = fields; f->key; f++)
                if ((f->flags & JSON_REQUIRED) && !jval_get(data, f->key))
                        return false;
        return true;
}

/* 1: it is not loaded far enough to be of use. */
static int decode_flavor(const struct jval *primitive, struct flavor *ret, struct error *err)
{
        struct jval *data = object_data(primitive, "Flavor", OBJECT_FLAVOR_VERSION, err);

        if (!data)
                return -1;
        if (!all_loaded(flavor_fields, data))
                return 1;
        if (json_fields_decode(flavor_fields, data, ret, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                return error_while(err, "Flavor");
        }
        nova_flavor_read_extra_specs(ret, data);
        return check_flavor(ret, err);
}

/* ---- Instance ---- */

void object_instance_free(struct object_instance *i)
{
        if (i->flavor)
                flavor_clear(i->flavor);
        free(i->flavor);
        i->flavor = NULL;
}

int object_instance_decode(const struct jval *primitive, struct object_instance *ret, struct error *err)
{
        static const struct json_field fields[] = {
                { "uuid", json_field_uuid, offsetof(struct object_instance, uuid), JSON_REQUIRED },
                {},
        };
        struct jval *data = object_data(primitive, "Instance", OBJECT_INSTANCE_VERSION, err);
        struct object_instance i = {};

        if (!data)
                return -1;
        if (json_fields_decode(fields, data, &i, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                return error_while(err, "Instance");
        }
        if (!jval_is_null(jval_get(data, "flavor"))) {
                int r;

                i.flavor = NEW(struct flavor);
                r = decode_flavor(jval_get(data, "flavor"), i.flavor, err);
                if (r != 0)
                        object_instance_free(&i); /* the row has it */
                if (r < 0)
                        return error_while(err, "Instance %s", i.uuid);
        }
        *ret = i;
        return 0;
}

const char *object_instance_uuid(const struct jval *args)
{
        const struct jval *data = jval_get(jval_get(args, "instance"), "nova_object.data");
        const char *uuid = jval_get_text(data, "uuid", NULL);

        return uuid_is(uuid) ? uuid : NULL;
}

/* ---- context ---- */

struct context_fields {
        char *request_id, *user_id, *project_id, *user_name, *project_name;
        struct jval *roles, *service_catalog;
        bool is_admin;
};
static const struct json_field context_fields[] = {
        { "request_id", json_field_text, offsetof(struct context_fields, request_id), JSON_NULLABLE },
        { "user_id", json_field_text, offsetof(struct context_fields, user_id), JSON_NULLABLE },
        { "project_id", json_field_text, offsetof(struct context_fields, project_id), JSON_NULLABLE },
        { "user_name", json_field_text, offsetof(struct context_fields, user_name), JSON_NULLABLE },
        { "project_name", json_field_text, offsetof(struct context_fields, project_name), JSON_NULLABLE },
        { "roles", json_field_array, offsetof(struct context_fields, roles), JSON_NULLABLE },
        { "service_catalog", json_field_array, offsetof(struct context_fields, service_catalog),
          JSON_NULLABLE },
        { "is_admin", json_field_bool, offsetof(struct context_fields, is_admin), JSON_NULLABLE },
        {},
};

static int join_roles(const struct jval *roles, char **ret, struct error *err)
{
        struct strbuf text = {};

        for (size_t i = 0; i < jval_len(roles); i++) {
                const char *role = jval_text(jval_at(roles, i), NULL);

                if (!role) {
                        strbuf_free(&text);
                        return error_set(err, NOVA_TYPE_ERROR, "context: roles[%zu]: expected text", i);
                }
                strbuf_addf(&text, "%s%s", i ? "," : "", role);
        }
        *ret = strbuf_take(&text, NULL);
        return 0;
}

/* Not by the table: what that frees is not overwritten. */
static int take_auth_token(const struct jval *context, char **ret, struct error *err)
{
        const struct jval *token = jval_get(context, "auth_token");

        if (!jval_is_null(token) && jval_type(token) != JVAL_TEXT)
                return error_set(err, NOVA_TYPE_ERROR, "context: auth_token: expected text, got %s",
                                 jval_type_name(jval_type(token)));
        if (*jval_text(token, ""))
                *ret = xstrdup(jval_text(token, NULL));
        return 0;
}

int object_context_decode(const struct jval *context, struct request_context *ret, struct error *err)
{
        struct context_fields f = {};
        char *roles = NULL, *token = NULL;

        if (json_fields_decode(context_fields, context, &f, err) < 0) {
                err->code = NOVA_TYPE_ERROR;
                return error_while(err, "context");
        }
        if (f.request_id && strlen(f.request_id) > ID_MAX) {
                json_fields_free(context_fields, &f);
                return error_set(err, NOVA_TYPE_ERROR, "context: request_id is longer than %d bytes", ID_MAX);
        }
        if (join_roles(f.roles, &roles, err) < 0 || take_auth_token(context, &token, err) < 0) {
                free(roles);
                json_fields_free(context_fields, &f);
                return -1;
        }
        if (f.request_id && *f.request_id)
                *ret = (struct request_context){ .request_id = take_ptr(&f.request_id) };
        else
                request_context_admin(ret);
        ret->auth_token = token;
        ret->service_catalog = jval_ref(f.service_catalog);
        ret->user_id = take_ptr(&f.user_id);
        ret->project_id = take_ptr(&f.project_id);
        ret->user_name = take_ptr(&f.user_name);
        ret->project_name = take_ptr(&f.project_name);
        ret->roles = roles;
        ret->is_admin = f.is_admin;
        json_fields_free(context_fields, &f);
        return 0;
}
