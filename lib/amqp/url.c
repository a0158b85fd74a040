/*
 * lib/amqp/url.c: taking a transport URL apart, in oslo's order.
 *
 * "?" ends what is before the options, the first "/" ends the hosts, "," parts them, and the last "@" of each
 * ends user and password. What is cut is percent-decoded afterwards, so a password may hold any of these
 * characters when it is written so.
 */
#include "amqp/url.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/url.h"

#define PORT_DEFAULT   5672
#define PARAMS_MAX     64
#define SHORT_TEXT_MAX 255 /* a short string of the protocol: names, vhost */

static int parse_user(struct amqp_host *h, const char *s, size_t len, struct error *err)
{
        const char *colon = memchr(s, ':', len);
        size_t user_len = colon ? (size_t)(colon - s) : len;

        h->user = url_decode(s, user_len, false, "transport URL", "user", err);
        if (!h->user)
                return -1;
        h->password =
                colon ? url_decode(colon + 1, len - user_len - 1, false, "transport URL", "password", err)
                      : xstrdup("");
        return h->password ? 0 : -1;
}

static int parse_host(struct amqp_url *u, const char *s, size_t len, struct error *err)
{
        struct amqp_host *h = &u->hosts[u->n_hosts];
        const char *at = memrchr(s, '@', len);

        if (u->n_hosts == AMQP_HOSTS_MAX)
                return error_set(err, ERR_INVALID, "transport URL: more than %d hosts", AMQP_HOSTS_MAX);
        u->n_hosts++;
        if (at) {
                if (parse_user(h, s, (size_t)(at - s), err) < 0)
                        return -1;
                len -= (size_t)(at - s) + 1;
                s = at + 1;
        } else {
                h->user = xstrdup(u->n_hosts > 1 ? h[-1].user : "guest");
                h->password = xstrdup(u->n_hosts > 1 ? h[-1].password : "guest");
        }
        h->port = PORT_DEFAULT;
        return url_address(s, len, "transport URL", &h->host, &h->port, err);
}

static int parse_hosts(struct amqp_url *u, const char *s, const char *end, struct error *err)
{
        for (;;) {
                const char *comma = memchr(s, ',', (size_t)(end - s));

                if (parse_host(u, s, (size_t)((comma ? comma : end) - s), err) < 0)
                        return -1;
                if (!comma)
                        return 0;
                s = comma + 1;
        }
}

/* What follows the "/" after the hosts; nothing is "/". */
static int parse_vhost(struct amqp_url *u, const char *s, size_t len, struct error *err)
{
        u->vhost = len ? url_decode(s, len, false, "transport URL", "vhost", err) : xstrdup("/");
        if (!u->vhost)
                return -1;
        if (strlen(u->vhost) > SHORT_TEXT_MAX)
                return error_set(err, ERR_INVALID, "transport URL: the vhost is longer than %d characters",
                                 SHORT_TEXT_MAX);
        return 0;
}

static int parse_params(struct amqp_url *u, const char *s, struct error *err)
{
        if (url_check_query(s, "transport URL", err) < 0)
                return -1;
        while (*s) {
                size_t len = strcspn(s, "&"), name_len = strcspn(s, "=&");

                if (len > 0) {
                        struct amqp_param *p;

                        if (u->n_params == PARAMS_MAX)
                                return error_set(err, ERR_INVALID, "transport URL: more than %d options",
                                                 PARAMS_MAX);
                        u->params = xrealloc(u->params, (u->n_params + 1) * sizeof(*u->params));
                        p = &u->params[u->n_params++];
                        *p = (struct amqp_param){};
                        p->name = url_decode(s, name_len, false, "transport URL", "options", err);
                        if (!p->name)
                                return -1;
                        if (name_len == len)
                                return error_set(err, ERR_INVALID,
                                                 "transport URL: option \"%.40s\" has no value", p->name);
                        p->value = url_decode(s + name_len + 1, len - name_len - 1, false, "transport URL",
                                              "options", err);
                        if (!p->value)
                                return -1;
                }
                s += len;
                if (*s == '&')
                        s++;
        }
        return 0;
}

static int parse(struct amqp_url *u, const char *url, struct error *err)
{
        static const char scheme[] = "rabbit://";
        struct amqp_options options;
        const char *s, *end, *slash;

        if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
                return error_set(err, ERR_INVALID,
                                 "transport URL: expected rabbit://user:password@host:port/vhost");
        s = url + sizeof(scheme) - 1;
        end = s + strcspn(s, "?");
        slash = memchr(s, '/', (size_t)(end - s));
        if (parse_hosts(u, s, slash ? slash : end, err) < 0 ||
            parse_vhost(u, slash ? slash + 1 : end, slash ? (size_t)(end - slash - 1) : 0, err) < 0)
                return -1;
        if (*end == '?' && parse_params(u, end + 1, err) < 0)
                return -1;
        amqp_options_default(&options);
        return amqp_url_apply(u, &options, err);
}

int amqp_url_parse(const char *url, struct amqp_url *ret, struct error *err)
{
        struct amqp_url u = {};

        if (parse(&u, url, err) < 0) {
                amqp_url_free(&u);
                return -1;
        }
        *ret = u;
        return 0;
}

int amqp_url_apply(const struct amqp_url *u, struct amqp_options *o, struct error *err)
{
        for (unsigned i = 0; i < u->n_params; i++)
                if (amqp_options_set(o, u->params[i].name, u->params[i].value, err) < 0)
                        return error_while(err, "transport URL");
        return 0;
}

void amqp_url_free(struct amqp_url *u)
{
        for (unsigned i = 0; i < u->n_hosts; i++) {
                struct amqp_host *h = &u->hosts[i];

                free(h->host);
                free(h->user);
                free_secret(h->password);
        }
        for (unsigned i = 0; i < u->n_params; i++) {
                free(u->params[i].name);
                free(u->params[i].value);
        }
        free(u->params);
        free(u->vhost);
        *u = (struct amqp_url){};
}

void amqp_url_describe(const struct amqp_url *u, char *buf, size_t size)
{
        size_t len = 0;

        for (unsigned i = 0; i < u->n_hosts; i++) {
                bool six = strchr(u->hosts[i].host, ':');
                int n = snprintf(buf + len, size - len, "%s%s%s%s:%u", i ? "," : "", six ? "[" : "",
                                 u->hosts[i].host, six ? "]" : "", u->hosts[i].port);

                if (n < 0 || (size_t)n >= size - len)
                        return;
                len += (size_t)n;
        }
        snprintf(buf + len, size - len, "/%s", strcmp(u->vhost, "/") ? u->vhost : "");
}
