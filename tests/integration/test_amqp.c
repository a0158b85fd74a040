/* RPC over a real RabbitMQ: what is declared, what goes there and back. */
#include <unistd.h>

#include "amqp_fixture.h"

GREEN_TEST_REAL(a_call_goes_there_and_back)
{
        struct client k;
        struct jval *result;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        result = client_call(&k, "echo", "{\"a\": [1, \"\xc3\xa9\"]}");
        ck_assert_ptr_nonnull(jval_get(result, "a"));
        jval_unref(result);
        client_stop(&k);
        agent_stop();
}

/* Larger than a frame, than the socket's buffers, and as large as is allowed at all. */
GREEN_TEST_REAL(large_messages_are_put_together)
{
        static const size_t sizes[] = { 131000, 131072, 300000, 8u << 20 };
        struct client k;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                CLEANUP(freep) char *text = xmalloc(sizes[i] + 16);
                struct jval *result;
                const char *s;

                memset(text, 'x', sizes[i] + 16);
                memcpy(text, "{\"a\":\"", 6);
                memcpy(text + sizes[i] + 13, "\"}", 3);
                result = client_call(&k, "echo", text);
                s = jval_get_text(result, "a", "");
                ck_assert_uint_eq(strlen(s), sizes[i] + 7);
                jval_unref(result);
        }
        client_stop(&k);
        agent_stop();
}

static bool four_ran(void)
{
        return agent.ran == 4;
}

GREEN_TEST_REAL(casts_come_by_server_by_topic_and_to_all)
{
        const struct sending ways[] = {
                { .method = "count", .cast = true },
                { .method = "count", .cast = true, .key = "compute" },
                { .method = "count", .cast = true, .fanout = true },
                { .method = "count", .cast = true },
        };
        char id[UUID_HEX_LEN + 1];
        struct client k;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
                client_send(&k, &ways[i], id);
        until(four_ran, "four casts");
        client_stop(&k);
        agent_stop();
}

GREEN_TEST_REAL(the_same_message_twice_runs_once)
{
        const struct sending twice = { .method = "count",
                                       .cast = true,
                                       .unique_id = "0123456789abcdef0123456789abcdef" };
        struct rpc_server_stats stats;
        char id[UUID_HEX_LEN + 1];
        struct client k;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        client_send(&k, &twice, id);
        client_send(&k, &twice, id);
        jval_unref(client_call(&k, "echo", NULL)); /* behind both, in the same queue */
        ck_assert_uint_eq(agent.ran, 1);
        rpc_server_get_stats(agent.server, &stats);
        ck_assert_uint_eq(stats.duplicates, 1);
        client_stop(&k);
        agent_stop();
}

GREEN_TEST_REAL(garbage_is_rejected_and_the_next_message_read)
{
        struct amqp_exchange e;
        struct amqp_publish p = { .exchange = &e, .routing_key = "compute", .body = "{not json", .len = 9 };
        struct rpc_server_stats stats;
        struct client k;
        struct error err = {};

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        e = amqp_topic_exchange(&k.options, "nova");
        ck_assert_ok(amqp_conn_publish(k.conn, &p, soon(), &err), err);
        p.len = 0;
        ck_assert_ok(amqp_conn_publish(k.conn, &p, soon(), &err), err);
        jval_unref(client_call(&k, "echo", NULL));
        rpc_server_get_stats(agent.server, &stats);
        ck_assert_uint_eq(stats.rejected, 2);
        ck_assert_uint_eq(agent.ups, 2); /* the connections stayed */
        client_stop(&k);
        agent_stop();
}

/* More than we take: the broker is told, its next messages come over the same connection. */
GREEN_TEST_REAL(a_message_that_is_too_large_is_rejected_and_told)
{
        size_t len = TRANSPORT_BODY_MAX + 1;
        CLEANUP(freep) char *body = xcalloc(1, len);
        struct amqp_exchange e;
        struct amqp_publish p = { .exchange = &e, .routing_key = "compute", .body = body, .len = len };
        CLEANUP(freep) char *queues = NULL;
        struct client k;
        struct error err = {};

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        e = amqp_topic_exchange(&k.options, "nova");
        ck_assert_ok(amqp_conn_publish(k.conn, &p, soon(), &err), err);
        jval_unref(client_call(&k, "echo", NULL));
        ck_assert_uint_eq(agent.n_refused, 1);
        ck_assert_str_eq(agent.last_refused,
                         "broker: a message of 16777217 bytes was rejected; 16777216 are allowed");
        ck_assert_uint_eq(agent.ups, 2);
        queues = broker_ctl("list_queues", "name", "messages");
        ck_assert_msg(strstr(queues, "compute\t0\n") != NULL, "%s", queues); /* not put back */
        client_stop(&k);
        agent_stop();
}

/* nova-contract 1.4: while a call with _timeout runs, its caller hears each half of it that we live. */
GREEN_TEST_REAL(a_monitored_call_is_told_to_wait_until_its_reply)
{
        const struct sending slow = { .method = "sleep", .timeout_s = 2 };
        char id[UUID_HEX_LEN + 1];
        struct client k;
        struct rpc_reply r;
        unsigned beats = 0;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        client_send(&k, &slow, id);
        while (r = client_receive(&k, id), !r.ending) {
                ck_assert(!r.failed && jval_is_null(r.result));
                rpc_reply_free(&r);
                beats++;
        }
        ck_assert(!r.failed);
        rpc_reply_free(&r);
        ck_assert_uint_ge(beats, 2); /* of four: the method takes 4.5 seconds */
        client_stop(&k);
        agent_stop();
}

GREEN_TEST_REAL(a_call_that_nobody_can_serve_fails_as_oslos_dispatcher_says)
{
        static const struct {
                struct sending call;
                const char *class_name, *message;
        } calls[] = {
                { { .method = "nothing" }, "NoSuchMethod", "Endpoint does not support RPC method nothing" },
                { { .method = "_echo" }, "NoSuchMethod", "Endpoint does not support RPC method _echo" },
                { { .method = "echo", .version = "6.2" },
                  "UnsupportedVersion",
                  "Endpoint does not support RPC version 6.2. Attempted method: echo" },
                { { .method = "echo", .version = "1.0" },
                  "UnsupportedVersion",
                  "Endpoint does not support RPC version 1.0. Attempted method: echo" },
                { { .method = "ping", .ns = "controller" },
                  "UnsupportedVersion",
                  "Endpoint does not support RPC version 6.0. Attempted method: ping" },
        };
        char id[UUID_HEX_LEN + 1];
        struct client k;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                struct rpc_reply r;

                client_send(&k, &calls[i].call, id);
                r = client_receive(&k, id);
                ck_assert(r.failed && r.ending);
                ck_assert_str_eq(r.module, "oslo_messaging.rpc.dispatcher");
                ck_assert_str_eq(r.class_name, calls[i].class_name);
                ck_assert_str_eq(r.message, calls[i].message);
                rpc_reply_free(&r);
        }
        client_stop(&k);
        agent_stop();
}

/* Nothing is left in the queue: neither ready nor without an acknowledgement. */
GREEN_TEST_REAL(what_was_run_was_acknowledged)
{
        CLEANUP(freep) char *queues = NULL;
        struct client k;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        jval_unref(client_call(&k, "echo", NULL));
        queues = broker_ctl("list_queues", "name", "messages");
        ck_assert_msg(strstr(queues, "compute.lab-compute\t0\n") != NULL, "%s", queues);
        client_stop(&k);
        agent_stop();
}

GREEN_TEST_REAL(what_is_declared_is_what_nova_compute_declares)
{
        const char *argv[] = { TESTS "/integration/amqp_topology", env("RABBITMQ_SCRIPT"),
                               env("RABBITMQ_DIR"), TESTS "/data/amqp-topology.json", NULL };
        CLEANUP(freep) char *same = NULL;

        agent_start(env("RABBITMQ_URL"));
        same = output_of(argv);
        ck_assert_msg(same != NULL, "the topology differs");
        agent_stop();
}

GREEN_TEST_REAL(the_connection_says_who_it_is)
{
        CLEANUP(freep) char *list = NULL;
        CLEANUP(freep) char *name = xasprintf("compute-agent:%d:", getpid());

        agent_start(env("RABBITMQ_URL"));
        list = broker_ctl("list_connections", "client_properties", "timeout");
        ck_assert_msg(strstr(list, name) && strstr(list, "\"connection.blocked\",true") &&
                              strstr(list, "consumer_cancel_notify\",true") &&
                              strstr(list, "authentication_failure_close\",true") && strstr(list, "\t60\n"),
                      "%s", list);
        agent_stop();
}

GREEN_TEST_REAL(quorum_queues_are_declared_when_asked_for)
{
        CLEANUP(freep)
        char *url =
                xasprintf("%s?rabbit_quorum_queue=true&rabbit_quorum_delivery_limit=5", env("RABBITMQ_URL"));
        CLEANUP(freep) char *list = NULL;
        struct rpc_server_options opt = {
                .target = { .exchange = "quorum", .topic = "qcompute", .server = "host" },
                .endpoints = endpoints,
        };
        struct error err = {};

        agent_prepare(url);
        opt.transport = agent.transport;
        agent.server = rpc_server_new(&opt, &err);
        ck_assert_ok(rpc_server_start(agent.server, &err), err);
        list = broker_ctl("list_queues", "name", "arguments");
        ck_assert_msg(strstr(list, "qcompute.host\t[") && strstr(list, "{\"x-queue-type\",\"quorum\"}") &&
                              strstr(list, "{\"x-delivery-limit\",5}"),
                      "%s", list);
        agent_stop();
}

/* The queue of the topic stays and keeps what is sent meanwhile; the fanout queue goes. */
GREEN_TEST_REAL(after_the_stop_messages_wait_for_the_next_start)
{
        const struct sending cast = { .method = "count", .cast = true };
        CLEANUP(freep) char *queues = NULL;
        char id[UUID_HEX_LEN + 1];
        struct client k;
        struct error err = {};

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        jval_unref(client_call(&k, "echo", NULL));
        rpc_server_stop(agent.server);
        ck_assert_ok(rpc_server_wait(agent.server, soon(), &err), err);
        agent_stop();
        client_send(&k, &cast, id);
        queues = broker_ctl("list_queues", "name", "messages");
        ck_assert_msg(strstr(queues, "compute.lab-compute\t1\n") && !strstr(queues, "compute_fanout_"), "%s",
                      queues);
        agent_start(env("RABBITMQ_URL"));
        jval_unref(client_call(&k, "echo", NULL));
        ck_assert_uint_eq(agent.ran, 1);
        client_stop(&k);
        agent_stop();
}

static struct transport_message *YIELDS received(void)
{
        struct transport_message *m = NULL;
        struct error err = {};

        ck_assert_ok(transport_receive(agent.transport, soon(), &m, &err), err);
        ck_assert_ok(transport_ack(m, &err), err);
        return m;
}

GREEN_TEST_REAL(a_reply_without_its_queue_is_retried_then_remembered)
{
        const struct sending call = { .method = "echo", .reply_q = "reply_nobody" };
        const struct transport_target target = { .exchange = "nova",
                                                 .topic = "compute",
                                                 .server = "lab-compute" };
        CLEANUP(freep)
        char *url = xasprintf("%s?kombu_missing_consumer_retry_timeout=1", env("RABBITMQ_URL"));
        struct transport_message *m;
        char id[UUID_HEX_LEN + 1];
        struct client k;
        struct error err = {};
        int64_t begun;

        agent_prepare(url);
        ck_assert_ok(transport_listen(agent.transport, &target, &err), err);
        client_start(&k, env("RABBITMQ_URL"));
        client_send(&k, &call, id);
        m = received();
        begun = clock_now_ns();
        ck_assert_fails(transport_reply(m, "reply_nobody", "{}", 2, soon(), &err), err, ERR_CLOSED);
        ck_assert(clock_now_ns() - begun >= NS_PER_S / 2);
        ck_assert_ptr_nonnull(strstr(err.text, "no queue reply_nobody"));
        ck_assert_fails(transport_reply(m, "reply_nobody", "{}", 2, soon(), &err), err, ERR_CLOSED);
        ck_assert_ptr_nonnull(strstr(err.text, "a moment ago"));
        ck_assert_ok(transport_reply(m, k.reply_q, "{}", 2, soon(), &err), err);
        ck_assert_uint_eq(agent.ups, 2); /* none of it cost a connection */
        transport_message_free(m);
        client_stop(&k);
        agent_stop();
}

GREEN_TEST_REAL(casts_of_ours_reach_conductor_and_schedulers)
{
        const struct transport_target conductor = { .exchange = "nova", .topic = "conductor" };
        const struct transport_target schedulers = { .topic = "scheduler", .fanout = true };
        const struct transport_target self = { .exchange = "nova",
                                               .topic = "compute",
                                               .server = "lab-compute" };
        const char body[] = "{\"method\": \"count\", \"args\": {}, \"version\": \"6.0\"}";
        struct error err = {};

        agent_start(env("RABBITMQ_URL"));
        ck_assert_ok(transport_publish(agent.transport, &conductor, "{}", 2, soon(), &err), err);
        ck_assert_ok(transport_publish(agent.transport, &schedulers, "{}", 2, soon(), &err), err);
        for (int i = 0; i < 4; i++)
                ck_assert_ok(transport_publish(agent.transport, &self, body, strlen(body), soon(), &err),
                             err);
        until(four_ran, "four casts to ourselves");
        agent_stop();
}

GREEN_TEST_REAL(a_larger_body_than_allowed_is_refused)
{
        const struct transport_target to = { .exchange = "nova", .topic = "conductor" };
        CLEANUP(freep) char *body = xcalloc(1, TRANSPORT_BODY_MAX + 1);
        struct error err = {};

        agent_prepare(env("RABBITMQ_URL"));
        ck_assert_fails(transport_publish(agent.transport, &to, body, TRANSPORT_BODY_MAX + 1, soon(), &err),
                        err, ERR_LIMIT);
        agent_stop();
}

static int publisher(void *arg, struct error *err)
{
        const struct transport_target to = { .exchange = "nova", .topic = "conductor" };

        assert_green();
        return transport_publish(agent.transport, &to, "{}", 2, deadline_never(), err);
}

GREEN_TEST_REAL(who_still_publishes_at_the_end_is_told)
{
        struct error err = {}, why = {};
        struct green *g;

        agent_prepare("rabbit://nova:secret@127.0.0.1:1/");
        g = green_spawn_ref(NULL, "publisher", publisher, NULL, &err);
        ck_assert_int_eq(green_sleep(0.05, &err), 0);
        ck_assert(!green_ended(g));
        agent_stop();
        ck_assert_ok(green_join(g, soon(), &why, &err), err);
        ck_assert_int_eq(why.code, ERR_CLOSED);
        green_unref(g);
}

static int listener(void *arg, struct error *err)
{
        const struct transport_target target = { .exchange = "nova", .topic = "compute", .server = "h" };

        assert_green();
        return transport_listen(agent.transport, &target, err);
}

GREEN_TEST_REAL(waits_can_time_out_and_be_cancelled)
{
        const struct transport_target to = { .exchange = "nova", .topic = "conductor" };
        struct transport_message *m;
        struct error err = {}, why = {};
        struct green *g;

        agent_prepare("rabbit://nova:secret@127.0.0.1:1/");
        ck_assert_fails(transport_publish(agent.transport, &to, "{}", 2, deadline_in_ms(200), &err), err,
                        ERR_TIMEOUT);
        ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1:1"));
        ck_assert_fails(transport_receive(agent.transport, deadline_in_ms(10), &m, &err), err, ERR_TIMEOUT);
        g = green_spawn_ref(NULL, "listener", listener, NULL, &err);
        ck_assert_int_eq(green_sleep(0.05, &err), 0);
        green_cancel(g);
        ck_assert_ok(green_join(g, soon(), &why, &err), err);
        ck_assert_int_eq(why.code, ERR_CANCELLED);
        green_unref(g);
        agent_stop();
}

UNIT_SUITE_FIXTURE("amqp", patch, NULL, a_call_goes_there_and_back, large_messages_are_put_together,
                   casts_come_by_server_by_topic_and_to_all, the_same_message_twice_runs_once,
                   garbage_is_rejected_and_the_next_message_read,
                   a_message_that_is_too_large_is_rejected_and_told,
                   a_monitored_call_is_told_to_wait_until_its_reply,
                   a_call_that_nobody_can_serve_fails_as_oslos_dispatcher_says, what_was_run_was_acknowledged,
                   what_is_declared_is_what_nova_compute_declares, the_connection_says_who_it_is,
                   quorum_queues_are_declared_when_asked_for, after_the_stop_messages_wait_for_the_next_start,
                   a_reply_without_its_queue_is_retried_then_remembered,
                   casts_of_ours_reach_conductor_and_schedulers, a_larger_body_than_allowed_is_refused,
                   who_still_publishes_at_the_end_is_told, waits_can_time_out_and_be_cancelled)
