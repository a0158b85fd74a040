/* tests/unit/agent/test_keystone.c: tokens, the catalog, and calls to services with them. */
#include "fake_keystone.h"

static struct fake_keystone f;
static struct error e;

struct said {
        struct http_answer answer;
        char method[16], path[256], version[64], request_id[64], body[256];
};
static struct said said;

static void note(char *to, size_t size, const struct http_seen *seen, const char *header)
{
        CLEANUP(freep) char *value = http_seen_header(seen, header);

        snprintf(to, size, "%s", value ? value : "");
}

static void service(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        (void)arg;
        snprintf(said.method, sizeof(said.method), "%s", seen->method);
        snprintf(said.path, sizeof(said.path), "%s", seen->path);
        snprintf(said.body, sizeof(said.body), "%s", seen->body);
        note(said.version, sizeof(said.version), seen, "OpenStack-API-Version");
        note(said.request_id, sizeof(said.request_id), seen, "X-OpenStack-Request-ID");
        *ret = said.answer;
}

static char *YIELDS token(void)
{
        char *t;

        e = (struct error){};
        return keystone_token(f.keystone, &t, deadline_in_s(10), &e) == 0 ? t : NULL;
}

#define expect_token(want)                                 \
        do {                                               \
                char *got_ = token();                      \
                ck_assert_msg(got_ != NULL, "%s", e.text); \
                ck_assert_str_eq(got_, want);              \
                free(got_);                                \
        } while (0)

GREEN_TEST_REAL(a_token_is_asked_for_once_and_kept)
{
        fake_keystone_start(&f, service, NULL);
        expect_token("token-1");
        expect_token("token-1");
        ck_assert_uint_eq(f.tokens, 1);
        ck_assert_str_eq(
                f.last_body,
                "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"name\":"
                "\"nova\",\"domain\":{\"name\":\"Default\"},\"password\":\"s3cret\"}}},\"scope\":{"
                "\"project\":{\"name\":\"service\",\"domain\":{\"id\":\"default\"}}}}}");
        fake_keystone_stop(&f);
}

GREEN_TEST_REAL(another_password_is_for_the_next_token)
{
        fake_keystone_start(&f, service, NULL);
        expect_token("token-1");
        keystone_set_password(f.keystone, "another");
        expect_token("token-1");
        keystone_token_refused(f.keystone, "token-1");
        expect_token("token-2");
        ck_assert_ptr_nonnull(strstr(f.last_body, "\"password\":\"another\"}"));
        fake_keystone_stop(&f);
}

GREEN_TEST_REAL(a_token_with_less_than_30_s_left_is_renewed)
{
        fake_keystone_start(&f, service, NULL);
        f.lifetime_s = 30;
        expect_token("token-1");
        f.lifetime_s = 3600;
        expect_token("token-2");
        expect_token("token-2");
        fake_keystone_stop(&f);
}

GREEN_TEST_REAL(a_refused_token_is_renewed_once)
{
        fake_keystone_start(&f, service, NULL);
        expect_token("token-1");
        keystone_token_refused(f.keystone, "token-1");
        expect_token("token-2");
        keystone_token_refused(f.keystone, "token-1"); /* said late by somebody else */
        expect_token("token-2");
        fake_keystone_stop(&f);
}

static int want_token(void *arg, struct error *err)
{
        char *t;

        assert_green();
        if (keystone_token(f.keystone, &t, deadline_in_s(10), err) < 0)
                return -1;
        *(unsigned *)arg += strcmp(t, "token-1") == 0;
        free(t);
        return 0;
}

GREEN_TEST_REAL(many_who_need_a_token_ask_once)
{
        struct green_group *g = green_group_new("many");
        unsigned got = 0;

        fake_keystone_start(&f, service, NULL);
        for (int i = 0; i < 20; i++)
                ck_assert_int_eq(green_spawn(g, "one", want_token, &got, &e), 0);
        ck_assert_ok(green_group_wait(g, deadline_in_s(20), &e), e);
        green_group_close(g);
        ck_assert_uint_eq(got, 20);
        ck_assert_uint_eq(f.tokens, 1);
        fake_keystone_stop(&f);
}

static void YIELDS expect_no_token(int status, const char *body, int code)
{
        f.status = status;
        f.body = body;
        ck_assert_ptr_null(token());
        ck_assert_msg(e.code == code, "code %d: %s", e.code, e.text);
        ck_assert_msg(!strstr(e.text, "s3cret") && !strstr(e.text, "token-"), "%s", e.text);
}

GREEN_TEST_REAL(what_keystone_says_instead_of_a_token_is_told)
{
        fake_keystone_start(&f, service, NULL);
        expect_no_token(401, "{\"error\": {\"message\": \"The request you have made...\"}}", ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(e.text, "credentials of user nova"));
        expect_no_token(503, "<html>out\nof order</html>", ERR_BUSY);
        ck_assert_ptr_nonnull(strstr(e.text, "answered 503: <html>out of order"));
        expect_no_token(429, "", ERR_BUSY);
        expect_no_token(404, "{\"error\": {\"message\": \"no v3\"}}", ERR_NOT_FOUND);
        ck_assert_ptr_nonnull(strstr(e.text, "no v3"));
        expect_no_token(0, "[1, 2", ERR_PROTOCOL);
        expect_no_token(0, "{\"token\": {}}", ERR_PROTOCOL);
        expect_no_token(0, "{\"token\": {\"expires_at\": \"tomorrow\"}}", ERR_PROTOCOL);
        expect_no_token(0, "[]", ERR_PROTOCOL);
        f.status = 0;
        f.body = NULL;
        expect_token("token-1"); /* and it goes on */
        fake_keystone_stop(&f);
}

GREEN_TEST_REAL(a_token_without_a_catalog_is_told_as_such)
{
        struct keystone_endpoint wanted = { .type = "placement" };
        char *url = NULL;

        fake_keystone_start(&f, NULL, NULL);
        f.body = "{\"token\": {\"issued_at\": \"2001-01-01T00:00:00.000000Z\", "
                 "\"expires_at\": \"2001-01-01T01:00:00.000000Z\"}}";
        ck_assert_fails(keystone_endpoint(f.keystone, &wanted, &url, deadline_in_s(10), &e), e,
                        ERR_NOT_FOUND);
        ck_assert_ptr_nonnull(strstr(e.text, "project service"));
        ck_assert_ptr_null(strstr(e.text, "s3cret"));
        fake_keystone_stop(&f);
}

GREEN_TEST(missing_options_are_named)
{
        struct keystone_options opt = { .auth_url = "http://k/", .username = "u", .password = "p" };

        ck_assert_ptr_null(keystone_new(&opt, &e));
        ck_assert_int_eq(e.code, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(e.text, "project_name is needed"));
        opt.project_name = "x";
        opt.user_domain_id = "default";
        ck_assert_ptr_null(keystone_new(&opt, &e));
        ck_assert_ptr_nonnull(strstr(e.text, "project_domain_name is needed"));
}

#define expect_endpoint(interfaces_, region_, want)                                                \
        do {                                                                                       \
                struct keystone_endpoint w_ = { "placement", interfaces_, region_ };               \
                char *url_;                                                                        \
                ck_assert_ok(keystone_endpoint(f.keystone, &w_, &url_, deadline_in_s(10), &e), e); \
                ck_assert_str_eq(url_, want);                                                      \
                free(url_);                                                                        \
        } while (0)

GREEN_TEST_REAL(endpoints_are_found_by_type_interface_and_region)
{
        struct keystone_endpoint missing = { "placement", "internal", NULL };
        CLEANUP(freep) char *here = NULL;
        char *url;

        fake_keystone_start(&f, service, NULL);
        here = xasprintf("%s/p", f.server.url);
        expect_endpoint(NULL, "one", here); /* internal, public */
        expect_endpoint("internal, public", "two", "http://two");
        expect_endpoint("admin,public", "", "http://admin");
        expect_endpoint("public", NULL, "http://two");
        ck_assert_fails(keystone_endpoint(f.keystone, &missing, &url, deadline_in_s(10), &e), e,
                        ERR_NOT_FOUND);
        missing = (struct keystone_endpoint){ "image", NULL, "three" };
        ck_assert_fails(keystone_endpoint(f.keystone, &missing, &url, deadline_in_s(10), &e), e,
                        ERR_NOT_FOUND);
        ck_assert_ptr_nonnull(strstr(e.text, "no image endpoint"));
        fake_keystone_stop(&f);
}

START_TEST(the_catalog_of_a_request_context_is_read_too)
{
        static const char text[] =
                "[{\"type\": \"image\", \"endpoints\": [{\"adminURL\": \"http://a\", "
                "\"region\": \"r\", \"internalURL\": \"http://i/\", \"publicURL\": \"http://p\"}]}]";
        struct keystone_endpoint wanted = { "image", NULL, "r" };
        struct jval *catalog = jval_parse(text, strlen(text), &e);
        char *url = catalog_find(catalog, &wanted, &e);

        ck_assert_str_eq(url, "http://i");
        free(url);
        jval_unref(catalog);
}
END_TEST

/* ---- services ---- */

static struct service *HUB_ONLY new_service(const char *endpoint)
{
        struct service_options opt = { .type = "placement",
                                       .region = "one",
                                       .endpoint_override = endpoint,
                                       .keystone = f.keystone,
                                       .http = f.http };

        return service_new(&opt);
}

GREEN_TEST_REAL(a_call_has_token_version_request_id_and_body)
{
        struct jval *body = jval_new_object();
        struct service_request req = { "PUT", "/things/1?x=y", "placement 1.26", "req-1", body };
        struct service_answer a = {};
        struct service *s;

        fake_keystone_start(&f, service, NULL);
        s = new_service(NULL);
        jval_set_int(body, "a", 1);
        said.answer = (struct http_answer){ .body = "{\"b\": 2}" };
        ck_assert_ok(service_call(s, &req, &a, deadline_in_s(10), &e), e);
        ck_assert_int_eq(a.status, 200);
        ck_assert_int_eq(jval_get_int(a.json, "b", 0), 2);
        ck_assert_str_eq(said.method, "PUT");
        ck_assert_str_eq(said.path, "/p/things/1?x=y");
        ck_assert_str_eq(said.version, "placement 1.26");
        ck_assert_str_eq(said.request_id, "req-1");
        ck_assert_str_eq(said.body, "{\"a\":1}");
        service_answer_free(&a);
        service_free(s);
        jval_unref(body);
        fake_keystone_stop(&f);
}

GREEN_TEST_REAL(after_401_there_is_one_new_token_and_one_more_try)
{
        struct service_request req = { "GET", "/thing" };
        CLEANUP(freep) char *url = NULL;
        struct service_answer a = {};
        struct service *s;

        fake_keystone_start(&f, service, NULL);
        url = xasprintf("%s/fixed/", f.server.url);
        s = new_service(url);
        said.answer = (struct http_answer){ .status = 204 };
        f.revoked = 1; /* token-1 was good once */
        ck_assert_ok(service_call(s, &req, &a, deadline_in_s(10), &e), e);
        ck_assert_int_eq(a.status, 204);
        ck_assert_ptr_null(a.json);
        ck_assert_str_eq(said.path, "/fixed/thing");
        ck_assert_str_eq(said.version, "");
        ck_assert_uint_eq(f.tokens, 2);
        service_answer_free(&a);

        f.revoked = 99;
        ck_assert_fails(service_call(s, &req, &a, deadline_in_s(10), &e), e, ERR_INVALID);
        ck_assert_uint_eq(f.tokens, 3);
        ck_assert_ptr_null(strstr(e.text, "token-"));
        service_free(s);
        fake_keystone_stop(&f);
}

GREEN_TEST_REAL(failures_are_answers_with_a_detail_and_bad_json_is_an_error)
{
        struct service_request req = { "GET", "/thing" };
        struct service_answer a = {};
        struct service *s;

        fake_keystone_start(&f, service, NULL);
        s = new_service(NULL);
        said.answer = (struct http_answer){
                .status = 409, .body = "{\"errors\": [{\"detail\": \"conflict\\n\\n \\u0007 it is\"}]}"
        };
        ck_assert_ok(service_call(s, &req, &a, deadline_in_s(10), &e), e);
        ck_assert_int_eq(service_unexpected(&a, &e), -1);
        ck_assert_str_eq(e.text, "answered 409: conflict it is");
        ck_assert_int_eq(e.code, ERR_BUSY);
        service_answer_free(&a);

        said.answer = (struct http_answer){ .status = 500, .body = "oops" };
        ck_assert_ok(service_call(s, &req, &a, deadline_in_s(10), &e), e);
        service_unexpected(&a, &e);
        ck_assert_str_eq(e.text, "answered 500: oops");
        service_answer_free(&a);

        said.answer = (struct http_answer){ .body = "{\"half\": " };
        ck_assert_fails(service_call(s, &req, &a, deadline_in_s(10), &e), e, ERR_PROTOCOL);
        said.answer = (struct http_answer){ .way = HTTP_CUT, .body = "{\"half\": 1}" };
        ck_assert_fails(service_call(s, &req, &a, deadline_in_s(10), &e), e, ERR_CLOSED);
        said.answer = (struct http_answer){ .way = HTTP_SILENT };
        ck_assert_fails(service_call(s, &req, &a, deadline_in_ms(200), &e), e, ERR_TIMEOUT);
        service_free(s);
        fake_keystone_stop(&f);
}

GREEN_SUITE("keystone", a_token_is_asked_for_once_and_kept, another_password_is_for_the_next_token,
            a_token_with_less_than_30_s_left_is_renewed, a_refused_token_is_renewed_once,
            many_who_need_a_token_ask_once, what_keystone_says_instead_of_a_token_is_told,
            missing_options_are_named, endpoints_are_found_by_type_interface_and_region,
            the_catalog_of_a_request_context_is_read_too, a_call_has_token_version_request_id_and_body,
            after_401_there_is_one_new_token_and_one_more_try,
            failures_are_answers_with_a_detail_and_bad_json_is_an_error,
            a_token_without_a_catalog_is_told_as_such)
