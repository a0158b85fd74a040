/*
 * agent/import/value.c: values as oslo.config makes them from what stands in the files.
 *
 * References: $name, ${name}, $group.name, ${group.name}; $$ and \$ are a $. A name is looked for in the
 * option's own group, then in [DEFAULT]; what is not set anywhere is nova's default, and an option without
 * default is nothing. A name that no option has is an error, to nova too. What cannot begin a reference stays
 * as it is.
 */
#include "import/value.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/words.h"

#define DEPTH_MAX 20 /* references that lead to references */

static int value_text(const struct nova_conf *c, const struct nova_option *o, const struct ini_value *v,
                      unsigned depth, char **ret_text, struct error *err);

const struct ini_value *nova_value_find(const struct nova_conf *c, const struct nova_option *o)
{
        char group[NOVA_NAME_MAX], name[NOVA_NAME_MAX];

        for (size_t file = c->ini.n_files; file-- > 0;) {
                const struct ini_value *v = ini_last(&c->ini, file, o->group, o->name);

                for (const char *p = o->aliases; !v && (p = nova_alias_next(p, group, name));)
                        v = ini_last(&c->ini, file, group, name);
                if (v)
                        return v;
        }
        return NULL;
}

/* The option that a reference in `group` means. */
static bool find_referred(const char *group, const char *reference, struct nova_option *ret)
{
        const char *dot = strchr(reference, '.');
        CLEANUP(freep) char *of_group = dot ? xstrndup(reference, (size_t)(dot - reference)) : xstrdup(group);

        /* $DEFAULT.name is nothing to oslo: that is no group like the others. */
        return (!(dot && strcmp(of_group, "DEFAULT") == 0) &&
                nova_option_find(of_group, dot ? dot + 1 : reference, ret)) ||
               nova_option_find("DEFAULT", reference, ret);
}

/* What stands for the reference: Python's text of the value. */
static int refer(const struct nova_conf *c, const char *group, const char *reference, unsigned depth,
                 struct strbuf *out, struct error *err)
{
        CLEANUP(nova_option_free) struct nova_option o = {};
        CLEANUP(freep) char *text = NULL;

        if (depth > DEPTH_MAX)
                return error_set(err, ERR_INVALID, "a $ in it leads round in a circle");
        if (!find_referred(group, reference, &o))
                return error_set(err, ERR_INVALID,
                                 "a $ in it is followed by the name of no option of nova; a $ itself is "
                                 "written $$");
        if (o.type == NOVA_LIST || o.type == NOVA_MULTI || o.type == NOVA_DICT)
                return error_set(err, ERR_INVALID, "a $ in it is followed by the name of a list");
        if (value_text(c, &o, nova_value_find(c, &o), depth + 1, &text, err) < 0)
                return -1;
        if (o.type == NOVA_BOOL && text)
                *text = (char)toupper((unsigned char)*text);
        strbuf_adds(out, text ? text : "");
        return 0;
}

static size_t name_length(const char *s)
{
        size_t n = 0;

        if (!isalpha((unsigned char)*s) && *s != '_')
                return 0;
        while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '.')
                n++;
        return n;
}

static int expand(const struct nova_conf *c, const char *group, const char *s, unsigned depth,
                  struct strbuf *out, struct error *err)
{
        while (*s) {
                bool braces = s[0] == '$' && s[1] == '{';
                size_t name = s[0] == '$' ? name_length(s + 1 + braces) : 0;

                if ((s[0] == '$' || s[0] == '\\') && s[1] == '$') {
                        strbuf_adds(out, "$");
                        s += 2;
                } else if (name && (!braces || s[2 + name] == '}')) {
                        CLEANUP(freep) char *reference = xstrndup(s + 1 + braces, name);

                        if (refer(c, group, reference, depth, out, err) < 0)
                                return -1;
                        s += 1 + name + 2 * braces;
                } else {
                        strbuf_add(out, s++, 1);
                }
        }
        return 0;
}

static char *stripped(const char *s, size_t len)
{
        while (len > 0 && isspace((unsigned char)s[len - 1]))
                len--;
        while (len > 0 && isspace((unsigned char)*s))
                s++, len--;
        return xstrndup(s, len);
}

static int to_bool(const char *s, char **ret, struct error *err)
{
        bool yes;

        if (words_bool(s, &yes)) {
                *ret = xstrdup(yes ? "true" : "false");
                return 0;
        }
        return error_set(err, ERR_INVALID, "must be true or false");
}

/* Python's int(): a sign, zeros before and "_" between digits are allowed. */
static int to_int(const char *s, char **ret, struct error *err)
{
        CLEANUP(strbuf_free) struct strbuf digits = {};
        const char *p = s + (*s == '-' || *s == '+');

        for (; *p; p++) {
                if (*p == '_' && digits.len > 0 && isdigit((unsigned char)p[-1]) &&
                    isdigit((unsigned char)p[1]))
                        continue;
                if (!isdigit((unsigned char)*p))
                        return error_set(err, ERR_INVALID, "must be a whole number");
                if (digits.len == 1 && digits.data[0] == '0')
                        strbuf_truncate(&digits, 0);
                strbuf_add(&digits, p, 1);
        }
        if (digits.len == 0)
                return error_set(err, ERR_INVALID, "must be a whole number");
        *ret = xasprintf("%s%s", *s == '-' && strcmp(digits.data, "0") != 0 ? "-" : "", digits.data);
        return 0;
}

static int to_float(const char *s, char **ret, struct error *err)
{
        char text[64], *end;
        double number;

        errno = 0;
        number = strtod(s, &end);
        if (end == s || *end || errno || !isfinite(number) || strpbrk(s, "xX"))
                return error_set(err, ERR_INVALID, "must be a number");
        snprintf(text, sizeof(text), "%.10f", number);
        for (size_t n = strlen(text); text[n - 1] == '0' && text[n - 2] != '.'; n--)
                text[n - 1] = '\0';
        *ret = xstrdup(text);
        return 0;
}

static char *to_list(const char *s)
{
        CLEANUP(strbuf_free) struct strbuf out = {};
        size_t end = strlen(s);

        while (end > 0 && (s[end - 1] == ',' || isspace((unsigned char)s[end - 1])))
                end--;
        for (size_t at = 0; at < end; at++) {
                size_t len = strcspn(s + at, ",");
                CLEANUP(freep) char *item = stripped(s + at, at + len < end ? len : end - at);

                strbuf_addf(&out, "%s%s", at ? "," : "", item);
                at += len;
        }
        return strbuf_take(&out, NULL);
}

static int convert(enum nova_type type, const char *s, char **ret, struct error *err)
{
        CLEANUP(freep) char *text = stripped(s, strlen(s));

        *ret = NULL;
        switch (type) {
        case NOVA_BOOL:
                return to_bool(s, ret, err);
        case NOVA_INT:
                return *text ? to_int(text, ret, err) : 0;
        case NOVA_FLOAT:
                return *text ? to_float(text, ret, err) : 0;
        case NOVA_LIST:
                *ret = to_list(s);
                return 0;
        case NOVA_STR:
        case NOVA_MULTI:
        case NOVA_DICT:
                break;
        }
        *ret = xstrdup(s);
        return 0;
}

static int value_text(const struct nova_conf *c, const struct nova_option *o, const struct ini_value *v,
                      unsigned depth, char **ret_text, struct error *err)
{
        CLEANUP(strbuf_free) struct strbuf text = {};

        *ret_text = NULL;
        if (!v && !*o->preset)
                return 0;
        if (!v && strcmp(o->preset, "@host") == 0)
                strbuf_adds(&text, c->host);
        else if (!v && strcmp(o->preset, "@my_ip") == 0)
                strbuf_adds(&text, c->my_ip);
        else if (expand(c, o->group, v ? v->text : o->preset, depth, &text, err) < 0)
                return -1;
        return convert(o->type, text.len ? text.data : "", ret_text, err);
}

int nova_value_text(const struct nova_conf *c, const struct nova_option *o, const struct ini_value *v,
                    char **ret_text, struct error *err)
{
        return value_text(c, o, v, 0, ret_text, err);
}
