/* agent/store/instance_extra.c: flavors as JSON, and the other columns that the agent writes there. */
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"
#include "model/primitive.h"

char *flavor_to_json(const struct flavor *f, time_t created_at)
{
        struct jval *v = jval_new_object();
        char *text;

        jval_set(v, "cur", nova_flavor(f, created_at));
        jval_set(v, "old", jval_new_null());
        jval_set(v, "new", jval_new_null());
        text = jval_print(v, NULL);
        jval_unref(v);
        return text;
}

int flavor_from_json(const char *text, size_t len, struct flavor *ret, struct error *err)
{
        CLEANUP(jval_unrefp) struct jval *v = jval_parse(text, len, err);
        struct jval *data = jval_get(jval_get(v, "cur"), "nova_object.data");

        if (!v)
                return error_while(err, "instance_extra.flavor");
        if (jval_type(data) != JVAL_OBJECT || jval_type(jval_get(data, "memory_mb")) != JVAL_INT ||
            jval_type(jval_get(data, "vcpus")) != JVAL_INT)
                return error_set(err, ERR_PROTOCOL, "instance_extra.flavor: no flavor under \"cur\"");
        replace_str(&ret->name, jval_get_text(data, "name", NULL));
        replace_str(&ret->flavorid, jval_get_text(data, "flavorid", NULL));
        ret->id = jval_get_int(data, "id", 0);
        ret->memory_mb = jval_get_int(data, "memory_mb", 0);
        ret->vcpus = jval_get_int(data, "vcpus", 0);
        ret->root_gb = jval_get_int(data, "root_gb", 0);
        ret->ephemeral_gb = jval_get_int(data, "ephemeral_gb", 0);
        ret->swap_mb = jval_get_int(data, "swap", 0);
        nova_flavor_read_extra_specs(ret, data);
        return 0;
}

struct extra {
        const char *uuid, *vcpu_model;
};

static int update_or_insert(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        const struct extra *e = arg;
        char now[TIME_TEXT];
        struct db_value values[3];
        uint64_t matched;

        assert_green();
        time_text(clock_wall_s(), now);
        values[0] = db_text(now);
        values[1] = db_text(e->vcpu_model);
        values[2] = db_text(e->uuid);
        if (db_exec(c,
                    "UPDATE instance_extra SET updated_at = ?, numa_topology = NULL, vcpu_model = ? WHERE "
                    "deleted = 0 "
                    "AND instance_uuid = ?",
                    values, 3, &matched, NULL, by, err) < 0)
                return -1;
        if (matched)
                return 0;
        return db_exec(c,
                       "INSERT INTO instance_extra (created_at, deleted, vcpu_model, instance_uuid) VALUES "
                       "(?, 0, ?, ?)",
                       values, 3, NULL, NULL, by, err);
}

int store_instance_extra_save(struct store *s, const char *uuid, const char *vcpu_model, struct deadline by,
                              struct error *err)
{
        struct extra e = { uuid, vcpu_model };

        if (db_transaction(s->db, update_or_insert, &e, by, err) < 0)
                return error_while(err, "saving instance_extra of instance %s", uuid);
        return 0;
}
