/*
 * agent/peers/keystone.c: tokens by password, scoped to a project.
 *
 * How long a token lives is taken from the two times that keystone gives, so that its clock and ours may
 * differ.
 */
#include "peers/keystone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "green/sync.h"
#include "json/json.h"
#include "peers/service.h"

enum { RENEW_S = 30, REQUEST_S = 60 };

struct keystone {
        char *url; /* .../v3/auth/tokens */
        char *username, *password, *user_domain_name, *user_domain_id;
        char *project_name, *project_domain_name, *project_domain_id;
        struct http_client *http;
        double timeout_s;
        struct green_mutex renewing;
        char *token; /* NULL: none, or refused */
        struct deadline renew_at;
        struct jval *catalog;
};

static char *text_or_null(const char *s)
{
        return s && *s ? xstrdup(s) : NULL;
}

static char *tokens_url(const char *auth_url)
{
        size_t len = strlen(auth_url);
        bool versioned;

        while (len > 0 && auth_url[len - 1] == '/')
                len--;
        versioned = len >= 3 && memcmp(auth_url + len - 3, "/v3", 3) == 0;
        return xasprintf("%.*s%s/auth/tokens", (int)len, auth_url, versioned ? "" : "/v3");
}

static int check_options(const struct keystone_options *opt, struct error *err)
{
        const struct {
                const char *name, *value, *instead;
        } needed[] = {
                { "auth_url", opt->auth_url },
                { "username", opt->username },
                { "password", opt->password },
                { "project_name", opt->project_name },
                { "user_domain_name", opt->user_domain_name, opt->user_domain_id },
                { "project_domain_name", opt->project_domain_name, opt->project_domain_id },
        };

        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
                if (!(needed[i].value && *needed[i].value) && !(needed[i].instead && *needed[i].instead))
                        return error_set(err, ERR_INVALID, "%s is needed to authenticate", needed[i].name);
        return 0;
}

struct keystone *keystone_new(const struct keystone_options *opt, struct error *err)
{
        struct keystone *k;

        if (check_options(opt, err) < 0)
                return NULL;
        k = NEW(struct keystone);
        k->url = tokens_url(opt->auth_url);
        k->username = xstrdup(opt->username);
        k->password = xstrdup(opt->password);
        k->user_domain_name = text_or_null(opt->user_domain_name);
        k->user_domain_id = text_or_null(opt->user_domain_id);
        k->project_name = xstrdup(opt->project_name);
        k->project_domain_name = text_or_null(opt->project_domain_name);
        k->project_domain_id = text_or_null(opt->project_domain_id);
        k->http = opt->http;
        k->timeout_s = opt->timeout_s > 0 ? opt->timeout_s : REQUEST_S;
        green_mutex_init(&k->renewing, "keystone token");
        return k;
}

void keystone_set_password(struct keystone *k, const char *password)
{
        char *before = k->password;

        k->password = xstrdup(password);
        free_secret(before);
}

void keystone_free(struct keystone *k)
{
        if (!k)
                return;
        free(k->url);
        free(k->username);
        free_secret(k->password);
        free(k->user_domain_name);
        free(k->user_domain_id);
        free(k->project_name);
        free(k->project_domain_name);
        free(k->project_domain_id);
        free_secret(k->token);
        jval_unref(k->catalog);
        free(k);
}

/* ---- asking ---- */

static struct jval *domain_of(const char *name, const char *id)
{
        struct jval *domain = jval_new_object();

        jval_set_text(domain, id ? "id" : "name", id ? id : name);
        return domain;
}

static char *auth_body(const struct keystone *k, size_t *ret_len)
{
        struct jval *body = jval_new_object(), *auth = jval_new_object(), *identity = jval_new_object();
        struct jval *methods = jval_new_array(), *password = jval_new_object(), *user = jval_new_object();
        struct jval *scope = jval_new_object(), *project = jval_new_object();
        char *text;

        jval_set_text(user, "name", k->username);
        jval_set(user, "domain", domain_of(k->user_domain_name, k->user_domain_id));
        jval_set_text(user, "password", k->password);
        jval_set(password, "user", user);
        jval_push(methods, jval_new_text("password"));
        jval_set(identity, "methods", methods);
        jval_set(identity, "password", password);
        jval_set_text(project, "name", k->project_name);
        jval_set(project, "domain", domain_of(k->project_domain_name, k->project_domain_id));
        jval_set(scope, "project", project);
        jval_set(auth, "identity", identity);
        jval_set(auth, "scope", scope);
        jval_set(body, "auth", auth);
        text = jval_print(body, ret_len);
        jval_unref(body);
        return text;
}

/* "2026-11-23T09:47:55.000000Z"; -1 when it is something else. */
static int64_t parse_time(const char *text)
{
        struct tm tm = {};
        const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

        if (!rest)
                return -1;
        if (*rest == '.')
                rest += 1 + strspn(rest + 1, "0123456789");
        return strcmp(rest, "Z") == 0 || !*rest ? (int64_t)timegm(&tm) : -1;
}

static int take_token(struct keystone *k, const struct http_response *r, struct error *err)
{
        const char *token = http_response_header(r, "X-Subject-Token");
        struct jval *body = jval_parse(r->body, r->len, err);
        struct jval *inner = jval_get(body, "token");
        int64_t expires = parse_time(jval_get_text(inner, "expires_at", NULL));
        int64_t issued = parse_time(jval_get_text(inner, "issued_at", NULL));

        if (!body)
                return -1;
        if (!token || !*token || expires < 0) {
                jval_unref(body);
                return error_set(err, ERR_PROTOCOL, "the answer has no token, or does not say until when");
        }
        if (issued < 0)
                issued = clock_wall_s();
        free_secret(k->token);
        k->token = xstrdup(token);
        k->renew_at = deadline_in_s((double)(expires - issued - RENEW_S));
        jval_unref(k->catalog);
        k->catalog = jval_ref(jval_get(inner, "catalog"));
        jval_unref(body);
        return 0;
}

static int YIELDS ask(struct keystone *k, struct deadline by, struct error *err)
{
        size_t len;
        char *body = auth_body(k, &len);
        struct http_request req = { .method = "POST",
                                    .service = "keystone",
                                    .url = k->url,
                                    .body = body,
                                    .body_len = len,
                                    .content_type = "application/json" };
        CLEANUP(http_response_free) struct http_response r = {};
        int done = http_call(k->http, &req, &r, deadline_earlier(by, deadline_in_s(k->timeout_s)), err);

        free_secret(body);
        if (done < 0)
                return -1;
        if (r.status == 401 || r.status == 403)
                return error_set(err, ERR_INVALID,
                                 "%s does not accept the credentials of user %s for project %s (%d)", k->url,
                                 k->username, k->project_name, r.status);
        if (r.status != 201 && r.status != 200)
                return service_status_error(r.status, r.body, r.len, err);
        return take_token(k, &r, err);
}

static bool token_is_good(const struct keystone *k)
{
        return k->token && !deadline_passed(k->renew_at);
}

/* On success the token is good at least until the next switch. */
static int YIELDS have_token(struct keystone *k, struct deadline by, struct error *err)
{
        int r = 0;

        if (token_is_good(k))
                return 0;
        if (green_mutex_lock(&k->renewing, by, err) < 0)
                return error_while(err, "waiting for a token");
        if (!token_is_good(k)) /* else somebody else has been faster */
                r = ask(k, by, err);
        green_mutex_unlock(&k->renewing);
        return r < 0 ? error_while(err, "asking keystone for a token") : 0;
}

int keystone_token(struct keystone *k, char **ret_token, struct deadline by, struct error *err)
{
        if (have_token(k, by, err) < 0)
                return -1;
        *ret_token = xstrdup(k->token);
        return 0;
}

void keystone_token_refused(struct keystone *k, const char *token)
{
        if (!k->token || strcmp(k->token, token) != 0)
                return;
        free_secret(k->token);
        k->token = NULL;
}

/* ---- the catalog ---- */

static bool in_region(const struct jval *endpoint, const char *region)
{
        return !region || !*region || strcmp(jval_get_text(endpoint, "region_id", ""), region) == 0 ||
               strcmp(jval_get_text(endpoint, "region", ""), region) == 0;
}

/* Two forms: of keystone, one entry per interface with "url"; of nova's context, "publicURL" and the like. */
static const char *url_of(const struct jval *endpoint, const char *interface)
{
        char key[48];

        if (strcmp(jval_get_text(endpoint, "interface", ""), interface) == 0)
                return jval_get_text(endpoint, "url", NULL);
        snprintf(key, sizeof(key), "%.30sURL", interface);
        return jval_get_text(endpoint, key, NULL);
}

static const char *find_interface(const struct jval *catalog, const struct keystone_endpoint *wanted,
                                  const char *interface)
{
        for (size_t i = 0; i < jval_len(catalog); i++) {
                const struct jval *service = jval_at(catalog, i);
                const struct jval *endpoints = jval_get(service, "endpoints");

                if (strcmp(jval_get_text(service, "type", ""), wanted->type) != 0)
                        continue;
                for (size_t n = 0; n < jval_len(endpoints); n++) {
                        const struct jval *e = jval_at(endpoints, n);
                        const char *url = in_region(e, wanted->region) ? url_of(e, interface) : NULL;

                        if (url)
                                return url;
                }
        }
        return NULL;
}

char *catalog_find(const struct jval *catalog, const struct keystone_endpoint *wanted, struct error *err)
{
        const char *list = wanted->interfaces && *wanted->interfaces ? wanted->interfaces : "internal,public";
        const char *url = NULL;

        for (const char *p = list; *p && !url;) {
                size_t len = strcspn(p, ", ");
                CLEANUP(freep) char *name = xstrndup(p, len);

                if (len > 0)
                        url = find_interface(catalog, wanted, name);
                p += len + strspn(p + len, ", ");
        }
        if (!url) {
                error_set(err, ERR_NOT_FOUND, "the catalog has no %s endpoint for interface %s%s%s",
                          wanted->type, list, wanted->region && *wanted->region ? " in region " : "",
                          wanted->region ? wanted->region : "");
                return NULL;
        }
        return service_trim_url(url);
}

int keystone_endpoint(struct keystone *k, const struct keystone_endpoint *wanted, char **ret_url,
                      struct deadline by, struct error *err)
{
        char *url;

        if (have_token(k, by, err) < 0)
                return -1;
        if (jval_len(k->catalog) == 0)
                return error_set(
                        err, ERR_NOT_FOUND,
                        "the token of user %s has no catalog of services: has he a role in project %s?",
                        k->username, k->project_name);
        url = catalog_find(k->catalog, wanted, err);
        if (!url)
                return -1;
        *ret_url = url;
        return 0;
}
