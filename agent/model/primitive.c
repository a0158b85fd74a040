/* agent/model/primitive.c: the objects' frame, their times, and the flavor, which both messages and rows
 * hold. */
#include "model/primitive.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct jval *nova_object(const char *name, const char *version, struct jval *data)
{
        struct jval *o = jval_new_object();

        jval_set_text(o, "nova_object.name", name);
        jval_set_text(o, "nova_object.namespace", "nova");
        jval_set_text(o, "nova_object.version", version);
        jval_set(o, "nova_object.data", data);
        return o;
}

void nova_object_set_time(struct jval *data, const char *key, time_t t)
{
        char text[32];
        struct tm tm;

        if (!t || !gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
                jval_set(data, key, jval_new_null());
        else
                jval_set_text(data, key, text);
}

void nova_object_set_times(struct jval *data, time_t created_at, time_t updated_at)
{
        nova_object_set_time(data, "created_at", created_at);
        nova_object_set_time(data, "updated_at", updated_at);
        nova_object_set_time(data, "deleted_at", 0);
        jval_set_bool(data, "deleted", false);
}

static int add_extra_spec(const char *key, struct jval *value, void *arg)
{
        if (jval_type(value) == JVAL_TEXT)
                flavor_add_extra_spec(arg, key, jval_text(value, NULL));
        return 0;
}

void nova_flavor_read_extra_specs(struct flavor *f, const struct jval *data)
{
        jval_foreach(jval_get(data, "extra_specs"), add_extra_spec, f);
}

struct jval *nova_flavor(const struct flavor *f, time_t created_at)
{
        struct jval *data = jval_new_object(), *extra_specs = jval_new_object();

        for (unsigned i = 0; i < f->n_extra_specs; i++)
                jval_set_text(extra_specs, f->extra_specs[i].key, f->extra_specs[i].value);

        jval_set_int(data, "id", f->id);
        jval_set_text(data, "name", f->name);
        jval_set_int(data, "memory_mb", f->memory_mb);
        jval_set_int(data, "vcpus", f->vcpus);
        jval_set_int(data, "root_gb", f->root_gb);
        jval_set_int(data, "ephemeral_gb", f->ephemeral_gb);
        jval_set_text(data, "flavorid", f->flavorid);
        jval_set_int(data, "swap", f->swap_mb);
        jval_set_real(data, "rxtx_factor", 1.0);
        jval_set_int(data, "vcpu_weight", 0);
        jval_set_bool(data, "disabled", false);
        jval_set_bool(data, "is_public", true);
        jval_set(data, "extra_specs", extra_specs);
        jval_set_text(data, "description", NULL);
        nova_object_set_times(data, created_at, 0);
        return nova_object("Flavor", "1.2", data);
}

/* Commas separate. */
static struct jval *roles_of(const struct request_context *ctx)
{
        struct jval *list = jval_new_array();
        bool admin = false;

        for (const char *text = ctx->roles; text && *text;) {
                size_t len = strcspn(text, ",");

                admin |= len == 5 && strncmp(text, "admin", len) == 0;
                if (len)
                        jval_push(list, jval_new_textn(text, len));
                text += len + (text[len] == ',');
        }
        if (ctx->is_admin && !admin)
                jval_push(list, jval_new_text("admin"));
        return list;
}

static void set_timestamp(struct jval *c)
{
        int64_t now = clock_wall_us();
        time_t seconds = (time_t)(now / 1000000);
        char date[32] = "", stamp[48];
        struct tm tm;

        if (gmtime_r(&seconds, &tm))
                strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(stamp, sizeof(stamp), "%s.%06d", date, (int)(now % 1000000));
        jval_set_text(c, "timestamp", stamp);
}

struct jval *nova_context(const struct request_context *ctx)
{
        static const char *const nulls[] = { "system_scope",   "domain",         "user_domain",
                                             "project_domain", "auth_token",     "global_request_id",
                                             "resource_uuid",  "remote_address", "quota_class" };
        CLEANUP(freep)
        char *identity = xasprintf("%s %s - - -", ctx->user_id ? ctx->user_id : "-",
                                   ctx->project_id ? ctx->project_id : "-");
        struct jval *c = jval_new_object();

        jval_set_text(c, "request_id", ctx->request_id);
        jval_set_text(c, "user", ctx->user_id);
        jval_set_text(c, "user_id", ctx->user_id);
        jval_set_text(c, "user_name", ctx->user_name);
        jval_set_text(c, "project", ctx->project_id);
        jval_set_text(c, "project_id", ctx->project_id);
        jval_set_text(c, "project_name", ctx->project_name);
        jval_set_text(c, "user_identity", identity);
        jval_set(c, "roles", roles_of(ctx));
        jval_set_bool(c, "is_admin", ctx->is_admin);
        jval_set_bool(c, "is_admin_project", true);
        jval_set_text(c, "read_deleted", "no");
        jval_set_bool(c, "read_only", false);
        jval_set_bool(c, "show_deleted", false);
        jval_set(c, "service_catalog", jval_new_array());
        set_timestamp(c);
        for (size_t n = 0; n < sizeof(nulls) / sizeof(nulls[0]); n++)
                jval_set(c, nulls[n], jval_new_null());
        return c;
}
