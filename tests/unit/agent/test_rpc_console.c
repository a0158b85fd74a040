/*
 * Consoles, diagnostics and crash dumps, from the request to the reply: what nova-api gets is compared with
 * what the real nova-compute answered to the same captured request, key by key and type by type.
 */
#include "base/log.h"
#include "rpc_fixture.h"

/* ---- comparing with a captured reply ---- */

static struct jval *captured_reply(const char *name)
{
        char CLEANUP(freep) *body = NULL;
        struct error err = {};
        struct rpc_reply reply = {};
        size_t len;

        body = captured_body(name, ".reply.json", &len);
        ck_assert_ok(envelope_decode_reply(body, len, &reply, &err), err);
        struct jval *result = jval_ref(reply.result);
        rpc_reply_free(&reply);
        ck_assert_ptr_nonnull(result);
        return result;
}

static void ck_same_shape(const char *where, const struct jval *ours, const struct jval *theirs);

struct shape {
        const char *where;
        const struct jval *other;
};

static int same_member(const char *key, struct jval *v, void *arg)
{
        const struct shape *s = arg;
        char CLEANUP(freep) *where = xasprintf("%s.%s", s->where, key);

        ck_assert_msg(jval_get(s->other, key) != NULL, "%s is only in the captured reply", where);
        ck_same_shape(where, jval_get(s->other, key), v);
        return 0;
}

static bool holds(const struct jval *array, const char *text)
{
        for (size_t i = 0; i < jval_len(array); i++)
                if (strcmp(jval_text(jval_at(array, i), ""), text) == 0)
                        return true;
        return false;
}

/* The same keys with values of the same types; of arrays of objects, each of ours like the first of theirs.
 */
static void ck_same_shape(const char *where, const struct jval *ours, const struct jval *theirs)
{
        struct shape s = { where, ours };

        ck_assert_msg(jval_type(ours) == jval_type(theirs), "%s: %s, captured %s", where,
                      jval_type_name(jval_type(ours)), jval_type_name(jval_type(theirs)));
        switch (jval_type(theirs)) {
        case JVAL_OBJECT:
                ck_assert_msg(jval_len(ours) == jval_len(theirs), "%s: %zu members, captured %zu", where,
                              jval_len(ours), jval_len(theirs));
                jval_foreach(theirs, same_member, &s);
                break;
        case JVAL_ARRAY:
                ck_assert_msg((jval_len(ours) > 0) == (jval_len(theirs) > 0), "%s", where);
                if (jval_type(jval_at(theirs, 0)) == JVAL_TEXT) { /* names, in any order */
                        ck_assert_uint_eq(jval_len(ours), jval_len(theirs));
                        for (size_t i = 0; i < jval_len(theirs); i++)
                                ck_assert_msg(holds(ours, jval_text(jval_at(theirs, i), "")), "%s: %s", where,
                                              jval_text(jval_at(theirs, i), ""));
                        break;
                }
                for (size_t i = 0; i < jval_len(theirs); i++)
                        ck_same_shape(where, jval_at(ours, i), jval_at(theirs, i));
                break;
        default:
                break;
        }
}

static struct jval *object_field(const struct jval *object, const char *key)
{
        return jval_get(jval_get(object, "nova_object.data"), key);
}

/* ---- get_vnc_console ---- */

GREEN_TEST(a_captured_vnc_request_answers_as_nova_does_and_leaves_a_token)
{
        struct rpc_request r = captured("get_vnc_console");
        struct jval *theirs = captured_reply("get_vnc_console"), *ours = NULL;
        struct error err = {};
        char CLEANUP(freep) *url = NULL;
        const char *token;

        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert_ok(dispatch(&r, &ours, &err), err);
        ck_same_shape("reply", ours, theirs);
        ck_assert_str_eq(jval_get_text(ours, "host", ""), jval_get_text(theirs, "host", "?"));
        token = jval_get_text(ours, "token", "");
        ck_assert(uuid_is(token));
        url = xasprintf("http://127.0.0.1:6080/vnc_auto.html?path=%%3Ftoken%%3D%s", token);
        ck_assert_str_eq(jval_get_text(ours, "access_url", ""), url);
        ck_assert_str_eq(jval_get_text(ours, "port", ""), "5901");
        ck_assert_journal(
                "console token novnc 127.0.0.1 5901 http://127.0.0.1:6080/vnc_auto.html for 600 s\n");
        ck_assert_uint_eq(fake_store_console_tokens(object_instance_uuid(r.args)), 1);
        jval_unref(theirs);
        jval_unref(ours);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(each_vnc_console_has_a_token_of_its_own)
{
        struct rpc_request r = captured("get_vnc_console");
        struct jval *a = NULL, *b = NULL;
        struct error err = {};

        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert_ok(dispatch(&r, &a, &err), err);
        ck_assert_ok(dispatch(&r, &b, &err), err);
        ck_assert_str_ne(jval_get_text(a, "token", ""), jval_get_text(b, "token", ""));
        jval_unref(a);
        jval_unref(b);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

static void disable_vnc(const char *uuid)
{
        (void)uuid;
        assert_on_hub();
        f.conf.vnc.enabled = false;
}

static void remove_display(const char *uuid)
{
        assert_on_hub();
        ck_assert(virt_fake_without_display(f.driver, uuid));
}

static void drop_row(const char *uuid)
{
        assert_on_hub();
        fake_store_drop(uuid);
}

static void lose_hypervisor(const char *uuid)
{
        (void)uuid;
        assert_on_hub();
        virt_fake_set_connected(f.driver, false);
}

GREEN_TEST(a_console_that_cannot_be_had_is_refused_by_its_reason)
{
        static const struct {
                const char *type;
                enum vm_state vm_state;
                enum power_state guest;
                void (*change)(const char *uuid);
                int code;
                const char *journal;
        } cases[] = {
                { "novnc", VM_ACTIVE, POWER_RUNNING, disable_vnc, NOVA_CONSOLE_TYPE_UNAVAILABLE,
                  "fault 400 console type novnc is not available: this host gives guests no VNC display\n" },
                { "xvpvnc", VM_ACTIVE, POWER_RUNNING, NULL, NOVA_CONSOLE_TYPE_INVALID,
                  "fault 400 console type xvpvnc is not valid for VNC, which has novnc\n" },
                { "xvpvnc", VM_ACTIVE, POWER_RUNNING, disable_vnc, NOVA_CONSOLE_TYPE_UNAVAILABLE,
                  "fault 400 console type xvpvnc is not available: this host gives guests no VNC display\n" },
                { "novnc", VM_ACTIVE, POWER_RUNNING, remove_display, NOVA_CONSOLE_TYPE_UNAVAILABLE, NULL },
                { "novnc", VM_BUILDING, POWER_NOSTATE, NULL, NOVA_INSTANCE_NOT_READY, NULL },
                { "novnc", VM_STOPPED, POWER_SHUTDOWN, NULL, NOVA_INSTANCE_NOT_READY, NULL },
                { "novnc", VM_ACTIVE, POWER_NOSTATE, NULL, NOVA_INSTANCE_NOT_FOUND, "" },
                { "novnc", VM_BUILDING, POWER_NOSTATE, drop_row, NOVA_INSTANCE_NOT_FOUND, "" },
                { "novnc", VM_ACTIVE, POWER_RUNNING, drop_row, NOVA_INSTANCE_NOT_FOUND, "" },
                { "novnc", VM_ACTIVE, POWER_RUNNING, lose_hypervisor, NOVA_HYPERVISOR_UNAVAILABLE, NULL },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct rpc_request r = captured("get_vnc_console");
                struct jval *result = NULL;
                struct error err = {};
                const char *uuid = object_instance_uuid(r.args), *journal;

                rpc_fixture_start(NULL);
                row_for(&r, cases[c].vm_state, TASK_NONE, cases[c].guest);
                if (cases[c].change)
                        cases[c].change(uuid);
                jval_set_text(r.args, "console_type", cases[c].type);
                ck_assert_msg(dispatch(&r, &result, &err) == -1, "case %zu", c);
                ck_assert_msg(err.code == cases[c].code, "case %zu: %d %s", c, err.code, err.text);
                ck_assert_ptr_null(result);
                ck_assert_uint_eq(fake_store_console_tokens(uuid), 0);
                journal = fake_store_journal();
                if (cases[c].journal)
                        ck_assert_str_eq(journal, cases[c].journal);
                else
                        ck_assert_msg(strncmp(journal, "fault ", 6) == 0, "case %zu: %s", c, journal);
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(a_token_that_cannot_be_stored_is_not_handed_out)
{
        struct rpc_request r = captured("get_vnc_console");
        struct jval *result = NULL;
        struct error err = {};

        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_fail("store_console_token_add", 1, ERR_DB_LOST, "server has gone away");
        ck_assert_fails(dispatch(&r, &result, &err), err, ERR_DB_LOST);
        ck_assert_ptr_null(result);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(consoles_of_other_kinds_are_unavailable_as_where_they_are_disabled)
{
        static const char *const methods_and_types[][2] = { { "get_spice_console", "spice-html5" },
                                                            { "get_serial_console", "serial" },
                                                            { "get_rdp_console", "rdp-html5" },
                                                            { "get_mks_console", "webmks" } };

        for (size_t n = 0; n < ARRAY_SIZE(methods_and_types); n++) {
                struct rpc_request r = captured("get_vnc_console");
                struct error err = {};

                replace_str(&r.method, methods_and_types[n][0]);
                jval_set_text(r.args, "console_type", methods_and_types[n][1]);
                rpc_fixture_start(NULL);
                row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
                ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_CONSOLE_TYPE_UNAVAILABLE);
                ck_assert_ptr_nonnull(strstr(err.text, methods_and_types[n][1]));
                ck_assert_ptr_nonnull(strstr(fake_store_journal(), "fault 400 console type "));
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

/* ---- validate_console_port ---- */

static struct rpc_request port_request(const char *port, const char *type)
{
        struct rpc_request r = captured("get_vnc_console");

        replace_str(&r.method, "validate_console_port");
        jval_set_text(r.args, "console_type", type);
        jval_set_text(r.args, "port", port);
        return r;
}

GREEN_TEST(a_port_is_valid_while_the_guest_has_it)
{
        static const struct {
                const char *port, *type;
                enum power_state guest;
                bool valid;
        } cases[] = {
                { "5901", "novnc", POWER_RUNNING, true },  { "5900", "novnc", POWER_RUNNING, false },
                { "", "novnc", POWER_RUNNING, false },     { "5901", "novnc", POWER_PAUSED, true },
                { "-1", "novnc", POWER_SHUTDOWN, false },  { "5901 ", "novnc", POWER_RUNNING, false },
                { "5901", "xvpvnc", POWER_RUNNING, true }, /* any name that is no other console's */
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct rpc_request r = port_request(cases[c].port, cases[c].type);
                struct jval *result = NULL;
                struct error err = {};

                rpc_fixture_start(NULL);
                row_for(&r, VM_ACTIVE, TASK_NONE, cases[c].guest);
                ck_assert_ok(dispatch(&r, &result, &err), err);
                ck_assert_int_eq(jval_type(result), JVAL_BOOL);
                ck_assert_msg(jval_bool(result, !cases[c].valid) == cases[c].valid, "case %zu", c);
                ck_assert_journal("");
                jval_unref(result);
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(a_port_of_what_is_not_there_is_an_error_without_a_fault)
{
        static const struct {
                const char *type;
                enum power_state guest;
                int code;
        } cases[] = {
                { "novnc", POWER_NOSTATE, NOVA_INSTANCE_NOT_FOUND },
                { "spice-html5", POWER_RUNNING, NOVA_CONSOLE_TYPE_UNAVAILABLE },
                { "serial", POWER_RUNNING, NOVA_CONSOLE_TYPE_UNAVAILABLE },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct rpc_request r = port_request("5901", cases[c].type);
                struct error err = {};

                rpc_fixture_start(NULL);
                row_for(&r, VM_ACTIVE, TASK_NONE, cases[c].guest);
                ck_assert_fails(dispatch(&r, NULL, &err), err, cases[c].code);
                ck_assert_journal("");
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

/* ---- diagnostics ---- */

GREEN_TEST(captured_diagnostics_have_the_fields_and_types_of_nova)
{
        struct rpc_request r = captured("get_instance_diagnostics");
        struct jval *theirs = captured_reply("get_instance_diagnostics"), *ours = NULL;
        struct error err = {};
        struct instance *row;
        const struct jval *nic, *disk;

        rpc_fixture_start(NULL);
        row = row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        row->launched_at = clock_wall_s() - 45;
        ck_assert_ok(dispatch(&r, &ours, &err), err);
        ck_same_shape("Diagnostics", ours, theirs);
        ck_assert_str_eq(jval_get_text(ours, "nova_object.name", ""), "Diagnostics");
        ck_assert_str_eq(jval_get_text(ours, "nova_object.version", ""), "1.0");
        ck_assert_str_eq(jval_text(object_field(ours, "state"), ""), "running");
        ck_assert_str_eq(jval_text(object_field(ours, "hypervisor"), ""), f.conf.libvirt.virt_type);
        ck_assert_int_eq(jval_int(object_field(ours, "uptime"), 0), 45);
        ck_assert_int_eq(jval_int(object_field(ours, "num_cpus"), 0), 1);
        ck_assert_int_eq(jval_int(object_field(ours, "num_disks"), 0), 1);
        ck_assert_int_eq(jval_int(object_field(ours, "num_nics"), 0), 2);
        ck_assert_int_eq(jval_int(object_field(object_field(ours, "memory_details"), "maximum"), 0), 2);
        ck_assert_int_eq(jval_int(object_field(object_field(ours, "memory_details"), "used"), 0), 1);
        nic = jval_at(object_field(ours, "nic_details"), 0);
        ck_assert_int_eq(jval_int(object_field(nic, "tx_octets"), 0), 300);
        ck_assert_int_eq(jval_int(object_field(nic, "tx_drop"), 0), 4);
        ck_assert_int_eq(jval_int(object_field(nic, "rx_drop"), 0), 3);
        disk = jval_at(object_field(ours, "disk_details"), 0);
        ck_assert_int_eq(jval_int(object_field(disk, "write_bytes"), 0), 1024);
        ck_assert_int_eq(jval_int(object_field(disk, "errors_count"), 0), -1);
        jval_unref(theirs);
        jval_unref(ours);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(an_interface_without_a_device_is_shown_without_counters)
{
        struct rpc_request r = captured("get_instance_diagnostics");
        struct jval *ours = NULL;
        struct error err = {};
        const struct jval *nic;

        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING); /* never launched */
        ck_assert_ok(dispatch(&r, &ours, &err), err);
        nic = jval_at(object_field(ours, "nic_details"), 1);
        ck_assert_str_eq(jval_text(object_field(nic, "mac_address"), ""), "fa:16:3e:00:00:01");
        ck_assert(object_field(nic, "rx_octets") && jval_is_null(object_field(nic, "rx_octets")));
        ck_assert_uint_eq(jval_len(jval_get(nic, "nova_object.data")), 11);
        ck_assert(object_field(ours, "uptime") && jval_is_null(object_field(ours, "uptime")));
        jval_unref(ours);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(old_diagnostics_are_one_flat_object)
{
        static const struct {
                const char *key;
                int64_t value;
        } expected[] = {
                { "cpu0_time", 1700000000 }, { "vda_read_req", 1 },    { "vda_read", 512 },
                { "vda_write_req", 2 },      { "vda_write", 1024 },    { "vda_errors", -1 },
                { "tap0_rx", 90 },           { "tap0_rx_packets", 1 }, { "tap0_rx_errors", 0 },
                { "tap0_rx_drop", 3 },       { "tap0_tx", 300 },       { "tap0_tx_packets", 5 },
                { "tap0_tx_errors", 0 },     { "tap0_tx_drop", 4 },    { "memory", 2 << 20 },
                { "memory-actual", 65536 },  { "memory-rss", 123456 },
        };
        struct rpc_request r = captured("get_instance_diagnostics");
        struct jval *ours = NULL;
        struct error err = {};

        replace_str(&r.method, "get_diagnostics");
        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert_ok(dispatch(&r, &ours, &err), err);
        ck_assert_uint_eq(jval_len(ours), ARRAY_SIZE(expected));
        for (size_t e = 0; e < ARRAY_SIZE(expected); e++)
                ck_assert_msg(jval_type(jval_get(ours, expected[e].key)) == JVAL_INT &&
                                      jval_get_int(ours, expected[e].key, 77) == expected[e].value,
                              "%s", expected[e].key);
        jval_unref(ours);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(diagnostics_of_a_guest_that_does_not_run_name_its_state)
{
        static const char *const names[] = { "get_diagnostics", "get_instance_diagnostics" };
        static const enum power_state states[] = { POWER_NOSTATE, POWER_PAUSED, POWER_SHUTDOWN };

        for (size_t n = 0; n < ARRAY_SIZE(names) * ARRAY_SIZE(states); n++) {
                struct rpc_request r = captured("get_instance_diagnostics");
                enum power_state state = states[n % ARRAY_SIZE(states)];
                struct jval *kwargs = NULL;
                struct rpc_failure failure;
                struct error err = {};

                replace_str(&r.method, names[n / ARRAY_SIZE(states)]);
                rpc_fixture_start(NULL);
                row_for(&r, VM_ACTIVE, TASK_NONE, state);
                ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_INSTANCE_WRONG_POWER_STATE);
                rpc_describe_failure(&err, &r, &failure, &kwargs);
                ck_assert_str_eq(failure.class_name, "InstanceInvalidState");
                ck_assert_str_eq(jval_get_text(kwargs, "attr", ""), "power state");
                ck_assert_str_eq(jval_get_text(kwargs, "state", ""), power_state_name(state));
                ck_assert_ptr_nonnull(strstr(fake_store_journal(), "fault 400 "));
                jval_unref(kwargs);
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(diagnostics_that_hang_end_at_the_deadline)
{
        struct rpc_request r = captured("get_instance_diagnostics");
        struct jval *result = NULL;
        struct error err = {};

        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        virt_fake_hang_next(f.driver, "get_usage");
        ck_assert_fails(dispatch(&r, &result, &err), err, ERR_TIMEOUT);
        ck_assert_ptr_null(result);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

/* ---- trigger_crash_dump ---- */

GREEN_TEST(a_captured_crash_dump_sends_one_nmi_and_changes_no_state)
{
        struct rpc_request r = captured("trigger_crash_dump");
        struct error err = {};

        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert_ok(dispatch(&r, NULL, &err), err);
        ck_assert_uint_eq(virt_fake_calls(f.driver, "inject_nmi"), 1);
        ck_assert_journal("event+ compute_trigger_crash_dump\n"
                          "event- compute_trigger_crash_dump Success\n");
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_crash_dump_that_cannot_be_is_an_event_and_a_fault)
{
        static const int codes[] = { NOVA_INSTANCE_NOT_RUNNING, NOVA_TRIGGER_CRASH_DUMP_NOT_SUPPORTED,
                                     NOVA_LIBVIRT_ERROR };

        for (size_t c = 0; c < ARRAY_SIZE(codes); c++) {
                struct rpc_request r = captured("trigger_crash_dump");
                struct error err = {};
                const char *journal;

                rpc_fixture_start(NULL);
                row_for(&r, VM_STOPPED, TASK_NONE, POWER_SHUTDOWN);
                if (codes[c] != NOVA_INSTANCE_NOT_RUNNING)
                        virt_fake_fail_next(f.driver, "inject_nmi", codes[c], "no");
                ck_assert_fails(dispatch(&r, NULL, &err), err, codes[c]);
                journal = fake_store_journal();
                ck_assert_ptr_nonnull(strstr(journal, "event+ compute_trigger_crash_dump\nfault "));
                ck_assert_ptr_nonnull(strstr(journal, "event- compute_trigger_crash_dump Error: "));
                ck_assert_ptr_null(strstr(journal, "task_state"));
                rpc_request_free(&r);
                compute_fixture_stop(&f);
        }
}

/* ---- bad input ---- */

GREEN_TEST(bad_console_requests_name_what_is_wrong)
{
        static const struct {
                const char *method, *key, *value, *says;
        } cases[] = {
                { "get_vnc_console", "console_type", NULL, "console_type: missing" },
                { "get_vnc_console", "console_type", "[7]", "console_type: expected text" },
                { "get_vnc_console", "surprise", "[1]", "surprise: not expected" },
                { "get_spice_console", "console_type", NULL, "console_type: missing" },
                { "validate_console_port", "port", NULL, "port: missing" },
                { "validate_console_port", "port", "[5900]", "port: expected text" },
                { "get_diagnostics", "x", "[1]", "x: not expected" },
        };

        rpc_fixture_start(NULL);
        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct rpc_request r =
                        request(cases[c].method, INSTANCE("2.7", "{\"uuid\": \"" UUID_A "\"}"));
                struct error err = {};

                if (strncmp(cases[c].method, "get_diag", 8) != 0)
                        jval_set_text(r.args, "console_type", "novnc");
                if (strcmp(cases[c].method, "validate_console_port") == 0)
                        jval_set_text(r.args, "port", "5900");
                jval_remove(r.args, cases[c].key);
                if (cases[c].value) {
                        struct jval *v = jval_parse(cases[c].value, strlen(cases[c].value), &err);

                        jval_set(r.args, cases[c].key, jval_ref(jval_at(v, 0)));
                        jval_unref(v);
                }
                ck_assert_msg(dispatch(&r, NULL, &err) == -1, "case %zu", c);
                ck_assert_msg(err.code == NOVA_TYPE_ERROR && strstr(err.text, cases[c].says),
                              "case %zu: %d %s", c, err.code, err.text);
                ck_assert_journal("");
                rpc_request_free(&r);
        }
        compute_fixture_stop(&f);
}

/* ---- one line in the log for one failure ---- */

static struct strbuf lines;
static unsigned n_lines;

static void count_failures(enum log_level level, const char *line, void *arg)
{
        (void)level;
        (void)arg;
        if (strstr(line, "no such luck")) {
                n_lines++;
                strbuf_adds(&lines, line);
        }
}

GREEN_TEST(a_failed_method_leaves_its_log_line_to_who_sent_the_request)
{
        struct rpc_request r = captured("pause_instance");
        struct compute_call own = {};
        struct error err = {};

        rpc_fixture_start(NULL);
        row_for(&r, VM_ACTIVE, TASK_PAUSING, POWER_RUNNING);
        log_set_capture(count_failures, NULL);
        virt_fake_fail_next(f.driver, "pause", NOVA_LIBVIRT_ERROR, "no such luck");
        ck_assert_fails(dispatch(&r, NULL, &err), err, NOVA_LIBVIRT_ERROR);
        ck_assert_uint_eq(n_lines, 0);

        /* the agent's own work has nobody else */
        own = compute_fixture_call(&f, object_instance_uuid(r.args));
        fake_store_add_action(own.uuid, REQ);
        fake_store_row(own.uuid)->task_state = TASK_PAUSING;
        virt_fake_fail_next(f.driver, "pause", NOVA_LIBVIRT_ERROR, "no such luck");
        ck_assert_fails(compute_pause(f.m, &own, &err), err, NOVA_LIBVIRT_ERROR);
        log_set_capture(NULL, NULL);
        ck_assert_uint_eq(n_lines, 1);
        ck_assert_ptr_nonnull(strstr(lines.data, "pause_instance failed: "));
        strbuf_free(&lines);
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

START_TEST(failures_that_are_ordinary_are_no_errors_in_the_log)
{
        static const struct {
                int code;
                bool answered, ordinary;
        } cases[] = {
                { NOVA_UNEXPECTED_TASK_STATE, false, true },
                { NOVA_UNEXPECTED_DELETING_TASK_STATE, true, true },
                { NOVA_CONSOLE_TYPE_INVALID, true, true },
                { NOVA_CONSOLE_TYPE_INVALID, false, false },
                { NOVA_LIBVIRT_ERROR, true, false },
                { ERR_TIMEOUT, true, false },
        };

        for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
                struct error err = { .code = cases[c].code };

                ck_assert_msg(compute_failure_is_ordinary(&err, cases[c].answered) == cases[c].ordinary,
                              "case %zu", c);
        }
}
END_TEST

GREEN_SUITE("rpc-console", a_captured_vnc_request_answers_as_nova_does_and_leaves_a_token,
            each_vnc_console_has_a_token_of_its_own, a_console_that_cannot_be_had_is_refused_by_its_reason,
            a_token_that_cannot_be_stored_is_not_handed_out,
            consoles_of_other_kinds_are_unavailable_as_where_they_are_disabled,
            a_port_is_valid_while_the_guest_has_it, a_port_of_what_is_not_there_is_an_error_without_a_fault,
            captured_diagnostics_have_the_fields_and_types_of_nova,
            an_interface_without_a_device_is_shown_without_counters, old_diagnostics_are_one_flat_object,
            diagnostics_of_a_guest_that_does_not_run_name_its_state,
            diagnostics_that_hang_end_at_the_deadline,
            a_captured_crash_dump_sends_one_nmi_and_changes_no_state,
            a_crash_dump_that_cannot_be_is_an_event_and_a_fault, bad_console_requests_name_what_is_wrong,
            a_failed_method_leaves_its_log_line_to_who_sent_the_request,
            failures_that_are_ordinary_are_no_errors_in_the_log)
