/*
 * lib/json/json.h: JSON values, parsing with limits, printing, and field tables into structs.
 *
 * The only door to jansson; a struct jval is one of its values, reference-counted (not atomically: one thread
 * at a time). Getters on NULL or on a value of another type return the fallback, so paths can be followed
 * without checks. Integers are exact 64 bit; text is strict UTF-8; duplicate keys are refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct jval;

#define JSON_DEPTH_MAX 64

void jval_init(void); /* once, before threads: seeds the hash */

/* Errors: ERR_PROTOCOL with line and column. len counts bytes; NULs inside text are refused. */
struct jval *jval_parse(const char *text, size_t len, struct error *err);
char *jval_print(const struct jval *v, size_t *ret_len);        /* compact; caller frees */
char *jval_print_pretty(const struct jval *v, size_t *ret_len); /* indented by 2 */

struct jval *jval_ref(struct jval *v); /* NULL allowed; returns v */
void jval_unref(struct jval *v);       /* NULL allowed */
void jval_unrefp(struct jval **v);     /* CLEANUP(jval_unrefp) */

/* Making. Text that is not UTF-8 is made so with U+FFFD. */
struct jval *jval_new_object(void);
struct jval *jval_new_array(void);
struct jval *jval_new_null(void);
struct jval *jval_new_bool(bool b);
struct jval *jval_new_int(int64_t i);
struct jval *jval_new_real(double d);
struct jval *jval_new_text(const char *s); /* NULL gives null */
struct jval *jval_new_textn(const char *s, size_t len);
struct jval *jval_copy(const struct jval *v); /* deep */
/* These take over v (also when it is NULL: then nothing is set). */
void jval_set(struct jval *object, const char *key, struct jval *v);
void jval_push(struct jval *array, struct jval *v);
/* Short forms. */
void jval_set_text(struct jval *object, const char *key, const char *s);
void jval_set_int(struct jval *object, const char *key, int64_t i);
void jval_set_real(struct jval *object, const char *key, double d);
void jval_set_bool(struct jval *object, const char *key, bool b);
void jval_remove(struct jval *object, const char *key);

/* Reading; what is returned is borrowed from the parent. */
enum jval_type { JVAL_NULL, JVAL_BOOL, JVAL_INT, JVAL_REAL, JVAL_TEXT, JVAL_ARRAY, JVAL_OBJECT };
enum jval_type jval_type(const struct jval *v); /* NULL is JVAL_NULL */
const char *jval_type_name(enum jval_type t);
bool jval_is_null(const struct jval *v);
struct jval *jval_get(const struct jval *object, const char *key); /* NULL if absent */
struct jval *jval_at(const struct jval *array, size_t i);
size_t jval_len(const struct jval *array_or_object);
const char *jval_text(const struct jval *v, const char *fallback);
int64_t jval_int(const struct jval *v, int64_t fallback);
double jval_real(const struct jval *v, double fallback); /* integers too */
bool jval_bool(const struct jval *v, bool fallback);
const char *jval_get_text(const struct jval *object, const char *key, const char *fallback);
int64_t jval_get_int(const struct jval *object, const char *key, int64_t fallback);
bool jval_get_bool(const struct jval *object, const char *key, bool fallback);
/* Calls fn for each member in insertion order; stops when it returns non-zero, and returns that. */
int jval_foreach(const struct jval *object, int (*fn)(const char *key, struct jval *v, void *arg), void *arg);

/*
 * Field tables: one row per field of a struct. Decoding checks types, reports the first mistake as
 * "field: expected text, got array" (ERR_INVALID), ignores unknown keys. An absent field keeps what the
 * struct held, so the caller sets defaults first, and NULL in fields that own memory. Getters of other
 * modules must not allocate: json_fields_free() knows only those below.
 */
enum json_field_flags { JSON_REQUIRED = 1, JSON_NULLABLE = 2 /* null leaves the default */ };
struct json_field;
typedef int json_field_fn(const struct json_field *f, const struct jval *v, void *field, struct error *err);
struct json_field {
        const char *key;
        json_field_fn *get;
        size_t offset;
        unsigned flags;
};
json_field_fn json_field_text;   /* char *, allocated: freed by json_fields_free() */
json_field_fn json_field_uuid;   /* char[37], checked, lower-cased */
json_field_fn json_field_int;    /* int64_t */
json_field_fn json_field_bool;   /* bool */
json_field_fn json_field_object; /* struct jval *, referenced */
json_field_fn json_field_array;  /* struct jval *, referenced */
json_field_fn json_field_any;    /* struct jval *, referenced */
/* On error what was already decoded is freed. */
int json_fields_decode(const struct json_field *fields, const struct jval *object, void *into,
                       struct error *err);
/* The same, and any key that is not in the table is an error (Python's TypeError: unexpected keyword). */
int json_fields_decode_strict(const struct json_field *fields, const struct jval *object, void *into,
                              struct error *err);
void json_fields_free(const struct json_field *fields, void *into); /* leaves NULLs */
