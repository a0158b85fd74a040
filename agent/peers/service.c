/* agent/peers/service.c: one request, its token and its answer. */
#include "peers/service.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"

enum { REQUEST_S = 60, DETAIL_MAX = 300 };

struct service {
        char *type, *interfaces, *region, *endpoint;
        struct keystone *keystone;
        struct http_client *http;
        double timeout_s;
};

char *service_trim_url(const char *url)
{
        size_t len = strlen(url);

        while (len > 0 && url[len - 1] == '/')
                len--;
        return xstrndup(url, len);
}

struct service *service_new(const struct service_options *opt)
{
        struct service *s = NEW(struct service);
        bool fixed = opt->endpoint_override && *opt->endpoint_override;

        s->type = xstrdup(opt->type);
        s->interfaces = xstrdup(opt->interfaces);
        s->region = xstrdup(opt->region);
        s->endpoint = fixed ? service_trim_url(opt->endpoint_override) : NULL;
        s->keystone = opt->keystone;
        s->http = opt->http;
        s->timeout_s = opt->timeout_s > 0 ? opt->timeout_s : REQUEST_S;
        return s;
}

void service_free(struct service *s)
{
        if (!s)
                return;
        free(s->type);
        free(s->interfaces);
        free(s->region);
        free(s->endpoint);
        free(s);
}

void service_answer_free(struct service_answer *a)
{
        jval_unref(a->json);
        free(a->text);
        *a = (struct service_answer){};
}

/* ---- errors ---- */

/* What the services put where: {"errors": [{"detail"}]}, {"error": {"message"}}, {"message"}. */
static const char *detail_of(const struct jval *json)
{
        const char *found = jval_get_text(jval_at(jval_get(json, "errors"), 0), "detail", NULL);

        if (!found)
                found = jval_get_text(jval_get(json, "error"), "message", NULL);
        return found ? found : jval_get_text(json, "message", NULL);
}

/* One line: runs of blanks and control characters become one blank. */
static void one_line(const char *text, char *buf, size_t size)
{
        size_t n = 0;

        for (const unsigned char *p = (const unsigned char *)text; *p && n + 1 < size; p++) {
                if (!isspace(*p) && !iscntrl(*p))
                        buf[n++] = (char)*p;
                else if (n > 0 && buf[n - 1] != ' ')
                        buf[n++] = ' ';
        }
        while (n > 0 && buf[n - 1] == ' ')
                n--;
        buf[n] = '\0';
}

static int code_of(int status)
{
        if (status == 404)
                return ERR_NOT_FOUND;
        return status == 409 || status == 429 || status >= 500 ? ERR_BUSY : ERR_INVALID;
}

static int status_error(int status, const struct jval *json, const char *body, struct error *err)
{
        const char *detail = detail_of(json);
        char said[DETAIL_MAX];

        one_line(detail ? detail : body ? body : "", said, sizeof(said));
        error_set(err, code_of(status), "answered %d%s%s", status, *said ? ": " : "", said);
        err->sys = status;
        return -1;
}

int service_status_error(int status, const char *body, size_t len, struct error *err)
{
        struct error ignored = {};
        struct jval *json = jval_parse(body, len, &ignored);

        status_error(status, json, body, err);
        jval_unref(json);
        return -1;
}

int service_unexpected(const struct service_answer *a, struct error *err)
{
        return status_error(a->status, a->json, a->text, err);
}

/* ---- calls ---- */

static int YIELDS url_for(struct service *s, const char *path, char **ret, struct deadline by,
                          struct error *err)
{
        struct keystone_endpoint wanted = { s->type, s->interfaces, s->region };
        CLEANUP(freep) char *found = NULL;

        if (!s->endpoint && keystone_endpoint(s->keystone, &wanted, &found, by, err) < 0)
                return -1;
        *ret = xasprintf("%s%s", s->endpoint ? s->endpoint : found, path);
        return 0;
}

static int YIELDS send_once(struct service *s, const struct service_request *req, const char *token,
                            struct http_response *ret, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *url = NULL;
        CLEANUP(freep) char *body = NULL;
        struct http_header headers[] = {
                { "X-Auth-Token", token, true },
                { "Accept", "application/json" },
                { "OpenStack-API-Version", req->api_version },
                { "X-OpenStack-Request-ID", req->request_id },
        };
        struct http_request http = {
                .method = req->method, .service = s->type, .headers = headers, .n_headers = 4
        };

        if (url_for(s, req->path, &url, by, err) < 0)
                return -1;
        if (req->body) {
                http.body = body = jval_print(req->body, &http.body_len);
                http.content_type = "application/json";
        }
        http.url = url;
        return http_call(s->http, &http, ret, deadline_earlier(by, deadline_in_s(s->timeout_s)), err);
}

static int take_answer(struct http_response *r, struct service_answer *ret, struct error *err)
{
        struct error wrong = {};
        struct service_answer a = { .status = r->status };

        a.json = r->len ? jval_parse(r->body, r->len, &wrong) : NULL;
        if (r->len && !a.json && r->status / 100 == 2)
                return error_set(err, ERR_PROTOCOL, "answered %d with something that is no JSON: %s",
                                 r->status, wrong.text);
        a.text = take_ptr(&r->body);
        a.len = r->len;
        *ret = a;
        return 0;
}

int service_call(struct service *s, const struct service_request *req, struct service_answer *ret,
                 struct deadline by, struct error *err)
{
        for (unsigned attempt = 1; attempt <= 2; attempt++) {
                CLEANUP(http_response_free) struct http_response r = {};
                CLEANUP(freep) char *token = NULL;

                if (keystone_token(s->keystone, &token, by, err) < 0 ||
                    send_once(s, req, token, &r, by, err) < 0)
                        return error_while(err, "%s", s->type);
                if (r.status == 401) {
                        keystone_token_refused(s->keystone, token);
                        continue;
                }
                if (take_answer(&r, ret, err) < 0)
                        return error_while(err, "%s: %s %s", s->type, req->method, req->path);
                return 0;
        }
        return error_set(err, ERR_INVALID, "%s: %s %s: the service does not accept our token (401)", s->type,
                         req->method, req->path);
}
