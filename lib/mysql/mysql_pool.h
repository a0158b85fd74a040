/*
 * lib/mysql/mysql_pool.h: MariaDB and MySQL from green threads: the only door to libmariadb.
 *
 * Statements are prepared and their values bound, never pasted into SQL text. Waiting is green: libmariadb's
 * blocking calls run with MARIADB_OPT_IO_WAIT, whose callback parks the green thread (design: the hub never
 * waits, with and without TLS); resolving and connecting happen in the tpool. A connection whose exchange is
 * half finished is closed, never returned to the pool.
 */
#pragma once

#include "green/green.h"
#include "native/tpool.h"

struct db_options {
        /* mysql[+pymysql]://user:password@host[:port]/db?charset=utf8&unix_socket=/path&ssl_ca=...; %XX
         * decoded */
        const char *url;
        unsigned max_pool_size, max_overflow; /* 0: 5 and 50 (nova-contract 5.1) */
        unsigned recycle_s;                   /* 0: 3600 */
        const char *sql_mode;                 /* NULL: TRADITIONAL */
        struct tpool *tpool;                  /* borrowed: connects */
        double connect_timeout_s;             /* 0: 10 */
};

struct db_pool;
struct db_conn;
struct db_result;

/* Connects nothing yet. ERR_INVALID for a bad URL (the text never holds the password). */
struct db_pool *HUB_ONLY db_pool_new(const struct db_options *opt, struct error *err);
/* From now on, without defaults: overflow 0 is none, recycle_s < 0 is never. What is lent too much comes
 * back. */
int HUB_ONLY db_pool_set_url(struct db_pool *p, const char *url, struct error *err); /* for new connections */
void HUB_ONLY db_pool_set_limits(struct db_pool *p, unsigned size, unsigned overflow, int64_t recycle_s);
void YIELDS db_pool_close(struct db_pool *p);

/* A value to bind, or a column of a row. Text is borrowed. */
enum db_type { DB_NULL, DB_INT, DB_DOUBLE, DB_TEXT };
struct db_value {
        enum db_type type;
        int64_t i;
        double d;
        const char *s; /* of a row: NUL-terminated too */
        size_t len;
};
struct db_value db_null(void);
struct db_value db_int(int64_t i);
struct db_value db_double(double d);
struct db_value db_text(const char *s); /* NULL gives SQL NULL */
struct db_value db_textn(const char *s, size_t len);

enum { DB_DUPLICATE = 1062 }; /* error.sys with ERR_DB: a unique key has that value already */

/*
 * One statement, '?' for each of the n values. Errors: ERR_DB (sys: the server's number, e.g. 1062),
 * ERR_DB_LOST, ERR_TIMEOUT, ERR_CANCELLED; after all but ERR_DB the connection is broken and will be
 * replaced. ret_affected counts matched rows (CLIENT_FOUND_ROWS); ret_id is LAST_INSERT_ID; both may be NULL.
 */
int YIELDS db_exec(struct db_conn *c, const char *sql, const struct db_value *values, size_t n,
                   uint64_t *ret_affected, uint64_t *ret_id, struct deadline by, struct error *err);
/* Rows are buffered: at most 100,000 rows or 64 MiB, else ERR_LIMIT. Free with db_result_free(). */
int YIELDS db_select(struct db_conn *c, const char *sql, const struct db_value *values, size_t n,
                     struct db_result **ret, struct deadline by, struct error *err);
size_t db_result_rows(const struct db_result *r);
size_t db_result_columns(const struct db_result *r);
const struct db_value *db_result_row(const struct db_result *r, size_t row); /* columns in select order */
const char *db_result_column_name(const struct db_result *r, size_t column);
void db_result_free(struct db_result *r);
void db_result_freep(struct db_result **r);

/* Several statements without values from one text (';' between, no DELIMITER): for db-init only. */
int YIELDS db_script(struct db_conn *c, const char *sql, struct deadline by, struct error *err);

/* Borrow a connection; fn-less use for single statements. */
struct db_conn *YIELDS db_pool_get(struct db_pool *p, struct deadline by, struct error *err);
void HUB_ONLY db_pool_put(struct db_conn *c); /* broken ones are dropped; NULL allowed */

/*
 * Runs fn inside BEGIN ... COMMIT. Deadlocks and lock wait timeouts (1213, 1205) repeat the whole
 * transaction, at most 5 times with pauses 1, 2, 4 .. s (10 at most); a connection lost before COMMIT was
 * sent repeats too. fn returns 0 to commit, -1 to roll back and pass its error on; it must be repeatable.
 */
typedef int db_transaction_fn(struct db_conn *c, void *arg, struct deadline by, struct error *err);
int YIELDS db_transaction(struct db_pool *p, db_transaction_fn *fn, void *arg, struct deadline by,
                          struct error *err);

/*
 * One statement in a connection of its own (autocommit), same retries as above. A SELECT is repeated whenever
 * its connection was lost; another statement only when the server cannot have got it: else ERR_DB_LOST says
 * "whether the statement was carried out is not known".
 */
int YIELDS db_pool_exec(struct db_pool *p, const char *sql, const struct db_value *values, size_t n,
                        uint64_t *ret_affected, uint64_t *ret_id, struct deadline by, struct error *err);
int YIELDS db_pool_select(struct db_pool *p, const char *sql, const struct db_value *values, size_t n,
                          struct db_result **ret, struct deadline by, struct error *err);

struct db_pool_info {
        unsigned idle, lent, connecting, waiting, max;
        unsigned long queries, errors, reconnects, retries;
        struct histogram times;             /* of each exchange with the server, failed ones too */
        bool reachable;                     /* the last attempt to reach the server succeeded */
        char server_version[64], peer[128]; /* "unix:/run/...": never a password */
        char last_error[256];
};
void HUB_ONLY db_pool_get_info(struct db_pool *p, struct db_pool_info *ret);
