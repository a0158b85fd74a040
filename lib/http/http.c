/*
 * lib/http/http.c: a request is set up on a lane, run, and its answer taken off.
 *
 * Redirects are followed here and not by libcurl, which would send our headers along to wherever a server
 * points. Names are resolved by libcurl's own native threads; they are never waited for (QUICK_EXIT), which
 * would stop the hub (design 7).
 */
#include "http/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/http_priv.h"

enum {
        LANES_IDLE_MAX = 8,
        HEADERS_MAX = 64 << 10,
        REDIRECTS_MAX = 5,
        PIECE = 256 << 10, /* a sink that has so much before it makes the server wait */
};
#define IDLE_TIMEOUT_S 60

struct http_client {
        char *cafile;
        bool insecure;
        double idle_s;
        struct list idle;
        unsigned n_idle;
};

/* One request, one server asked. */
struct transfer {
        struct lane *lane;
        const struct http_request *req;
        const char *url;
        bool elsewhere; /* redirected to another server: no secrets */
        size_t max_body;
        struct strbuf body, headers, piece;
        bool paused, failed, headed; /* headed: req->head has been called */
        struct error why;            /* when failed */
        struct curl_slist *list;
        char text[CURL_ERROR_SIZE];
};

struct http_client *http_client_new(const struct http_options *opt, struct error *err)
{
        static bool initialised;
        struct http_client *c;

        if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
                error_set(err, ERR_UNSUPPORTED, "libcurl cannot be used");
                return NULL;
        }
        initialised = true;
        c = NEW(struct http_client);
        c->cafile = opt->cafile && *opt->cafile ? xstrdup(opt->cafile) : NULL;
        c->insecure = opt->insecure;
        c->idle_s = opt->idle_timeout_s > 0 ? opt->idle_timeout_s : IDLE_TIMEOUT_S;
        list_init(&c->idle);
        return c;
}

void http_client_free(struct http_client *c)
{
        struct list *node;

        if (!c)
                return;
        while ((node = list_pop(&c->idle)))
                lane_free(CONTAINER_OF(node, struct lane, link));
        free(c->cafile);
        free(c);
}

static struct lane *HUB_ONLY borrow_lane(struct http_client *c, struct error *err)
{
        struct list *node = list_pop(&c->idle);

        if (!node)
                return lane_new(err);
        c->n_idle--;
        return CONTAINER_OF(node, struct lane, link);
}

/* The lane used last comes first: its connections are the freshest. */
static void HUB_ONLY return_lane(struct http_client *c, struct lane *l)
{
        curl_easy_reset(l->easy);
        if (c->n_idle >= LANES_IDLE_MAX) {
                lane_free(l);
                return;
        }
        list_prepend(&c->idle, &l->link);
        c->n_idle++;
}

/* ---- what libcurl calls ---- */

static size_t fail_transfer(struct transfer *t, const char *what, size_t limit)
{
        t->failed = true;
        error_set(&t->why, ERR_LIMIT, "the %s of the answer are longer than %zu bytes", what, limit);
        return 0; /* not what it had: libcurl ends the transfer */
}

static long status_of(const struct transfer *t)
{
        long status = 0;

        curl_easy_getinfo(t->lane->easy, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
        struct transfer *t = arg;
        size_t len = size * n;

        assert_on_hub();
        if (t->req->sink && status_of(t) / 100 == 2) {
                if (t->piece.len >= PIECE) {
                        t->paused = true;
                        return CURL_WRITEFUNC_PAUSE;
                }
                strbuf_add(&t->piece, data, len);
                return len;
        }
        if (len > t->max_body - t->body.len)
                return fail_transfer(t, "contents", t->max_body);
        strbuf_add(&t->body, data, len);
        return len;
}

/* Kept as "name: value" with a NUL after each; a new status line (after 100 Continue) begins anew. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
        struct transfer *t = arg;
        size_t len = size * n, kept = len;

        assert_on_hub();
        if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
                strbuf_truncate(&t->headers, 0);
                return len;
        }
        while (kept && (data[kept - 1] == '\n' || data[kept - 1] == '\r'))
                kept--;
        if (!kept || memchr(data, '\0', kept))
                return len;
        if (t->headers.len + kept + 1 > HEADERS_MAX)
                return fail_transfer(t, "headers", HEADERS_MAX);
        strbuf_add(&t->headers, data, kept);
        strbuf_add(&t->headers, "", 1);
        return len;
}

static int YIELDS tell_head(struct transfer *t, struct error *err)
{
        struct http_response r = { .status = (int)status_of(t),
                                   .headers = t->headers.data,
                                   .headers_len = t->headers.len };

        if (!t->req->head || t->headed)
                return 0;
        t->headed = true;
        return t->req->head(t->req->sink_arg, &r, err);
}

/* Hands what came to the sink; then the server may send more. */
static int between(void *arg, struct error *err)
{
        struct transfer *t = arg;

        assert_green();
        while (t->piece.len > 0 || t->paused) {
                if (t->piece.len > 0 &&
                    (tell_head(t, err) < 0 ||
                     t->req->sink(t->req->sink_arg, t->piece.data, t->piece.len, err) < 0))
                        return -1;
                strbuf_truncate(&t->piece, 0);
                if (t->paused) {
                        t->paused = false;
                        curl_easy_pause(t->lane->easy, CURLPAUSE_CONT);
                }
        }
        return 0;
}

/* ---- setting up ---- */

static char *url_part(const char *url, CURLUPart part)
{
        CURLU *u = curl_url();
        char *value = NULL, *copy = NULL;

        if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
            curl_url_get(u, part, &value, CURLU_DEFAULT_PORT) == CURLUE_OK)
                copy = xstrdup(value);
        curl_free(value);
        curl_url_cleanup(u);
        return copy;
}

static int add_header(struct transfer *t, const char *name, const char *value, struct error *err)
{
        CLEANUP(freep) char *line = NULL;
        struct curl_slist *longer;

        if (!*name || strpbrk(name, "\r\n: ") || strpbrk(value, "\r\n"))
                return error_set(err, ERR_INVALID, "header \"%.40s\" has characters that no header has",
                                 name);
        line = *value ? xasprintf("%s: %s", name, value) : xasprintf("%s;", name);
        longer = curl_slist_append(t->list, line);
        if (!longer)
                return error_set(err, ERR_LIMIT, "no memory for a header");
        t->list = longer;
        return 0;
}

static int set_headers(struct transfer *t, struct error *err)
{
        const struct http_request *req = t->req;

        for (unsigned i = 0; i < req->n_headers; i++) {
                const struct http_header *h = &req->headers[i];

                if (h->value && !(h->secret && t->elsewhere) && add_header(t, h->name, h->value, err) < 0)
                        return -1;
        }
        if (req->content_type && add_header(t, "Content-Type", req->content_type, err) < 0)
                return -1;
        if (!req->content_type)
                t->list = curl_slist_append(t->list, "Content-Type:");
        t->list = curl_slist_append(t->list, "Expect:"); /* no waiting for "100 Continue" */
        curl_easy_setopt(t->lane->easy, CURLOPT_HTTPHEADER, t->list);
        return 0;
}

static void set_method(CURL *easy, const struct http_request *req)
{
        bool bodyless = !strcmp(req->method, "GET") || !strcmp(req->method, "DELETE");

        if (!strcmp(req->method, "HEAD")) {
                curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
                return;
        }
        if (req->body || !bodyless) {
                curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                 (curl_off_t)(req->body ? req->body_len : 0));
                curl_easy_setopt(easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
        }
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
}

static int HUB_ONLY set_up(struct http_client *c, struct transfer *t, struct error *err)
{
        CLEANUP(freep) char *scheme = url_part(t->url, CURLUPART_SCHEME);
        CURL *easy = t->lane->easy;

        if (!scheme || (strcmp(scheme, "http") && strcmp(scheme, "https")))
                return error_set(err, ERR_INVALID, "the URL is not http://... or https://...");
        curl_easy_setopt(easy, CURLOPT_URL, t->url);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "compute-agent/" AGENT_VERSION);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->text);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
        if (c->cafile)
                curl_easy_setopt(easy, CURLOPT_CAINFO, c->cafile);
        if (c->insecure) {
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
                curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
        }
        set_method(easy, t->req);
        return set_headers(t, err);
}

/* ---- what came of it ---- */

/* The URL for a message: no user, no password, no query. */
static char *plain_url(const char *url)
{
        const char *scheme = strstr(url, "://");
        const char *host = scheme ? scheme + 3 : url;
        size_t authority = strcspn(host, "/?#");
        size_t skip = 0;

        for (size_t i = 0; i < authority; i++)
                if (host[i] == '@')
                        skip = i + 1;
        return xasprintf("%.*s%.*s", (int)(host - url), url, (int)(strcspn(host, "?#") - skip), host + skip);
}

static int code_of(CURLcode code)
{
        switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
        case CURLE_SSL_CONNECT_ERROR:
                return ERR_CLOSED;
        case CURLE_OPERATION_TIMEDOUT:
                return ERR_TIMEOUT;
        case CURLE_URL_MALFORMAT:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
                return ERR_INVALID;
        default:
                return ERR_PROTOCOL;
        }
}

static int YIELDS perform(struct http_client *c, struct transfer *t, struct deadline by, struct error *err)
{
        struct lane_call call = { .idle_s = c->idle_s, .by = by, .between = between, .arg = t };
        CURLcode code;

        if (set_up(c, t, err) < 0 || lane_run(t->lane, &call, &code, err) < 0)
                return -1;
        if (t->failed) {
                *err = t->why;
                return -1;
        }
        if (code != CURLE_OK)
                return error_set(err, code_of(code), "%s", *t->text ? t->text : curl_easy_strerror(code));
        return 0;
}

static bool same_server(const char *a, const char *b)
{
        static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                CLEANUP(freep) char *x = url_part(a, parts[i]);
                CLEANUP(freep) char *y = url_part(b, parts[i]);

                if (!x || !y || strcasecmp(x, y))
                        return false;
        }
        return true;
}

/* Where the answer sends us, or NULL: nowhere. -1: where we do not go. */
static int redirect_of(struct transfer *t, char **ret_url, struct error *err)
{
        const struct http_request *req = t->req;
        CLEANUP(freep) char *shown = NULL;
        char *url = NULL;
        long status = status_of(t);

        *ret_url = NULL;
        if (status < 301 || status > 308 || (status > 303 && status < 307))
                return 0;
        curl_easy_getinfo(t->lane->easy, CURLINFO_REDIRECT_URL, &url);
        if (!url)
                return 0;
        shown = plain_url(url);
        if (strcmp(req->method, "GET") && strcmp(req->method, "HEAD"))
                return error_set(err, ERR_PROTOCOL, "the server redirects to %s; only reading is redirected",
                                 shown);
        if (!req->redirect_anywhere && !same_server(t->url, url))
                return error_set(err, ERR_PROTOCOL, "the server redirects to another one, %s; not following",
                                 shown);
        *ret_url = xstrdup(url);
        return 0;
}

static void take_answer(struct transfer *t, struct http_response *ret)
{
        curl_off_t after = 0;

        curl_easy_getinfo(t->lane->easy, CURLINFO_RETRY_AFTER, &after);
        *ret = (struct http_response){ .status = (int)status_of(t), .retry_after_s = after };
        ret->body = strbuf_take(&t->body, &ret->len);
        ret->headers = strbuf_take(&t->headers, &ret->headers_len);
}

/* Asks one server. *ret_url: the answer is there; else ret holds it. */
static int YIELDS ask(struct http_client *c, struct transfer *t, struct http_response *ret, char **ret_url,
                      struct deadline by, struct error *err)
{
        int r;

        t->lane = borrow_lane(c, err);
        if (!t->lane)
                return -1;
        r = perform(c, t, by, err);
        if (r == 0)
                r = redirect_of(t, ret_url, err);
        if (r == 0 && !*ret_url)
                take_answer(t, ret);
        return_lane(c, t->lane);
        curl_slist_free_all(t->list);
        strbuf_free(&t->body);
        strbuf_free(&t->headers);
        strbuf_free(&t->piece);
        return r;
}

static int YIELDS ask_where_it_leads(struct http_client *c, const struct http_request *req,
                                     struct http_response *ret, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *url = xstrdup(req->url);

        for (unsigned hops = 0;; hops++) {
                struct transfer t = { .req = req, .url = url };
                CLEANUP(freep) char *shown = plain_url(url);
                char *next = NULL;

                t.max_body = req->max_body ? req->max_body : HTTP_BODY_MAX;
                t.elsewhere = hops > 0 && !same_server(req->url, url);
                if (ask(c, &t, ret, &next, by, err) < 0)
                        return error_while(err, "%s %s", req->method, shown);
                if (!next)
                        return 0;
                free(url);
                url = next;
                if (hops == REDIRECTS_MAX)
                        return error_set(err, ERR_PROTOCOL, "%s %s: more than %d redirects", req->method,
                                         shown, REDIRECTS_MAX);
        }
}

int http_call(struct http_client *c, const struct http_request *req, struct http_response *ret,
              struct deadline by, struct error *err)
{
        int64_t began = clock_now_ns();
        int r = ask_where_it_leads(c, req, ret, by, err);

        http_stats_count(req->service, began, r, r == 0 ? ret->status : 0, err);
        return r;
}

void http_response_free(struct http_response *r)
{
        free(r->body);
        free(r->headers);
        *r = (struct http_response){};
}

const char *http_response_header(const struct http_response *r, const char *name)
{
        const char *end = r->headers + r->headers_len;
        size_t len = strlen(name);

        for (const char *line = r->headers; line && line < end; line += strlen(line) + 1)
                if (strncasecmp(line, name, len) == 0 && line[len] == ':')
                        return line + len + 1 + strspn(line + len + 1, " \t");
        return NULL;
}

char *http_escape(const char *text)
{
        CLEANUP(strbuf_free) struct strbuf b = {};

        for (const char *p = text; *p; p++) {
                if (strchr("-._~", *p) || (*p >= '0' && *p <= '9') ||
                    ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
                        strbuf_add(&b, p, 1);
                else
                        strbuf_addf(&b, "%%%02X", (unsigned)(unsigned char)*p);
        }
        return strbuf_take(&b, NULL);
}
