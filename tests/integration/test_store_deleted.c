/* agent/store against a real database: what deleted instances left behind. */
#include "store_fixture.h"

static struct error e;

/* An instance that is deleted for good, of this host unless said otherwise. */
static struct instance *YIELDS deleted_instance(struct desk *desk, const char *host)
{
        struct instance *i = new_instance_named(&desk->store, "gone");

        replace_str(&i->host, host);
        ck_assert_ok(store_instance_save(&desk->store, i, COL_HOST, EXPECT_ANY, soon(), &e), e);
        ck_assert_ok(store_instance_soft_delete(&desk->store, i, soon(), &e), e);
        return i;
}

static struct pending_delete *YIELDS pending(struct desk *desk, int64_t most, unsigned *ret_n)
{
        struct pending_delete *list = NULL;

        ck_assert_ok(store_pending_deletes(&desk->store, most, &list, ret_n, soon(), &e), e);
        return list;
}

static unsigned YIELDS count_pending(struct desk *desk, int64_t most)
{
        unsigned n;

        free(pending(desk, most, &n));
        return n;
}

STORE_TEST(deleted_rows_of_this_host_that_are_not_cleaned_are_pending)
{
        CLEANUP(instance_freep) struct instance *ours = deleted_instance(desk, "lab-compute");
        CLEANUP(instance_freep) struct instance *theirs = deleted_instance(desk, "other");
        CLEANUP(instance_freep) struct instance *live = new_instance_named(&desk->store, "live");
        CLEANUP(freep) struct pending_delete *list = NULL;
        unsigned n;

        ck_assert(theirs && live);
        list = pending(desk, 5, &n);
        ck_assert_uint_eq(n, 1);
        ck_assert_str_eq(list[0].uuid, ours->uuid);
        ck_assert_int_eq(list[0].attempts, 0);
}

STORE_TEST(an_attempt_is_noted_in_metadata_that_is_soft_deleted_with_its_instance)
{
        CLEANUP(instance_freep) struct instance *i = new_instance_named(&desk->store, "gone");
        CLEANUP(freep) struct pending_delete *list = NULL;
        unsigned n;

        replace_str(&i->host, "lab-compute");
        instance_set_system_meta(i, "clean_attempts", "1"); /* terminate tried it */
        ck_assert_ok(
                store_instance_save(&desk->store, i, COL_HOST | COL_SYSTEM_METADATA, EXPECT_ANY, soon(), &e),
                e);
        ck_assert_ok(store_instance_soft_delete(&desk->store, i, soon(), &e), e);
        list = pending(desk, 5, &n);
        ck_assert_uint_eq(n, 1);
        ck_assert_int_eq(list[0].attempts, 1);

        ck_assert_ok(store_pending_delete_note(&desk->store, i->uuid, 2, false, soon(), &e), e);
        ck_assert_sql(
                desk,
                "SELECT GROUP_CONCAT(value) FROM instance_system_metadata WHERE `key` = 'clean_attempts'",
                "2");
        ck_assert_uint_eq(count_pending(desk, 3), 1);
        ck_assert_uint_eq(count_pending(desk, 2), 0); /* enough */
        ck_assert_ok(store_pending_delete_note(&desk->store, i->uuid, 3, true, soon(), &e), e);
        ck_assert_uint_eq(count_pending(desk, 5), 0);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS(' ', cleaned, updated_at IS NOT NULL, deleted = id) FROM instances",
                      "1 1 1");
}

STORE_TEST(the_first_attempt_makes_its_metadata)
{
        CLEANUP(instance_freep) struct instance *i = deleted_instance(desk, "lab-compute");

        ck_assert_ok(store_pending_delete_note(&desk->store, i->uuid, 1, false, soon(), &e), e);
        ck_assert_ok(store_pending_delete_note(&desk->store, i->uuid, 2, false, soon(), &e), e);
        ck_assert_sql(
                desk,
                "SELECT GROUP_CONCAT(value) FROM instance_system_metadata WHERE `key` = 'clean_attempts'",
                "2");
}

STORE_TEST(rows_that_are_not_what_they_should_be_do_not_stop_it)
{
        CLEANUP(instance_freep) struct instance *i = deleted_instance(desk, "lab-compute");
        CLEANUP(instance_freep) struct instance *soft = deleted_instance(desk, "lab-compute");
        CLEANUP(instance_freep) struct instance *live = new_instance_named(&desk->store, "live");
        CLEANUP(freep)
        char *sql = xasprintf("INSERT INTO instance_system_metadata (instance_uuid, `key`, value, "
                              "deleted) VALUES ('%s', 'clean_attempts', 'many', 0)",
                              i->uuid);
        CLEANUP(freep)
        char *sql2 = xasprintf("UPDATE instances SET vm_state = 'soft-delete' WHERE uuid = '%s'", soft->uuid);

        run(desk->here.pool, sql);
        run(desk->here.pool, sql2);
        ck_assert_uint_eq(count_pending(desk, 5), 1);
        ck_assert_fails(store_pending_delete_note(&desk->store, live->uuid, 1, true, soon(), &e), e,
                        NOVA_INSTANCE_NOT_FOUND);
}

STORE_TEST(migrations_in_error_of_instances_deleted_elsewhere_are_stale)
{
        CLEANUP(instance_freep) struct instance *elsewhere = deleted_instance(desk, "other");
        CLEANUP(instance_freep) struct instance *here = deleted_instance(desk, "lab-compute");
        CLEANUP(instance_freep) struct instance *live = new_instance_named(&desk->store, "live");
        CLEANUP(freep) struct stale_migration *list = NULL;
        CLEANUP(freep) char *sql = NULL;
        unsigned n;

        sql = xasprintf(
                "INSERT INTO migrations (id, instance_uuid, source_compute, dest_compute, status, deleted) "
                "VALUES (1, '%1$s', 'lab-compute', 'other', 'error', 0), "
                "(2, '%1$s', 'x', 'lab-compute', 'error', 0), (3, '%1$s', 'x', 'y', 'error', 0), "
                "(4, '%1$s', 'lab-compute', 'y', 'finished', 0), (5, '%1$s', 'lab-compute', 'y', 'error', "
                "5), "
                "(6, '%2$s', 'lab-compute', 'y', 'error', 0), (7, '%3$s', 'lab-compute', 'y', 'error', 0)",
                elsewhere->uuid, here->uuid, live->uuid);
        run(desk->here.pool, sql);
        ck_assert_ok(store_stale_migrations(&desk->store, &list, &n, soon(), &e), e);
        ck_assert_uint_eq(n, 2);
        ck_assert_int_eq(list[0].id, 1);
        ck_assert_int_eq(list[1].id, 2);
        ck_assert_str_eq(list[1].uuid, elsewhere->uuid);
        ck_assert_ok(store_migration_set_status(&desk->store, 2, "failed", soon(), &e), e);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS(' ', status, updated_at IS NOT NULL) FROM migrations WHERE id = 2",
                      "failed 1");
        ck_assert_sql(desk, "SELECT COUNT(*) FROM migrations WHERE status = 'failed'", "1");
        ck_assert_ok(store_migration_set_status(&desk->store, 99, "failed", soon(), &e), e);
}

GREEN_SUITE("store-deleted", deleted_rows_of_this_host_that_are_not_cleaned_are_pending,
            an_attempt_is_noted_in_metadata_that_is_soft_deleted_with_its_instance,
            the_first_attempt_makes_its_metadata, rows_that_are_not_what_they_should_be_do_not_stop_it,
            migrations_in_error_of_instances_deleted_elsewhere_are_stale)
