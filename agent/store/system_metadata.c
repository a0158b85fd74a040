/* agent/store/system_metadata.c: making the rows of an instance's system_metadata what the instance says. */
#include "store/store_priv.h"

#include <string.h>

#include "base/mem.h"

#define VALUE_MAX 255

static const struct db_value *row_of_key(const struct db_result *r, const char *key)
{
        for (size_t n = 0; n < db_result_rows(r); n++)
                if (!strcmp(db_result_row(r, n)[1].s, key))
                        return db_result_row(r, n);
        return NULL;
}

static int YIELDS insert(struct db_conn *c, const char *uuid, const char *key, const char *value,
                         const char *now, struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(now), db_text(key), db_text(value), db_text(uuid) };

        return db_exec(
                c,
                "INSERT INTO instance_system_metadata (created_at, deleted, `key`, value, instance_uuid) "
                "VALUES (?, 0, ?, ?, ?)",
                values, ARRAY_SIZE(values), NULL, NULL, by, err);
}

static int YIELDS update(struct db_conn *c, int64_t id, const char *value, const char *now,
                         struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(now), db_text(value), db_int(id) };

        return db_exec(c, "UPDATE instance_system_metadata SET updated_at = ?, value = ? WHERE id = ?",
                       values, ARRAY_SIZE(values), NULL, NULL, by, err);
}

/* Keys that the instance has no more are deleted for good, as nova does. */
static int YIELDS delete_others(struct db_conn *c, const struct instance *i, const struct db_result *r,
                                struct deadline by, struct error *err)
{
        for (size_t n = 0; n < db_result_rows(r); n++) {
                const struct db_value *row = db_result_row(r, n);

                if (!instance_system_meta(i, row[1].s) &&
                    db_exec(c, "DELETE FROM instance_system_metadata WHERE id = ?", &row[0], 1, NULL, NULL,
                            by, err) < 0)
                        return -1;
        }
        return 0;
}

int system_metadata_save(struct db_conn *c, const struct instance *i, time_t now, struct deadline by,
                         struct error *err)
{
        struct db_value uuid = db_text(i->uuid);
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        char at[TIME_TEXT];

        time_text(now, at);
        if (db_select(c,
                      "SELECT id, `key`, value FROM instance_system_metadata WHERE instance_uuid = ? AND "
                      "deleted = 0",
                      &uuid, 1, &r, by, err) < 0)
                return -1;
        for (unsigned n = 0; n < i->n_system_metadata; n++) {
                CLEANUP(freep) char *value = text_for_column(i->system_metadata[n].value, VALUE_MAX);
                const struct db_value *row = row_of_key(r, i->system_metadata[n].key);
                int done;

                if (!row)
                        done = insert(c, i->uuid, i->system_metadata[n].key, value, at, by, err);
                else if (row[2].type != DB_TEXT || strcmp(row[2].s, value) != 0)
                        done = update(c, row[0].i, value, at, by, err);
                else
                        done = 0;
                if (done < 0)
                        return -1;
        }
        return delete_others(c, i, r, by, err);
}
