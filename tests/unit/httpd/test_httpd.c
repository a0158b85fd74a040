/* tests/unit/httpd/test_httpd.c: what clients get, good ones and bad ones. */
#include "httpd/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "green_test.h"
#include "http/http.h"
#include "private_dir.h"

static struct world {
        struct httpd *server;
        struct http_client *client;
        char base[64];
        unsigned port, asked;
        struct http_response r;
        struct error err;
} w;

static void tell_count(struct httpd_reply *to, void *arg)
{
        unsigned *count = arg;

        assert_on_hub();
        strbuf_addf(&to->body, "%u\n", ++*count);
}

static void tell_trouble(struct httpd_reply *to, void *arg)
{
        assert_on_hub();
        to->status = 503;
        to->content_type = "application/health+json";
        to->cache_control = "no-cache";
        strbuf_adds(&to->body, "{}");
}

static void tell_much(struct httpd_reply *to, void *arg)
{
        assert_on_hub();
        for (int i = 0; i < 100000; i++)
                strbuf_addf(&to->body, "line %d\n", i);
}

static const struct httpd_route routes[] = {
        { "/count", tell_count, &w.asked },
        { "/trouble", tell_trouble, NULL },
        { "/much", tell_much, NULL },
        {},
};

static void YIELDS set_up(void)
{
        struct http_options opt = {};
        int fd = httpd_listen_tcp("127.0.0.1", 0, &w.port, &w.err);

        signal(SIGPIPE, SIG_IGN);
        ck_assert_msg(fd >= 0, "%s", w.err.text);
        w.server = httpd_start("web", fd, routes, &w.err);
        ck_assert_msg(w.server != NULL, "%s", w.err.text);
        snprintf(w.base, sizeof(w.base), "http://127.0.0.1:%u", w.port);
        w.client = http_client_new(&opt, &w.err);
        ck_assert_ptr_nonnull(w.client);
}

static void YIELDS tear_down(void)
{
        http_response_free(&w.r);
        http_client_free(w.client);
        httpd_stop(w.server);
}

static void YIELDS ask(const char *method, const char *path, const char *body)
{
        CLEANUP(freep) char *url = xasprintf("%s%s", w.base, path);
        struct http_request req = {
                .method = method, .url = url, .body = body, .body_len = body ? strlen(body) : 0
        };

        http_response_free(&w.r);
        ck_assert_msg(http_call(w.client, &req, &w.r, deadline_in_s(20), &w.err) == 0, "%s", w.err.text);
}

GREEN_TEST_REAL(a_page_is_made_for_each_get)
{
        set_up();
        ask("GET", "/count", NULL);
        ck_assert_int_eq(w.r.status, 200);
        ck_assert_str_eq(w.r.body, "1\n");
        ck_assert_str_eq(http_response_header(&w.r, "Content-Type"), "text/plain; charset=utf-8");
        ck_assert_str_eq(http_response_header(&w.r, "Cache-Control"), "no-store");
        ask("GET", "/count?verbose=1", NULL);
        ck_assert_str_eq(w.r.body, "2\n");
        tear_down();
}

GREEN_TEST_REAL(a_handler_chooses_status_and_type)
{
        set_up();
        ask("GET", "/trouble", NULL);
        ck_assert_int_eq(w.r.status, 503);
        ck_assert_str_eq(http_response_header(&w.r, "Content-Type"), "application/health+json");
        ck_assert_str_eq(http_response_header(&w.r, "Cache-Control"), "no-cache");
        ck_assert_str_eq(w.r.body, "{}");
        tear_down();
}

GREEN_TEST_REAL(a_long_page_arrives_whole)
{
        set_up();
        ask("GET", "/much", NULL);
        ck_assert_uint_eq(w.r.len, 10 * 7 + 90 * 8 + 900 * 9 + 9000 * 10 + 90000 * 11);
        ck_assert_ptr_nonnull(strstr(w.r.body, "\nline 99999\n"));
        tear_down();
}

GREEN_TEST_REAL(another_path_is_not_found_and_told_what_there_is)
{
        set_up();
        ask("GET", "/counts", NULL);
        ck_assert_int_eq(w.r.status, 404);
        ck_assert_str_eq(w.r.body, "there is no such page; there are: /count /trouble /much\n");
        tear_down();
}

GREEN_TEST_REAL(only_get_and_head_are_allowed)
{
        set_up();
        ask("POST", "/count", "anything");
        ck_assert_int_eq(w.r.status, 405);
        ck_assert_str_eq(http_response_header(&w.r, "Allow"), "GET, HEAD");
        ask("DELETE", "/count", NULL);
        ck_assert_int_eq(w.r.status, 405);
        ck_assert_uint_eq(w.asked, 0);
        tear_down();
}

/* A raw client: lib/http would not send what these send. */
static int YIELDS raw_connect(void)
{
        struct sockaddr_in at = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)w.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0); /* to the backlog: at once */
        return fd;
}

static void YIELDS expect_start(int fd, const char *start)
{
        char buf[256] = "";
        ssize_t n;

        ck_assert_msg(green_wait_fd(fd, GREEN_READ, deadline_in_s(20), &w.err) > 0, "%s", w.err.text);
        n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
        ck_assert_int_ge(n, 0);
        ck_assert_msg(strncmp(buf, start, strlen(start)) == 0, "got: %s", buf);
}

GREEN_TEST_REAL(what_is_no_http_gets_an_error_and_others_are_served)
{
        int bad, silent;

        set_up();
        silent = raw_connect();
        bad = raw_connect();
        ck_assert_int_eq(send(bad, "\x16\x03\x01\x02\r\n\r\n", 8, 0), 8);
        expect_start(bad, ""); /* hung up on */
        ask("GET", "/count", NULL);
        ck_assert_int_eq(w.r.status, 200);
        green_close(bad);
        green_close(silent);
        tear_down();
}

GREEN_TEST_REAL(a_header_without_end_costs_its_own_connection_only)
{
        char CLEANUP(freep) *junk = xmalloc(64 * 1024);
        size_t sent = 0;
        int fd;

        set_up();
        memset(junk, 'a', 64 * 1024);
        fd = raw_connect();
        ck_assert_int_eq(send(fd, "GET /count HTTP/1.1\r\nX-Much: ", 29, 0), 29);
        while (sent < 64 * 1024) {
                ssize_t n = send(fd, junk + sent, 64 * 1024 - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno != EAGAIN)
                        break; /* it hung up */
                if (n > 0)
                        sent += (size_t)n;
                green_yield();
        }
        ask("GET", "/count", NULL);
        ck_assert_int_eq(w.r.status, 200);
        ck_assert_uint_eq(w.asked, 1);
        green_close(fd);
        tear_down();
}

GREEN_TEST_REAL(a_local_socket_serves_as_well)
{
        CLEANUP(freep) char *path = xasprintf("%s/http.sock", private_dir);
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        struct httpd *server;
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), fd;

        snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
        ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
        ck_assert_int_eq(listen(listener, 5), 0);
        server = httpd_start("local", listener, routes, &w.err);
        ck_assert_ptr_nonnull(server);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
        ck_assert_int_eq(send(fd, "GET /count HTTP/1.0\r\n\r\n", 23, 0), 23);
        expect_start(fd, "HTTP/1.1 200 OK\r\n");
        green_close(fd);
        httpd_stop(server);
}

GREEN_TEST_REAL(an_address_that_is_none_and_a_port_in_use_are_said)
{
        set_up();
        ck_assert_int_eq(httpd_listen_tcp("localhost", 0, NULL, &w.err), -1);
        ck_assert_int_eq(w.err.code, ERR_INVALID);
        ck_assert_str_eq(w.err.text, "\"localhost\" is no IP address");
        ck_assert_int_eq(httpd_listen_tcp("127.0.0.1", w.port, NULL, &w.err), -1);
        ck_assert_int_eq(w.err.sys, EADDRINUSE);
        tear_down();
}

GREEN_TEST_REAL(stopping_closes_the_connections)
{
        int fd;

        set_up();
        fd = raw_connect();
        green_yield();
        httpd_stop(take_ptr(&w.server));
        expect_start(fd, ""); /* end of file */
        green_close(fd);
        tear_down();
}

GREEN_SUITE("httpd", a_page_is_made_for_each_get, a_handler_chooses_status_and_type,
            a_long_page_arrives_whole, another_path_is_not_found_and_told_what_there_is,
            only_get_and_head_are_allowed, what_is_no_http_gets_an_error_and_others_are_served,
            a_header_without_end_costs_its_own_connection_only, a_local_socket_serves_as_well,
            an_address_that_is_none_and_a_port_in_use_are_said, stopping_closes_the_connections)
