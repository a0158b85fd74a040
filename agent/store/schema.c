/*
 * agent/store/schema.c: the tables of the cell database: are they there, and making them where there are
 * none.
 *
 * The shipped schema is the one list of what the agent needs. Its text is also read line by line, so that a
 * database of another release is told at the start by the names of what it lacks, and not by a failed
 * statement in the middle of a boot.
 */
#include "store/store_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/cell_schema.h"

#define NAME_MAX_LEN 64

/* `name` at s into ret; what follows, or NULL. */
static const char *quoted(const char *s, char ret[NAME_MAX_LEN + 1])
{
        const char *end = *s == '`' ? strchr(s + 1, '`') : NULL;

        if (!end || end - s - 1 > NAME_MAX_LEN)
                return NULL;
        snprintf(ret, NAME_MAX_LEN + 1, "%.*s", (int)(end - s - 1), s + 1);
        return end + 1;
}

int cell_schema_foreach(int (*fn)(const char *table, const char *column, void *arg), void *arg)
{
        static const char create[] = "CREATE TABLE ";
        char table[NAME_MAX_LEN + 1] = "", column[NAME_MAX_LEN + 1];

        for (const char *line = cell_schema_sql; *line;) {
                const char *end = strchr(line, '\n');
                int r = 0;

                if (!strncmp(line, create, sizeof(create) - 1))
                        quoted(line + sizeof(create) - 1, table);
                else if (!strncmp(line, "  `", 3) && quoted(line + 2, column))
                        r = fn(table, column, arg);
                if (r)
                        return r;
                line = end ? end + 1 : line + strlen(line);
        }
        return 0;
}

struct missing {
        const struct db_result *there;
        char table[NAME_MAX_LEN + 1]; /* the last one that is missing as a whole */
        unsigned n;
        struct strbuf names;
};

static bool has(const struct db_result *there, const char *table, const char *column)
{
        for (size_t i = 0; i < db_result_rows(there); i++) {
                const struct db_value *row = db_result_row(there, i);

                if (!strcmp(row[0].s, table) && (!column || !strcasecmp(row[1].s, column)))
                        return true;
        }
        return false;
}

static int note_missing(const char *table, const char *column, void *arg)
{
        struct missing *m = arg;
        bool whole = !has(m->there, table, NULL);

        if (whole ? !strcmp(m->table, table) : has(m->there, table, column))
                return 0;
        if (whole)
                snprintf(m->table, sizeof(m->table), "%s", table);
        m->n++;
        strbuf_addf(&m->names, "%s%s%s%s%s", m->names.len ? ", " : "", whole ? "table " : "column ", table,
                    whole ? "" : ".", whole ? "" : column);
        return 0;
}

int store_check_schema(struct store *s, struct deadline by, struct error *err)
{
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        struct missing m = {};

        if (db_pool_select(s->db,
                           "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE "
                           "TABLE_SCHEMA = DATABASE()",
                           NULL, 0, &r, by, err) < 0)
                return error_while(err, "reading the schema of the database");
        m.there = r;
        cell_schema_foreach(note_missing, &m);
        if (m.n) {
                if (!db_result_rows(r))
                        error_set(err, ERR_INVALID,
                                  "the database is empty: compute-agentctl db-init, or nova's own db sync, "
                                  "makes its tables");
                else
                        error_set(err, ERR_INVALID, "the database lacks %.*s%s", 380, m.names.data,
                                  m.names.len > 380 ? " ..." : "");
        }
        strbuf_free(&m.names);
        return m.n ? -1 : 0;
}

int store_init_schema(struct store *s, struct deadline by, struct error *err)
{
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        struct db_conn *c = db_pool_get(s->db, by, err);
        int ret = -1;

        if (!c)
                return -1;
        if (db_select(c,
                      "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
                      "LIMIT 1",
                      NULL, 0, &r, by, err) == 0) {
                if (db_result_rows(r))
                        error_set(
                                err, ERR_INVALID,
                                "the database is not empty (it has a table %s): only an empty one is filled",
                                db_result_row(r, 0)[0].s);
                else if (db_script(c, cell_schema_sql, by, err) < 0)
                        error_while(err, "making the tables, some of which may be there now");
                else
                        ret = 0;
        }
        db_pool_put(c);
        return ret;
}
