/* tests/unit/green/test_pool.c: the bound of a pool, waiting for all, closing. */
#include <string.h>

#include "green/pool.h"
#include "green_test.h"

static struct green_pool *pool;
static unsigned done, most;

static int nap(void *arg, struct error *err)
{
        assert_green();
        if (green_pool_running(pool) > most)
                most = green_pool_running(pool);
        if (green_sleep(0.1, err) < 0)
                return -1;
        done++;
        return 0;
}

GREEN_TEST(never_more_than_its_size_and_spawn_waits)
{
        struct error err;

        pool = green_pool_new("naps", 3);
        for (int i = 0; i < 10; i++)
                ck_assert_ok(green_pool_spawn(pool, "nap", nap, NULL, deadline_never(), &err), err);
        ck_assert_uint_ge(done, 7);
        ck_assert_ok(green_pool_waitall(pool, deadline_never(), &err), err);
        ck_assert_uint_eq(done, 10);
        ck_assert_uint_eq(most, 3);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 400);
        ck_assert_uint_eq(green_pool_running(pool), 0);
        ck_assert_uint_eq(green_pool_size(pool), 3);
        green_pool_close(pool);
}

GREEN_TEST(a_larger_pool_starts_who_waits_and_a_smaller_one_lets_run_what_runs)
{
        struct error err;

        pool = green_pool_new("naps", 1);
        ck_assert_ok(green_pool_spawn(pool, "nap", nap, NULL, deadline_now(), &err), err);
        green_pool_resize(pool, 4);
        for (int i = 0; i < 3; i++)
                ck_assert_ok(green_pool_spawn(pool, "nap", nap, NULL, deadline_now(), &err), err);
        ck_assert_fails(green_pool_spawn(pool, "nap", nap, NULL, deadline_now(), &err), err, ERR_TIMEOUT);
        green_pool_resize(pool, 2);
        ck_assert_uint_eq(green_pool_size(pool), 2);
        ck_assert_uint_eq(green_pool_running(pool), 4);
        for (int i = 0; i < 4; i++)
                ck_assert_ok(green_pool_spawn(pool, "nap", nap, NULL, deadline_never(), &err), err);
        ck_assert_uint_eq(green_pool_running(pool), 2);
        ck_assert_ok(green_pool_waitall(pool, deadline_never(), &err), err);
        ck_assert_uint_eq(done, 8);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 300);
        green_pool_close(pool);
}

static int spawn_one_more(void *arg, struct error *err);

GREEN_TEST(closing_a_pool_that_was_made_smaller_refuses_who_waits)
{
        struct error err;
        int code = -1;

        pool = green_pool_new("naps", 3);
        for (int i = 0; i < 3; i++)
                ck_assert_ok(green_pool_spawn(pool, "nap", nap, NULL, deadline_now(), &err), err);
        ck_assert_ok(green_spawn(NULL, "more", spawn_one_more, &code, &err), err);
        green_yield();
        green_pool_resize(pool, 1);
        ck_assert_int_eq(code, -1);
        green_pool_close(pool);
        ck_assert_int_eq(code, ERR_CLOSED);
}

GREEN_TEST(spawn_and_waitall_time_out)
{
        struct error err;

        pool = green_pool_new("naps", 1);
        ck_assert_ok(green_pool_spawn(pool, "nap", nap, NULL, deadline_now(), &err), err);
        ck_assert_fails(green_pool_spawn(pool, "nap", nap, NULL, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
        ck_assert_fails(green_pool_waitall(pool, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
        ck_assert_ok(green_pool_waitall(pool, deadline_never(), &err), err);
        ck_assert_uint_eq(done, 1);
        green_pool_close(pool);
}

static int spawn_one_more(void *arg, struct error *err)
{
        int *code = arg;

        assert_green();
        *code = green_pool_spawn(pool, "late", nap, NULL, deadline_never(), err) < 0 ? err->code : 0;
        return 0;
}

static void count_pool(const struct green_pool_info *info, void *arg)
{
        ck_assert_str_eq(info->name, "naps");
        ck_assert_uint_eq(info->size, 1);
        ck_assert_uint_eq(info->running, 1);
        ck_assert_uint_eq(info->waiting, 1);
        ck_assert_uint_eq(info->started, 1);
        ++*(int *)arg;
}

GREEN_TEST(closing_cancels_what_runs_and_refuses_who_waits)
{
        struct error err;
        int code = -1, pools = 0;
        struct green *late;

        pool = green_pool_new("naps", 1);
        ck_assert_ok(green_pool_spawn(pool, "nap", nap, NULL, deadline_never(), &err), err);
        late = green_spawn_ref(NULL, "late", spawn_one_more, &code, &err);
        green_yield();
        green_pool_foreach(count_pool, &pools);
        ck_assert_int_eq(pools, 1);
        green_pool_close(pool);
        ck_assert_ok(green_join(late, deadline_in_ms(10), NULL, &err), err);
        ck_assert_int_eq(code, ERR_CLOSED);
        ck_assert_uint_eq(done, 0);
        green_unref(late);
        green_pool_foreach(count_pool, &pools);
        ck_assert_int_eq(pools, 1);
        green_pool_close(NULL);
}

GREEN_SUITE("pool", never_more_than_its_size_and_spawn_waits,
            a_larger_pool_starts_who_waits_and_a_smaller_one_lets_run_what_runs,
            closing_a_pool_that_was_made_smaller_refuses_who_waits, spawn_and_waitall_time_out,
            closing_cancels_what_runs_and_refuses_who_waits)
