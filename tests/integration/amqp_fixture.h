/*
 * tests/integration/amqp_fixture.h: both sides of RPC on the private node of with-rabbitmq: an RPC server on
 * a transport, as the agent has it, and a small client on lib/amqp that plays nova-api.
 */
#pragma once

#include <string.h>

#include "amqp/connection.h"
#include "base/list.h"
#include "base/mem.h"
#include "green/chan.h"
#include "green/sync.h"
#include "green_test.h"
#include "json/json.h"
#include "messaging/rpc_server.h"
#include "native/tpool.h"
#include "patcher/patcher.h"
#include "process/execute.h"

static inline const char *env(const char *name)
{
        const char *value = getenv(name);

        ck_assert_msg(value && *value, "%s is not set: run this under tests/integration/with-rabbitmq", name);
        return value;
}

static inline void patch(void)
{
        struct error err = {};

        ck_assert_ok(monkey_patch(PATCH_ALL & ~PATCH_OS, &err), err);
        jval_init();
}

static inline struct deadline soon(void)
{
        return deadline_in_s(90);
}

/* Runs a program; green. Its output, to be freed, or NULL when it failed. */
static inline char *YIELDS output_of(const char *const *argv)
{
        struct execute_options opt = { .argv = argv };
        struct execute_result r = {};
        struct error err = {};
        char *out = NULL;

        if (execute(&opt, soon(), &r, &err) == 0)
                out = take_ptr(&r.out);
        else
                fprintf(stderr, "%s %s\n%s\n", argv[0], err.text, r.out ? r.out : "");
        execute_result_free(&r);
        return out;
}

static inline void YIELDS broker(const char *command)
{
        const char *argv[] = { env("RABBITMQ_SCRIPT"), command, env("RABBITMQ_DIR"), NULL };
        CLEANUP(freep) char *out = output_of(argv);

        ck_assert_msg(out != NULL, "tests/support/rabbitmq %s failed", command);
}

static inline char *YIELDS broker_ctl(const char *a, const char *b, const char *c)
{
        const char *argv[] = { env("RABBITMQ_SCRIPT"), "ctl", env("RABBITMQ_DIR"), a, b, c, NULL };
        char *out = output_of(argv);

        ck_assert_msg(out != NULL, "rabbitmqctl %s failed", a);
        return out;
}

/* ---- the side of the agent ---- */

struct agent_side {
        struct tpool *workers;
        struct transport *transport;
        struct rpc_server *server;
        unsigned ups, downs; /* connections */
        unsigned n_refused;
        char last_refused[ERROR_TEXT_MAX];
        char last_down[1024];
        unsigned ran; /* "count" was called */
        struct green_event go;
};
static struct agent_side agent;

static int method_echo(struct rpc_call *call, struct error *err)
{
        call->result = jval_ref(call->request->args);
        return 0;
}

static int method_count(struct rpc_call *call, struct error *err)
{
        agent.ran++;
        return 0;
}

static int method_sleep(struct rpc_call *call, struct error *err)
{
        assert_green();
        return green_sleep(4.5, err);
}

static int method_wait(struct rpc_call *call, struct error *err)
{
        assert_green();
        return green_event_wait(&agent.go, soon(), err);
}

static const struct rpc_method methods[] = { { "echo", method_echo },
                                             { "count", method_count },
                                             { "sleep", method_sleep },
                                             { "wait", method_wait },
                                             {} };
static const struct rpc_endpoint endpoints[] = { { NULL, "6.1", methods, NULL, NULL }, {} };

static inline void on_changed(bool ok, const char *text, void *arg)
{
        struct agent_side *a = arg;

        if (getenv("AMQP_TEST_VERBOSE"))
                fprintf(stderr, "%s\n", text);
        ck_assert_ptr_null(strstr(text, env("RABBITMQ_PASSWORD")));
        if (ok) {
                a->ups++;
        } else {
                a->downs++;
                snprintf(a->last_down, sizeof(a->last_down), "%s", text);
        }
}

static inline void on_refused(const struct error *why, void *arg)
{
        struct agent_side *a = arg;

        a->n_refused++;
        snprintf(a->last_refused, sizeof(a->last_refused), "%s", why->text);
}

static inline void YIELDS agent_prepare(const char *url)
{
        struct transport_options opt = { .changed = on_changed, .refused = on_refused, .arg = &agent };
        struct error err = {};

        agent = (struct agent_side){ .workers = tpool_new("test", 2, &err) };
        patcher_use_tpool(agent.workers);
        green_event_init(&agent.go, "go");
        agent.transport = transport_new_with(url, &opt, &err);
        ck_assert_msg(agent.transport != NULL, "%s", err.text);
}

static inline void YIELDS agent_start(const char *url)
{
        struct rpc_server_options opt = {
                .target = { .exchange = "nova", .topic = "compute", .server = "lab-compute" },
                .endpoints = endpoints,
        };
        struct error err = {};

        agent_prepare(url);
        opt.transport = agent.transport;
        agent.server = rpc_server_new(&opt, &err);
        ck_assert_ok(rpc_server_start(agent.server, &err), err);
}

static inline void YIELDS agent_stop(void)
{
        rpc_server_free(agent.server);
        transport_free(agent.transport);
        patcher_use_tpool(NULL);
        ck_assert_uint_eq(tpool_close(agent.workers, soon()), 0);
}

/* ---- the side of nova-api ---- */

struct client {
        struct amqp_url url;
        struct amqp_options options;
        struct amqp_conn *conn;
        struct green_chan *replies; /* struct amqp_delivery */
        char reply_q[UUID_HEX_LEN + sizeof("reply_")];
};

static int client_setup(struct amqp_conn *c, void *arg, struct error *err)
{
        struct client *k = arg;
        struct amqp_queue q = amqp_transient_queue(&k->options, k->reply_q);

        assert_green();
        if (amqp_declare_queue(c, &q, err) < 0)
                return -1;
        return amqp_start_consumer(c, k->reply_q, "1", err);
}

static void client_delivered(const struct amqp_delivery *d, void *arg)
{
        struct client *k = arg;

        assert_on_hub();
        ck_assert(green_chan_try_send(k->replies, d));
}

static inline void YIELDS client_start(struct client *k, const char *url)
{
        static const struct amqp_conn_ops ops = { .setup = client_setup, .delivered = client_delivered };
        struct amqp_conn_options opt = { .program = "test-client",
                                         .name = "test client",
                                         .confirms = true,
                                         .body_max = TRANSPORT_BODY_MAX,
                                         .ops = &ops };
        char id[UUID_HEX_LEN + 1];
        struct error err = {};

        *k = (struct client){};
        ck_assert_ok(amqp_url_parse(url, &k->url, &err), err);
        amqp_options_default(&k->options);
        ck_assert_ok(amqp_url_apply(&k->url, &k->options, &err), err);
        uuid_new_hex(id);
        snprintf(k->reply_q, sizeof(k->reply_q), "reply_%s", id);
        k->replies = green_chan_new("replies", sizeof(struct amqp_delivery), 1000);
        opt.url = &k->url;
        opt.options = &k->options;
        opt.arg = k;
        k->conn = amqp_conn_new(&opt, &err);
        ck_assert_msg(k->conn != NULL, "%s", err.text);
}

static inline void YIELDS client_stop(struct client *k)
{
        struct amqp_delivery d;

        amqp_conn_free(k->conn);
        while (green_chan_try_recv(k->replies, &d))
                free(d.body);
        green_chan_free(k->replies);
        amqp_url_free(&k->url);
}

struct sending {
        const char *method, *args;
        const char *key;       /* NULL: compute.lab-compute */
        const char *reply_q;   /* NULL: the client's */
        const char *unique_id; /* NULL: a new one */
        const char *version;   /* NULL: 6.0 */
        const char *ns;        /* NULL: none */
        int64_t timeout_s;     /* of the call monitor; 0: none */
        bool cast, fanout;
};

static inline void YIELDS client_send(struct client *k, const struct sending *s,
                                      char msg_id[UUID_HEX_LEN + 1])
{
        struct amqp_exchange e =
                s->fanout ? amqp_fanout_exchange("compute_fanout") : amqp_topic_exchange(&k->options, "nova");
        const char *text = s->args ? s->args : "{}";
        struct error err = {};
        struct jval CLEANUP(jval_unrefp) *args = jval_parse(text, strlen(text), &err);
        struct rpc_request r = { .method = (char *)s->method,
                                 .version = (char *)(s->version ? s->version : "6.0"),
                                 .ns = (char *)s->ns,
                                 .timeout_s = s->timeout_s,
                                 .unique_id = (char *)s->unique_id,
                                 .args = args };
        size_t len;
        char CLEANUP(freep) *body = NULL;
        struct amqp_publish p = { .exchange = &e };

        uuid_new_hex(msg_id);
        if (!s->cast) {
                r.msg_id = msg_id;
                r.reply_q = s->reply_q ? (char *)s->reply_q : k->reply_q;
        }
        body = envelope_encode_request(&r, &len);
        p.body = body;
        p.len = len;
        p.routing_key = s->fanout ? "" : s->key ? s->key : "compute.lab-compute";
        ck_assert_ok(amqp_conn_publish(k->conn, &p, soon(), &err), err);
}

/* The next reply, which must be the one to msg_id; the caller frees it. */
static inline struct rpc_reply YIELDS client_receive(struct client *k, const char *msg_id)
{
        struct amqp_delivery d;
        struct rpc_reply r;
        struct error err = {};

        ck_assert_ok(green_chan_recv(k->replies, &d, soon(), &err), err);
        ck_assert_ok(amqp_conn_ack(k->conn, d.tag, d.generation, soon(), &err), err);
        ck_assert_ok(envelope_decode_reply(d.body, d.len, &r, &err), err);
        free(d.body);
        ck_assert_str_eq(r.msg_id, msg_id);
        return r;
}

/* The same, and it is no failure. */
static inline struct jval *YIELDS client_reply(struct client *k, const char *msg_id)
{
        struct rpc_reply r = client_receive(k, msg_id);
        struct jval *result;

        ck_assert_msg(!r.failed, "%s: %s", r.class_name, r.message);
        result = take_ptr(&r.result);
        rpc_reply_free(&r);
        return result;
}

static inline struct jval *YIELDS client_call(struct client *k, const char *method, const char *args)
{
        struct sending s = { .method = method, .args = args };
        char id[UUID_HEX_LEN + 1];

        client_send(k, &s, id);
        return client_reply(k, id);
}

static inline void YIELDS until(bool (*true_now)(void), const char *what)
{
        struct deadline by = soon();
        struct error err;

        while (!true_now()) {
                ck_assert_msg(!deadline_passed(by), "waited in vain: %s", what);
                green_sleep(0.02, &err);
        }
}
