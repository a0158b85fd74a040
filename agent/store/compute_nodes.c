/* agent/store/compute_nodes.c: what this hypervisor has and uses (nova-contract 4.6, 5.8). */
#include "store/store_priv.h"

#include <stdlib.h>

#include "base/mem.h"

#define FIELD(column, kind, member)                                     \
        {                                                               \
                column, kind, offsetof(struct compute_node_row, member) \
        }
static const struct column columns[] = {
        FIELD("id", AS_INT, id),
        FIELD("uuid", AS_UUID, uuid),
        /* from here on what a save writes */
        FIELD("vcpus", AS_INT, vcpus),
        FIELD("memory_mb", AS_INT, memory_mb),
        FIELD("local_gb", AS_INT, local_gb),
        FIELD("vcpus_used", AS_INT, vcpus_used),
        FIELD("memory_mb_used", AS_INT, memory_mb_used),
        FIELD("local_gb_used", AS_INT, local_gb_used),
        FIELD("hypervisor_version", AS_INT, hypervisor_version),
        FIELD("free_ram_mb", AS_INT, free_ram_mb),
        FIELD("free_disk_gb", AS_INT, free_disk_gb),
        FIELD("current_workload", AS_INT, current_workload),
        FIELD("running_vms", AS_INT, running_vms),
        FIELD("disk_available_least", AS_INT, disk_available_least),
        FIELD("hypervisor_type", AS_TEXT, hypervisor_type),
        FIELD("hypervisor_hostname", AS_TEXT, hypervisor_hostname),
        FIELD("cpu_info", AS_TEXT, cpu_info),
        FIELD("host_ip", AS_TEXT, host_ip),
        FIELD("supported_instances", AS_TEXT, supported_instances),
        FIELD("stats", AS_TEXT, stats),
        FIELD("numa_topology", AS_TEXT, numa_topology),
        FIELD("pci_stats", AS_TEXT, pci_stats),
        FIELD("metrics", AS_TEXT, metrics),
        FIELD("cpu_allocation_ratio", AS_REAL, cpu_allocation_ratio),
        FIELD("ram_allocation_ratio", AS_REAL, ram_allocation_ratio),
        FIELD("disk_allocation_ratio", AS_REAL, disk_allocation_ratio),
};
#undef FIELD
#define FIRST_SAVED 2

int store_compute_node_get(struct store *s, const char *hypervisor_hostname, struct compute_node_row *ret,
                           struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        struct compute_node_row row = {};

        query_add(&q, "SELECT ");
        columns_list(&q.sql, "", columns, ARRAY_SIZE(columns));
        query_add(&q,
                  " FROM compute_nodes WHERE deleted = 0 AND host = ? AND hypervisor_hostname = ? LIMIT 1");
        query_value(&q, db_text(s->host));
        query_value(&q, db_text(hypervisor_hostname));
        if (db_pool_select(s->db, q.sql.data, q.values, q.n, &r, by, err) < 0)
                return error_while(err, "reading compute node %s", hypervisor_hostname);
        if (!db_result_rows(r))
                return error_set(err, ERR_NOT_FOUND, "Compute host %s with node %s could not be found.",
                                 s->host, hypervisor_hostname);
        row_read(columns, ARRAY_SIZE(columns), db_result_row(r, 0), &row);
        *ret = row;
        return 0;
}

static int YIELDS update(struct store *s, const struct compute_node_row *r, struct deadline by,
                         struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        uint64_t matched;

        query_add(&q, "UPDATE compute_nodes SET updated_at = ?");
        query_time(&q, clock_wall_s());
        for (size_t n = FIRST_SAVED; n < ARRAY_SIZE(columns); n++) {
                strbuf_addf(&q.sql, ", %s = ?", columns[n].name);
                query_field(&q, &columns[n], r);
        }
        query_add(&q, " WHERE deleted = 0 AND id = ?");
        query_value(&q, db_int(r->id));
        if (query_exec(s, NULL, &q, &matched, NULL, by, err) < 0)
                return -1;
        if (!matched)
                return error_set(err, ERR_NOT_FOUND, "its row %lld is gone", (long long)r->id);
        return 0;
}

static int YIELDS insert(struct store *s, const struct compute_node_row *r, const char *uuid,
                         uint64_t *ret_id, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        time_t now = clock_wall_s();

        query_add(&q, "INSERT INTO compute_nodes (created_at, updated_at, deleted, mapped, host, uuid, ");
        columns_list(&q.sql, "", columns + FIRST_SAVED, ARRAY_SIZE(columns) - FIRST_SAVED);
        query_add(&q, ") VALUES (?, ?, 0, 0, ?, ?");
        query_time(&q, now);
        query_time(&q, now); /* nova makes the row, then updates it */
        query_value(&q, db_text(s->host));
        query_value(&q, db_text(uuid));
        for (size_t n = FIRST_SAVED; n < ARRAY_SIZE(columns); n++) {
                query_add(&q, ", ?");
                query_field(&q, &columns[n], r);
        }
        query_add(&q, ")");
        return query_exec(s, NULL, &q, NULL, ret_id, by, err);
}

/* A row of that name came to be meanwhile: it is taken over. */
static int YIELDS adopt(struct store *s, struct compute_node_row *r, struct deadline by, struct error *err)
{
        struct compute_node_row there = {};

        if (store_compute_node_get(s, r->hypervisor_hostname, &there, by, err) < 0)
                return -1;
        r->id = there.id;
        for (size_t n = 0; n < sizeof(r->uuid); n++)
                r->uuid[n] = there.uuid[n];
        compute_node_row_free(&there);
        return update(s, r, by, err);
}

int store_compute_node_save(struct store *s, struct compute_node_row *r, struct deadline by,
                            struct error *err)
{
        char uuid[UUID_LEN + 1];
        uint64_t id;
        int ret;

        if (r->id) {
                ret = update(s, r, by, err);
        } else {
                uuid_new(uuid);
                ret = insert(s, r, uuid, &id, by, err);
                if (ret == 0) {
                        r->id = (int64_t)id;
                        for (size_t n = 0; n < sizeof(uuid); n++)
                                r->uuid[n] = uuid[n];
                } else if ((err->code == ERR_DB && err->sys == DB_DUPLICATE) || err->code == ERR_DB_LOST) {
                        ret = adopt(s, r, by, err);
                }
        }
        if (ret < 0)
                return error_while(err, "saving compute node %s", r->hypervisor_hostname);
        return 0;
}

void node_list_free(struct node_list *l)
{
        for (unsigned n = 0; n < l->n; n++)
                free(l->items[n].name);
        free(l->items);
        *l = (struct node_list){};
}

int store_compute_nodes_of_host(struct store *s, struct node_list *ret, struct deadline by, struct error *err)
{
        static const struct column ids[] = {
                { "id", AS_INT, offsetof(struct node_id, id) },
                { "uuid", AS_UUID, offsetof(struct node_id, uuid) },
                { "hypervisor_hostname", AS_TEXT, offsetof(struct node_id, name) },
        };
        struct db_value host = db_text(s->host);
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_pool_select(s->db,
                           "SELECT id, uuid, hypervisor_hostname FROM compute_nodes WHERE deleted = 0 AND "
                           "host = ? ORDER BY id",
                           &host, 1, &r, by, err) < 0)
                return error_while(err, "reading the compute nodes of host %s", s->host);
        ret->n = (unsigned)db_result_rows(r);
        ret->items = xcalloc(ret->n + 1, sizeof(*ret->items));
        for (unsigned n = 0; n < ret->n; n++)
                row_read(ids, ARRAY_SIZE(ids), db_result_row(r, n), &ret->items[n]);
        return 0;
}

int store_compute_node_forget(struct store *s, const struct node_id *node, struct deadline by,
                              struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        query_add(&q, "UPDATE compute_nodes SET deleted = id, deleted_at = ? WHERE deleted = 0 AND id = ?");
        query_time(&q, clock_wall_s());
        query_value(&q, db_int(node->id));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return error_while(err, "forgetting compute node %s of host %s", node->name, s->host);
        return 0;
}
