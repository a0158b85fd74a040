/* agent/model/primitive.c: the objects' frame, their times, and the flavor, which both messages and rows
 * hold. */
#include "model/primitive.h"

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
