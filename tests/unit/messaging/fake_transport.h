/*
 * tests/unit/messaging/fake_transport.h: a transport without any I/O, whose every call is written down.
 *
 * It also shows what the interface asks of a second transport: AMQP is another table of the same functions.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "green/sync.h"
#include "messaging/transport.h"

struct fake_transport {
        struct transport base;
        struct strbuf log; /* "listen compute;ack;reply q1;" */
        struct list inbox;
        struct green_cond arrived;
        bool stopped;
        unsigned messages; /* not yet freed */
        char *replies[32]; /* bodies */
        int64_t reply_ms[32];
        unsigned n_replies;
        int reply_fails; /* code of the error that replies end with */
        int listen_fails, ack_fails;
};

struct fake_message {
        struct transport_message base;
        struct list node;
};

static struct fake_transport *fake_of(struct transport *t)
{
        return CONTAINER_OF(t, struct fake_transport, base);
}

static int fake_listen(struct transport *t, const struct transport_target *target, struct error *err)
{
        struct fake_transport *f = fake_of(t);

        if (f->listen_fails)
                return error_set(err, f->listen_fails, "listening");
        strbuf_addf(&f->log, "listen %s;", target->topic);
        return 0;
}

static int fake_receive(struct transport *t, struct deadline by, struct transport_message **ret,
                        struct error *err)
{
        struct fake_transport *f = fake_of(t);

        assert_green();
        while (list_empty(&f->inbox)) {
                if (f->stopped)
                        return error_set(err, ERR_CLOSED, "stopped");
                if (green_cond_wait(&f->arrived, by, err) < 0)
                        return -1;
        }
        *ret = &CONTAINER_OF(list_pop(&f->inbox), struct fake_message, node)->base;
        return 0;
}

static int fake_ack(struct transport_message *m, struct error *err)
{
        struct fake_transport *f = fake_of(m->transport);

        strbuf_adds(&f->log, f->ack_fails ? "ack fails;" : "ack;");
        return f->ack_fails ? error_set(err, f->ack_fails, "acknowledging") : 0;
}

static void fake_reject(struct transport_message *m)
{
        strbuf_adds(&fake_of(m->transport)->log, "reject;");
}

static int fake_reply(struct transport_message *m, const char *reply_q, const char *body, size_t len,
                      struct deadline by, struct error *err)
{
        struct fake_transport *f = fake_of(m->transport);

        (void)by;
        strbuf_addf(&f->log, "reply %s;", reply_q);
        if (f->reply_fails)
                return error_set(err, f->reply_fails, "replying");
        f->reply_ms[f->n_replies] = clock_fake_elapsed_ms();
        f->replies[f->n_replies++] = xmemdup(body, len);
        return 0;
}

static int fake_publish(struct transport *t, const struct transport_target *to, const char *body, size_t len,
                        struct deadline by, struct error *err)
{
        (void)t, (void)body, (void)len, (void)by;
        return error_set(err, ERR_NOT_FOUND, "%s", to->topic);
}

static void fake_stop(struct transport *t)
{
        assert_on_hub();
        fake_of(t)->stopped = true;
        green_cond_broadcast(&fake_of(t)->arrived);
}

static void fake_message_free(struct transport_message *m)
{
        fake_of(m->transport)->messages--;
        free(m->body);
        free(CONTAINER_OF(m, struct fake_message, base));
}

static void fake_free(struct transport *t)
{
        struct fake_transport *f = fake_of(t);

        while (f->n_replies)
                free(f->replies[--f->n_replies]);
        strbuf_free(&f->log);
}

static void fake_describe(struct transport *t, char *buf, size_t size, bool *ret_ok)
{
        (void)t;
        snprintf(buf, size, "fake");
        *ret_ok = true;
}

static const struct transport_ops fake_ops = {
        .scheme = "fake",
        .listen = fake_listen,
        .receive = fake_receive,
        .ack = fake_ack,
        .reject = fake_reject,
        .reply = fake_reply,
        .publish = fake_publish,
        .stop_consuming = fake_stop,
        .message_free = fake_message_free,
        .free = fake_free,
        .describe = fake_describe,
};

static void HUB_ONLY fake_init(struct fake_transport *f)
{
        *f = (struct fake_transport){ .base.ops = &fake_ops };
        list_init(&f->inbox);
        green_cond_init(&f->arrived, "fake inbox");
}

static void HUB_ONLY fake_deliver(struct fake_transport *f, const char *body)
{
        struct fake_message *m = NEW(struct fake_message);

        m->base.body = xstrdup(body);
        m->base.len = strlen(body);
        m->base.transport = &f->base;
        m->base.peer_uid = (unsigned)-1;
        f->messages++;
        list_append(&f->inbox, &m->node);
        green_cond_signal(&f->arrived);
}
