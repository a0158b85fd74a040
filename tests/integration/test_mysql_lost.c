/* Answers of the database that get lost on the way: what is done again, and what only the caller can decide.
 */
#include "proxy.h"
#include "store_fixture.h"

/* Like a desk, but the pool of the store goes through a proxy; desk.here looks at the rows directly. */
struct lossy {
        struct proxy *proxy;
        struct here here;
        struct store store;
};

static void YIELDS lossy_open(struct lossy *l, struct desk *desk)
{
        CLEANUP(freep) char *url = NULL;

        l->proxy = proxy_start(env("MARIADB_SOCKET"));
        url = xasprintf("mysql://nova:%s@localhost/%s?unix_socket=%s", env("MARIADB_PASSWORD"), desk->name,
                        proxy_socket(l->proxy));
        l->here = here_with(url, 0, 0);
        l->store = (struct store){ .db = l->here.pool, .host = "lab-compute" };
        run(l->here.pool, "DO 1");
}

static void YIELDS lossy_close(struct lossy *l)
{
        here_end(&l->here);
        proxy_stop(l->proxy);
}

static void YIELDS make_counter(struct desk *desk)
{
        run(desk->here.pool, "CREATE TABLE counter (n INT NOT NULL)");
        run(desk->here.pool, "INSERT INTO counter VALUES (0)");
}

STORE_TEST(a_lost_answer_to_a_select_is_asked_for_again)
{
        struct lossy l;

        lossy_open(&l, desk);
        proxy_arm(l.proxy, CUT_ANSWER, NULL, 0, 2);
        ck_assert_int_eq(number_of(l.here.pool, "SELECT 42"), 42);
        ck_assert_uint_eq(proxy_cuts(l.proxy), 2);
        lossy_close(&l);
}

STORE_TEST(a_statement_that_may_have_been_carried_out_is_not_repeated)
{
        static const enum proxy_cut cuts[] = { CUT_ANSWER, CUT_REQUEST };
        struct lossy l;
        struct error err = {};

        make_counter(desk);
        lossy_open(&l, desk);
        for (size_t n = 0; n < ARRAY_SIZE(cuts); n++) {
                proxy_arm(l.proxy, cuts[n], NULL, 0, 1);
                ck_assert_fails(db_pool_exec(l.here.pool, "UPDATE counter SET n = n + 1", NULL, 0, NULL, NULL,
                                             soon(), &err),
                                err, ERR_DB_LOST);
                ck_assert_ptr_nonnull(strstr(err.text, "carried out is not known"));
        }
        ck_assert_sql(desk, "SELECT n FROM counter", "1");
        lossy_close(&l);
}

static int count(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        assert_green();
        ++*(int *)arg;
        return db_exec(c, "UPDATE counter SET n = n + 1", NULL, 0, NULL, NULL, by, err);
}

STORE_TEST(a_transaction_whose_commit_was_not_answered_is_not_repeated)
{
        struct lossy l;
        struct error err = {};
        int runs = 0;

        make_counter(desk);
        lossy_open(&l, desk);
        proxy_arm(l.proxy, CUT_ANSWER, "COMMIT", 0, 1);
        ck_assert_fails(db_transaction(l.here.pool, count, &runs, soon(), &err), err, ERR_DB_LOST);
        ck_assert_ptr_nonnull(strstr(err.text, "committed is not known"));
        ck_assert_int_eq(runs, 1);
        ck_assert_sql(desk, "SELECT n FROM counter", "1");
        lossy_close(&l);
}

STORE_TEST(a_transaction_that_lost_its_connection_before_is_repeated_as_a_whole)
{
        struct lossy l;
        struct error err = {};
        int runs = 0;

        make_counter(desk);
        lossy_open(&l, desk);
        proxy_arm(l.proxy, CUT_ANSWER, NULL, 0, 1);
        ck_assert_ok(db_transaction(l.here.pool, count, &runs, soon(), &err), err);
        ck_assert_int_eq(runs, 2);
        ck_assert_sql(desk, "SELECT n FROM counter", "1");
        lossy_close(&l);
}

/* ---- what the store makes of it ---- */

STORE_TEST(a_save_is_settled_by_doing_it_again)
{
        static const enum proxy_cut cuts[] = { CUT_ANSWER, CUT_REQUEST };
        struct instance *i = new_instance_named(&desk->store, "lossy");
        struct lossy l;
        struct error err = {};

        lossy_open(&l, desk);
        for (size_t n = 0; n < ARRAY_SIZE(cuts); n++) {
                run(desk->here.pool, "UPDATE instances SET task_state = 'scheduling', vm_state = 'building'");
                i->vm_state = VM_BUILDING;
                i->task_state = TASK_SPAWNING;
                proxy_arm(l.proxy, cuts[n], NULL, 0, 1);
                ck_assert_ok(
                        store_instance_save(&l.store, i, COL_STATES, EXPECT(TASK_SCHEDULING), soon(), &err),
                        err);
                ck_assert_sql(desk, "SELECT task_state FROM instances", "spawning");
                ck_assert_uint_eq(proxy_cuts(l.proxy), n + 1);
        }
        /* With metadata it is a transaction, and the COMMIT gets lost. */
        run(desk->here.pool, "UPDATE instances SET task_state = 'scheduling'");
        instance_set_system_meta(i, "boot_roles", "admin");
        proxy_arm(l.proxy, CUT_ANSWER, "COMMIT", 0, 1);
        ck_assert_ok(store_instance_save(&l.store, i, COL_STATES | COL_SYSTEM_METADATA,
                                         EXPECT(TASK_SCHEDULING), soon(), &err),
                     err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM instance_system_metadata WHERE `key` = 'boot_roles'", "1");
        lossy_close(&l);
        instance_free(i);
}

STORE_TEST(a_save_that_somebody_else_overtook_is_lost_also_after_a_lost_answer)
{
        struct instance *i = new_instance_named(&desk->store, "overtaken");
        struct lossy l;
        struct error err = {};

        lossy_open(&l, desk);
        run(desk->here.pool, "UPDATE instances SET task_state = 'deleting'");
        i->task_state = TASK_SPAWNING;
        proxy_arm(l.proxy, CUT_REQUEST, NULL, 0, 1);
        ck_assert_fails(store_instance_save(&l.store, i, COL_STATES, EXPECT(TASK_SCHEDULING), soon(), &err),
                        err, NOVA_UNEXPECTED_DELETING_TASK_STATE);
        ck_assert_uint_eq(proxy_cuts(l.proxy), 1);
        lossy_close(&l);
        instance_free(i);
}

STORE_TEST(a_deletion_is_settled_by_doing_it_again)
{
        struct instance *i = new_instance_named(&desk->store, "gone");
        struct lossy l;
        struct error err = {};

        lossy_open(&l, desk);
        proxy_arm(l.proxy, CUT_ANSWER, "COMMIT", 0, 1);
        ck_assert_ok(store_instance_soft_delete(&l.store, i, soon(), &err), err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM instances WHERE deleted = id", "1");
        ck_assert_uint_eq(proxy_cuts(l.proxy), 1);
        lossy_close(&l);
        instance_free(i);
}

STORE_TEST(rows_of_a_host_are_made_once_whatever_gets_lost)
{
        struct compute_node_row node = { .hypervisor_hostname = xstrdup("vm"),
                                         .hypervisor_type = xstrdup("QEMU"),
                                         .cpu_info = xstrdup("{}") };
        struct service_row service = {};
        struct lossy l;
        struct error err = {};

        lossy_open(&l, desk);
        /* Two questions come first: is there a row, and what is the oldest version. */
        proxy_arm(l.proxy, CUT_ANSWER, NULL, 2, 1);
        ck_assert_ok(store_service_ensure(&l.store, true, &service, soon(), &err), err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM services", "1");
        proxy_arm(l.proxy, CUT_ANSWER, NULL, 0, 1);
        ck_assert_ok(store_compute_node_save(&l.store, &node, soon(), &err), err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM compute_nodes", "1");
        ck_assert_uint_eq(proxy_cuts(l.proxy), 2);
        ck_assert_int_gt(node.id, 0);
        ck_assert(uuid_is(node.uuid));
        service_row_free(&service);
        compute_node_row_free(&node);
        lossy_close(&l);
}

GREEN_SUITE("mysql-lost", a_lost_answer_to_a_select_is_asked_for_again,
            a_statement_that_may_have_been_carried_out_is_not_repeated,
            a_transaction_whose_commit_was_not_answered_is_not_repeated,
            a_transaction_that_lost_its_connection_before_is_repeated_as_a_whole,
            a_save_is_settled_by_doing_it_again,
            a_save_that_somebody_else_overtook_is_lost_also_after_a_lost_answer,
            a_deletion_is_settled_by_doing_it_again, rows_of_a_host_are_made_once_whatever_gets_lost)
