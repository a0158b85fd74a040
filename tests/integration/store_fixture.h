/*
 * tests/integration/store_fixture.h: a store on a database of its own, with the shipped schema, on the
 * private server of with-mariadb.
 */
#pragma once

#include <inttypes.h>

#include "mysql_fixture.h"
#include "store/store.h"

struct desk {
        struct here admin; /* on nova_cell1: makes and drops the database */
        struct here here;
        struct store store;
        char name[32];
};

/* A pool on a new database of that name; empty. */
static inline struct here YIELDS new_database(struct here *admin, const char *name)
{
        CLEANUP(freep) char *sql = xasprintf("CREATE DATABASE %s CHARACTER SET utf8", name);
        CLEANUP(freep)
        char *url = xasprintf("mysql://nova:%s@localhost/%s?unix_socket=%s", env("MARIADB_PASSWORD"), name,
                              env("MARIADB_SOCKET"));

        run(admin->pool, sql);
        return here_with(url, 0, 0);
}

static inline void YIELDS drop_database(struct here *admin, struct here *h, const char *name)
{
        CLEANUP(freep) char *sql = xasprintf("DROP DATABASE %s", name);

        here_end(h);
        run(admin->pool, sql);
}

static inline void YIELDS desk_open(struct desk *d)
{
        struct error err = {};

        d->admin = here(BY_SOCKET);
        snprintf(d->name, sizeof(d->name), "test_%d", (int)getpid());
        d->here = new_database(&d->admin, d->name);
        d->store = (struct store){ .db = d->here.pool, .host = "lab-compute" };
        ck_assert_ok(store_init_schema(&d->store, soon(), &err), err);
}

static inline void YIELDS desk_close(struct desk *d)
{
        drop_database(&d->admin, &d->here, d->name);
        here_end(&d->admin);
}

/* STORE_TEST(name) { ... desk.store ... } */
#define STORE_TEST(name)                                 \
        static void YIELDS name##_on(struct desk *desk); \
        GREEN_TEST_REAL(name)                            \
        {                                                \
                struct desk d = {};                      \
                                                         \
                desk_open(&d);                           \
                name##_on(&d);                           \
                desk_close(&d);                          \
        }                                                \
        static void name##_on(struct desk *desk)

#define REQUEST_ID "req-9b4daebc-6085-45b7-b253-73d0d386da54"

static inline struct instance *YIELDS new_instance_named(struct store *s, const char *name)
{
        struct new_instance n = {
                .display_name = name,
                .image_ref = "51e2c424-9aa0-4be3-9ba5-ddff81208f60",
                .user_id = "7d42ae24c92b4a75bc9ef1d7abbc58ed",
                .project_id = "b2a4ffa43a194a0fa91c27ba51eb950c",
                .request_id = REQUEST_ID,
                .image_disk_format = "raw",
                .image_container_format = "bare",
                .memory_mb = 64,
                .vcpus = 1,
                .root_gb = 1,
        };
        struct instance *i = NULL;
        struct error err = {};

        ck_assert_ok(store_instance_create(s, &n, &i, soon(), &err), err);
        return i;
}

/* The one value of a statement, "NULL" for NULL; freed by the caller. */
static inline char *YIELDS text_of(struct desk *d, const char *sql)
{
        struct db_result *r = rows_of(d->here.pool, sql);
        const struct db_value *v;
        char *text;

        ck_assert_msg(db_result_rows(r) == 1, "%s: %zu rows", sql, db_result_rows(r));
        v = db_result_row(r, 0);
        text = v->type == DB_INT    ? xasprintf("%" PRId64, v->i)
               : v->type == DB_TEXT ? xstrdup(v->s)
               : v->type == DB_NULL ? xstrdup("NULL")
                                    : xasprintf("%g", v->d);
        db_result_free(r);
        return text;
}

#define ck_assert_sql(desk, sql, want)                                                      \
        do {                                                                                \
                char *got_ = text_of(desk, sql);                                            \
                ck_assert_msg(!strcmp(got_, want), "%s: %s, expected %s", sql, got_, want); \
                free(got_);                                                                 \
        } while (0)
