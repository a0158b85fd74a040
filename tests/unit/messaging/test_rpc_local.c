/*
 * tests/unit/messaging/test_rpc_local.c: client and server together over the local socket: calls, casts,
 * callers that leave, and a flood of damaged messages.
 */
#include "messaging/rpc_client.h"
#include "messaging/rpc_server.h"

#include <errno.h>

#include "green/sync.h"
#include "socket_test.h"

struct world {
        struct transport *transport;
        struct rpc_server *server;
        struct rpc_client *client;
        struct green_event go;
        unsigned casts, finished;
        unsigned peer_uid;
        int (*may)(const struct rpc_call *call, void *app, struct error *err);
};
static struct world w;

static int method_echo(struct rpc_call *call, struct error *err)
{
        (void)err;
        w.peer_uid = call->peer_uid;
        call->result = jval_new_object();
        jval_set(call->result, "args", jval_ref(call->request->args));
        jval_set(call->result, "context", jval_ref(call->request->context));
        return 0;
}

static int method_sleep(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = jval_new_int(jval_get_int(call->request->args, "ms", 0));
        return green_sleep((double)jval_get_int(call->request->args, "ms", 0) / 1000, err);
}

static int method_wait(struct rpc_call *call, struct error *err)
{
        assert_green();
        (void)call;
        if (green_event_wait(&w.go, deadline_never(), err) < 0)
                return -1;
        w.finished++;
        return 0;
}

static int method_count(struct rpc_call *call, struct error *err)
{
        (void)call, (void)err;
        w.casts++;
        return 0;
}

static int method_fail(struct rpc_call *call, struct error *err)
{
        (void)call;
        return error_set(err, ERR_NOT_FOUND, "nothing there");
}

static const struct rpc_method methods[] = { { "echo", method_echo }, { "sleep", method_sleep },
                                             { "wait", method_wait }, { "count", method_count },
                                             { "fail", method_fail }, {} };
static const struct rpc_endpoint endpoints[] = { { NULL, "6.1", methods, NULL, NULL },
                                                 { "ns", "1.0", methods, NULL, NULL },
                                                 {} };

static void YIELDS start_server(void)
{
        struct rpc_server_options opt = {
                .target.topic = "compute", .endpoints = endpoints, .may = w.may, .app = &w
        };
        struct error err = {};

        green_event_init(&w.go, "go");
        w.transport = transport_new(test_url("rpc"), &err);
        ck_assert_msg(w.transport != NULL, "%s", err.text);
        opt.transport = w.transport;
        w.server = rpc_server_new(&opt, &err);
        ck_assert_ok(rpc_server_start(w.server, &err), err);
}

static void YIELDS start(void)
{
        struct error err = {};

        start_server();
        w.client = rpc_client_connect(test_path("rpc"), deadline_in_s(5), &err);
        ck_assert_msg(w.client != NULL, "%s", err.text);
}

static void YIELDS finish(void)
{
        rpc_client_free(w.client);
        rpc_server_free(w.server);
        transport_free(w.transport);
}

static struct jval *args_of(const char *text)
{
        struct error err = {};
        struct jval *v = jval_parse(text, strlen(text), &err);

        ck_assert_msg(v != NULL, "%s", err.text);
        return v;
}

static int YIELDS call(const char *method, const char *args, double seconds, struct jval **ret,
                       struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *a = args_of(args);

        return rpc_client_call(w.client, NULL, "6.0", method, a, NULL, deadline_in_s(seconds), ret, err);
}

static int YIELDS cast(const char *method, struct error *err)
{
        return rpc_client_cast(w.client, "ns", "1.0", method, NULL, NULL, deadline_in_s(5), err);
}

static int no_failing(const struct rpc_call *call, void *app, struct error *err)
{
        ck_assert_ptr_eq(app, &w);
        ck_assert_uint_eq(call->peer_uid, geteuid());
        if (strcmp(call->method->name, "fail") != 0)
                return 0;
        return error_set(err, ERR_DENIED, "not for you");
}

static void YIELDS settle(void)
{
        for (int i = 0; i < 50; i++)
                green_yield();
        ck_assert_int_eq(green_sleep(0.001, &(struct error){}), 0);
}

GREEN_TEST(a_call_goes_there_and_back)
{
        struct jval CLEANUP(jval_unrefp) *args = NULL, *context = NULL, *result = NULL;
        struct error err = {};

        start();
        args = args_of("{\"a\":[1,{\"b\":null}]}");
        context = args_of("{\"request_id\":\"req-1\"}");
        ck_assert_ok(rpc_client_call(w.client, "ns", "1.0", "echo", args, context, deadline_in_s(5), &result,
                                     &err),
                     err);
        ck_assert_int_eq(jval_int(jval_at(jval_get(jval_get(result, "args"), "a"), 0), 0), 1);
        ck_assert_str_eq(jval_get_text(jval_get(result, "context"), "request_id", ""), "req-1");
        ck_assert_uint_eq(w.peer_uid, geteuid());
        finish();
}

GREEN_TEST(who_may_not_have_a_method_is_told_and_it_does_not_run)
{
        struct jval CLEANUP(jval_unrefp) *args = NULL, *result = NULL;
        struct error err = {};

        w.may = no_failing;
        start();
        args = args_of("{}");
        ck_assert_fails(
                rpc_client_call(w.client, "ns", "1.0", "fail", args, NULL, deadline_in_s(5), &result, &err),
                err, ERR_DENIED);
        ck_assert_str_eq(err.text, "not for you");
        ck_assert_ok(
                rpc_client_call(w.client, "ns", "1.0", "echo", args, NULL, deadline_in_s(5), &result, &err),
                err);
        finish();
}

GREEN_TEST(casts_arrive_in_order_and_are_not_answered)
{
        struct error err = {};

        start();
        for (int i = 0; i < 100; i++)
                ck_assert_ok(cast("count", &err), err);
        settle();
        ck_assert_uint_eq(w.casts, 100);
        finish();
}

GREEN_TEST(failures_come_as_class_and_message)
{
        struct jval *result = NULL;
        struct error err;

        start();
        ck_assert_fails(call("fail", "{}", 5, &result, &err), err, ERR_APP);
        ck_assert_str_eq(err.text, "RuntimeError: nothing there");
        ck_assert_fails(call("absent", "{}", 5, &result, &err), err, ERR_APP);
        ck_assert_str_eq(err.text, "NoSuchMethod: Endpoint does not support RPC method absent");
        ck_assert(result == NULL);
        finish();
}

struct sleeper {
        const char *args;
        int64_t got;
        unsigned order;
};
static unsigned next_order;

static int sleep_call(void *arg, struct error *err)
{
        struct sleeper *s = arg;
        struct jval CLEANUP(jval_unrefp) *result = NULL;

        assert_green();
        if (call("sleep", s->args, 60, &result, err) < 0)
                return -1;
        s->got = jval_int(result, -1);
        s->order = ++next_order;
        return 0;
}

GREEN_TEST(calls_on_one_connection_do_not_wait_for_each_other)
{
        struct sleeper slow = { .args = "{\"ms\":3000}" }, quick = { .args = "{\"ms\":1000}" };
        struct green_group *g = green_group_new("callers");
        struct error err = {};

        start();
        ck_assert_ok(green_spawn(g, "slow", sleep_call, &slow, &err), err);
        ck_assert_ok(green_spawn(g, "quick", sleep_call, &quick, &err), err);
        ck_assert_ok(green_group_wait(g, deadline_in_s(60), &err), err);
        green_group_close(g);
        ck_assert_int_eq(slow.got, 3000);
        ck_assert_int_eq(quick.got, 1000);
        ck_assert_uint_eq(quick.order, 1);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 3000);
        finish();
}

GREEN_TEST(a_call_times_out_and_its_late_reply_disturbs_nobody)
{
        struct jval CLEANUP(jval_unrefp) *result = NULL;
        struct error err;

        start();
        ck_assert_fails(call("sleep", "{\"ms\":2000}", 1, &result, &err), err, ERR_TIMEOUT);
        ck_assert_msg(strstr(err.text, "no reply to sleep") != NULL, "%s", err.text);
        ck_assert_ok(call("sleep", "{\"ms\":5000}", 60, &result, &err), err);
        ck_assert_int_eq(jval_int(result, 0), 5000);
        finish();
}

static int wait_call(void *arg, struct error *err)
{
        struct jval *result;

        assert_green();
        (void)arg;
        return call("wait", "{}", 60, &result, err);
}

GREEN_TEST(a_call_can_be_cancelled)
{
        struct error err = {}, failed = {};
        struct green *g;
        struct jval CLEANUP(jval_unrefp) *result = NULL;

        start();
        g = green_spawn_ref(NULL, "caller", wait_call, NULL, &err);
        settle();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_CANCELLED);
        green_unref(g);
        green_event_set(&w.go);
        ck_assert_ok(call("echo", "{}", 5, &result, &err), err);
        finish();
}

GREEN_TEST(a_caller_that_leaves_in_mid_call_harms_nobody)
{
        struct rpc_client *other;
        struct rpc_server_stats stats;
        struct error err = {};
        struct jval CLEANUP(jval_unrefp) *result = NULL;

        start();
        other = rpc_client_connect(test_path("rpc"), deadline_in_s(5), &err);
        ck_assert_ok(rpc_client_cast(other, NULL, "6.0", "wait", NULL, NULL, deadline_in_s(5), &err), err);
        rpc_client_free(other);
        ck_assert_ok(green_spawn(NULL, "caller", wait_call, NULL, &err), err);
        settle();
        rpc_client_free(w.client);
        settle();
        rpc_server_get_stats(w.server, &stats);
        ck_assert_uint_eq(stats.running, 2);
        green_event_set(&w.go);
        settle();
        ck_assert_uint_eq(w.finished, 2);
        w.client = rpc_client_connect(test_path("rpc"), deadline_in_s(5), &err);
        ck_assert_ok(call("echo", "{}", 5, &result, &err), err);
        finish();
}

GREEN_TEST(nobody_there_is_said_at_once)
{
        struct error err = {};

        ck_assert(rpc_client_connect(test_path("nobody"), deadline_in_s(5), &err) == NULL);
        ck_assert_int_eq(err.code, ERR_SYSTEM);
        ck_assert_int_eq(err.sys, ENOENT);
        rpc_client_free(NULL);
}

GREEN_TEST(a_server_that_ends_ends_the_calls)
{
        struct error err = {}, failed = {};
        struct green *g;
        struct jval *result = NULL;

        start();
        g = green_spawn_ref(NULL, "caller", wait_call, NULL, &err);
        settle();
        rpc_server_free(w.server);
        transport_free(w.transport);
        w.server = NULL;
        w.transport = NULL;
        ck_assert_ok(green_join(g, deadline_in_s(10), &failed, &err), err);
        ck_assert_msg(failed.code == ERR_CLOSED || failed.code == ERR_APP, "%d %s", failed.code, failed.text);
        green_unref(g);
        ck_assert_fails(call("echo", "{}", 5, &result, &err), err, ERR_CLOSED);
        ck_assert_fails(cast("count", &err), err, ERR_CLOSED);
        finish();
}

GREEN_TEST(draining_lets_the_last_calls_end)
{
        struct sleeper slow = { .args = "{\"ms\":3000}" };
        struct error err = {};

        start();
        ck_assert_ok(green_spawn(NULL, "slow", sleep_call, &slow, &err), err);
        settle();
        rpc_server_stop(w.server);
        ck_assert(rpc_client_connect(test_path("rpc"), deadline_in_s(5), &err) == NULL);
        ck_assert_ok(rpc_server_wait(w.server, deadline_in_s(60), &err), err);
        settle();
        ck_assert_int_eq(slow.got, 3000);
        finish();
}

/* ---- a flood of damage ---- */

static uint64_t seed = 4711;

static uint32_t next_random(void)
{
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        return (uint32_t)((seed * UINT64_C(2685821657736338717)) >> 32);
}

static size_t load(const char *name, char *buf, size_t size)
{
        char path[512];
        FILE *f;
        size_t len;

        snprintf(path, sizeof(path), "%s/%s", AMQP_DATA_DIR, name);
        f = fopen(path, "re");
        ck_assert_msg(f != NULL, "%s", path);
        len = fread(buf + 4, 1, size - 4, f);
        fclose(f);
        buf[0] = buf[1] = 0;
        buf[2] = (char)(len >> 8);
        buf[3] = (char)len;
        return len + 4;
}

/* Frames with real messages, wrong in a few bytes anywhere, the length too, and cut off anywhere. */
GREEN_TEST_REAL(a_flood_of_damaged_frames_stops_nobody)
{
        static const char *const names[] = { "build_and_run_instance.json", "reboot_instance.json",
                                             "get_host_uptime.json", "external_instance_event.json" };
        struct jval CLEANUP(jval_unrefp) *result = NULL;
        struct rpc_server_stats stats;
        struct error err = {};
        static char frame[32 * 1024];

        start();
        for (int round = 0; round < 400; round++) {
                size_t len = load(names[next_random() % 4], frame, sizeof(frame));
                int fd = raw_connect(test_path("rpc"));

                for (unsigned n = 1 + next_random() % 3; n; n--)
                        frame[next_random() % (next_random() % 4 ? len : 4)] = (char)next_random();
                if (next_random() % 3 == 0)
                        len = 1 + next_random() % len;
                raw_bytes(fd, frame, len);
                if (next_random() % 2)
                        green_yield();
                green_close(fd);
        }
        /* Each connection above was accepted and done with before this one, which came later. */
        rpc_client_free(w.client);
        w.client = rpc_client_connect(test_path("rpc"), deadline_in_s(5), &err);
        ck_assert_ok(call("echo", "{}", 60, &result, &err), err);
        rpc_server_get_stats(w.server, &stats);
        ck_assert_uint_gt(stats.rejected, 0);
        ck_assert_uint_gt(stats.failures, 0); /* some were whole: methods that are not here */
        finish();
}

GREEN_SUITE("rpc-local", a_call_goes_there_and_back, who_may_not_have_a_method_is_told_and_it_does_not_run,
            casts_arrive_in_order_and_are_not_answered, failures_come_as_class_and_message,
            calls_on_one_connection_do_not_wait_for_each_other,
            a_call_times_out_and_its_late_reply_disturbs_nobody, a_call_can_be_cancelled,
            a_caller_that_leaves_in_mid_call_harms_nobody, nobody_there_is_said_at_once,
            a_server_that_ends_ends_the_calls, draining_lets_the_last_calls_end,
            a_flood_of_damaged_frames_stops_nobody)
