/*
 * agent/store/instance_objects.c: rows of an instance as nova's Instance object (nova-contract 2.2, 2.3):
 * what conductor would make of them. For others than this agent, so nothing of it becomes a struct in
 * between.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"
#include "model/primitive.h"
#include "store/store_priv.h"

#define INSTANCE_VERSION "2.7"
#define AT_ONCE          100000 /* uuids */

enum as { O_INT, O_TEXT, O_BOOL, O_TIME };

/* Columns of instances and fields of the object alike. */
static const struct {
        const char *name;
        enum as as;
} fields[] = {
        { "id", O_INT },
        { "user_id", O_TEXT },
        { "project_id", O_TEXT },
        { "image_ref", O_TEXT },
        { "kernel_id", O_TEXT },
        { "ramdisk_id", O_TEXT },
        { "hostname", O_TEXT },
        { "launch_index", O_INT },
        { "key_name", O_TEXT },
        { "key_data", O_TEXT },
        { "power_state", O_INT },
        { "vm_state", O_TEXT },
        { "task_state", O_TEXT },
        { "memory_mb", O_INT },
        { "vcpus", O_INT },
        { "root_gb", O_INT },
        { "ephemeral_gb", O_INT },
        { "ephemeral_key_uuid", O_TEXT },
        { "host", O_TEXT },
        { "node", O_TEXT },
        { "instance_type_id", O_INT },
        { "user_data", O_TEXT },
        { "reservation_id", O_TEXT },
        { "launched_at", O_TIME },
        { "terminated_at", O_TIME },
        { "availability_zone", O_TEXT },
        { "display_name", O_TEXT },
        { "display_description", O_TEXT },
        { "launched_on", O_TEXT },
        { "locked", O_BOOL },
        { "locked_by", O_TEXT },
        { "os_type", O_TEXT },
        { "architecture", O_TEXT },
        { "vm_mode", O_TEXT },
        { "uuid", O_TEXT },
        { "root_device_name", O_TEXT },
        { "default_ephemeral_device", O_TEXT },
        { "default_swap_device", O_TEXT },
        { "config_drive", O_TEXT },
        { "access_ip_v4", O_TEXT },
        { "access_ip_v6", O_TEXT },
        { "auto_disk_config", O_BOOL },
        { "progress", O_INT },
        { "shutdown_terminate", O_BOOL },
        { "disable_terminate", O_BOOL },
        { "cell_name", O_TEXT },
        { "cleaned", O_BOOL },
        { "hidden", O_BOOL },
        { "created_at", O_TIME },
        { "updated_at", O_TIME },
        { "deleted_at", O_TIME },
        { "deleted", O_BOOL },
};

/* Columns of instance_extra that hold an object, or nothing; they come after those above, flavor first. */
static const char *const extra_objects[] = { "numa_topology", "device_metadata",   "vcpu_model",
                                             "trusted_certs", "migration_context", "resources" };
enum {
        FLAVOR = ARRAY_SIZE(fields),
        PCI_REQUESTS,
        KEYPAIRS,
        EXTRA_OBJECTS,
        NETWORK_INFO = EXTRA_OBJECTS + ARRAY_SIZE(extra_objects),
        CACHE_CREATED,
        CACHE_UPDATED,
};

static const char *text_of(const struct db_value *v)
{
        return v->type == DB_TEXT ? v->s : NULL;
}

static time_t time_of(const struct db_value *v)
{
        return v->type == DB_TEXT ? time_parse(v->s) : 0;
}

/* JSON of a column; NULL when there is none, or none that can be read. */
static struct jval *json_of(const struct db_value *v)
{
        struct error unreadable = {};

        return v->type == DB_TEXT ? jval_parse(v->s, v->len, &unreadable) : NULL;
}

static void add_column(struct jval *data, const char *name, enum as as, const struct db_value *v)
{
        switch (as) {
        case O_INT:
                jval_set(data, name, v->type == DB_INT ? jval_new_int(v->i) : jval_new_null());
                break;
        case O_TEXT:
                jval_set_text(data, name, text_of(v));
                break;
        case O_BOOL:
                jval_set_bool(data, name, v->type == DB_INT && v->i != 0);
                break;
        case O_TIME:
                nova_object_set_time(data, name, time_of(v));
                break;
        }
}

static struct jval *list_object(const char *name, const char *version, struct jval *objects)
{
        struct jval *data = jval_new_object();

        jval_set(data, "objects", objects ? objects : jval_new_array());
        return nova_object(name, version, data);
}

/* {"cur": ..., "old": ..., "new": ...} */
static void add_flavors(struct jval *data, const struct db_value *column)
{
        static const char *const from[] = { "cur", "old", "new" };
        static const char *const to[] = { "flavor", "old_flavor", "new_flavor" };
        CLEANUP(jval_unrefp) struct jval *all = json_of(column);

        for (size_t n = 0; all && n < ARRAY_SIZE(from); n++) {
                struct jval *one = jval_get(all, from[n]);

                jval_set(data, to[n], one ? jval_ref(one) : jval_new_null());
        }
}

/* A request for a device would need an object of its own: this agent passes none through, so there is none.
 */
static void add_pci_requests(struct jval *data, const char *uuid, const struct db_value *column)
{
        CLEANUP(jval_unrefp) struct jval *requests = json_of(column);
        struct jval *of;

        if (jval_len(requests) > 0)
                return;
        of = jval_new_object();
        jval_set_text(of, "instance_uuid", uuid);
        jval_set(of, "requests", jval_new_array());
        jval_set(data, "pci_requests", nova_object("InstancePCIRequests", "1.1", of));
}

static void add_extra(struct jval *data, const char *uuid, const struct db_value *row)
{
        struct jval *keypairs = json_of(&row[KEYPAIRS]);

        add_flavors(data, &row[FLAVOR]);
        add_pci_requests(data, uuid, &row[PCI_REQUESTS]);
        jval_set(data, "keypairs", keypairs ? keypairs : list_object("KeyPairList", "1.3", NULL));
        for (size_t n = 0; n < ARRAY_SIZE(extra_objects); n++) {
                struct jval *v = json_of(&row[EXTRA_OBJECTS + n]);

                jval_set(data, extra_objects[n], v ? v : jval_new_null());
        }
        jval_set(data, "security_groups", list_object("SecurityGroupList", "1.1", NULL));
        jval_set(data, "pci_devices", list_object("PciDeviceList", "1.3", NULL));
}

static void add_info_cache(struct jval *data, const char *uuid, const struct db_value *row)
{
        struct jval *of = jval_new_object();

        jval_set_text(of, "instance_uuid", uuid);
        jval_set_text(of, "network_info", text_of(&row[NETWORK_INFO]) ? text_of(&row[NETWORK_INFO]) : "[]");
        nova_object_set_times(of, time_of(&row[CACHE_CREATED]), time_of(&row[CACHE_UPDATED]));
        jval_set(data, "info_cache", nova_object("InstanceInfoCache", "1.5", of));
}

static struct jval *tag_object(const char *uuid, const char *tag)
{
        struct jval *data = jval_new_object();

        jval_set_text(data, "resource_id", uuid);
        jval_set_text(data, "tag", tag);
        return nova_object("Tag", "1.1", data);
}

/* Rows of (0 metadata, 1 system_metadata, 2 tag; key; value). */
static int YIELDS add_metadata(struct store *s, struct jval *data, const char *uuid, struct deadline by,
                               struct error *err)
{
        const struct db_value values[] = { db_text(uuid), db_text(uuid), db_text(uuid) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        struct jval *maps[2] = { jval_new_object(), jval_new_object() }, *tags = jval_new_array();

        jval_set(data, "metadata", maps[0]);
        jval_set(data, "system_metadata", maps[1]);
        jval_set(data, "tags", list_object("TagList", "1.1", tags));
        if (db_pool_select(
                    s->db,
                    "SELECT 0, `key`, value FROM instance_metadata WHERE deleted = 0 AND instance_uuid = ? "
                    "UNION ALL SELECT 1, `key`, value FROM instance_system_metadata WHERE deleted = 0 AND "
                    "instance_uuid = ? UNION ALL SELECT 2, tag, '' FROM tags WHERE resource_id = ?",
                    values, ARRAY_SIZE(values), &r, by, err) < 0)
                return error_while(err, "reading the metadata of instance %s", uuid);
        for (size_t n = 0; n < db_result_rows(r); n++) {
                const struct db_value *row = db_result_row(r, n);

                if (row[0].i == 2)
                        jval_push(tags, tag_object(uuid, row[1].s));
                else
                        jval_set_text(maps[row[0].i], row[1].s, text_of(&row[2]));
        }
        return 0;
}

static int YIELDS add_instance(struct store *s, struct jval *list, const struct db_value *row,
                               struct deadline by, struct error *err)
{
        struct jval *data = jval_new_object();
        const char *uuid;

        jval_push(list, nova_object("Instance", INSTANCE_VERSION, data));
        for (size_t n = 0; n < ARRAY_SIZE(fields); n++)
                add_column(data, fields[n].name, fields[n].as, &row[n]);
        uuid = jval_get_text(data, "uuid", "");
        add_extra(data, uuid, row);
        add_info_cache(data, uuid, row);
        return add_metadata(s, data, uuid, by, err);
}

static void add_select(struct query *q)
{
        query_add(q, "SELECT ");
        for (size_t n = 0; n < ARRAY_SIZE(fields); n++)
                strbuf_addf(&q->sql, "i.%s, ", fields[n].name);
        query_add(q, "e.flavor, e.pci_requests, e.keypairs, ");
        for (size_t n = 0; n < ARRAY_SIZE(extra_objects); n++)
                strbuf_addf(&q->sql, "e.%s, ", extra_objects[n]);
        query_add(q, "c.network_info, c.created_at, c.updated_at FROM instances i "
                     "LEFT JOIN instance_extra e ON e.instance_uuid = i.uuid AND e.deleted = 0 "
                     "LEFT JOIN instance_info_caches c ON c.instance_uuid = i.uuid AND c.deleted = 0 "
                     "WHERE i.deleted = 0 AND i.host = ?");
}

int store_instance_objects(struct store *s, const char *uuid, unsigned most, int64_t *at, struct jval **ret,
                           struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        CLEANUP(jval_unrefp) struct jval *list = jval_new_array();

        add_select(&q);
        query_value(&q, db_text(s->host));
        query_add(&q, uuid ? " AND i.uuid = ?" : " AND i.id > ?");
        query_value(&q, uuid ? db_text(uuid) : db_int(*at));
        query_add(&q, " GROUP BY i.id ORDER BY i.id LIMIT ?");
        query_value(&q, db_int(uuid ? 1 : most));
        if (db_pool_select(s->db, q.sql.data, q.values, q.n, &r, by, err) < 0)
                return error_while(err, "reading instances of host %s", s->host);
        for (size_t n = 0; n < db_result_rows(r); n++) {
                if (add_instance(s, list, db_result_row(r, n), by, err) < 0)
                        return -1;
                if (!uuid)
                        *at = db_result_row(r, n)[0].i;
        }
        *ret = take_ptr(&list);
        return 0;
}

int store_instance_uuids(struct store *s, struct uuid_text **ret, unsigned *ret_n, struct deadline by,
                         struct error *err)
{
        const struct db_value values[] = { db_text(s->host), db_int(AT_ONCE) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_pool_select(s->db, "SELECT uuid FROM instances WHERE deleted = 0 AND host = ? LIMIT ?", values,
                           ARRAY_SIZE(values), &r, by, err) < 0)
                return error_while(err, "reading which instances host %s has", s->host);
        *ret_n = (unsigned)db_result_rows(r);
        *ret = xcalloc(*ret_n + 1, sizeof(**ret));
        for (unsigned n = 0; n < *ret_n; n++)
                snprintf((*ret)[n].text, sizeof((*ret)[n].text), "%s", db_result_row(r, n)[0].s);
        return 0;
}
