/*
 * lib/json/fields.c: objects into structs by a table of fields.
 *
 * A getter is called only for a field that is there and, where null is allowed, not null: absent fields keep
 * what the struct held before, so defaults are set by the caller. Fields that own memory start as NULL.
 */
#include "json/json.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

#define UUID_TEXT_LEN 36

static void *field_of(const struct json_field *f, void *into)
{
        return (char *)into + f->offset;
}

static int wrong_type(const struct json_field *f, const char *expected, const struct jval *v,
                      struct error *err)
{
        return error_set(err, ERR_INVALID, "%s: expected %s, got %s", f->key, expected,
                         jval_type_name(jval_type(v)));
}

static int expect(const struct json_field *f, enum jval_type type, const struct jval *v, struct error *err)
{
        return jval_type(v) == type ? 0 : wrong_type(f, jval_type_name(type), v, err);
}

int json_field_text(const struct json_field *f, const struct jval *v, void *field, struct error *err)
{
        if (expect(f, JVAL_TEXT, v, err) < 0)
                return -1;
        *(char **)field = xstrdup(jval_text(v, NULL));
        return 0;
}

int json_field_uuid(const struct json_field *f, const struct jval *v, void *field, struct error *err)
{
        const char *s = jval_text(v, NULL);
        char *to = field;

        if (!s)
                return wrong_type(f, "a UUID", v, err);
        if (strlen(s) != UUID_TEXT_LEN)
                return error_set(err, ERR_INVALID, "%s: not a UUID", f->key);
        for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
                bool dash = i == 8 || i == 13 || i == 18 || i == 23;

                if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
                        return error_set(err, ERR_INVALID, "%s: not a UUID", f->key);
        }
        for (size_t i = 0; i <= UUID_TEXT_LEN; i++)
                to[i] = (char)tolower((unsigned char)s[i]);
        return 0;
}

int json_field_int(const struct json_field *f, const struct jval *v, void *field, struct error *err)
{
        if (expect(f, JVAL_INT, v, err) < 0)
                return -1;
        *(int64_t *)field = jval_int(v, 0);
        return 0;
}

int json_field_bool(const struct json_field *f, const struct jval *v, void *field, struct error *err)
{
        if (expect(f, JVAL_BOOL, v, err) < 0)
                return -1;
        *(bool *)field = jval_bool(v, false);
        return 0;
}

int json_field_object(const struct json_field *f, const struct jval *v, void *field, struct error *err)
{
        if (expect(f, JVAL_OBJECT, v, err) < 0)
                return -1;
        return json_field_any(f, v, field, err);
}

int json_field_array(const struct json_field *f, const struct jval *v, void *field, struct error *err)
{
        if (expect(f, JVAL_ARRAY, v, err) < 0)
                return -1;
        return json_field_any(f, v, field, err);
}

int json_field_any(const struct json_field *f, const struct jval *v, void *field, struct error *err)
{
        (void)f;
        (void)err;
        *(struct jval **)field = jval_ref((struct jval *)v);
        return 0;
}

static int decode_one(const struct json_field *f, const struct jval *object, void *into, struct error *err)
{
        const struct jval *v = jval_get(object, f->key);

        if (!v || (jval_is_null(v) && (f->flags & JSON_NULLABLE))) {
                if (f->flags & JSON_REQUIRED && !v)
                        return error_set(err, ERR_INVALID, "%s: missing", f->key);
                return 0;
        }
        return f->get(f, v, field_of(f, into), err);
}

int json_fields_decode(const struct json_field *fields, const struct jval *object, void *into,
                       struct error *err)
{
        if (jval_type(object) != JVAL_OBJECT)
                return error_set(err, ERR_INVALID, "expected object, got %s",
                                 jval_type_name(jval_type(object)));
        for (const struct json_field *f = fields; f->key; f++) {
                if (decode_one(f, object, into, err) < 0) {
                        json_fields_free(fields, into);
                        return -1;
                }
        }
        return 0;
}

struct strict_search {
        const struct json_field *fields;
        const char *unknown;
};

static int find_unknown(const char *key, struct jval *v, void *arg)
{
        struct strict_search *search = arg;

        (void)v;
        for (const struct json_field *f = search->fields; f->key; f++) {
                if (strcmp(f->key, key) == 0)
                        return 0;
        }
        search->unknown = key;
        return 1;
}

int json_fields_decode_strict(const struct json_field *fields, const struct jval *object, void *into,
                              struct error *err)
{
        struct strict_search search = { .fields = fields };

        if (jval_foreach(object, find_unknown, &search))
                return error_set(err, ERR_INVALID, "%.64s: not expected", search.unknown);
        return json_fields_decode(fields, object, into, err);
}

void json_fields_free(const struct json_field *fields, void *into)
{
        for (const struct json_field *f = fields; f->key; f++) {
                void *field = field_of(f, into);

                if (f->get == json_field_text)
                        free(take_ptr((char **)field));
                else if (f->get == json_field_object || f->get == json_field_array ||
                         f->get == json_field_any)
                        jval_unref(take_ptr((struct jval **)field));
        }
}
