/* tests/bench/bench_sql.c: SELECT 1 from 50 green threads; the server is named by MARIADB_URL. */
#include "bench.h"
#include "mysql/mysql_pool.h"

enum { THREADS = 50 };

static struct db_pool *pool;

static int select_one(void *arg, struct error *err)
{
        long n = *(long *)arg;
        struct db_conn *c;

        assert_green();
        c = db_pool_get(pool, deadline_never(), err);
        if (!c)
                bench_fail(err);
        while (n-- > 0) {
                struct db_result *r;

                if (db_select(c, "SELECT 1", NULL, 0, &r, deadline_never(), err) < 0)
                        bench_fail(err);
                db_result_free(r);
        }
        db_pool_put(c);
        return 0;
}

static void YIELDS select_from_all(long each)
{
        struct green_group *g = green_group_new("bench");

        for (int i = 0; i < THREADS; i++)
                bench_start(g, select_one, &each);
        bench_finish(g);
}

/* CPU of the client per query: the server's side is the same for everybody. */
static void bench_select(void)
{
        struct db_options opt = { .url = getenv("MARIADB_URL"), .max_pool_size = THREADS };
        long each = measure_count(1000);
        struct error err = {};
        int64_t began;

        assert_green();
        if (!opt.url)
                measure_fail("MARIADB_URL is not set");
        opt.tpool = tpool_new("connect", 4, &err);
        if (!opt.tpool || !(pool = db_pool_new(&opt, &err)))
                bench_fail(&err);
        select_from_all(1); /* connect */
        began = measure_cpu();
        select_from_all(each);
        measure_report("sql-select-1", (double)(measure_cpu() - began) / (double)(THREADS * each) / 1e3,
                       "us");
        db_pool_close(pool);
        tpool_close(opt.tpool, deadline_in_ms(1000));
}

const struct bench sql_benches[] = {
        { "sql-select-1", bench_select },
        {},
};
