/*
 * lib/messaging/transport.c: the table of schemes, and one call through it for each operation.
 *
 * A transport is added by a row and a file; nothing above this one learns of it.
 */
#include "messaging/transport.h"

#include <string.h>

#include "base/list.h"
#include "messaging/transport_priv.h"

static const struct {
        const char *scheme;
        struct transport *(*make)(const char *url, const struct transport_options *opt, struct error *err);
} schemes[] = {
        { "unix", transport_unix_new },
        { "rabbit", transport_amqp_new },
};

struct transport *transport_new(const char *url, struct error *err)
{
        const struct transport_options none = {};

        return transport_new_with(url, &none, err);
}

struct transport *transport_new_with(const char *url, const struct transport_options *opt, struct error *err)
{
        size_t len = strcspn(url, ":");

        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
                if (url[len] == ':' && strlen(schemes[i].scheme) == len &&
                    strncmp(url, schemes[i].scheme, len) == 0)
                        return schemes[i].make(url, opt, err);
        }
        /* Only the scheme: what follows it may hold a password. */
        if (url[len] == ':' && len > 0)
                error_set(err, ERR_UNSUPPORTED,
                          "transport \"%.*s\" is not supported (unix:/path and rabbit:// are)",
                          (int)(len < 32 ? len : 32), url);
        else
                error_set(err, ERR_INVALID,
                          "transport URL has no scheme (expected unix:/path or rabbit://...)");
        return NULL;
}

int transport_listen(struct transport *t, const struct transport_target *target, struct error *err)
{
        return t->ops->listen(t, target, err);
}

int transport_receive(struct transport *t, struct deadline by, struct transport_message **ret,
                      struct error *err)
{
        return t->ops->receive(t, by, ret, err);
}

int transport_ack(struct transport_message *m, struct error *err)
{
        return m->transport->ops->ack(m, err);
}

void transport_reject(struct transport_message *m)
{
        m->transport->ops->reject(m);
}

int transport_reply(struct transport_message *m, const char *reply_q, const char *body, size_t len,
                    struct deadline by, struct error *err)
{
        return m->transport->ops->reply(m, reply_q, body, len, by, err);
}

int transport_publish(struct transport *t, const struct transport_target *to, const char *body, size_t len,
                      struct deadline by, struct error *err)
{
        return t->ops->publish(t, to, body, len, by, err);
}

void transport_stop_consuming(struct transport *t)
{
        t->ops->stop_consuming(t);
}

void transport_free(struct transport *t)
{
        if (t)
                t->ops->free(t);
}

void transport_message_free(struct transport_message *m)
{
        if (m)
                m->transport->ops->message_free(m);
}

void transport_describe(struct transport *t, char *buf, size_t size, bool *ret_ok)
{
        t->ops->describe(t, buf, size, ret_ok);
}
