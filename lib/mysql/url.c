/*
 * lib/mysql/url.c: taking a database URL apart.
 *
 * The parts are cut in SQLAlchemy's order, so that a URL which nova accepts means the same here: "?" ends
 * what is before the parameters, the first "@" in it ends user and password. Parameters that only concern a
 * Python driver are accepted and ignored; any other unknown one is an error, since it might have been a wish
 * for TLS.
 */
#include "mysql/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/url.h"
#include "base/words.h"

#define PORT_DEFAULT 3306

/* What only drivers of Python know, and what is always so here. */
static const char *const ignored[] = { "plugin",        "use_unicode",  "autocommit",
                                       "program_name",  "local_infile", "binary_prefix",
                                       "write_timeout", "read_timeout", "sql_mode" };

static const struct {
        const char *name;
        size_t offset;
        bool is_tls;
} text_params[] = {
        { "charset", offsetof(struct db_url, charset), false },
        { "unix_socket", offsetof(struct db_url, unix_socket), false },
        { "ssl_ca", offsetof(struct db_url, ssl_ca), true },
        { "ssl_capath", offsetof(struct db_url, ssl_capath), true },
        { "ssl_cert", offsetof(struct db_url, ssl_cert), true },
        { "ssl_key", offsetof(struct db_url, ssl_key), true },
        { "ssl_cipher", offsetof(struct db_url, ssl_cipher), true },
};

static int set_flag(struct db_url *u, const char *name, const char *value, bool *ret_known, struct error *err)
{
        bool on;

        *ret_known = !strcmp(name, "ssl") || !strcmp(name, "ssl_verify_cert") ||
                     !strcmp(name, "ssl_verify_identity") || !strcmp(name, "ssl_check_hostname");
        if (!*ret_known)
                return 0;
        if (!words_bool(value, &on))
                return error_set(err, ERR_INVALID, "database URL: %s is true or false", name);
        if (on)
                u->tls = true;
        if (on && strcmp(name, "ssl"))
                u->verify = true;
        /* libmariadb checks the signature and the name together or not at all: half of it is not offered. */
        if (!on && strcmp(name, "ssl"))
                return error_set(
                        err, ERR_INVALID,
                        "database URL: %s=false is not supported; without ssl_ca nothing is verified", name);
        return 0;
}

static int set_param(struct db_url *u, const char *name, const char *value, struct error *err)
{
        bool known;

        for (size_t i = 0; i < ARRAY_SIZE(text_params); i++) {
                if (strcmp(name, text_params[i].name))
                        continue;
                if (!*value)
                        return error_set(err, ERR_INVALID, "database URL: %s is empty", name);
                replace_str((char **)((char *)u + text_params[i].offset), value);
                u->tls = u->tls || text_params[i].is_tls;
                return 0;
        }
        if (set_flag(u, name, value, &known, err) < 0)
                return -1;
        if (known)
                return 0;
        if (!strcmp(name, "connect_timeout")) {
                char *end;

                u->connect_timeout_s = strtod(value, &end);
                if (end == value || *end || !(u->connect_timeout_s > 0 && u->connect_timeout_s <= 3600))
                        return error_set(err, ERR_INVALID,
                                         "database URL: connect_timeout is 1 to 3600 seconds");
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
                if (!strcmp(name, ignored[i]))
                        return 0;
        return error_set(err, ERR_INVALID, "database URL: unknown parameter \"%.40s\"", name);
}

static int parse_params(struct db_url *u, const char *s, struct error *err)
{
        if (url_check_query(s, "database URL", err) < 0)
                return -1;
        while (*s) {
                size_t len = strcspn(s, "&"), name_len = strcspn(s, "=&");
                CLEANUP(freep) char *name = url_decode(s, name_len, true, "database URL", "parameters", err);
                CLEANUP(freep) char *value = NULL;

                if (!name)
                        return -1;
                if (len > 0) {
                        if (name_len == len)
                                return error_set(err, ERR_INVALID,
                                                 "database URL: parameter \"%.40s\" has no value", name);
                        value = url_decode(s + name_len + 1, len - name_len - 1, true, "database URL",
                                           "parameters", err);
                        if (!value || set_param(u, name, value, err) < 0)
                                return -1;
                }
                s += len;
                if (*s == '&')
                        s++;
        }
        return 0;
}

/* [user[:password]@], up to the first "@": one in a password is written %40. */
static int parse_user(struct db_url *u, const char *s, size_t len, struct error *err)
{
        const char *colon = memchr(s, ':', len);
        size_t user_len = colon ? (size_t)(colon - s) : len;

        u->user = url_decode(s, user_len, false, "database URL", "user", err);
        if (!u->user)
                return -1;
        if (!colon)
                return 0;
        u->password = url_decode(colon + 1, len - user_len - 1, false, "database URL", "password", err);
        return u->password ? 0 : -1;
}

static int check_scheme(const char *url, const char **ret_rest, struct error *err)
{
        const char *rest = strstr(url, "://");
        size_t len = rest ? (size_t)(rest - url) : 0, name_len = strcspn(url, "+:");

        if (!rest || name_len > len ||
            !((name_len == 5 && !memcmp(url, "mysql", 5)) || (name_len == 7 && !memcmp(url, "mariadb", 7))))
                return error_set(
                        err, ERR_INVALID,
                        "database URL: expected mysql://user:password@host/database, or mysql+pymysql://...");
        *ret_rest = rest + 3;
        return 0;
}

/* One name for each character set that holds UTF-8; any other would garble our text. */
static int check_charset(struct db_url *u, struct error *err)
{
        if (!u->charset || !strcasecmp(u->charset, "utf8") || !strcasecmp(u->charset, "utf8mb3"))
                replace_str(&u->charset, "utf8mb3");
        else if (!strcasecmp(u->charset, "utf8mb4"))
                replace_str(&u->charset, "utf8mb4");
        else
                return error_set(err, ERR_INVALID, "database URL: charset is utf8 or utf8mb4");
        return 0;
}

static int parse(const char *url, struct db_url *u, struct error *err)
{
        const char *s = url, *at, *slash, *end;

        if (check_scheme(url, &s, err) < 0)
                return -1;
        end = s + strcspn(s, "?");
        at = memchr(s, '@', (size_t)(end - s));
        if (at) {
                if (parse_user(u, s, (size_t)(at - s), err) < 0)
                        return -1;
                s = at + 1;
        }
        slash = memchr(s, '/', (size_t)(end - s));
        u->port = PORT_DEFAULT;
        if (url_address(s, (size_t)((slash ? slash : end) - s), "database URL", &u->host, &u->port, err) < 0)
                return -1;
        if (slash && slash + 1 < end)
                u->database = xstrndup(slash + 1, (size_t)(end - slash - 1));
        if (!u->database || strchr(u->database, '/'))
                return error_set(err, ERR_INVALID,
                                 "database URL: no database is named: mysql://user:password@host/DATABASE");
        if (*end == '?' && parse_params(u, end + 1, err) < 0)
                return -1;
        if (u->unix_socket && u->unix_socket[0] != '/')
                return error_set(err, ERR_INVALID, "database URL: unix_socket is an absolute path");
        if (u->unix_socket && u->tls)
                return error_set(err, ERR_INVALID, "database URL: TLS over a unix socket is not supported");
        if (u->ssl_ca || u->ssl_capath)
                u->verify = true;
        if (u->verify && !u->ssl_ca && !u->ssl_capath)
                return error_set(err, ERR_INVALID, "database URL: verifying a certificate needs ssl_ca");
        return check_charset(u, err);
}

int db_url_parse(const char *url, struct db_url *ret, struct error *err)
{
        struct db_url u = {};

        if (parse(url, &u, err) < 0) {
                db_url_free(&u);
                return -1;
        }
        *ret = u;
        return 0;
}

void db_url_free(struct db_url *u)
{
        free(u->user);
        free_secret(u->password);
        free(u->host);
        free(u->database);
        free(u->unix_socket);
        free(u->charset);
        free(u->ssl_ca);
        free(u->ssl_capath);
        free(u->ssl_cert);
        free(u->ssl_key);
        free(u->ssl_cipher);
        *u = (struct db_url){};
}

void db_url_peer(const struct db_url *u, char *buf, size_t size)
{
        if (u->unix_socket)
                snprintf(buf, size, "unix:%s", u->unix_socket);
        else
                snprintf(buf, size, strchr(u->host, ':') ? "tcp:[%s]:%u%s" : "tcp:%s:%u%s", u->host, u->port,
                         u->tls ? " tls" : "");
}
