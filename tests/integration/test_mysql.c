/* lib/mysql against a real server: statements, values, the session, bounds, and the pool */
#include "mysql_fixture.h"

/* ---- values ---- */

GREEN_TEST_REAL(values_come_back_as_they_went)
{
        struct here h = here(BY_SOCKET);
        static const char hostile[] = "a'b\"c\\d`e%f?g;--\n\0after NUL \xc3\xa4\xe2\x82\xac";
        struct db_value in[] = {
                db_textn(hostile, sizeof(hostile) - 1),
                db_int(INT64_MIN),
                db_int(INT64_MAX),
                db_double(-0.1),
                db_null(),
                db_text(NULL),
                db_text(""),
        };
        struct db_result *r = NULL;
        const struct db_value *row;
        struct error err = {};

        ck_assert_ok(db_pool_select(h.pool,
                                    "SELECT CAST(? AS BINARY), CAST(? AS SIGNED), CAST(? AS SIGNED), CAST(? "
                                    "AS DOUBLE), ?, ?, ?",
                                    in, ARRAY_SIZE(in), &r, soon(), &err),
                     err);
        ck_assert_uint_eq(db_result_rows(r), 1);
        ck_assert_uint_eq(db_result_columns(r), ARRAY_SIZE(in));
        row = db_result_row(r, 0);
        ck_assert_int_eq(row[0].type, DB_TEXT);
        ck_assert_uint_eq(row[0].len, sizeof(hostile) - 1);
        ck_assert_mem_eq(row[0].s, hostile, sizeof(hostile)); /* with the NUL after it */
        ck_assert_int_eq(row[1].type, DB_INT);
        ck_assert_int_eq(row[1].i, INT64_MIN);
        ck_assert_int_eq(row[2].i, INT64_MAX);
        ck_assert_int_eq(row[3].type, DB_DOUBLE);
        ck_assert(row[3].d == -0.1);
        ck_assert_int_eq(row[4].type, DB_NULL);
        ck_assert_int_eq(row[5].type, DB_NULL);
        ck_assert_int_eq(row[6].type, DB_TEXT);
        ck_assert_uint_eq(row[6].len, 0);
        ck_assert_str_eq(row[6].s, "");
        ck_assert_ptr_null(db_result_row(r, 1));
        db_result_free(r);
        here_end(&h);
}

GREEN_TEST_REAL(each_type_of_a_column_has_its_own_type)
{
        struct here h = here(BY_SOCKET);
        struct db_result *r;
        const struct db_value *row;

        run(h.pool,
            "CREATE TABLE kinds (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, b TINYINT(1), u INT UNSIGNED, "
            "f FLOAT, at DATETIME, e ENUM('owner','admin'), m MEDIUMTEXT, d DECIMAL(10,3))");
        run(h.pool,
            "INSERT INTO kinds (b, u, f, at, e, m, d) VALUES (1, 4294967295, 1.5, '2026-11-23 08:44:27', "
            "'admin', REPEAT('x', 100000), 12.5)");
        r = rows_of(h.pool, "SELECT id, b, u, f, at, e, m, d AS price FROM kinds");
        row = db_result_row(r, 0);
        ck_assert_int_eq(row[0].i, 1);
        ck_assert_int_eq(row[1].i, 1);
        ck_assert_int_eq(row[2].i, 4294967295);
        ck_assert(row[3].type == DB_DOUBLE && row[3].d == 1.5);
        ck_assert_str_eq(row[4].s, "2026-11-23 08:44:27");
        ck_assert_str_eq(row[5].s, "admin");
        ck_assert_uint_eq(row[6].len, 100000);
        ck_assert_uint_eq(strspn(row[6].s, "x"), 100000);
        ck_assert_str_eq(row[7].s, "12.500");
        ck_assert_str_eq(db_result_column_name(r, 7), "price");
        ck_assert_ptr_null(db_result_column_name(r, 8));
        db_result_free(r);
        run(h.pool, "DROP TABLE kinds");
        here_end(&h);
}

GREEN_TEST_REAL(a_statement_without_rows_gives_an_empty_result)
{
        struct here h = here(BY_SOCKET);
        struct db_result *r = rows_of(h.pool, "DO 1");

        ck_assert_uint_eq(db_result_rows(r), 0);
        ck_assert_uint_eq(db_result_columns(r), 0);
        db_result_free(r);
        r = rows_of(h.pool, "SELECT 1 FROM DUAL WHERE 1 = 0");
        ck_assert_uint_eq(db_result_rows(r), 0);
        ck_assert_uint_eq(db_result_columns(r), 1);
        db_result_free(r);
        run(h.pool,
            "SELECT seq FROM seq_1_to_5000"); /* rows nobody asked for do not get into the next answer */
        ck_assert_int_eq(number_of(h.pool, "SELECT 7"), 7);
        here_end(&h);
}

/* ---- the session ---- */

GREEN_TEST_REAL(matched_rows_count_not_changed_ones)
{
        struct here h = here(BY_SOCKET);
        struct error err = {};
        uint64_t n = 0, id = 0;

        run(h.pool, "CREATE TABLE matched (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT)");
        ck_assert_ok(db_pool_exec(h.pool, "INSERT INTO matched (a) VALUES (?)",
                                  &(struct db_value){ .type = DB_INT, .i = 4 }, 1, &n, &id, soon(), &err),
                     err);
        ck_assert_uint_eq(n, 1);
        ck_assert_uint_eq(id, 1);
        ck_assert_ok(db_pool_exec(h.pool, "UPDATE matched SET a = 4 WHERE id = 1", NULL, 0, &n, NULL, soon(),
                                  &err),
                     err);
        ck_assert_uint_eq(n, 1); /* without CLIENT_FOUND_ROWS: 0 */
        ck_assert_ok(db_pool_exec(h.pool, "UPDATE matched SET a = 4 WHERE id = 2", NULL, 0, &n, NULL, soon(),
                                  &err),
                     err);
        ck_assert_uint_eq(n, 0);
        run(h.pool, "DROP TABLE matched");
        here_end(&h);
}

GREEN_TEST_REAL(the_session_is_set_up_as_nova_does)
{
        struct here h = here(BY_SOCKET);
        struct db_result *r =
                rows_of(h.pool, "SELECT @@SESSION.sql_mode, @@character_set_client, @@autocommit");
        const struct db_value *row = db_result_row(r, 0);
        struct db_pool_info info;

        ck_assert_ptr_nonnull(strstr(row[0].s, "STRICT_ALL_TABLES"));
        ck_assert_ptr_nonnull(strstr(row[0].s, "TRADITIONAL"));
        ck_assert_str_eq(row[1].s, "utf8mb3");
        ck_assert_int_eq(row[2].i, 1);
        db_result_free(r);
        db_pool_get_info(h.pool, &info);
        ck_assert(info.reachable);
        ck_assert_ptr_nonnull(strstr(info.server_version, "MariaDB"));
        ck_assert_uint_eq(info.idle, 1);
        here_end(&h);
}

GREEN_TEST_REAL(text_of_four_bytes_needs_a_url_that_says_so)
{
        CLEANUP(freep) char *plain = url_of(BY_SOCKET, NULL);
        CLEANUP(freep) char *wide = xasprintf("%s&charset=utf8mb4", plain);
        struct db_value smile = db_text("\xf0\x9f\x98\x80");
        struct here h = here_with(wide, 0, 0);
        struct error err = {};

        run(h.pool, "CREATE TABLE narrow (s VARCHAR(10)) CHARACTER SET utf8mb3");
        run(h.pool, "CREATE TABLE wide (s VARCHAR(10)) CHARACTER SET utf8mb4");
        ck_assert_ok(db_pool_exec(h.pool, "INSERT INTO wide VALUES (?)", &smile, 1, NULL, NULL, soon(), &err),
                     err);
        ck_assert_int_eq(number_of(h.pool, "SELECT COUNT(*) FROM wide WHERE HEX(s) = 'F09F9880'"), 1);
        ck_assert_fails(
                db_pool_exec(h.pool, "INSERT INTO narrow VALUES (?)", &smile, 1, NULL, NULL, soon(), &err),
                err, ERR_DB);
        ck_assert_int_eq(err.sys, 1366);
        run(h.pool, "DROP TABLE narrow, wide");
        here_end(&h);
}

GREEN_TEST_REAL(a_refused_statement_leaves_the_connection_whole)
{
        struct here h = here(BY_SOCKET);
        struct db_conn *c = borrowed(h.pool);
        struct db_value one = db_int(1);
        struct db_pool_info info;
        struct error err = {};

        ck_assert_fails(db_exec(c, "SELEC 1", NULL, 0, NULL, NULL, soon(), &err), err, ERR_DB);
        ck_assert_int_eq(err.sys, 1064);
        ck_assert_fails(db_exec(c, "SELECT * FROM nowhere", NULL, 0, NULL, NULL, soon(), &err), err, ERR_DB);
        ck_assert_int_eq(err.sys, 1146);
        ck_assert_fails(db_exec(c, "DO ?", &one, 0, NULL, NULL, soon(), &err), err, ERR_INVALID);
        ck_assert_fails(db_exec(c, "DO 1", &one, 1, NULL, NULL, soon(), &err), err, ERR_INVALID);
        ck_assert_fails(db_exec(c, "DO 1; DO 2", NULL, 0, NULL, NULL, soon(), &err), err, ERR_DB);
        ck_assert_ok(db_exec(c, "DO 1", NULL, 0, NULL, NULL, soon(), &err), err);
        db_pool_put(c);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 1);
        ck_assert_uint_eq(info.reconnects, 0);
        here_end(&h);
}

GREEN_TEST_REAL(a_script_runs_statement_by_statement)
{
        struct here h = here(BY_SOCKET);
        struct db_conn *c = borrowed(h.pool);
        struct error err = {};

        ck_assert_ok(db_script(c,
                               "-- a comment; with a semicolon\nCREATE TABLE s1 (a INT);\nINSERT INTO s1 "
                               "VALUES (1), (2);\n"
                               "SELECT * FROM s1; CREATE TABLE s2 (b TEXT DEFAULT ';');\n",
                               soon(), &err),
                     err);
        ck_assert_fails(db_script(c,
                                  "INSERT INTO s1 VALUES (3); INSERT INTO nowhere VALUES (1); INSERT INTO s1 "
                                  "VALUES (4)",
                                  soon(), &err),
                        err, ERR_DB);
        ck_assert_fails(db_exec(c, "DO 1; DO 2", NULL, 0, NULL, NULL, soon(), &err), err, ERR_DB);
        db_pool_put(c);
        ck_assert_int_eq(number_of(h.pool, "SELECT COUNT(*) FROM s1"), 3);
        run(h.pool, "DROP TABLE s1, s2");
        here_end(&h);
}

/* ---- bounds ---- */

GREEN_TEST_REAL(prepared_statements_are_bounded)
{
        struct here h = here(BY_SOCKET);
        struct db_conn *c = borrowed(h.pool);
        struct error err = {};

        for (int round = 0; round < 2; round++)
                for (int i = 0; i < 200; i++) {
                        CLEANUP(freep) char *sql = xasprintf("SELECT %d", i);
                        struct db_result *r = NULL;

                        ck_assert_ok(db_select(c, sql, NULL, 0, &r, soon(), &err), err);
                        ck_assert_int_eq(db_result_row(r, 0)[0].i, i);
                        db_result_free(r);
                }
        db_pool_put(c);
        /* Ours, and the one that asks. */
        ck_assert_int_le(
                number_of(h.pool,
                          "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS "
                          "WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'"),
                64 + 1);
        here_end(&h);
}

GREEN_TEST_REAL(results_are_bounded_in_rows_and_bytes)
{
        struct here h = here(BY_SOCKET);
        struct db_conn *c = borrowed(h.pool);
        struct db_result *r = NULL;
        struct db_pool_info info;
        struct error err = {};

        ck_assert_ok(db_select(c, "SELECT seq FROM seq_1_to_100000", NULL, 0, &r, soon(), &err), err);
        ck_assert_uint_eq(db_result_rows(r), 100000);
        ck_assert_int_eq(db_result_row(r, 99999)[0].i, 100000);
        db_result_free(r);
        ck_assert_fails(db_select(c, "SELECT seq FROM seq_1_to_100001", NULL, 0, &r, soon(), &err), err,
                        ERR_LIMIT);
        ck_assert_fails(db_exec(c, "DO 1", NULL, 0, NULL, NULL, soon(), &err), err, ERR_DB_LOST);
        db_pool_put(c);
        c = borrowed(h.pool);
        ck_assert_fails(
                db_select(c, "SELECT REPEAT('x', 1000000) FROM seq_1_to_70", NULL, 0, &r, soon(), &err), err,
                ERR_LIMIT);
        db_pool_put(c);
        c = borrowed(h.pool);
        /* One row alone: libmariadb itself gives up before it takes the memory, and calls it a loss. */
        ck_assert_fails(db_select(c, "SELECT REPEAT('x', 70000000)", NULL, 0, &r, soon(), &err), err,
                        ERR_DB_LOST);
        db_pool_put(c);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 0);
        ck_assert_uint_eq(info.reconnects, 2);
        here_end(&h);
}

struct borrower {
        struct db_pool *pool;
        unsigned *most, *now;
        int *order, *next, number;
};

static int borrow_and_sleep(void *arg, struct error *err)
{
        struct borrower *b = arg;
        struct db_conn *c;
        int r;

        assert_green();
        c = db_pool_get(b->pool, soon(), err);
        if (!c)
                return -1;
        b->order[(*b->next)++] = b->number;
        ++*b->now;
        if (*b->now > *b->most)
                *b->most = *b->now;
        r = db_exec(c, "DO SLEEP(0.02)", NULL, 0, NULL, NULL, soon(), err);
        --*b->now;
        db_pool_put(c);
        return r;
}

GREEN_TEST_REAL(the_pool_serves_in_order)
{
        CLEANUP(freep) char *url = url_of(BY_SOCKET, NULL);
        struct here h = here_with(url, 4, 1);
        struct borrower b[20];
        struct db_conn *c[5];
        struct green_group *g = green_group_new("borrowers");
        unsigned most = 0, now = 0;
        int order[20], next = 0;
        struct db_pool_info info;
        struct error err = {};

        for (int i = 0; i < 5; i++) /* connected before: who connects first is a race */
                c[i] = borrowed(h.pool);
        for (int i = 0; i < 20; i++) {
                b[i] = (struct borrower){ h.pool, &most, &now, order, &next, i };
                ck_assert_ok(green_spawn(g, "borrower", borrow_and_sleep, &b[i], &err), err);
        }
        green_yield();
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.waiting, 20);
        ck_assert_uint_eq(info.lent, 5);
        for (int i = 0; i < 5; i++) /* all at once: none is surplus while somebody waits */
                db_pool_put(c[i]);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 5);
        ck_assert_ok(green_group_wait(g, soon(), &err), err);
        green_group_close(g);
        ck_assert_uint_eq(most, 5);
        for (int i = 0; i < 20; i++)
                ck_assert_int_eq(order[i], i);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 4);
        ck_assert_uint_eq(info.reconnects, 0);
        here_end(&h);
}

GREEN_TEST_REAL(the_pool_is_bounded_and_keeps_no_surplus)
{
        CLEANUP(freep) char *url = url_of(BY_SOCKET, NULL);
        struct here h = here_with(url, 2, 2);
        struct db_conn *c[4];
        struct db_pool_info info;
        struct error err = {};

        for (int i = 0; i < 4; i++)
                c[i] = borrowed(h.pool);
        ck_assert_ptr_null(db_pool_get(h.pool, deadline_in_ms(20), &err));
        ck_assert_int_eq(err.code, ERR_TIMEOUT);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.max, 4);
        ck_assert_uint_eq(info.lent, 4);
        for (int i = 0; i < 4; i++)
                db_pool_put(c[i]);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 2);
        here_end(&h);
}

GREEN_TEST_REAL(the_connection_used_last_is_lent_first)
{
        struct here h = here(BY_SOCKET);
        struct db_conn *a = borrowed(h.pool), *b = borrowed(h.pool);

        db_pool_put(a);
        db_pool_put(b);
        ck_assert_ptr_eq(borrowed(h.pool), b);
        ck_assert_ptr_eq(borrowed(h.pool), a);
        db_pool_put(b);
        db_pool_put(a);
        here_end(&h);
}

GREEN_TEST_REAL(an_old_connection_is_replaced)
{
        CLEANUP(freep) char *url = url_of(BY_SOCKET, NULL);
        struct here h = here_with(url, 0, 0);
        struct db_options opt = { .url = url, .tpool = h.workers, .recycle_s = 1 };
        struct error err = {};
        int64_t first;

        db_pool_close(h.pool);
        h.pool = db_pool_new(&opt, &err);
        first = number_of(h.pool, "SELECT CONNECTION_ID()");
        ck_assert_int_eq(number_of(h.pool, "SELECT CONNECTION_ID()"), first);
        green_sleep(1.01, &err);
        ck_assert_int_ne(number_of(h.pool, "SELECT CONNECTION_ID()"), first);
        here_end(&h);
}

GREEN_TEST_REAL(an_open_transaction_does_not_go_back_to_the_pool)
{
        struct here h = here(BY_SOCKET);
        struct db_conn *c = borrowed(h.pool);
        struct db_pool_info info;
        struct error err = {};

        ck_assert_ok(db_script(c, "START TRANSACTION", soon(), &err), err);
        db_pool_put(c);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 0);
        here_end(&h);
}

GREEN_SUITE("mysql", values_come_back_as_they_went, each_type_of_a_column_has_its_own_type,
            a_statement_without_rows_gives_an_empty_result, matched_rows_count_not_changed_ones,
            the_session_is_set_up_as_nova_does, text_of_four_bytes_needs_a_url_that_says_so,
            a_refused_statement_leaves_the_connection_whole, a_script_runs_statement_by_statement,
            prepared_statements_are_bounded, results_are_bounded_in_rows_and_bytes, the_pool_serves_in_order,
            the_pool_is_bounded_and_keeps_no_surplus, the_connection_used_last_is_lent_first,
            an_old_connection_is_replaced, an_open_transaction_does_not_go_back_to_the_pool)
