/*
 * lib/httpd/httpd.c: libmicrohttpd, turned by a green thread.
 *
 * The library runs without threads of its own: it has one epoll descriptor, which is itself waited for like
 * any other, and says how soon it wants to look at its time limits. Its calls never block.
 */
#include "httpd/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { CONNECTIONS_MAX = 64, SILENCE_S = 10, CONNECTION_MEMORY = 16 * 1024, BACKLOG = 64 };

static const char DEFAULT_TYPE[] = "text/plain; charset=utf-8";

struct httpd {
        struct MHD_Daemon *daemon;
        const struct httpd_route *routes;
        struct green_group *group;
        int epoll_fd; /* the daemon's */
};

static enum MHD_Result answer(struct MHD_Connection *c, struct httpd_reply *reply, const char *allow)
{
        size_t len;
        char *body = strbuf_take(&reply->body, &len);
        struct MHD_Response *r = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
        enum MHD_Result done;

        if (!r) { /* no memory: the library closes the connection */
                free(body);
                return MHD_NO;
        }
        MHD_add_response_header(r, "Content-Type", reply->content_type);
        MHD_add_response_header(r, "Cache-Control", reply->cache_control);
        if (allow)
                MHD_add_response_header(r, "Allow", allow);
        done = MHD_queue_response(c, reply->status, r);
        MHD_destroy_response(r);
        return done;
}

static const struct httpd_route *route_of(const struct httpd *s, const char *path)
{
        for (const struct httpd_route *r = s->routes; r->path; r++)
                if (strcmp(r->path, path) == 0)
                        return r;
        return NULL;
}

/* Called when the headers are there, and again for each part of a body and at its end. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version, const char *data, size_t *len, void **seen)
{
        struct httpd *s = arg;
        struct httpd_reply reply = { .status = MHD_HTTP_OK,
                                     .content_type = DEFAULT_TYPE,
                                     .cache_control = "no-store" };
        const struct httpd_route *route;

        assert_on_hub();
        if (!*seen) { /* an answer is due after the body only */
                *seen = s;
                return MHD_YES;
        }
        if (*len > 0) {
                *len = 0;
                return MHD_YES;
        }
        route = route_of(s, path);
        if (!route) {
                reply.status = MHD_HTTP_NOT_FOUND;
                strbuf_adds(&reply.body, "there is no such page; there are:");
                for (route = s->routes; route->path; route++)
                        strbuf_addf(&reply.body, " %s", route->path);
                strbuf_adds(&reply.body, "\n");
                return answer(c, &reply, NULL);
        }
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
                reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
                strbuf_adds(&reply.body, "only GET and HEAD\n");
                return answer(c, &reply, "GET, HEAD");
        }
        route->fn(&reply, route->arg);
        return answer(c, &reply, NULL);
}

static int serve(void *arg, struct error *err)
{
        struct httpd *s = arg;
        unsigned long long ms;

        assert_green();
        for (;;) {
                struct deadline by = deadline_never();

                MHD_run(s->daemon);
                if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
                        by = deadline_in_ms((int64_t)ms);
                if (green_wait_fd(s->epoll_fd, GREEN_READ, by, err) < 0 && err->code != ERR_TIMEOUT)
                        return -1;
                /* ready again and again is one client's doing: the others on the hub have their turn */
                green_yield();
        }
}

/* What the library has to say concerns single clients. */
static void say_nothing(void *arg, const char *fmt, va_list ap)
{
}

struct httpd *httpd_start(const char *name, int listener, const struct httpd_route *routes, struct error *err)
{
        struct httpd *s = NEW(struct httpd);
        const union MHD_DaemonInfo *info;

        s->routes = routes;
        s->daemon = MHD_start_daemon(
                MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER,
                say_nothing, NULL, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
                (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
        if (!s->daemon) {
                error_system(err, errno, "starting the HTTP server %s", name);
                close(listener);
                free(s);
                return NULL;
        }
        info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        s->epoll_fd = info->epoll_fd;
        s->group = green_group_new(name);
        if (green_spawn(s->group, name, serve, s, err) < 0) {
                green_group_close(s->group);
                MHD_stop_daemon(s->daemon);
                free(s);
                return NULL;
        }
        return s;
}

void httpd_stop(struct httpd *s)
{
        if (!s)
                return;
        green_group_close(s->group);
        MHD_stop_daemon(s->daemon);
        free(s);
}

int httpd_listen_tcp(const char *address, unsigned port, unsigned *ret_port, struct error *err)
{
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } at = { .any.sa_family = AF_INET };
        socklen_t len = sizeof(at.v4);
        int CLEANUP(closep) fd = -1;
        int got, on = 1;

        if (inet_pton(AF_INET, address, &at.v4.sin_addr) == 1) {
                at.v4.sin_port = htons((uint16_t)port);
        } else if (inet_pton(AF_INET6, address, &at.v6.sin6_addr) == 1) {
                at.any.sa_family = AF_INET6;
                at.v6.sin6_port = htons((uint16_t)port);
                len = sizeof(at.v6);
        } else {
                return error_set(err, ERR_INVALID, "\"%s\" is no IP address", address);
        }
        fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, &at.any, len) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, &at.any, &len) < 0)
                return error_system(err, errno, "listening on %s, port %u", address, port);
        if (ret_port) /* at the same place in both */
                *ret_port = ntohs(at.v4.sin_port);
        got = fd;
        fd = -1;
        return got;
}
