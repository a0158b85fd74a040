/* lib/mysql when things go wrong: a server that dies, freezes or refuses; cancelled and late callers;
 * deadlocks */
#include "mysql_fixture.h"

#include <dirent.h>
#include <signal.h>

#include "green/sync.h"

/* ---- callers who give up ---- */

struct slow {
        struct db_pool *pool;
        const char *sql;
        struct deadline by;
        struct error err;
        int r;
        struct green *g;
};

static int run_slow(void *arg, struct error *err)
{
        struct slow *s = arg;

        assert_green();
        (void)err;
        s->r = db_pool_exec(s->pool, s->sql, NULL, 0, NULL, NULL, s->by, &s->err);
        return 0;
}

/* Until the server says that it works on it. */
static void YIELDS start_slow(struct slow *s, struct db_pool *pool, struct db_pool *watch, const char *sql)
{
        struct error err = {};
        struct db_value text = db_textn(sql, strlen(sql));

        *s = (struct slow){ .pool = pool, .sql = sql, .by = soon() };
        s->g = green_spawn_ref(NULL, "slow query", run_slow, s, &err);
        for (int64_t n = 0; n == 0;) {
                struct db_result *r = NULL;

                ck_assert_ok(
                        db_pool_select(watch,
                                       "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = ?",
                                       &text, 1, &r, soon(), &err),
                        err);
                n = db_result_row(r, 0)[0].i;
                db_result_free(r);
                green_sleep(0.01, &err);
        }
}

static void YIELDS join_slow(struct slow *s)
{
        struct error err = {};

        ck_assert_ok(green_join(s->g, soon(), NULL, &err), err);
        green_unref(s->g);
}

static void YIELDS check_replaced(struct db_pool *p)
{
        struct db_pool_info info;

        db_pool_get_info(p, &info);
        ck_assert_uint_eq(info.lent, 0);
        ck_assert_uint_eq(info.idle, 0); /* a half-finished exchange does not go back */
        ck_assert_int_eq(number_of(p, "SELECT 42"), 42);
}

static int way; /* of a looped test */

GREEN_TEST_REAL(a_cancelled_query_costs_its_connection_only)
{
        struct here h = here(way), watch = here(BY_SOCKET);
        struct slow s;

        start_slow(&s, h.pool, watch.pool, "DO SLEEP(1000)");
        green_cancel(s.g);
        join_slow(&s);
        ck_assert_int_eq(s.r, -1);
        ck_assert_int_eq(s.err.code, ERR_CANCELLED);
        check_replaced(h.pool);
        here_end(&watch);
        here_end(&h);
}

GREEN_TEST_REAL(a_late_query_costs_its_connection_only)
{
        struct here h = here(way);
        struct error err = {};
        struct db_result *r = NULL;

        run(h.pool, "DO 1");
        ck_assert_fails(
                db_pool_exec(h.pool, "DO SLEEP(1000)", NULL, 0, NULL, NULL, deadline_in_ms(100), &err), err,
                ERR_TIMEOUT);
        check_replaced(h.pool);
        ck_assert_fails(db_pool_select(h.pool, "SELECT SLEEP(1000)", NULL, 0, &r, deadline_in_ms(100), &err),
                        err, ERR_TIMEOUT);
        ck_assert_ptr_null(r);
        ck_assert_fails(db_pool_select(h.pool, "SELECT 1", NULL, 0, &r, deadline_now(), &err), err,
                        ERR_TIMEOUT);
        here_end(&h);
}

GREEN_TEST_REAL(closing_the_pool_waits_for_what_is_lent)
{
        struct here h = here(BY_SOCKET), watch = here(BY_SOCKET);
        struct slow s;
        struct error err = {};

        start_slow(&s, h.pool, watch.pool, "DO SLEEP(0.3)");
        db_pool_close(h.pool);
        ck_assert(green_ended(s.g));
        join_slow(&s);
        ck_assert_msg(s.r == 0, "%s", s.err.text);
        ck_assert_uint_eq(tpool_close(h.workers, soon()), 0);
        here_end(&watch);
        (void)err;
}

/* ---- the server ---- */

GREEN_TEST_REAL(a_server_killed_in_the_middle_is_found_again)
{
        struct here h = here(way), watch = here(BY_SOCKET);
        struct db_pool_info info;
        struct slow s;

        start_slow(&s, h.pool, watch.pool, "DO SLEEP(1001)");
        server("kill");
        join_slow(&s);
        ck_assert_int_eq(s.r, -1);
        ck_assert_int_eq(s.err.code, ERR_DB_LOST);
        ck_assert_ptr_nonnull(strstr(s.err.text, "is not known")); /* carried out or not: not for us to say */
        server("start");
        ck_assert_int_eq(number_of(h.pool, "SELECT 42"), 42);
        db_pool_get_info(h.pool, &info);
        ck_assert(info.reachable);
        ck_assert_msg(info.reconnects == 1, "%lu %lu %s", info.reconnects, info.retries, info.last_error);
        here_end(&watch);
        here_end(&h);
}

GREEN_TEST_REAL(idle_connections_of_a_server_that_came_back_are_not_lent)
{
        struct here h = here(way);
        struct db_conn *c[3];
        struct db_pool_info info;
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(c); i++)
                c[i] = borrowed(h.pool);
        for (size_t i = 0; i < ARRAY_SIZE(c); i++)
                db_pool_put(c[i]);
        server("stop");
        server("start");
        c[0] = borrowed(h.pool);
        ck_assert_ok(db_exec(c[0], "DO 1", NULL, 0, NULL, NULL, soon(), &err), err);
        db_pool_put(c[0]);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 1);
        ck_assert_uint_eq(info.retries, 0);
        here_end(&h);
}

GREEN_TEST_REAL(a_server_that_is_down_for_a_moment_is_waited_for)
{
        struct here h = here(BY_SOCKET);
        struct db_pool_info info;
        struct slow s = { .pool = h.pool, .sql = "DO 1", .by = soon() };
        struct error err = {};

        server("stop");
        s.g = green_spawn_ref(NULL, "patient", run_slow, &s, &err);
        do {
                green_sleep(0.01, &err);
                db_pool_get_info(h.pool, &info);
        } while (info.retries == 0);
        ck_assert(!info.reachable);
        ck_assert_ptr_nonnull(strstr(info.last_error, "connecting to unix:"));
        server("start");
        join_slow(&s);
        ck_assert_msg(s.r == 0, "%s", s.err.text);
        here_end(&h);
}

/* SIGSTOP works when all threads of the process have taken notice. */
static void freeze(pid_t pid)
{
        CLEANUP(freep) char *path = xasprintf("/proc/%d/task", pid);
        DIR *tasks = opendir(path);
        struct dirent *d;

        kill(pid, SIGSTOP);
        while ((d = readdir(tasks))) {
                CLEANUP(freep) char *stat = xasprintf("%s/%s/stat", path, d->d_name);
                char state = d->d_name[0] == '.' ? 'T' : '?';

                while (state != 'T') {
                        FILE *f = fopen(stat, "re");

                        ck_assert_ptr_nonnull(f);
                        ck_assert_int_eq(fscanf(f, "%*d %*[^)]) %c", &state), 1);
                        fclose(f);
                }
        }
        closedir(tasks);
}

/* Asked for: the server may have been started anew by another test. */
static pid_t server_pid(void)
{
        CLEANUP(freep) char *path = xasprintf("%s/pid", env("MARIADB_DIR"));
        FILE *f = fopen(path, "re");
        pid_t pid;

        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
        fclose(f);
        return pid;
}

GREEN_TEST_REAL(a_frozen_server_holds_nobody_beyond_the_deadline)
{
        struct here h = here(way);
        pid_t pid = server_pid();
        struct error err[2] = {};
        int r[2];

        run(h.pool, "DO 1");
        freeze(pid);
        for (int i = 0; i < 2; i++) /* on a connection, and on a connection to be made */
                r[i] = db_pool_exec(h.pool, "DO 1", NULL, 0, NULL, NULL, deadline_in_ms(100), &err[i]);
        kill(pid, SIGCONT);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(r[i], -1);
                ck_assert_int_eq(err[i].code, ERR_TIMEOUT);
        }
        ck_assert_int_eq(number_of(h.pool, "SELECT 42"), 42);
        here_end(&h);
}

GREEN_TEST_REAL(a_wrong_password_is_refused_without_being_shown)
{
        CLEANUP(freep) char *url = url_of(way, "hunter2%40home");
        struct here h = here_with(url, 0, 0);
        struct db_pool_info info;
        struct error err = {};

        ck_assert_fails(db_pool_exec(h.pool, "DO 1", NULL, 0, NULL, NULL, soon(), &err), err, ERR_DB);
        ck_assert_int_eq(err.sys, 1045);
        ck_assert_ptr_nonnull(strstr(err.text, "Access denied"));
        ck_assert_ptr_null(strstr(err.text, "hunter2"));
        db_pool_get_info(h.pool, &info);
        ck_assert_ptr_null(strstr(info.last_error, "hunter2"));
        ck_assert(!info.reachable);
        here_end(&h);
}

/* ---- TLS ---- */

GREEN_TEST_REAL(tls_needs_a_certificate_of_the_right_authority)
{
        CLEANUP(freep)
        char *url = xasprintf("mysql://nova:%s@localhost:%s/nova_cell1?ssl_ca=%s", env("MARIADB_PASSWORD"),
                              env("MARIADB_PORT"), env("MARIADB_OTHER_CA"));
        struct here h = here_with(url, 0, 0);
        struct error err = {};

        ck_assert_ptr_null(db_pool_get(h.pool, soon(), &err));
        ck_assert_int_eq(err.code, ERR_DB_LOST);
        ck_assert_int_eq(err.sys, 2026);
        here_end(&h);
}

GREEN_TEST_REAL(tls_needs_a_certificate_of_the_right_name)
{
        /* The address is one of this machine, and not one of the certificate's. */
        CLEANUP(freep)
        char *url = xasprintf("mysql://nova:%s@127.1:%s/nova_cell1?ssl_ca=%s", env("MARIADB_PASSWORD"),
                              env("MARIADB_PORT"), env("MARIADB_CA"));
        struct here h = here_with(url, 0, 0);
        struct error err = {};

        ck_assert_ptr_null(db_pool_get(h.pool, soon(), &err));
        ck_assert_int_eq(err.code, ERR_DB_LOST);
        ck_assert_int_eq(err.sys, 2026);
        here_end(&h);
}

GREEN_TEST_REAL(each_way_is_the_way_that_was_asked_for)
{
        struct here h = here(way);
        struct db_result *r =
                rows_of(h.pool, "SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()");
        const char *host = db_result_row(r, 0)[0].s;
        struct db_pool_info info;
        int64_t id;

        ck_assert_msg(!strchr(host, ':') == (way == BY_SOCKET), "%s", host);
        db_result_free(r);
        r = rows_of(h.pool, "SHOW SESSION STATUS LIKE 'Ssl_cipher'");
        ck_assert_int_eq(db_result_row(r, 0)[1].len > 0, way == BY_TLS);
        db_result_free(r);
        id = number_of(h.pool, "SELECT CONNECTION_ID()");
        ck_assert_int_eq(number_of(h.pool, "SELECT CONNECTION_ID()"), id);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.reconnects, 0);
        here_end(&h);
}

GREEN_TEST_REAL(a_large_value_goes_through_in_both_directions)
{
        enum { SIZE = 12 << 20 };
        struct here h = here(way);
        CLEANUP(freep) char *big = xmalloc(SIZE);
        struct db_value v = db_textn(big, SIZE);
        struct db_result *r = NULL;
        struct db_pool_info info;
        struct error err = {};

        for (size_t i = 0; i < SIZE; i++)
                big[i] = (char)(i * 2654435761u >> 13);
        ck_assert_ok(db_pool_select(h.pool, "SELECT CAST(? AS BINARY), 17", &v, 1, &r, soon(), &err), err);
        ck_assert_uint_eq(db_result_row(r, 0)[0].len, SIZE);
        ck_assert_mem_eq(db_result_row(r, 0)[0].s, big, SIZE);
        ck_assert_int_eq(db_result_row(r, 0)[1].i, 17);
        db_result_free(r);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 1);
        here_end(&h);
}

/* ---- transactions ---- */

struct transfer {
        int first, second; /* rows, locked in this order */
        struct green_event *mine, *other;
        unsigned runs;
        struct db_pool *pool;
        int r;
        struct error err;
};

static int move_money(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        struct transfer *t = arg;
        struct db_value first = db_int(t->first), second = db_int(t->second);

        assert_green();
        t->runs++;
        if (db_exec(c, "UPDATE accounts SET n = n + 1 WHERE id = ?", &first, 1, NULL, NULL, by, err) < 0)
                return -1;
        green_event_set(t->mine);
        if (green_event_wait(t->other, by, err) < 0)
                return -1;
        return db_exec(c, "UPDATE accounts SET n = n + 10 WHERE id = ?", &second, 1, NULL, NULL, by, err);
}

static int do_transfer(void *arg, struct error *err)
{
        struct transfer *t = arg;

        assert_green();
        (void)err;
        t->r = db_transaction(t->pool, move_money, t, soon(), &t->err);
        return 0;
}

static void YIELDS make_accounts(struct db_pool *p)
{
        run(p, "CREATE TABLE accounts (id INT NOT NULL PRIMARY KEY, n INT NOT NULL)");
        run(p, "INSERT INTO accounts VALUES (1, 0), (2, 0)");
}

GREEN_TEST_REAL(a_deadlock_repeats_the_whole_transaction)
{
        struct here h = here(BY_SOCKET);
        struct green_event a, b;
        struct transfer t[2] = { { .first = 1, .second = 2, .mine = &a, .other = &b, .pool = h.pool },
                                 { .first = 2, .second = 1, .mine = &b, .other = &a, .pool = h.pool } };
        struct green_group *g = green_group_new("transfers");
        struct db_pool_info info;
        struct error err = {};

        make_accounts(h.pool);
        green_event_init(&a, "a");
        green_event_init(&b, "b");
        for (int i = 0; i < 2; i++)
                ck_assert_ok(green_spawn(g, "transfer", do_transfer, &t[i], &err), err);
        ck_assert_ok(green_group_wait(g, soon(), &err), err);
        green_group_close(g);
        for (int i = 0; i < 2; i++)
                ck_assert_msg(t[i].r == 0, "%s", t[i].err.text);
        ck_assert_uint_eq(t[0].runs + t[1].runs, 3); /* one of them was the victim, once */
        ck_assert_int_eq(number_of(h.pool, "SELECT n FROM accounts WHERE id = 1"), 11);
        ck_assert_int_eq(number_of(h.pool, "SELECT n FROM accounts WHERE id = 2"), 11);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.retries, 1);
        run(h.pool, "DROP TABLE accounts");
        here_end(&h);
}

static int fail_after_writing(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        assert_green();
        ++*(int *)arg;
        if (db_exec(c, "UPDATE accounts SET n = 99", NULL, 0, NULL, NULL, by, err) < 0)
                return -1;
        return error_set(err, ERR_APP + 7, "not today");
}

GREEN_TEST_REAL(a_failed_transaction_leaves_nothing)
{
        struct here h = here(BY_SOCKET);
        struct db_pool_info info;
        struct error err = {};
        int runs = 0;

        make_accounts(h.pool);
        ck_assert_fails(db_transaction(h.pool, fail_after_writing, &runs, soon(), &err), err, ERR_APP + 7);
        ck_assert_str_eq(err.text, "not today");
        ck_assert_int_eq(runs, 1);
        ck_assert_int_eq(number_of(h.pool, "SELECT SUM(n) = 0 FROM accounts"), 1);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.idle, 1); /* rolled back, so the connection is as good as before */
        run(h.pool, "DROP TABLE accounts");
        here_end(&h);
}

struct cut {
        struct db_pool *killer;
        int runs;
        bool cut_always;
};

/* Its own connection is killed from outside before it can commit. */
static int cut_off(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        struct cut *cut = arg;
        struct db_result *r = NULL;
        CLEANUP(freep) char *sql = NULL;

        assert_green();
        if (db_exec(c, "UPDATE accounts SET n = n + 1", NULL, 0, NULL, NULL, by, err) < 0 ||
            db_select(c, "SELECT CONNECTION_ID()", NULL, 0, &r, by, err) < 0)
                return -1;
        sql = xasprintf("KILL %lld", (long long)db_result_row(r, 0)[0].i);
        db_result_free(r);
        if (cut->runs++ == 0)
                run(cut->killer, sql);
        return db_exec(c, "UPDATE accounts SET n = n + 10", NULL, 0, NULL, NULL, by, err);
}

GREEN_TEST_REAL(a_connection_lost_before_the_commit_repeats_the_transaction)
{
        struct here h = here(way), killer = here(BY_SOCKET);
        struct cut cut = { .killer = killer.pool };
        struct error err = {};

        make_accounts(killer.pool);
        ck_assert_ok(db_transaction(h.pool, cut_off, &cut, soon(), &err), err);
        ck_assert_int_eq(cut.runs, 2);
        ck_assert_int_eq(number_of(h.pool, "SELECT n FROM accounts WHERE id = 1"), 11);
        run(killer.pool, "DROP TABLE accounts");
        here_end(&killer);
        here_end(&h);
}

static int write_and_wait(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        assert_green();
        if (db_exec(c, "UPDATE accounts SET n = 99", NULL, 0, NULL, NULL, by, err) < 0)
                return -1;
        green_event_set(arg);
        return green_sleep(1000, err);
}

struct cancelled {
        struct db_pool *pool;
        struct green_event written;
        int r;
        struct error err;
};

static int transact_for_long(void *arg, struct error *err)
{
        struct cancelled *t = arg;

        assert_green();
        (void)err;
        t->r = db_transaction(t->pool, write_and_wait, &t->written, soon(), &t->err);
        return 0;
}

GREEN_TEST_REAL(a_cancelled_transaction_is_rolled_back)
{
        struct here h = here(BY_SOCKET);
        struct cancelled t = { .pool = h.pool };
        struct db_pool_info info;
        struct error err = {};
        struct green *g;

        make_accounts(h.pool);
        green_event_init(&t.written, "written");
        g = green_spawn_ref(NULL, "long transaction", transact_for_long, &t, &err);
        ck_assert_ok(green_event_wait(&t.written, soon(), &err), err);
        green_cancel(g);
        ck_assert_ok(green_join(g, soon(), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(t.err.code, ERR_CANCELLED);
        /* The lock is gone too: else this would wait for it. */
        run(h.pool, "UPDATE accounts SET n = n + 1");
        ck_assert_int_eq(number_of(h.pool, "SELECT n FROM accounts WHERE id = 1"), 1);
        db_pool_get_info(h.pool, &info);
        ck_assert_uint_eq(info.errors, 0);
        run(h.pool, "DROP TABLE accounts");
        here_end(&h);
}

/* ---- */

#define EACH_WAY(name)             \
        START_TEST(name##_any_way) \
        {                          \
                way = _i;          \
                name->fn(_i);      \
        }                          \
        END_TEST

EACH_WAY(a_cancelled_query_costs_its_connection_only)
EACH_WAY(a_late_query_costs_its_connection_only)
EACH_WAY(a_server_killed_in_the_middle_is_found_again)
EACH_WAY(idle_connections_of_a_server_that_came_back_are_not_lent)
EACH_WAY(a_frozen_server_holds_nobody_beyond_the_deadline)
EACH_WAY(a_wrong_password_is_refused_without_being_shown)
EACH_WAY(each_way_is_the_way_that_was_asked_for)
EACH_WAY(a_large_value_goes_through_in_both_directions)
EACH_WAY(a_connection_lost_before_the_commit_repeats_the_transaction)

int main(void)
{
        const TTest *const each_way[] = {
                a_cancelled_query_costs_its_connection_only_any_way,
                a_late_query_costs_its_connection_only_any_way,
                a_server_killed_in_the_middle_is_found_again_any_way,
                idle_connections_of_a_server_that_came_back_are_not_lent_any_way,
                a_frozen_server_holds_nobody_beyond_the_deadline_any_way,
                a_wrong_password_is_refused_without_being_shown_any_way,
                each_way_is_the_way_that_was_asked_for_any_way,
                a_large_value_goes_through_in_both_directions_any_way,
                a_connection_lost_before_the_commit_repeats_the_transaction_any_way,
        };
        const TTest *const once[] = {
                closing_the_pool_waits_for_what_is_lent,
                a_server_that_is_down_for_a_moment_is_waited_for,
                tls_needs_a_certificate_of_the_right_authority,
                tls_needs_a_certificate_of_the_right_name,
                a_deadlock_repeats_the_whole_transaction,
                a_failed_transaction_leaves_nothing,
                a_cancelled_transaction_is_rolled_back,
        };
        Suite *suite = suite_create("mysql-faults");
        TCase *tcase = tcase_create("mysql-faults");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 90);
        for (size_t i = 0; i < ARRAY_SIZE(each_way); i++)
                tcase_add_loop_test(tcase, each_way[i], 0, WAYS);
        for (size_t i = 0; i < ARRAY_SIZE(once); i++)
                tcase_add_test(tcase, once[i]);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
