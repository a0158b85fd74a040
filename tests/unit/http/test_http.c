/* tests/unit/http/test_http.c: each way in which a server can answer, or not. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "green_test.h"
#include "http/http.h"
#include "http_server.h"

/* What the server says next, and what it was asked last. */
struct script {
        struct http_answer answer;
        char *location; /* of the first request only */
        char method[16], path[256], body[256], secret[64], plain[64], type[64];
        bool has_secret;
};

static void note(char *to, size_t size, char *value)
{
        snprintf(to, size, "%s", value ? value : "");
        free(value);
}

static void play(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        struct script *s = arg;
        static char headers[512];

        snprintf(s->method, sizeof(s->method), "%s", seen->method);
        snprintf(s->path, sizeof(s->path), "%s", seen->path);
        snprintf(s->body, sizeof(s->body), "%s", seen->body);
        note(s->secret, sizeof(s->secret), http_seen_header(seen, "X-Auth-Token"));
        note(s->plain, sizeof(s->plain), http_seen_header(seen, "X-Plain"));
        note(s->type, sizeof(s->type), http_seen_header(seen, "Content-Type"));
        *ret = s->answer;
        if (s->location && strcmp(seen->path, "/there")) {
                snprintf(headers, sizeof(headers), "Location: %s\r\n", s->location);
                *ret = (struct http_answer){ .status = 302, .headers = headers, .body = "moved" };
        }
}

struct world {
        struct script script;
        struct http_server server;
        struct http_client *client;
        struct error err;
        struct http_response r;
        char url[128];
};

static struct world w;

static void HUB_ONLY set_up(double idle_s)
{
        struct http_options opt = { .idle_timeout_s = idle_s };

        signal(SIGPIPE, SIG_IGN);
        http_server_start(&w.server, play, &w.script);
        snprintf(w.url, sizeof(w.url), "%s/thing?q=hidden", w.server.url);
        w.client = http_client_new(&opt, &w.err);
        ck_assert_ptr_nonnull(w.client);
}

static void HUB_ONLY tear_down(void)
{
        http_response_free(&w.r);
        http_client_free(w.client);
}

static int YIELDS get(int64_t ms)
{
        struct http_request req = { .method = "GET", .url = w.url };

        http_response_free(&w.r);
        w.err = (struct error){};
        return http_call(w.client, &req, &w.r, deadline_in_ms(ms), &w.err);
}

static void expect_failure(int code)
{
        ck_assert_msg(w.err.code == code, "code %d: %s", w.err.code, w.err.text);
        ck_assert_msg(strstr(w.err.text, "GET http://127.0.0.1:"), "%s", w.err.text);
        ck_assert_msg(!strstr(w.err.text, "hidden"), "%s", w.err.text);
}

GREEN_TEST_REAL(an_answer_has_status_headers_and_body)
{
        set_up(0);
        w.script.answer = (struct http_answer){ .headers = "X-Subject-Token: abc\r\n", .body = "{\"a\":1}" };

        ck_assert_ok(get(5000), w.err);

        ck_assert_int_eq(w.r.status, 200);
        ck_assert_str_eq(w.r.body, "{\"a\":1}");
        ck_assert_uint_eq(w.r.len, 7);
        ck_assert_str_eq(http_response_header(&w.r, "x-subject-token"), "abc");
        ck_assert_ptr_null(http_response_header(&w.r, "X-Subject"));
        ck_assert_str_eq(w.script.path, "/thing?q=hidden");
        tear_down();
}

GREEN_TEST_REAL(a_put_sends_body_type_and_headers)
{
        struct http_header headers[] = { { "X-Auth-Token", "sesame", true },
                                         { "X-Plain", "yes" },
                                         { "X-None" } };
        struct http_request req = { .method = "PUT",
                                    .headers = headers,
                                    .n_headers = 3,
                                    .body = "{}",
                                    .body_len = 2,
                                    .content_type = "application/json" };

        set_up(0);
        req.url = w.url;
        w.script.answer.status = 204;
        ck_assert_ok(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), w.err);

        ck_assert_int_eq(w.r.status, 204);
        ck_assert_str_eq(w.r.body, "");
        ck_assert_str_eq(w.script.method, "PUT");
        ck_assert_str_eq(w.script.body, "{}");
        ck_assert_str_eq(w.script.type, "application/json");
        ck_assert_str_eq(w.script.secret, "sesame");
        ck_assert_str_eq(w.script.plain, "yes");
        tear_down();
}

GREEN_TEST_REAL(a_put_without_body_says_that_it_has_none)
{
        struct http_request req = { .method = "PUT" };

        set_up(0);
        req.url = w.url;
        w.script.answer.status = 201;
        ck_assert_ok(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), w.err);
        ck_assert_int_eq(w.r.status, 201);
        ck_assert_str_eq(w.script.type, "");
        tear_down();
}

GREEN_TEST_REAL(statuses_are_answers_not_errors)
{
        static const int statuses[] = { 400, 401, 403, 404, 409, 500, 503 };

        set_up(0);
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                w.script.answer = (struct http_answer){ .status = statuses[i], .body = "why" };
                ck_assert_ok(get(5000), w.err);
                ck_assert_int_eq(w.r.status, statuses[i]);
                ck_assert_str_eq(w.r.body, "why");
                ck_assert_int_eq(w.r.retry_after_s, 0);
        }
        w.script.answer = (struct http_answer){ .status = 429, .headers = "Retry-After: 7\r\n" };
        ck_assert_ok(get(5000), w.err);
        ck_assert_int_eq(w.r.status, 429);
        ck_assert_int_eq(w.r.retry_after_s, 7);
        ck_assert_uint_eq(w.server.connections, 1); /* kept open all the time */
        tear_down();
}

static int count_ticks(void *arg, struct error *err)
{
        unsigned *ticks = arg;

        assert_green();
        while (green_sleep(0.002, err) == 0)
                ++*ticks;
        return -1;
}

GREEN_TEST_REAL(a_silent_server_times_out_while_others_run)
{
        static unsigned ticks; /* the ticker outlives this function */

        set_up(0);
        w.script.answer.way = HTTP_SILENT;
        ck_assert_int_eq(green_spawn(NULL, "ticks", count_ticks, &ticks, &w.err), 0);

        ck_assert_int_eq(get(200), -1);

        expect_failure(ERR_TIMEOUT);
        ck_assert_uint_gt(ticks, 3);
        tear_down();
}

GREEN_TEST_REAL(a_server_that_falls_silent_is_given_up_before_the_deadline)
{
        set_up(0.1);
        w.script.answer = (struct http_answer){ .way = HTTP_HALF_OPEN, .body = "0123456789" };
        ck_assert_int_eq(get(3600000), -1);
        expect_failure(ERR_TIMEOUT);
        ck_assert_msg(strstr(w.err.text, "nothing moved"), "%s", w.err.text);
        tear_down();
}

GREEN_TEST_REAL(a_slow_body_arrives_whole)
{
        set_up(0);
        w.script.answer = (struct http_answer){ .way = HTTP_DRIP, .body = "slowly but surely" };
        ck_assert_ok(get(20000), w.err);
        ck_assert_str_eq(w.r.body, "slowly but surely");
        tear_down();
}

GREEN_TEST_REAL(a_slow_body_ends_with_the_deadline)
{
        char *body = xmalloc(100001);

        memset(body, 'x', 100000);
        body[100000] = '\0';
        set_up(0);
        w.script.answer = (struct http_answer){ .way = HTTP_DRIP, .body = body };
        ck_assert_int_eq(get(150), -1);
        expect_failure(ERR_TIMEOUT);
        tear_down();
        free(body);
}

GREEN_TEST_REAL(cut_and_refused_connections_are_closed_errors)
{
        set_up(0);
        w.script.answer = (struct http_answer){ .way = HTTP_CUT, .body = "0123456789" };
        ck_assert_int_eq(get(5000), -1);
        expect_failure(ERR_CLOSED);
        w.script.answer = (struct http_answer){ .way = HTTP_HANG_UP };
        ck_assert_int_eq(get(5000), -1);
        expect_failure(ERR_CLOSED);
        w.script.answer = (struct http_answer){ .way = HTTP_WHOLE, .body = "fine" };
        ck_assert_ok(get(5000), w.err);

        snprintf(w.url, sizeof(w.url), "http://127.0.0.1:1/thing?q=hidden");
        ck_assert_int_eq(get(5000), -1);
        expect_failure(ERR_CLOSED);
        tear_down();
}

GREEN_TEST_REAL(what_is_no_http_is_a_protocol_error)
{
        set_up(0);
        w.script.answer = (struct http_answer){ .way = HTTP_GARBAGE, .body = "SSH-2.0-OpenSSH\r\n" };
        ck_assert_int_eq(get(5000), -1);
        expect_failure(ERR_PROTOCOL);
        tear_down();
}

GREEN_TEST_REAL(an_oversized_body_is_refused)
{
        struct http_request req = { .method = "GET", .max_body = 9 };

        set_up(0);
        req.url = w.url;
        w.script.answer.body = "0123456789";
        ck_assert_int_eq(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), -1);
        expect_failure(ERR_LIMIT);
        req.max_body = 10;
        w.err = (struct error){};
        ck_assert_ok(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), w.err);
        tear_down();
}

GREEN_TEST_REAL(oversized_headers_are_refused)
{
        CLEANUP(strbuf_free) struct strbuf b = {};

        set_up(0);
        for (int i = 0; i < 2000; i++)
                strbuf_addf(&b, "X-Filler-%d: 0123456789012345678901234567890123456789\r\n", i);
        w.script.answer.headers = b.data;
        ck_assert_int_eq(get(5000), -1);
        expect_failure(ERR_LIMIT);
        tear_down();
}

struct sunk {
        size_t len, pieces, largest, fail_at;
        bool wrong;
        unsigned heads;
        int refuse; /* code that the head is answered with */
};

static int take_head(void *arg, const struct http_response *r, struct error *err)
{
        struct sunk *s = arg;

        assert_green();
        ck_assert_uint_eq(s->pieces, 0);
        ck_assert_int_eq(r->status, 206);
        ck_assert_str_eq(http_response_header(r, "content-range"), "bytes 5-9/10");
        s->heads++;
        return s->refuse ? error_set(err, s->refuse, "not that part") : 0;
}

static int take(void *arg, const char *data, size_t len, struct error *err)
{
        struct sunk *s = arg;

        assert_green();
        for (size_t i = 0; i < len; i++)
                s->wrong |= data[i] != (char)('a' + (s->len + i) % 23);
        s->len += len;
        s->pieces++;
        if (len > s->largest)
                s->largest = len;
        green_yield();
        if (s->fail_at && s->len > s->fail_at)
                return error_set(err, ERR_SYSTEM, "disk full");
        return 0;
}

enum { BIG = 8 << 20 };

static char *big_body(void)
{
        char *body = xmalloc(BIG);

        for (size_t i = 0; i < BIG; i++)
                body[i] = (char)('a' + i % 23);
        return body;
}

GREEN_TEST_REAL(a_sink_takes_a_long_body_in_bounded_pieces)
{
        CLEANUP(freep) char *body = big_body();
        struct sunk sunk = {};
        struct http_request req = { .method = "GET", .sink = take, .sink_arg = &sunk };

        set_up(0);
        req.url = w.url;
        w.script.answer = (struct http_answer){ .body = body, .len = BIG };
        ck_assert_ok(http_call(w.client, &req, &w.r, deadline_in_ms(20000), &w.err), w.err);
        ck_assert_uint_eq(sunk.len, BIG);
        ck_assert(!sunk.wrong);
        ck_assert_uint_le(sunk.largest, 300 << 10);
        ck_assert_uint_eq(w.r.len, 0);
        tear_down();
}

GREEN_TEST_REAL(a_sink_that_fails_ends_the_transfer_with_its_error)
{
        CLEANUP(freep) char *body = big_body();
        struct sunk sunk = { .fail_at = 1 << 20 };
        struct http_request req = { .method = "GET", .sink = take, .sink_arg = &sunk };

        set_up(0);
        req.url = w.url;
        w.script.answer = (struct http_answer){ .body = body, .len = BIG };
        ck_assert_int_eq(http_call(w.client, &req, &w.r, deadline_in_ms(20000), &w.err), -1);
        expect_failure(ERR_SYSTEM);
        ck_assert_uint_lt(sunk.len, BIG);
        w.script.answer = (struct http_answer){ .body = "next" };
        ck_assert_ok(get(5000), w.err);
        ck_assert_str_eq(w.r.body, "next");
        tear_down();
}

GREEN_TEST_REAL(status_and_headers_come_before_the_body)
{
        CLEANUP(freep) char *body = big_body();
        struct sunk sunk = {};
        struct http_request req = { .method = "GET", .sink = take, .head = take_head, .sink_arg = &sunk };

        set_up(0);
        req.url = w.url;
        w.script.answer = (struct http_answer){
                .status = 206, .headers = "Content-Range: bytes 5-9/10\r\n", .body = body, .len = BIG
        };
        ck_assert_ok(http_call(w.client, &req, &w.r, deadline_in_ms(20000), &w.err), w.err);
        ck_assert_uint_eq(sunk.heads, 1);
        ck_assert_uint_eq(sunk.len, BIG);
        http_response_free(&w.r);
        sunk = (struct sunk){ .refuse = ERR_BUSY };
        ck_assert_int_eq(http_call(w.client, &req, &w.r, deadline_in_ms(20000), &w.err), -1);
        expect_failure(ERR_BUSY);
        ck_assert_uint_eq(sunk.pieces, 0);
        tear_down();
}

GREEN_TEST_REAL(a_sink_sees_no_body_of_a_failure)
{
        struct sunk sunk = {};
        struct http_request req = { .method = "GET", .sink = take, .sink_arg = &sunk };

        set_up(0);
        req.url = w.url;
        w.script.answer = (struct http_answer){ .status = 404, .body = "no such image" };
        ck_assert_ok(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), w.err);
        ck_assert_uint_eq(sunk.pieces, 0);
        ck_assert_str_eq(w.r.body, "no such image");
        tear_down();
}

GREEN_TEST_REAL(redirects_on_the_same_server_are_followed)
{
        set_up(0);
        w.script.location = xasprintf("%s/there", w.server.url);
        w.script.answer.body = "here";
        ck_assert_ok(get(5000), w.err);
        ck_assert_int_eq(w.r.status, 200);
        ck_assert_str_eq(w.r.body, "here");
        ck_assert_str_eq(w.script.path, "/there");
        free(w.script.location);
        tear_down();
}

GREEN_TEST_REAL(redirect_loops_end)
{
        set_up(0);
        w.script.location = "/again";
        ck_assert_int_eq(get(5000), -1);
        expect_failure(ERR_PROTOCOL);
        ck_assert_uint_eq(w.server.requests, 6);
        tear_down();
}

GREEN_TEST_REAL(other_servers_are_reached_only_when_told_and_get_no_secrets)
{
        static struct script there;
        static struct http_server other;
        struct http_header headers[] = { { "X-Auth-Token", "sesame", true }, { "X-Plain", "yes" } };
        struct http_request req = { .method = "GET", .headers = headers, .n_headers = 2 };

        set_up(0);
        http_server_start(&other, play, &there);
        there.answer.body = "elsewhere";
        w.script.location = xasprintf("%s/there?key=hidden", other.url);
        req.url = w.url;
        ck_assert_int_eq(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), -1);
        expect_failure(ERR_PROTOCOL);
        ck_assert_uint_eq(other.requests, 0);

        req.redirect_anywhere = true;
        w.err = (struct error){};
        ck_assert_ok(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), w.err);
        ck_assert_str_eq(w.r.body, "elsewhere");
        ck_assert_str_eq(w.script.secret, "sesame");
        ck_assert_str_eq(there.secret, "");
        ck_assert_str_eq(there.plain, "yes");
        free(w.script.location);
        tear_down();
}

GREEN_TEST_REAL(a_redirected_write_is_an_error)
{
        struct http_request req = { .method = "POST", .body = "{}", .body_len = 2 };

        set_up(0);
        req.url = w.url;
        w.script.location = "/there";
        ck_assert_int_eq(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), -1);
        ck_assert_int_eq(w.err.code, ERR_PROTOCOL);
        ck_assert_uint_eq(w.server.requests, 1);
        tear_down();
}

GREEN_TEST_REAL(bad_input_is_refused_before_anything_is_sent)
{
        struct http_header header = { "X-Auth-Token", "a\r\nX-Evil: b", true };
        struct http_request req = { .method = "GET", .headers = &header, .n_headers = 1 };

        set_up(0);
        req.url = w.url;
        ck_assert_int_eq(http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err), -1);
        expect_failure(ERR_INVALID);
        ck_assert_ptr_null(strstr(w.err.text, "Evil"));
        snprintf(w.url, sizeof(w.url), "ftp://127.0.0.1/thing");
        ck_assert_int_eq(get(5000), -1);
        ck_assert_int_eq(w.err.code, ERR_INVALID);
        snprintf(w.url, sizeof(w.url), "127.0.0.1/thing");
        ck_assert_int_eq(get(5000), -1);
        ck_assert_int_eq(w.err.code, ERR_INVALID);
        snprintf(w.url, sizeof(w.url), "file:///etc/passwd");
        ck_assert_int_eq(get(5000), -1);
        ck_assert_int_eq(w.err.code, ERR_INVALID);
        snprintf(w.url, sizeof(w.url), "http://me:hidden@127.0.0.1:1/");
        ck_assert_int_eq(get(5000), -1);
        ck_assert_ptr_null(strstr(w.err.text, "hidden"));
        ck_assert_uint_eq(w.server.requests, 0);
        tear_down();
}

static unsigned open_fds(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static int get_for_ever(void *arg, struct error *err)
{
        struct http_request req = { .method = "GET", .url = w.url };
        int r;

        assert_green();
        r = http_call(w.client, &req, &w.r, deadline_never(), err);
        *(int *)arg = r < 0 ? err->code : 0;
        return r;
}

GREEN_TEST_REAL(a_cancelled_request_ends_at_once_and_leaves_no_descriptor)
{
        unsigned before;
        struct green *g;
        int code = 0;

        set_up(0);
        ck_assert_ok(get(5000), w.err); /* makes a lane */
        before = open_fds();
        w.script.answer.way = HTTP_SILENT;
        g = green_spawn_ref(NULL, "get", get_for_ever, &code, &w.err);
        while (w.server.requests == 1)
                ck_assert_int_eq(green_sleep(0.001, &w.err), 0);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(5), NULL, &w.err), w.err);
        green_unref(g);
        ck_assert_int_eq(code, ERR_CANCELLED);
        ck_assert_uint_eq(open_fds(), before - 1); /* the silent server's end is still there */
        tear_down();
}

static int get_once(void *arg, struct error *err)
{
        struct http_request req = { .method = "GET", .url = w.url };
        struct http_response r = {};

        assert_green();
        if (http_call(w.client, &req, &r, deadline_in_s(20), err) < 0)
                return -1;
        *(unsigned *)arg += r.status == 200 && strcmp(r.body, "shared") == 0;
        http_response_free(&r);
        return 0;
}

GREEN_TEST_REAL(many_requests_at_once_each_get_their_answer)
{
        struct green_group *g = green_group_new("many");
        unsigned right = 0;

        set_up(0);
        w.script.answer = (struct http_answer){ .body = "shared", .way = HTTP_DRIP };
        for (int i = 0; i < 30; i++)
                ck_assert_int_eq(green_spawn(g, "one", get_once, &right, &w.err), 0);
        ck_assert_ok(green_group_wait(g, deadline_in_s(30), &w.err), w.err);
        ck_assert_uint_eq(right, 30);
        green_group_close(g);
        tear_down();
}

static void take_stats(const struct http_service_stats *s, void *arg)
{
        struct http_service_stats *to = arg;

        if (strcmp(s->service, to->service) == 0)
                *to = *s;
}

static struct http_service_stats HUB_ONLY stats_of(const char *service)
{
        struct http_service_stats s = {};

        snprintf(s.service, sizeof(s.service), "%s", service);
        http_foreach_service(take_stats, &s);
        return s;
}

static int YIELDS get_of(const char *service, int status)
{
        struct http_request req = { .method = "GET", .url = w.url, .service = service };

        http_response_free(&w.r);
        w.err = (struct error){};
        w.script.answer = (struct http_answer){ .status = status };
        return http_call(w.client, &req, &w.r, deadline_in_ms(5000), &w.err);
}

GREEN_TEST_REAL(requests_are_counted_by_service_and_class_of_the_answer)
{
        struct http_service_stats s;

        set_up(0);
        ck_assert_ok(get_of("one", 200), w.err);
        ck_assert_ok(get_of("one", 204), w.err);
        ck_assert_ok(get_of("one", 404), w.err);
        s = stats_of("one");
        ck_assert(s.answers);
        ck_assert_ok(get_of("one", 503), w.err);
        ck_assert_ok(get_of(NULL, 200), w.err);
        s = stats_of("one");
        ck_assert_uint_eq(s.by_class[2], 2);
        ck_assert_uint_eq(s.by_class[4], 1);
        ck_assert_uint_eq(s.by_class[5], 1);
        ck_assert_uint_eq(histogram_count(&s.times), 4);
        ck_assert(!s.answers);
        ck_assert_str_eq(s.last_error, "answered 503");
        ck_assert_uint_eq(stats_of("other").by_class[2], 1);
        snprintf(w.url, sizeof(w.url), "http://127.0.0.1:1/"); /* nobody is there */
        ck_assert_int_eq(get_of("one", 200), -1);
        s = stats_of("one");
        ck_assert_uint_eq(s.by_class[0], 1);
        ck_assert_str_eq(s.last_error, w.err.text);
        tear_down();
}

START_TEST(escape_leaves_only_unreserved_characters)
{
        char *s = http_escape("aZ0-._~/ ?\xc3\xa9");

        ck_assert_str_eq(s, "aZ0-._~%2F%20%3F%C3%A9");
        free(s);
}
END_TEST

GREEN_SUITE("http", an_answer_has_status_headers_and_body, a_put_sends_body_type_and_headers,
            a_put_without_body_says_that_it_has_none, statuses_are_answers_not_errors,
            a_silent_server_times_out_while_others_run,
            a_server_that_falls_silent_is_given_up_before_the_deadline, a_slow_body_arrives_whole,
            a_slow_body_ends_with_the_deadline, cut_and_refused_connections_are_closed_errors,
            what_is_no_http_is_a_protocol_error, an_oversized_body_is_refused, oversized_headers_are_refused,
            a_sink_takes_a_long_body_in_bounded_pieces, a_sink_that_fails_ends_the_transfer_with_its_error,
            status_and_headers_come_before_the_body, a_sink_sees_no_body_of_a_failure,
            redirects_on_the_same_server_are_followed, redirect_loops_end,
            other_servers_are_reached_only_when_told_and_get_no_secrets, a_redirected_write_is_an_error,
            bad_input_is_refused_before_anything_is_sent,
            a_cancelled_request_ends_at_once_and_leaves_no_descriptor,
            many_requests_at_once_each_get_their_answer,
            requests_are_counted_by_service_and_class_of_the_answer, escape_leaves_only_unreserved_characters)
