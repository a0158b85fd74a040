/*
 * The RPC methods, from the request to the rows and back, with real messages of a Zed control plane.
 *
 * Messages are dispatched as the server does it, without a socket; a transport that only listens notes what
 * is cast to conductor.
 */
#include "rpc/methods.h"

#include <dirent.h>
#include <string.h>

#include "rpc/args.h"
#include "rpc_fixture.h"

/* ---- a transport that notes what is published ---- */

static struct rpc_request published;
static unsigned n_published;
static int publish_code;

static int note_publish(struct transport *t, const struct transport_target *to, const char *body, size_t len,
                        struct deadline by, struct error *err)
{
        if (publish_code)
                return error_set(err, publish_code, "no such topic %s", to->topic);
        ck_assert_str_eq(to->exchange, "nova");
        ck_assert_str_eq(to->topic, "conductor");
        ck_assert_ok(envelope_decode_request(body, len, &published, err), *err);
        n_published++;
        return 0;
}

static const struct transport_ops transport_ops = { .scheme = "note", .publish = note_publish };
static struct transport transport = { &transport_ops };

static void YIELDS begin(void)
{
        rpc_fixture_start(&transport);
}

/* ---- builds ---- */

static struct rpc_request captured_build(struct instance **ret_row)
{
        struct rpc_request r = captured("build_and_run_instance");
        const char *uuid = object_instance_uuid(r.args);
        struct instance *i = fake_store_add(uuid, VM_BUILDING, TASK_SCHEDULING);

        fake_store_add_action(uuid, jval_get_text(r.context, "request_id", ""));
        jval_set_text(r.args, "node", "fake-host");
        if (ret_row)
                *ret_row = i;
        return r;
}

GREEN_TEST(a_captured_build_builds)
{
        struct rpc_request r;
        struct instance *row;
        struct error err = {};
        const struct guest_spec *spec;

        begin();
        r = captured_build(&row);
        row->flavor.memory_mb = 9999; /* the request's flavor counts */
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        rpc_request_free(&r);
        compute_fixture_settle(&f);
        ck_assert_int_eq(row->vm_state, VM_ACTIVE);
        ck_assert_str_eq(instance_system_meta(row, "boot_roles"), "member,reader,admin");
        spec = virt_fake_spec(f.driver, row->uuid);
        ck_assert_int_eq(spec->memory_mb, 64);
        ck_assert_str_eq(spec->flavor_name, "lab.tiny");
        ck_assert_str_eq(fake_files_admin_password(), "62747cXAsaJM");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_captured_build_that_fails_is_cast_back_as_nova_does)
{
        static const char *const keys[] = { "instances",       "image",          "filter_properties",
                                            "admin_password",  "injected_files", "requested_networks",
                                            "security_groups", "request_spec",   "host_lists" };
        struct rpc_request r;
        struct error err = {};
        struct jval *data, *retry;

        begin();
        r = captured_build(NULL);
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no such machine");
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        compute_fixture_settle(&f);
        ck_assert_uint_eq(n_published, 1);
        ck_assert_str_eq(published.method, "build_instances");
        ck_assert_str_eq(published.ns, "compute_task");
        ck_assert_str_eq(published.version, "1.19");
        ck_assert_ptr_null(published.msg_id);
        ck_assert_uint_eq(jval_len(published.args), ARRAY_SIZE(keys));
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
                ck_assert_msg(jval_get(published.args, keys[k]) != NULL, "%s", keys[k]);
        data = jval_get(jval_at(jval_get(published.args, "instances"), 0), "nova_object.data");
        ck_assert(jval_is_null(jval_get(data, "host")));
        ck_assert(jval_is_null(jval_get(data, "node")));
        ck_assert_str_eq(jval_get_text(data, "vm_state", ""), "building");
        ck_assert_str_eq(jval_get_text(data, "task_state", ""), "scheduling");
        ck_assert_str_eq(jval_get_text(jval_get(data, "system_metadata"), "network_allocated", ""), "False");
        ck_assert_str_eq(jval_get_text(data, "display_name", ""), "smoke");
        retry = jval_get(jval_get(published.args, "filter_properties"), "retry");
        ck_assert_str_eq(jval_get_text(retry, "exc_reason", ""), "starting the guest: no such machine");
        ck_assert_int_eq(jval_get_int(retry, "num_attempts", 0), 1);
        ck_assert_uint_eq(jval_len(jval_get(published.args, "host_lists")), 1);
        ck_assert_str_eq(jval_get_text(published.args, "admin_password", ""), "62747cXAsaJM");
        ck_assert_str_eq(jval_get_text(published.context, "request_id", ""),
                         jval_get_text(r.context, "request_id", "?"));
        ck_assert_uint_eq(jval_len(published.context), jval_len(r.context));
        rpc_request_free(&r);
        rpc_request_free(&published);
        compute_fixture_stop(&f);
}

GREEN_TEST(without_a_conductor_the_instance_is_an_error)
{
        struct rpc_request r;
        struct instance *row;
        struct error err = {};

        begin();
        publish_code = ERR_NOT_FOUND;
        r = captured_build(&row);
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no such machine");
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        rpc_request_free(&r);
        compute_fixture_settle(&f);
        ck_assert_int_eq(row->vm_state, VM_ERROR);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "there is no conductor"));
        compute_fixture_stop(&f);
}

GREEN_TEST(without_retry_there_is_no_cast)
{
        struct rpc_request r;
        struct instance *row;
        struct error err = {};

        begin();
        r = captured_build(&row);
        jval_remove(jval_get(r.args, "filter_properties"), "retry");
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no such machine");
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        rpc_request_free(&r);
        compute_fixture_settle(&f);
        ck_assert_uint_eq(n_published, 0);
        ck_assert_int_eq(row->vm_state, VM_ERROR);
        compute_fixture_stop(&f);
}

#define NO_NETWORKS                                                                         \
        "{\"nova_object.name\": \"NetworkRequestList\", \"nova_object.version\": \"1.1\", " \
        "\"nova_object.data\": {\"objects\": [{\"nova_object.name\": \"NetworkRequest\", "  \
        "\"nova_object.version\": \"1.3\", \"nova_object.data\": {\"network_id\": \"none\"}}]}}"

GREEN_TEST(a_build_with_the_least_arguments)
{
        struct rpc_request r =
                request("build_and_run_instance", "{\"instance\": {\"nova_object.name\": \"Instance\", "
                                                  "\"nova_object.version\": \"2.7\", \"nova_object.data\": "
                                                  "{\"uuid\": \"" UUID_A "\"}}, "
                                                  "\"requested_networks\": " NO_NETWORKS "}");
        struct error err = {};

        begin();
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        rpc_request_free(&r);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

/* Services that are pinned to 5.x: the same methods, without the arguments that came later. */
GREEN_TEST(older_services_reach_the_same_methods)
{
        struct rpc_request r = request(
                "build_and_run_instance",
                "{\"instance\": {\"nova_object.name\": \"Instance\", \"nova_object.version\": \"2.7\", "
                "\"nova_object.data\": {\"uuid\": \"" UUID_A "\"}}, \"image\": {}, \"request_spec\": "
                "null, \"filter_properties\": {}, \"requested_networks\": " NO_NETWORKS "}");
        static const char *const versions[] = { "5.0", "5.10", "5.13", "6.0", "6.1" };
        static const char *const too_new[] = { "5.14", "6.2", "4.0", "7.0", "1.0" };
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(versions) + ARRAY_SIZE(too_new); i++) {
                bool good = i < ARRAY_SIZE(versions);

                free(r.version);
                r.version = xstrdup(good ? versions[i] : too_new[i - ARRAY_SIZE(versions)]);
                ck_assert_msg(good == (find_method(&r) != NULL), "%s", r.version);
        }
        free(r.version);
        r.version = xstrdup("5.10");
        begin();
        fake_store_add(UUID_A, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_A, REQ);
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        rpc_request_free(&r);
        compute_fixture_settle(&f);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);

        /* In 5.x it came with an instance. */
        r = request("check_instance_shared_storage", "{\"instance\": {}, \"data\": {}}");
        free(r.version);
        r.version = xstrdup("5.13");
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_NOT_IMPLEMENTED);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(oslos_own_ping_answers_pong)
{
        struct rpc_call call = {};
        struct error err = {};

        ck_assert_ptr_null(agent_ping_endpoint.ns);
        ck_assert_str_eq(agent_ping_endpoint.version, "1.0");
        ck_assert_str_eq(agent_ping_endpoint.methods[0].name, "oslo_rpc_server_ping");
        ck_assert_ok(agent_ping_endpoint.methods[0].fn(&call, &err), err);
        ck_assert_str_eq(jval_text(call.result, ""), "pong");
        jval_unref(call.result);
}

GREEN_TEST(injected_files_that_are_no_base64_end_in_the_rows)
{
        struct rpc_request r;
        struct instance *row;
        struct error err = {};
        struct jval *pair = jval_new_array(), *files = jval_new_array();

        begin();
        r = captured_build(&row);
        jval_push(pair, jval_new_text("/etc/motd"));
        jval_push(pair, jval_new_text("not base64!"));
        jval_push(files, pair);
        jval_set(r.args, "injected_files", files);
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        rpc_request_free(&r);
        compute_fixture_settle(&f);
        ck_assert_int_eq(row->vm_state, VM_ERROR);
        ck_assert_ptr_nonnull(strstr(fake_store_journal(), "file 0 is not a path with base64 data"));
        compute_fixture_stop(&f);
}

/* ---- the other methods ---- */

GREEN_TEST(captured_requests_do_what_they_say)
{
        static const struct {
                const char *method;
                enum vm_state vm_state;
                enum task_state task;
                enum power_state guest;
                enum vm_state then;
        } cases[] = {
                { "stop_instance", VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING, VM_STOPPED },
                { "start_instance", VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN, VM_ACTIVE },
                { "reboot_instance", VM_ACTIVE, TASK_REBOOTING, POWER_RUNNING, VM_ACTIVE },
                { "pause_instance", VM_ACTIVE, TASK_PAUSING, POWER_RUNNING, VM_PAUSED },
                { "unpause_instance", VM_PAUSED, TASK_UNPAUSING, POWER_PAUSED, VM_ACTIVE },
                { "suspend_instance", VM_ACTIVE, TASK_SUSPENDING, POWER_RUNNING, VM_SUSPENDED },
                { "resume_instance", VM_SUSPENDED, TASK_RESUMING, POWER_SHUTDOWN, VM_ACTIVE },
                { "terminate_instance", VM_ACTIVE, TASK_DELETING, POWER_RUNNING, VM_DELETED },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct rpc_request r = captured(cases[c].method);
                struct error err = {};
                struct instance *row;

                begin();
                row = row_for(&r, cases[c].vm_state, cases[c].task, cases[c].guest);
                ck_assert_msg(dispatch(&r, NULL, &err) == 0, "%s: %s", cases[c].method, err.text);
                ck_assert_msg(row->vm_state == cases[c].then && row->task_state == TASK_NONE, "%s: %s",
                              cases[c].method, vm_state_name(row->vm_state));
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(calls_answer)
{
        struct rpc_request r = captured("get_host_uptime");
        struct jval *result = NULL;
        struct error err = {};

        begin();
        ck_assert_ok(dispatch(&r, &result, &err), err);
        ck_assert_ptr_nonnull(strstr(jval_text(result, ""), "load average: "));
        jval_unref(result);
        rpc_request_free(&r);

        r = captured("set_host_enabled");
        ck_assert_ok(dispatch(&r, &result, &err), err);
        ck_assert_str_eq(jval_text(result, ""), "disabled");
        jval_unref(result);
        jval_set_bool(r.args, "enabled", true);
        ck_assert_ok(dispatch(&r, &result, &err), err);
        ck_assert_str_eq(jval_text(result, ""), "enabled");
        jval_unref(result);
        rpc_request_free(&r);

        r = request("ping", "{\"arg\": [1, \"two\"]}");
        r.ns = xstrdup("baseapi");
        free(r.version);
        r.version = xstrdup("1.0");
        ck_assert_ok(dispatch(&r, &result, &err), err);
        ck_assert_str_eq(jval_get_text(result, "service", ""), "compute");
        ck_assert_str_eq(jval_text(jval_at(jval_get(result, "arg"), 1), ""), "two");
        jval_unref(result);
        free(r.method);
        r.method = xstrdup("get_backdoor_port");
        jval_unref(r.args);
        r.args = jval_new_object();
        ck_assert_ok(dispatch(&r, &result, &err), err);
        ck_assert(jval_is_null(result));
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_captured_console_request_answers_text)
{
        struct rpc_request r = captured("get_console_output"), start = captured("start_instance");
        struct jval *result = NULL;
        struct error err = {};

        begin();
        row_for(&start, VM_STOPPED, TASK_POWERING_ON, POWER_SHUTDOWN);
        ck_assert_ok(dispatch(&start, NULL, &err), err);
        fake_files_set_console("boot\xff\nlogin: ", 13);
        ck_assert_ok(dispatch(&r, &result, &err), err);
        ck_assert_str_eq(jval_text(result, ""), "boot\xef\xbf\xbd\nlogin: ");
        jval_unref(result);
        rpc_request_free(&r);
        rpc_request_free(&start);
        compute_fixture_stop(&f);
}

START_TEST(the_tail_may_be_many_things)
{
        static const struct {
                const char *json;
                int64_t n;
        } cases[] = { { "[null]", COMPUTE_TAIL_ALL },
                      { "[0]", 0 },
                      { "[12]", 12 },
                      { "[-1]", COMPUTE_TAIL_ALL },
                      { "[\"7\"]", 7 },
                      { "[\"x7\"]", 0 },
                      { "[\"\"]", 0 },
                      { "[true]", 0 },
                      { "[{}]", 0 },
                      { "[1.5]", 0 } };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct error err = {};
                struct jval *v = jval_parse(cases[c].json, strlen(cases[c].json), &err);

                ck_assert_int_eq(console_tail_of(jval_at(v, 0)), cases[c].n);
                jval_unref(v);
        }
}
END_TEST

/* ---- what is not here ---- */

GREEN_TEST(captured_requests_for_what_is_not_here_leave_no_task)
{
        static const char *const names[] = { "rebuild_instance",  "snapshot_instance", "rescue_instance",
                                             "unrescue_instance", "prep_resize",       "resize_instance",
                                             "shelve_instance",   "unshelve_instance" };

        for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
                struct rpc_request r = captured(names[n]);
                struct error err = {};
                struct instance *row;
                const char *journal;

                begin();
                row = row_for(&r, VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
                ck_assert_msg(dispatch(&r, NULL, &err) == -1, "%s", names[n]);
                ck_assert_int_eq(err.code, NOVA_NOT_IMPLEMENTED);
                ck_assert_msg(row->task_state == TASK_NONE, "%s", names[n]);
                journal = fake_store_journal();
                ck_assert_ptr_nonnull(strstr(journal, "fault 500 NotImplementedError\n"));
                ck_assert_ptr_nonnull(strstr(journal, " Error: NotImplementedError\n"));
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

static void set_evacuation(struct rpc_request *r)
{
        static const char text[] = "{\"nova_object.name\": \"Migration\", \"nova_object.data\": {\"id\": 9, "
                                   "\"uuid\": \"0e8ff1d0-0000-4000-8000-000000000009\"}}";
        struct error err = {};

        jval_set_bool(r->args, "recreate", true);
        jval_set(r->args, "migration", jval_parse(text, strlen(text), &err));
}

/* Else the other host, when it comes back, takes its guest for one that has moved. */
GREEN_TEST(only_an_evacuation_ends_its_migration)
{
        for (int evacuation = 0; evacuation < 2; evacuation++) {
                struct rpc_request r = captured("rebuild_instance");
                struct error err = {};

                begin();
                row_for(&r, VM_ACTIVE, TASK_REBUILDING, POWER_RUNNING);
                if (evacuation)
                        set_evacuation(&r);
                ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_NOT_IMPLEMENTED);
                ck_assert_int_eq(strstr(fake_store_journal(), "migration 9 failed\n") != NULL, evacuation);
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

/* Neither does it take the rows of the action, nor a context that can be understood. */
GREEN_TEST(an_evacuation_ends_its_migration_whatever_came_with_it)
{
        for (int strange_context = 0; strange_context < 2; strange_context++) {
                struct rpc_request r = captured("rebuild_instance");
                struct error err = {};
                struct instance *row;

                begin();
                row = fake_store_add(object_instance_uuid(r.args), VM_ACTIVE, TASK_REBUILDING);
                set_evacuation(&r);
                if (strange_context) {
                        jval_set_int(r.context, "roles", 5);
                        fake_store_add_action(row->uuid, jval_get_text(r.context, "request_id", ""));
                }
                ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_NOT_IMPLEMENTED);
                ck_assert_int_eq(row->task_state, TASK_NONE);
                ck_assert_ptr_nonnull(strstr(fake_store_journal(), "migration 9 failed\n"));
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

static void YIELDS discard_image_of_snapshot(const char *method, bool strange_context)
{
        struct rpc_request r = captured("snapshot_instance");
        const char *id = jval_get_text(r.args, "image_id", "?");
        CLEANUP(freep)
        char *by_its_user = xasprintf("%s for %s", id, jval_get_text(r.context, "auth_token", "?"));
        struct error err = {};

        begin();
        free(r.method);
        r.method = xstrdup(method);
        row_for(&r, VM_ACTIVE, TASK_IMAGE_SNAPSHOT_PENDING, POWER_RUNNING);
        if (strange_context)
                jval_set_int(r.context, "user_name", 5);
        fake_image()->id = (char *)id;
        fake_image()->status = "queued";
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_NOT_IMPLEMENTED);
        ck_assert_str_eq(fake_image_discarded(), by_its_user);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_captured_snapshot_leaves_no_image)
{
        discard_image_of_snapshot("snapshot_instance", false);
        discard_image_of_snapshot("snapshot_instance", true);
        discard_image_of_snapshot("backup_instance", false);
}

GREEN_TEST(captured_requests_without_rows_are_refused_too)
{
        static const char *const names[] = { "check_instance_shared_storage" };

        begin();
        for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
                struct rpc_request r = captured(names[n]);
                struct error err = {};

                ck_assert_msg(dispatch(&r, NULL, &err) == -1, "%s", names[n]);
                ck_assert_msg(err.code == NOVA_NOT_IMPLEMENTED, "%s: %s", names[n], err.text);
                rpc_request_free(&r);
        }
        compute_fixture_stop(&f);
}

/* Every method that a control plane was seen to send has an answer. */
START_TEST(no_captured_method_is_unknown)
{
        DIR *dir = opendir(AMQP_DATA_DIR);
        struct dirent *e;
        unsigned n = 0;

        ck_assert_ptr_nonnull(dir);
        while ((e = readdir(dir))) {
                struct rpc_request r;
                char name[256];

                if (!strstr(e->d_name, ".json") || strstr(e->d_name, ".reply."))
                        continue;
                snprintf(name, sizeof(name), "%.*s", (int)strcspn(e->d_name, "."), e->d_name);
                r = captured(name);
                ck_assert_msg(find_method(&r) != NULL, "%s", name);
                rpc_request_free(&r);
                n++;
        }
        closedir(dir);
        ck_assert_uint_ge(n, 30);
}
END_TEST

/* ---- bad input ---- */

#define FLAVOR(data)                                                                                 \
        INSTANCE("2.7", "{\"uuid\": \"" UUID_A "\", \"flavor\": {\"nova_object.name\": \"Flavor\", " \
                        "\"nova_object.version\": \"1.2\", \"nova_object.data\": " data "}}")

static enum power_state YIELDS guest_power(const char *uuid)
{
        struct guest_info info = {};
        struct error err = {};

        ck_assert_ok(f.driver->ops->get_info(f.driver, uuid, &info, deadline_in_s(5), &err), err);
        return info.power_state;
}

GREEN_TEST(bad_requests_name_what_is_wrong_and_touch_no_guest)
{
        static const struct {
                const char *method, *args;
                int code;
                const char *says;
        } cases[] = {
                { "stop_instance", "{}", NOVA_TYPE_ERROR, "instance: missing" },
                { "stop_instance", "{\"instance\": null}", NOVA_TYPE_ERROR, "instance: expected object" },
                { "stop_instance", "{\"instance\": {}}", NOVA_TYPE_ERROR, "expected a nova object Instance" },
                { "stop_instance", "{\"instance\": {\"nova_object.name\": \"Service\"}}",
                  NOVA_UNSUPPORTED_OBJECT, "expected a nova object Instance, got Service" },
                { "stop_instance", INSTANCE("3.0", "{\"uuid\": \"" UUID_A "\"}"), NOVA_UNSUPPORTED_OBJECT,
                  "Version 3.0 of Instance is not supported" },
                { "stop_instance", INSTANCE("2.8", "{\"uuid\": \"" UUID_A "\"}"), NOVA_UNSUPPORTED_OBJECT,
                  "Version 2.8 of Instance is not supported" },
                { "stop_instance", INSTANCE("two", "{\"uuid\": \"" UUID_A "\"}"), NOVA_UNSUPPORTED_OBJECT,
                  "Version two" },
                { "stop_instance", INSTANCE("2.7", "[]"), NOVA_TYPE_ERROR, "has no data" },
                { "stop_instance", INSTANCE("2.7", "{}"), NOVA_TYPE_ERROR, "uuid: missing" },
                { "stop_instance", INSTANCE("2.7", "{\"uuid\": 5}"), NOVA_TYPE_ERROR,
                  "uuid: expected a UUID" },
                { "stop_instance", INSTANCE("2.7", "{\"uuid\": \"../../etc\"}"), NOVA_TYPE_ERROR,
                  "not a UUID" },
                { "pause_instance", FLAVOR("{\"memory_mb\": \"64\", \"vcpus\": 1, \"root_gb\": 1}"),
                  NOVA_TYPE_ERROR, "Flavor: memory_mb: expected" },
                { "pause_instance", FLAVOR("{\"memory_mb\": 64, \"vcpus\": 0, \"root_gb\": 1}"),
                  NOVA_INVALID_INPUT, "Flavor.vcpus is 0" },
                { "pause_instance", FLAVOR("{\"memory_mb\": 99999999999, \"vcpus\": 1, \"root_gb\": 1}"),
                  NOVA_INVALID_INPUT, "Flavor.memory_mb is 99999999999" },
                { "pause_instance", FLAVOR("{\"memory_mb\": 64, \"vcpus\": 1, \"root_gb\": -1}"),
                  NOVA_INVALID_INPUT, "Flavor.root_gb is -1" },
                { "pause_instance", "{\"instance\": {}, \"surprise\": 1}", NOVA_TYPE_ERROR,
                  "surprise: not expected" },
                { "stop_instance", "{\"instance\": {}, \"clean_shutdown\": \"yes\"}", NOVA_TYPE_ERROR,
                  "clean_shutdown: expected" },
                { "reboot_instance", INSTANCE("2.7", "{\"uuid\": \"" UUID_A "\"}"), NOVA_TYPE_ERROR,
                  "reboot_type: missing" },
                { "build_and_run_instance", "{\"instance\": {}, \"injected_files\": {}}", NOVA_TYPE_ERROR,
                  "injected_files: expected" },
                { "get_host_uptime", "{\"host\": \"x\"}", NOVA_TYPE_ERROR, "takes no arguments" },
                { "set_host_enabled", "{}", NOVA_TYPE_ERROR, "enabled: missing" },
                { "set_host_enabled", "{\"enabled\": \"no\"}", NOVA_TYPE_ERROR, "enabled: expected" },
                { "rebuild_instance", "{\"instance\": []}", NOVA_NOT_IMPLEMENTED, "does not implement" },
        };

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct rpc_request r = request(cases[c].method, cases[c].args);
                struct error err = {};

                ck_assert_msg(dispatch(&r, NULL, &err) == -1, "case %zu", c);
                ck_assert_msg(err.code == cases[c].code && strstr(err.text, cases[c].says), "case %zu: %d %s",
                              c, err.code, err.text);
                rpc_request_free(&r);
        }
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_int_eq(guest_power(UUID_A), POWER_RUNNING);
        compute_fixture_stop(&f);
}

GREEN_TEST(older_versions_unknown_fields_and_fields_that_are_not_loaded_are_fine)
{
        static const char *const cases[] = {
                INSTANCE("2.5", "{\"uuid\": \"" UUID_A "\", \"from_the_future\": [1]}"),
                INSTANCE("2.7.3", "{\"uuid\": \"" UUID_A "\"}"),
                FLAVOR("{\"vcpus\": 1}"),
                FLAVOR("{}"),
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct rpc_request r = request("stop_instance", cases[c]);
                struct error err = {};

                begin();
                compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
                ck_assert_msg(dispatch(&r, NULL, &err) == 0, "case %zu: %s", c, err.text);
                ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_STOPPED);
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

/* A control plane of a newer release, say: nobody would ever take the task back. */
GREEN_TEST(what_cannot_be_understood_ends_in_the_rows)
{
        struct rpc_request r = request("stop_instance", INSTANCE("2.8", "{\"uuid\": \"" UUID_A "\"}"));
        struct error err = {};

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_UNSUPPORTED_OBJECT);
        ck_assert_journal("event+ compute_stop_instance\n"
                          "fault 500 IncompatibleObjectVersion\n"
                          "event- compute_stop_instance Error: IncompatibleObjectVersion\n"
                          "instance task_state=NULL\n"
                          "node update vms=1 mb=576\n");
        ck_assert_int_eq(guest_power(UUID_A), POWER_RUNNING);
        rpc_request_free(&r);

        r = request("build_and_run_instance", INSTANCE("2.8", "{\"uuid\": \"" UUID_B "\"}"));
        fake_store_add(UUID_B, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(UUID_B, REQ);
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_UNSUPPORTED_OBJECT);
        ck_assert_journal("instance vm_state=error\n"
                          "event+ compute__do_build_and_run_instance\n"
                          "fault 500 IncompatibleObjectVersion\n"
                          "event- compute__do_build_and_run_instance Error: IncompatibleObjectVersion\n"
                          "instance task_state=NULL\n");

        /* It may not even be known by its request. */
        fake_store_row(UUID_B)->vm_state = VM_BUILDING;
        fake_store_fail("store_event_start", 1, NOVA_INSTANCE_ACTION_NOT_FOUND, "no such action");
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_UNSUPPORTED_OBJECT);
        ck_assert_journal("instance vm_state=error\n"
                          "instance task_state=NULL\n");
        rpc_request_free(&r);

        /* A call has set no task: who waits for the answer is told, and nobody else. */
        r = request("get_console_output", INSTANCE("2.8", "{\"uuid\": \"" UUID_A "\"}"));
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_UNSUPPORTED_OBJECT);
        ck_assert_journal("");
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_context_of_wrong_types_is_refused_and_a_missing_one_made_up)
{
        struct rpc_request r = request("stop_instance", INSTANCE("2.7", "{\"uuid\": \"" UUID_A "\"}"));
        struct request_context ctx = {};
        struct error err = {};

        begin();
        compute_fixture_instance(&f, UUID_A, VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        jval_set_int(r.context, "request_id", 5);
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_TYPE_ERROR);
        ck_assert_ptr_nonnull(strstr(err.text, "context: request_id: expected"));
        jval_set_text(r.context, "request_id", "req-1");
        jval_set(r.context, "roles", jval_new_array());
        jval_push(jval_get(r.context, "roles"), jval_new_int(1));
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_TYPE_ERROR);
        jval_remove(r.context, "roles");
        jval_set_int(r.context, "auth_token", 5);
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_TYPE_ERROR);
        ck_assert_ptr_nonnull(strstr(err.text, "context: auth_token: expected text"));
        ck_assert_int_eq(guest_power(UUID_A), POWER_RUNNING);
        rpc_request_free(&r);

        r = request("x", "{}");
        jval_remove(r.context, "request_id");
        jval_set(r.context, "auth_token", jval_new_null());
        ck_assert_ok(object_context_decode(r.context, &ctx, &err), err);
        ck_assert_int_eq(strncmp(ctx.request_id, "req-", 4), 0);
        ck_assert_ptr_null(ctx.auth_token);
        request_context_free(&ctx);
        jval_set_text(r.context, "auth_token", "gAAAA");
        jval_set(r.context, "service_catalog", jval_new_array());
        ck_assert_ok(object_context_decode(r.context, &ctx, &err), err);
        ck_assert_str_eq(ctx.auth_token, "gAAAA");
        ck_assert_int_eq(jval_type(ctx.service_catalog), JVAL_ARRAY);
        request_context_free(&ctx);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

/* ---- failures ---- */

START_TEST(failures_are_what_nova_api_rebuilds)
{
        struct rpc_request r = request("x", INSTANCE("2.7", "{\"uuid\": \"" UUID_A "\"}"));
        static const struct {
                int code;
                const char *class_name, *module;
                int http;
                const char *kwarg, *value;
        } cases[] = {
                { NOVA_INSTANCE_NOT_FOUND, "InstanceNotFound", "nova.exception", 404, "instance_id", UUID_A },
                { NOVA_CONSOLE_NOT_AVAILABLE, "ConsoleNotAvailable", "nova.exception", 404, NULL, NULL },
                { NOVA_INSTANCE_POWER_OFF_FAILURE, "InstancePowerOffFailure", "nova.exception", 400, "reason",
                  "text" },
                { NOVA_CONSOLE_TYPE_INVALID, "ConsoleTypeInvalid", "nova.exception", 400, "console_type",
                  "novnc" },
                { NOVA_CONSOLE_TYPE_UNAVAILABLE, "ConsoleTypeUnavailable", "nova.exception", 400,
                  "console_type", "novnc" },
                { NOVA_INSTANCE_INVALID_STATE, "InstanceInvalidState", "nova.exception", 400, "state", "" },
                { NOVA_INSTANCE_WRONG_POWER_STATE, "InstanceInvalidState", "nova.exception", 400,
                  "instance_uuid", UUID_A },
                { NOVA_INSTANCE_WRONG_POWER_STATE, "InstanceInvalidState", "nova.exception", 400, "attr",
                  "power state" },
                { NOVA_INSTANCE_WRONG_POWER_STATE, "InstanceInvalidState", "nova.exception", 400, "state",
                  "shutdown" },
                { NOVA_INSTANCE_WRONG_POWER_STATE, "InstanceInvalidState", "nova.exception", 400, "method",
                  "x" },
                { NOVA_TRIGGER_CRASH_DUMP_NOT_SUPPORTED, "TriggerCrashDumpNotSupported", "nova.exception",
                  400, NULL, NULL },
                { NOVA_NOT_IMPLEMENTED, "NotImplementedError", "builtins", 0, NULL, NULL },
                { NOVA_TYPE_ERROR, "TypeError", "builtins", 0, NULL, NULL },
                { ERR_TIMEOUT, "TimeoutError", "builtins", 0, NULL, NULL },
                { ERR_RPC_NO_SUCH_METHOD, "NoSuchMethod", "oslo_messaging.rpc.dispatcher", 0, NULL, NULL },
                { ERR_RPC_UNSUPPORTED_VERSION, "UnsupportedVersion", "oslo_messaging.rpc.dispatcher", 0, NULL,
                  NULL },
                { ERR_RPC_BAD_ARGUMENTS, "TypeError", "builtins", 0, NULL, NULL },
        };

        jval_set_text(r.args, "console_type", "novnc");
        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct error err = { .code = cases[c].code, .sys = POWER_SHUTDOWN, .text = "text" };
                struct rpc_failure failure;
                struct jval *kwargs;

                rpc_describe_failure(&err, &r, &failure, &kwargs);
                ck_assert_str_eq(failure.class_name, cases[c].class_name);
                ck_assert_str_eq(failure.module, cases[c].module);
                ck_assert_str_eq(failure.message, "text");
                ck_assert_int_eq(jval_get_int(kwargs, "code", 0), cases[c].http);
                if (cases[c].kwarg)
                        ck_assert_str_eq(jval_get_text(kwargs, cases[c].kwarg, ""), cases[c].value);
                ck_assert_ptr_eq(failure.kwargs, kwargs);
                jval_unref(kwargs);
        }
        rpc_request_free(&r);
}
END_TEST

GREEN_SUITE("rpc-methods", a_captured_build_builds, a_captured_build_that_fails_is_cast_back_as_nova_does,
            without_a_conductor_the_instance_is_an_error, without_retry_there_is_no_cast,
            a_build_with_the_least_arguments, older_services_reach_the_same_methods,
            oslos_own_ping_answers_pong, injected_files_that_are_no_base64_end_in_the_rows,
            captured_requests_do_what_they_say, calls_answer, a_captured_console_request_answers_text,
            the_tail_may_be_many_things, captured_requests_for_what_is_not_here_leave_no_task,
            a_captured_snapshot_leaves_no_image, only_an_evacuation_ends_its_migration,
            an_evacuation_ends_its_migration_whatever_came_with_it,
            captured_requests_without_rows_are_refused_too, no_captured_method_is_unknown,
            bad_requests_name_what_is_wrong_and_touch_no_guest,
            older_versions_unknown_fields_and_fields_that_are_not_loaded_are_fine,
            what_cannot_be_understood_ends_in_the_rows,
            a_context_of_wrong_types_is_refused_and_a_missing_one_made_up,
            failures_are_what_nova_api_rebuilds)
