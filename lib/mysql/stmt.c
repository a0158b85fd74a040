/*
 * lib/mysql/stmt.c: prepared statements, kept per connection, and running them.
 *
 * A statement is prepared once per connection and found again by its text: the second use is one round trip.
 * Values go to the server beside the text and are never part of it.
 */
#include <errmsg.h>
#include <string.h>

#include "base/mem.h"
#include "mysql/mysql_priv.h"

/* Some errors of the network are noted in the connection only. */
int stmt_fail(struct db_conn *c, MYSQL_STMT *stmt, struct error *err)
{
        if (mysql_stmt_errno(stmt))
                return conn_fail(c, mysql_stmt_errno(stmt), mysql_stmt_error(stmt), err);
        if (mysql_errno(c->mysql))
                return conn_fail(c, mysql_errno(c->mysql), mysql_error(c->mysql), err);
        return conn_fail(c, CR_UNKNOWN_ERROR, "unknown error", err);
}

static void stmt_free(struct db_conn *c, struct db_stmt *s)
{
        list_remove(&s->link);
        c->n_stmts--;
        mysql_stmt_close(s->stmt);
        free(s->sql);
        free(s);
}

void stmts_free(struct db_conn *c)
{
        while (!list_empty(&c->stmts))
                stmt_free(c, CONTAINER_OF(c->stmts.next, struct db_stmt, link));
}

static struct db_stmt *stmt_find(struct db_conn *c, const char *sql, size_t len)
{
        list_for_each (pos, &c->stmts) {
                struct db_stmt *s = CONTAINER_OF(pos, struct db_stmt, link);

                if (s->len == len && !memcmp(s->sql, sql, len))
                        return s;
        }
        return NULL;
}

/* From the cache, or prepared now. Between conn_begin() and conn_end(). */
static struct db_stmt *YIELDS stmt_get(struct db_conn *c, const char *sql, struct error *err)
{
        size_t len = strlen(sql);
        struct db_stmt *s = stmt_find(c, sql, len);

        if (s) {
                list_remove(&s->link);
                list_prepend(&c->stmts, &s->link);
                return s;
        }
        if (c->n_stmts >= STMTS_MAX)
                stmt_free(c, CONTAINER_OF(c->stmts.prev, struct db_stmt, link));
        s = NEW(struct db_stmt);
        s->sql = xmemdup(sql, len);
        s->len = len;
        s->stmt = mysql_stmt_init(c->mysql);
        list_prepend(&c->stmts, &s->link);
        c->n_stmts++;
        if (!s->stmt || mysql_stmt_prepare(s->stmt, sql, len)) {
                if (s->stmt)
                        stmt_fail(c, s->stmt, err);
                else
                        error_set(err, ERR_SYSTEM, "libmariadb: out of memory");
                stmt_free(c, s);
                return NULL;
        }
        return s;
}

/* The arrays belong to one execution: libmariadb reads them in mysql_stmt_execute() only. */
static void bind_value(MYSQL_BIND *b, const struct db_value *v, unsigned long *len)
{
        switch (v->type) {
        case DB_INT:
                b->buffer_type = MYSQL_TYPE_LONGLONG;
                b->buffer = (void *)&v->i;
                break;
        case DB_DOUBLE:
                b->buffer_type = MYSQL_TYPE_DOUBLE;
                b->buffer = (void *)&v->d;
                break;
        case DB_TEXT:
                *len = v->len;
                b->buffer_type = MYSQL_TYPE_STRING;
                b->buffer = (void *)v->s;
                b->buffer_length = v->len;
                b->length = len;
                break;
        case DB_NULL:
                b->buffer_type = MYSQL_TYPE_NULL;
                break;
        }
}

static int YIELDS execute(struct db_conn *c, struct db_stmt *s, const struct db_value *values, size_t n,
                          struct error *err)
{
        CLEANUP(freep) MYSQL_BIND *binds = xcalloc(n + 1, sizeof(binds[0]));
        CLEANUP(freep) unsigned long *lens = xcalloc(n + 1, sizeof(lens[0]));

        if (mysql_stmt_param_count(s->stmt) != n)
                return error_set(err, ERR_INVALID, "the statement takes %lu values, %zu were given",
                                 mysql_stmt_param_count(s->stmt), n);
        for (size_t i = 0; i < n; i++)
                bind_value(&binds[i], &values[i], &lens[i]);
        if ((n && mysql_stmt_bind_param(s->stmt, binds)) || mysql_stmt_execute(s->stmt)) {
                /* "Gone away" is libmariadb's word for a statement that could not be sent whole. */
                c->sent = mysql_stmt_errno(s->stmt) != CR_SERVER_GONE_ERROR;
                return stmt_fail(c, s->stmt, err);
        }
        return 0;
}

int db_exec(struct db_conn *c, const char *sql, const struct db_value *values, size_t n,
            uint64_t *ret_affected, uint64_t *ret_id, struct deadline by, struct error *err)
{
        struct db_stmt *s;
        int r = -1;

        if (conn_begin(c, by, err) < 0)
                return -1;
        s = stmt_get(c, sql, err);
        if (s && execute(c, s, values, n, err) == 0) {
                uint64_t affected = mysql_stmt_affected_rows(s->stmt), id = mysql_stmt_insert_id(s->stmt);

                r = 0;
                /* Rows that nobody wants are read and thrown away, which may wait. */
                if (mysql_stmt_field_count(s->stmt) && mysql_stmt_free_result(s->stmt))
                        r = stmt_fail(c, s->stmt, err);
                if (r == 0 && ret_affected)
                        *ret_affected = affected;
                if (r == 0 && ret_id)
                        *ret_id = id;
        }
        conn_end(c);
        return r;
}

int db_select(struct db_conn *c, const char *sql, const struct db_value *values, size_t n,
              struct db_result **ret, struct deadline by, struct error *err)
{
        struct db_stmt *s;
        int r = -1;

        if (conn_begin(c, by, err) < 0)
                return -1;
        s = stmt_get(c, sql, err);
        if (s && execute(c, s, values, n, err) == 0)
                r = result_read(c, s->stmt, ret, err);
        conn_end(c);
        return r;
}

/* Each statement has its own answer; the first bad one ends the script. */
static int YIELDS run_script(struct db_conn *c, const char *sql, struct error *err)
{
        int more = 0, r = 0;

        if (mysql_set_server_option(c->mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON))
                return conn_fail(c, mysql_errno(c->mysql), mysql_error(c->mysql), err);
        if (mysql_real_query(c->mysql, sql, strlen(sql)))
                r = conn_fail(c, mysql_errno(c->mysql), mysql_error(c->mysql), err);
        while (r == 0 && more == 0) {
                MYSQL_RES *rows = mysql_use_result(c->mysql);

                mysql_free_result(rows); /* reads to its end; NULL is allowed */
                more = mysql_next_result(c->mysql);
                if (more > 0)
                        r = conn_fail(c, mysql_errno(c->mysql), mysql_error(c->mysql), err);
        }
        if (c->state == CONN_LENT && mysql_set_server_option(c->mysql, MYSQL_OPTION_MULTI_STATEMENTS_OFF)) {
                struct error ignored = {};

                conn_fail(c, mysql_errno(c->mysql), mysql_error(c->mysql), r == 0 ? err : &ignored);
                r = -1;
        }
        return r;
}

int db_script(struct db_conn *c, const char *sql, struct deadline by, struct error *err)
{
        int r;

        if (conn_begin(c, by, err) < 0)
                return -1;
        r = run_script(c, sql, err);
        conn_end(c);
        return r;
}
