/*
 * agent/monitor/monitor.c: the listeners, the routes, and the page of health, whose fields are those of
 * nova's specification "per-process-healthchecks" and of the draft that it follows (health+json).
 */
#include "monitor/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_MODULE "monitor"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "compute/tracker.h"
#include "conf/conf.h"
#include "httpd/httpd.h"
#include "messaging/local_socket.h"
#include "monitor/metrics.h"
#include "options.h"

#define HEALTH_VERSION "1.0" /* of the page's form */

enum { LISTEN_S = 5, SOCKET_MODE = 0666, FRESH_S = 1 };

/* What was made last, for who asks soon after. */
struct page {
        char *text; /* NULL: none yet */
        size_t len;
        unsigned status;
        int64_t made_ns;
};

struct monitor {
        const struct admin_sources *from;
        struct httpd_route routes[3];
        struct httpd *local, *tcp;
        struct socket_file file;
        struct page health, metrics;
};

static bool is_fresh(const struct page *p)
{
        return p->text && clock_now_ns() - p->made_ns < FRESH_S * NS_PER_S;
}

/* Takes over text. */
static void keep(struct page *p, char *text, size_t len, unsigned status)
{
        free(p->text);
        *p = (struct page){ .text = text, .len = len, .status = status, .made_ns = clock_now_ns() };
}

/* ---- health ---- */

static int add_time(const char *name, struct jval *check, void *arg)
{
        jval_set_text(check, "time", arg);
        return 0;
}

static struct jval *HUB_ONLY notes_of(const struct admin_sources *from)
{
        struct jval *notes = jval_new_object();
        const char *node = from->manager ? tracker_node(compute_tracker(from->manager)) : "";

        jval_set_text(notes, "host", from->conf->host);
        if (*node)
                jval_set_text(notes, "hostname", node);
        jval_set_text(notes, "program", "compute-agent");
        if (from->options && from->options->debug)
                jval_set_text(notes, "debug", "threads are not patched: they are native ones");
        return notes;
}

static struct jval *HUB_ONLY health_of(const struct admin_sources *from)
{
        CLEANUP(jval_unrefp) struct jval *found = admin_health(from);
        struct jval *to = jval_new_object(), *checks = jval_get(found, "checks");
        const struct service_row *service = from->manager ? compute_service(from->manager) : NULL;
        time_t now = clock_wall_s();
        struct tm tm;
        char when[32];

        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S+00:00", gmtime_r(&now, &tm));
        jval_foreach(checks, add_time, when);
        jval_set_text(to, "status", jval_get_text(found, "status", "fail"));
        jval_set_text(to, "version", HEALTH_VERSION);
        jval_set_text(to, "releaseId", AGENT_VERSION);
        if (service && service->uuid)
                jval_set_text(to, "serviceId", service->uuid);
        jval_set_text(to, "description", SERVICE_BINARY);
        jval_set(to, "notes", notes_of(from));
        jval_set_text(to, "time", when);
        jval_set(to, "checks", jval_ref(checks));
        return to;
}

static void HUB_ONLY make_health(struct monitor *m)
{
        CLEANUP(jval_unrefp) struct jval *health = health_of(m->from);
        bool failed = strcmp(jval_get_text(health, "status", ""), "fail") == 0;
        CLEANUP(freep) char *text = jval_print_pretty(health, NULL);

        keep(&m->health, xasprintf("%s\n", text), strlen(text) + 1, failed ? 503 : 200);
}

static void health_page(struct httpd_reply *to, void *arg)
{
        struct monitor *m = arg;

        assert_on_hub();
        if (!is_fresh(&m->health))
                make_health(m);
        to->status = m->health.status;
        to->content_type = "application/health+json";
        to->cache_control = to->status == 200 ? "max-age=1" : "no-cache";
        strbuf_add(&to->body, m->health.text, m->health.len);
}

/* ---- metrics ---- */

static void HUB_ONLY make_metrics(struct monitor *m)
{
        struct strbuf b = {};
        size_t len;
        char *text;

        metrics_page(m->from, &b);
        text = strbuf_take(&b, &len);
        keep(&m->metrics, text, len, 200);
}

static void show_metrics(struct httpd_reply *to, void *arg)
{
        struct monitor *m = arg;

        assert_on_hub();
        if (!is_fresh(&m->metrics))
                make_metrics(m);
        to->content_type = "text/plain; version=0.0.4; charset=utf-8";
        strbuf_add(&to->body, m->metrics.text, m->metrics.len);
}

/* ---- listening ---- */

static int YIELDS listen_locally(struct monitor *m, struct error *err)
{
        const char *path = m->from->conf->healthcheck.socket;
        int fd;

        local_files("sockets are made in a local directory, as below /run");
        if (!*path)
                return 0;
        fd = local_listen(path, &m->file, deadline_in_s(LISTEN_S), err);
        if (fd < 0)
                return error_while(err, "[healthcheck] socket");
        chmod(path, SOCKET_MODE); /* to look is for everybody; the directory may say otherwise */
        m->local = httpd_start("monitor", fd, m->routes, err);
        return m->local ? 0 : -1;
}

static int YIELDS listen_on_port(struct monitor *m, struct error *err)
{
        const struct conf *c = m->from->conf;
        int fd;

        if (c->healthcheck.port == 0)
                return 0;
        fd = httpd_listen_tcp(c->healthcheck.listen, (unsigned)c->healthcheck.port, NULL, err);
        if (fd < 0)
                return error_while(err, "[healthcheck] listen");
        m->tcp = httpd_start("monitor tcp", fd, m->routes, err);
        if (!m->tcp)
                return -1;
        log_info("health and metrics at http://%s:%lld/", c->healthcheck.listen,
                 (long long)c->healthcheck.port);
        return 0;
}

struct monitor *monitor_start(const struct admin_sources *from, struct error *err)
{
        struct monitor *m = NEW(struct monitor);

        m->from = from;
        m->routes[0] = (struct httpd_route){ "/health", health_page, m };
        m->routes[1] = (struct httpd_route){ "/metrics", show_metrics, m };
        if (listen_locally(m, err) == 0 && listen_on_port(m, err) == 0)
                return m;
        monitor_stop(m);
        return NULL;
}

void monitor_stop(struct monitor *m)
{
        if (!m)
                return;
        httpd_stop(m->tcp);
        if (m->local)
                local_unlink(m->from->conf->healthcheck.socket, &m->file);
        httpd_stop(m->local);
        free(m->health.text);
        free(m->metrics.text);
        free(m);
}
