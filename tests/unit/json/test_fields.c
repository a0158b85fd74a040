/* tests/unit/json/test_fields.c: objects into structs by a table of fields. */
#include "json/json.h"

#include <string.h>

#include "base/mem.h"
#include "green_test.h"

struct boot {
        char uuid[37];
        char *name;
        int64_t memory_mb;
        bool paused;
        struct jval *extra, *disks, *any;
};

static const struct json_field boot_fields[] = {
        { "uuid", json_field_uuid, offsetof(struct boot, uuid), JSON_REQUIRED },
        { "name", json_field_text, offsetof(struct boot, name), JSON_REQUIRED | JSON_NULLABLE },
        { "memory_mb", json_field_int, offsetof(struct boot, memory_mb), 0 },
        { "paused", json_field_bool, offsetof(struct boot, paused), JSON_NULLABLE },
        { "extra", json_field_object, offsetof(struct boot, extra), JSON_NULLABLE },
        { "disks", json_field_array, offsetof(struct boot, disks), 0 },
        { "any", json_field_any, offsetof(struct boot, any), 0 },
        {}
};

#define UUID "\"uuid\":\"4F1C2E6A-0000-4000-8000-0123456789AB\""

typedef int decode_fn(const struct json_field *fields, const struct jval *object, void *into,
                      struct error *err);

static int decode(decode_fn *fn, const char *text, struct boot *into, struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *v = jval_parse(text, strlen(text), err);

        ck_assert_msg(v != NULL, "%s", err->text);
        return fn(boot_fields, v, into, err);
}

START_TEST(every_field_arrives)
{
        struct boot b = {};
        struct error err = {};

        ck_assert_ok(decode(json_fields_decode,
                            "{" UUID ",\"name\":\"web\",\"memory_mb\":512,\"paused\":true,"
                            "\"extra\":{\"x\":1},\"disks\":[1,2],\"any\":\"y\",\"new\":1}",
                            &b, &err),
                     err);
        ck_assert_str_eq(b.uuid, "4f1c2e6a-0000-4000-8000-0123456789ab");
        ck_assert_str_eq(b.name, "web");
        ck_assert_int_eq(b.memory_mb, 512);
        ck_assert(b.paused);
        ck_assert_int_eq(jval_get_int(b.extra, "x", 0), 1);
        ck_assert_uint_eq(jval_len(b.disks), 2);
        ck_assert_str_eq(jval_text(b.any, ""), "y");
        json_fields_free(boot_fields, &b);
        ck_assert(!b.name && !b.extra && !b.disks && !b.any);
}
END_TEST

START_TEST(absent_and_null_leave_the_default)
{
        struct boot b = { .memory_mb = 64, .paused = true };
        struct error err = {};

        ck_assert_ok(decode(json_fields_decode_strict,
                            "{" UUID ",\"name\":null,\"paused\":null,\"extra\":null}", &b, &err),
                     err);
        ck_assert(b.name == NULL);
        ck_assert_int_eq(b.memory_mb, 64);
        ck_assert(b.paused);
        ck_assert(b.extra == NULL);
}
END_TEST

START_TEST(mistakes_are_named_and_nothing_is_left)
{
        static const struct {
                const char *text, *error;
        } rows[] = {
                { "[]", "expected object, got array" },
                { "{\"name\":\"a\"}", "uuid: missing" },
                { "{" UUID "}", "name: missing" },
                { "{\"uuid\":null,\"name\":\"a\"}", "uuid: expected a UUID, got null" },
                { "{\"uuid\":7,\"name\":\"a\"}", "uuid: expected a UUID, got integer" },
                { "{\"uuid\":\"4f1c2e6a\",\"name\":\"a\"}", "uuid: not a UUID" },
                { "{\"uuid\":\"4f1c2e6a-0000-4000-8000-0123456789ag\",\"name\":\"a\"}", "uuid: not a UUID" },
                { "{\"uuid\":\"4f1c2e6a00000-4000-8000-0123456789ab\",\"name\":\"a\"}", "uuid: not a UUID" },
                { "{" UUID ",\"name\":[\"a\"]}", "name: expected text, got array" },
                { "{" UUID ",\"name\":\"a\",\"memory_mb\":1.5}", "memory_mb: expected integer, got number" },
                { "{" UUID ",\"name\":\"a\",\"memory_mb\":null}", "memory_mb: expected integer, got null" },
                { "{" UUID ",\"name\":\"a\",\"paused\":1}", "paused: expected boolean, got integer" },
                { "{" UUID ",\"name\":\"a\",\"extra\":[]}", "extra: expected object, got array" },
                { "{" UUID ",\"name\":\"a\",\"extra\":{},\"disks\":{}}",
                  "disks: expected array, got object" },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct boot b = {};
                struct error err = {};

                ck_assert_fails(decode(json_fields_decode, rows[i].text, &b, &err), err, ERR_INVALID);
                ck_assert_str_eq(err.text, rows[i].error);
                ck_assert(!b.name && !b.extra && !b.disks && !b.any);
        }
}
END_TEST

START_TEST(strict_tables_refuse_what_they_do_not_know)
{
        struct boot b = {};
        struct error err = {};

        ck_assert_fails(decode(json_fields_decode_strict, "{" UUID ",\"name\":\"a\",\"colour\":1}", &b, &err),
                        err, ERR_INVALID);
        ck_assert_str_eq(err.text, "colour: not expected");
        ck_assert(b.name == NULL);
        ck_assert_fails(decode(json_fields_decode_strict, "null", &b, &err), err, ERR_INVALID);
        ck_assert_str_eq(err.text, "expected object, got null");
}
END_TEST

GREEN_SUITE("json-fields", every_field_arrives, absent_and_null_leave_the_default,
            mistakes_are_named_and_nothing_is_left, strict_tables_refuse_what_they_do_not_know)
