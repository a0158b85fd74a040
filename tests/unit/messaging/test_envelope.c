/* tests/unit/messaging/test_envelope.c: requests, replies and failures on the wire, and malformed ones. */
#include "messaging/envelope.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "green_test.h"

static struct jval *parse(const char *text)
{
        struct error err = {};
        struct jval *v = jval_parse(text, strlen(text), &err);

        ck_assert_msg(v != NULL, "%s: %s", text, err.text);
        return v;
}

/* The inner message of an envelope, checked on the way. */
static struct jval *inner_of(const char *body, size_t len)
{
        struct error err = {};
        struct jval CLEANUP(jval_unrefp) *outer = jval_parse(body, len, &err);
        const char *text;

        ck_assert_msg(outer != NULL, "%s", err.text);
        ck_assert_uint_eq(jval_len(outer), 2);
        ck_assert_str_eq(jval_get_text(outer, "oslo.version", ""), "2.0");
        text = jval_get_text(outer, "oslo.message", NULL);
        ck_assert_ptr_nonnull(text);
        return parse(text);
}

static void wrap(char *buf, size_t size, const char *version, const char *message)
{
        struct jval CLEANUP(jval_unrefp) *outer = jval_new_object();
        char CLEANUP(freep) *text = NULL;

        jval_set_text(outer, "oslo.version", version);
        jval_set_text(outer, "oslo.message", message);
        text = jval_print(outer, NULL);
        ck_assert_int_lt(snprintf(buf, size, "%s", text), (int)size);
}

START_TEST(a_request_arrives_whole)
{
        static const char message[] =
                "{\"method\":\"reboot_instance\",\"args\":{\"reboot_type\":\"HARD\"},\"version\":\"6.0\","
                "\"namespace\":\"ns\",\"_unique_id\":\"u1\",\"_msg_id\":\"m1\",\"_reply_q\":\"reply_1\","
                "\"_timeout\":60,\"_context_request_id\":\"req-1\",\"_context_is_admin\":true,\"other\":1}";
        struct rpc_request r;
        struct error err = {};
        char body[1024];

        wrap(body, sizeof(body), "2.0", message);
        ck_assert_ok(envelope_decode_request(body, strlen(body), &r, &err), err);
        ck_assert_str_eq(r.method, "reboot_instance");
        ck_assert_str_eq(r.ns, "ns");
        ck_assert_str_eq(r.version, "6.0");
        ck_assert_str_eq(r.unique_id, "u1");
        ck_assert_str_eq(r.msg_id, "m1");
        ck_assert_str_eq(r.reply_q, "reply_1");
        ck_assert_int_eq(r.timeout_s, 60);
        ck_assert_str_eq(jval_get_text(r.args, "reboot_type", ""), "HARD");
        ck_assert_uint_eq(jval_len(r.context), 2);
        ck_assert_str_eq(jval_get_text(r.context, "request_id", ""), "req-1");
        ck_assert(jval_get_bool(r.context, "is_admin", false));
        rpc_request_free(&r);
        ck_assert(!r.method && !r.args && !r.context);
}
END_TEST

START_TEST(what_is_missing_has_its_default)
{
        static const char body[] = "{\"method\":\"m\",\"_msg_id\":null,\"_timeout\":null,\"namespace\":null}";
        struct rpc_request r;
        struct error err = {};

        /* Without both keys of the envelope a body is the message itself. */
        ck_assert_ok(envelope_decode_request(body, strlen(body), &r, &err), err);
        ck_assert_str_eq(r.version, "1.0");
        ck_assert(!r.ns && !r.unique_id && !r.msg_id && !r.reply_q);
        ck_assert_int_eq(r.timeout_s, 0);
        ck_assert_uint_eq(jval_len(r.args), 0);
        ck_assert_int_eq(jval_type(r.args), JVAL_OBJECT);
        ck_assert_uint_eq(jval_len(r.context), 0);
        rpc_request_free(&r);
}
END_TEST

START_TEST(malformed_bodies_are_refused)
{
        static const struct {
                const char *body, *because;
        } rows[] = {
                { "", "end of file" },
                { "not json", "JSON" },
                { "[]", "expected object, got array" },
                { "null", "expected object, got null" },
                { "{}", "method: missing" },
                { "{\"method\":null}", "method: missing" },
                { "{\"method\":\"\"}", "method: missing" },
                { "{\"method\":5}", "method: expected text, got integer" },
                { "{\"method\":\"m\",\"args\":[]}", "args: expected object, got array" },
                { "{\"method\":\"m\",\"args\":\"x\"}", "args: expected object, got text" },
                { "{\"method\":\"m\",\"version\":6.0}", "version: expected text, got number" },
                { "{\"method\":\"m\",\"namespace\":{}}", "namespace: expected text, got object" },
                { "{\"method\":\"m\",\"_unique_id\":1}", "_unique_id: expected text, got integer" },
                { "{\"method\":\"m\",\"_msg_id\":[]}", "_msg_id: expected text, got array" },
                { "{\"method\":\"m\",\"_reply_q\":false}", "_reply_q: expected text, got boolean" },
                { "{\"method\":\"m\",\"_timeout\":\"60\"}", "_timeout: expected integer, got text" },
                { "{\"method\":\"m\",\"_timeout\":-1}", "_timeout: out of range" },
                { "{\"method\":\"m\",\"_timeout\":1e300}", "_timeout: out of range" },
                { "{\"method\":\"m\",\"method\":\"n\"}", "duplicate" },
                { "{\"oslo.version\":\"2.0\"}", "method: missing" },
                { "{\"oslo.version\":2,\"oslo.message\":\"{}\"}",
                  "oslo.version: expected text, got integer" },
                { "{\"oslo.version\":\"1.0\",\"oslo.message\":\"{}\"}", "envelope version 1.0" },
                { "{\"oslo.version\":\"2.1\",\"oslo.message\":\"{}\"}", "envelope version 2.1" },
                { "{\"oslo.version\":\"3.0\",\"oslo.message\":\"{}\"}", "envelope version 3.0" },
                { "{\"oslo.version\":\"two\",\"oslo.message\":\"{}\"}", "envelope version two" },
                { "{\"oslo.version\":\"2.0\",\"oslo.message\":{}}",
                  "oslo.message: expected text, got object" },
                { "{\"oslo.version\":\"2.0\",\"oslo.message\":\"{\"}", "oslo.message: JSON" },
                { "{\"oslo.version\":\"2.0\",\"oslo.message\":\"\"}", "oslo.message: JSON" },
                { "{\"oslo.version\":\"2.0\",\"oslo.message\":\"7\"}", "expected object, got integer" },
                { "{\"oslo.version\":\"2.0\",\"oslo.message\":\"{}\"}", "method: missing" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct rpc_request r;
                struct error err = {};

                ck_assert_fails(envelope_decode_request(rows[i].body, strlen(rows[i].body), &r, &err), err,
                                ERR_PROTOCOL);
                ck_assert_msg(strstr(err.text, rows[i].because) != NULL, "%s: \"%s\"", rows[i].body,
                              err.text);
                ck_assert(!r.method && !r.args && !r.context);
                rpc_request_free(&r);
        }
}
END_TEST

START_TEST(a_wrong_call_still_says_whom_to_answer)
{
        static const char body[] = "{\"args\":[],\"method\":\"m\",\"_msg_id\":\"m1\",\"_reply_q\":\"q1\"}";
        struct rpc_request r;
        struct error err = {};

        ck_assert_fails(envelope_decode_request(body, strlen(body), &r, &err), err, ERR_PROTOCOL);
        ck_assert_str_eq(r.msg_id, "m1");
        ck_assert_str_eq(r.reply_q, "q1");
        ck_assert(!r.method);
        rpc_request_free(&r);
}
END_TEST

START_TEST(a_request_goes_round)
{
        struct rpc_request in = { .method = "m",
                                  .ns = "admin",
                                  .version = "1.0",
                                  .msg_id = "m1",
                                  .reply_q = "q1",
                                  .timeout_s = 1800 };
        struct rpc_request out;
        struct error err = {};
        struct jval CLEANUP(jval_unrefp) *args = parse("{\"a\":[1,{\"b\":\"\xc3\xa9\"}]}");
        struct jval CLEANUP(jval_unrefp) *context = parse("{\"request_id\":\"req-1\",\"roles\":[\"admin\"]}");
        char CLEANUP(freep) *body = NULL, *want = jval_print(args, NULL), *got = NULL;
        size_t len;

        in.args = args;
        in.context = context;
        body = envelope_encode_request(&in, &len);
        ck_assert_uint_eq(len, strlen(body));
        ck_assert_ok(envelope_decode_request(body, len, &out, &err), err);
        ck_assert_str_eq(out.method, "m");
        ck_assert_str_eq(out.ns, "admin");
        ck_assert_str_eq(out.msg_id, "m1");
        ck_assert_str_eq(out.reply_q, "q1");
        ck_assert_int_eq(out.timeout_s, 1800);
        ck_assert_uint_eq(strlen(out.unique_id), UUID_HEX_LEN); /* made, since there was none */
        got = jval_print(out.args, NULL);
        ck_assert_str_eq(got, want);
        ck_assert_str_eq(jval_text(jval_at(jval_get(out.context, "roles"), 0), ""), "admin");
        rpc_request_free(&out);
}
END_TEST

START_TEST(a_cast_has_no_keys_of_a_call)
{
        struct rpc_request in = { .method = "m" };
        size_t len;
        char CLEANUP(freep) *body = envelope_encode_request(&in, &len);
        struct jval CLEANUP(jval_unrefp) *message = inner_of(body, len);

        ck_assert(!jval_get(message, "_msg_id") && !jval_get(message, "_reply_q") &&
                  !jval_get(message, "_timeout") && !jval_get(message, "namespace"));
        ck_assert_int_eq(jval_type(jval_get(message, "args")), JVAL_OBJECT);
        ck_assert_str_eq(jval_get_text(message, "version", ""), "1.0");
}
END_TEST

START_TEST(a_reply_has_the_five_keys)
{
        struct jval CLEANUP(jval_unrefp) *result = parse("{\"x\":1}");
        size_t len;
        char CLEANUP(freep) *body = envelope_encode_reply("m1", result, NULL, true, &len);
        struct jval CLEANUP(jval_unrefp) *message = inner_of(body, len);

        ck_assert_uint_eq(jval_len(message), 5);
        ck_assert_int_eq(jval_get_int(jval_get(message, "result"), "x", 0), 1);
        ck_assert(jval_get(message, "failure") != NULL && jval_is_null(jval_get(message, "failure")));
        ck_assert(jval_get_bool(message, "ending", false));
        ck_assert_str_eq(jval_get_text(message, "_msg_id", ""), "m1");
        ck_assert_uint_eq(strlen(jval_get_text(message, "_unique_id", "")), UUID_HEX_LEN);
}
END_TEST

START_TEST(a_heartbeat_ends_nothing)
{
        size_t len;
        char CLEANUP(freep) *body = envelope_encode_reply("m1", NULL, NULL, false, &len);
        struct rpc_reply r;
        struct error err = {};

        ck_assert_ok(envelope_decode_reply(body, len, &r, &err), err);
        ck_assert(!r.ending && !r.failed);
        ck_assert(jval_is_null(r.result));
        rpc_reply_free(&r);
}
END_TEST

/* nova-contract 1.5: failure is a text of JSON with exactly these keys. */
START_TEST(a_failure_is_encoded_as_oslo_does)
{
        struct jval CLEANUP(jval_unrefp) *kwargs = parse("{\"instance_id\":\"i-1\",\"code\":404}");
        struct jval CLEANUP(jval_unrefp) *result = parse("1");
        const struct rpc_failure failure = { .class_name = "InstanceNotFound",
                                             .module = "nova.exception",
                                             .message = "Instance \"i-1\" could not be found.",
                                             .kwargs = kwargs };
        size_t len;
        char CLEANUP(freep) *body = envelope_encode_reply("m1", result, &failure, true, &len);
        struct jval CLEANUP(jval_unrefp) *message = inner_of(body, len);
        struct rpc_reply r;
        struct error err = {};

        ck_assert(jval_is_null(jval_get(message, "result")));
        ck_assert_str_eq(jval_get_text(message, "failure", "not a text"),
                         "{\"class\":\"InstanceNotFound\",\"module\":\"nova.exception\","
                         "\"message\":\"Instance \\\"i-1\\\" could not be found.\",\"tb\":[],"
                         "\"args\":[\"Instance \\\"i-1\\\" could not be found.\"],"
                         "\"kwargs\":{\"instance_id\":\"i-1\",\"code\":404}}");
        ck_assert_ok(envelope_decode_reply(body, len, &r, &err), err);
        ck_assert(r.failed && r.ending);
        ck_assert_str_eq(r.class_name, "InstanceNotFound");
        ck_assert_str_eq(r.module, "nova.exception");
        ck_assert_str_eq(r.message, "Instance \"i-1\" could not be found.");
        ck_assert_int_eq(jval_get_int(r.kwargs, "code", 0), 404);
        rpc_reply_free(&r);
}
END_TEST

START_TEST(malformed_replies_are_refused)
{
        static const struct {
                const char *body, *because;
        } rows[] = {
                { "x", "JSON" },
                { "{}", "_msg_id: missing" },
                { "{\"_msg_id\":7}", "_msg_id: expected text, got integer" },
                { "{\"_msg_id\":\"m\",\"ending\":1}", "ending: expected boolean" },
                { "{\"_msg_id\":\"m\",\"failure\":{}}", "failure: expected text, got object" },
                { "{\"_msg_id\":\"m\",\"failure\":\"boom\"}", "failure: JSON" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct rpc_reply r;
                struct error err = {};

                ck_assert_fails(envelope_decode_reply(rows[i].body, strlen(rows[i].body), &r, &err), err,
                                ERR_PROTOCOL);
                ck_assert_msg(strstr(err.text, rows[i].because) != NULL, "%s: \"%s\"", rows[i].body,
                              err.text);
        }
}
END_TEST

START_TEST(a_failure_with_little_in_it_is_still_one)
{
        static const char body[] =
                "{\"_msg_id\":\"m\",\"ending\":true,\"failure\":\"{\\\"args\\\":[\\\"why\\\"]}\"}";
        struct rpc_reply r;
        struct error err = {};

        ck_assert_ok(envelope_decode_reply(body, strlen(body), &r, &err), err);
        ck_assert(r.failed);
        ck_assert_str_eq(r.class_name, "Exception");
        ck_assert_str_eq(r.message, "why");
        ck_assert_int_eq(jval_type(r.kwargs), JVAL_OBJECT);
        rpc_reply_free(&r);
}
END_TEST

START_TEST(versions_are_compatible_within_a_major)
{
        static const struct {
                const char *offered, *requested;
                bool fits;
        } rows[] = {
                { "6.1", "6.0", true },      { "6.1", "6.1", true },
                { "6.1", "6.2", false },     { "6.1", "5.0", false },
                { "6.1", "7.0", false },     { "6.10", "6.9", true },
                { "6.9", "6.10", false },    { "6.1", "6.0.5", true },
                { "6.1", "6.1.1", false },   { "6.1.1", "6.1.1", true },
                { "1.0", "1.0", true },      { "6.1", "6", false },
                { "6.1", "", false },        { "6.1", "6.", false },
                { "6.1", ".0", false },      { "6.1", "6.x", false },
                { "6.1", "6.0.0.0", false }, { "6.1", "6.-1", false },
                { "6.1", " 6.0", false },    { "6.1", "6.00000000000000000000", false },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                ck_assert_msg(rpc_version_compatible(rows[i].offered, rows[i].requested) == rows[i].fits,
                              "offered %s, requested %s", rows[i].offered, rows[i].requested);
}
END_TEST

#define HEAD "{\"oslo.version\": \"2.0\", \"oslo.message\": \""

/* What comes as oslo writes it is not parsed twice; whatever else comes means the same as before. */
START_TEST(an_envelope_may_be_written_in_many_ways)
{
        static const char *const same[] = {
                HEAD
                "{\\\"method\\\": \\\"m\\\", \\\"args\\\": {\\\"a\\\": \\\"/\\\\\\\"\\\\n\\\\u00e9\\\"}}\"}",
                "{\"oslo.version\":\"2.0\",\"oslo.message\":\"{\\\"method\\\":\\\"m\\\",\\\"args\\\":{"
                "\\\"a\\\":"
                "\\\"\\/\\\\\\\"\\\\n\xc3\xa9\\\"}}\"}  ",
                HEAD "{\\\"method\\\": \\\"\\u006d\\\",\\t\\n\\r \\\"args\\\": {\\\"a\\\": "
                     "\\\"/\\\\\\\"\\\\n\\u00e9\\\"}}\"}",
                "{\n\"oslo.message\": \"{\\\"method\\\": \\\"m\\\", \\\"args\\\": {\\\"a\\\": "
                "\\\"/\\\\\\\"\\\\n\\\\u00e9\\\"}}\", \"oslo.version\": \"2.0\"}",
                HEAD "{\\\"method\\\": \\\"m\\\", \\\"args\\\": {\\\"a\\\": "
                     "\\\"/\\\\\\\"\\\\n\\\\u00e9\\\"}}\", \"more\": 1}\n",
        };

        for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
                struct rpc_request r;
                struct error err = {};

                ck_assert_msg(envelope_decode_request(same[i], strlen(same[i]), &r, &err) == 0, "%zu: %s", i,
                              err.text);
                ck_assert_str_eq(r.method, "m");
                ck_assert_str_eq(jval_get_text(r.args, "a", ""), "/\"\n\xc3\xa9");
                rpc_request_free(&r);
        }
}
END_TEST

START_TEST(an_envelope_that_is_nearly_right_is_refused)
{
        static const char *const wrong[] = {
                HEAD "{\\\"method\\\": \\\"m\\\"}\"",         /* not closed */
                HEAD "{\\\"method\\\": \\\"m\\\"}\"} x",      /* and more */
                HEAD "{\\\"method\\\": \\\"m\\\"}",           /* the text is not closed */
                HEAD "{\\\"method\\\": \\\"m\\\"}\\",         /* ends within an escape */
                HEAD "{\\\"method\\\": \\\"m\\\"}\\\"",       /* the quote belongs to the text */
                HEAD "{\\\"method\\\": \\\"m\\x\\\"}\"}",     /* no such escape */
                HEAD "{\\\"method\\\": \\\"m\\u00g0\\\"}\"}", /* nor this */
                HEAD "{\\\"method\\\": \\\"\\u0000m\\\"}\"}", /* a NUL */
                HEAD "{\\\"method\\\":\n \\\"m\\\"}\"}",      /* a line ends within the text */
                HEAD "{\\\"method\\\": \\\"\xc3\\\"}\"}",     /* no UTF-8 */
                HEAD "{\\\"method\\\": \\\"m\\\"}\", \"oslo.version\": \"2.0\"}", /* the same key twice */
                "{\"oslo.version\": \"3.0\", \"oslo.message\": \"{\\\"method\\\": \\\"m\\\"}\"}",
                HEAD "[]\"}",
                HEAD "\"}",
                "{\"oslo.version\": \"2.0\", \"oslo.message\": ",
                "{\"oslo.version\": \"2.0\"",
                "{",
        };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                /* No byte behind it may be looked at. */
                CLEANUP(freep) char *body = xmalloc(strlen(wrong[i]));
                struct rpc_request r;
                struct error err = {};

                memcpy(body, wrong[i], strlen(wrong[i]));
                ck_assert_msg(envelope_decode_request(body, strlen(wrong[i]), &r, &err) == -1, "%s",
                              wrong[i]);
                ck_assert_int_eq(err.code, ERR_PROTOCOL);
                rpc_request_free(&r);
        }
}
END_TEST

START_TEST(whatever_is_in_a_message_goes_round)
{
        struct jval *text = jval_new_text("\"quoted\" \\ back / \x01\n\t \xc3\xa9 \xf0\x9f\x98\x80");
        struct rpc_reply got;
        struct error err = {};
        size_t len;
        char CLEANUP(freep) *body = envelope_encode_reply("m1", text, NULL, true, &len);
        struct jval CLEANUP(jval_unrefp) *inner = inner_of(body, len);

        ck_assert_uint_eq(len, strlen(body));
        ck_assert_str_eq(jval_get_text(inner, "result", ""), jval_text(text, "?"));
        ck_assert_ok(envelope_decode_reply(body, len, &got, &err), err);
        ck_assert_str_eq(jval_text(got.result, ""), jval_text(text, "?"));
        rpc_reply_free(&got);
        jval_unref(text);
}
END_TEST

GREEN_SUITE("envelope", a_request_arrives_whole, what_is_missing_has_its_default,
            malformed_bodies_are_refused, a_wrong_call_still_says_whom_to_answer, a_request_goes_round,
            a_cast_has_no_keys_of_a_call, a_reply_has_the_five_keys, a_heartbeat_ends_nothing,
            a_failure_is_encoded_as_oslo_does, malformed_replies_are_refused,
            a_failure_with_little_in_it_is_still_one, versions_are_compatible_within_a_major,
            an_envelope_may_be_written_in_many_ways, an_envelope_that_is_nearly_right_is_refused,
            whatever_is_in_a_message_goes_round)
