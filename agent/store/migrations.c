/*
 * agent/store/migrations.c: what is left of moves that this host was a part of (nova-contract 4.2, 4.3). This
 * agent moves nothing itself: it only ends what others began.
 */
#include "store/store_priv.h"

#include <stdlib.h>

#include "base/mem.h"

#define FIELD(column, kind, member)                              \
        {                                                        \
                column, kind, offsetof(struct migration, member) \
        }
static const struct column columns[] = {
        FIELD("id", AS_INT, id),
        FIELD("instance_uuid", AS_UUID, instance_uuid),
        FIELD("source_node", AS_TEXT, source_node),
        FIELD("status", AS_TEXT, status),
};
#undef FIELD

void migration_list_free(struct migration_list *l)
{
        for (unsigned n = 0; n < l->n; n++) {
                free(l->items[n].source_node);
                free(l->items[n].status);
        }
        free(l->items);
        *l = (struct migration_list){};
}

static int YIELDS read_list(struct store *s, const struct query *q, struct migration_list *ret,
                            struct deadline by, struct error *err)
{
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_pool_select(s->db, q->sql.data, q->values, q->n, &r, by, err) < 0)
                return -1;
        ret->n = (unsigned)db_result_rows(r);
        ret->items = xcalloc(ret->n + 1, sizeof(*ret->items));
        for (unsigned n = 0; n < ret->n; n++)
                row_read(columns, ARRAY_SIZE(columns), db_result_row(r, n), &ret->items[n]);
        return 0;
}

int store_evacuations_from_here(struct store *s, struct migration_list *ret, struct deadline by,
                                struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        query_add(&q, "SELECT ");
        columns_list(&q.sql, "", columns, ARRAY_SIZE(columns));
        query_add(&q,
                  " FROM migrations WHERE source_compute = ? AND migration_type = 'evacuation' AND status "
                  "IN ('accepted', 'pre-migrating', 'done') ORDER BY id");
        query_value(&q, db_text(s->host));
        if (read_list(s, &q, ret, by, err) < 0)
                return error_while(err, "reading evacuations from host %s", s->host);
        return 0;
}

int store_migrations_of(struct store *s, const char *uuid, const char *status, struct migration_list *ret,
                        struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        query_add(&q, "SELECT ");
        columns_list(&q.sql, "", columns, ARRAY_SIZE(columns));
        query_add(&q, " FROM migrations WHERE deleted = 0 AND instance_uuid = ? AND status = ? ORDER BY id");
        query_value(&q, db_text(uuid));
        query_value(&q, db_text(status));
        if (read_list(s, &q, ret, by, err) < 0)
                return error_while(err, "reading the migrations of instance %s", uuid);
        return 0;
}

int store_migration_set_status(struct store *s, int64_t id, const char *status, struct deadline by,
                               struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        query_add(&q, "UPDATE migrations SET updated_at = ?, status = ? WHERE id = ?");
        query_time(&q, clock_wall_s());
        query_value(&q, db_text(status));
        query_value(&q, db_int(id));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return error_while(err, "setting migration %lld to %s", (long long)id, status);
        return 0;
}
