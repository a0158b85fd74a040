/* lib/mysql/mysql_priv.h: what the files of lib/mysql share. Nobody else includes it, tests of lib/mysql
 * apart. */
#pragma once

/* First our list.h: mysql.h brings macros with the names of some of its functions. */
#include "base/list.h"
#include <mysql.h>
#undef list_pop
#undef list_push

#include "green/sync.h"
#include "mysql/mysql_pool.h"
#include "mysql/url.h"

/* ---- connections ---- */

/*
 * A connection is in exactly one state and on the pool's list of that state; conn_set_state() is the only way
 * from one to another. Only a LENT one has a user. BROKEN: what is on the wire cannot be told any more, the
 * only thing left is to close it.
 */
enum conn_state { CONN_CONNECTING, CONN_IDLE, CONN_LENT, CONN_BROKEN, CONN_CLOSED, CONN_STATES };

struct db_conn {
        struct db_pool *pool;
        struct list link; /* in pool->conns[state] */
        enum conn_state state;
        MYSQL *mysql; /* owned; NULL while CONNECTING */
        int fd;
        bool tls;
        bool busy; /* a call is under way: a second one from another green thread is a bug */
        int64_t born_ns;
        unsigned of_url;   /* the pool's, when it was begun */
        struct list stmts; /* struct db_stmt, the latest used first */
        unsigned n_stmts;

        /* Of the call under way; read by the callback that libmariadb makes when it has to wait. */
        struct deadline by;
        int64_t began_ns;
        bool sent;             /* the server may have got the statement, and nobody knows what came of it */
        struct error wait_err; /* why a wait of it failed; code 0: none did */
        int64_t retry_ms;      /* TLS: for how long a guess of what is waited for is trusted */
};

struct db_pool {
        struct db_url url;
        unsigned url_count; /* how many there were before it */
        char peer[128];
        char *init_command;  /* NULL: none */
        struct tpool *tpool; /* borrowed */
        unsigned pool_size, max;
        int64_t recycle_ns;
        double connect_timeout_s;

        unsigned refs; /* the owner's, and one for each connection and each call inside */
        bool closing;
        struct green_sem slots;     /* max; held by whoever has a connection or makes one */
        struct green_cond returned; /* signalled at each return: db_pool_close() waits for it */
        struct list conns[CONN_STATES];
        unsigned count[CONN_STATES];
        unsigned waiting;

        unsigned long queries, errors, reconnects, retries;
        struct histogram times;
        bool reachable;
        bool lost; /* a connection broke, or could not be made, since the last one was made */
        char server_version[64];
        char last_error[256];
};

/* Aborts on a move that the table of moves does not have. */
void HUB_ONLY conn_set_state(struct db_conn *c, enum conn_state to);
const char *conn_state_name(enum conn_state s);
/* Makes one in state CONNECTING, and connects it in the tpool. NULL on error, and then nothing is left. */
struct db_conn *YIELDS conn_open(struct db_pool *p, struct deadline by, struct error *err);
/* IDLE or BROKEN to CLOSED, and frees it. Does not wait. */
void HUB_ONLY conn_close(struct db_conn *c);
/* IDLE: has the server hung up, or said something that nobody asked for? */
bool HUB_ONLY conn_is_stale(struct db_conn *c);

/* Around each exchange with the server. conn_begin: -1 (ERR_DB_LOST, ERR_TIMEOUT) when it cannot start. */
int HUB_ONLY conn_begin(struct db_conn *c, struct deadline by, struct error *err);
void HUB_ONLY conn_end(struct db_conn *c);
/* Turns libmariadb's error into ours: the wait's own error first. Breaks the connection unless it is ERR_DB.
 */
int HUB_ONLY conn_fail(struct db_conn *c, unsigned number, const char *text, struct error *err);
/* LENT to BROKEN, and notes why in the pool. */
void HUB_ONLY conn_break(struct db_conn *c, const struct error *why);
/* One statement in the text protocol, without rows: BEGIN, COMMIT. */
int YIELDS conn_simple(struct db_conn *c, const char *sql, struct deadline by, struct error *err);

/* ---- the callback that libmariadb makes instead of poll() ---- */

/* MARIADB_OPT_IO_WAIT. 1: look again, 0: give up. On the hub thread only; finds the connection by its
 * descriptor. */
#define IO_RETRY_FIRST_MS 20
#define IO_RETRY_MOST_MS  1000
int io_wait(my_socket fd, my_bool is_read, int timeout);
/* Of this native thread: see wait.c. */
void tls_forget_errors(void);
void HUB_ONLY io_wait_register(struct db_conn *c);
void HUB_ONLY io_wait_forget(struct db_conn *c);

/* ---- prepared statements ---- */

#define STMTS_MAX 64 /* per connection; the longest unused goes */

struct db_stmt {
        struct list link; /* in conn->stmts */
        char *sql;
        size_t len;
        MYSQL_STMT *stmt;
};
/* conn_fail() with what libmariadb knows of a statement. */
int HUB_ONLY stmt_fail(struct db_conn *c, MYSQL_STMT *stmt, struct error *err);
/* After mysql_close(): frees memory only. */
void HUB_ONLY stmts_free(struct db_conn *c);

/* ---- results ---- */

#define RESULT_ROWS_MAX  100000
#define RESULT_BYTES_MAX (64u << 20)

/* Reads all rows of an executed statement. On -1 the connection may be broken. */
int YIELDS result_read(struct db_conn *c, MYSQL_STMT *stmt, struct db_result **ret, struct error *err);
