/* RPC over a real RabbitMQ that dies, comes back, takes no messages, refuses us; and over TLS. */
#include "amqp_fixture.h"

static bool both_lost(void)
{
        return agent.downs >= 2;
}

static bool both_back(void)
{
        return agent.ups >= 4;
}

static void YIELDS check_described(bool want_ok, const char *part)
{
        char text[2048];
        bool ok;

        transport_describe(agent.transport, text, sizeof(text), &ok);
        ck_assert_msg(ok == want_ok && strstr(text, part), "%s", text);
        ck_assert_ptr_null(strstr(text, env("RABBITMQ_PASSWORD")));
}

/* Its queues are not durable: they are gone with it, and must all be there again. */
GREEN_TEST_REAL(after_a_restart_of_the_broker_everything_is_declared_again)
{
        const char *argv[] = { TESTS "/integration/amqp_topology", env("RABBITMQ_SCRIPT"),
                               env("RABBITMQ_DIR"), TESTS "/data/amqp-topology.json", NULL };
        CLEANUP(freep) char *same = NULL;
        struct client k;

        agent_start(env("RABBITMQ_URL"));
        client_start(&k, env("RABBITMQ_URL"));
        jval_unref(client_call(&k, "echo", NULL));
        broker("kill");
        until(both_lost, "both connections are lost");
        check_described(false, "not consuming");
        broker("start");
        until(both_back, "both connections are there again");
        check_described(true, "consuming from 127.0.0.1");
        check_described(true, "connected 2 times so far");
        jval_unref(client_call(&k, "echo", NULL));
        same = output_of(argv);
        ck_assert_msg(same != NULL, "the topology differs");
        client_stop(&k);
        agent_stop();
}

static const struct client *waiting;

static bool cannot_connect(void)
{
        struct amqp_conn_info info;

        assert_on_hub();
        amqp_conn_get_info(waiting->conn, &info);
        return strstr(info.trouble, "cannot connect") != NULL;
}

static bool connected_once_more(void)
{
        static unsigned long connects;
        struct amqp_conn_info info;

        assert_on_hub();
        amqp_conn_get_info(waiting->conn, &info);
        if (!info.up || info.connects == connects)
                return false;
        connects = info.connects;
        return true;
}

/* Its next attempt by itself would be an hour away. */
GREEN_TEST_REAL(who_is_told_that_the_broker_is_back_does_not_wait_out_the_pause)
{
        CLEANUP(freep)
        char *url = xasprintf("%s?rabbit_retry_interval=3600&rabbit_interval_max=3600", env("RABBITMQ_URL"));
        static struct client k;

        client_start(&k, url);
        waiting = &k;
        until(connected_once_more, "it is connected");
        broker("kill");
        until(cannot_connect, "an attempt fails");
        broker("start");
        ck_assert(!connected_once_more());
        amqp_conn_try_now(k.conn);
        until(connected_once_more, "it is connected again");
        client_stop(&k);
}

static int publish_one(void *arg, struct error *err)
{
        const struct transport_target to = { .exchange = "nova", .topic = "conductor" };

        assert_green();
        return transport_publish(agent.transport, &to, "{}", 2, soon(), err);
}

GREEN_TEST_REAL(what_is_published_without_a_broker_waits_for_it)
{
        struct error err = {}, why = {};
        struct green *g;

        agent_start(env("RABBITMQ_URL"));
        broker("kill");
        until(both_lost, "both connections are lost");
        g = green_spawn_ref(NULL, "publish", publish_one, NULL, &err);
        ck_assert_int_eq(green_sleep(0.1, &err), 0);
        ck_assert(!green_ended(g));
        check_described(false, "1 to be sent, 0 not confirmed yet");
        broker("start");
        ck_assert_ok(green_join(g, soon(), &why, &err), err);
        ck_assert_msg(why.code == 0, "%s", why.text);
        green_unref(g);
        agent_stop();
}

GREEN_TEST_REAL(a_host_that_is_dead_is_passed_over)
{
        CLEANUP(freep)
        char *url = xasprintf("rabbit://nova:%s@127.0.0.1:1,127.0.0.1:2,127.0.0.1:%s/",
                              env("RABBITMQ_PASSWORD"), env("RABBITMQ_PORT"));

        agent_start(url);
        check_described(true, "consuming from 127.0.0.1");
        agent_stop();
}

/* ---- two nodes that know nothing of each other ---- */

static char *second_dir, *second_url; /* of the second node */

static void YIELDS start_second(void)
{
        const char *argv[] = { env("RABBITMQ_SCRIPT"), "start", NULL, NULL };
        CLEANUP(freep) char *vars = NULL;
        char *at, *end;

        second_dir = xasprintf("%s.second", env("RABBITMQ_DIR"));
        argv[2] = second_dir;
        vars = output_of(argv);
        ck_assert_ptr_nonnull(vars);
        at = strstr(vars, "RABBITMQ_URL='rabbit://");
        ck_assert_ptr_nonnull(at);
        at += strlen("RABBITMQ_URL='rabbit://");
        end = strchr(at, '/');
        ck_assert_ptr_nonnull(end);
        second_url = xstrndup(at, (size_t)(end - at));
}

static bool on_second(void)
{
        const char *port = strrchr(second_url, ':');
        char text[2048], want[64];
        bool ok;

        assert_on_hub();
        transport_describe(agent.transport, text, sizeof(text), &ok);
        snprintf(want, sizeof(want), "consuming from 127.0.0.1%s", port);
        return ok && strstr(text, want);
}

GREEN_TEST_REAL(when_one_of_two_hosts_dies_the_other_takes_over)
{
        CLEANUP(freep) char *url = NULL;
        CLEANUP(freep) char *client_url = NULL;
        struct client k;

        start_second();
        url = xasprintf("rabbit://nova:%s@127.0.0.1:%s,%s/", env("RABBITMQ_PASSWORD"), env("RABBITMQ_PORT"),
                        second_url);
        client_url = xasprintf("rabbit://%s/", second_url);
        agent_start(url);
        broker("kill"); /* it may be that one, or not */
        until(on_second, "all on the second host");
        client_start(&k, client_url);
        jval_unref(client_call(&k, "echo", NULL));
        client_stop(&k);
        agent_stop();
        broker("start");
        free(second_dir);
        free(second_url);
}

/* ---- a broker that is out of memory ---- */

static unsigned beats;

static int ticker(void *arg, struct error *err)
{
        assert_green();
        for (;;) {
                beats++;
                if (green_sleep(0.005, err) < 0)
                        return -1;
        }
}

static bool is_blocked(void)
{
        return strstr(agent.last_down, "takes no messages") != NULL;
}

static bool publishes_again(void)
{
        return agent.ups >= 3;
}

/* The first one finds out; after that nothing is even written. */
GREEN_TEST_REAL(a_broker_without_memory_costs_publishers_their_deadline_and_nobody_else)
{
        const struct transport_target to = { .exchange = "nova", .topic = "conductor" };
        struct error err = {};
        unsigned before;

        agent_start(env("RABBITMQ_URL"));
        ck_assert_int_eq(green_spawn(NULL, "ticker", ticker, NULL, &err), 0);
        free(broker_ctl("set_vm_memory_high_watermark", "absolute", "1"));
        ck_assert_fails(transport_publish(agent.transport, &to, "{}", 2, deadline_in_ms(500), &err), err,
                        ERR_TIMEOUT);
        until(is_blocked, "the broker says that it is blocked");
        check_described(false, "blocked by the broker");
        before = beats;
        ck_assert_fails(transport_publish(agent.transport, &to, "{}", 2, deadline_in_ms(500), &err), err,
                        ERR_TIMEOUT);
        ck_assert_msg(strstr(err.text, "takes no messages"), "%s", err.text);
        ck_assert_msg(beats > before, "the hub stood still");
        free(broker_ctl("set_vm_memory_high_watermark", "0.6", NULL));
        until(publishes_again, "the broker takes messages again");
        ck_assert_ok(transport_publish(agent.transport, &to, "{}", 2, soon(), &err), err);
        ck_assert_uint_eq(agent.downs, 1); /* no connection was lost */
        agent_stop();
}

/* More than the sockets hold: the owner sits in the middle of a message when the deadline passes. */
GREEN_TEST_REAL(half_a_message_is_given_up_with_its_connection)
{
        const struct transport_target to = { .exchange = "nova", .topic = "conductor" };
        size_t len = TRANSPORT_BODY_MAX;
        CLEANUP(freep) char *body = xcalloc(1, len);
        struct error err = {};
        unsigned before;

        agent_start(env("RABBITMQ_URL"));
        ck_assert_ok(transport_publish(agent.transport, &to, "{}", 2, soon(), &err), err);
        ck_assert_int_eq(green_spawn(NULL, "ticker", ticker, NULL, &err), 0);
        free(broker_ctl("set_vm_memory_high_watermark", "absolute", "1"));
        before = beats;
        for (int i = 0; i < 3; i++)
                ck_assert_fails(transport_publish(agent.transport, &to, body, len, deadline_in_ms(500), &err),
                                err, ERR_TIMEOUT);
        ck_assert_msg(beats > before, "the hub stood still");
        free(broker_ctl("set_vm_memory_high_watermark", "0.6", NULL));
        ck_assert_ok(transport_publish(agent.transport, &to, "{}", 2, soon(), &err), err);
        agent_stop();
}

/* The broker gives up a peer that is silent for two intervals of one second. */
GREEN_TEST_REAL(heartbeats_go_on_while_a_handler_sleeps)
{
        CLEANUP(freep) char *url = xasprintf("%s?heartbeat_timeout_threshold=1", env("RABBITMQ_URL"));
        struct client k;

        agent_start(url);
        client_start(&k, url);
        jval_unref(client_call(&k, "sleep", NULL));
        ck_assert_uint_eq(agent.downs, 0);
        ck_assert_uint_eq(agent.ups, 2);
        client_stop(&k);
        agent_stop();
}

/* ---- refused ---- */

static bool refused(void)
{
        return agent.downs >= 2;
}

static void YIELDS check_refused(const char *url, const char *why)
{
        struct error err = {};
        struct green *g;

        agent_prepare(url);
        g = green_spawn_ref(NULL, "publish", publish_one, NULL, &err);
        until(refused, why);
        ck_assert_msg(strstr(agent.last_down, why) && strstr(agent.last_down, "trying again"), "%s",
                      agent.last_down);
        green_cancel(g);
        ck_assert_ok(green_join(g, soon(), NULL, &err), err);
        green_unref(g);
        agent_stop();
}

GREEN_TEST_REAL(a_wrong_password_is_said_and_tried_again)
{
        CLEANUP(freep)
        char *url =
                xasprintf("rabbit://nova:wrong@127.0.0.1:%s/?rabbit_retry_interval=0", env("RABBITMQ_PORT"));

        check_refused(url, "403 ACCESS_REFUSED");
        ck_assert_ptr_null(strstr(agent.last_down, "wrong"));
}

GREEN_TEST_REAL(an_unknown_vhost_is_said)
{
        CLEANUP(freep) char *url = xasprintf("%snowhere?rabbit_retry_interval=0", env("RABBITMQ_URL"));

        check_refused(url, "nowhere");
}

/* ---- TLS ---- */

static char *tls_url(const char *host, const char *ca, const char *more)
{
        return xasprintf("rabbit://nova:%s@%s:%s/?ssl=true&rabbit_retry_interval=0&ssl_ca_file=%s%s",
                         env("RABBITMQ_PASSWORD"), host, env("RABBITMQ_TLS_PORT"), ca, more);
}

GREEN_TEST_REAL(calls_go_over_tls)
{
        CLEANUP(freep)
        char *url = tls_url("localhost", env("RABBITMQ_CA"), "&ssl_enforce_hostname_verification=true");
        CLEANUP(freep) char *text = xmalloc(400016);
        struct client k;

        memset(text, 'x', 400016);
        memcpy(text, "{\"a\":\"", 6);
        memcpy(text + 400013, "\"}", 3);
        agent_start(url);
        client_start(&k, url);
        jval_unref(client_call(&k, "echo", text));
        client_stop(&k);
        agent_stop();
}

GREEN_TEST_REAL(a_certificate_of_another_authority_is_refused)
{
        CLEANUP(freep) char *url = tls_url("127.0.0.1", env("RABBITMQ_OTHER_CA"), "");

        check_refused(url, "SSL");
}

UNIT_SUITE_FIXTURE("amqp-faults", patch, NULL, after_a_restart_of_the_broker_everything_is_declared_again,
                   who_is_told_that_the_broker_is_back_does_not_wait_out_the_pause,
                   what_is_published_without_a_broker_waits_for_it, a_host_that_is_dead_is_passed_over,
                   when_one_of_two_hosts_dies_the_other_takes_over,
                   a_broker_without_memory_costs_publishers_their_deadline_and_nobody_else,
                   half_a_message_is_given_up_with_its_connection, heartbeats_go_on_while_a_handler_sleeps,
                   a_wrong_password_is_said_and_tried_again, an_unknown_vhost_is_said, calls_go_over_tls,
                   a_certificate_of_another_authority_is_refused)
