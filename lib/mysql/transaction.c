/*
 * lib/mysql/transaction.c: work that is repeated when the server, or chance, undid it.
 *
 * Two kinds of failure are worth another try (nova-contract 5.1). A deadlock or a lock that was waited for
 * too long: the server took our work back, so all of it is done again after a pause. A lost connection: a
 * server undoes what was not committed, so again all of it can be done again, unless what was lost is the
 * answer to the COMMIT itself (or to a statement that commits by itself): then nobody can tell, and the
 * caller must.
 */
#include <mysqld_error.h>

#include "base/mem.h"
#include "mysql/mysql_priv.h"

#define TRIES            6 /* once, and five times more */
#define PAUSE_MOST_S     10
#define ROLLBACK_TIME_MS 5000

static bool is_conflict(const struct error *err)
{
        return err->code == ERR_DB && (err->sys == ER_LOCK_DEADLOCK || err->sys == ER_LOCK_WAIT_TIMEOUT);
}

/*
 * Before try number n (1: the second): true when there is to be one. A lost connection is tried anew at once
 * the first time, since the usual case is a server that closed one which had been idle.
 */
static bool YIELDS pause_before(struct db_pool *p, unsigned n, struct deadline by, struct error *err)
{
        bool lost = err->code == ERR_DB_LOST;
        int64_t pause_ms = lost && n == 1 ? 0 : INT64_C(1000) << (lost ? n - 2 : n - 1);
        struct error interrupted = {};

        if (pause_ms > PAUSE_MOST_S * 1000)
                pause_ms = PAUSE_MOST_S * 1000;
        if (n >= TRIES || p->closing || deadline_left_ms(by) <= pause_ms)
                return false;
        if (pause_ms && green_sleep((double)pause_ms / 1000, &interrupted) < 0) {
                *err = interrupted;
                return false;
        }
        p->retries++;
        *err = (struct error){};
        return true;
}

static void YIELDS roll_back(struct db_conn *c)
{
        struct error ignored = {};

        if (c->state != CONN_LENT)
                return; /* nobody to tell; the server does it by itself */
        green_shield_begin();
        conn_simple(c, "ROLLBACK", deadline_in_ms(ROLLBACK_TIME_MS), &ignored);
        green_shield_end();
}

/* *ret_unknown: the COMMIT was sent and its answer never came. */
static int YIELDS transaction_once(struct db_pool *p, db_transaction_fn *fn, void *arg, bool *ret_unknown,
                                   struct deadline by, struct error *err)
{
        struct db_conn *c = db_pool_get(p, by, err);
        int r;

        *ret_unknown = false;
        if (!c)
                return -1;
        r = conn_simple(c, "BEGIN", by, err);
        if (r == 0) {
                r = fn(c, arg, by, err);
                assert_green();
                /* Whatever fn thinks: without its connection nothing of it was kept. */
                if (r == 0 && c->state != CONN_LENT)
                        r = error_set(err, ERR_DB_LOST, "the connection was lost during the transaction");
                if (r < 0) {
                        roll_back(c);
                } else {
                        r = conn_simple(c, "COMMIT", by, err);
                        if (r < 0 && c->state != CONN_LENT)
                                *ret_unknown = true;
                        else if (r < 0)
                                roll_back(c);
                }
        }
        db_pool_put(c);
        return r;
}

int db_transaction(struct db_pool *p, db_transaction_fn *fn, void *arg, struct deadline by, struct error *err)
{
        bool unknown;

        for (unsigned n = 1;; n++) {
                if (transaction_once(p, fn, arg, &unknown, by, err) == 0)
                        return 0;
                if (unknown)
                        return error_while(err, "whether the transaction was committed is not known");
                if (!is_conflict(err) && err->code != ERR_DB_LOST)
                        return -1;
                if (!pause_before(p, n, by, err))
                        return -1;
        }
}

int db_pool_exec(struct db_pool *p, const char *sql, const struct db_value *values, size_t n,
                 uint64_t *ret_affected, uint64_t *ret_id, struct deadline by, struct error *err)
{
        for (unsigned i = 1;; i++) {
                struct db_conn *c = db_pool_get(p, by, err);
                bool sent = false;
                int r = -1;

                if (c) {
                        r = db_exec(c, sql, values, n, ret_affected, ret_id, by, err);
                        sent = c->sent && c->state != CONN_LENT;
                        db_pool_put(c);
                }
                if (r == 0)
                        return 0;
                if (err->code == ERR_DB_LOST && sent)
                        return error_while(err, "whether the statement was carried out is not known");
                if (!is_conflict(err) && err->code != ERR_DB_LOST)
                        return -1;
                if (!pause_before(p, i, by, err))
                        return -1;
        }
}

int db_pool_select(struct db_pool *p, const char *sql, const struct db_value *values, size_t n,
                   struct db_result **ret, struct deadline by, struct error *err)
{
        for (unsigned i = 1;; i++) {
                struct db_conn *c = db_pool_get(p, by, err);
                int r = -1;

                if (c) {
                        r = db_select(c, sql, values, n, ret, by, err);
                        db_pool_put(c);
                }
                if (r == 0)
                        return 0;
                if (!is_conflict(err) && err->code != ERR_DB_LOST)
                        return -1;
                if (!pause_before(p, i, by, err))
                        return -1;
        }
}
