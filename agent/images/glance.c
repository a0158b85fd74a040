/*
 * agent/images/glance.c: an image service as a source of images.
 *
 * A request is tried on one server after the other. What is written to the file is thrown away when a
 * download breaks, and begun anew on the next server: a checksum at the end then covers what one server sent.
 */
#define LOG_MODULE "images.glance"
#include "images/glance.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "images/filesink.h"
#include "json/json.h"
#include "peers/service.h"

enum { REQUEST_S = 60, PAUSE_S = 1, METADATA_MAX = 1 << 20, PROGRESS_S = 10 };
#define MIB INT64_C(1048576)

struct glance {
        struct image_source base;
        char **servers;
        unsigned n_servers, next; /* next: where the next request begins */
        char *interfaces, *region;
        unsigned num_retries;
        double pause_s, timeout_s;
        struct http_client *http;
        struct keystone *keystone;
        char *(*user_token)(void *arg);
        void *user_token_arg;
        struct list downloads;
};

struct download {
        struct list link;
        struct glance *glance;
        const struct image_info *info;
        struct file_sink *sink;
        bool sink_failed;
        struct deadline by, tell_at;
        int64_t since_ns;
};

static struct glance *glance_of(struct image_source *s)
{
        return CONTAINER_OF(s, struct glance, base);
}

/* ---- one request ---- */

struct tokens {
        char *auth, *service; /* service: NULL when auth is ours */
};

static void tokens_free(struct tokens *t)
{
        free(t->auth);
        free(t->service);
}

static int YIELDS get_tokens(struct glance *g, struct tokens *ret, struct deadline by, struct error *err)
{
        char *user = g->user_token ? g->user_token(g->user_token_arg) : NULL;
        char *ours = NULL;

        if (g->keystone && keystone_token(g->keystone, &ours, by, err) < 0) {
                free(user);
                return -1;
        }
        if (!user && !ours)
                return error_set(err, NOVA_IMAGE_NOT_AUTHORIZED, "there is no token to ask for images with");
        *ret = (struct tokens){ .auth = user ? user : ours, .service = user ? ours : NULL };
        return 0;
}

static int YIELDS server_url(struct glance *g, char **ret, struct deadline by, struct error *err)
{
        struct keystone_endpoint wanted = { "image", g->interfaces, g->region };
        size_t len;

        if (g->n_servers > 0)
                *ret = service_trim_url(g->servers[g->next % g->n_servers]);
        else if (keystone_endpoint(g->keystone, &wanted, ret, by, err) < 0)
                return -1;
        len = strlen(*ret);
        if (len >= 3 && strcmp(*ret + len - 3, "/v2") == 0)
                (*ret)[len - 3] = '\0';
        return 0;
}

static int take_data(void *arg, const char *data, size_t len, struct error *err)
{
        struct download *d = arg;
        int64_t size = d->info->size, done;

        assert_green();
        if (file_sink_write(d->sink, data, len, d->by, err) < 0) {
                d->sink_failed = true;
                return -1;
        }
        done = file_sink_length(d->sink);
        if (size > 0 && done > size) {
                d->sink_failed = true;
                return error_set(err, NOVA_IMAGE_UNACCEPTABLE, "there are more than its %" PRId64 " bytes",
                                 size);
        }
        if (deadline_passed(d->tell_at)) {
                d->tell_at = deadline_in_s(PROGRESS_S);
                log_info("fetching image %s: %" PRId64 " of %" PRId64 " MiB", d->info->id, done / MIB,
                         size / MIB);
        }
        return 0;
}

static int YIELDS ask_server(struct glance *g, const char *path, const struct tokens *t, struct download *d,
                             struct http_response *ret, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *server = NULL;
        CLEANUP(freep) char *url = NULL;
        struct http_header headers[] = { { "X-Auth-Token", t->auth, true },
                                         { "X-Service-Token", t->service, true } };
        struct http_request req = { .method = "GET",
                                    .headers = headers,
                                    .n_headers = 2,
                                    .max_body = METADATA_MAX,
                                    .sink = d ? take_data : NULL,
                                    .sink_arg = d };

        if (server_url(g, &server, by, err) < 0)
                return -1;
        req.url = url = xasprintf("%s/v2/images/%s", server, path);
        if (!d)
                by = deadline_earlier(by, deadline_in_s(g->timeout_s));
        return http_call(g->http, &req, ret, by, err);
}

/* The same with a new token of ours when the first was refused. */
static int YIELDS ask_with_token(struct glance *g, const char *path, struct download *d,
                                 struct http_response *ret, struct deadline by, struct error *err)
{
        for (unsigned attempt = 1;; attempt++) {
                CLEANUP(tokens_free) struct tokens t = {};
                const char *ours;

                if (get_tokens(g, &t, by, err) < 0 || ask_server(g, path, &t, d, ret, by, err) < 0)
                        return -1;
                ours = t.service ? t.service : g->keystone ? t.auth : NULL;
                if (ret->status != 401 || attempt == 2 || !ours)
                        return 0;
                keystone_token_refused(g->keystone, ours);
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
                return error_set(err, NOVA_IMAGE_UNACCEPTABLE, "Image %.128s has no data", id);
        default:
                service_status_error(r->status, r->body, r->len, err);
                return error_while(err, "image %.128s", id);
        }
}

static bool may_help_elsewhere(const struct http_response *r, int failed, const struct download *d,
                               const struct error *err)
{
        if (failed < 0)
                return !(d && d->sink_failed) && (err->code == ERR_CLOSED || err->code == ERR_TIMEOUT);
        return r->status == 503;
}

/* One attempt: begins the file, if there is one. */
static int YIELDS attempt(struct glance *g, const char *path, struct download *d, const char *file,
                          struct http_response *ret, struct deadline by, struct error *err)
{
        const char *algo;

        if (!d)
                return ask_with_token(g, path, NULL, ret, by, err);
        file_sink_close(take_ptr(&d->sink));
        algo = d->info->checksum_algo ? d->info->checksum_algo : "md5";
        d->sink = file_sink_open(image_source_tpool(), file, algo, by, err);
        if (!d->sink) {
                d->sink_failed = true;
                return -1;
        }
        return ask_with_token(g, path, d, ret, by, err);
}

/* On success the answer is 200. */
static int YIELDS ask(struct glance *g, const char *id, const char *path, struct download *d,
                      const char *file, struct http_response *ret, struct deadline by, struct error *err)
{
        for (unsigned left = g->num_retries;; left--) {
                int r = attempt(g, path, d, file, ret, by, err);

                if (r == 0 && ret->status == 200)
                        return 0;
                if (r == 0)
                        status_error(id, ret, err);
                else
                        error_while(err, "image %.128s", id);
                if (left == 0 || !may_help_elsewhere(ret, r, d, err) || deadline_passed(by)) {
                        http_response_free(ret);
                        return -1;
                }
                log_warning("%s; trying again in %.0f s", err->text, g->pause_s);
                http_response_free(ret);
                g->next++;
                *err = (struct error){};
                if (green_sleep_until(deadline_earlier(by, deadline_in_s(g->pause_s)), err) < 0)
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

static int glance_get(struct image_source *s, const char *id, struct image_info *ret, struct deadline by,
                      struct error *err)
{
        CLEANUP(http_response_free) struct http_response r = {};
        CLEANUP(freep) char *path = http_escape(id);

        assert_green();
        if (ask(glance_of(s), id, path, NULL, NULL, &r, by, err) < 0)
                return -1;
        return parse_info(id, &r, ret, err);
}

/* ---- data ---- */

static int check_sum(const struct image_info *info, const struct http_response *r, const char *hex,
                     struct error *err)
{
        const char *want = info->checksum ? info->checksum : http_response_header(r, "Content-MD5");

        if (!want || strcasecmp(want, hex) == 0)
                return 0;
        return error_set(err, NOVA_IMAGE_UNACCEPTABLE,
                         "data of image %.128s is damaged: its %s is %.16s..., not "
                         "%.16s...",
                         info->id, info->checksum_algo ? info->checksum_algo : "md5", hex, want);
}

static int check_length(const struct image_info *info, int64_t got, struct error *err)
{
        if (info->size <= 0 || info->size == got)
                return 0;
        return error_set(err, NOVA_IMAGE_UNACCEPTABLE, "image %.128s has %" PRId64 " bytes, not %" PRId64,
                         info->id, got, info->size);
}

static int YIELDS download(struct glance *g, struct download *d, const char *file, struct deadline by,
                           struct error *err)
{
        CLEANUP(http_response_free) struct http_response r = {};
        CLEANUP(freep) char *id = http_escape(d->info->id);
        CLEANUP(freep) char *path = xasprintf("%s/file", id);
        char hex[DIGEST_HEX_MAX + 1] = "";

        if (ask(g, d->info->id, path, d, file, &r, by, err) < 0)
                return -1;
        if (check_length(d->info, file_sink_length(d->sink), err) < 0 ||
            file_sink_finish(d->sink, hex, by, err) < 0)
                return -1;
        if (check_sum(d->info, &r, hex, err) == 0)
                return 0;
        unlink(file);
        return -1;
}

static int glance_fetch(struct image_source *s, const char *id, const char *file, struct deadline by,
                        struct error *err)
{
        struct glance *g = glance_of(s);
        struct image_info info = {};
        struct download d = { .glance = g, .info = &info, .by = by, .since_ns = clock_now_ns() };
        int r;

        assert_green();
        if (glance_get(s, id, &info, by, err) < 0)
                return -1;
        d.tell_at = deadline_in_s(PROGRESS_S);
        list_append(&g->downloads, &d.link);
        r = download(g, &d, file, by, err);
        list_remove(&d.link);
        if (r == 0)
                log_info("fetched image %.128s, %" PRId64 " bytes in %.1f s", id, file_sink_length(d.sink),
                         (double)(clock_now_ns() - d.since_ns) / NS_PER_S);
        file_sink_close(d.sink);
        image_info_free(&info);
        return r;
}

void image_source_glance_progress(struct image_source *s,
                                  void (*fn)(const struct glance_progress *p, void *arg), void *arg)
{
        struct glance *g = glance_of(s);

        list_for_each (node, &g->downloads) {
                const struct download *d = CONTAINER_OF(node, struct download, link);
                struct glance_progress p = { .id = d->info->id, .size = d->info->size };

                p.done = d->sink ? file_sink_length(d->sink) : 0;
                p.since_s = (double)(clock_now_ns() - d->since_ns) / NS_PER_S;
                fn(&p, arg);
        }
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

static const struct image_source_ops glance_ops = {
        .name = "glance", .get = glance_get, .fetch = glance_fetch, .free = glance_free
};

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

struct image_source *image_source_glance_new(const struct glance_options *opt, struct error *err)
{
        bool one = opt->endpoint_override && *opt->endpoint_override;
        struct glance *g;

        if (!one && !(opt->api_servers && *opt->api_servers) && !opt->keystone) {
                error_set(err, ERR_INVALID,
                          "no api_servers, no endpoint_override, and no catalog to find one in");
                return NULL;
        }
        g = NEW(struct glance);
        g->base.ops = &glance_ops;
        list_init(&g->downloads);
        add_servers(g, one ? opt->endpoint_override : opt->api_servers ? opt->api_servers : "");
        g->interfaces = xstrdup(opt->interfaces);
        g->region = xstrdup(opt->region);
        g->num_retries = opt->num_retries;
        g->pause_s = opt->retry_pause_s > 0 ? opt->retry_pause_s : PAUSE_S;
        g->timeout_s = opt->timeout_s > 0 ? opt->timeout_s : REQUEST_S;
        g->http = opt->http;
        g->keystone = opt->keystone;
        g->user_token = opt->user_token;
        g->user_token_arg = opt->user_token_arg;
        return &g->base;
}
