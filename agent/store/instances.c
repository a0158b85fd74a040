/*
 * agent/store/instances.c: reading instances (nova-contract 5.3, 5.8, 5.10).
 *
 * A whole instance is two statements: its row with the flavor from instance_extra, and both kinds of
 * metadata. All instances of a host come in pages, so that no answer of the database is without bound.
 */
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PAGE  200 /* instances; with all their metadata far below what one answer may have */
#define AMONG 100 /* uuids in one statement */

#define FIELD(column, kind, member)                             \
        {                                                       \
                column, kind, offsetof(struct instance, member) \
        }
static const struct column columns[] = {
        FIELD("id", AS_INT, id),
        FIELD("uuid", AS_UUID, uuid),
        FIELD("user_id", AS_TEXT, user_id),
        FIELD("project_id", AS_TEXT, project_id),
        FIELD("image_ref", AS_TEXT, image_ref),
        FIELD("hostname", AS_TEXT, hostname),
        FIELD("display_name", AS_TEXT, display_name),
        FIELD("key_name", AS_TEXT, key_name),
        FIELD("key_data", AS_TEXT, key_data),
        FIELD("user_data", AS_TEXT, user_data),
        FIELD("host", AS_TEXT, host),
        FIELD("node", AS_TEXT, node),
        FIELD("launched_on", AS_TEXT, launched_on),
        FIELD("availability_zone", AS_TEXT, availability_zone),
        FIELD("root_device_name", AS_TEXT, root_device_name),
        FIELD("config_drive", AS_TEXT, config_drive),
        FIELD("os_type", AS_TEXT, os_type),
        FIELD("reservation_id", AS_TEXT, reservation_id),
        FIELD("kernel_id", AS_TEXT, kernel_id),
        FIELD("vm_mode", AS_TEXT, vm_mode),
        FIELD("default_ephemeral_device", AS_TEXT, default_ephemeral_device),
        FIELD("default_swap_device", AS_TEXT, default_swap_device),
        FIELD("vm_state", AS_VM_STATE, vm_state),
        FIELD("task_state", AS_TASK_STATE, task_state),
        FIELD("power_state", AS_POWER_STATE, power_state),
        FIELD("memory_mb", AS_INT, memory_mb),
        FIELD("vcpus", AS_INT, vcpus),
        FIELD("root_gb", AS_INT, root_gb),
        FIELD("ephemeral_gb", AS_INT, ephemeral_gb),
        FIELD("progress", AS_INT, progress),
        FIELD("shutdown_terminate", AS_BOOL, shutdown_terminate),
        FIELD("cleaned", AS_BOOL, cleaned),
        FIELD("deleted", AS_BOOL, deleted),
        FIELD("hidden", AS_BOOL, hidden),
        FIELD("created_at", AS_TIME, created_at),
        FIELD("updated_at", AS_TIME, updated_at),
        FIELD("launched_at", AS_TIME, launched_at),
        FIELD("terminated_at", AS_TIME, terminated_at),
        FIELD("deleted_at", AS_TIME, deleted_at),
};
#undef FIELD
/* after those above */
#define FLAVOR_COLUMN ARRAY_SIZE(columns)
#define NUMA_COLUMN   (FLAVOR_COLUMN + 1)
#define PCI_COLUMN    (FLAVOR_COLUMN + 2)

int not_found(const char *uuid, struct error *err)
{
        return error_set(err, NOVA_INSTANCE_NOT_FOUND, "Instance %.*s could not be found.", UUID_LEN, uuid);
}

void instance_list_free(struct instance_list *l)
{
        for (unsigned n = 0; n < l->n; n++)
                instance_free(l->items[n]);
        free(l->items);
        *l = (struct instance_list){};
}

/* What a flavor is without its JSON: sizes are columns of the instance too. */
static void flavor_from_columns(struct instance *i)
{
        i->flavor.memory_mb = i->memory_mb;
        i->flavor.vcpus = i->vcpus;
        i->flavor.root_gb = i->root_gb;
        i->flavor.ephemeral_gb = i->ephemeral_gb;
}

static struct instance *instance_of_row(const struct db_value *row)
{
        const struct db_value *flavor = &row[FLAVOR_COLUMN];
        struct instance *i = instance_new();
        struct error unreadable = {};

        row_read(columns, ARRAY_SIZE(columns), row, i);
        if (flavor->type != DB_TEXT || flavor_from_json(flavor->s, flavor->len, &i->flavor, &unreadable) < 0)
                flavor_from_columns(i);
        i->has_numa_topology = row[NUMA_COLUMN].type == DB_INT && row[NUMA_COLUMN].i;
        i->has_pci_requests = row[PCI_COLUMN].type == DB_INT && row[PCI_COLUMN].i;
        return i;
}

static void start_select(struct query *q)
{
        query_add(q, "SELECT ");
        columns_list(&q->sql, "i.", columns, ARRAY_SIZE(columns));
        /* Soft deletion marks both, so rows of one belong to rows of the other in the same state. */
        query_add(q, ", e.flavor, e.numa_topology IS NOT NULL, e.pci_requests NOT IN ('', '[]') "
                     "FROM instances i LEFT JOIN instance_extra e ON e.instance_uuid = i.uuid AND "
                     "(e.deleted = 0) = (i.deleted = 0) WHERE ");
}

static void add_meta(struct instance_meta **items, unsigned *n, const struct db_value *key,
                     const struct db_value *value)
{
        *items = xrealloc(*items, (*n + 1) * sizeof(**items));
        (*items)[*n].key = xstrdup(key->type == DB_TEXT ? key->s : "");
        (*items)[*n].value = xstrdup(value->type == DB_TEXT ? value->s : "");
        ++*n;
}

/* Rows of (is it system_metadata, key, value). */
static void take_meta(struct instance *i, const struct db_value *row)
{
        if (row[0].i)
                add_meta(&i->system_metadata, &i->n_system_metadata, &row[1], &row[2]);
        else
                add_meta(&i->metadata, &i->n_metadata, &row[1], &row[2]);
}

static int YIELDS read_meta(struct store *s, struct instance *i, struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(i->uuid), db_int(i->deleted), db_text(i->uuid) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_pool_select(
                    s->db,
                    "SELECT 1, `key`, value FROM instance_system_metadata WHERE instance_uuid = ? AND "
                    "(deleted = 0 OR ?) UNION ALL "
                    "SELECT 0, `key`, value FROM instance_metadata WHERE instance_uuid = ? AND deleted = 0",
                    values, ARRAY_SIZE(values), &r, by, err) < 0)
                return -1;
        for (size_t n = 0; n < db_result_rows(r); n++)
                take_meta(i, db_result_row(r, n));
        return 0;
}

int store_instance_get(struct store *s, const char *uuid, unsigned flags, struct instance **ret,
                       struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        CLEANUP(instance_freep) struct instance *i = NULL;

        start_select(&q);
        query_add(&q, flags & WITH_DELETED ? "i.uuid = ? ORDER BY e.id DESC LIMIT 1"
                                           : "i.uuid = ? AND i.deleted = 0 LIMIT 1");
        query_value(&q, db_text(uuid));
        if (db_pool_select(s->db, q.sql.data, q.values, q.n, &r, by, err) < 0)
                return error_while(err, "reading instance %s", uuid);
        if (!db_result_rows(r))
                return not_found(uuid, err);
        i = instance_of_row(db_result_row(r, 0));
        if (read_meta(s, i, by, err) < 0)
                return error_while(err, "reading the metadata of instance %s", uuid);
        *ret = take_ptr(&i);
        return 0;
}

/* ---- lists ---- */

static void append(struct instance_list *l, struct instance *i)
{
        if ((l->n & (l->n - 1)) == 0) /* full at each power of two */
                l->items = xrealloc(l->items, (l->n ? l->n * 2 : 1) * sizeof(l->items[0]));
        l->items[l->n++] = i;
}

static struct instance *find(struct instance **items, unsigned n, const char *uuid)
{
        unsigned low = 0;

        while (low < n) {
                unsigned middle = low + (n - low) / 2;
                int order = strcmp(items[middle]->uuid, uuid);

                if (order == 0)
                        return items[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        n = middle;
        }
        return NULL;
}

static int by_uuid(const void *a, const void *b)
{
        return strcmp((*(struct instance *const *)a)->uuid, (*(struct instance *const *)b)->uuid);
}

static int by_id(const void *a, const void *b)
{
        int64_t x = (*(struct instance *const *)a)->id, y = (*(struct instance *const *)b)->id;

        return (x > y) - (x < y);
}

/* Of those on the page, which are all of the host's with ids from its first to its last. */
static int YIELDS read_meta_of_page(struct store *s, const char *host, struct instance **items, unsigned n,
                                    struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(host), db_int(items[0]->id), db_int(items[n - 1]->id),
                                           db_text(host), db_int(items[0]->id), db_int(items[n - 1]->id) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_pool_select(
                    s->db,
                    "SELECT 1, m.`key`, m.value, m.instance_uuid FROM instances i JOIN "
                    "instance_system_metadata m "
                    "ON m.instance_uuid = i.uuid AND m.deleted = 0 WHERE i.deleted = 0 AND i.host = ? AND "
                    "i.id BETWEEN ? AND ? "
                    "UNION ALL "
                    "SELECT 0, m.`key`, m.value, m.instance_uuid FROM instances i JOIN instance_metadata m "
                    "ON m.instance_uuid = i.uuid AND m.deleted = 0 WHERE i.deleted = 0 AND i.host = ? AND "
                    "i.id BETWEEN ? AND ?",
                    values, ARRAY_SIZE(values), &r, by, err) < 0)
                return -1;
        qsort(items, n, sizeof(items[0]), by_uuid);
        for (size_t k = 0; k < db_result_rows(r); k++) {
                const struct db_value *row = db_result_row(r, k);
                struct instance *i =
                        find(items, n, row[3].s); /* NULL: it came in between the two statements */

                if (i)
                        take_meta(i, row);
        }
        qsort(items, n, sizeof(items[0]), by_id);
        return 0;
}

int store_instances_page(struct store *s, struct instance_cursor *at, struct instance_list *page,
                         struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        instance_list_free(page);
        if (at->ended)
                return 0;
        start_select(&q);
        query_add(&q, "i.deleted = 0 AND i.host = ? AND i.id > ? ORDER BY i.id LIMIT ?");
        query_value(&q, db_text(s->host));
        query_value(&q, db_int(at->after));
        query_value(&q, db_int(PAGE));
        if (db_pool_select(s->db, q.sql.data, q.values, q.n, &r, by, err) < 0)
                return error_while(err, "reading the instances of host %s", s->host);
        at->ended = db_result_rows(r) < PAGE;
        for (size_t k = 0; k < db_result_rows(r); k++) {
                struct instance *i = instance_of_row(db_result_row(r, k));

                if (page->n > 0 && at->after == i->id)
                        instance_free(i); /* twice in instance_extra */
                else
                        append(page, i);
                at->after = page->items[page->n - 1]->id;
                if (k % 64 == 63)
                        green_yield(); /* parsing flavors of hundreds */
        }
        if (page->n > 0 && read_meta_of_page(s, s->host, page->items, page->n, by, err) < 0)
                return error_while(err, "reading the instances of host %s", s->host);
        return page->n > 0;
}

int store_instances_count(struct store *s, int64_t *ret, struct deadline by, struct error *err)
{
        struct db_value host = db_text(s->host);
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_pool_select(s->db, "SELECT COUNT(*) FROM instances WHERE deleted = 0 AND host = ?", &host, 1,
                           &r, by, err) < 0)
                return error_while(err, "counting the instances of host %s", s->host);
        *ret = db_result_row(r, 0)[0].i;
        return 0;
}

int store_instances_of_host(struct store *s, struct instance_list *ret, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list list = {};
        CLEANUP(instance_list_free) struct instance_list page = {};
        struct instance_cursor at = {};
        int r;

        while ((r = store_instances_page(s, &at, &page, by, err)) > 0)
                for (unsigned k = 0; k < page.n; k++)
                        append(&list, take_ptr(&page.items[k]));
        if (r < 0)
                return -1;
        *ret = list;
        list = (struct instance_list){};
        return 0;
}

/* Each instance of an answer once: it comes again for each row of instance_extra. */
static void append_rows(struct instance_list *list, const struct db_result *r)
{
        for (size_t k = 0; k < db_result_rows(r); k++) {
                struct instance *i = instance_of_row(db_result_row(r, k));

                if (list->n && list->items[list->n - 1]->id == i->id)
                        instance_free(i);
                else
                        append(list, i);
        }
}

int store_instances_without_host(struct store *s, struct instance_list *ret, struct deadline by,
                                 struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        start_select(&q);
        query_add(&q, "i.deleted = 0 AND i.host IS NULL ORDER BY i.id DESC LIMIT 1000");
        if (db_pool_select(s->db, q.sql.data, NULL, 0, &r, by, err) < 0)
                return error_while(err, "reading the instances without a host");
        instance_list_free(ret);
        append_rows(ret, r);
        return 0;
}

/* Of these uuids those whose row meets the condition. */
static int YIELDS read_among(struct store *s, const char *condition, const char *const *uuids, unsigned n,
                             struct instance_list *ret, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list list = {};

        for (unsigned at = 0; at < n; at += AMONG) {
                CLEANUP(query_free) struct query q = {};
                CLEANUP(db_result_freep) struct db_result *r = NULL;
                struct db_value values[AMONG];

                start_select(&q);
                query_add(&q, condition);
                query_add(&q, " AND i.uuid IN (?");
                for (unsigned k = 0; k < AMONG; k++) {
                        /* Always as many, so that it is always the same statement. */
                        values[k] = at + k < n ? db_text(uuids[at + k]) : db_null();
                        if (k)
                                query_add(&q, ",?");
                }
                query_add(&q, ") ORDER BY i.id");
                if (db_pool_select(s->db, q.sql.data, values, AMONG, &r, by, err) < 0)
                        return -1;
                append_rows(&list, r);
        }
        *ret = list;
        list = (struct instance_list){};
        return 0;
}

int store_instances_deleted_among(struct store *s, const char *const *uuids, unsigned n,
                                  struct instance_list *ret, struct deadline by, struct error *err)
{
        if (read_among(s, "i.deleted = i.id", uuids, n, ret, by, err) < 0)
                return error_while(err, "reading deleted instances");
        return 0;
}

int store_instances_building_among(struct store *s, const char *const *uuids, unsigned n,
                                   struct instance_list *ret, struct deadline by, struct error *err)
{
        if (read_among(s, "i.deleted = 0 AND i.vm_state = 'building'", uuids, n, ret, by, err) < 0)
                return error_while(err, "reading instances that are being built");
        return 0;
}
