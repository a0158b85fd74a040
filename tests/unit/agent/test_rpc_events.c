/* external_instance_event: what other services tell of instances, one event at a time. */
#include "rpc_fixture.h"

static struct error e;

/* A request with an instance for each uuid and the events as given, from the service user. */
static struct rpc_request events(const char *instances, const char *list)
{
        CLEANUP(freep)
        char *args = xasprintf("{\"instances\": [%s], \"events\": [%s]}", instances, list);

        return request("external_instance_event", args);
}

#define OBJECT(name, version, data)                                                  \
        "{\"nova_object.name\": \"" name "\", \"nova_object.namespace\": \"nova\", " \
        "\"nova_object.version\": \"" version "\", \"nova_object.data\": " data "}"
#define INSTANCE_A OBJECT("Instance", "2.7", "{\"uuid\": \"" UUID_A "\"}")
#define INSTANCE_B OBJECT("Instance", "2.7", "{\"uuid\": \"" UUID_B "\"}")
#define EVENT(uuid, name, tag)                                                                         \
        OBJECT("InstanceExternalEvent", "1.5",                                                         \
               "{\"instance_uuid\": \"" uuid "\", \"name\": \"" name "\", \"status\": \"completed\", " \
               "\"tag\": " tag "}")

static void YIELDS begin(enum vm_state vm_state, enum task_state task, enum power_state power)
{
        rpc_fixture_start(NULL);
        compute_fixture_instance(&f, UUID_A, vm_state, task, power);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_journal();
}

static void YIELDS send(const char *instances, const char *list)
{
        struct rpc_request r = events(instances, list);

        ck_assert_ok(dispatch(&r, NULL, &e), e);
        rpc_request_free(&r);
}

GREEN_TEST(a_captured_event_that_nobody_waits_for_does_nothing)
{
        struct rpc_request r = captured("external_instance_event");

        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert_ok(dispatch(&r, NULL, &e), e);
        ck_assert_journal("");
        rpc_request_free(&r);
        compute_fixture_stop(&f);
}

GREEN_TEST(events_of_the_network_and_of_no_meaning_here_write_nothing)
{
        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        send(INSTANCE_A,
             EVENT(UUID_A, "network-changed", "\"port-1\"") "," EVENT(
                     UUID_A, "network-vif-deleted",
                     "null") "," EVENT(UUID_A, "network-vif-unplugged",
                                       "\"port-1\"") "," EVENT(UUID_A, "accelerator-request-bound",
                                                               "\"arq\"") "," EVENT(UUID_A, "from-the-future",
                                                                                    "\"x\""));
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_volume_that_is_not_attached_was_extended)
{
        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        send(INSTANCE_A, EVENT(UUID_A, "volume-extended", "\"volume-1\""));
        ck_assert_journal("event+ compute_extend_volume\n"
                          "event- compute_extend_volume Success\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(a_volume_of_the_instance_cannot_be_extended)
{
        begin(VM_ACTIVE, TASK_POWERING_OFF, POWER_RUNNING);
        replace_str(&fake_store_root_disk(UUID_A)->destination_type, "volume");
        send(INSTANCE_A, EVENT(UUID_A, "volume-extended", "\"volume-1\""));
        ck_assert_journal("event+ compute_extend_volume\n"
                          "fault 500 NotImplementedError\n"
                          "event- compute_extend_volume Error: NotImplementedError\n");
        /* not this method's task */
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_POWERING_OFF);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_power_update_is_not_for_libvirt)
{
        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        send(INSTANCE_A, EVENT(UUID_A, "power-update", "\"POWER_OFF\""));
        ck_assert_ptr_nonnull(
                strstr(fake_store_journal(), "event- compute_power_update Error: NotImplementedError\n"));
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_power_update_that_asks_for_nothing_succeeds)
{
        begin(VM_ACTIVE, TASK_PAUSING, POWER_RUNNING);
        send(INSTANCE_A "," INSTANCE_B, EVENT(UUID_A, "power-update", "\"POWER_OFF\"") "," EVENT(
                                                UUID_B, "power-update", "\"POWER_ON\""));
        ck_assert_journal("event+ compute_power_update\n"
                          "event- compute_power_update Success\n"
                          "event+ compute_power_update\n"
                          "event- compute_power_update Success\n");
        ck_assert_int_eq(fake_store_row(UUID_A)->task_state, TASK_PAUSING); /* somebody else's */
        compute_fixture_stop(&f);
}

/* Each of these is before a good one. */
GREEN_TEST(a_bad_event_does_not_stop_the_others)
{
        static const char *const bad[] = {
                "7",
                "{}",
                INSTANCE_A,
                OBJECT("InstanceExternalEvent", "2.0", "{}"),
                OBJECT("InstanceExternalEvent", "1.6", "{}"),
                OBJECT("InstanceExternalEvent", "1.5", "{}"),
                OBJECT("InstanceExternalEvent", "1.5", "{\"instance_uuid\": \"../x\", \"name\": \"y\"}"),
                OBJECT("InstanceExternalEvent", "1.5", "{\"instance_uuid\": \"" UUID_A "\", \"name\": 1}"),
                EVENT(UUID_A, "volume-extended", "[]"),
                EVENT(UUID_B, "volume-extended", "\"of an instance that is not in the list\""),
        };

        for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
                CLEANUP(freep)
                char *list = xasprintf("%s,%s", bad[n], EVENT(UUID_A, "volume-extended", "\"volume-1\""));

                begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
                send(INSTANCE_A, list);
                ck_assert_journal("event+ compute_extend_volume\n"
                                  "event- compute_extend_volume Success\n");
                compute_fixture_stop(&f);
        }
}

GREEN_TEST(an_event_that_fails_does_not_stop_the_others)
{
        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        fake_store_fail("store_event_start", 1, ERR_DB_LOST, "gone away");
        send(INSTANCE_A "," INSTANCE_B, EVENT(UUID_A, "volume-extended", "\"volume-1\"") "," EVENT(
                                                UUID_B, "volume-extended", "\"volume-2\""));
        ck_assert_journal("event+ compute_extend_volume\n"
                          "event- compute_extend_volume Success\n");
        compute_fixture_stop(&f);
}

GREEN_TEST(an_instance_of_another_host_or_without_an_action_is_not_touched)
{
        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        replace_str(&fake_store_row(UUID_A)->host, "host-2");
        fake_store_drop(UUID_B);
        send(INSTANCE_A "," INSTANCE_B, EVENT(UUID_B, "power-update", "\"POWER_OFF\"") "," EVENT(
                                                UUID_A, "power-update", "\"POWER_OFF\""));
        ck_assert_ptr_null(strstr(fake_store_journal(), "Success"));
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        compute_fixture_stop(&f);
}

GREEN_TEST(a_request_that_is_none_is_refused)
{
        static const char *const args[] = {
                "{}",
                "{\"instances\": []}",
                "{\"instances\": {}, \"events\": []}",
                "{\"instances\": [], \"events\": \"x\"}",
                "{\"instances\": [], \"events\": [], \"more\": 1}",
        };

        begin(VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        for (size_t n = 0; n < ARRAY_SIZE(args); n++) {
                struct rpc_request r = request("external_instance_event", args[n]);

                ck_assert_fails(dispatch(&r, NULL, &e), e, NOVA_TYPE_ERROR);
                rpc_request_free(&r);
        }
        send("", "");
        ck_assert_journal("");
        compute_fixture_stop(&f);
}

GREEN_SUITE("rpc-events", a_captured_event_that_nobody_waits_for_does_nothing,
            events_of_the_network_and_of_no_meaning_here_write_nothing,
            a_volume_that_is_not_attached_was_extended, a_volume_of_the_instance_cannot_be_extended,
            a_power_update_is_not_for_libvirt, a_power_update_that_asks_for_nothing_succeeds,
            a_bad_event_does_not_stop_the_others, an_event_that_fails_does_not_stop_the_others,
            an_instance_of_another_host_or_without_an_action_is_not_touched,
            a_request_that_is_none_is_refused)
