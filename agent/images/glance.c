/*
 * agent/images/glance.c: an image service as a source of images.
 *
 * A request is tried on one server after the other. A download that breaks is asked to go on where it ended;
 * the digest goes along with the file, so at the end it is that of the whole, whoever sent its parts.
 */
#define LOG_MODULE "images.glance"
#include "images/glance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "images/filesink.h"
#include "json/json.h"
#include "peers/service.h"

enum { REQUEST_S = 60, PAUSE_S = 1, METADATA_MAX = 1 << 20, PROGRESS_S = 10 };

struct glance {
        struct image_source base;
        char **servers;
        unsigned n_servers, next; /* next: where the next request begins */
        char *interfaces, *region;
        unsigned num_retries;
        double pause_s, timeout_s;
        struct http_client *http;
        struct keystone *keystone, *service; /* borrowed; or NULL */
};

struct download {
        const struct image_info *info;
        const struct image_caller *caller;
        const char *file;
        struct file_sink *sink; /* open from the first attempt on */
        bool sink_failed;
        int64_t from;     /* where the present attempt asks to go on; 0: at the beginning */
        int64_t farthest; /* that any attempt came */
        char *md5;        /* as the server said it of the whole, or NULL */
        struct deadline by, tell_at;
        int64_t told; /* so much was there when the log was told last */
        int64_t since_ns;
};

/* What a request is about: metadata when download is NULL. */
struct wish {
        const char *id, *path; /* path: below /v2/images/ */
        const struct image_caller *caller;
        struct download *download;
        bool discard;
};

static struct glance *glance_of(struct image_source *s)
{
        return CONTAINER_OF(s, struct glance, base);
}

/* ---- who asks, and where ---- */

struct tokens {
        char *auth, *service; /* service: NULL when auth is ours */
};

static void tokens_free(struct tokens *t)
{
        free_secret(t->auth);
        free_secret(t->service);
}

static int YIELDS get_tokens(struct glance *g, const struct image_caller *caller, struct tokens *ret,
                             struct deadline by, struct error *err)
{
        const char *user = caller ? caller->token : NULL;
        struct keystone *k = user ? g->service : g->keystone;
        char *ours = NULL;

        if (k && keystone_token(k, &ours, by, err) < 0)
                return -1;
        if (!user && !ours)
                return error_set(err, NOVA_IMAGE_NOT_AUTHORIZED,
                                 "there is neither a user's token nor an identity of this agent to ask for "
                                 "images with");
        *ret = (struct tokens){ .auth = user ? xstrdup(user) : ours, .service = user ? ours : NULL };
        return 0;
}

/* Our own token, if there was one, was refused: whether it is worth asking again with a new one. */
static bool HUB_ONLY token_refused(struct glance *g, const struct tokens *t, bool user)
{
        if (user && t->service)
                keystone_token_refused(g->service, t->service);
        else if (!user)
                keystone_token_refused(g->keystone, t->auth);
        return !user || t->service;
}

static int YIELDS server_url(struct glance *g, const struct image_caller *caller, char **ret,
                             struct deadline by, struct error *err)
{
        struct keystone_endpoint wanted = { "image", g->interfaces, g->region };
        char *url = NULL;
        size_t len;

        if (g->n_servers > 0)
                url = service_trim_url(g->servers[g->next % g->n_servers]);
        else if (caller && caller->catalog)
                url = catalog_find(caller->catalog, &wanted, err);
        if (!url && !g->keystone)
                return error_set(err, ERR_NOT_FOUND,
                                 "no image service is known: [glance] names none, and the request came "
                                 "without one in its catalog");
        if (!url && keystone_endpoint(g->keystone, &wanted, &url, by, err) < 0)
                return -1;
        len = strlen(url);
        if (len >= 3 && strcmp(url + len - 3, "/v2") == 0)
                url[len - 3] = '\0';
        *ret = url;
        return 0;
}

/* ---- data as it comes ---- */

static const char *size_text(int64_t bytes, char buf[32])
{
        double mib = (double)bytes / 1048576;

        snprintf(buf, 32, mib < 1024 ? "%.1f MiB" : "%.1f GiB", mib < 1024 ? mib : mib / 1024);
        return buf;
}

static void HUB_ONLY tell_progress(struct download *d)
{
        int64_t done = file_sink_length(d->sink), size = d->info->size;
        char text[96], a[32], b[32];

        if (size > 0)
                snprintf(text, sizeof(text), "%d %% of %s", (int)(100 * (double)done / (double)size),
                         size_text(size, a));
        else
                snprintf(text, sizeof(text), "%s so far", size_text(done, a));
        image_doing(d->caller, "downloading image %.64s: %s", d->info->id, text);
        image_progress(d->caller, done, size);
        if (!deadline_passed(d->tell_at))
                return;
        log_info("downloading image %.128s: %s, %s/s", d->info->id, text,
                 size_text((done - d->told) / PROGRESS_S, b));
        d->tell_at = deadline_in_s(PROGRESS_S);
        d->told = done;
}

static int take_data(void *arg, const char *data, size_t len, struct error *err)
{
        struct download *d = arg;
        int64_t size = d->info->size;

        assert_green();
        if (file_sink_write(d->sink, data, len, d->by, err) < 0) {
                d->sink_failed = true;
                return -1;
        }
        if (size > 0 && file_sink_length(d->sink) > size) {
                d->sink_failed = true;
                return error_set(err, NOVA_IMAGE_UNACCEPTABLE,
                                 "Image %.128s is unacceptable: there are more than its %" PRId64 " bytes",
                                 d->info->id, size);
        }
        tell_progress(d);
        return 0;
}

/* Does "bytes 1000-1999/2000" begin where we are? */
static bool goes_on(const struct http_response *r, int64_t from)
{
        const char *range = http_response_header(r, "Content-Range");
        int64_t begin;

        return from > 0 && range && sscanf(range, "bytes %" SCNd64 "-", &begin) == 1 && begin == from;
}

/* A server that does not know ranges sends the whole again. */
static int take_head(void *arg, const struct http_response *r, struct error *err)
{
        struct download *d = arg;
        const char *md5 = http_response_header(r, "Content-MD5");

        assert_green();
        if (r->status == 206 && goes_on(r, d->from))
                return 0;
        if (r->status == 206) {
                d->sink_failed = true;
                return error_set(err, ERR_PROTOCOL, "the server sent another part than the one asked for");
        }
        replace_str(&d->md5, md5);
        if (file_sink_length(d->sink) == 0)
                return 0;
        log_info("image %.128s: the server does not go on, downloading from the beginning", d->info->id);
        if (file_sink_restart(d->sink, d->by, err) == 0)
                return 0;
        d->sink_failed = true;
        return -1;
}

/* ---- one request ---- */

static int YIELDS ask_server(struct glance *g, const struct wish *w, const struct tokens *t,
                             struct http_response *ret, struct deadline by, struct error *err)
{
        struct download *d = w->download;
        CLEANUP(freep) char *server = NULL;
        CLEANUP(freep) char *url = NULL;
        char range[48];
        struct http_header headers[] = { { "X-Auth-Token", t->auth, true },
                                         { "X-Service-Token", t->service, true },
                                         { "X-OpenStack-Request-ID",
                                           w->caller ? w->caller->request_id : NULL },
                                         { "Range", d && d->from > 0 ? range : NULL } };
        struct http_request req = { .method = w->discard ? "DELETE" : "GET",
                                    .service = "glance",
                                    .headers = headers,
                                    .n_headers = ARRAY_SIZE(headers),
                                    .max_body = METADATA_MAX,
                                    .sink = d ? take_data : NULL,
                                    .head = d ? take_head : NULL,
                                    .sink_arg = d };

        if (d)
                snprintf(range, sizeof(range), "bytes=%" PRId64 "-", d->from);
        if (server_url(g, w->caller, &server, by, err) < 0)
                return -1;
        req.url = url = xasprintf("%s/v2/images/%s", server, w->path);
        if (!d)
                by = deadline_earlier(by, deadline_in_s(g->timeout_s));
        return http_call(g->http, &req, ret, by, err);
}

/* The same with a new token of ours when the first was refused. */
static int YIELDS ask_with_token(struct glance *g, const struct wish *w, struct http_response *ret,
                                 struct deadline by, struct error *err)
{
        for (unsigned attempt = 1;; attempt++) {
                CLEANUP(tokens_free) struct tokens t = {};

                if (get_tokens(g, w->caller, &t, by, err) < 0 || ask_server(g, w, &t, ret, by, err) < 0)
                        return -1;
                if (ret->status != 401 || !token_refused(g, &t, w->caller && w->caller->token) ||
                    attempt == 2)
                        return 0;
                http_response_free(ret);
        }
}

/* What the answer means when it is not 200. */
static int status_error(const char *id, const struct http_response *r, struct error *err)
{
        switch (r->status) {
        case 404:
                return error_set(err, NOVA_IMAGE_NOT_FOUND, "Image %.128s could not be found.", id);
        case 401:
        case 403:
                return error_set(err, NOVA_IMAGE_NOT_AUTHORIZED, "Not authorized for image %.128s.", id);
        case 204:
                return error_set(err, NOVA_IMAGE_UNACCEPTABLE, "Image %.128s is unacceptable: it has no data",
                                 id);
        default:
                service_status_error(r->status, r->body, r->len, err);
                return error_while(err, "image %.128s", id);
        }
}

static int YIELDS open_sink(struct download *d, struct error *err)
{
        const char *algo = d->info->checksum_algo ? d->info->checksum_algo : "md5";

        d->sink = file_sink_open(image_source_tpool(), d->file, algo, d->by, err);
        if (d->sink)
                return 0;
        d->sink_failed = true;
        if (err->code == ERR_UNSUPPORTED) {
                err->code = NOVA_IMAGE_UNACCEPTABLE;
                error_while(err, "Image %.128s is unacceptable", d->info->id);
        }
        return -1;
}

static int YIELDS attempt(struct glance *g, const struct wish *w, struct http_response *ret,
                          struct deadline by, struct error *err)
{
        struct download *d = w->download;

        if (d && !d->sink && open_sink(d, err) < 0)
                return -1;
        if (d)
                d->from = file_sink_length(d->sink);
        return ask_with_token(g, w, ret, by, err);
}

static bool may_help_elsewhere(const struct http_response *r, int failed, const struct download *d,
                               const struct error *err)
{
        if (failed < 0)
                return !(d && d->sink_failed) && (err->code == ERR_CLOSED || err->code == ERR_TIMEOUT);
        return r->status == 503 || (r->status == 416 && d && d->from > 0);
}

/* True: this attempt brought more than any before. */
static bool HUB_ONLY came_further(struct download *d)
{
        if (!d || !d->sink || file_sink_length(d->sink) <= d->farthest)
                return false;
        d->farthest = file_sink_length(d->sink);
        return true;
}

static int YIELDS pause_before_retry(struct glance *g, const struct wish *w, int status, struct deadline by,
                                     struct error *err)
{
        log_warning("%s; trying again in %.0f s", err->text, g->pause_s);
        g->next++;
        *err = (struct error){};
        if (status == 416 && file_sink_restart(w->download->sink, by, err) < 0)
                return -1;
        return green_sleep_until(deadline_earlier(by, deadline_in_s(g->pause_s)), err);
}

/* On success the answer is a good one. */
static int YIELDS ask(struct glance *g, const struct wish *w, struct http_response *ret, struct deadline by,
                      struct error *err)
{
        for (unsigned left = g->num_retries;; left--) {
                int r = attempt(g, w, ret, by, err), status = ret->status;
                bool again;

                if (r == 0 && (w->discard ? status == 204 : status == 200 || (status == 206 && w->download)))
                        return 0;
                if (r == 0)
                        status_error(w->id, ret, err);
                else if (err->code != NOVA_IMAGE_UNACCEPTABLE && err->code != NOVA_IMAGE_NOT_AUTHORIZED)
                        error_while(err, "image %.128s", w->id);
                again = may_help_elsewhere(ret, r, w->download, err);
                http_response_free(ret);
                if (came_further(w->download))
                        left = g->num_retries;
                if (left == 0 || !again || deadline_passed(by))
                        return -1;
                if (pause_before_retry(g, w, status, by, err) < 0)
                        return -1;
        }
}

/* ---- metadata ---- */

static int parse_info(const char *id, const struct http_response *r, struct image_info *ret,
                      struct error *err)
{
        CLEANUP(jval_unrefp) struct jval *o = jval_parse(r->body, r->len, err);
        const char *sum = jval_get_text(o, "os_hash_value", NULL);

        if (!o)
                return error_while(err, "metadata of image %.128s", id);
        if (strcmp(jval_get_text(o, "id", ""), id) != 0)
                return error_set(err, ERR_PROTOCOL,
                                 "the image service answered with another image than %.128s", id);
        *ret = (struct image_info){
                .id = xstrdup(id),
                .name = xstrdup(jval_get_text(o, "name", id)),
                .disk_format = xstrdup(jval_get_text(o, "disk_format", "")),
                .container_format = xstrdup(jval_get_text(o, "container_format", "")),
                .status = xstrdup(jval_get_text(o, "status", "")),
                .checksum_algo = sum ? xstrdup(jval_get_text(o, "os_hash_algo", "sha512")) : NULL,
                .checksum = xstrdup(sum),
                .size = jval_get_int(o, "size", 0),
                .min_disk_gb = jval_get_int(o, "min_disk", 0),
                .min_ram_mb = jval_get_int(o, "min_ram", 0),
                .created_at = xstrdup(jval_get_text(o, "created_at", NULL)),
        };
        if (sum)
                return 0;
        ret->checksum = xstrdup(jval_get_text(o, "checksum", NULL));
        ret->checksum_algo = ret->checksum ? xstrdup("md5") : NULL;
        return 0;
}

static int glance_get(struct image_source *s, const char *id, const struct image_caller *caller,
                      struct image_info *ret, struct deadline by, struct error *err)
{
        CLEANUP(http_response_free) struct http_response r = {};
        CLEANUP(freep) char *path = http_escape(id);
        const struct wish w = { .id = id, .path = path, .caller = caller };

        assert_green();
        if (ask(glance_of(s), &w, &r, by, err) < 0)
                return -1;
        return parse_info(id, &r, ret, err);
}

/* Absent is success: it may be us who deleted it, and the answer was lost. */
static int glance_discard(struct image_source *s, const char *id, const struct image_caller *caller,
                          struct deadline by, struct error *err)
{
        CLEANUP(http_response_free) struct http_response r = {};
        CLEANUP(freep) char *path = http_escape(id);
        const struct wish w = { .id = id, .path = path, .caller = caller, .discard = true };

        assert_green();
        if (ask(glance_of(s), &w, &r, by, err) == 0)
                return 0;
        if (err->code != NOVA_IMAGE_NOT_FOUND)
                return error_while(err, "deleting");
        *err = (struct error){};
        return 0;
}

/* ---- data ---- */

static int check_data(const struct download *d, const char *hex, struct error *err)
{
        const struct image_info *info = d->info;
        const char *want = info->checksum ? info->checksum : d->md5;

        if (!want || strcasecmp(want, hex) == 0)
                return 0;
        return error_set(err, NOVA_IMAGE_UNACCEPTABLE,
                         "Image %.128s is unacceptable: its data is damaged, its %s is %.16s..., not "
                         "%.16s...",
                         info->id, info->checksum_algo ? info->checksum_algo : "md5", hex, want);
}

static int check_length(const struct image_info *info, int64_t got, struct error *err)
{
        if (info->size <= 0 || info->size == got)
                return 0;
        return error_set(err, NOVA_IMAGE_UNACCEPTABLE,
                         "Image %.128s is unacceptable: it has %" PRId64 " bytes, not %" PRId64, info->id,
                         got, info->size);
}

static int YIELDS download(struct glance *g, struct download *d, struct error *err)
{
        CLEANUP(http_response_free) struct http_response r = {};
        CLEANUP(freep) char *id = http_escape(d->info->id);
        CLEANUP(freep) char *path = xasprintf("%s/file", id);
        const struct wish w = { .id = d->info->id, .path = path, .caller = d->caller, .download = d };
        char hex[DIGEST_HEX_MAX + 1] = "";
        struct error ignored = {};

        if (ask(g, &w, &r, d->by, err) < 0 || check_length(d->info, file_sink_length(d->sink), err) < 0 ||
            file_sink_finish(d->sink, hex, d->by, err) < 0)
                return -1;
        if (check_data(d, hex, err) == 0)
                return 0;
        green_shield_begin();
        file_remove(image_source_tpool(), d->file, deadline_never(), &ignored);
        green_shield_end();
        return -1;
}

static int glance_fetch(struct image_source *s, const struct image_info *image,
                        const struct image_caller *caller, const char *file, struct deadline by,
                        struct error *err)
{
        struct download d = { .info = image,
                              .caller = caller,
                              .file = file,
                              .by = by,
                              .tell_at = deadline_in_s(PROGRESS_S),
                              .since_ns = clock_now_ns() };
        char size[32];
        int r;

        assert_green();
        image_doing(caller, "downloading image %.64s", image->id);
        r = download(glance_of(s), &d, err);
        if (r == 0)
                log_info("downloaded image %.128s, %s in %.1f s", image->id,
                         size_text(file_sink_length(d.sink), size), clock_since_s(d.since_ns));
        file_sink_close(d.sink);
        free(d.md5);
        return r;
}

/* ---- the source ---- */

static void glance_free(struct image_source *s)
{
        struct glance *g = glance_of(s);

        for (unsigned i = 0; i < g->n_servers; i++)
                free(g->servers[i]);
        free(g->servers);
        free(g->interfaces);
        free(g->region);
        free(g);
}

static const struct image_source_ops glance_ops = { .name = "glance",
                                                    .get = glance_get,
                                                    .fetch = glance_fetch,
                                                    .discard = glance_discard,
                                                    .free = glance_free };

static void add_servers(struct glance *g, const char *list)
{
        for (const char *p = list; *p;) {
                size_t len = strcspn(p, ", ");

                if (len > 0) {
                        g->servers = xrealloc(g->servers, (g->n_servers + 1) * sizeof(*g->servers));
                        g->servers[g->n_servers++] = xstrndup(p, len);
                }
                p += len + strspn(p + len, ", ");
        }
        for (unsigned i = g->n_servers; i > 1; i--) {
                unsigned n = arc4random_uniform(i);
                char *s = g->servers[i - 1];

                g->servers[i - 1] = g->servers[n];
                g->servers[n] = s;
        }
}

struct image_source *image_source_glance_new(const struct glance_options *opt)
{
        bool one = opt->endpoint_override && *opt->endpoint_override;
        struct glance *g = NEW(struct glance);

        g->base.ops = &glance_ops;
        add_servers(g, one ? opt->endpoint_override : opt->api_servers ? opt->api_servers : "");
        g->interfaces = xstrdup(opt->interfaces);
        g->region = xstrdup(opt->region);
        g->num_retries = opt->num_retries;
        g->pause_s = opt->retry_pause_s > 0 ? opt->retry_pause_s : PAUSE_S;
        g->timeout_s = opt->timeout_s > 0 ? opt->timeout_s : REQUEST_S;
        g->http = opt->http;
        g->keystone = opt->keystone;
        g->service = opt->service;
        return &g->base;
}
