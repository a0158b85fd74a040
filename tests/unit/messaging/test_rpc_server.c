/*
 * tests/unit/messaging/test_rpc_server.c: acknowledging, duplicates, dispatch, failures, heartbeats,
 * draining, on a transport without I/O and a clock that does not wait.
 */
#include "messaging/rpc_server.h"

#include "fake_transport.h"
#include "green_test.h"

/* ---- the methods under test ---- */

struct world {
        struct fake_transport fake;
        struct rpc_server *server;
        struct green_event go; /* lets "wait" methods end */
        unsigned runs, told;
        char last_told[ERROR_TEXT_MAX + 80];
        char context[256];
};
static struct world w;

static int method_echo(struct rpc_call *call, struct error *err)
{
        assert_green();
        (void)err;
        w.runs++;
        strbuf_adds(&w.fake.log, "run;");
        call->result = jval_ref(call->request->args);
        green_format_log_context(w.context, sizeof(w.context));
        return 0;
}

static int method_nothing(struct rpc_call *call, struct error *err)
{
        (void)call, (void)err;
        w.runs++;
        return 0;
}

static int method_fail(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = jval_new_text("half a result");
        return error_set(err, ERR_NOT_FOUND, "no such thing");
}

static int method_bad_arguments(struct rpc_call *call, struct error *err)
{
        (void)call;
        return error_set(err, ERR_RPC_BAD_ARGUMENTS, "x: missing");
}

static int method_wait(struct rpc_call *call, struct error *err)
{
        assert_green();
        w.runs++;
        call->result = jval_new_text("waited");
        return green_event_wait(&w.go, deadline_never(), err);
}

static int method_sleep(struct rpc_call *call, struct error *err)
{
        assert_green();
        return green_sleep((double)jval_get_int(call->request->args, "s", 0), err);
}

static int method_large(struct rpc_call *call, struct error *err)
{
        char *text = malloc(TRANSPORT_BODY_MAX);

        (void)err;
        memset(text, 'x', TRANSPORT_BODY_MAX);
        call->result = jval_new_textn(text, TRANSPORT_BODY_MAX);
        free(text);
        return 0;
}

static int method_app(struct rpc_call *call, struct error *err)
{
        (void)err;
        call->result = jval_new_text(call->app);
        return 0;
}

static const struct rpc_method methods[] = {
        { "echo", method_echo },       { "nothing", method_nothing },
        { "fail", method_fail },       { "bad_arguments", method_bad_arguments },
        { "wait", method_wait },       { "sleep", method_sleep },
        { "large", method_large },     { "app", method_app },
        { "_hidden", method_nothing }, {}
};
static const struct rpc_method base_methods[] = { { "ping", method_echo }, { "app", method_app }, {} };
static char own_app[] = "own";
static const struct rpc_endpoint endpoints[] = { { NULL, "6.1", methods, "compute", NULL },
                                                 { "baseapi", "1.1", base_methods, "base", own_app },
                                                 { NULL, "5.13", base_methods, "old", NULL },
                                                 {} };

/* ---- the fixture ---- */

static void on_failure(const struct rpc_request *r, const struct error *err, void *app)
{
        (void)app;
        w.told++;
        snprintf(w.last_told, sizeof(w.last_told), "%.64s: %s", r ? r->method : "-", err->text);
}

static void YIELDS start_with(struct rpc_server_options opt)
{
        static char app[] = "shared";
        struct error err = {};

        fake_init(&w.fake);
        green_event_init(&w.go, "go");
        opt.transport = &w.fake.base;
        opt.target = (struct transport_target){ .exchange = "nova", .topic = "compute", .server = "host" };
        opt.endpoints = endpoints;
        opt.on_failure = on_failure;
        opt.app = app;
        w.server = rpc_server_new(&opt, &err);
        ck_assert_msg(w.server != NULL, "%s", err.text);
        ck_assert_ok(rpc_server_start(w.server, &err), err);
}

static void YIELDS start(void)
{
        start_with((struct rpc_server_options){});
}

/* Everything is freed: also each message that was ever delivered. */
static void YIELDS finish(void)
{
        rpc_server_free(w.server);
        ck_assert_uint_eq(w.fake.messages, 0);
        transport_free(&w.fake.base);
}

static void HUB_ONLY deliver(const char *message)
{
        fake_deliver(&w.fake, message);
}

/* A call of the default namespace, version 6.0, with an id of its own. */
static void HUB_ONLY call(const char *method, const char *args, const char *id, const char *more)
{
        char CLEANUP(freep) *body = xasprintf("{\"method\":\"%s\",\"args\":%s,\"version\":\"6.0\",\"_msg_"
                                              "id\":\"%s\",\"_reply_q\":\"q-%s\"%s}",
                                              method, args, id, id, more);

        deliver(body);
}

static void YIELDS settle(void)
{
        for (int i = 0; i < 20; i++)
                green_yield();
}

static struct rpc_reply reply_at(unsigned i)
{
        struct rpc_reply r = {};
        struct error err = {};

        ck_assert_uint_lt(i, w.fake.n_replies);
        ck_assert_ok(envelope_decode_reply(w.fake.replies[i], strlen(w.fake.replies[i]), &r, &err), err);
        return r;
}

static void expect_failure(unsigned i, const char *module, const char *class_name, const char *text)
{
        struct rpc_reply r = reply_at(i);

        ck_assert(r.failed && r.ending);
        ck_assert_str_eq(r.module, module);
        ck_assert_str_eq(r.class_name, class_name);
        ck_assert_msg(strstr(r.message, text) != NULL, "%s", r.message);
        rpc_reply_free(&r);
}

static struct rpc_server_stats HUB_ONLY stats(void)
{
        struct rpc_server_stats s;

        rpc_server_get_stats(w.server, &s);
        return s;
}

/* ---- receiving ---- */

GREEN_TEST(a_call_is_acknowledged_then_run_then_answered)
{
        struct rpc_reply r;

        start();
        call("echo", "{\"x\":1}", "m1", "");
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;run;reply q-m1;");
        r = reply_at(0);
        ck_assert(!r.failed && r.ending);
        ck_assert_str_eq(r.msg_id, "m1");
        ck_assert_int_eq(jval_get_int(r.result, "x", 0), 1);
        rpc_reply_free(&r);
        ck_assert_uint_eq(stats().calls, 1);
        ck_assert_uint_eq(stats().running, 0);
        finish();
}

GREEN_TEST(a_cast_is_run_and_not_answered)
{
        start();
        deliver("{\"method\":\"echo\",\"args\":{},\"version\":\"6.0\"}");
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;run;");
        ck_assert_uint_eq(stats().casts, 1);
        finish();
}

GREEN_TEST(a_method_without_a_result_answers_null)
{
        struct rpc_reply r;

        start();
        call("nothing", "{}", "m1", "");
        settle();
        r = reply_at(0);
        ck_assert(!r.failed && jval_is_null(r.result));
        rpc_reply_free(&r);
        finish();
}

GREEN_TEST(the_last_sixteen_ids_are_remembered)
{
        char more[64];

        start();
        for (int i = 0; i < 17; i++) {
                snprintf(more, sizeof(more), ",\"_unique_id\":\"u%d\"", i);
                call("nothing", "{}", "m", more);
                call("nothing", "{}", "m", more);
        }
        settle();
        ck_assert_uint_eq(w.runs, 17);
        ck_assert_uint_eq(stats().duplicates, 17);
        /* u1 is the oldest of the last 16; u0 has been forgotten. */
        call("nothing", "{}", "m", ",\"_unique_id\":\"u1\"");
        settle();
        ck_assert_uint_eq(w.runs, 17);
        call("nothing", "{}", "m", ",\"_unique_id\":\"u0\"");
        settle();
        ck_assert_uint_eq(w.runs, 18);
        finish();
}

GREEN_TEST(a_duplicate_is_acknowledged_and_dropped)
{
        start();
        call("echo", "{}", "m1", ",\"_unique_id\":\"u\"");
        settle();
        call("echo", "{}", "m1", ",\"_unique_id\":\"u\"");
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;run;reply q-m1;ack;");
        finish();
}

/* It would run a second time when the broker delivers it again; then it is no duplicate. */
GREEN_TEST(what_cannot_be_acknowledged_is_not_run_until_it_comes_again)
{
        start();
        w.fake.ack_fails = ERR_CLOSED;
        call("echo", "{}", "m1", ",\"_unique_id\":\"u\"");
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack fails;");
        ck_assert_str_eq(w.last_told, "-: acknowledging");
        w.fake.ack_fails = 0;
        call("echo", "{}", "m1", ",\"_unique_id\":\"u\"");
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack fails;ack;run;reply q-m1;");
        ck_assert_uint_eq(stats().duplicates, 0);
        finish();
}

GREEN_TEST(what_cannot_be_read_is_rejected_and_told)
{
        start();
        deliver("no json");
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;reject;");
        ck_assert_uint_eq(stats().rejected, 1);
        ck_assert_uint_eq(w.told, 1);
        ck_assert_msg(strncmp(w.last_told, "-: JSON", 7) == 0, "%s", w.last_told);
        finish();
}

GREEN_TEST(an_unreadable_call_is_answered)
{
        start();
        deliver("{\"method\":\"echo\",\"args\":[],\"_msg_id\":\"m1\",\"_reply_q\":\"q\"}");
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;reply q;");
        expect_failure(0, "builtins", "RuntimeError", "args: expected object, got array");
        ck_assert_uint_eq(stats().rejected, 1);
        finish();
}

/* ---- dispatch ---- */

GREEN_TEST(namespaces_and_versions_choose_the_endpoint)
{
        static const struct {
                const char *ns, *version, *method, *class_name, *text;
        } rows[] = {
                { NULL, "6.0", "nothing", NULL, NULL },
                { NULL, "6.1", "nothing", NULL, NULL },
                { NULL, "5.0", "ping", NULL, NULL },
                { "baseapi", "1.0", "ping", NULL, NULL },
                { NULL, "6.2", "nothing", "UnsupportedVersion",
                  "RPC version 6.2. Attempted method: nothing" },
                { NULL, "7.0", "nothing", "UnsupportedVersion", "RPC version 7.0" },
                { NULL, "x", "nothing", "UnsupportedVersion", "RPC version x" },
                { "other", "1.0", "ping", "UnsupportedVersion", "Attempted method: ping" },
                { "", "6.0", "nothing", "UnsupportedVersion", "" },
                { NULL, "6.0", "ping", "NoSuchMethod", "does not support RPC method ping" },
                { NULL, "6.0", "_hidden", "NoSuchMethod", "_hidden" },
                { NULL, "6.0", "no", "NoSuchMethod", "does not support RPC method no" },
        };

        start();
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct rpc_request r = { .method = (char *)rows[i].method,
                                         .ns = (char *)rows[i].ns,
                                         .version = (char *)rows[i].version,
                                         .msg_id = (char *)"m",
                                         .reply_q = (char *)"q" };
                struct rpc_reply reply;
                size_t len;
                char CLEANUP(freep) *body = envelope_encode_request(&r, &len);

                deliver(body);
                settle();
                ck_assert_uint_eq(w.fake.n_replies, i + 1);
                if (rows[i].class_name) {
                        expect_failure(i, "oslo_messaging.rpc.dispatcher", rows[i].class_name, rows[i].text);
                        continue;
                }
                reply = reply_at(i);
                ck_assert_msg(!reply.failed, "row %u: %s", i, reply.message);
                rpc_reply_free(&reply);
        }
        finish();
}

GREEN_TEST(an_endpoint_may_have_an_app_of_its_own)
{
        struct rpc_reply r;

        start();
        call("app", "{}", "m1", "");
        deliver("{\"method\":\"app\",\"namespace\":\"baseapi\",\"version\":\"1.0\",\"_msg_id\":\"m2\"}");
        settle();
        r = reply_at(0);
        ck_assert_str_eq(jval_text(r.result, ""), "shared");
        rpc_reply_free(&r);
        r = reply_at(1);
        ck_assert_str_eq(jval_text(r.result, ""), "own");
        rpc_reply_free(&r);
        finish();
}

GREEN_TEST(failures_reach_the_caller_and_the_log)
{
        start();
        call("fail", "{}", "m1", "");
        call("bad_arguments", "{}", "m2", "");
        deliver("{\"method\":\"fail\",\"version\":\"6.0\"}");
        settle();
        expect_failure(0, "builtins", "RuntimeError", "no such thing");
        expect_failure(1, "builtins", "TypeError", "x: missing");
        ck_assert_uint_eq(w.fake.n_replies, 2);
        ck_assert_uint_eq(w.told, 3);
        ck_assert_str_eq(w.last_told, "fail: no such thing");
        ck_assert_uint_eq(stats().failures, 3);
        finish();
}

static void describe(const struct error *err, const struct rpc_request *r, struct rpc_failure *ret,
                     struct jval **ret_kwargs)
{
        *ret = (struct rpc_failure){ .class_name = "InstanceNotFound",
                                     .module = "nova.exception",
                                     .message = err->text };
        *ret_kwargs = jval_new_object();
        jval_set_text(*ret_kwargs, "instance_id", jval_get_text(r->args, "instance", ""));
}

GREEN_TEST(the_application_describes_its_failures)
{
        struct rpc_reply r;

        start_with((struct rpc_server_options){ .describe_failure = describe });
        call("fail", "{\"instance\":\"i-1\"}", "m1", "");
        settle();
        r = reply_at(0);
        ck_assert_str_eq(r.class_name, "InstanceNotFound");
        ck_assert_str_eq(jval_get_text(r.kwargs, "instance_id", ""), "i-1");
        rpc_reply_free(&r);
        finish();
}

GREEN_TEST(a_result_that_is_too_large_is_a_failure)
{
        start();
        call("large", "{}", "m1", "");
        settle();
        expect_failure(0, "builtins", "RuntimeError", "the result of large has");
        finish();
}

GREEN_TEST(more_requests_than_workers_wait)
{
        start_with((struct rpc_server_options){ .workers = 2 });
        for (int i = 0; i < 5; i++)
                call("wait", "{}", "m", "");
        settle();
        ck_assert_uint_eq(stats().running, 2);
        ck_assert_uint_eq(stats().queued, 3);
        ck_assert_uint_eq(w.runs, 2);
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;ack;"); /* the others stay with the broker */
        green_event_set(&w.go);
        settle();
        ck_assert_uint_eq(w.runs, 5);
        ck_assert_uint_eq(w.fake.n_replies, 5);
        ck_assert_uint_eq(stats().queued, 0);
        finish();
}

GREEN_TEST(sixty_four_is_the_default)
{
        start();
        for (int i = 0; i < 70; i++)
                deliver("{\"method\":\"wait\",\"version\":\"6.0\"}");
        settle();
        ck_assert_uint_eq(stats().running, 64);
        ck_assert_uint_eq(stats().queued, 6);
        green_event_set(&w.go);
        settle();
        ck_assert_uint_eq(w.runs, 70);
        finish();
}

static void collect_running(const struct rpc_running *r, void *arg)
{
        strbuf_addf(arg, "%s %s %s %.0f;", r->method, r->request_id, r->instance ? r->instance : "-",
                    r->seconds);
}

#define UUID "4f1c2e6a-0000-4000-8000-0123456789ab"

GREEN_TEST(what_runs_is_shown)
{
        struct strbuf CLEANUP(strbuf_free) text = {};

        start();
        call("wait", "{\"instance\":{\"nova_object.data\":{\"uuid\":\"" UUID "\"}}}", "m",
             ",\"_context_request_id\":\"req-7\"");
        ck_assert_int_eq(green_sleep(3, &(struct error){}), 0);
        rpc_server_foreach(w.server, collect_running, &text);
        ck_assert_str_eq(text.data, "wait req-7 " UUID " 3;");
        green_event_set(&w.go);
        finish();
}

/* ---- the log context ---- */

GREEN_TEST(log_lines_begin_with_the_request_and_its_instance)
{
        start();
        call("echo", "{\"instance\":{\"nova_object.data\":{\"uuid\":\"" UUID "\"}}}", "m",
             ",\"_context_request_id\":\"req-7\",\"_context_user\":\"u\",\"_context_project_id\":\"p\"");
        settle();
        ck_assert_str_eq(w.context, "[req-7 u p] [instance: " UUID "] ");
        call("echo", "{\"instance_uuid\":\"" UUID "\"}", "m", "");
        settle();
        ck_assert_str_eq(w.context, "[- - -] [instance: " UUID "] ");
        call("echo", "{\"instance\":\"" UUID "\"}", "m", "");
        settle();
        ck_assert_str_eq(w.context, "[- - -] [instance: " UUID "] ");
        finish();
}

GREEN_TEST(hostile_text_stays_in_its_place)
{
        start();
        call("echo", "{\"instance\":{\"uuid\":\"x] ERROR forged\"}}", "m",
             ",\"_context_request_id\":\"a]\\nERROR forged "
             "[\",\"_context_user\":17,\"_context_project\":\"\xc3\xa9\"");
        settle();
        ck_assert_str_eq(w.context, "[a??ERROR?forged?? - ??] ");
        finish();
}

/* ---- the call monitor ---- */

GREEN_TEST(a_long_call_sends_heartbeats_until_it_ends)
{
        start();
        call("sleep", "{\"s\":9}", "m1", ",\"_timeout\":4");
        ck_assert_int_eq(green_sleep(20, &(struct error){}), 0);
        ck_assert_uint_eq(w.fake.n_replies, 5);
        for (unsigned i = 0; i < 5; i++) {
                struct rpc_reply r = reply_at(i);

                ck_assert_str_eq(r.msg_id, "m1");
                ck_assert(r.ending == (i == 4));
                ck_assert(!r.failed);
                ck_assert_int_eq(w.fake.reply_ms[i], i == 4 ? 9000 : 2000 * (i + 1));
                rpc_reply_free(&r);
        }
        finish();
}

GREEN_TEST(no_heartbeats_without_timeout_for_casts_and_below_a_second)
{
        start();
        call("sleep", "{\"s\":100}", "m1", "");
        call("sleep", "{\"s\":100}", "m2", ",\"_timeout\":1");
        call("sleep", "{\"s\":100}", "m3", ",\"_timeout\":0");
        deliver("{\"method\":\"sleep\",\"version\":\"6.0\",\"args\":{\"s\":100},\"_timeout\":2}");
        ck_assert_int_eq(green_sleep(99, &(struct error){}), 0);
        ck_assert_uint_eq(w.fake.n_replies, 0);
        ck_assert_int_eq(green_sleep(2, &(struct error){}), 0);
        ck_assert_uint_eq(w.fake.n_replies, 3);
        finish();
}

GREEN_TEST(a_method_outlives_its_caller)
{
        start();
        w.fake.reply_fails = ERR_CLOSED;
        call("wait", "{}", "m1", ",\"_timeout\":4");
        ck_assert_int_eq(green_sleep(10, &(struct error){}), 0);
        ck_assert_uint_eq(stats().running, 1);
        /* One heartbeat failed, and with it the monitor ended. */
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;reply q-m1;");
        green_event_set(&w.go);
        settle();
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;reply q-m1;reply q-m1;");
        ck_assert_uint_eq(stats().running, 0);
        ck_assert_uint_eq(w.told, 1);
        ck_assert_str_eq(w.last_told, "-: the reply to wait was not delivered: replying");
        finish();
}

/* ---- stopping ---- */

GREEN_TEST(after_the_stop_what_was_delivered_is_done)
{
        struct error err = {};

        start_with((struct rpc_server_options){ .workers = 1 });
        call("sleep", "{\"s\":3}", "m1", "");
        call("echo", "{}", "m2", "");
        settle();
        call("echo", "{}", "m3", ""); /* delivered, not yet received */
        rpc_server_stop(w.server);
        ck_assert_ok(rpc_server_wait(w.server, deadline_in_s(60), &err), err);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 3000);
        ck_assert_uint_eq(w.fake.n_replies, 3);
        finish();
}

static void YIELDS start_with_a_broker(void)
{
        static struct transport_ops ops;

        start_with((struct rpc_server_options){ .workers = 1 });
        ops = fake_ops;
        ops.gives_back = true;
        w.fake.base.ops = &ops;
}

/* It delivers it to the next one, in the order of the requests. */
GREEN_TEST(after_the_stop_what_was_not_begun_is_left_to_the_broker)
{
        struct error err = {};

        start_with_a_broker();
        call("sleep", "{\"s\":3}", "m1", "");
        call("echo", "{}", "m2", "");
        settle();
        call("echo", "{}", "m3", "");
        rpc_server_stop(w.server);
        ck_assert_ok(rpc_server_wait(w.server, deadline_in_s(60), &err), err);
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;reply q-m1;");
        ck_assert_uint_eq(w.runs, 0);
        ck_assert_uint_eq(stats().calls, 1);
        ck_assert_uint_eq(w.told, 0);
        finish();
}

GREEN_TEST(a_server_that_is_freed_answers_nothing_that_comes_again)
{
        start_with_a_broker();
        call("wait", "{}", "m1", "");
        call("echo", "{}", "m2", "");
        settle();
        rpc_server_free(w.server);
        ck_assert_str_eq(w.fake.log.data, "listen compute;ack;reply q-m1;");
        ck_assert_uint_eq(w.runs, 1);
        ck_assert_uint_eq(w.fake.messages, 0);
        transport_free(&w.fake.base);
}

static int wait_for_server(void *arg, struct error *err)
{
        assert_green();
        (void)arg;
        return rpc_server_wait(w.server, deadline_never(), err);
}

GREEN_TEST(waiting_for_the_end_times_out_and_can_be_cancelled)
{
        struct error err = {}, failed = {};
        struct green *g;

        start();
        call("wait", "{}", "m1", "");
        settle();
        rpc_server_stop(w.server);
        ck_assert_fails(rpc_server_wait(w.server, deadline_in_s(60), &err), err, ERR_TIMEOUT);
        ck_assert_msg(strstr(err.text, "1 requests still run") != NULL, "%s", err.text);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 60000);
        g = green_spawn_ref(NULL, "wait", wait_for_server, NULL, &err);
        green_yield();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_CANCELLED);
        green_unref(g);
        green_event_set(&w.go);
        ck_assert_ok(rpc_server_wait(w.server, deadline_in_s(60), &err), err);
        finish();
}

GREEN_TEST(freeing_cancels_what_runs_and_tells_the_callers)
{
        start_with((struct rpc_server_options){ .workers = 1 });
        call("wait", "{}", "m1", ",\"_timeout\":60");
        call("wait", "{}", "m2", "");
        call("wait", "{}", "m3", "");
        settle();
        rpc_server_free(w.server);
        ck_assert_uint_ge(w.fake.n_replies, 1);
        expect_failure(0, "builtins", "RuntimeError", "");
        ck_assert_uint_eq(w.runs, 1);
        ck_assert_uint_eq(w.fake.messages, 0);
        transport_free(&w.fake.base);
}

GREEN_TEST(a_server_that_cannot_listen_does_not_start)
{
        struct rpc_server_options opt = { .transport = &w.fake.base,
                                          .endpoints = endpoints,
                                          .target.topic = "compute" };
        struct error err = {};

        fake_init(&w.fake);
        w.fake.listen_fails = ERR_BUSY;
        w.server = rpc_server_new(&opt, &err);
        ck_assert_fails(rpc_server_start(w.server, &err), err, ERR_BUSY);
        finish();
        opt.endpoints = NULL;
        ck_assert(rpc_server_new(&opt, &err) == NULL);
        ck_assert_int_eq(err.code, ERR_INVALID);
}

GREEN_SUITE("rpc-server", a_call_is_acknowledged_then_run_then_answered, a_cast_is_run_and_not_answered,
            a_method_without_a_result_answers_null, the_last_sixteen_ids_are_remembered,
            a_duplicate_is_acknowledged_and_dropped,
            what_cannot_be_acknowledged_is_not_run_until_it_comes_again,
            what_cannot_be_read_is_rejected_and_told, an_unreadable_call_is_answered,
            namespaces_and_versions_choose_the_endpoint, an_endpoint_may_have_an_app_of_its_own,
            failures_reach_the_caller_and_the_log, the_application_describes_its_failures,
            a_result_that_is_too_large_is_a_failure, more_requests_than_workers_wait,
            sixty_four_is_the_default, what_runs_is_shown, log_lines_begin_with_the_request_and_its_instance,
            hostile_text_stays_in_its_place, a_long_call_sends_heartbeats_until_it_ends,
            no_heartbeats_without_timeout_for_casts_and_below_a_second, a_method_outlives_its_caller,
            after_the_stop_what_was_delivered_is_done,
            after_the_stop_what_was_not_begun_is_left_to_the_broker,
            a_server_that_is_freed_answers_nothing_that_comes_again,
            waiting_for_the_end_times_out_and_can_be_cancelled,
            freeing_cancels_what_runs_and_tells_the_callers, a_server_that_cannot_listen_does_not_start)
