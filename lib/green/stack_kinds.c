/*
 * lib/green/stack_kinds.c: how deep threads went, by kind.
 *
 * "build 0c54..." and "worker-7" come in any number, so what differs from one to the next is cut out of the
 * names. The table has an end all the same; what comes then is called "(others)".
 */
#include <stdlib.h>
#include <string.h>

#include "green/green.h"
#include "green/stack.h"

enum { ID_MIN = 16 }; /* so many hexadecimal digits and dashes, and one of them is a digit: an id */

static size_t id_length(const char *s)
{
        size_t n = strspn(s, "0123456789abcdefABCDEF-");

        return n >= ID_MIN && strcspn(s, "0123456789") < n ? n : strspn(s, "0123456789");
}

void green_name_of_kind(const char *name, char *buf)
{
        size_t len = 0;

        while (*name && len < STACK_NAME_MAX - 1) {
                size_t id = id_length(name);

                buf[len++] = id ? '*' : *name;
                name += id ? id : 1;
        }
        buf[len] = '\0';
}

static unsigned hash_of(const char *s)
{
        unsigned h = 2166136261U; /* FNV-1a */

        for (; *s; s++)
                h = (h ^ (unsigned char)*s) * 16777619U;
        return h;
}

/* NULL when it is not there and the table has `limit` already. */
static struct stack_kind *find(struct stack_pool *p, const char *name, unsigned limit)
{
        unsigned hash = hash_of(name);
        struct stack_kind *k;

        for (unsigned i = 0; i < p->n_kinds; i++)
                if (p->kinds[i].hash == hash && strcmp(p->kinds[i].name, name) == 0)
                        return &p->kinds[i];
        if (p->n_kinds >= limit)
                return NULL;
        k = &p->kinds[p->n_kinds++];
        memcpy(k->name, name, strlen(name) + 1);
        k->hash = hash;
        return k;
}

struct stack_kind *stack_kind_note(struct stack_pool *p, const char *name, size_t touched, bool ended)
{
        char kind[STACK_NAME_MAX];
        struct stack_kind *k;

        if (!p->kinds)
                p->kinds = calloc(STACK_KINDS_MAX, sizeof(*p->kinds));
        if (!p->kinds)
                return NULL;
        green_name_of_kind(name, kind);
        k = find(p, kind, STACK_KINDS_MAX - 1);
        if (!k)
                k = find(p, "(others)", STACK_KINDS_MAX);
        k->threads += ended;
        if (touched > k->most)
                k->most = touched;
        return k;
}
