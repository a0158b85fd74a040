/*
 * agent/import/nova_options.c: looking up nova's options in the text of nova-options.txt, which the build
 * turns into a string. It is read from the start for each question: there are few, once in the life of a
 * host.
 */
#include "import/nova_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

static const char table[] =
#include <nova-options.inc> /* made by the build */
        ;

struct row {
        char group[NOVA_NAME_MAX];
        const char *field[4]; /* name, type, default, aliases */
        int len[4];
};

/* The next option from at on; r->group is kept from call to call. Returns where to go on, NULL at the end. */
static const char *next_row(const char *at, struct row *r)
{
        while (*at) {
                const char *end = memchr(at, '\n', (size_t)(table + sizeof(table) - at)), *p = at;

                at = end + 1;
                if (*p == '[') {
                        size_t n = (size_t)(end - p - 2); /* shorter than NOVA_NAME_MAX: our own text */

                        memcpy(r->group, p + 1, n);
                        r->group[n] = '\0';
                } else if (*p != '#') {
                        for (size_t i = 0; i < ARRAY_SIZE(r->field); i++) {
                                const char *tab = memchr(p, '\t', (size_t)(end - p));

                                r->field[i] = p;
                                r->len[i] = (int)((tab ? tab : end) - p);
                                p = tab ? tab + 1 : end;
                        }
                        return at;
                }
        }
        return NULL;
}

static bool field_is(const struct row *r, int i, const char *text)
{
        return strlen(text) == (size_t)r->len[i] && memcmp(r->field[i], text, (size_t)r->len[i]) == 0;
}

static void take(const struct row *r, struct nova_option *ret)
{
        static const char *const types[] = {
                [NOVA_STR] = "str",   [NOVA_BOOL] = "bool",   [NOVA_INT] = "int",  [NOVA_FLOAT] = "float",
                [NOVA_LIST] = "list", [NOVA_MULTI] = "multi", [NOVA_DICT] = "dict"
        };

        *ret = (struct nova_option){ .group = xstrdup(r->group),
                                     .name = xstrndup(r->field[0], (size_t)r->len[0]),
                                     .preset = xstrndup(r->field[2], (size_t)r->len[2]),
                                     .aliases = xstrndup(r->field[3], (size_t)r->len[3]) };
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (field_is(r, 1, types[i]))
                        ret->type = (enum nova_type)i;
}

bool nova_option_find(const char *group, const char *name, struct nova_option *ret)
{
        struct row r = {};

        for (const char *at = table; (at = next_row(at, &r));) {
                if (strcmp(r.group, group) == 0 && field_is(&r, 0, name)) {
                        take(&r, ret);
                        return true;
                }
        }
        return false;
}

bool nova_option_by_alias(const char *group, const char *alias, struct nova_option *ret)
{
        char of_group[NOVA_NAME_MAX], name[NOVA_NAME_MAX];
        struct row r = {};

        for (const char *at = table; (at = next_row(at, &r));) {
                CLEANUP(freep) char *aliases = NULL;

                if (!r.len[3])
                        continue;
                aliases = xstrndup(r.field[3], (size_t)r.len[3]);
                for (const char *p = aliases; (p = nova_alias_next(p, of_group, name));) {
                        if (strcmp(of_group, group) == 0 && strcmp(name, alias) == 0) {
                                take(&r, ret);
                                return true;
                        }
                }
        }
        return false;
}

void nova_option_free(struct nova_option *o)
{
        free(o->group);
        free(o->name);
        free(o->preset);
        free(o->aliases);
        *o = (struct nova_option){};
}

const char *nova_alias_next(const char *aliases, char group[NOVA_NAME_MAX], char name[NOVA_NAME_MAX])
{
        size_t len = strcspn(aliases, " "), dot = strcspn(aliases, ".");

        if (len == 0)
                return NULL;
        snprintf(group, NOVA_NAME_MAX, "%.*s", (int)dot, aliases);
        snprintf(name, NOVA_NAME_MAX, "%.*s", (int)(len - dot - 1), aliases + dot + 1);
        return aliases + len + (aliases[len] == ' ');
}
