/*
 * tests/integration/mysql_fixture.h: pools on the private server of with-mariadb.
 *
 * HERE(name) begins a test: a tpool "workers" and, from here_pool(), a pool of connections; here_end() closes
 * both and looks whether everything was given back.
 */
#pragma once

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/original.h"
#include "green_test.h"
#include "mysql/mysql_pool.h"

static inline const char *env(const char *name)
{
        const char *value = getenv(name);

        ck_assert_msg(value && *value, "%s is not set: run this under tests/integration/with-mariadb", name);
        return value;
}

/* The three ways to the server. */
enum way { BY_SOCKET, BY_TCP, BY_TLS, WAYS };

static inline char *url_of(enum way way, const char *password)
{
        if (!password)
                password = env("MARIADB_PASSWORD");
        switch (way) {
        case BY_SOCKET:
                return xasprintf("mysql+pymysql://nova:%s@localhost/nova_cell1?unix_socket=%s", password,
                                 env("MARIADB_SOCKET"));
        case BY_TCP: /* by name: "localhost" must not turn into a unix socket */
                return xasprintf("mysql+pymysql://nova:%s@localhost:%s/nova_cell1?charset=utf8", password,
                                 env("MARIADB_PORT"));
        case BY_TLS:
                return xasprintf("mysql+pymysql://nova:%s@localhost:%s/nova_cell1?ssl_ca=%s", password,
                                 env("MARIADB_PORT"), env("MARIADB_CA"));
        case WAYS:
                break;
        }
        return NULL;
}

struct here {
        struct tpool *workers;
        struct db_pool *pool;
};

static inline struct here HUB_ONLY here_with(const char *url, unsigned size, unsigned overflow)
{
        struct error err = {};
        struct here h = { .workers = tpool_new("test", 4, &err) };
        struct db_options opt = {
                .url = url, .tpool = h.workers, .max_pool_size = size, .max_overflow = overflow
        };

        ck_assert_msg(h.workers != NULL, "%s", err.text);
        h.pool = db_pool_new(&opt, &err);
        ck_assert_msg(h.pool != NULL, "%s", err.text);
        return h;
}

static inline struct here HUB_ONLY here(enum way way)
{
        CLEANUP(freep) char *url = url_of(way, NULL);

        return here_with(url, 0, 0);
}

static inline void YIELDS here_end(struct here *h)
{
        struct db_pool_info info;

        db_pool_get_info(h->pool, &info);
        ck_assert_uint_eq(info.lent, 0);
        ck_assert_uint_eq(info.connecting, 0);
        ck_assert_uint_eq(info.waiting, 0);
        db_pool_close(h->pool);
        ck_assert_uint_eq(tpool_close(h->workers, deadline_in_s(30)), 0);
}

/* For what a test expects to work: long enough for any machine. */
static inline struct deadline soon(void)
{
        return deadline_in_s(60);
}

static inline void YIELDS run(struct db_pool *p, const char *sql)
{
        struct error err = {};

        ck_assert_msg(db_pool_exec(p, sql, NULL, 0, NULL, NULL, soon(), &err) == 0, "%s: %s", sql, err.text);
}

static inline struct db_result *YIELDS rows_of(struct db_pool *p, const char *sql)
{
        struct db_result *r = NULL;
        struct error err = {};

        ck_assert_msg(db_pool_select(p, sql, NULL, 0, &r, soon(), &err) == 0, "%s: %s", sql, err.text);
        return r;
}

static inline int64_t YIELDS number_of(struct db_pool *p, const char *sql)
{
        struct db_result *r = rows_of(p, sql);
        int64_t n;

        ck_assert_uint_eq(db_result_rows(r), 1);
        ck_assert_int_eq(db_result_row(r, 0)[0].type, DB_INT);
        n = db_result_row(r, 0)[0].i;
        db_result_free(r);
        return n;
}

static inline struct db_conn *YIELDS borrowed(struct db_pool *p)
{
        struct error err = {};
        struct db_conn *c = db_pool_get(p, soon(), &err);

        ck_assert_msg(c != NULL, "%s", err.text);
        return c;
}

/* stop, kill or start of the server; blocks, as a test may. */
static inline void server(const char *command)
{
        pid_t pid = fork();
        int status = 0;

        if (pid == 0) {
                const char *tls = strcmp(command, "start") ? NULL : "--tls";

                if (!freopen("/dev/null", "w", stdout))
                        _exit(126);
                execl(env("MARIADB_SCRIPT"), env("MARIADB_SCRIPT"), command, env("MARIADB_DIR"), tls, NULL);
                _exit(127);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "tests/support/mariadb %s failed",
                      command);
}
