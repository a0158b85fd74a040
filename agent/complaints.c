/*
 * agent/complaints.c: a peer that sends garbage in a loop must not fill the log, and must not be passed over
 * in silence either.
 */
#include "complaints.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MODULE "agent"
#include "base/log.h"
#include "base/mem.h"

#define KINDS_MAX 64
#define KIND_LEN  160

struct complaints {
        struct kind {
                char name[KIND_LEN];
                unsigned long n, said; /* how many; how many when it was last logged */
        } kinds[KINDS_MAX];
        unsigned n_kinds;
};

struct complaints *complaints_new(void)
{
        return NEW(struct complaints);
}

/* Numbers become "#", what stands in quotes goes. */
static void name_of(const char *text, char name[KIND_LEN])
{
        size_t n = 0;

        for (const char *p = text; *p && n + 1 < KIND_LEN; p++) {
                const char *end;

                if (isdigit((unsigned char)*p)) {
                        while (isdigit((unsigned char)p[1]))
                                p++;
                        name[n++] = '#';
                        continue;
                }
                name[n++] = *p;
                end = *p == '"' || *p == '\'' ? strchr(p + 1, *p) : NULL;
                if (end && n + 1 < KIND_LEN)
                        name[n++] = *(p = end);
        }
        name[n] = '\0';
}

/* NULL: it was not seen before. */
static struct kind *find(const struct complaints *c, const char *name)
{
        for (unsigned i = 0; i < c->n_kinds; i++)
                if (strcmp(c->kinds[i].name, name) == 0)
                        return (struct kind *)&c->kinds[i];
        return NULL;
}

static struct kind *find_or_add(struct complaints *c, const char *name)
{
        struct kind *k = find(c, name);

        if (k)
                return k;
        if (c->n_kinds == KINDS_MAX)
                return &c->kinds[KINDS_MAX - 1]; /* as good as any for what nobody can tell apart */
        k = &c->kinds[c->n_kinds++];
        memcpy(k->name, name, KIND_LEN);
        return k;
}

void complain(struct complaints *c, const char *text)
{
        char name[KIND_LEN];
        struct kind *k;

        name_of(text, name);
        k = find_or_add(c, name);
        k->n++;
        if (k->n == 1)
                log_warning("%s (more like this are only counted)", text);
        else if (k->n == 10 * k->said)
                log_warning("%s (%lu like this so far)", text, k->n);
        else
                return;
        k->said = k->n;
}

void complaints_free(struct complaints *c)
{
        if (!c)
                return;
        for (unsigned i = 0; i < c->n_kinds; i++)
                if (c->kinds[i].n > c->kinds[i].said)
                        log_warning("%s: %lu like this since the start", c->kinds[i].name, c->kinds[i].n);
        free(c);
}
