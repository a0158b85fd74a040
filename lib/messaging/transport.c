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
        int (*check)(const char *url, struct error *err);
} schemes[] = {
        { "unix", transport_unix_new, transport_unix_check },
        { "rabbit", transport_amqp_new, transport_amqp_check },
};

/* -1: none. Errors name only the scheme: what follows it may hold a password. */
static int scheme_of(const char *url, struct error *err)
{
        size_t len = strcspn(url, ":");

        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
                if (url[len] == ':' && strlen(schemes[i].scheme) == len &&
                    strncmp(url, schemes[i].scheme, len) == 0)
                        return (int)i;
        if (url[len] == ':' && len > 0)
                return error_set(err, ERR_UNSUPPORTED,
                                 "transport \"%.*s\" is not supported (unix:/path and rabbit:// are)",
                                 (int)(len < 32 ? len : 32), url);
        return error_set(err, ERR_INVALID,
                         "transport URL has no scheme (expected unix:/path or rabbit://...)");
}

int transport_check_url(const char *url, struct error *err)
{
        int scheme = scheme_of(url, err);

        return scheme < 0 ? -1 : schemes[scheme].check(url, err);
}

bool transport_url_is_local(const char *url)
{
        return strncmp(url, "unix:", 5) == 0;
}

struct transport *transport_new(const char *url, struct error *err)
{
        const struct transport_options none = {};

        return transport_new_with(url, &none, err);
}

struct transport *transport_new_with(const char *url, const struct transport_options *opt, struct error *err)
{
        int scheme = scheme_of(url, err);

        return scheme < 0 ? NULL : schemes[scheme].make(url, opt, err);
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
