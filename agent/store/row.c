/* agent/store/row.c: columns to fields and back; statements and their values built side by side. */
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void time_text(time_t t, char ret[TIME_TEXT])
{
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(ret, TIME_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
}

time_t time_parse(const char *text)
{
        struct tm tm = {};
        const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);

        /* A fraction may follow: nobody writes one, but a column may be declared with it. */
        return end && (!*end || *end == '.') ? timegm(&tm) : 0;
}

static const char *text_of(const struct db_value *v)
{
        return v->type == DB_TEXT ? v->s : NULL;
}

static void read_field(const struct column *c, const struct db_value *v, void *field)
{
        switch (c->kind) {
        case AS_INT:
                *(int64_t *)field = v->type == DB_INT ? v->i : 0;
                break;
        case AS_INDEX:
                *(int64_t *)field = v->type == DB_INT ? v->i : -1;
                break;
        case AS_REAL:
                *(double *)field = v->type == DB_DOUBLE ? v->d : v->type == DB_INT ? (double)v->i : 0;
                break;
        case AS_BOOL:
                *(bool *)field = v->type == DB_INT && v->i != 0;
                break;
        case AS_TEXT:
                replace_str(field, text_of(v));
                break;
        case AS_UUID:
                snprintf(field, UUID_LEN + 1, "%s", text_of(v) ? text_of(v) : "");
                break;
        case AS_TIME:
                *(time_t *)field = text_of(v) ? time_parse(text_of(v)) : 0;
                break;
        case AS_VM_STATE:
                *(enum vm_state *)field = vm_state_parse(text_of(v));
                break;
        case AS_TASK_STATE:
                *(enum task_state *)field = task_state_parse(text_of(v));
                break;
        case AS_POWER_STATE:
                *(enum power_state *)field = v->type == DB_INT ? (enum power_state)v->i : POWER_NOSTATE;
                break;
        }
}

void row_read(const struct column *columns, size_t n, const struct db_value *row, void *into)
{
        for (size_t i = 0; i < n; i++)
                read_field(&columns[i], &row[i], (char *)into + columns[i].offset);
}

/* One field as a value to bind; a time is printed into ret_time. */
static struct db_value column_value(const struct column *c, const void *from, char ret_time[TIME_TEXT])
{
        const void *field = (const char *)from + c->offset;

        switch (c->kind) {
        case AS_INT:
                return db_int(*(const int64_t *)field);
        case AS_INDEX:
                return *(const int64_t *)field < 0 ? db_null() : db_int(*(const int64_t *)field);
        case AS_REAL:
                return db_double(*(const double *)field);
        case AS_BOOL:
                return db_int(*(const bool *)field);
        case AS_TEXT:
                return db_text(*(char *const *)field);
        case AS_UUID:
                return db_text(field);
        case AS_TIME:
                if (!*(const time_t *)field)
                        return db_null();
                time_text(*(const time_t *)field, ret_time);
                return db_text(ret_time);
        case AS_VM_STATE:
                return db_text(vm_state_name(*(const enum vm_state *)field));
        case AS_TASK_STATE:
                return db_text(task_state_name(*(const enum task_state *)field));
        case AS_POWER_STATE:
                return db_int(*(const enum power_state *)field);
        }
        return db_null();
}

int column_check(const struct column *c, const void *from, struct error *err)
{
        const void *field = (const char *)from + c->offset;

        if ((c->kind == AS_VM_STATE && *(const enum vm_state *)field == VM_UNKNOWN) ||
            (c->kind == AS_TASK_STATE && *(const enum task_state *)field == TASK_UNKNOWN))
                return error_set(err, ERR_INVALID,
                                 "%s is a state of another release, which this one does not write", c->name);
        return 0;
}

void columns_list(struct strbuf *sql, const char *prefix, const struct column *columns, size_t n)
{
        for (size_t i = 0; i < n; i++)
                strbuf_addf(sql, "%s%s%s", i ? ", " : "", prefix, columns[i].name);
}

void query_free(struct query *q)
{
        strbuf_free(&q->sql);
}

void query_add(struct query *q, const char *sql)
{
        strbuf_adds(&q->sql, sql);
}

void query_value(struct query *q, struct db_value v)
{
        if (q->n == ARRAY_SIZE(q->values)) {
                fprintf(stderr, "agent/store: too many values for one statement: %s\n", q->sql.data);
                abort();
        }
        q->values[q->n++] = v;
}

void query_time(struct query *q, time_t t)
{
        query_field(q, &(struct column){ .kind = AS_TIME }, &t);
}

void query_field(struct query *q, const struct column *c, const void *from)
{
        char *time = NULL;

        if (c->kind == AS_TIME) {
                if (q->n_times == ARRAY_SIZE(q->times)) {
                        fprintf(stderr, "agent/store: too many times for one statement: %s\n", q->sql.data);
                        abort();
                }
                time = q->times[q->n_times++];
        }
        query_value(q, column_value(c, from, time));
}

int query_exec(struct store *s, struct db_conn *c, const struct query *q, uint64_t *ret_affected,
               uint64_t *ret_id, struct deadline by, struct error *err)
{
        if (c)
                return db_exec(c, q->sql.data, q->values, q->n, ret_affected, ret_id, by, err);
        return db_pool_exec(s->db, q->sql.data, q->values, q->n, ret_affected, ret_id, by, err);
}
