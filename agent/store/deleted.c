/*
 * agent/store/deleted.c: what deleted instances left behind on this host: rows whose files may still be
 * there, and migrations that ended in an error (nova-contract 4.7).
 */
#include "store/store_priv.h"

#include <stdio.h>

#include "base/mem.h"

#define AT_ONCE      1000 /* rows of one answer; the next run of the task takes the next */
#define DELETED_ROWS "i.deleted = i.id AND (i.vm_state IS NULL OR i.vm_state <> 'soft-delete')"

/* ---- files ---- */

int store_pending_deletes(struct store *s, int64_t max_attempts, struct pending_delete **ret, unsigned *ret_n,
                          struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(s->host), db_int(max_attempts), db_int(AT_ONCE) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        struct pending_delete *found;

        /* Metadata of a deleted instance is soft-deleted itself, or was written since. */
        if (db_pool_select(
                    s->db,
                    "SELECT i.uuid, CAST(COALESCE(MAX(CAST(m.value AS SIGNED)), 0) AS SIGNED) AS attempts "
                    "FROM instances i LEFT JOIN instance_system_metadata m ON m.instance_uuid = i.uuid "
                    "AND m.`key` = 'clean_attempts' WHERE i.host = ? AND i.cleaned = 0 AND " DELETED_ROWS
                    " GROUP BY i.id, i.uuid HAVING attempts < ? ORDER BY i.id LIMIT ?",
                    values, ARRAY_SIZE(values), &r, by, err) < 0)
                return error_while(err, "reading deleted instances whose files may be left");
        *ret_n = (unsigned)db_result_rows(r);
        *ret = found = xcalloc(*ret_n + 1, sizeof(*found));
        for (unsigned n = 0; n < *ret_n; n++) {
                const struct db_value *row = db_result_row(r, n);

                snprintf(found[n].uuid, sizeof(found[n].uuid), "%s", row[0].s);
                found[n].attempts = row[1].i;
        }
        return 0;
}

struct attempt {
        const char *uuid, *attempts, *now;
        bool cleaned;
};

static int note_attempt(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        const struct attempt *a = arg;
        const struct db_value row[] = { db_text(a->now), db_int(a->cleaned), db_text(a->uuid) };
        const struct db_value meta[] = { db_text(a->now), db_text(a->attempts), db_text(a->uuid) };
        uint64_t matched;

        assert_green();
        if (db_exec(c, "UPDATE instances SET updated_at = ?, cleaned = ? WHERE uuid = ? AND deleted = id",
                    row, ARRAY_SIZE(row), &matched, NULL, by, err) < 0)
                return -1;
        if (!matched)
                return not_found(a->uuid, err);
        if (db_exec(c,
                    "UPDATE instance_system_metadata SET updated_at = ?, value = ? WHERE instance_uuid = ? "
                    "AND "
                    "`key` = 'clean_attempts'",
                    meta, ARRAY_SIZE(meta), &matched, NULL, by, err) < 0 ||
            matched)
                return matched ? 0 : -1;
        return db_exec(
                c,
                "INSERT INTO instance_system_metadata (created_at, deleted, value, instance_uuid, `key`) "
                "VALUES (?, 0, ?, ?, 'clean_attempts')",
                meta, ARRAY_SIZE(meta), NULL, NULL, by, err);
}

int store_pending_delete_note(struct store *s, const char *uuid, int64_t attempts, bool cleaned,
                              struct deadline by, struct error *err)
{
        char number[24], now[TIME_TEXT];
        struct attempt a = { .uuid = uuid, .attempts = number, .now = now, .cleaned = cleaned };

        snprintf(number, sizeof(number), "%lld", (long long)attempts);
        time_text(clock_wall_s(), now);
        if (db_transaction(s->db, note_attempt, &a, by, err) < 0)
                return error_while(err, "noting an attempt to remove the files of instance %s", uuid);
        return 0;
}

/* ---- migrations ---- */

int store_stale_migrations(struct store *s, struct stale_migration **ret, unsigned *ret_n, struct deadline by,
                           struct error *err)
{
        const struct db_value values[] = { db_text(s->host), db_text(s->host), db_text(s->host),
                                           db_int(AT_ONCE) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        struct stale_migration *found;

        if (db_pool_select(
                    s->db,
                    "SELECT m.id, i.uuid FROM migrations m JOIN instances i ON i.uuid = m.instance_uuid "
                    "WHERE m.deleted = 0 AND m.status = 'error' AND (m.source_compute = ? OR "
                    "m.dest_compute = ?) AND (i.host IS NULL OR i.host <> ?) AND " DELETED_ROWS
                    " ORDER BY m.id LIMIT ?",
                    values, ARRAY_SIZE(values), &r, by, err) < 0)
                return error_while(err, "reading migrations of deleted instances");
        *ret_n = (unsigned)db_result_rows(r);
        *ret = found = xcalloc(*ret_n + 1, sizeof(*found));
        for (unsigned n = 0; n < *ret_n; n++) {
                const struct db_value *row = db_result_row(r, n);

                found[n].id = row[0].i;
                snprintf(found[n].uuid, sizeof(found[n].uuid), "%s", row[1].s);
        }
        return 0;
}
