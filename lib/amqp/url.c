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

#define PORT_DEFAULT   5672
#define PARAMS_MAX     64
#define SHORT_TEXT_MAX 255 /* a short string of the protocol: names, vhost */

static int hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A decoded copy. %00 is refused: it would cut the text short for everyone who reads it. */
static char *decode(const char *s, size_t len, const char *what, struct error *err)
{
        CLEANUP(freep) char *out = xmalloc(len + 1);
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                int high, low;

                if (s[i] != '%') {
                        out[n++] = s[i];
                        continue;
                }
                high = len - i > 2 ? hex(s[i + 1]) : -1;
                low = len - i > 2 ? hex(s[i + 2]) : -1;
                if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                        error_set(err, ERR_INVALID,
                                  "transport URL: a %% in the %s needs two hexadecimal digits (%%25 for %% "
                                  "itself)",
                                  what);
                        return NULL;
                }
                out[n++] = (char)(high * 16 + low);
                i += 2;
        }
        out[n] = '\0';
        return take_ptr(&out);
}

static int parse_port(struct amqp_host *h, const char *s, size_t len, struct error *err)
{
        unsigned long port = 0;

        for (size_t i = 0; i < len; i++) {
                if (s[i] < '0' || s[i] > '9')
                        port = 65536;
                else if (port < 65536)
                        port = port * 10 + (unsigned long)(s[i] - '0');
        }
        if (!len || port < 1 || port > 65535)
                return error_set(err, ERR_INVALID, "transport URL: the port is a number from 1 to 65535");
        h->port = (unsigned)port;
        return 0;
}

/* host, host:port, [::1]:port, or nothing. */
static int parse_address(struct amqp_host *h, const char *s, size_t len, struct error *err)
{
        const char *end = s + len, *rest;
        size_t host_len;

        if (len && *s == '[') {
                const char *close = memchr(s, ']', len);

                if (!close)
                        return error_set(err, ERR_INVALID,
                                         "transport URL: the address has no closing bracket");
                host_len = (size_t)(close - s - 1);
                rest = close + 1;
                s++;
        } else {
                rest = memchr(s, ':', len);
                if (!rest)
                        rest = end;
                host_len = (size_t)(rest - s);
        }
        for (size_t i = 0; i < host_len; i++)
                if (strchr("@%\\ \t", s[i]) || (unsigned char)s[i] < 0x20)
                        return error_set(
                                err, ERR_INVALID,
                                "transport URL: a host has a character that no host has; write @ : / "
                                ", %% in a password as %%40 %%3A %%2F %%2C %%25");
        h->host = host_len ? xstrndup(s, host_len) : xstrdup("localhost");
        h->port = PORT_DEFAULT;
        if (rest == end)
                return 0;
        if (*rest != ':')
                return error_set(err, ERR_INVALID, "transport URL: only a port may follow an address");
        return parse_port(h, rest + 1, (size_t)(end - rest - 1), err);
}

static int parse_user(struct amqp_host *h, const char *s, size_t len, struct error *err)
{
        const char *colon = memchr(s, ':', len);
        size_t user_len = colon ? (size_t)(colon - s) : len;

        h->user = decode(s, user_len, "user", err);
        if (!h->user)
                return -1;
        h->password = colon ? decode(colon + 1, len - user_len - 1, "password", err) : xstrdup("");
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
        return parse_address(h, s, len, err);
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
        u->vhost = len ? decode(s, len, "vhost", err) : xstrdup("/");
        if (!u->vhost)
                return -1;
        if (strlen(u->vhost) > SHORT_TEXT_MAX)
                return error_set(err, ERR_INVALID, "transport URL: the vhost is longer than %d characters",
                                 SHORT_TEXT_MAX);
        return 0;
}

static int parse_params(struct amqp_url *u, const char *s, struct error *err)
{
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
                        p->name = decode(s, name_len, "options", err);
                        if (!p->name)
                                return -1;
                        if (name_len == len)
                                return error_set(err, ERR_INVALID,
                                                 "transport URL: option \"%.40s\" has no value", p->name);
                        p->value = decode(s + name_len + 1, len - name_len - 1, "options", err);
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

                if (h->password)
                        explicit_bzero(h->password, strlen(h->password));
                free(h->host);
                free(h->user);
                free(h->password);
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
