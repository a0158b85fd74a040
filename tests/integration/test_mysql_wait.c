/*
 * The same slow query twice beside a ticking green thread: through the blocking API it stops the hub, and the
 * stall watcher says who did it; through lib/mysql it costs only the one who asked. Over each of the three
 * ways.
 */
#include "mysql_fixture.h" /* before mysql.h, whose macros have names of base/list.h */

#include <mysql.h>
#include <pthread.h>

#include "native/stall_watcher.h"

#define SLOW "SELECT SLEEP(0.5)"

/* From the watcher's thread to the test's. */
enum { KEPT = 64 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char culprits[KEPT][GREEN_NAME_MAX];
static unsigned n_culprits;

static void note(const struct stall_report *r, void *arg)
{
        (void)arg;
        pthread_mutex_lock(&lock);
        if (n_culprits < KEPT)
                snprintf(culprits[n_culprits++], GREEN_NAME_MAX, "%s", r->green);
        pthread_mutex_unlock(&lock);
}

static bool was_named(const char *green)
{
        bool found = false;

        pthread_mutex_lock(&lock);
        for (unsigned n = 0; n < n_culprits; n++)
                found = found || !strcmp(culprits[n], green);
        pthread_mutex_unlock(&lock);
        return found;
}

static unsigned long ticks;

static int tick(void *arg, struct error *err)
{
        assert_green();
        (void)arg;
        while (green_sleep(0.01, err) == 0)
                ticks++;
        return -1;
}

struct query {
        struct db_pool *pool; /* ours */
        MYSQL *mysql;         /* the blocking one */
        unsigned long ticks;  /* meanwhile */
};

static int ask_blocking(void *arg, struct error *err)
{
        struct query *q = arg;
        unsigned long before = ticks;

        assert_green();
        (void)err;
        ck_assert_msg(mysql_query(q->mysql, SLOW) == 0, "%s", mysql_error(q->mysql));
        mysql_free_result(mysql_store_result(q->mysql));
        q->ticks = ticks - before;
        return 0;
}

static int ask_ours(void *arg, struct error *err)
{
        struct query *q = arg;
        unsigned long before = ticks;
        struct db_result *r = NULL;

        assert_green();
        if (db_pool_select(q->pool, SLOW, NULL, 0, &r, soon(), err) < 0)
                return -1;
        ck_assert_int_eq(db_result_row(r, 0)[0].i, 0);
        db_result_free(r);
        q->ticks = ticks - before;
        return 0;
}

static void YIELDS run_green(const char *name, green_fn *fn, struct query *q)
{
        struct error err = {}, failed = {};
        struct green *g = green_spawn_ref(NULL, name, fn, q, &err);

        ck_assert_msg(g != NULL, "%s", err.text);
        ck_assert_ok(green_join(g, soon(), &failed, &err), err);
        ck_assert_msg(failed.code == 0, "%s", failed.text);
        green_unref(g);
}

/* As any program would do it. */
static MYSQL *plain_connection(enum way way)
{
        unsigned protocol = way == BY_SOCKET ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
        MYSQL *m = mysql_init(NULL);

        mysql_optionsv(m, MYSQL_OPT_PROTOCOL, &protocol);
        if (way == BY_TLS)
                mysql_ssl_set(m, NULL, NULL, env("MARIADB_CA"), NULL, NULL);
        ck_assert_msg(
                mysql_real_connect(m, "localhost", "nova", env("MARIADB_PASSWORD"), "nova_cell1",
                                   way == BY_SOCKET ? 0 : (unsigned)strtoul(env("MARIADB_PORT"), NULL, 10),
                                   way == BY_SOCKET ? env("MARIADB_SOCKET") : NULL, 0) != NULL,
                "%s", mysql_error(m));
        ck_assert_int_eq(mysql_get_ssl_cipher(m) != NULL, way == BY_TLS);
        return m;
}

static int way;

GREEN_TEST_REAL(the_blocking_query_stops_the_hub_and_ours_does_not)
{
        const struct stall_options opt = { .threshold_ms = 200, .report = note };
        struct here h = here(way);
        struct query q = { .pool = h.pool, .mysql = plain_connection(way) };
        struct stall_watcher *w;
        struct green *ticker;
        struct error err = {};

        run(h.pool, "DO 1"); /* connect before */
        ticker = green_spawn_ref(NULL, "ticker", tick, NULL, &err);
        w = stall_watcher_start(&opt, &err);
        ck_assert_msg(w != NULL, "%s", err.text);

        run_green("our query", ask_ours, &q);
        ck_assert_uint_gt(q.ticks, 4); /* about 50; a busy machine may do much worse */

        run_green("blocking query", ask_blocking, &q);
        ck_assert_uint_eq(q.ticks, 0);
        while (!was_named("blocking query"))
                green_sleep(0.005, &err);
        ck_assert(!was_named("our query"));

        stall_watcher_stop(w);
        green_cancel(ticker);
        green_join(ticker, soon(), NULL, &err);
        green_unref(ticker);
        mysql_close(q.mysql);
        here_end(&h);
}

START_TEST(each_way)
{
        way = _i;
        the_blocking_query_stops_the_hub_and_ours_does_not->fn(_i);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("mysql-wait");
        TCase *tcase = tcase_create("mysql-wait");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, each_way, 0, WAYS);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
