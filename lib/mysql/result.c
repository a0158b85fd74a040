/*
 * lib/mysql/result.c: the rows of one statement, copied out of libmariadb while they arrive.
 *
 * Rows are read one by one instead of by mysql_stmt_store_result(), so that the bounds hold before the memory
 * is taken, and so that a result as fast as the hub can read still lets the others run. Text lies in chunks
 * that never move; values of all rows are one array.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "mysql/mysql_priv.h"

#define CHUNK_SIZE      (16u << 10)
#define ROWS_PER_SWITCH 64

struct chunk {
        struct chunk *next;
        size_t used, size;
        char data[];
};

struct db_result {
        size_t rows, columns, rows_room;
        size_t bytes; /* of values and text, to be held against RESULT_BYTES_MAX */
        char **names;
        struct db_value *values;
        struct chunk *chunks;
};

/* What libmariadb fills for each row. */
struct column {
        enum db_type type;
        bool is_unsigned;
        my_bool is_null, error;
        unsigned long len;
        int64_t i;
        double d;
};

struct db_value db_null(void)
{
        return (struct db_value){ .type = DB_NULL };
}

struct db_value db_int(int64_t i)
{
        return (struct db_value){ .type = DB_INT, .i = i };
}

struct db_value db_double(double d)
{
        return (struct db_value){ .type = DB_DOUBLE, .d = d };
}

struct db_value db_text(const char *s)
{
        return s ? db_textn(s, strlen(s)) : db_null();
}

struct db_value db_textn(const char *s, size_t len)
{
        return (struct db_value){ .type = DB_TEXT, .s = s, .len = len };
}

size_t db_result_rows(const struct db_result *r)
{
        return r->rows;
}

size_t db_result_columns(const struct db_result *r)
{
        return r->columns;
}

const struct db_value *db_result_row(const struct db_result *r, size_t row)
{
        return row < r->rows ? r->values + row * r->columns : NULL;
}

const char *db_result_column_name(const struct db_result *r, size_t column)
{
        return column < r->columns ? r->names[column] : NULL;
}

void db_result_free(struct db_result *r)
{
        if (!r)
                return;
        for (size_t i = 0; i < r->columns; i++)
                free(r->names[i]);
        while (r->chunks) {
                struct chunk *next = r->chunks->next;

                free(r->chunks);
                r->chunks = next;
        }
        free(r->names);
        free(r->values);
        free(r);
}

void db_result_freep(struct db_result **r)
{
        db_result_free(*r);
        *r = NULL;
}

static int too_large(struct error *err)
{
        return error_set(err, ERR_LIMIT, "the database returned more than %u rows or %u MiB", RESULT_ROWS_MAX,
                         RESULT_BYTES_MAX >> 20);
}

/* Room for len bytes and a NUL. NULL when memory ends. */
static char *text_room(struct db_result *r, size_t len)
{
        struct chunk *c = r->chunks;
        char *room;

        if (!c || c->size - c->used <= len) {
                size_t size = len + 1 > CHUNK_SIZE / 4 ? len + 1 : CHUNK_SIZE;

                c = malloc(sizeof(*c) + size);
                if (!c)
                        return NULL;
                c->used = 0;
                c->size = size;
                c->next = r->chunks;
                r->chunks = c;
        }
        room = c->data + c->used;
        c->used += len + 1;
        room[len] = '\0';
        return room;
}

static int row_room(struct db_result *r, struct error *err)
{
        size_t rows = r->rows_room ? r->rows_room * 2 : 4;
        struct db_value *values;

        r->bytes += r->columns * sizeof(r->values[0]);
        if (r->rows >= RESULT_ROWS_MAX || r->bytes > RESULT_BYTES_MAX)
                return too_large(err);
        if (r->rows < r->rows_room)
                return 0;
        values = realloc(r->values, rows * r->columns * sizeof(values[0]));
        if (!values)
                return error_set(err, ERR_LIMIT, "no memory for the rows of the database");
        r->values = values;
        r->rows_room = rows;
        return 0;
}

static enum db_type type_of(enum enum_field_types t)
{
        switch (t) {
        case MYSQL_TYPE_TINY:
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_LONGLONG:
        case MYSQL_TYPE_YEAR:
                return DB_INT;
        case MYSQL_TYPE_FLOAT:
        case MYSQL_TYPE_DOUBLE:
                return DB_DOUBLE;
        case MYSQL_TYPE_NULL:
                return DB_NULL;
        default:
                return DB_TEXT; /* also times and decimals, as the server prints them */
        }
}

static void bind_column(MYSQL_BIND *b, struct column *col, const MYSQL_FIELD *field)
{
        col->type = type_of(field->type);
        col->is_unsigned = field->flags & UNSIGNED_FLAG;
        b->is_null = &col->is_null;
        b->error = &col->error;
        b->length = &col->len;
        switch (col->type) {
        case DB_INT:
                b->buffer_type = MYSQL_TYPE_LONGLONG;
                b->buffer = &col->i;
                b->buffer_length = sizeof(col->i);
                b->is_unsigned = col->is_unsigned;
                break;
        case DB_DOUBLE:
                b->buffer_type = MYSQL_TYPE_DOUBLE;
                b->buffer = &col->d;
                b->buffer_length = sizeof(col->d);
                break;
        case DB_NULL:
        case DB_TEXT:
                b->buffer_type = MYSQL_TYPE_STRING; /* no buffer yet: its length comes with the row */
                break;
        }
}

static int take_text(struct db_result *r, MYSQL_STMT *stmt, unsigned i, size_t len, struct db_value *ret,
                     struct error *err)
{
        MYSQL_BIND b = { .buffer_type = MYSQL_TYPE_STRING, .buffer_length = len };
        unsigned long got = 0;
        my_bool is_null = 0, truncated = 0;

        r->bytes += len + 1;
        if (r->bytes > RESULT_BYTES_MAX)
                return too_large(err);
        b.buffer = text_room(r, len);
        b.length = &got;
        b.is_null = &is_null;
        b.error = &truncated;
        if (!b.buffer)
                return error_set(err, ERR_LIMIT, "no memory for the rows of the database");
        *ret = db_textn(b.buffer, len);
        if (len && mysql_stmt_fetch_column(stmt, &b, i, 0))
                return error_set(err, ERR_PROTOCOL, "%s", mysql_stmt_error(stmt));
        return 0;
}

static int take_row(struct db_result *r, MYSQL_STMT *stmt, const struct column *cols, struct error *err)
{
        struct db_value *row;

        if (row_room(r, err) < 0)
                return -1;
        row = r->values + r->rows * r->columns;
        for (unsigned i = 0; i < r->columns; i++) {
                const struct column *col = &cols[i];

                if (col->is_null || col->type == DB_NULL)
                        row[i] = db_null();
                else if (col->type == DB_INT && col->is_unsigned && col->i < 0)
                        return error_set(err, ERR_LIMIT, "column %s: a number beyond 63 bits", r->names[i]);
                else if (col->type == DB_INT)
                        row[i] = db_int(col->i);
                else if (col->type == DB_DOUBLE)
                        row[i] = db_double(col->d);
                else if (take_text(r, stmt, i, col->len, &row[i], err) < 0)
                        return -1;
        }
        r->rows++;
        return 0;
}

static int YIELDS read_rows(struct db_conn *c, MYSQL_STMT *stmt, struct db_result *r, struct column *cols,
                            struct error *err)
{
        for (;;) {
                int got = mysql_stmt_fetch(stmt);

                if (got == MYSQL_NO_DATA)
                        return 0;
                if (got != 0 && got != MYSQL_DATA_TRUNCATED)
                        return stmt_fail(c, stmt, err);
                if (take_row(r, stmt, cols, err) < 0) {
                        conn_break(c, err); /* the rest of the rows is still to come */
                        return -1;
                }
                if (r->rows % ROWS_PER_SWITCH == 0)
                        green_yield();
        }
}

static int YIELDS read_result(struct db_conn *c, MYSQL_STMT *stmt, MYSQL_RES *meta, struct db_result *r,
                              struct error *err)
{
        const MYSQL_FIELD *fields = mysql_fetch_fields(meta);
        size_t n = mysql_num_fields(meta);
        CLEANUP(freep) struct column *cols = xcalloc(n, sizeof(cols[0]));
        CLEANUP(freep) MYSQL_BIND *binds = xcalloc(n, sizeof(binds[0]));

        r->names = xcalloc(n, sizeof(r->names[0]));
        for (size_t i = 0; i < n; i++) {
                r->names[i] = xstrdup(fields[i].name);
                bind_column(&binds[i], &cols[i], &fields[i]);
        }
        r->columns = n;
        if (mysql_stmt_bind_result(stmt, binds))
                return stmt_fail(c, stmt, err);
        return read_rows(c, stmt, r, cols, err);
}

int result_read(struct db_conn *c, MYSQL_STMT *stmt, struct db_result **ret, struct error *err)
{
        CLEANUP(db_result_freep) struct db_result *r = NEW(struct db_result);
        MYSQL_RES *meta = mysql_stmt_result_metadata(stmt);
        int failed = 0;

        if (meta) {
                failed = read_result(c, stmt, meta, r, err);
                mysql_free_result(meta);
                if (c->state == CONN_LENT && mysql_stmt_free_result(stmt) && !failed)
                        failed = stmt_fail(c, stmt, err);
        } else if (mysql_stmt_field_count(stmt)) {
                failed = stmt_fail(c, stmt, err);
        }
        if (failed)
                return -1;
        *ret = take_ptr(&r);
        return 0;
}
