/*
 * lib/mysql/pool.c: connections lent and taken back.
 *
 * A slot of the semaphore stands for a connection somebody has or is making, so there are never more than
 * `max` of them and getters are served in their order. The connection used last is lent first: a quiet pool
 * keeps few warm ones. Beyond pool_size idle ones a returned connection is closed (SQLAlchemy's overflow).
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "mysql/mysql_priv.h"

#define POOL_SIZE_DEFAULT 5
#define OVERFLOW_DEFAULT  50
#define RECYCLE_S_DEFAULT 3600
#define CONNECT_S_DEFAULT 10
#define CLOSE_PATIENCE_S  10
#define SQL_MODE_DEFAULT  "TRADITIONAL"

static const char *const state_names[CONN_STATES] = { "connecting", "idle", "lent", "broken", "closed" };

/* Which state may follow which. */
static const bool moves[CONN_STATES][CONN_STATES] = {
        [CONN_CONNECTING] = { [CONN_LENT] = true, [CONN_CLOSED] = true },
        [CONN_IDLE] = { [CONN_LENT] = true, [CONN_BROKEN] = true, [CONN_CLOSED] = true },
        [CONN_LENT] = { [CONN_IDLE] = true, [CONN_BROKEN] = true },
        [CONN_BROKEN] = { [CONN_CLOSED] = true },
};

const char *conn_state_name(enum conn_state s)
{
        return s < CONN_STATES ? state_names[s] : "?";
}

static void pool_ref(struct db_pool *p)
{
        p->refs++;
}

static void HUB_ONLY pool_unref(struct db_pool *p)
{
        if (--p->refs)
                return;
        db_url_free(&p->url);
        free(p->init_command);
        free(p);
}

void conn_set_state(struct db_conn *c, enum conn_state to)
{
        struct db_pool *p = c->pool;
        bool born = c->state == CONN_CONNECTING && list_empty(&c->link);

        if (born ? to != CONN_CONNECTING : !moves[c->state][to]) {
                fprintf(stderr, "lib/mysql: a connection cannot go from %s to %s\n",
                        conn_state_name(c->state), conn_state_name(to));
                abort();
        }
        if (born)
                pool_ref(p);
        else
                p->count[c->state]--;
        list_remove(&c->link);
        c->state = to;
        if (to == CONN_CLOSED) {
                pool_unref(p);
                return;
        }
        list_prepend(&p->conns[to], &c->link);
        p->count[to]++;
}

/* ---- making and closing ---- */

/* Goes into a statement of its own; a name with a quote in it would be another statement. */
static int check_sql_mode(const char *mode, struct error *err)
{
        for (const char *s = mode; *s; s++)
                if (!((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || *s == '_' || *s == ','))
                        return error_set(err, ERR_INVALID,
                                         "sql_mode \"%.60s\": only names with commas between", mode);
        return 0;
}

struct db_pool *db_pool_new(const struct db_options *opt, struct error *err)
{
        const char *mode = opt->sql_mode ? opt->sql_mode : SQL_MODE_DEFAULT;
        unsigned overflow = opt->max_overflow ? opt->max_overflow : OVERFLOW_DEFAULT;
        struct db_url url;
        struct db_pool *p;

        if (!opt->tpool) {
                error_set(err, ERR_INVALID, "a database pool needs a tpool to connect in");
                return NULL;
        }
        if (check_sql_mode(mode, err) < 0 || db_url_parse(opt->url, &url, err) < 0)
                return NULL;
        mysql_library_init(0, NULL, NULL); /* here, since two workers could race to be first */
        p = NEW(struct db_pool);
        p->refs = 1;
        p->url = url;
        p->tpool = opt->tpool;
        p->pool_size = opt->max_pool_size ? opt->max_pool_size : POOL_SIZE_DEFAULT;
        p->max = p->pool_size + overflow;
        p->recycle_ns = (int64_t)(opt->recycle_s ? opt->recycle_s : RECYCLE_S_DEFAULT) * NS_PER_S;
        p->connect_timeout_s = opt->connect_timeout_s > 0 ? opt->connect_timeout_s : CONNECT_S_DEFAULT;
        if (url.connect_timeout_s > 0)
                p->connect_timeout_s = url.connect_timeout_s;
        p->init_command = *mode ? xasprintf("SET SESSION sql_mode='%s'", mode) : NULL;
        db_url_peer(&p->url, p->peer, sizeof(p->peer));
        green_sem_init(&p->slots, "database connections", p->max);
        green_cond_init(&p->returned, "database connection returned");
        for (int i = 0; i < CONN_STATES; i++)
                list_init(&p->conns[i]);
        return p;
}

void db_pool_set_limits(struct db_pool *p, unsigned size, unsigned overflow, int64_t recycle_s)
{
        green_sem_adjust(&p->slots, (long)(size + overflow) - (long)p->max);
        p->pool_size = size;
        p->max = size + overflow;
        p->recycle_ns = recycle_s < 0 ? INT64_MAX : recycle_s * NS_PER_S;
}

static void HUB_ONLY close_idle(struct db_pool *p)
{
        while (!list_empty(&p->conns[CONN_IDLE]))
                conn_close(CONTAINER_OF(p->conns[CONN_IDLE].next, struct db_conn, link));
}

int db_pool_set_url(struct db_pool *p, const char *text, struct error *err)
{
        struct db_url url;

        if (db_url_parse(text, &url, err) < 0)
                return -1;
        db_url_free(&p->url);
        p->url = url;
        p->url_count++;
        if (url.connect_timeout_s > 0)
                p->connect_timeout_s = url.connect_timeout_s;
        db_url_peer(&p->url, p->peer, sizeof(p->peer));
        close_idle(p);
        return 0;
}

void db_pool_close(struct db_pool *p)
{
        struct deadline by = deadline_in_s(CLOSE_PATIENCE_S);
        struct error ignored = {};

        if (!p)
                return;
        p->closing = true;
        green_sem_adjust(&p->slots, (p->slots.count < 0 ? -p->slots.count : 0) + (long)p->waiting);
        /* each looks at `closing` when it wakes */
        close_idle(p);
        green_shield_begin();
        while ((p->waiting || p->count[CONN_LENT] || p->count[CONN_CONNECTING] || p->count[CONN_BROKEN]) &&
               green_cond_wait(&p->returned, by, &ignored) == 0)
                ;
        green_shield_end();
        pool_unref(p); /* what is lent for longer keeps the memory until it comes back */
}

/* ---- lending ---- */

/* The idle one used last that is still good. */
static struct db_conn *HUB_ONLY take_idle(struct db_pool *p)
{
        while (!list_empty(&p->conns[CONN_IDLE])) {
                struct db_conn *c = CONTAINER_OF(p->conns[CONN_IDLE].next, struct db_conn, link);

                if (clock_now_ns() - c->born_ns >= p->recycle_ns || c->of_url != p->url_count) {
                        conn_close(c);
                } else if (conn_is_stale(c)) {
                        p->lost = true;
                        conn_set_state(c, CONN_BROKEN);
                        conn_close(c);
                } else {
                        conn_set_state(c, CONN_LENT);
                        return c;
                }
        }
        return NULL;
}

static struct db_conn *YIELDS make(struct db_pool *p, struct deadline by, struct error *err)
{
        struct db_conn *c = conn_open(p, by, err);

        if (c) {
                p->reconnects += p->lost;
                p->lost = false;
                p->reachable = true;
        } else if (err->code != ERR_CANCELLED) {
                p->lost = true;
                p->reachable = false;
                p->errors++;
                snprintf(p->last_error, sizeof(p->last_error), "%.255s", err->text);
        }
        return c;
}

static struct db_conn *YIELDS get(struct db_pool *p, struct deadline by, struct error *err)
{
        struct db_conn *c = NULL;
        int r;

        if (!p->closing) {
                p->waiting++;
                r = green_sem_acquire(&p->slots, by, err);
                p->waiting--;
                if (r < 0) {
                        error_while(err, "waiting for one of %u database connections", p->max);
                        return NULL;
                }
                if (!p->closing)
                        c = take_idle(p);
                if (!p->closing && !c)
                        c = make(p, by, err);
                if (c && p->closing) {
                        conn_set_state(c, CONN_IDLE);
                        conn_close(c);
                        c = NULL;
                }
                if (!c)
                        green_sem_release(&p->slots);
        }
        if (!c && p->closing)
                error_set(err, ERR_CLOSED, "the pool of database connections is closed");
        return c;
}

struct db_conn *db_pool_get(struct db_pool *p, struct deadline by, struct error *err)
{
        struct db_conn *c;

        pool_ref(p);
        c = get(p, by, err);
        if (!c)
                green_cond_broadcast(&p->returned);
        pool_unref(p);
        return c;
}

static bool in_transaction(struct db_conn *c)
{
        unsigned status = 0;

        return mariadb_get_infov(c->mysql, MARIADB_CONNECTION_SERVER_STATUS, &status) ||
               (status & SERVER_STATUS_IN_TRANS);
}

void db_pool_put(struct db_conn *c)
{
        struct db_pool *p;

        if (!c)
                return;
        p = c->pool;
        pool_ref(p);
        if (c->busy) {
                fprintf(stderr, "lib/mysql: a connection was given back in the middle of a statement\n");
                abort();
        }
        /* A transaction left open would become part of the next user's: only the end of it all is sure. */
        if (c->state == CONN_LENT && in_transaction(c))
                conn_break(c, &(struct error){ .text = "given back in the middle of a transaction" });
        if (c->state == CONN_LENT)
                conn_set_state(c, CONN_IDLE);
        /* Surplus goes, but not what a waiting getter takes next: he would have to connect anew, and late. */
        if (c->state == CONN_BROKEN || p->closing || c->of_url != p->url_count ||
            p->count[CONN_IDLE] > p->pool_size + p->waiting)
                conn_close(c);
        green_sem_release(&p->slots);
        green_cond_broadcast(&p->returned);
        pool_unref(p);
}

void db_pool_get_info(struct db_pool *p, struct db_pool_info *ret)
{
        *ret = (struct db_pool_info){
                .idle = p->count[CONN_IDLE],
                .lent = p->count[CONN_LENT] + p->count[CONN_BROKEN],
                .connecting = p->count[CONN_CONNECTING],
                .waiting = p->waiting,
                .max = p->max,
                .queries = p->queries,
                .errors = p->errors,
                .times = p->times,
                .reconnects = p->reconnects,
                .retries = p->retries,
                .reachable = p->reachable,
        };
        memcpy(ret->server_version, p->server_version, sizeof(ret->server_version));
        memcpy(ret->peer, p->peer, sizeof(ret->peer));
        memcpy(ret->last_error, p->last_error, sizeof(ret->last_error));
}
