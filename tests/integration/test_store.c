/* agent/store against a real database: instances and what hangs on them, compare-and-set, actions, faults */
#include "store_fixture.h"

/* ---- creating and reading ---- */

STORE_TEST(a_new_instance_has_the_rows_that_conductor_writes)
{
        struct instance *i = new_instance_named(&desk->store, "smoke");
        static const struct {
                const char *sql, *want;
        } rows[] = {
                { "SELECT CONCAT_WS('|', user_id, project_id, image_ref, kernel_id, ramdisk_id, "
                  "launch_index, power_state, "
                  "vm_state, task_state, memory_mb, vcpus, hostname, display_name, availability_zone, "
                  "locked, "
                  "instance_type_id, config_drive, progress, auto_disk_config, shutdown_terminate, "
                  "disable_terminate, "
                  "root_gb, ephemeral_gb, cleaned, hidden, deleted) FROM instances",
                  "7d42ae24c92b4a75bc9ef1d7abbc58ed|b2a4ffa43a194a0fa91c27ba51eb950c|51e2c424-9aa0-4be3-9ba5-"
                  "ddff81208f60|||"
                  "0|0|building|scheduling|64|1|smoke|smoke|nova|0|0||0|0|0|0|1|0|0|0|0" },
                { "SELECT COUNT(*) FROM instances WHERE host IS NULL AND node IS NULL AND launched_on IS "
                  "NULL AND launched_at IS "
                  "NULL AND updated_at IS NULL AND deleted_at IS NULL AND created_at IS NOT NULL AND "
                  "key_name IS NULL AND "
                  "user_data IS NULL AND root_device_name IS NULL AND reservation_id LIKE 'r-________'",
                  "1" },
                { "SELECT CONCAT_WS('|', pci_requests, COALESCE(numa_topology, 'none'), COALESCE(vcpu_model, "
                  "'none'), "
                  "COALESCE(resources, 'none'), deleted) FROM instance_extra",
                  "[]|none|none|none|0" },
                { "SELECT JSON_VALUE(flavor, '$.cur.\"nova_object.data\".memory_mb') FROM instance_extra",
                  "64" },
                { "SELECT JSON_VALUE(flavor, '$.cur.\"nova_object.name\"') FROM instance_extra", "Flavor" },
                { "SELECT JSON_VALUE(flavor, '$.cur.\"nova_object.version\"') FROM instance_extra", "1.2" },
                { "SELECT JSON_TYPE(JSON_EXTRACT(flavor, '$.old')) FROM instance_extra", "NULL" },
                { "SELECT JSON_VALUE(keypairs, '$.\"nova_object.name\"') FROM instance_extra",
                  "KeyPairList" },
                { "SELECT network_info FROM instance_info_caches WHERE deleted = 0", "[]" },
                { "SELECT GROUP_CONCAT(CONCAT(`key`, '=', value) ORDER BY `key` SEPARATOR ' ') FROM "
                  "instance_system_metadata",
                  "image_base_image_ref=51e2c424-9aa0-4be3-9ba5-ddff81208f60 image_container_format=bare "
                  "image_disk_format=raw "
                  "image_min_disk=1 image_min_ram=0 owner_project_name=b2a4ffa43a194a0fa91c27ba51eb950c "
                  "owner_user_name=7d42ae24c92b4a75bc9ef1d7abbc58ed" },
                { "SELECT CONCAT_WS('|', source_type, destination_type, device_type, boot_index, "
                  "delete_on_termination, no_device, "
                  "image_id, encrypted, LENGTH(uuid), COALESCE(device_name, 'none'), COALESCE(disk_bus, "
                  "'none')) "
                  "FROM block_device_mapping",
                  "image|local|disk|0|1|0|51e2c424-9aa0-4be3-9ba5-ddff81208f60|0|36|none|none" },
                { "SELECT CONCAT_WS('|', action, request_id, user_id, project_id, COALESCE(message, 'none'), "
                  "COALESCE(finish_time, 'none'), deleted) FROM instance_actions",
                  "create|" REQUEST_ID
                  "|7d42ae24c92b4a75bc9ef1d7abbc58ed|b2a4ffa43a194a0fa91c27ba51eb950c|none|none|0" },
                { "SELECT COUNT(*) FROM instance_id_mappings m JOIN instances i ON i.uuid = m.uuid", "1" },
        };

        for (size_t n = 0; n < ARRAY_SIZE(rows); n++)
                ck_assert_sql(desk, rows[n].sql, rows[n].want);
        instance_free(i);
}

STORE_TEST(an_instance_is_read_as_it_was_made)
{
        struct instance *made = new_instance_named(&desk->store, "K\xc3\xa4se & <b>\"'\xe2\x82\xac");
        struct instance *i = NULL;
        struct error err = {};

        run(desk->here.pool, "UPDATE instances SET launched_at = '2026-11-23 08:44:30', vm_state = 'active', "
                             "task_state = 'levitating', "
                             "power_state = 1, locked_by = 'admin'");
        run(desk->here.pool, "INSERT INTO instance_metadata (`key`, value, instance_uuid, deleted) SELECT "
                             "'made-by', 'hand', uuid, 0 "
                             "FROM instances");
        run(desk->here.pool,
            "INSERT INTO instance_metadata (`key`, value, instance_uuid, deleted) SELECT 'old', 'x', uuid, 7 "
            "FROM instances");
        ck_assert_ok(store_instance_get(&desk->store, made->uuid, 0, &i, soon(), &err), err);
        ck_assert_int_eq(i->id, made->id);
        ck_assert_str_eq(i->display_name, "K\xc3\xa4se & <b>\"'\xe2\x82\xac");
        ck_assert_str_eq(i->hostname, "kse--b");
        ck_assert_ptr_null(i->host);
        ck_assert_ptr_null(i->key_data);
        ck_assert_int_eq(i->vm_state, VM_ACTIVE);
        ck_assert_int_eq(i->task_state, TASK_UNKNOWN);
        ck_assert_int_eq(i->power_state, POWER_RUNNING);
        ck_assert_int_eq(i->launched_at, 1795423470);
        ck_assert_int_eq(i->terminated_at, 0);
        ck_assert_int_eq(i->memory_mb, 64);
        ck_assert(!i->deleted && !i->cleaned && !i->hidden);
        ck_assert_int_eq(i->flavor.memory_mb, 64);
        ck_assert_int_eq(i->flavor.vcpus, 1);
        ck_assert_int_eq(i->flavor.root_gb, 1);
        ck_assert_str_eq(i->flavor.name, "c1.m64.d1");
        ck_assert_str_eq(instance_system_meta(i, "image_disk_format"), "raw");
        ck_assert_uint_eq(i->n_system_metadata, 7);
        ck_assert_uint_eq(i->n_metadata, 1);
        ck_assert_str_eq(i->metadata[0].value, "hand");
        instance_free(i);
        instance_free(made);
}

STORE_TEST(a_flavor_that_cannot_be_read_is_taken_from_the_columns)
{
        static const char *const broken[] = { "",
                                              "{",
                                              "[]",
                                              "null",
                                              "{\"cur\": null}",
                                              "{\"cur\": {\"nova_object.data\": 4}}",
                                              "{\"cur\": {\"nova_object.data\": {\"memory_mb\": \"64\"}}}" };
        struct instance *i = new_instance_named(&desk->store, "odd");
        struct instance *got = NULL;
        struct error err = {};

        for (size_t n = 0; n <= ARRAY_SIZE(broken); n++) {
                struct db_value v = n < ARRAY_SIZE(broken) ? db_text(broken[n]) : db_null();

                ck_assert_ok(db_pool_exec(desk->here.pool, "UPDATE instance_extra SET flavor = ?", &v, 1,
                                          NULL, NULL, soon(), &err),
                             err);
                ck_assert_ok(store_instance_get(&desk->store, i->uuid, 0, &got, soon(), &err), err);
                ck_assert_int_eq(got->flavor.memory_mb, 64);
                ck_assert_int_eq(got->flavor.root_gb, 1);
                instance_free(got);
        }
        run(desk->here.pool, "DELETE FROM instance_extra");
        ck_assert_ok(store_instance_get(&desk->store, i->uuid, 0, &got, soon(), &err), err);
        ck_assert_int_eq(got->flavor.vcpus, 1);
        instance_free(got);
        instance_free(i);
}

STORE_TEST(who_is_not_there_is_not_found)
{
        struct instance *i = NULL;
        struct error err = {};

        ck_assert_fails(
                store_instance_get(&desk->store, "a14cc8ca-2568-44fe-8878-257bd1a1988d", 0, &i, soon(), &err),
                err, NOVA_INSTANCE_NOT_FOUND);
        ck_assert_str_eq(err.text, "Instance a14cc8ca-2568-44fe-8878-257bd1a1988d could not be found.");
        ck_assert_fails(store_instance_get(&desk->store, "' OR 1=1 -- ", 0, &i, soon(), &err), err,
                        NOVA_INSTANCE_NOT_FOUND);
}

static const struct {
        struct new_instance n;
        const char *says;
} bad[] = {
        { { .display_name = "n", .request_id = "r", .memory_mb = 64, .vcpus = 1 }, "are needed" },
        { { .display_name = "n", .image_ref = "i", .request_id = "r", .memory_mb = 0, .vcpus = 1 },
          "out of range" },
        { { .display_name = "n", .image_ref = "i", .request_id = "r", .memory_mb = 64, .vcpus = INT64_MAX },
          "out of range" },
        { { .display_name = "n",
            .image_ref = "i",
            .request_id = "r",
            .memory_mb = 64,
            .vcpus = 1,
            .root_gb = -1 },
          "out of range" },
        { { .display_name = "\xff", .image_ref = "i", .request_id = "r", .memory_mb = 64, .vcpus = 1 },
          "the name is not valid UTF-8" },
        { { .display_name = "\xf0\x9f\x98\x80",
            .image_ref = "i",
            .request_id = "r",
            .memory_mb = 64,
            .vcpus = 1 },
          "beyond U+FFFF" },
        { { .display_name = "n",
            .image_ref = "0123456789012345678901234567890123456",
            .request_id = "r",
            .memory_mb = 64,
            .vcpus = 1 },
          "the image has 37 characters" },
};

STORE_TEST(a_bad_request_makes_no_rows)
{
        struct instance *i = NULL;
        struct error err = {};

        for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
                ck_assert_fails(store_instance_create(&desk->store, &bad[n].n, &i, soon(), &err), err,
                                ERR_INVALID);
                ck_assert_msg(strstr(err.text, bad[n].says) != NULL, "%s", err.text);
        }
        ck_assert_sql(desk, "SELECT COUNT(*) FROM instances", "0");
}

/* ---- compare-and-set ---- */

STORE_TEST(a_save_happens_only_when_the_task_state_is_expected)
{
        static const enum task_state states[] = { TASK_NONE, TASK_SCHEDULING, TASK_SPAWNING, TASK_DELETING };
        const struct task_expect expects[] = { EXPECT_ANY,
                                               EXPECT(TASK_SCHEDULING),
                                               EXPECT(TASK_NONE),
                                               EXPECT(TASK_NONE, TASK_SCHEDULING),
                                               EXPECT(TASK_SCHEDULING, TASK_NONE, TASK_SPAWNING),
                                               EXPECT(TASK_SCHEDULING, TASK_SPAWNING),
                                               EXPECT(TASK_DELETING) };
        struct instance *i = new_instance_named(&desk->store, "cas");
        struct error err = {};

        for (size_t e = 0; e < ARRAY_SIZE(expects); e++)
                for (size_t n = 0; n < ARRAY_SIZE(states); n++) {
                        struct db_value state = db_text(task_state_name(states[n]));
                        bool expected = task_expected(&expects[e], states[n]);
                        int r;

                        ck_assert_ok(db_pool_exec(desk->here.pool,
                                                  "UPDATE instances SET task_state = ?, progress = 0", &state,
                                                  1, NULL, NULL, soon(), &err),
                                     err);
                        i->task_state = TASK_NETWORKING;
                        i->progress = 7;
                        err = (struct error){};
                        r = store_instance_save(&desk->store, i, COL_TASK_STATE | COL_PROGRESS, expects[e],
                                                soon(), &err);
                        ck_assert_msg(r == (expected ? 0 : -1), "expectation %zu, state %zu: %d %s", e, n, r,
                                      err.text);
                        ck_assert_sql(desk, "SELECT progress FROM instances", expected ? "7" : "0");
                        if (!expected)
                                ck_assert_int_eq(err.code, states[n] == TASK_DELETING
                                                                   ? NOVA_UNEXPECTED_DELETING_TASK_STATE
                                                                   : NOVA_UNEXPECTED_TASK_STATE);
                }
        instance_free(i);
}

STORE_TEST(a_lost_race_says_what_was_expected_and_what_was_there)
{
        struct instance *i = new_instance_named(&desk->store, "cas");
        CLEANUP(freep)
        char *want = xasprintf(
                "Conflict updating instance %s. Expected: {'task_state': ['spawning', None]}. Actual: "
                "{'task_state': 'scheduling'}",
                i->uuid);
        struct error err = {};

        ck_assert_fails(store_instance_save(&desk->store, i, COL_VM_STATE, EXPECT(TASK_SPAWNING, TASK_NONE),
                                            soon(), &err),
                        err, NOVA_UNEXPECTED_TASK_STATE);
        ck_assert_str_eq(err.text, want);
        run(desk->here.pool, "UPDATE instances SET task_state = NULL");
        ck_assert_fails(
                store_instance_save(&desk->store, i, COL_VM_STATE, EXPECT(TASK_SPAWNING), soon(), &err), err,
                NOVA_UNEXPECTED_TASK_STATE);
        ck_assert_ptr_nonnull(strstr(err.text, "Actual: {'task_state': None}"));
        run(desk->here.pool, "UPDATE instances SET deleted = id");
        ck_assert_fails(store_instance_save(&desk->store, i, COL_VM_STATE, EXPECT_ANY, soon(), &err), err,
                        NOVA_INSTANCE_NOT_FOUND);
        instance_free(i);
}

STORE_TEST(a_save_writes_the_named_columns_and_no_other)
{
        struct instance *i = new_instance_named(&desk->store, "cols");
        struct error err = {};

        replace_str(&i->host, "lab-compute");
        replace_str(&i->node, "vm");
        replace_str(&i->launched_on, "lab-compute");
        replace_str(&i->root_device_name, "/dev/vda");
        replace_str(&i->config_drive, "True");
        i->vm_state = VM_ACTIVE;
        i->task_state = TASK_NONE;
        i->power_state = POWER_RUNNING;
        i->launched_at = 1795423470;
        i->cleaned = true;
        i->progress = 99;
        ck_assert_ok(store_instance_save(&desk->store, i,
                                         COL_STATES | COL_HOST | COL_NODE | COL_LAUNCHED_ON |
                                                 COL_LAUNCHED_AT | COL_ROOT_DEVICE_NAME | COL_CONFIG_DRIVE |
                                                 COL_CLEANED,
                                         EXPECT(TASK_SCHEDULING), soon(), &err),
                     err);
        ck_assert_sql(
                desk,
                "SELECT CONCAT_WS('|', host, node, launched_on, root_device_name, config_drive, vm_state, "
                "COALESCE(task_state, 'none'), "
                "power_state, launched_at, COALESCE(terminated_at, 'none'), cleaned, progress, updated_at IS "
                "NOT NULL) FROM instances",
                "lab-compute|vm|lab-compute|/dev/vda|True|active|none|1|2026-11-23 08:44:30|none|1|0|1");
        i->launched_at = 0;
        replace_str(&i->host, NULL);
        ck_assert_ok(
                store_instance_save(&desk->store, i, COL_LAUNCHED_AT | COL_HOST, EXPECT_ANY, soon(), &err),
                err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', COALESCE(launched_at, 'none'), COALESCE(host, 'none'), node) "
                      "FROM instances",
                      "none|none|vm");
        i->task_state = TASK_UNKNOWN;
        ck_assert_fails(store_instance_save(&desk->store, i, COL_TASK_STATE, EXPECT_ANY, soon(), &err), err,
                        ERR_INVALID);
        instance_free(i);
}

STORE_TEST(system_metadata_becomes_what_the_instance_has)
{
        struct instance *i = new_instance_named(&desk->store, "meta");
        CLEANUP(freep) char *a300 = xmalloc(301);
        struct error err = {};

        for (int n = 0; n < 300; n++)
                a300[n] = 'a';
        a300[300] = '\0';
        instance_set_system_meta(i, "image_min_ram", NULL);
        instance_set_system_meta(i, "image_min_disk", "5");
        instance_set_system_meta(i, "boot_roles", "member,reader,admin");
        instance_set_system_meta(i, "long", a300);
        i->vm_state = VM_ACTIVE;
        ck_assert_ok(store_instance_save(&desk->store, i, COL_VM_STATE | COL_SYSTEM_METADATA,
                                         EXPECT(TASK_SCHEDULING), soon(), &err),
                     err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM instance_system_metadata", "8");
        ck_assert_sql(desk, "SELECT COUNT(*) FROM instance_system_metadata WHERE `key` = 'image_min_ram'",
                      "0");
        ck_assert_sql(desk,
                      "SELECT value FROM instance_system_metadata WHERE `key` = 'image_min_disk' AND "
                      "updated_at IS NOT NULL",
                      "5");
        ck_assert_sql(desk,
                      "SELECT value FROM instance_system_metadata WHERE `key` = 'boot_roles' AND updated_at "
                      "IS NULL",
                      "member,reader,admin");
        ck_assert_sql(desk, "SELECT LENGTH(value) FROM instance_system_metadata WHERE `key` = 'long'", "255");
        ck_assert_sql(desk,
                      "SELECT COUNT(*) FROM instance_system_metadata WHERE `key` = 'image_disk_format' AND "
                      "updated_at IS NULL",
                      "1");
        ck_assert_sql(desk, "SELECT vm_state FROM instances", "active");

        instance_set_system_meta(i, "boot_roles", "none");
        ck_assert_fails(store_instance_save(&desk->store, i, COL_VM_STATE | COL_SYSTEM_METADATA,
                                            EXPECT(TASK_SPAWNING), soon(), &err),
                        err, NOVA_UNEXPECTED_TASK_STATE);
        ck_assert_sql(desk, "SELECT value FROM instance_system_metadata WHERE `key` = 'boot_roles'",
                      "member,reader,admin");
        instance_free(i);
}

struct racer {
        struct store *store;
        const char *uuid;
        unsigned *won, *lost;
};

static int race(void *arg, struct error *err)
{
        struct racer *r = arg;
        struct instance *i = NULL;
        struct error why = {};

        assert_green();
        if (store_instance_get(r->store, r->uuid, 0, &i, soon(), err) < 0)
                return -1;
        i->task_state = TASK_SPAWNING;
        if (store_instance_save(r->store, i, COL_TASK_STATE, EXPECT(TASK_SCHEDULING), soon(), &why) == 0)
                ++*r->won;
        else if (why.code == NOVA_UNEXPECTED_TASK_STATE)
                ++*r->lost;
        instance_free(i);
        return 0;
}

STORE_TEST(of_many_who_race_one_wins)
{
        struct instance *i = new_instance_named(&desk->store, "race");
        struct green_group *g = green_group_new("racers");
        unsigned won = 0, lost = 0;
        struct racer r = { &desk->store, i->uuid, &won, &lost };
        struct error err = {};

        for (int n = 0; n < 30; n++)
                ck_assert_ok(green_spawn(g, "racer", race, &r, &err), err);
        ck_assert_ok(green_group_wait(g, soon(), &err), err);
        green_group_close(g);
        ck_assert_uint_eq(won, 1);
        ck_assert_uint_eq(lost, 29);
        instance_free(i);
}

/* ---- the end ---- */

STORE_TEST(soft_deletion_takes_all_that_hangs_on_the_instance)
{
        struct instance *i = new_instance_named(&desk->store, "gone"),
                        *other = new_instance_named(&desk->store, "stays");
        struct request_context ctx = { .request_id = (char *)REQUEST_ID };
        struct instance *got = NULL;
        struct error err = {};
        static const char *const kept[] = { "instance_actions", "instance_actions_events" };
        static const char *const soft[] = { "security_group_instance_association",
                                            "instance_info_caches",
                                            "instance_metadata",
                                            "instance_faults",
                                            "instance_extra",
                                            "instance_system_metadata",
                                            "block_device_mapping",
                                            "migrations",
                                            "virtual_interfaces" };

        ck_assert_ok(
                store_event_start(&desk->store, i->uuid, "compute_terminate_instance", &ctx, soon(), &err),
                err);
        for (const struct instance *k = i; k; k = k == i ? other : NULL) {
                CLEANUP(freep)
                char *sql = xasprintf("INSERT INTO instance_metadata (`key`, value, instance_uuid, deleted) "
                                      "VALUES ('a', 'b', '%1$s', 0);"
                                      "INSERT INTO security_group_instance_association (instance_uuid, "
                                      "deleted) VALUES ('%1$s', 0);"
                                      "INSERT INTO migrations (instance_uuid, deleted, migration_type) "
                                      "VALUES ('%1$s', 0, 'resize');"
                                      "INSERT INTO virtual_interfaces (instance_uuid, address, deleted) "
                                      "VALUES ('%1$s', '%1$s', 0);"
                                      "INSERT INTO tags VALUES ('%1$s', 'x');"
                                      "INSERT INTO console_auth_tokens (token_hash, console_type, host, "
                                      "port, instance_uuid, expires) "
                                      "VALUES ('%1$s', 'novnc', 'h', 5900, '%1$s', 1)",
                                      k->uuid);
                struct db_conn *c = borrowed(desk->here.pool);

                ck_assert_ok(db_script(c, sql, soon(), &err), err);
                db_pool_put(c);
                ck_assert_ok(store_fault_add(&desk->store, k->uuid, 500, "m", "d", soon(), &err), err);
        }
        replace_str(&i->host, "lab-compute");
        ck_assert_ok(store_instance_save(&desk->store, i, COL_HOST, EXPECT_ANY, soon(), &err), err);
        ck_assert_ok(store_instance_soft_delete(&desk->store, i, soon(), &err), err);

        ck_assert_sql(desk,
                      "SELECT COUNT(*) FROM instances WHERE deleted = id AND deleted_at IS NOT NULL AND "
                      "display_name = 'gone'",
                      "1");
        ck_assert_sql(desk,
                      "SELECT COUNT(*) FROM instances WHERE deleted = 0 AND deleted_at IS NULL AND "
                      "display_name = 'stays'",
                      "1");
        for (size_t n = 0; n < ARRAY_SIZE(soft); n++) {
                CLEANUP(freep)
                char *gone = xasprintf("SELECT COUNT(*) > 0 AND SUM(deleted = id AND deleted_at IS NOT NULL) "
                                       "= COUNT(*) FROM %s "
                                       "WHERE instance_uuid = '%s'",
                                       soft[n], i->uuid);
                CLEANUP(freep)
                char *stays = xasprintf("SELECT COUNT(*) > 0 AND SUM(deleted = 0) = COUNT(*) FROM %s WHERE "
                                        "instance_uuid = '%s'",
                                        soft[n], other->uuid);

                ck_assert_sql(desk, gone, "1");
                ck_assert_sql(desk, stays, "1");
        }
        for (size_t n = 0; n < ARRAY_SIZE(kept); n++) {
                CLEANUP(freep)
                char *sql = xasprintf("SELECT COUNT(*) > 0 AND SUM(deleted = 0) = COUNT(*) FROM %s", kept[n]);

                ck_assert_sql(desk, sql, "1");
        }
        ck_assert_sql(desk, "SELECT SUM(deleted = id) FROM instance_id_mappings", "1");
        ck_assert_sql(desk, "SELECT COUNT(*) FROM tags", "1");
        ck_assert_sql(desk, "SELECT COUNT(*) FROM console_auth_tokens", "1");

        ck_assert_fails(store_instance_get(&desk->store, i->uuid, 0, &got, soon(), &err), err,
                        NOVA_INSTANCE_NOT_FOUND);
        ck_assert_ok(store_instance_get(&desk->store, i->uuid, WITH_DELETED, &got, soon(), &err), err);
        ck_assert(got->deleted && got->deleted_at > 0);
        ck_assert_int_eq(got->flavor.memory_mb, 64);
        ck_assert_str_eq(instance_system_meta(got, "image_disk_format"), "raw");
        ck_assert_fails(store_instance_soft_delete(&desk->store, i, soon(), &err), err,
                        NOVA_INSTANCE_NOT_FOUND);
        instance_free(got);
        instance_free(i);
        instance_free(other);
}

STORE_TEST(one_that_got_a_host_meanwhile_is_not_deleted)
{
        struct instance *i = new_instance_named(&desk->store, "placed");
        struct error err = {};

        run(desk->here.pool, "UPDATE instances SET host = 'elsewhere'");
        ck_assert_fails(store_instance_soft_delete(&desk->store, i, soon(), &err), err, ERR_BUSY);
        ck_assert_ptr_nonnull(strstr(err.text, "elsewhere"));
        ck_assert_sql(desk, "SELECT SUM(deleted) FROM instance_extra", "0");
        instance_free(i);
}

/* ---- disks, extra ---- */

STORE_TEST(disks_are_read_and_their_place_is_saved)
{
        struct instance *i = new_instance_named(&desk->store, "disks");
        struct block_devices b = {};
        struct error err = {};

        run(desk->here.pool, "INSERT INTO block_device_mapping (instance_uuid, source_type, "
                             "destination_type, volume_size, deleted, guest_format) "
                             "SELECT uuid, 'blank', 'local', 1, 0, 'swap' FROM instances");
        run(desk->here.pool, "INSERT INTO block_device_mapping (instance_uuid, source_type, deleted) SELECT "
                             "uuid, 'image', 99 FROM instances");
        ck_assert_ok(store_block_devices(&desk->store, i->uuid, &b, soon(), &err), err);
        ck_assert_uint_eq(b.n, 2);
        ck_assert_int_eq(b.items[0].boot_index, 0);
        ck_assert_str_eq(b.items[0].source_type, "image");
        ck_assert_str_eq(b.items[0].image_id, "51e2c424-9aa0-4be3-9ba5-ddff81208f60");
        ck_assert(b.items[0].delete_on_termination);
        ck_assert_ptr_null(b.items[0].device_name);
        ck_assert_int_eq(b.items[1].boot_index, -1);
        ck_assert_str_eq(b.items[1].guest_format, "swap");
        ck_assert_int_eq(b.items[1].volume_size, 1);
        replace_str(&b.items[0].device_name, "/dev/vda");
        replace_str(&b.items[0].disk_bus, "virtio");
        ck_assert_ok(store_block_device_save(&desk->store, &b.items[0], soon(), &err), err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', device_name, disk_bus, device_type, updated_at IS NOT NULL) "
                      "FROM block_device_mapping "
                      "WHERE boot_index = 0",
                      "/dev/vda|virtio|disk|1");
        b.items[0].id = 4711;
        ck_assert_fails(store_block_device_save(&desk->store, &b.items[0], soon(), &err), err, ERR_NOT_FOUND);
        block_devices_free(&b);
        ck_assert_uint_eq(b.n, 0);
        instance_free(i);
}

STORE_TEST(the_cpu_model_is_saved_and_cleared)
{
        struct instance *i = new_instance_named(&desk->store, "cpu");
        struct error err = {};

        run(desk->here.pool, "UPDATE instance_extra SET numa_topology = '{}'");
        ck_assert_ok(store_instance_extra_save(&desk->store, i->uuid, "{\"a\": 1}", soon(), &err), err);
        ck_assert_sql(
                desk,
                "SELECT CONCAT_WS('|', vcpu_model, COALESCE(numa_topology, 'none')) FROM instance_extra",
                "{\"a\": 1}|none");
        ck_assert_ok(store_instance_extra_save(&desk->store, i->uuid, NULL, soon(), &err), err);
        ck_assert_sql(desk, "SELECT vcpu_model FROM instance_extra", "NULL");
        run(desk->here.pool, "DELETE FROM instance_extra");
        ck_assert_ok(store_instance_extra_save(&desk->store, i->uuid, "{}", soon(), &err), err);
        ck_assert_sql(desk, "SELECT CONCAT_WS('|', vcpu_model, deleted) FROM instance_extra", "{}|0");
        instance_free(i);
}

/* ---- actions, events, faults ---- */

STORE_TEST(an_event_goes_into_the_action_of_its_request)
{
        struct instance *i = new_instance_named(&desk->store, "events");
        struct request_context ctx = { .request_id = (char *)REQUEST_ID, .project_id = (char *)"p" };
        struct request_context stop = { .request_id = (char *)"req-stop",
                                        .project_id = (char *)"p",
                                        .user_id = (char *)"u" };
        struct request_context nobody = { .request_id = (char *)"req-x", .project_id = (char *)"p" };
        struct error err = {};

        ck_assert_ok(store_action_start(&desk->store, i->uuid, "stop", &stop, soon(), &err), err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', action, request_id, user_id, project_id, start_time = "
                      "created_at) FROM instance_actions "
                      "WHERE action = 'stop'",
                      "stop|req-stop|u|p|1");
        ck_assert_ok(store_event_start(&desk->store, i->uuid, "compute__do_build_and_run_instance", &ctx,
                                       soon(), &err),
                     err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', e.event, e.host, a.action, COALESCE(e.result, 'none'), "
                      "COALESCE(e.finish_time, 'none'), "
                      "e.start_time IS NOT NULL) FROM instance_actions_events e JOIN instance_actions a ON "
                      "a.id = e.action_id",
                      "compute__do_build_and_run_instance|lab-compute|create|none|none|1");
        ck_assert_ok(store_event_finish(&desk->store, i->uuid, "compute__do_build_and_run_instance", &ctx,
                                        NULL, NULL, soon(), &err),
                     err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', result, COALESCE(traceback, 'none'), COALESCE(details, 'none'), "
                      "finish_time IS NOT NULL) "
                      "FROM instance_actions_events",
                      "Success|none|none|1");
        ck_assert_sql(desk,
                      "SELECT COUNT(*) FROM instance_actions WHERE message IS NULL AND finish_time IS NULL",
                      "2");

        ck_assert_ok(store_event_start(&desk->store, i->uuid, "compute_stop_instance", &stop, soon(), &err),
                     err);
        ck_assert_ok(store_event_finish(&desk->store, i->uuid, "compute_stop_instance", &stop,
                                        "no \xf0\x9f\x98\x80 today\xff", "trace\nback", soon(), &err),
                     err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', result, traceback, details) FROM instance_actions_events WHERE "
                      "event = 'compute_stop_instance'",
                      "Error|trace\nback|no \xef\xbf\xbd today\xef\xbf\xbd");
        ck_assert_sql(desk, "SELECT message FROM instance_actions WHERE action = 'stop'", "Error");

        ck_assert_fails(store_event_start(&desk->store, i->uuid, "e", &nobody, soon(), &err), err,
                        NOVA_INSTANCE_ACTION_NOT_FOUND);
        ck_assert_fails(store_event_finish(&desk->store, i->uuid, "e", &nobody, NULL, NULL, soon(), &err),
                        err, NOVA_INSTANCE_ACTION_NOT_FOUND);
        ck_assert_fails(store_event_finish(&desk->store, i->uuid, "e", &ctx, NULL, NULL, soon(), &err), err,
                        NOVA_INSTANCE_ACTION_EVENT_NOT_FOUND);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM instance_actions_events", "2");
        instance_free(i);
}

STORE_TEST(recovery_writes_into_the_newest_action_without_touching_it)
{
        struct instance *i = new_instance_named(&desk->store, "recover");
        struct request_context admin, first = { .request_id = (char *)"req-1", .project_id = (char *)"p" };
        struct error err = {};

        request_context_admin(&admin);
        ck_assert_ok(store_action_start(&desk->store, i->uuid, "stop", &first, soon(), &err), err);
        run(desk->here.pool, "UPDATE instance_actions SET updated_at = '2020-01-01 00:00:00'");
        ck_assert_ok(store_event_start(&desk->store, i->uuid, "compute_stop_instance", &admin, soon(), &err),
                     err);
        ck_assert_ok(store_event_finish(&desk->store, i->uuid, "compute_stop_instance", &admin, NULL, NULL,
                                        soon(), &err),
                     err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', a.action, a.updated_at, e.result) FROM instance_actions_events "
                      "e JOIN instance_actions a ON "
                      "a.id = e.action_id",
                      "stop|2020-01-01 00:00:00|Success");
        request_context_free(&admin);
        instance_free(i);
}

STORE_TEST(of_two_events_the_one_that_was_begun_last_is_ended_and_the_other_can_be_called_interrupted)
{
        struct instance *i = new_instance_named(&desk->store, "killed");
        struct request_context ctx = { .request_id = (char *)"req-1", .project_id = (char *)"p" };
        static const char *const states = "SELECT GROUP_CONCAT(COALESCE(result, 'open') ORDER BY id) FROM "
                                          "instance_actions_events";
        struct error err = {};

        ck_assert_ok(store_action_start(&desk->store, i->uuid, "stop", &ctx, soon(), &err), err);
        for (int n = 0; n < 2; n++)
                ck_assert_ok(
                        store_event_start(&desk->store, i->uuid, "compute_stop_instance", &ctx, soon(), &err),
                        err);
        ck_assert_ok(store_event_finish(&desk->store, i->uuid, "compute_stop_instance", &ctx, NULL, NULL,
                                        soon(), &err),
                     err);
        ck_assert_sql(desk, states, "open,Success");
        ck_assert_ok(store_event_interrupted(&desk->store, i->uuid, "compute_stop_instance", "req-2", false,
                                             soon(), &err),
                     err);
        ck_assert_sql(desk, states, "open,Success");
        ck_assert_ok(store_event_interrupted(&desk->store, i->uuid, "compute_stop_instance", "req-1", false,
                                             soon(), &err),
                     err);
        ck_assert_sql(desk, states, "Error,Success");
        ck_assert_ok(store_event_interrupted(&desk->store, i->uuid, "compute_stop_instance", "req-1", true,
                                             soon(), &err),
                     err);
        ck_assert_sql(desk, states, "Error,Success"); /* none is open */
        instance_free(i);
}

STORE_TEST(a_fault_is_cut_between_characters)
{
        struct instance *i = new_instance_named(&desk->store, "fault");
        CLEANUP(freep) char *message = xmalloc(400);
        struct error err = {};

        /* 254 bytes, and then a character of two: it must go as a whole. */
        for (int n = 0; n < 254; n++)
                message[n] = 'm';
        snprintf(message + 254, 100, "\xc3\xa4 and more");
        ck_assert_ok(store_fault_add(&desk->store, i->uuid, 500, message, "Traceback:\nline", soon(), &err),
                     err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', code, LENGTH(message), RIGHT(message, 1), details, host, "
                      "deleted) FROM instance_faults",
                      "500|254|m|Traceback:\nline|lab-compute|0");
        run(desk->here.pool, "DELETE FROM instance_faults");
        snprintf(message + 253, 100, "\xc3\xa4 and more");
        ck_assert_ok(store_fault_add(&desk->store, i->uuid, 404, message, "", soon(), &err), err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', code, LENGTH(message), HEX(RIGHT(message, 1)), details) FROM "
                      "instance_faults",
                      "404|255|C3A4|");
        run(desk->here.pool, "DELETE FROM instance_faults");
        ck_assert_ok(store_fault_add(&desk->store, i->uuid, 500,
                                     "guest \xf0\x9f\x98\x80 \xed\xa0\x80 \xc0\xaf", NULL, soon(), &err),
                     err);
        ck_assert_sql(desk, "SELECT message FROM instance_faults",
                      "guest \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd");
        instance_free(i);
}

GREEN_SUITE("store", a_new_instance_has_the_rows_that_conductor_writes, an_instance_is_read_as_it_was_made,
            a_flavor_that_cannot_be_read_is_taken_from_the_columns, who_is_not_there_is_not_found,
            a_bad_request_makes_no_rows, a_save_happens_only_when_the_task_state_is_expected,
            a_lost_race_says_what_was_expected_and_what_was_there,
            a_save_writes_the_named_columns_and_no_other, system_metadata_becomes_what_the_instance_has,
            of_many_who_race_one_wins, soft_deletion_takes_all_that_hangs_on_the_instance,
            one_that_got_a_host_meanwhile_is_not_deleted, disks_are_read_and_their_place_is_saved,
            the_cpu_model_is_saved_and_cleared, an_event_goes_into_the_action_of_its_request,
            recovery_writes_into_the_newest_action_without_touching_it,
            of_two_events_the_one_that_was_begun_last_is_ended_and_the_other_can_be_called_interrupted,
            a_fault_is_cut_between_characters)
