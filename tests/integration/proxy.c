#include "proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "suite.h"

enum { COM_QUERY = 3, COM_STMT_EXECUTE = 23, HEADER = 4, BUFFER = 16 << 10 };

struct proxy {
        char dir[32], path[48], server[108];
        int listen_fd;
        struct green_group *threads;
        enum proxy_cut cut;
        const char *sql;
        unsigned skip, times, cuts;
};

struct link { /* one client; two green threads, the second to end frees it */
        struct proxy *proxy;
        int client, server;
        bool cutting; /* the answer that comes next is lost */
        int threads;
};

static struct sockaddr_un address(const char *path)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        return a;
}

/* The bytes that are there, at least one; 0 at the end. */
static ssize_t YIELDS receive(int fd, char *buf, struct error *err)
{
        for (;;) {
                ssize_t n = recv(fd, buf, BUFFER, MSG_DONTWAIT);

                if (n >= 0 || errno != EAGAIN)
                        return n;
                if (green_wait_fd(fd, GREEN_READ, deadline_never(), err) < 0)
                        return -1;
        }
}

static int YIELDS send_all(int fd, const char *buf, size_t len, struct error *err)
{
        while (len > 0) {
                ssize_t n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n >= 0) {
                        buf += n;
                        len -= (size_t)n;
                } else if (errno != EAGAIN || green_wait_fd(fd, GREEN_WRITE, deadline_never(), err) < 0) {
                        return -1;
                }
        }
        return 0;
}

/* Both ends are told, so the other green thread ends too. */
static void hang_up(struct link *l)
{
        shutdown(l->client, SHUT_RDWR);
        shutdown(l->server, SHUT_RDWR);
}

static void HUB_ONLY link_unref(struct link *l)
{
        hang_up(l);
        if (--l->threads)
                return;
        green_close(l->client);
        green_close(l->server);
        free(l);
}

static bool is_the_one(const struct proxy *p, const char *buf, size_t len)
{
        if (!p->times || len <= HEADER)
                return false;
        if (!p->sql)
                return buf[HEADER] == COM_STMT_EXECUTE;
        return buf[HEADER] == COM_QUERY && len - HEADER - 1 == strlen(p->sql) &&
               !memcmp(buf + HEADER + 1, p->sql, strlen(p->sql));
}

static int carry_requests(void *arg, struct error *err)
{
        struct link *l = arg;
        char buf[BUFFER];
        ssize_t n;

        assert_green();
        while ((n = receive(l->client, buf, err)) > 0) {
                bool that = is_the_one(l->proxy, buf, (size_t)n);

                if (that && l->proxy->skip > 0) {
                        l->proxy->skip--;
                } else if (that) {
                        l->proxy->times--;
                        l->proxy->cuts++;
                        if (l->proxy->cut == CUT_REQUEST)
                                break;
                        l->cutting = true;
                }
                if (send_all(l->server, buf, (size_t)n, err) < 0)
                        break;
        }
        link_unref(l);
        return 0;
}

static int carry_answers(void *arg, struct error *err)
{
        struct link *l = arg;
        char buf[BUFFER];
        ssize_t n;

        assert_green();
        while ((n = receive(l->server, buf, err)) > 0)
                if (l->cutting || send_all(l->client, buf, (size_t)n, err) < 0)
                        break;
        link_unref(l);
        return 0;
}

static void HUB_ONLY start_link(struct proxy *p, int client)
{
        struct link *l = NEW(struct link);
        struct sockaddr_un a = address(p->server);
        struct error err = {};

        *l = (struct link){ .proxy = p, .client = client, .threads = 2 };
        l->server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(l->server, (struct sockaddr *)&a, sizeof(a)), 0);
        ck_assert_ok(green_spawn(p->threads, "proxy requests", carry_requests, l, &err), err);
        ck_assert_ok(green_spawn(p->threads, "proxy answers", carry_answers, l, &err), err);
}

static int accept_all(void *arg, struct error *err)
{
        struct proxy *p = arg;

        assert_green();
        while (green_wait_fd(p->listen_fd, GREEN_READ, deadline_never(), err) > 0) {
                int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);

                ck_assert_int_ge(fd, 0);
                start_link(p, fd);
        }
        return -1;
}

struct proxy *proxy_start(const char *server_socket)
{
        struct proxy *p = NEW(struct proxy);
        struct sockaddr_un a;
        struct error err = {};

        snprintf(p->dir, sizeof(p->dir), "/tmp/proxy.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(p->dir));
        snprintf(p->path, sizeof(p->path), "%s/sock", p->dir);
        snprintf(p->server, sizeof(p->server), "%s", server_socket);
        a = address(p->path);
        p->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(p->listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
        ck_assert_int_eq(listen(p->listen_fd, 16), 0);
        p->threads = green_group_new("proxy");
        ck_assert_ok(green_spawn(p->threads, "proxy", accept_all, p, &err), err);
        return p;
}

const char *proxy_socket(const struct proxy *p)
{
        return p->path;
}

void proxy_arm(struct proxy *p, enum proxy_cut cut, const char *sql, unsigned skip, unsigned times)
{
        p->cut = cut;
        p->skip = skip;
        p->sql = sql;
        p->times = times;
}

unsigned proxy_cuts(const struct proxy *p)
{
        return p->cuts;
}

void proxy_stop(struct proxy *p)
{
        green_group_close(p->threads);
        green_close(p->listen_fd);
        unlink(p->path);
        rmdir(p->dir);
        free(p);
}
