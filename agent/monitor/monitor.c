/* agent/monitor/monitor.c: the listeners, the routes, and the page of health. */
#include "monitor/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_MODULE "monitor"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "httpd/httpd.h"
#include "messaging/local_socket.h"

enum { LISTEN_S = 5, SOCKET_MODE = 0666 };

struct monitor {
        const struct admin_sources *from;
        struct httpd_route routes[3];
        struct httpd *local, *tcp;
        struct socket_file file;
        char *health; /* the page; NULL before the first */
        unsigned health_status;
        int64_t health_ns; /* when it was made */
};

/* ---- health ---- */

static int add_time(const char *name, struct jval *check, void *arg)
{
        jval_set_text(check, "time", arg);
        return 0;
}

static struct jval *HUB_ONLY health_of(const struct admin_sources *from)
{
        CLEANUP(jval_unrefp) struct jval *found = admin_health(from);
        struct jval *to = jval_new_object(), *checks = jval_get(found, "checks");
        CLEANUP(freep) char *id = xasprintf("compute-agent@%s", from->conf->host);
        time_t now = clock_wall_s();
        struct tm tm;
        char when[32];

        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
        jval_foreach(checks, add_time, when);
        jval_set_text(to, "status", jval_get_text(found, "status", "fail"));
        jval_set_text(to, "version", "1");
        jval_set_text(to, "releaseId", AGENT_VERSION);
        jval_set_text(to, "serviceId", id);
        jval_set_text(to, "description", "health of compute-agent");
        jval_set_text(to, "time", when);
        jval_set(to, "checks", jval_ref(checks));
        return to;
}

static void HUB_ONLY make_health(struct monitor *m)
{
        CLEANUP(jval_unrefp) struct jval *health = health_of(m->from);

        free(m->health);
        m->health = jval_print_pretty(health, NULL);
        m->health_status = strcmp(jval_get_text(health, "status", ""), "fail") == 0 ? 503 : 200;
        m->health_ns = clock_now_ns();
}

static void health_page(struct httpd_reply *to, void *arg)
{
        struct monitor *m = arg;

        assert_on_hub();
        if (!m->health || clock_now_ns() - m->health_ns >= NS_PER_S)
                make_health(m);
        to->status = m->health_status;
        to->content_type = "application/health+json";
        strbuf_addf(&to->body, "%s\n", m->health);
}

static void metrics_page(struct httpd_reply *to, void *arg)
{
        const struct monitor *m = arg;

        assert_on_hub();
        to->content_type = "text/plain; version=0.0.4; charset=utf-8";
        monitor_metrics(m->from, &to->body);
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
        m->routes[1] = (struct httpd_route){ "/metrics", metrics_page, m };
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
        free(m->health);
        free(m);
}
