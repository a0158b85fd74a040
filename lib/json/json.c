/*
 * lib/json/json.c: a jval is a json_t, and nobody outside this file has to know.
 *
 * What jansson leaves open is decided here. Its parser recurses 2,048 deep, far beyond the stack of a green
 * thread, so the nesting is counted in a pass of its own before it runs. Its messages quote the text they
 * stumbled over, which may hold a token or a password: only line, column and the kind of mistake are kept.
 * It refuses text that is not UTF-8; such text (a console's output, a file name) is repaired instead.
 */
#include "json/json.h"

#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

static json_t *raw(const struct jval *v)
{
        return (json_t *)v;
}

static struct jval *wrap(json_t *v)
{
        return (struct jval *)v;
}

/* Small values of our own: memory has ended when jansson says NULL. */
static struct jval *made(json_t *v)
{
        if (!v)
                abort();
        return wrap(v);
}

void jval_init(void)
{
        json_object_seed(0);
}

/* ---- parsing and printing ---- */

/* Counts brackets outside of strings. Malformed text may pass: the parser proper refuses that. */
static int check_depth(const char *text, size_t len, struct error *err)
{
        unsigned depth = 0;
        bool in_string = false;

        for (size_t i = 0; i < len; i++) {
                char c = text[i];

                if (in_string) {
                        if (c == '\\')
                                i++;
                        else if (c == '"')
                                in_string = false;
                } else if (c == '"') {
                        in_string = true;
                } else if (c == '[' || c == '{') {
                        if (++depth > JSON_DEPTH_MAX)
                                return error_set(err, ERR_PROTOCOL, "JSON: nested deeper than %d at byte %zu",
                                                 JSON_DEPTH_MAX, i);
                } else if (c == ']' || c == '}') {
                        depth -= depth > 0;
                }
        }
        return 0;
}

struct jval *jval_parse(const char *text, size_t len, struct error *err)
{
        json_error_t why;
        json_t *v;
        char *quote;

        if (check_depth(text, len, err) < 0)
                return NULL;
        v = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
        if (v)
                return wrap(v);
        quote = strstr(why.text, " near '");
        if (quote)
                *quote = '\0';
        error_set(err, ERR_PROTOCOL, "JSON: line %d column %d: %s", why.line, why.column, why.text);
        return NULL;
}

static int append(const char *data, size_t len, void *arg)
{
        strbuf_add(arg, data, len);
        return 0;
}

static char *print(const struct jval *v, size_t flags, size_t *ret_len)
{
        struct strbuf out = {};

        if (!v)
                strbuf_adds(&out, "null");
        else if (json_dump_callback(raw(v), append, &out, flags | JSON_ENCODE_ANY) < 0)
                abort(); /* only a value that contains itself, and memory, can fail */
        return strbuf_take(&out, ret_len);
}

char *jval_print(const struct jval *v, size_t *ret_len)
{
        return print(v, JSON_COMPACT, ret_len);
}

char *jval_print_pretty(const struct jval *v, size_t *ret_len)
{
        return print(v, JSON_INDENT(2), ret_len);
}

/* ---- life ---- */

struct jval *jval_ref(struct jval *v)
{
        return wrap(json_incref(raw(v)));
}

void jval_unref(struct jval *v)
{
        json_decref(raw(v));
}

void jval_unrefp(struct jval **v)
{
        jval_unref(take_ptr(v));
}

struct jval *jval_copy(const struct jval *v)
{
        return v ? made(json_deep_copy(raw(v))) : NULL;
}

/* ---- making ---- */

/* Length of the well-formed UTF-8 sequence at s, 0 if there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
        unsigned char lowest = 0x80, highest = 0xbf;
        size_t want;

        if (s[0] < 0x80)
                return s[0] != 0;
        if (s[0] < 0xc2 || s[0] > 0xf4)
                return 0;
        want = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
        if (len < want)
                return 0;
        if (s[0] == 0xe0)
                lowest = 0xa0;
        else if (s[0] == 0xed)
                highest = 0x9f;
        else if (s[0] == 0xf0)
                lowest = 0x90;
        else if (s[0] == 0xf4)
                highest = 0x8f;
        if (s[1] < lowest || s[1] > highest)
                return 0;
        for (size_t i = 2; i < want; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        }
        return want;
}

/* A copy of s in which each byte that belongs to no sequence, and each NUL, is U+FFFD. */
static char *repair(const char *s, size_t len, size_t *ret_len)
{
        struct strbuf out = {};
        size_t good = 0, i = 0;

        while (i < len) {
                size_t n = utf8_sequence((const unsigned char *)s + i, len - i);

                if (n) {
                        i += n;
                        continue;
                }
                strbuf_add(&out, s + good, i - good);
                strbuf_adds(&out, "\xef\xbf\xbd");
                good = ++i;
        }
        strbuf_add(&out, s + good, len - good);
        return strbuf_take(&out, ret_len);
}

static bool is_clean(const char *s, size_t len)
{
        for (size_t i = 0, n; i < len; i += n) {
                n = utf8_sequence((const unsigned char *)s + i, len - i);
                if (!n)
                        return false;
        }
        return true;
}

struct jval *jval_new_object(void)
{
        return made(json_object());
}

struct jval *jval_new_array(void)
{
        return made(json_array());
}

struct jval *jval_new_null(void)
{
        return made(json_null());
}

struct jval *jval_new_bool(bool b)
{
        return made(json_boolean(b));
}

struct jval *jval_new_int(int64_t i)
{
        return made(json_integer(i));
}

struct jval *jval_new_real(double d)
{
        json_t *v = json_real(d);

        return v ? wrap(v) : jval_new_null(); /* JSON has no infinity and no NaN */
}

struct jval *jval_new_textn(const char *s, size_t len)
{
        char CLEANUP(freep) *clean = NULL;

        if (!s)
                return jval_new_null();
        if (is_clean(s, len))
                return made(json_stringn_nocheck(s, len));
        clean = repair(s, len, &len);
        return made(json_stringn_nocheck(clean, len));
}

struct jval *jval_new_text(const char *s)
{
        return jval_new_textn(s, s ? strlen(s) : 0);
}

void jval_set(struct jval *object, const char *key, struct jval *v)
{
        char CLEANUP(freep) *clean = NULL;
        size_t len = strlen(key);

        if (!v)
                return;
        if (!json_is_object(raw(object)) || object == v) {
                jval_unref(v);
                return;
        }
        if (!is_clean(key, len))
                key = clean = repair(key, len, &len);
        if (json_object_set_new_nocheck(raw(object), key, raw(v)) < 0)
                abort();
}

void jval_push(struct jval *array, struct jval *v)
{
        if (!v)
                return;
        if (!json_is_array(raw(array)) || array == v) {
                jval_unref(v);
                return;
        }
        if (json_array_append_new(raw(array), raw(v)) < 0)
                abort();
}

void jval_set_text(struct jval *object, const char *key, const char *s)
{
        jval_set(object, key, jval_new_text(s));
}

void jval_set_int(struct jval *object, const char *key, int64_t i)
{
        jval_set(object, key, jval_new_int(i));
}

void jval_set_real(struct jval *object, const char *key, double d)
{
        jval_set(object, key, jval_new_real(d));
}

void jval_set_bool(struct jval *object, const char *key, bool b)
{
        jval_set(object, key, jval_new_bool(b));
}

void jval_remove(struct jval *object, const char *key)
{
        json_object_del(raw(object), key);
}

/* ---- reading ---- */

enum jval_type jval_type(const struct jval *v)
{
        if (!v)
                return JVAL_NULL;
        switch (json_typeof(raw(v))) {
        case JSON_OBJECT:
                return JVAL_OBJECT;
        case JSON_ARRAY:
                return JVAL_ARRAY;
        case JSON_STRING:
                return JVAL_TEXT;
        case JSON_INTEGER:
                return JVAL_INT;
        case JSON_REAL:
                return JVAL_REAL;
        case JSON_TRUE:
        case JSON_FALSE:
                return JVAL_BOOL;
        case JSON_NULL:
                break;
        }
        return JVAL_NULL;
}

const char *jval_type_name(enum jval_type t)
{
        static const char *const names[] = {
                [JVAL_NULL] = "null",     [JVAL_BOOL] = "boolean", [JVAL_INT] = "integer",
                [JVAL_REAL] = "number",   [JVAL_TEXT] = "text",    [JVAL_ARRAY] = "array",
                [JVAL_OBJECT] = "object",
        };

        return names[t];
}

bool jval_is_null(const struct jval *v)
{
        return jval_type(v) == JVAL_NULL;
}

struct jval *jval_get(const struct jval *object, const char *key)
{
        return wrap(json_object_get(raw(object), key));
}

struct jval *jval_at(const struct jval *array, size_t i)
{
        return wrap(json_array_get(raw(array), i));
}

size_t jval_len(const struct jval *array_or_object)
{
        if (jval_type(array_or_object) == JVAL_ARRAY)
                return json_array_size(raw(array_or_object));
        return json_object_size(raw(array_or_object));
}

const char *jval_text(const struct jval *v, const char *fallback)
{
        return jval_type(v) == JVAL_TEXT ? json_string_value(raw(v)) : fallback;
}

int64_t jval_int(const struct jval *v, int64_t fallback)
{
        return jval_type(v) == JVAL_INT ? json_integer_value(raw(v)) : fallback;
}

double jval_real(const struct jval *v, double fallback)
{
        return v && json_is_number(raw(v)) ? json_number_value(raw(v)) : fallback;
}

bool jval_bool(const struct jval *v, bool fallback)
{
        return jval_type(v) == JVAL_BOOL ? json_is_true(raw(v)) : fallback;
}

const char *jval_get_text(const struct jval *object, const char *key, const char *fallback)
{
        return jval_text(jval_get(object, key), fallback);
}

int64_t jval_get_int(const struct jval *object, const char *key, int64_t fallback)
{
        return jval_int(jval_get(object, key), fallback);
}

bool jval_get_bool(const struct jval *object, const char *key, bool fallback)
{
        return jval_bool(jval_get(object, key), fallback);
}

int jval_foreach(const struct jval *object, int (*fn)(const char *key, struct jval *v, void *arg), void *arg)
{
        const char *key;
        json_t *v;
        void *next;
        int r;

        json_object_foreach_safe(raw(object), next, key, v)
        {
                r = fn(key, wrap(v), arg);
                if (r)
                        return r;
        }
        return 0;
}
