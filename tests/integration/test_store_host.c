/* agent/store against a real database: the rows of a host: its service, its node, all its instances */
#include "store_fixture.h"

/* ---- services ---- */

STORE_TEST(a_service_is_made_once_and_found_again)
{
        struct service_row a = {}, b = {};
        struct error err = {};

        ck_assert_ok(store_service_ensure(&desk->store, true, &a, soon(), &err), err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', host, `binary`, topic, report_count, disabled, "
                      "COALESCE(disabled_reason, 'none'), "
                      "COALESCE(last_seen_up, 'none'), forced_down, version, deleted, LENGTH(uuid), "
                      "updated_at IS NULL) FROM services",
                      "lab-compute|nova-compute|compute|0|0|none|none|0|64|0|36|1");
        ck_assert_int_eq(a.version, 64);
        ck_assert(!a.disabled && !a.forced_down);
        ck_assert_ok(store_service_ensure(&desk->store, false, &b, soon(), &err), err);
        ck_assert_int_eq(a.id, b.id);
        ck_assert_str_eq(a.uuid, b.uuid);
        ck_assert_int_eq(b.former_version, 0);
        ck_assert(!b.disabled);
        service_row_free(&a);
        service_row_free(&b);
}

STORE_TEST(a_new_service_may_start_disabled)
{
        struct service_row a = {};
        struct error err = {};

        ck_assert_ok(store_service_ensure(&desk->store, false, &a, soon(), &err), err);
        ck_assert(a.disabled);
        ck_assert_str_eq(a.disabled_reason, "New compute service disabled due to config option.");
        service_row_free(&a);
}

STORE_TEST(an_older_service_is_raised_and_a_younger_cell_refused)
{
        struct service_row a = {};
        struct error err = {};
        int64_t oldest = -1;

        ck_assert_ok(store_service_min_version(&desk->store, &oldest, soon(), &err), err);
        ck_assert_int_eq(oldest, 0);
        run(desk->here.pool, "INSERT INTO services (host, `binary`, topic, report_count, disabled, deleted, "
                             "version, forced_down) VALUES "
                             "('lab-compute', 'nova-compute', 'compute', 17, 1, 0, 61, 0), "
                             "('lab-compute', 'nova-compute', 'compute', 3, 0, 8, 20, 0), "
                             "('down', 'nova-compute', 'compute', 3, 0, 0, 30, 1), "
                             "('other', 'nova-conductor', 'conductor', 3, 0, 0, 40, 0)");
        ck_assert_ok(store_service_min_version(&desk->store, &oldest, soon(), &err), err);
        ck_assert_int_eq(oldest, 61);
        ck_assert_ok(store_service_ensure(&desk->store, true, &a, soon(), &err), err);
        ck_assert_int_eq(a.report_count, 17);
        ck_assert_int_eq(a.version, 64);
        ck_assert_int_eq(a.former_version, 61);
        ck_assert(a.disabled);
        service_row_free(&a);
        ck_assert_sql(desk, "SELECT version FROM services WHERE host = 'lab-compute' AND deleted = 0", "64");

        run(desk->here.pool, "UPDATE services SET version = 66 WHERE deleted = 0");
        ck_assert_fails(store_service_ensure(&desk->store, true, &a, soon(), &err), err, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, "66"));
        ck_assert_sql(desk, "SELECT version FROM services WHERE host = 'lab-compute' AND deleted = 0", "66");
}

struct ensurer {
        struct store *store;
        int64_t id;
};

static int ensure(void *arg, struct error *err)
{
        struct ensurer *e = arg;
        struct service_row r = {};

        assert_green();
        if (store_service_ensure(e->store, true, &r, soon(), err) < 0)
                return -1;
        e->id = r.id;
        service_row_free(&r);
        return 0;
}

STORE_TEST(who_comes_second_takes_the_row_of_the_first)
{
        struct ensurer e[10];
        struct green_group *g = green_group_new("ensurers");
        struct error err = {};

        for (size_t n = 0; n < ARRAY_SIZE(e); n++) {
                e[n] = (struct ensurer){ &desk->store, 0 };
                ck_assert_ok(green_spawn(g, "ensurer", ensure, &e[n], &err), err);
        }
        ck_assert_ok(green_group_wait(g, soon(), &err), err);
        green_group_close(g);
        for (size_t n = 0; n < ARRAY_SIZE(e); n++) {
                ck_assert_int_gt(e[n].id, 0);
                ck_assert_int_eq(e[n].id, e[0].id);
        }
        ck_assert_sql(desk, "SELECT COUNT(*) FROM services", "1");
}

static void YIELDS expect_service(struct desk *desk, const char *disabled_and_reason)
{
        assert_green();
        ck_assert_sql(desk, "SELECT CONCAT(disabled, ' ', IFNULL(disabled_reason, 'NULL')) FROM services",
                      disabled_and_reason);
}

STORE_TEST(a_drain_yields_to_operators_and_outweighs_the_hypervisor)
{
        struct service_row r = {};
        struct error err = {};

        ck_assert_ok(store_service_ensure(&desk->store, true, &r, soon(), &err), err);
        ck_assert_ok(store_service_drain(&desk->store, &r, "DRAIN: me", soon(), &err), err);
        expect_service(desk, "1 DRAIN: me");
        ck_assert(r.disabled);
        ck_assert_str_eq(r.disabled_reason, "DRAIN: me");
        ck_assert_ok(store_service_drain(&desk->store, &r, "DRAIN: you", soon(), &err), err);
        expect_service(desk, "1 DRAIN: you");
        ck_assert_ok(store_service_follow(&desk->store, &r, "AUTO: gone", soon(), &err), err);
        ck_assert_ok(store_service_follow(&desk->store, &r, NULL, soon(), &err), err);
        expect_service(desk, "1 DRAIN: you");
        ck_assert_ok(store_service_undrain(&desk->store, &r, soon(), &err), err);
        expect_service(desk, "0 NULL");
        ck_assert_ok(store_service_follow(&desk->store, &r, "AUTO: gone", soon(), &err), err);
        ck_assert_ok(store_service_undrain(&desk->store, &r, soon(), &err), err);
        expect_service(desk, "1 AUTO: gone");
        ck_assert_ok(store_service_drain(&desk->store, &r, "DRAIN: me", soon(), &err), err);
        expect_service(desk, "1 DRAIN: me");
        run(desk->here.pool, "UPDATE services SET disabled_reason = 'new disk'");
        ck_assert_ok(store_service_drain(&desk->store, &r, "DRAIN: me", soon(), &err), err);
        ck_assert_ok(store_service_undrain(&desk->store, &r, soon(), &err), err);
        expect_service(desk, "1 new disk");
        ck_assert_str_eq(r.disabled_reason, "new disk");
        service_row_free(&r);
}

STORE_TEST(a_report_counts_up_and_reads_what_an_operator_wants)
{
        struct service_row r = {};
        struct error err = {};

        ck_assert_ok(store_service_ensure(&desk->store, true, &r, soon(), &err), err);
        ck_assert_ok(store_service_report(&desk->store, &r, soon(), &err), err);
        ck_assert_ok(store_service_report(&desk->store, &r, soon(), &err), err);
        ck_assert_int_eq(r.report_count, 2);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', report_count, version, last_seen_up = updated_at) FROM services",
                      "2|64|1");
        run(desk->here.pool,
            "UPDATE services SET disabled = 1, disabled_reason = 'new disk', forced_down = 1");
        ck_assert_ok(store_service_report(&desk->store, &r, soon(), &err), err);
        ck_assert(r.disabled && r.forced_down);
        ck_assert_str_eq(r.disabled_reason, "new disk");
        run(desk->here.pool, "UPDATE services SET disabled = 0, disabled_reason = NULL");
        ck_assert_ok(store_service_refresh(&desk->store, &r, soon(), &err), err);
        ck_assert(!r.disabled && !r.disabled_reason);
        run(desk->here.pool, "UPDATE services SET deleted = id");
        ck_assert_fails(store_service_report(&desk->store, &r, soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_int_eq(r.report_count, 3);
        service_row_free(&r);
}

STORE_TEST(a_rival_is_seen_by_the_count_of_reports)
{
        struct service_row a = {}, b = {};
        struct error err = {};

        ck_assert_ok(store_service_ensure(&desk->store, true, &a, soon(), &err), err);
        for (int n = 0; n < 3; n++) {
                ck_assert_ok(store_service_report(&desk->store, &a, soon(), &err), err);
                ck_assert(!a.rival);
        }
        ck_assert_ok(store_service_ensure(&desk->store, true, &b, soon(), &err), err);
        ck_assert_ok(store_service_report(&desk->store, &b, soon(), &err), err);
        ck_assert(!b.rival); /* it read the count when it started */
        ck_assert_ok(store_service_report(&desk->store, &a, soon(), &err), err);
        ck_assert(a.rival);
        ck_assert_ok(store_service_report(&desk->store, &b, soon(), &err), err);
        ck_assert(b.rival);
        ck_assert_ok(store_service_report(&desk->store, &b, soon(), &err), err);
        ck_assert(!b.rival); /* the other one is gone */
        service_row_free(&a);
        service_row_free(&b);
}

STORE_TEST(a_report_whose_answer_got_lost_is_no_rival)
{
        struct service_row r = {};
        struct error err = {};

        ck_assert_ok(store_service_ensure(&desk->store, true, &r, soon(), &err), err);
        ck_assert_ok(store_service_report(&desk->store, &r, soon(), &err), err);
        r.report_count = 0; /* as if the last one had failed without an answer */
        r.unsure = true;
        ck_assert_ok(store_service_report(&desk->store, &r, soon(), &err), err);
        ck_assert(!r.rival && !r.unsure);
        ck_assert_int_eq(r.report_count, 2);
        service_row_free(&r);
}

/* ---- compute_nodes ---- */

static struct compute_node_row node_named(const char *name)
{
        return (struct compute_node_row){
                .vcpus = 2,
                .memory_mb = 8538,
                .local_gb = 251,
                .memory_mb_used = 512,
                .hypervisor_version = 7002022,
                .free_ram_mb = -12,
                .disk_available_least = -1,
                .hypervisor_type = xstrdup("QEMU"),
                .hypervisor_hostname = xstrdup(name),
                .cpu_info = xstrdup("{\"arch\": \"x86_64\"}"),
                .host_ip = xstrdup("127.0.0.1"),
                .supported_instances = xstrdup("[[\"x86_64\", \"kvm\", \"hvm\"]]"),
                .stats = xstrdup("{\"failed_builds\": \"0\"}"),
                .metrics = xstrdup("[]"),
                .cpu_allocation_ratio = 16.0,
                .ram_allocation_ratio = 1.5,
                .disk_allocation_ratio = 1.0,
        };
}

STORE_TEST(a_node_is_made_changed_and_read_again)
{
        struct compute_node_row r = node_named("vm"), got = {};
        struct error err = {};

        ck_assert_fails(store_compute_node_get(&desk->store, "vm", &got, soon(), &err), err, ERR_NOT_FOUND);
        ck_assert_ok(store_compute_node_save(&desk->store, &r, soon(), &err), err);
        ck_assert_int_gt(r.id, 0);
        ck_assert(uuid_is(r.uuid));
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', host, mapped, deleted, COALESCE(service_id, 'none'), "
                      "COALESCE(extra_resources, 'none'), "
                      "updated_at IS NULL, cpu_allocation_ratio, ram_allocation_ratio) FROM compute_nodes",
                      "lab-compute|0|0|none|none|0|16|1.5");
        run(desk->here.pool, "UPDATE compute_nodes SET updated_at = NULL"); /* to see that the save sets it */
        r.vcpus_used = 2;
        r.running_vms = 2;
        replace_str(&r.numa_topology, "{}");
        ck_assert_ok(store_compute_node_save(&desk->store, &r, soon(), &err), err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM compute_nodes WHERE updated_at IS NOT NULL", "1");
        ck_assert_ok(store_compute_node_get(&desk->store, "vm", &got, soon(), &err), err);
        ck_assert_int_eq(got.id, r.id);
        ck_assert_str_eq(got.uuid, r.uuid);
        ck_assert_int_eq(got.vcpus_used, 2);
        ck_assert_int_eq(got.free_ram_mb, -12);
        ck_assert_int_eq(got.disk_available_least, -1);
        ck_assert_str_eq(got.numa_topology, "{}");
        ck_assert_ptr_null(got.pci_stats);
        ck_assert(got.ram_allocation_ratio == 1.5);
        compute_node_row_free(&got);
        run(desk->here.pool, "UPDATE compute_nodes SET deleted = id");
        ck_assert_fails(store_compute_node_save(&desk->store, &r, soon(), &err), err, ERR_NOT_FOUND);
        compute_node_row_free(&r);
}

STORE_TEST(a_node_that_is_there_already_is_taken_over)
{
        struct compute_node_row a = node_named("vm"), b = node_named("vm");
        struct error err = {};

        ck_assert_ok(store_compute_node_save(&desk->store, &a, soon(), &err), err);
        b.running_vms = 5;
        ck_assert_ok(store_compute_node_save(&desk->store, &b, soon(), &err), err);
        ck_assert_int_eq(a.id, b.id);
        ck_assert_str_eq(a.uuid, b.uuid);
        ck_assert_sql(desk, "SELECT running_vms FROM compute_nodes", "5");
        compute_node_row_free(&a);
        compute_node_row_free(&b);
}

STORE_TEST(former_names_of_a_host_are_forgotten_one_by_one)
{
        struct compute_node_row a = node_named("old"), b = node_named("new");
        struct node_list l = {};
        struct error err = {};

        ck_assert_ok(store_compute_node_save(&desk->store, &a, soon(), &err), err);
        ck_assert_ok(store_compute_node_save(&desk->store, &b, soon(), &err), err);
        run(desk->here.pool, "INSERT INTO compute_nodes (host, hypervisor_hostname, uuid, deleted, vcpus, "
                             "memory_mb, local_gb, vcpus_used, memory_mb_used, local_gb_used, "
                             "hypervisor_type, hypervisor_version, cpu_info) VALUES ('other', 'old', 'u', 0, "
                             "1, 1, 1, 0, 0, 0, 'QEMU', 1, '')");
        ck_assert_ok(store_compute_nodes_of_host(&desk->store, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 2);
        ck_assert_str_eq(l.items[0].name, "old");
        ck_assert_str_eq(l.items[0].uuid, a.uuid);
        ck_assert_str_eq(l.items[1].name, "new");
        ck_assert_ok(store_compute_node_forget(&desk->store, &l.items[0], soon(), &err), err);
        ck_assert_sql(desk,
                      "SELECT GROUP_CONCAT(CONCAT(host, '/', hypervisor_hostname) ORDER BY id) FROM "
                      "compute_nodes WHERE deleted = 0",
                      "lab-compute/new,other/old");
        ck_assert_sql(desk, "SELECT deleted = id AND deleted_at IS NOT NULL FROM compute_nodes WHERE id = 1",
                      "1");
        node_list_free(&l);
        compute_node_row_free(&a);
        compute_node_row_free(&b);
}

/* ---- migrations ---- */

STORE_TEST(only_evacuations_from_here_that_are_not_over_are_found)
{
        struct instance *i = new_instance_named(&desk->store, "moved");
        CLEANUP(freep)
        char *sql = xasprintf(
                "INSERT INTO migrations (source_compute, dest_compute, source_node, instance_uuid, status, "
                "migration_type, deleted) VALUES "
                "('lab-compute', 'x', 'vm', '%s', 'done', 'evacuation', 0), "
                "('lab-compute', 'x', 'vm', '%s', 'accepted', 'evacuation', 2), "
                "('lab-compute', 'x', 'vm', '%s', 'completed', 'evacuation', 0), "
                "('lab-compute', 'x', 'vm', '%s', 'running', 'live-migration', 0), "
                "('x', 'lab-compute', 'vm', '%s', 'done', 'evacuation', 0)",
                i->uuid, i->uuid, i->uuid, i->uuid, i->uuid);
        struct migration_list l = {};
        struct error err = {};

        run(desk->here.pool, sql);
        ck_assert_ok(store_evacuations_from_here(&desk->store, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 2);
        ck_assert_int_eq(l.items[0].id, 1);
        ck_assert_int_eq(l.items[1].id, 2);
        ck_assert_str_eq(l.items[0].instance_uuid, i->uuid);
        ck_assert_str_eq(l.items[0].source_node, "vm");
        ck_assert_str_eq(l.items[1].status, "accepted");
        ck_assert_ok(store_migration_set_status(&desk->store, 1, "completed", soon(), &err), err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM migrations WHERE updated_at IS NOT NULL", "1");
        migration_list_free(&l);
        ck_assert_ok(store_evacuations_from_here(&desk->store, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 1);
        migration_list_free(&l);
        ck_assert_ok(store_migrations_of(&desk->store, i->uuid, "running", &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 1);
        ck_assert_int_eq(l.items[0].id, 4);
        migration_list_free(&l);
        instance_free(i);
}

/* ---- all instances of a host ---- */

#define MANY 3001 /* several pages, and the last one not full */

/* Made in the database itself: one by one would take long. */
static void YIELDS make_many(struct desk *desk)
{
        struct db_conn *c = borrowed(desk->here.pool);
        struct error err = {};

        ck_assert_ok(db_script(c,
                               "INSERT INTO instances (uuid, host, display_name, vm_state, memory_mb, vcpus, "
                               "deleted, power_state) "
                               "SELECT UUID(), IF(seq % 10 = 0, 'other', 'lab-compute'), CONCAT('guest-', "
                               "seq), 'active', 64, 1, 0, 1 "
                               "FROM seq_1_to_3334;"
                               "UPDATE instances SET deleted = id WHERE display_name = 'guest-7';"
                               "INSERT INTO instance_extra (instance_uuid, flavor, deleted) SELECT uuid, "
                               "CONCAT('{\"cur\": {\"nova_object.data\": {\"id\": 1, \"name\": \"lab.tiny\", "
                               "\"memory_mb\": ', 1000 + id, "
                               "', \"vcpus\": 2, \"root_gb\": 3, \"ephemeral_gb\": 0, \"swap\": 5, "
                               "\"flavorid\": \"1\"}}}'), 0 FROM instances;"
                               "INSERT INTO instance_system_metadata (instance_uuid, `key`, value, deleted) "
                               "SELECT uuid, 'image_name', "
                               "display_name, 0 FROM instances;"
                               "INSERT INTO instance_system_metadata (instance_uuid, `key`, value, deleted) "
                               "SELECT uuid, 'second', 'x', 0 "
                               "FROM instances",
                               soon(), &err),
                     err);
        db_pool_put(c);
}

STORE_TEST(thousands_of_instances_are_read_in_pages)
{
        struct instance_list l = {};
        struct error err = {};

        make_many(desk);
        ck_assert_ok(store_instances_of_host(&desk->store, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, MANY - 1); /* a tenth is elsewhere, one is deleted */
        for (unsigned n = 0; n < l.n; n++) {
                const struct instance *i = l.items[n];

                ck_assert(n == 0 || l.items[n - 1]->id < i->id);
                ck_assert_str_eq(i->host, "lab-compute");
                ck_assert(!i->deleted);
                ck_assert_int_eq(i->flavor.memory_mb, 1000 + i->id);
                ck_assert_int_eq(i->flavor.swap_mb, 5);
                ck_assert_str_eq(i->flavor.name, "lab.tiny");
                ck_assert_uint_eq(i->n_system_metadata, 2);
                ck_assert_str_eq(instance_system_meta(i, "image_name"), i->display_name);
        }
        instance_list_free(&l);
        ck_assert_ptr_null(l.items);
}

/* However many there are: no page is longer than the others. */
STORE_TEST(a_cursor_passes_each_instance_once)
{
        CLEANUP(instance_list_free) struct instance_list page = {};
        struct instance_cursor at = {};
        struct error err = {};
        int64_t last = 0, count = 0;
        unsigned seen = 0, longest = 0;
        int r;

        make_many(desk);
        ck_assert_ok(store_instances_count(&desk->store, &count, soon(), &err), err);
        ck_assert_int_eq(count, MANY - 1);
        while ((r = store_instances_page(&desk->store, &at, &page, soon(), &err)) > 0) {
                ck_assert_uint_gt(page.n, 0);
                longest = page.n > longest ? page.n : longest;
                for (unsigned n = 0; n < page.n; n++) {
                        ck_assert_int_gt(page.items[n]->id, last);
                        last = page.items[n]->id;
                        ck_assert_uint_eq(page.items[n]->n_system_metadata, 2);
                        /* Once it has been passed it does not matter what becomes of it. */
                        if (seen++ == 0)
                                ck_assert_ok(
                                        store_instance_soft_delete(&desk->store, page.items[n], soon(), &err),
                                        err);
                }
        }
        ck_assert_msg(r == 0, "%s", err.text);
        ck_assert_uint_eq(seen, MANY - 1);
        ck_assert_uint_le(longest, 200);
        ck_assert_uint_eq(page.n, 0);
        ck_assert_int_eq(store_instances_page(&desk->store, &at, &page, soon(), &err), 0);
}

STORE_TEST(a_host_without_instances_has_an_empty_list)
{
        struct instance_list l = {};
        struct error err = {};

        ck_assert_ok(store_instances_of_host(&desk->store, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 0);
        instance_list_free(&l);
}

STORE_TEST(deleted_ones_are_found_among_many_uuids)
{
        const char *uuids[250];
        struct instance_list all = {}, l = {};
        struct error err = {};

        make_many(desk);
        ck_assert_ok(store_instances_of_host(&desk->store, &all, soon(), &err), err);
        for (size_t n = 0; n < ARRAY_SIZE(uuids); n++)
                uuids[n] = all.items[n * 10]->uuid;
        ck_assert_ok(store_instances_deleted_among(&desk->store, uuids, ARRAY_SIZE(uuids), &l, soon(), &err),
                     err);
        ck_assert_uint_eq(l.n, 0);
        for (size_t n = 0; n < ARRAY_SIZE(uuids); n += 50)
                ck_assert_ok(store_instance_soft_delete(&desk->store, all.items[n * 10], soon(), &err), err);
        ck_assert_ok(store_instances_deleted_among(&desk->store, uuids, ARRAY_SIZE(uuids), &l, soon(), &err),
                     err);
        ck_assert_uint_eq(l.n, 5);
        for (unsigned n = 0; n < l.n; n++) {
                ck_assert_str_eq(l.items[n]->uuid, uuids[n * 50]);
                ck_assert(l.items[n]->deleted);
                ck_assert_str_eq(l.items[n]->flavor.name, "lab.tiny");
        }
        instance_list_free(&l);
        ck_assert_ok(store_instances_deleted_among(&desk->store, uuids, 0, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 0);
        instance_list_free(&all);
}

STORE_TEST(those_that_are_being_built_are_found_on_whatever_host)
{
        struct instance *a = new_instance_named(&desk->store, "waits"),
                        *b = new_instance_named(&desk->store, "runs");
        const char *uuids[] = { a->uuid, b->uuid };
        struct instance_list l = {};
        struct error err = {};

        b->vm_state = VM_ACTIVE;
        ck_assert_ok(store_instance_save(&desk->store, b, COL_VM_STATE, EXPECT_ANY, soon(), &err), err);
        ck_assert_ok(store_instances_building_among(&desk->store, uuids, 2, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 1);
        ck_assert_str_eq(l.items[0]->uuid, a->uuid);
        instance_list_free(&l);
        ck_assert_ok(store_instance_soft_delete(&desk->store, a, soon(), &err), err);
        ck_assert_ok(store_instances_building_among(&desk->store, uuids, 2, &l, soon(), &err), err);
        ck_assert_uint_eq(l.n, 0);
        instance_list_free(&l);
        instance_free(a);
        instance_free(b);
}

/* ---- the server goes away ---- */

STORE_TEST(a_store_lives_through_a_restart_of_the_server)
{
        struct instance *i = new_instance_named(&desk->store, "survivor");
        struct error err = {};

        server("kill");
        server("start");
        i->vm_state = VM_ACTIVE;
        i->task_state = TASK_NONE;
        ck_assert_ok(store_instance_save(&desk->store, i, COL_STATES, EXPECT(TASK_SCHEDULING), soon(), &err),
                     err);
        ck_assert_sql(desk, "SELECT vm_state FROM instances", "active");
        instance_free(i);
}

GREEN_SUITE("store-host", a_service_is_made_once_and_found_again, a_new_service_may_start_disabled,
            an_older_service_is_raised_and_a_younger_cell_refused,
            who_comes_second_takes_the_row_of_the_first, a_report_counts_up_and_reads_what_an_operator_wants,
            a_drain_yields_to_operators_and_outweighs_the_hypervisor, a_node_is_made_changed_and_read_again,
            a_node_that_is_there_already_is_taken_over, thousands_of_instances_are_read_in_pages,
            a_cursor_passes_each_instance_once, a_host_without_instances_has_an_empty_list,
            deleted_ones_are_found_among_many_uuids, a_store_lives_through_a_restart_of_the_server,
            a_rival_is_seen_by_the_count_of_reports, a_report_whose_answer_got_lost_is_no_rival,
            former_names_of_a_host_are_forgotten_one_by_one,
            only_evacuations_from_here_that_are_not_over_are_found,
            those_that_are_being_built_are_found_on_whatever_host)
