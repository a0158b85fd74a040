/* tests of lib/mysql/pool.c and conn.c that need no server: one that is not there, and one that never answers
 */
#include "mysql/mysql_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "green_test.h"

static char dir[64], path[96];

/* A socket that takes connections into its backlog and says nothing. */
static int mute_server(void)
{
        struct sockaddr_un addr = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        ck_assert_int_eq(listen(fd, 16), 0);
        return fd;
}

static void place(void)
{
        snprintf(dir, sizeof(dir), "/tmp/test-mysql-pool.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/sock", dir);
}

static void tidy(int fd)
{
        closep(&fd);
        unlink(path);
        ck_assert_int_eq(rmdir(dir), 0);
}

static struct db_pool *HUB_ONLY pool_at(const char *socket_path, struct tpool *t, unsigned size,
                                        unsigned overflow, double connect_s)
{
        CLEANUP(freep) char *url = xasprintf("mysql://nova:hunter2@localhost/d?unix_socket=%s", socket_path);
        struct db_options opt = { .url = url,
                                  .max_pool_size = size,
                                  .max_overflow = overflow,
                                  .tpool = t,
                                  .connect_timeout_s = connect_s };
        struct error err = {};
        struct db_pool *p = db_pool_new(&opt, &err);

        ck_assert_msg(p != NULL, "%s", err.text);
        return p;
}

static struct tpool *HUB_ONLY workers(void)
{
        struct error err = {};
        struct tpool *t = tpool_new("test", 2, &err);

        ck_assert_msg(t != NULL, "%s", err.text);
        return t;
}

static void HUB_ONLY check_all_is_given_back(struct db_pool *p)
{
        struct db_pool_info info;

        db_pool_get_info(p, &info);
        ck_assert_uint_eq(info.idle, 0);
        ck_assert_uint_eq(info.lent, 0);
        ck_assert_uint_eq(info.connecting, 0);
        ck_assert_uint_eq(info.waiting, 0);
        ck_assert_int_eq(p->slots.count, info.max);
}

GREEN_TEST_REAL(a_server_that_is_not_there_is_a_lost_connection)
{
        struct tpool *t = workers();
        struct db_pool *p = pool_at("/nonexistent/sock", t, 1, 1, 0);
        struct db_pool_info info;
        struct error err = {};

        ck_assert_ptr_null(db_pool_get(p, deadline_in_s(30), &err));
        ck_assert_int_eq(err.code, ERR_DB_LOST);
        ck_assert_int_eq(err.sys, 2002);
        ck_assert_ptr_nonnull(strstr(err.text, "connecting to unix:/nonexistent/sock: "));
        ck_assert_ptr_null(strstr(err.text, "hunter2"));
        check_all_is_given_back(p);
        db_pool_get_info(p, &info);
        ck_assert(!info.reachable);
        ck_assert_str_eq(info.last_error, err.text);
        ck_assert_str_eq(info.peer, "unix:/nonexistent/sock");
        db_pool_close(p);
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(connecting_to_a_mute_server_times_out)
{
        struct tpool *t = workers();
        struct db_pool *p;
        struct error err = {};
        int fd;

        place();
        fd = mute_server();
        p = pool_at(path, t, 1, 1, 60);
        ck_assert_ptr_null(db_pool_get(p, deadline_in_ms(50), &err));
        ck_assert_int_eq(err.code, ERR_TIMEOUT);
        check_all_is_given_back(p);
        db_pool_close(p);
        tidy(fd); /* the worker's connection ends with it, and the job is dropped there */
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(its_own_patience_makes_a_mute_server_a_lost_connection)
{
        struct tpool *t = workers();
        struct db_pool *p;
        struct error err = {};
        int fd;

        place();
        fd = mute_server();
        p = pool_at(path, t, 1, 1, 0.05);
        ck_assert_ptr_null(db_pool_get(p, deadline_in_s(30), &err));
        ck_assert_int_eq(err.code, ERR_DB_LOST);
        check_all_is_given_back(p);
        db_pool_close(p);
        tidy(fd);
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(another_url_is_for_new_connections)
{
        struct tpool *t = workers();
        struct db_pool *p = pool_at("/nonexistent/sock", t, 1, 1, 0);
        struct db_pool_info info;
        struct error err = {};

        ck_assert_int_eq(db_pool_set_url(p, "nonsense://x", &err), -1);
        ck_assert_ok(db_pool_set_url(p, "mysql://nova:geheim@localhost/d?unix_socket=/elsewhere/sock", &err),
                     err);
        ck_assert_ptr_null(db_pool_get(p, deadline_in_s(30), &err));
        ck_assert_ptr_nonnull(strstr(err.text, "connecting to unix:/elsewhere/sock: "));
        db_pool_get_info(p, &info);
        ck_assert_str_eq(info.peer, "unix:/elsewhere/sock");
        check_all_is_given_back(p);
        db_pool_close(p);
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(other_limits_hold_at_once)
{
        struct tpool *t = workers();
        struct db_pool *p = pool_at("/nonexistent/sock", t, 1, 1, 0);
        struct db_pool_info info;

        db_pool_set_limits(p, 3, 0, -1);
        db_pool_get_info(p, &info);
        ck_assert_uint_eq(info.max, 3);
        check_all_is_given_back(p);
        ck_assert_int_eq(p->recycle_ns, INT64_MAX);
        db_pool_set_limits(p, 1, 0, 10);
        check_all_is_given_back(p);
        ck_assert_int_eq(p->recycle_ns, 10 * NS_PER_S);
        db_pool_close(p);
        tpool_close(t, deadline_in_s(30));
}

struct getter {
        struct db_pool *pool;
        struct error err;
        bool ended;
};

static int get_and_note(void *arg, struct error *err)
{
        struct getter *g = arg;
        struct db_conn *c;

        assert_green();
        (void)err;
        c = db_pool_get(g->pool, deadline_in_s(30), &g->err);
        ck_assert_ptr_null(c);
        g->ended = true;
        return 0;
}

GREEN_TEST_REAL(who_waits_to_connect_or_for_a_slot_can_be_cancelled)
{
        struct tpool *t = workers();
        struct getter connects = {}, waits = {};
        struct green *a, *b;
        struct db_pool_info info;
        struct db_pool *p;
        struct error err = {};
        int fd;

        place();
        fd = mute_server();
        p = connects.pool = waits.pool = pool_at(path, t, 1, 1, 60);
        green_sem_try(&p->slots); /* one of the two slots is somebody's */
        a = green_spawn_ref(NULL, "connects", get_and_note, &connects, &err);
        b = green_spawn_ref(NULL, "waits", get_and_note, &waits, &err);
        green_sleep(0.02, &err);
        db_pool_get_info(p, &info);
        ck_assert_uint_eq(info.connecting, 1);
        ck_assert_uint_eq(info.waiting, 1);
        green_cancel(b);
        ck_assert_ok(green_join(b, deadline_in_s(30), NULL, &err), err);
        ck_assert_int_eq(waits.err.code, ERR_CANCELLED);
        green_cancel(a);
        ck_assert_ok(green_join(a, deadline_in_s(30), NULL, &err), err);
        ck_assert_int_eq(connects.err.code, ERR_CANCELLED);
        green_unref(a);
        green_unref(b);
        green_sem_release(&p->slots);
        check_all_is_given_back(p);
        db_pool_close(p);
        tidy(fd);
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(waiting_for_a_slot_times_out)
{
        struct tpool *t = workers();
        struct db_pool *p = pool_at("/nonexistent/sock", t, 1, 1, 0);
        struct error err = {};

        green_sem_try(&p->slots);
        green_sem_try(&p->slots);
        ck_assert_ptr_null(db_pool_get(p, deadline_in_ms(20), &err));
        ck_assert_int_eq(err.code, ERR_TIMEOUT);
        ck_assert_ptr_nonnull(strstr(err.text, "waiting for one of 2 database connections"));
        green_sem_release(&p->slots);
        green_sem_release(&p->slots);
        check_all_is_given_back(p);
        db_pool_close(p);
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(closing_sends_home_who_waits)
{
        struct tpool *t = workers();
        struct db_pool *p = pool_at("/nonexistent/sock", t, 1, 1, 0);
        struct getter waits[3] = {};
        struct error err = {};

        green_sem_try(&p->slots);
        green_sem_try(&p->slots);
        for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
                waits[i].pool = p;
                ck_assert_ok(green_spawn(NULL, "waits", get_and_note, &waits[i], &err), err);
        }
        green_yield();
        ck_assert_uint_eq(p->waiting, 3);
        db_pool_close(p);
        for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
                ck_assert(waits[i].ended);
                ck_assert_int_eq(waits[i].err.code, ERR_CLOSED);
        }
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(a_lost_connection_is_tried_again_as_long_as_there_is_time)
{
        struct tpool *t = workers();
        struct db_pool *p = pool_at("/nonexistent/sock", t, 1, 1, 0);
        struct db_result *rows = NULL;
        struct db_pool_info info;
        struct error err = {};

        /* A try, another one at once, and a pause of a second for which there is no time. */
        ck_assert_int_eq(db_pool_select(p, "SELECT 1", NULL, 0, &rows, deadline_in_ms(900), &err), -1);
        ck_assert_int_eq(err.code, ERR_DB_LOST);
        ck_assert_int_eq(db_pool_exec(p, "DO 1", NULL, 0, NULL, NULL, deadline_in_ms(900), &err), -1);
        ck_assert_int_eq(err.code, ERR_DB_LOST);
        db_pool_get_info(p, &info);
        ck_assert_uint_eq(info.retries, 2);
        ck_assert_uint_eq(info.errors, 4);
        check_all_is_given_back(p);
        db_pool_close(p);
        tpool_close(t, deadline_in_s(30));
}

GREEN_TEST_REAL(options_are_checked)
{
        struct tpool *t = workers();
        struct db_options opt = { .url = "mysql://u:hunter2@h/d" };
        struct error err = {};

        ck_assert_ptr_null(db_pool_new(&opt, &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
        opt.tpool = t;
        opt.sql_mode = "TRADITIONAL'; DROP TABLE instances; --";
        ck_assert_ptr_null(db_pool_new(&opt, &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "sql_mode"));
        opt.sql_mode = "";
        opt.url = "mysql://u:hunter2@h";
        ck_assert_ptr_null(db_pool_new(&opt, &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_ptr_null(strstr(err.text, "hunter2"));
        tpool_close(t, deadline_in_s(30));
}

/* ---- states ---- */

static const struct {
        enum conn_state from, to;
} legal[] = {
        { CONN_CONNECTING, CONN_LENT }, { CONN_CONNECTING, CONN_CLOSED }, { CONN_IDLE, CONN_LENT },
        { CONN_IDLE, CONN_BROKEN },     { CONN_IDLE, CONN_CLOSED },       { CONN_LENT, CONN_IDLE },
        { CONN_LENT, CONN_BROKEN },     { CONN_BROKEN, CONN_CLOSED },
};

static bool is_legal(enum conn_state from, enum conn_state to)
{
        for (size_t i = 0; i < ARRAY_SIZE(legal); i++)
                if (legal[i].from == from && legal[i].to == to)
                        return true;
        return false;
}

/* The moves that lead to each state. */
static void HUB_ONLY bring_to(struct db_conn *c, enum conn_state to)
{
        conn_set_state(c, CONN_CONNECTING);
        if (to == CONN_CONNECTING)
                return;
        conn_set_state(c, CONN_LENT);
        if (to != CONN_LENT)
                conn_set_state(c, to);
}

static int YIELDS move_once(enum conn_state from, enum conn_state to)
{
        struct tpool *t = workers();
        struct db_pool *p = pool_at("/nonexistent/sock", t, 1, 1, 0);
        struct db_conn c = { .pool = p };

        list_init(&c.link);
        bring_to(&c, from);
        ck_assert_uint_eq(p->count[from], 1);
        conn_set_state(&c, to);
        ck_assert_uint_eq(p->count[from], 0);
        ck_assert_int_eq(c.state, to);
        /* Back to nothing, so that the pool can go. */
        if (c.state == CONN_LENT)
                conn_set_state(&c, CONN_IDLE);
        if (c.state != CONN_CLOSED)
                conn_set_state(&c, CONN_CLOSED);
        db_pool_close(p);
        tpool_close(t, deadline_in_s(30));
        return 0;
}

GREEN_TEST_REAL(legal_moves_are_made)
{
        for (size_t i = 0; i < ARRAY_SIZE(legal); i++)
                move_once(legal[i].from, legal[i].to);
}

static int illegal_main(void *arg, struct error *err)
{
        int *pair = arg;

        assert_green();
        (void)err;
        return move_once(pair[0], pair[1]);
}

static int illegal[CONN_STATES * CONN_STATES][2];

static int list_illegal(void)
{
        int n = 0;

        for (int from = 0; from < CONN_CLOSED; from++)
                for (int to = 0; to < CONN_STATES; to++)
                        if (!is_legal(from, to)) {
                                illegal[n][0] = from;
                                illegal[n++][1] = to;
                        }
        return n;
}

START_TEST(any_other_move_aborts)
{
        struct error err = {};

        quiet_stderr();
        hub_run(illegal_main, illegal[_i], NULL, &err);
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                a_server_that_is_not_there_is_a_lost_connection,
                connecting_to_a_mute_server_times_out,
                its_own_patience_makes_a_mute_server_a_lost_connection,
                who_waits_to_connect_or_for_a_slot_can_be_cancelled,
                waiting_for_a_slot_times_out,
                closing_sends_home_who_waits,
                a_lost_connection_is_tried_again_as_long_as_there_is_time,
                options_are_checked,
                another_url_is_for_new_connections,
                other_limits_hold_at_once,
                legal_moves_are_made,
        };
        Suite *suite = suite_create("mysql-pool");
        TCase *tcase = tcase_create("mysql-pool");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(tcase, tests[i]);
        tcase_add_loop_test_raise_signal(tcase, any_other_move_aborts, SIGABRT, 0, list_illegal());
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
