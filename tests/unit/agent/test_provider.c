/* tests/unit/agent/test_provider.c: what placement is told when instances come and go. */
#include "compute_fixture.h"
#include "compute/compute_priv.h"
#include "compute/resync.h"
#include "compute/tracker.h"
#include "fake_keystone.h"
#include "peers/placement.h"

static struct fake_keystone k;
static struct compute_fixture f;
static struct error e;

/* A placement with one provider. */
struct cloud {
        int status;     /* of each answer, when it is not 0 */
        int put_status; /* of a PUT of allocations */
        int64_t generation;
        bool provider;
        char inventories[1024], traits[2048], deleted[128], emptied[128];
        unsigned writes, deletes;
        int delete_status;     /* 0: 204 */
        const char *holds;     /* each consumer; NULL: something */
        const char *consumers; /* of the provider */
        char cleared[512];     /* the last allocation that was written */
        char text[8192];
};
static struct cloud cloud;

static void keep(char *to, size_t size, const struct http_seen *seen, const char *key)
{
        struct jval *body = jval_parse(seen->body, seen->body_len, &e);
        char *text = jval_print(jval_get(body, key), NULL);

        ck_assert_int_eq(jval_get_int(body, "resource_provider_generation", -1), cloud.generation);
        snprintf(to, size, "%s", text);
        free(text);
        jval_unref(body);
        cloud.generation++;
}

static void serve(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        const char *path = seen->path + strlen("/p");

        (void)arg;
        cloud.writes += strcmp(seen->method, "GET") != 0;
        if (cloud.status) {
                *ret = (struct http_answer){ .status = cloud.status, .body = "out of order" };
                return;
        }
        if (strcmp(seen->method, "DELETE") == 0) {
                cloud.deletes++;
                snprintf(cloud.deleted, sizeof(cloud.deleted), "%s", path);
                ret->status = cloud.delete_status ? cloud.delete_status : 204;
                return;
        }
        if (strncmp(path, "/allocations/", 13) == 0) { /* read, then written back without what it holds */
                ck_assert_ptr_nonnull(strcmp(seen->method, "GET") == 0 || cloud.holds
                                              ? path
                                              : strstr(seen->body, "\"allocations\":{}"));
                if (strcmp(seen->method, "PUT") == 0) {
                        snprintf(cloud.emptied, sizeof(cloud.emptied), "%s", path);
                        snprintf(cloud.cleared, sizeof(cloud.cleared), "%s %s", path, seen->body);
                }
                *ret = (struct http_answer){
                        .status = strcmp(seen->method, "PUT") == 0 ? cloud.put_status : 200,
                        .body = cloud.holds ? cloud.holds
                                            : "{\"allocations\": {\"p\": {}}, \"consumer_generation\": 1}"
                };
                return;
        }
        if (strcmp(seen->method, "POST") == 0)
                cloud.provider = true;
        else if (strcmp(seen->method, "PUT") == 0 && strstr(path, "/inventories"))
                keep(cloud.inventories, sizeof(cloud.inventories), seen, "inventories");
        else if (strcmp(seen->method, "PUT") == 0 && strstr(path, "/traits"))
                keep(cloud.traits, sizeof(cloud.traits), seen, "traits");
        /* One answer for all: each call takes what it looks for. */
        snprintf(cloud.text, sizeof(cloud.text),
                 "{\"resource_providers\": [], \"generation\": %lld, \"resource_provider_generation\": %lld, "
                 "\"aggregates\": [], \"inventories\": %s, \"traits\": %s}",
                 (long long)cloud.generation, (long long)cloud.generation, cloud.inventories, cloud.traits);
        if (strncmp(path, "/traits?", 8) == 0)
                ret->body = "{\"traits\": [\"COMPUTE_NODE\", \"COMPUTE_IMAGE_TYPE_QCOW2\", "
                            "\"COMPUTE_IMAGE_TYPE_RAW\", \"COMPUTE_STATUS_DISABLED\", "
                            "\"HW_CPU_X86_MMX\", \"HW_CPU_X86_SSE\", \"COMPUTE_STORAGE_BUS_VIRTIO\"]}";
        else if (strstr(path, "/allocations"))
                ret->body = cloud.consumers;
        else
                ret->body = cloud.text;
}

static struct service *service;

static void YIELDS begin(void)
{
        struct service_options opt = { .type = "placement", .region = "one" };
        struct placement_options popt = {};

        cloud = (struct cloud){
                .inventories = "{}", .traits = "[]", .put_status = 204, .consumers = "{\"allocations\": {}}"
        };
        fake_keystone_start(&k, serve, NULL);
        opt.keystone = k.keystone;
        opt.http = k.http;
        popt.service = service = service_new(&opt);
        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        f.placement = placement_new(&popt);
        compute_fixture_make(&f);
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, deadline_in_s(10), &e), e);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        fake_store_journal();
}

static void YIELDS end(void)
{
        compute_fixture_stop(&f);
        placement_free(f.placement);
        service_free(service);
        fake_keystone_stop(&k);
}

GREEN_TEST_REAL(an_audit_tells_what_the_host_has_once)
{
        const struct compute_node_row *row;
        CLEANUP(freep) char *want = NULL;
        unsigned writes;

        begin();
        row = tracker_row(compute_tracker(f.m));
        ck_assert(cloud.provider);
        want = xasprintf("\"MEMORY_MB\":{\"total\":%lld,\"reserved\":512,\"min_unit\":1,\"max_unit\":%lld,"
                         "\"step_size\":1,\"allocation_ratio\":1.5}",
                         (long long)row->memory_mb, (long long)row->memory_mb);
        ck_assert_msg(strstr(cloud.inventories, want) != NULL, "%s", cloud.inventories);
        ck_assert_str_eq(cloud.traits, "[\"COMPUTE_NODE\",\"HW_CPU_X86_MMX\",\"HW_CPU_X86_SSE\","
                                       "\"COMPUTE_STORAGE_BUS_VIRTIO\",\"COMPUTE_IMAGE_TYPE_QCOW2\","
                                       "\"COMPUTE_IMAGE_TYPE_RAW\"]");
        writes = cloud.writes;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_uint_eq(cloud.writes, writes);
        end();
}

GREEN_TEST_REAL(a_placement_that_is_down_does_not_fail_the_audit)
{
        begin();
        cloud.status = 503;
        f.conf.reserved_host_memory_mb = 100;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        cloud.status = 0;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_msg(strstr(cloud.inventories, "\"reserved\":100") != NULL, "%s", cloud.inventories);
        end();
}

GREEN_TEST_REAL(the_first_audit_does_not_wait_for_placement)
{
        begin();
        f.conf.reserved_host_memory_mb = 100;
        ck_assert_ok(compute_first_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_ptr_null(strstr(cloud.inventories, "\"reserved\":100"));
        while (!strstr(cloud.inventories, "\"reserved\":100"))
                ck_assert_ok(green_sleep(0.001, &e), e);
        end();
}

GREEN_TEST_REAL(a_disabled_service_has_its_trait)
{
        begin();
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(10), &e), e);
        fake_store_disable_service(true);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_msg(strstr(cloud.traits, "COMPUTE_STATUS_DISABLED") != NULL, "%s", cloud.traits);
        fake_store_disable_service(false);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_msg(strstr(cloud.traits, "COMPUTE_STATUS_DISABLED") == NULL, "%s", cloud.traits);
        end();
}

static bool says_disabled(void)
{
        return strstr(cloud.traits, "COMPUTE_STATUS_DISABLED") != NULL;
}

/* nova-api: the row, then the call. */
static void YIELDS set_enabled(bool enabled)
{
        fake_store_disable_service(!enabled);
        ck_assert_ok(compute_set_host_enabled(f.m, enabled, deadline_in_s(10), &e), e);
}

GREEN_TEST_REAL(set_host_enabled_sets_the_trait_and_the_next_audit_agrees)
{
        begin();
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(10), &e), e);
        set_enabled(false);
        ck_assert(says_disabled());
        ck_assert_ptr_nonnull(strstr(cloud.traits, "COMPUTE_NODE"));
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert(says_disabled());
        set_enabled(true);
        ck_assert(!says_disabled());
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert(!says_disabled());
        end();
}

static bool disabling_done;

static int disable_main(void *arg, struct error *err)
{
        assert_green();
        (void)arg;
        (void)err;
        set_enabled(false);
        disabling_done = true;
        return 0;
}

/* The audit is reading the row, which says enabled: all of this happens while the answer travels. */
static void disable_now(void *arg)
{
        assert_on_hub();
        (void)arg;
        ck_assert_ok(green_spawn(NULL, "disable", disable_main, NULL, &e), e);
}

GREEN_TEST_REAL(an_audit_under_way_does_not_undo_it)
{
        begin();
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(10), &e), e);
        fake_store_before("store_service_refresh", 1, disable_now, NULL);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        while (!disabling_done)
                ck_assert_ok(green_sleep(0.01, &e), e);
        ck_assert(says_disabled());
        end();
}

GREEN_TEST_REAL(a_report_under_way_does_not_undo_it)
{
        begin();
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(10), &e), e);
        fake_store_before("store_service_report", 1, disable_now, NULL);
        ck_assert_ok(compute_start_periodic(f.m, &e), e);
        while (!disabling_done)
                ck_assert_ok(green_sleep(0.01, &e), e);
        ck_assert_ok(green_sleep(0.2, &e), e);
        ck_assert(says_disabled());
        end();
}

static void YIELDS resync(struct compute_resync *ret)
{
        ck_assert_ok(compute_resync_start(f.m, NULL, 0, &e), e);
        do
                ck_assert_ok(green_sleep(0.01, &e), e);
        while (compute_get_resync(f.m, ret) && ret->running);
}

GREEN_TEST_REAL(a_resync_reads_placement_again_and_fails_where_it_cannot)
{
        static struct compute_resync r;

        begin();
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(10), &e), e);
        snprintf(cloud.inventories, sizeof(cloud.inventories), "{}"); /* somebody deleted them */
        cloud.generation++;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_str_eq(cloud.inventories, "{}"); /* which is not seen for some minutes */
        resync(&r);
        ck_assert_ptr_nonnull(strstr(cloud.inventories, "\"VCPU\""));
        ck_assert_int_eq(r.steps[1].state, RESYNC_DONE);
        ck_assert_ptr_nonnull(strstr(r.steps[1].text, "placement is told"));
        cloud.status = 503;
        resync(&r);
        ck_assert_int_eq(r.steps[1].state, RESYNC_FAILED);
        ck_assert_ptr_nonnull(strstr(r.steps[1].text, "placement is not told: "));
        ck_assert_int_eq(r.steps[2].state, RESYNC_DONE);
        end();
}

GREEN_TEST_REAL(a_placement_that_is_down_does_not_fail_set_host_enabled)
{
        begin();
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(10), &e), e);
        cloud.status = 503;
        set_enabled(false);
        ck_assert(!says_disabled());
        cloud.status = 0;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert(says_disabled());
        end();
}

GREEN_TEST_REAL(where_deletes_are_deferred_allocations_are_not_forced_away)
{
        struct compute_call c;

        begin();
        f.conf.reclaim_instance_interval = 3600;
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_DELETING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        cloud.put_status = 409;
        ck_assert_fails(compute_terminate(f.m, &c, &e), e, ERR_BUSY);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_DELETED);
        cloud.put_status = 204;
        e = (struct error){};
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, deadline_in_s(10), &e), e);
        ck_assert_str_eq(cloud.emptied, "/allocations/" UUID_A);
        ck_assert_uint_eq(cloud.deletes, 0);
        ck_assert_ptr_null(fake_store_row(UUID_A));
        end();
}

GREEN_TEST_REAL(a_terminated_instance_gives_its_allocations_back)
{
        struct compute_call c;

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_DELETING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        ck_assert_ok(compute_terminate(f.m, &c, &e), e);
        ck_assert_str_eq(cloud.deleted, "/allocations/" UUID_A);
        ck_assert_uint_eq(cloud.deletes, 1);
        ck_assert_ptr_null(fake_store_row(UUID_A));
        end();
}

GREEN_TEST_REAL(a_row_stays_until_its_allocations_are_gone)
{
        struct compute_call c;

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_DELETING, POWER_RUNNING);
        c = compute_fixture_call(&f, UUID_A);
        cloud.status = 503;
        ck_assert_fails(compute_terminate(f.m, &c, &e), e, ERR_BUSY);
        ck_assert_ptr_nonnull(fake_store_row(UUID_A));
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_DELETED);

        cloud.status = 0; /* the next start */
        e = (struct error){};
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, deadline_in_s(10), &e), e);
        ck_assert_uint_eq(cloud.deletes, 1);
        ck_assert_ptr_null(fake_store_row(UUID_A));
        end();
}

GREEN_TEST_REAL(a_failed_build_gives_its_allocations_back)
{
        unsigned rescheduled = 0;

        begin();
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        virt_fake_fail_next(f.driver, "spawn", ERR_SYSTEM, "no");
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, &rescheduled), &e), e);
        compute_fixture_settle(&f);
        ck_assert_uint_eq(rescheduled, 1);
        ck_assert_uint_eq(cloud.deletes, 1);
        ck_assert_str_eq(cloud.deleted, "/allocations/" UUID_A);
        end();
}

GREEN_TEST_REAL(a_build_that_cannot_begin_gives_its_allocations_back_too)
{
        struct compute_build *b;

        begin();
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        b = compute_fixture_build(UUID_A, NULL);
        b->files_error = xstrdup("file 0 has no path");
        ck_assert_ok(compute_build_and_run(f.m, b, &e), e);
        compute_fixture_settle(&f);
        ck_assert_str_eq(cloud.deleted, "/allocations/" UUID_A);

        fake_store_add(UUID_B, VM_ACTIVE, TASK_NONE); /* a request that came twice must not take away */
        fake_store_add_action(UUID_B, REQ);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_B, NULL), &e), e);
        compute_fixture_settle(&f);
        ck_assert_uint_eq(cloud.deletes, 1);
        end();
}

#define UUID_C "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
#define UUID_D "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
#define UUID_E "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"

GREEN_TEST_REAL(an_audit_gives_back_what_deleted_instances_hold)
{
        begin();
        cloud.consumers = "{\"allocations\": {\"" UUID_A "\": {}, \"" UUID_B "\": {}, \"" UUID_C
                          "\": {}, \"" UUID_D "\": {}, \"" UUID_E "\": {}}}";
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_add(UUID_B, VM_BUILDING, TASK_SCHEDULING); /* not claimed yet: host is NULL */
        fake_store_add(UUID_C, VM_DELETED, TASK_NONE)->deleted = true;
        fake_store_add(UUID_D, VM_DELETED, TASK_NONE)->deleted = true;
        fake_store_any_row(UUID_D)->hidden = true; /* resized into another cell */
        /* UUID_E has no row: nova-api has not written it yet */
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_str_eq(cloud.cleared,
                         "/allocations/" UUID_C " {\"allocations\":{},\"consumer_generation\":1}");
        ck_assert_uint_eq(cloud.deletes, 0);

        cloud.cleared[0] = '\0'; /* the next audit has nothing left to do */
        cloud.consumers = "{\"allocations\": {\"" UUID_A "\": {}, \"" UUID_B "\": {}}}";
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_str_eq(cloud.cleared, "");
        end();
}

GREEN_TEST_REAL(a_conflict_in_the_sweep_is_left_to_the_next_audit)
{
        begin();
        cloud.consumers = "{\"allocations\": {\"" UUID_C "\": {}}}";
        fake_store_add(UUID_C, VM_DELETED, TASK_NONE)->deleted = true;
        cloud.put_status = 409;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        cloud.put_status = 204;
        cloud.cleared[0] = '\0';
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_ptr_nonnull(strstr(cloud.cleared, UUID_C));
        end();
}

GREEN_TEST_REAL(a_renamed_host_gives_up_its_former_node)
{
        begin();
        fake_store_add_former_node("old-name");
        cloud.status = 503; /* first nobody can say whether the provider is there */
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_ptr_null(strstr(fake_store_journal(), "forgotten"));
        cloud.status = 0;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_str_eq(cloud.deleted, "/resource_providers/" FAKE_FORMER_NODE);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "node old-name forgotten\n"));
        end();
}

GREEN_TEST_REAL(a_former_node_that_is_in_use_is_forgotten_all_the_same)
{
        begin();
        fake_store_add_former_node("old-name");
        cloud.delete_status = 409;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "node old-name forgotten\n"));
        end();
}

/* The loop reports at once when the connection changes; nothing waits for an audit. */
GREEN_TEST_REAL(placement_follows_the_hypervisor_at_once)
{
        begin();
        ck_assert_ok(compute_service_ensure(f.m, deadline_in_s(10), &e), e);
        ck_assert_ok(compute_start_periodic(f.m, &e), e);
        virt_fake_set_connected(f.driver, false);
        for (int n = 0; n < 500 && !strstr(cloud.traits, "COMPUTE_STATUS_DISABLED"); n++)
                ck_assert_ok(green_sleep(0.01, &e), e);
        ck_assert_msg(strstr(cloud.traits, "COMPUTE_STATUS_DISABLED") != NULL, "%s", cloud.traits);
        virt_fake_set_connected(f.driver, true);
        for (int n = 0; n < 500 && strstr(cloud.traits, "COMPUTE_STATUS_DISABLED"); n++)
                ck_assert_ok(green_sleep(0.01, &e), e);
        ck_assert_msg(strstr(cloud.traits, "COMPUTE_STATUS_DISABLED") == NULL, "%s", cloud.traits);
        end();
}

GREEN_TEST_REAL(what_placement_said_last_is_kept_for_health)
{
        struct compute_placement_state state;

        begin();
        ck_assert(compute_get_placement_state(f.m, &state));
        ck_assert(state.known && state.ok);
        cloud.status = 503;
        f.conf.reserved_host_memory_mb = 100;
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert(compute_get_placement_state(f.m, &state));
        ck_assert(state.known && !state.ok);
        ck_assert_ptr_nonnull(strstr(state.text, "out of order"));
        end();
}

/* strays.c */
static int YIELDS look(struct uuid_set *seen)
{
        e = (struct error){};
        return strays_look_for_lost_builds(f.m, seen, deadline_in_s(10), &e);
}

GREEN_TEST_REAL(a_build_that_nobody_builds_is_called_an_error_the_second_time)
{
        struct uuid_set seen = {};

        begin();
        cloud.consumers = "{\"allocations\": {\"" UUID_A "\": {}, \"" UUID_B "\": {}, \"" UUID_C "\": {}}}";
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add(UUID_B, VM_BUILDING, TASK_SPAWNING);
        replace_str(&fake_store_row(UUID_B)->host, "host-1"); /* claimed: the table's */
        fake_store_add(UUID_C, VM_BUILDING, TASK_SCHEDULING);
        ck_assert_ok(look(&seen), e);
        ck_assert_journal("");
        replace_str(&fake_store_row(UUID_C)->host, "host-2"); /* its request came in time, elsewhere */
        ck_assert_ok(look(&seen), e);
        ck_assert_journal("instance vm_state=error task_state=NULL if scheduling\n"
                          "fault 500 The build was interrupted: the compute service of host host-1 was "
                          "restarted before it had claimed the instance\n");
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ERROR);
        ck_assert_str_eq(cloud.deleted, "/allocations/" UUID_A);
        ck_assert_uint_eq(cloud.deletes, 1);
        ck_assert_uint_eq(seen.n, 0);
        uuid_set_free(&seen);
        end();
}

GREEN_TEST_REAL(a_build_that_waits_for_its_turn_is_no_lost_one)
{
        struct uuid_set seen = {};

        begin();
        cloud.consumers = "{\"allocations\": {\"" UUID_A "\": {}}}";
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        ck_assert_ok(look(&seen), e);
        ck_assert_uint_eq(seen.n, 1);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(UUID_A, NULL), &e), e);
        green_yield(); /* it has begun, and has claimed nothing yet */
        ck_assert_ok(look(&seen), e);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        uuid_set_free(&seen);
        end();
}

GREEN_TEST_REAL(a_lost_build_that_somebody_takes_up_is_left_to_him)
{
        struct uuid_set seen = {};

        begin();
        cloud.consumers = "{\"allocations\": {\"" UUID_A "\": {}}}";
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        ck_assert_ok(look(&seen), e);
        fake_store_fail("store_instance_save", 1, NOVA_UNEXPECTED_DELETING_TASK_STATE, "deleting");
        ck_assert_ok(look(&seen), e);
        ck_assert_journal("");
        cloud.status = 503;
        ck_assert_fails(look(&seen), e, ERR_BUSY);
        uuid_set_free(&seen);
        end();
}

GREEN_TEST_REAL(an_evacuated_instance_gives_back_what_it_holds_here)
{
        begin();
        fake_store_add(UUID_A, VM_ACTIVE, TASK_NONE);
        fake_store_add_move(UUID_A, true, "done");
        cloud.status = 503;
        ck_assert_ok(strays_end_evacuations(f.m, deadline_in_s(10), &e), e);
        ck_assert_str_eq(fake_store_move_status(UUID_A), "done"); /* the next start tries again */
        cloud.status = 0;
        cloud.holds = "{\"allocations\": {\"p\": {}, \"0e8ff1d0-0000-4000-8000-000000000001\": {}}, "
                      "\"consumer_generation\": 1}";
        ck_assert_ok(strays_end_evacuations(f.m, deadline_in_s(10), &e), e);
        ck_assert_str_eq(cloud.cleared,
                         "/allocations/" UUID_A " {\"allocations\":{\"p\":{}},\"consumer_generation\":1}");
        ck_assert_str_eq(fake_store_move_status(UUID_A), "completed");
        end();
}

GREEN_TEST_REAL(an_evacuation_that_is_refused_holds_nothing_here)
{
        const struct compute_leftover left = { LEFT_EVACUATION, .migration_id = 4 };
        CLEANUP(freep) char *holds = NULL;
        struct error why = {};
        struct compute_call c;
        struct instance *i;

        begin();
        error_set(&why, NOVA_NOT_IMPLEMENTED, "not here");
        holds = xasprintf("{\"allocations\": {\"p\": {}, \"%s\": {}}, \"consumer_generation\": 1}",
                          tracker_row(compute_tracker(f.m))->uuid);
        cloud.holds = holds;
        i = fake_store_add(UUID_A, VM_ACTIVE, TASK_REBUILDING);
        fake_store_add_action(UUID_A, REQ);
        c = compute_fixture_call(&f, UUID_A);
        replace_str(&i->host, f.conf.host);
        ck_assert_fails(compute_refuse(f.m, &c, "rebuild_instance", WRAP_REVERTS, &left, &why, &e), e,
                        NOVA_NOT_IMPLEMENTED);
        ck_assert_str_eq(cloud.cleared, ""); /* it is here: then it stays */
        replace_str(&i->host, "elsewhere");
        i->task_state = TASK_REBUILDING;
        ck_assert_fails(compute_refuse(f.m, &c, "rebuild_instance", WRAP_REVERTS, &left, &why, &e), e,
                        NOVA_NOT_IMPLEMENTED);
        ck_assert_str_eq(cloud.cleared,
                         "/allocations/" UUID_A " {\"allocations\":{\"p\":{}},\"consumer_generation\":1}");
        ck_assert_int_eq(i->task_state, TASK_NONE);
        end();
}

GREEN_SUITE("provider", an_audit_tells_what_the_host_has_once,
            a_placement_that_is_down_does_not_fail_the_audit, the_first_audit_does_not_wait_for_placement,
            a_disabled_service_has_its_trait, set_host_enabled_sets_the_trait_and_the_next_audit_agrees,
            an_audit_under_way_does_not_undo_it, a_report_under_way_does_not_undo_it,
            a_resync_reads_placement_again_and_fails_where_it_cannot,
            a_placement_that_is_down_does_not_fail_set_host_enabled,
            where_deletes_are_deferred_allocations_are_not_forced_away,
            a_terminated_instance_gives_its_allocations_back, a_row_stays_until_its_allocations_are_gone,
            a_failed_build_gives_its_allocations_back, an_audit_gives_back_what_deleted_instances_hold,
            a_conflict_in_the_sweep_is_left_to_the_next_audit, a_renamed_host_gives_up_its_former_node,
            a_former_node_that_is_in_use_is_forgotten_all_the_same, placement_follows_the_hypervisor_at_once,
            what_placement_said_last_is_kept_for_health,
            a_build_that_nobody_builds_is_called_an_error_the_second_time,
            a_build_that_waits_for_its_turn_is_no_lost_one,
            a_lost_build_that_somebody_takes_up_is_left_to_him,
            an_evacuated_instance_gives_back_what_it_holds_here,
            an_evacuation_that_is_refused_holds_nothing_here,
            a_build_that_cannot_begin_gives_its_allocations_back_too)
