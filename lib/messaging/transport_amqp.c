/*
 * lib/messaging/transport_amqp.c: RabbitMQ as a transport, as oslo.messaging uses it (nova-contract 1).
 *
 * Two connections: what is consumed comes over one, all that is published goes over the other, so a broker
 * that takes no messages for want of memory still delivers and hears our acknowledgements. Messages wait in
 * an inbox; when it is full the consumer's connection is not read, and the broker keeps the rest. Queues have
 * the same names after each reconnect, the fanout queue as long as the process lives.
 *
 * oslo has a pool of connections for publishing. Here many publishes are under way on one, none waits for
 * another's confirm, and nothing that is sent is large: beside a flood of casts of 100 kB a reply takes as
 * long as alone (0.3 ms there and back), beside one of 1 MiB 0.7 ms longer. So there is no pool.
 */
#include <stdio.h>
#include <string.h>

#include "amqp/connection.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "green/sync.h"
#include "messaging/dead_queues.h"
#include "messaging/envelope.h"
#include "messaging/transport_priv.h"

#define INBOX_MAX       1000
#define INBOX_BYTES_MAX (64u << 20)
#define NAME_LEN_MAX    255 /* of a queue or an exchange, by the protocol */
#define RETRY_S         0.25
#define SETTLE_S        60.0

struct amqp_transport {
        struct transport base;
        struct amqp_url url;
        struct amqp_options options;
        struct transport_options given;
        struct amqp_conn *consumer, *publisher; /* NULL until needed */
        char *exchange, *topic, *server_key, *fanout_exchange, *fanout_queue;
        bool stopped;   /* asked to */
        bool exhausted; /* nothing more will come */
        struct green_event consuming;
        struct list inbox; /* struct amqp_message */
        unsigned n_inbox;
        size_t inbox_bytes;
        struct green_cond arrived;
        struct dead_queues dead;
};

struct amqp_message {
        struct transport_message base;
        struct list node; /* in the inbox; then nowhere */
        uint64_t tag;
        unsigned long generation;
};

static struct amqp_transport *of(struct transport *t)
{
        return CONTAINER_OF(t, struct amqp_transport, base);
}

/* ---- the consumer's connection ---- */

static int YIELDS declare_topic_queue(struct amqp_transport *t, struct amqp_conn *c, const char *name,
                                      struct error *err)
{
        struct amqp_exchange e = amqp_topic_exchange(&t->options, t->exchange);
        struct amqp_queue q = amqp_topic_queue(&t->options, name);

        if (amqp_declare_exchange(c, &e, err) < 0 || amqp_declare_queue(c, &q, err) < 0)
                return -1;
        return amqp_bind(c, name, t->exchange, name, err);
}

static int YIELDS declare_fanout_queue(struct amqp_transport *t, struct amqp_conn *c, struct error *err)
{
        struct amqp_exchange e = amqp_fanout_exchange(t->fanout_exchange);
        struct amqp_queue q = amqp_transient_queue(&t->options, t->fanout_queue);

        if (amqp_declare_exchange(c, &e, err) < 0 || amqp_declare_queue(c, &q, err) < 0)
                return -1;
        return amqp_bind(c, t->fanout_queue, t->fanout_exchange, t->topic, err);
}

static int declare_and_consume(struct amqp_conn *c, void *arg, struct error *err)
{
        struct amqp_transport *t = arg;
        unsigned prefetch = (unsigned)t->options.rabbit_qos_prefetch_count;

        assert_green();
        if (declare_topic_queue(t, c, t->topic, err) < 0 ||
            declare_topic_queue(t, c, t->server_key, err) < 0 || declare_fanout_queue(t, c, err) < 0)
                return -1;
        if (prefetch && amqp_set_prefetch(c, prefetch, err) < 0)
                return -1;
        if (amqp_start_consumer(c, t->topic, "1", err) < 0 ||
            amqp_start_consumer(c, t->server_key, "2", err) < 0 ||
            amqp_start_consumer(c, t->fanout_queue, "3", err) < 0)
                return -1;
        green_event_set(&t->consuming);
        return 0;
}

/* The topic's queues stay: what is sent meanwhile waits there for the next start. */
static void cancel_and_delete(struct amqp_conn *c, void *arg)
{
        struct amqp_transport *t = arg;
        struct error err;

        assert_green();
        if (amqp_cancel_consumer(c, "1", &err) == 0 && amqp_cancel_consumer(c, "2", &err) == 0 &&
            amqp_cancel_consumer(c, "3", &err) == 0)
                amqp_delete_queue(c, t->fanout_queue, &err);
}

static void nothing_more(void *arg)
{
        struct amqp_transport *t = arg;

        assert_on_hub();
        t->exhausted = true;
        green_cond_broadcast(&t->arrived);
}

static void amqp_message_free(struct transport_message *base)
{
        struct amqp_message *m = CONTAINER_OF(base, struct amqp_message, base);

        assert_on_hub();
        free(m->base.body);
        free(m);
}

static void delivered(const struct amqp_delivery *d, void *arg)
{
        struct amqp_transport *t = arg;
        struct amqp_message *m = NEW(struct amqp_message);

        assert_on_hub();
        m->base = (struct transport_message){
                .body = d->body, .len = d->len, .transport = &t->base, .peer_uid = (unsigned)-1
        };
        m->tag = d->tag;
        m->generation = d->generation;
        list_append(&t->inbox, &m->node);
        t->n_inbox++;
        t->inbox_bytes += d->len;
        green_cond_signal(&t->arrived);
}

/* What nobody has acknowledged will be delivered again: running it now as well would be once too often. */
static void lost(void *arg)
{
        struct amqp_transport *t = arg;
        struct list *node;

        assert_on_hub();
        while ((node = list_pop(&t->inbox)))
                amqp_message_free(&CONTAINER_OF(node, struct amqp_message, node)->base);
        t->n_inbox = 0;
        t->inbox_bytes = 0;
}

static bool has_room(void *arg)
{
        const struct amqp_transport *t = arg;

        return t->n_inbox < INBOX_MAX && t->inbox_bytes < INBOX_BYTES_MAX;
}

/* Where one of the two gets through the other one need not wait any longer, for half a minute maybe. */
static void HUB_ONLY changed(const struct amqp_transport *t, const char *which, struct amqp_conn *other,
                             bool ok, const char *text)
{
        char line[ERROR_TEXT_MAX + 128];

        if (ok && other)
                amqp_conn_try_now(other);
        if (!t->given.changed)
                return;
        snprintf(line, sizeof(line), "broker (%s): %s", which, text);
        t->given.changed(ok, line, t->given.arg);
}

static void consumer_changed(bool ok, const char *text, void *arg)
{
        const struct amqp_transport *t = arg;

        assert_on_hub();
        changed(t, "consuming", t->publisher, ok, text);
}

static void publisher_changed(bool ok, const char *text, void *arg)
{
        const struct amqp_transport *t = arg;

        assert_on_hub();
        changed(t, "publishing", t->consumer, ok, text);
}

static void too_large(uint64_t len, void *arg)
{
        const struct amqp_transport *t = arg;
        struct error err;

        assert_on_hub();
        error_set(&err, ERR_LIMIT, "broker: a message of %llu bytes was rejected; %u are allowed",
                  (unsigned long long)len, TRANSPORT_BODY_MAX);
        if (t->given.refused)
                t->given.refused(&err, t->given.arg);
}

static const struct amqp_conn_ops consumer_ops = {
        .setup = declare_and_consume,
        .teardown = cancel_and_delete,
        .stopped = nothing_more,
        .delivered = delivered,
        .lost = lost,
        .has_room = has_room,
        .too_large = too_large,
        .changed = consumer_changed,
};
static const struct amqp_conn_ops publisher_ops = { .changed = publisher_changed };

static struct amqp_conn *YIELDS new_connection(struct amqp_transport *t, bool consuming, struct error *err)
{
        const struct amqp_conn_options opt = {
                .url = &t->url,
                .options = &t->options,
                .program = t->given.program ? t->given.program : "compute-agent",
                .name = consuming ? "amqp consumer" : "amqp publisher",
                .confirms = !consuming,
                .body_max = TRANSPORT_BODY_MAX,
                .ops = consuming ? &consumer_ops : &publisher_ops,
                .arg = t,
        };

        return amqp_conn_new(&opt, err);
}

static struct amqp_conn *YIELDS publisher(struct amqp_transport *t, struct error *err)
{
        if (!t->publisher)
                t->publisher = new_connection(t, false, err);
        return t->publisher;
}

/* ---- the interface ---- */

static int HUB_ONLY check_target(const struct transport_target *target, struct error *err)
{
        if (!target->exchange || !*target->exchange || !target->topic || !*target->topic || !target->server ||
            !*target->server)
                return error_set(err, ERR_INVALID, "a broker needs exchange, topic and server");
        if (strlen(target->topic) + strlen(target->server) + 1 > NAME_LEN_MAX ||
            strlen(target->topic) + UUID_HEX_LEN + strlen("_fanout_") > NAME_LEN_MAX ||
            strlen(target->exchange) > NAME_LEN_MAX)
                return error_set(err, ERR_INVALID, "names of queues have at most %d characters",
                                 NAME_LEN_MAX);
        return 0;
}

static int amqp_listen(struct transport *base, const struct transport_target *target, struct error *err)
{
        struct amqp_transport *t = of(base);
        char id[UUID_HEX_LEN + 1];

        assert_green();
        if (t->stopped)
                return error_set(err, ERR_CLOSED, "the transport was stopped");
        if (t->topic)
                return error_set(err, ERR_LIMIT, "more than one target");
        if (check_target(target, err) < 0)
                return -1;
        uuid_new_hex(id);
        t->exchange = xstrdup(target->exchange);
        t->topic = xstrdup(target->topic);
        t->server_key = xasprintf("%s.%s", target->topic, target->server);
        t->fanout_exchange = xasprintf("%s_fanout", target->topic);
        t->fanout_queue = xasprintf("%s_fanout_%s", target->topic, id);
        t->consumer = new_connection(t, true, err);
        if (!t->consumer || !publisher(t, err))
                return -1;
        return green_event_wait(&t->consuming, deadline_never(), err);
}

static int amqp_receive(struct transport *base, struct deadline by, struct transport_message **ret,
                        struct error *err)
{
        struct amqp_transport *t = of(base);
        struct amqp_message *m;

        assert_green();
        while (list_empty(&t->inbox)) {
                if (t->exhausted)
                        return error_set(err, ERR_CLOSED, "the transport was stopped");
                if (green_cond_wait(&t->arrived, by, err) < 0)
                        return -1;
        }
        m = CONTAINER_OF(list_pop(&t->inbox), struct amqp_message, node);
        if (!has_room(t) && t->consumer)
                amqp_conn_wake(t->consumer);
        t->n_inbox--;
        t->inbox_bytes -= m->base.len;
        *ret = &m->base;
        return 0;
}

/* When it fails the connection is gone, and the broker sends the message again. */
static int amqp_ack(struct transport_message *base, struct error *err)
{
        struct amqp_message *m = CONTAINER_OF(base, struct amqp_message, base);

        assert_green();
        return amqp_conn_ack(of(base->transport)->consumer, m->tag, m->generation, deadline_in_s(SETTLE_S),
                             err);
}

static void amqp_reject(struct transport_message *base)
{
        struct amqp_message *m = CONTAINER_OF(base, struct amqp_message, base);
        struct error err;

        assert_green();
        amqp_conn_reject(of(base->transport)->consumer, m->tag, m->generation, deadline_in_s(SETTLE_S), &err);
}

static int HUB_ONLY check_body(size_t len, struct error *err)
{
        if (len <= TRANSPORT_BODY_MAX)
                return 0;
        return error_set(err, ERR_LIMIT, "a message of %zu bytes; %u are allowed", len, TRANSPORT_BODY_MAX);
}

/* The caller may not have declared his queue yet, or may be reconnecting: hence the patience. */
static int YIELDS send_reply(struct amqp_transport *t, struct amqp_conn *c, const struct amqp_publish *p,
                             struct deadline by, struct error *err)
{
        struct deadline give_up =
                deadline_earlier(by, deadline_in_s((double)t->options.kombu_missing_consumer_retry_timeout));

        for (;;) {
                if (amqp_conn_publish(c, p, by, err) == 0)
                        return 0;
                if (err->code != ERR_NOT_FOUND)
                        return -1;
                if (deadline_earlier(give_up, deadline_in_s(RETRY_S)).ns == give_up.ns)
                        break;
                if (green_sleep(RETRY_S, err) < 0)
                        return -1;
        }
        dead_queues_add(&t->dead, p->routing_key);
        return error_set(err, ERR_CLOSED, "the caller is gone: no queue %.200s", p->routing_key);
}

static int amqp_reply(struct transport_message *m, const char *reply_q, const char *body, size_t len,
                      struct deadline by, struct error *err)
{
        struct amqp_transport *t = of(m->transport);
        struct amqp_publish p = { .routing_key = reply_q, .mandatory = true, .body = body, .len = len };
        struct amqp_conn *c;

        assert_green();
        if (!reply_q || !*reply_q || strlen(reply_q) > NAME_LEN_MAX)
                return error_set(err, ERR_CLOSED, "the request named no queue for its reply");
        if (check_body(len, err) < 0)
                return -1;
        if (dead_queues_has(&t->dead, reply_q))
                return error_set(err, ERR_CLOSED, "the caller is gone: no queue %.200s a moment ago",
                                 reply_q);
        c = publisher(t, err);
        return c ? send_reply(t, c, &p, by, err) : -1;
}

static int amqp_publish_to(struct transport *base, const struct transport_target *to, const char *body,
                           size_t len, struct deadline by, struct error *err)
{
        struct amqp_transport *t = of(base);
        CLEANUP(freep) char *name = NULL;
        CLEANUP(freep) char *key = NULL;
        struct amqp_exchange e;
        struct amqp_publish p = { .exchange = &e, .body = body, .len = len };
        struct amqp_conn *c;

        assert_green();
        if (check_body(len, err) < 0)
                return -1;
        if (!to->fanout && !to->exchange)
                return error_set(err, ERR_INVALID, "a broker needs an exchange");
        name = to->fanout ? xasprintf("%s_fanout", to->topic) : xstrdup(to->exchange);
        e = to->fanout ? amqp_fanout_exchange(name) : amqp_topic_exchange(&t->options, name);
        if (to->fanout)
                key = xstrdup("");
        else
                key = to->server ? xasprintf("%s.%s", to->topic, to->server) : xstrdup(to->topic);
        if (strlen(name) > NAME_LEN_MAX || strlen(key) > NAME_LEN_MAX)
                return error_set(err, ERR_INVALID, "names of queues have at most %d characters",
                                 NAME_LEN_MAX);
        p.routing_key = key;
        c = publisher(t, err);
        return c ? amqp_conn_publish(c, &p, by, err) : -1;
}

static void amqp_stop_consuming(struct transport *base)
{
        struct amqp_transport *t = of(base);

        assert_on_hub();
        if (t->stopped)
                return;
        t->stopped = true;
        if (t->consumer)
                amqp_conn_stop(t->consumer);
        else
                nothing_more(t);
}

static void amqp_free(struct transport *base)
{
        struct amqp_transport *t = of(base);

        assert_green();
        amqp_stop_consuming(base); /* the fanout queue does not outlive us */
        amqp_conn_free(take_ptr(&t->consumer));
        amqp_conn_free(take_ptr(&t->publisher));
        lost(t);
        dead_queues_free(&t->dead);
        amqp_url_free(&t->url);
        free(t->exchange);
        free(t->topic);
        free(t->server_key);
        free(t->fanout_exchange);
        free(t->fanout_queue);
        free(t);
}

static void HUB_ONLY describe_one(const struct amqp_conn *c, const char *what, struct strbuf *out,
                                  bool *ret_ok)
{
        struct amqp_conn_info i;

        amqp_conn_get_info(c, &i);
        *ret_ok = i.up && !i.blocked;
        if (i.up)
                strbuf_addf(out, ", %s %s%s", what, i.peer, i.blocked ? " (blocked by the broker)" : "");
        else
                strbuf_addf(out, ", not %s%s%s", what, *i.trouble ? ": " : "", i.trouble);
        if (i.connects > 1)
                strbuf_addf(out, ", connected %lu times so far", i.connects);
        if (i.queued + i.unconfirmed)
                strbuf_addf(out, ", %u to be sent, %u not confirmed yet", i.queued, i.unconfirmed);
        if (i.too_large)
                strbuf_addf(out, ", %lu messages were too large", i.too_large);
}

static void amqp_describe(struct transport *base, char *buf, size_t size, bool *ret_ok)
{
        const struct amqp_transport *t = of(base);
        CLEANUP(strbuf_free) struct strbuf text = {};
        bool in_ok = true, out_ok = true;
        char url[512];

        assert_on_hub();
        amqp_url_describe(&t->url, url, sizeof(url));
        if (t->consumer && !t->exhausted)
                describe_one(t->consumer, "consuming from", &text, &in_ok);
        if (t->publisher)
                describe_one(t->publisher, "publishing to", &text, &out_ok);
        snprintf(buf, size, "rabbit://%s%s", url, text.data ? text.data : "");
        *ret_ok = in_ok && out_ok;
}

static const struct transport_ops amqp_ops = {
        .scheme = "rabbit",
        .gives_back = true,
        .listen = amqp_listen,
        .receive = amqp_receive,
        .ack = amqp_ack,
        .reject = amqp_reject,
        .reply = amqp_reply,
        .publish = amqp_publish_to,
        .stop_consuming = amqp_stop_consuming,
        .message_free = amqp_message_free,
        .free = amqp_free,
        .describe = amqp_describe,
};

int transport_amqp_check(const char *url, struct error *err)
{
        struct amqp_url parsed;

        if (amqp_url_parse(url, &parsed, err) < 0)
                return -1;
        amqp_url_free(&parsed);
        return 0;
}

struct transport *transport_amqp_new(const char *url, const struct transport_options *opt, struct error *err)
{
        struct amqp_transport *t = NEW(struct amqp_transport);

        t->base.ops = &amqp_ops;
        t->given = *opt;
        if (opt->amqp)
                t->options = *opt->amqp;
        else
                amqp_options_default(&t->options);
        list_init(&t->inbox);
        green_event_init(&t->consuming, "amqp consuming");
        green_cond_init(&t->arrived, "rpc inbox");
        if (amqp_url_parse(url, &t->url, err) == 0 && amqp_url_apply(&t->url, &t->options, err) == 0) {
                if (!t->options.rabbit_quorum_queue || !t->options.rabbit_ha_queues)
                        return &t->base;
                error_set(err, ERR_INVALID, "rabbit_quorum_queue and rabbit_ha_queues exclude one another");
        }
        amqp_url_free(&t->url);
        free(t);
        return NULL;
}
