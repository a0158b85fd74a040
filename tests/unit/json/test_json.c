/* tests/unit/json/test_json.c: values, parsing with limits, printing. */
#include "json/json.h"

#include <math.h>
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

static void assert_refused(const char *text, size_t len, const char *because)
{
        struct error err = {};

        ck_assert_msg(jval_parse(text, len, &err) == NULL, "accepted: %s", text);
        ck_assert_int_eq(err.code, ERR_PROTOCOL);
        ck_assert_msg(strstr(err.text, because) != NULL, "%s: \"%s\" does not say \"%s\"", text, err.text,
                      because);
}

static void assert_prints(const struct jval *v, const char *want)
{
        size_t len;
        char CLEANUP(freep) *text = jval_print(v, &len);

        ck_assert_str_eq(text, want);
        ck_assert_uint_eq(len, strlen(want));
}

START_TEST(text_comes_back_as_it_went_in)
{
        static const char *const texts[] = {
                "null",
                "true",
                "-9223372036854775808",
                "9223372036854775807",
                "0.5",
                "\"\xc3\xa9\"",
                "[]",
                "{}",
                "{\"z\":1,\"a\":[1,2.5,null,{\"b\":false}],\"m\":\"\\\"\\\\\\n\"}",
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct jval CLEANUP(jval_unrefp) *v = parse(texts[i]);

                assert_prints(v, texts[i]);
        }
}
END_TEST

START_TEST(bad_text_is_refused_with_line_and_column)
{
        static const struct {
                const char *text, *because;
        } rows[] = {
                { "", "end of file" },
                { "{\"a\":1,\n \"a\":2}", "line 2 column" },
                { "{\"a\":1,\"a\":2}", "duplicate" },
                { "[1,]", "unexpected token" },
                { "[1] x", "end of file expected" },
                { "{'a':1}", "expected" },
                { "9223372036854775808", "too big" },
                { "NaN", "invalid token" },
                { "1e999", "overflow" },
                { "\"\xff\"", "unable to decode" },
                { "\"\xc0\x80\"", "unable to decode" },
                { "\"a\\u0000b\"", "\\u0000" },
                { "\"\\ud800\"", "Unicode" },
                { "{\"a\"", "expected" },
                { "\"open", "end of input" },
                { "]", "unexpected token" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                assert_refused(rows[i].text, strlen(rows[i].text), rows[i].because);
        assert_refused("[1]\0", 4, "line 1");
}
END_TEST

START_TEST(errors_do_not_quote_the_text)
{
        struct error err = {};
        static const char text[] = "{\"password\": hunter2}";

        ck_assert(jval_parse(text, strlen(text), &err) == NULL);
        ck_assert_msg(strstr(err.text, "hunter") == NULL, "%s", err.text);
}
END_TEST

START_TEST(nesting_has_a_limit)
{
        static char deep[200001];
        struct error err = {};
        struct jval *v;

        memset(deep, '[', JSON_DEPTH_MAX);
        memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
        v = jval_parse(deep, 2 * JSON_DEPTH_MAX, &err);
        ck_assert_msg(v != NULL, "%s", err.text);
        jval_unref(v);
        memset(deep, '[', JSON_DEPTH_MAX + 1);
        memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
        assert_refused(deep, 2 * JSON_DEPTH_MAX + 2, "nested deeper");
        memset(deep, '[', sizeof(deep) - 1);
        assert_refused(deep, sizeof(deep) - 1, "nested deeper");
        /* Brackets inside of text, also behind an escaped quote, are no nesting. */
        memset(deep, '[', sizeof(deep) - 1);
        memcpy(deep, "\"\\\"", 3);
        deep[1000] = '"';
        v = jval_parse(deep, 1001, &err);
        ck_assert_msg(v != NULL, "%s", err.text);
        jval_unref(v);
}
END_TEST

START_TEST(getters_return_the_fallback_on_other_types)
{
        struct jval CLEANUP(jval_unrefp) *v =
                parse("{\"i\":7,\"r\":1.5,\"t\":\"x\",\"b\":true,\"n\":null,\"a\":[3]}");

        ck_assert_int_eq(jval_get_int(v, "i", -1), 7);
        ck_assert_int_eq(jval_get_int(v, "r", -1), -1);
        ck_assert_int_eq(jval_get_int(v, "absent", -1), -1);
        ck_assert_str_eq(jval_get_text(v, "t", "-"), "x");
        ck_assert_str_eq(jval_get_text(v, "i", "-"), "-");
        ck_assert(jval_get_bool(v, "b", false));
        ck_assert(!jval_get_bool(v, "i", false));
        ck_assert_double_eq(jval_real(jval_get(v, "i"), 0), 7);
        ck_assert_double_eq(jval_real(jval_get(v, "r"), 0), 1.5);
        ck_assert_double_eq(jval_real(jval_get(v, "t"), 0.25), 0.25);
        ck_assert(jval_is_null(jval_get(v, "n")) && jval_get(v, "n") != NULL);
        ck_assert(jval_get(jval_get(v, "absent"), "x") == NULL);
        ck_assert(jval_get(jval_get(v, "a"), "x") == NULL);
        ck_assert_int_eq(jval_int(jval_at(jval_get(v, "a"), 0), -1), 3);
        ck_assert(jval_at(jval_get(v, "a"), 1) == NULL);
        ck_assert(jval_at(v, 0) == NULL);
        ck_assert_uint_eq(jval_len(v), 6);
        ck_assert_uint_eq(jval_len(jval_get(v, "a")), 1);
        ck_assert_uint_eq(jval_len(jval_get(v, "t")), 0);
        ck_assert_uint_eq(jval_len(NULL), 0);
        ck_assert_str_eq(jval_type_name(jval_type(jval_get(v, "a"))), "array");
        ck_assert_int_eq(jval_type(NULL), JVAL_NULL);
}
END_TEST

START_TEST(values_are_made_and_changed)
{
        struct jval CLEANUP(jval_unrefp) *o = jval_new_object();
        struct jval *a = jval_new_array();

        jval_set_text(o, "text", "x");
        jval_set_text(o, "none", NULL);
        jval_set_int(o, "int", INT64_MIN);
        jval_set_real(o, "inf", INFINITY);
        jval_set_real(o, "half", 0.5);
        jval_set_bool(o, "yes", true);
        jval_set(o, "unset", NULL);
        jval_push(a, jval_new_int(1));
        jval_push(a, NULL);
        jval_set(o, "list", a);
        jval_set_int(o, "yes", 2);
        jval_remove(o, "text");
        jval_remove(o, "never there");
        assert_prints(o, "{\"none\":null,\"int\":-9223372036854775808,\"inf\":null,\"half\":0.5,\"yes\":2,"
                         "\"list\":[1]}");
        /* A value put where it cannot go is released, not lost; a value cannot hold itself. */
        jval_set(a, "key", jval_new_int(1));
        jval_push(o, jval_new_int(1));
        jval_set(NULL, "key", jval_new_int(1));
        jval_push(NULL, jval_new_int(1));
        jval_set(o, "self", jval_ref(o));
        ck_assert(jval_get(o, "self") == NULL);
        assert_prints(NULL, "null");
}
END_TEST

START_TEST(text_that_is_not_utf8_is_repaired)
{
        static const struct {
                const char *in, *out;
                size_t len;
        } rows[] = {
                { "a\xff"
                  "b",
                  "a\xef\xbf\xbd"
                  "b",
                  3 },
                { "\xc3", "\xef\xbf\xbd", 1 },                                 /* cut short */
                { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 3 }, /* a surrogate */
                { "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", 2 },                 /* overlong */
                { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 4 }, /* beyond */
                { "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7", 4 },
                { "\xe0\xa0\x80\xe1\x80", "\xe0\xa0\x80\xef\xbf\xbd\xef\xbf\xbd", 5 },
                { "a\0b",
                  "a\xef\xbf\xbd"
                  "b",
                  3 },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct jval CLEANUP(jval_unrefp) *v = jval_new_textn(rows[i].in, rows[i].len);

                ck_assert_str_eq(jval_text(v, ""), rows[i].out);
        }
}
END_TEST

START_TEST(keys_that_are_not_utf8_are_repaired)
{
        struct jval CLEANUP(jval_unrefp) *o = jval_new_object();

        jval_set_int(o, "k\xff", 1);
        assert_prints(o, "{\"k\xef\xbf\xbd\":1}");
}
END_TEST

START_TEST(a_copy_shares_nothing)
{
        struct jval CLEANUP(jval_unrefp) *o = parse("{\"a\":[{\"b\":1}]}");
        struct jval CLEANUP(jval_unrefp) *copy = jval_copy(o);

        jval_set_int(jval_at(jval_get(copy, "a"), 0), "b", 2);
        assert_prints(o, "{\"a\":[{\"b\":1}]}");
        assert_prints(copy, "{\"a\":[{\"b\":2}]}");
        ck_assert(jval_copy(NULL) == NULL);
}
END_TEST

START_TEST(a_reference_keeps_a_part_alive)
{
        struct jval *o = parse("{\"a\":{\"b\":1}}");
        struct jval CLEANUP(jval_unrefp) *part = jval_ref(jval_get(o, "a"));

        jval_unref(o);
        assert_prints(part, "{\"b\":1}");
        ck_assert(jval_ref(NULL) == NULL);
        jval_unref(NULL);
}
END_TEST

static int join_until_c(const char *key, struct jval *v, void *arg)
{
        strncat(arg, key, 1);
        return (int)jval_int(v, 0);
}

START_TEST(members_come_in_the_order_they_were_put_in)
{
        struct jval CLEANUP(jval_unrefp) *o = parse("{\"d\":0,\"a\":0,\"c\":5,\"b\":0}");
        char keys[8] = "";

        ck_assert_int_eq(jval_foreach(o, join_until_c, keys), 5);
        ck_assert_str_eq(keys, "dac");
        ck_assert_int_eq(jval_foreach(NULL, join_until_c, keys), 0);
        ck_assert_str_eq(keys, "dac");
}
END_TEST

START_TEST(pretty_print_is_indented_and_parses_again)
{
        struct jval CLEANUP(jval_unrefp) *v = parse("{\"a\":[1]}");
        char CLEANUP(freep) *text = jval_print_pretty(v, NULL);

        ck_assert_str_eq(text, "{\n  \"a\": [\n    1\n  ]\n}");
}
END_TEST

GREEN_SUITE("json", text_comes_back_as_it_went_in, bad_text_is_refused_with_line_and_column,
            errors_do_not_quote_the_text, nesting_has_a_limit, getters_return_the_fallback_on_other_types,
            values_are_made_and_changed, text_that_is_not_utf8_is_repaired,
            keys_that_are_not_utf8_are_repaired, a_copy_shares_nothing, a_reference_keeps_a_part_alive,
            members_come_in_the_order_they_were_put_in, pretty_print_is_indented_and_parses_again)
