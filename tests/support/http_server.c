/* tests/support/http_server.c: as little HTTP as a test needs. */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>
#undef fail

#include "base/mem.h"
#include "base/strbuf.h"

struct peer {
        struct http_server *server;
        int fd;
        struct strbuf in;
};

/* 1: more came; 0: the end. */
static int YIELDS receive(struct peer *p)
{
        struct error err = {};
        char buf[16384];
        ssize_t n;

        while ((n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT)) < 0 && errno == EAGAIN)
                if (green_wait_fd(p->fd, GREEN_READ, deadline_in_s(60), &err) < 0)
                        return 0;
        if (n > 0)
                strbuf_add(&p->in, buf, (size_t)n);
        return n > 0;
}

static bool YIELDS transmit(struct peer *p, const char *data, size_t len)
{
        struct error err = {};

        while (len > 0) {
                ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EAGAIN) {
                        if (green_wait_fd(p->fd, GREEN_WRITE, deadline_in_s(60), &err) < 0)
                                return false;
                        continue;
                }
                if (n < 0)
                        return false;
                data += n;
                len -= (size_t)n;
        }
        return true;
}

char *http_seen_header(const struct http_seen *seen, const char *name)
{
        size_t len = strlen(name);

        for (const char *line = seen->headers; *line; line += strcspn(line, "\n") + 1)
                if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
                        const char *value = line + len + 1 + strspn(line + len + 1, " ");

                        return xstrndup(value, strcspn(value, "\r"));
                }
        return NULL;
}

static void seen_free(struct http_seen *s)
{
        free(s->method);
        free(s->path);
        free(s->headers);
        free(s->body);
}

/* Takes one request off the stream. False at its end. */
static bool YIELDS read_request(struct peer *p, struct http_seen *ret)
{
        const char *end, *line_end, *blank;
        CLEANUP(freep) char *length = NULL;
        size_t head;

        while (!p->in.data || !(end = strstr(p->in.data, "\r\n\r\n")))
                if (!receive(p))
                        return false;
        head = (size_t)(end - p->in.data) + 4;
        line_end = strstr(p->in.data, "\r\n");
        blank = strchr(p->in.data, ' ');
        ck_assert_ptr_nonnull(blank);
        *ret = (struct http_seen){
                .method = xstrndup(p->in.data, (size_t)(blank - p->in.data)),
                .path = xstrndup(blank + 1, strcspn(blank + 1, " ")),
                .headers = xstrndup(line_end + 2, (size_t)(end - line_end)),
        };
        length = http_seen_header(ret, "Content-Length");
        ret->body_len = length ? strtoul(length, NULL, 10) : 0;
        while (p->in.len < head + ret->body_len)
                if (!receive(p)) {
                        seen_free(ret);
                        return false;
                }
        ret->body = xmemdup(p->in.data + head, ret->body_len);
        memmove(p->in.data, p->in.data + head + ret->body_len, p->in.len - head - ret->body_len + 1);
        p->in.len -= head + ret->body_len;
        return true;
}

static void YIELDS drip(struct peer *p, const char *data, size_t len)
{
        struct error err = {};

        for (size_t i = 0; i < len && transmit(p, data + i, 1); i++)
                if (green_sleep(0.001, &err) < 0)
                        return;
}

/* Whether the connection goes on. */
static bool YIELDS answer(struct peer *p, const struct http_seen *seen)
{
        struct http_answer a = {};
        CLEANUP(strbuf_free) struct strbuf out = {};
        struct error err = {};
        size_t head;

        p->server->requests++;
        p->server->handler(seen, &a, p->server->arg);
        if (a.body && !a.len)
                a.len = strlen(a.body);
        if (a.way == HTTP_HANG_UP)
                return false;
        if (a.way == HTTP_SILENT)
                return green_sleep(3600, &err) == 0;
        if (a.way != HTTP_GARBAGE)
                strbuf_addf(&out, "HTTP/1.1 %d Said\r\n%s", a.status ? a.status : 200,
                            a.headers ? a.headers : "");
        if (a.way != HTTP_GARBAGE && a.status != 204)
                strbuf_addf(&out, "Content-Length: %zu\r\n", a.len);
        if (a.way != HTTP_GARBAGE)
                strbuf_adds(&out, "\r\n");
        head = out.len;
        if (a.len && strcmp(seen->method, "HEAD"))
                strbuf_add(&out, a.body, a.len);
        switch (a.way) {
        case HTTP_DRIP:
                drip(p, out.data, out.len);
                return true;
        case HTTP_CUT:
                transmit(p, out.data, head + a.len / 2);
                return false;
        case HTTP_HALF_OPEN:
                transmit(p, out.data, head + a.len / 2);
                return green_sleep(3600, &err) == 0;
        case HTTP_GARBAGE:
                transmit(p, out.data, out.len);
                return false;
        default:
                return transmit(p, out.data, out.len);
        }
}

static int serve_peer(void *arg, struct error *err)
{
        struct peer *p = arg;
        bool more = true;

        assert_green();
        (void)err;
        while (more) {
                struct http_seen seen = {};

                if (!read_request(p, &seen))
                        break;
                more = answer(p, &seen);
                seen_free(&seen);
        }
        green_close(p->fd);
        strbuf_free(&p->in);
        free(p);
        return 0;
}

static int serve(void *arg, struct error *err)
{
        struct http_server *s = arg;

        assert_green();
        for (;;) {
                struct peer *p;
                int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd < 0) {
                        if (green_wait_fd(s->fd, GREEN_READ, deadline_never(), err) < 0)
                                break;
                        continue;
                }
                s->connections++;
                p = NEW(struct peer);
                p->server = s;
                p->fd = fd;
                if (green_spawn(NULL, "http peer", serve_peer, p, err) < 0) {
                        close(fd);
                        free(p);
                }
        }
        green_close(s->fd);
        *err = (struct error){};
        return 0;
}

void http_server_start(struct http_server *s, http_handler *handler, void *arg)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(addr);
        struct error err = {};

        *s = (struct http_server){ .handler = handler, .arg = arg };
        s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        ck_assert_int_eq(listen(s->fd, 64), 0);
        ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
        s->port = ntohs(addr.sin_port);
        snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", s->port);
        ck_assert_int_eq(green_spawn(NULL, "http server", serve, s, &err), 0);
}
