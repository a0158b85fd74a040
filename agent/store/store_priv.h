/* agent/store/store_priv.h: what the files of agent/store share: rows to structs and back, by tables of
 * columns. */
#pragma once

#include "base/list.h"
#include "base/strbuf.h"
#include "store/store.h"

/* How a column is held in a struct. */
enum column_kind {
        AS_INT,   /* int64_t; NULL reads as 0 */
        AS_INDEX, /* int64_t; NULL is -1, both ways */
        AS_REAL,  /* double */
        AS_BOOL,  /* bool; any number but 0 reads as true */
        AS_TEXT,  /* char *, owned */
        AS_UUID,  /* char[UUID_LEN + 1] */
        AS_TIME,  /* time_t; 0 is NULL, both ways */
        AS_VM_STATE,
        AS_TASK_STATE,
        AS_POWER_STATE,
};
struct column {
        const char *name; /* as in SQL: quoted where it must be */
        enum column_kind kind;
        size_t offset;
};

#define TIME_TEXT 20 /* "2026-11-23 08:44:27" and a NUL */

/* The text of a time of the database, whole seconds, UTC. */
void time_text(time_t t, char ret[TIME_TEXT]);
time_t time_parse(const char *text); /* 0 when it is none */

/* Fills the fields of a struct that is zero, from a row whose columns are those of the table, in its order.
 */
void row_read(const struct column *columns, size_t n, const struct db_value *row, void *into);
/* ERR_INVALID when the field is a state that must not be written. */
int column_check(const struct column *c, const void *from, struct error *err);
/* "p.a, p.b, p.c" for prefix "p."; prefix may be empty. */
void columns_list(struct strbuf *sql, const char *prefix, const struct column *columns, size_t n);

/* A statement under construction: text and values side by side. Zero is empty; CLEANUP(query_free). */
#define QUERY_VALUES 64
struct query {
        struct strbuf sql;
        struct db_value values[QUERY_VALUES];
        size_t n;
        char times[4][TIME_TEXT];
        size_t n_times;
};
void query_free(struct query *q);
void query_add(struct query *q, const char *sql);
void query_value(struct query *q, struct db_value v);
void query_time(struct query *q, time_t t); /* binds a time; 0 is NULL */
void query_field(struct query *q, const struct column *c, const void *from);

/* Runs it in a connection of its own, or in c when that is not NULL (a transaction). */
int YIELDS query_exec(struct store *s, struct db_conn *c, const struct query *q, uint64_t *ret_affected,
                      uint64_t *ret_id, struct deadline by, struct error *err);

/*
 * A copy that any column takes: bytes that are no UTF-8 and characters of four bytes (columns are utf8mb3)
 * become U+FFFD; cut to `most` bytes, between characters. NULL gives "".
 */
char *text_for_column(const char *s, size_t most);
/* ERR_INVALID unless s (NULL allowed) is UTF-8 that a column of so many characters takes as it is. */
int text_check(const char *what, const char *s, size_t most, struct error *err);

/* instances.c */
int not_found(const char *uuid, struct error *err); /* NOVA_INSTANCE_NOT_FOUND */
/* system_metadata.c: makes the rows in the transaction of c equal to those of i. */
int YIELDS system_metadata_save(struct db_conn *c, const struct instance *i, time_t now, struct deadline by,
                                struct error *err);
/* instance_extra.c */
char *flavor_to_json(const struct flavor *f, time_t created_at);
int flavor_from_json(const char *text, size_t len, struct flavor *ret, struct error *err);
