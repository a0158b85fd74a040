/*
 * agent/conf/names.c: finding options by name, and guessing which one was meant.
 */
#include "conf/conf_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/words.h"

#define NAME_MAX_LEN 64 /* longer names are not compared */

const struct setting *setting_find(const char *section, const char *key)
{
        for (const struct setting *s = settings; s->key; s++)
                if (strcmp(s->section, section) == 0 && strcmp(s->key, key) == 0)
                        return s;
        return NULL;
}

struct conf_place *setting_place(const struct conf *c, const char *section, const char *key)
{
        return &c->places[setting_find(section, key) - settings];
}

const struct unused_setting *unused_find(const char *section, const char *key)
{
        for (const struct unused_setting *u = unused_settings; u->section; u++)
                if (strcmp(u->section, section) == 0 && words_match(u->keys, key))
                        return u;
        return NULL;
}

bool section_known(const char *section)
{
        for (const struct setting *s = settings; s->key; s++)
                if (strcmp(s->section, section) == 0)
                        return true;
        for (const struct unused_setting *u = unused_settings; u->section; u++)
                if (strcmp(u->section, section) == 0)
                        return true;
        return false;
}

static unsigned min_of(unsigned a, unsigned b)
{
        return a < b ? a : b;
}

/*
 * How many letters to add, leave out, change or swap with their neighbour; upper and lower case are the same.
 * Three rows of the usual table are enough.
 */
static unsigned distance(const char *a, const char *b)
{
        unsigned rows[3][NAME_MAX_LEN + 1], *before = rows[0], *above = rows[1], *row = rows[2];
        size_t la = strlen(a), lb = strlen(b);

        if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
                return NAME_MAX_LEN;
        for (size_t j = 0; j <= lb; j++)
                above[j] = j;
        for (size_t i = 1; i <= la; i++) {
                unsigned *oldest = before;

                row[0] = i;
                for (size_t j = 1; j <= lb; j++) {
                        int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);

                        row[j] = min_of(above[j - 1] + (ca != cb), min_of(above[j], row[j - 1]) + 1);
                        if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                            cb == tolower((unsigned char)a[i - 2]))
                                row[j] = min_of(row[j], before[j - 2] + 1);
                }
                before = above;
                above = row;
                row = oldest;
        }
        return above[lb];
}

/* A guess must be nearer than this: a third of the name. */
static unsigned near_enough(const char *name)
{
        return 1 + (unsigned)strlen(name) / 3;
}

struct guess {
        const char *section, *key;
        unsigned distance;
};

static void consider(struct guess *best, const char *wanted, const char *section, const char *key)
{
        unsigned d = distance(wanted, key);

        if (d < best->distance)
                *best = (struct guess){ section, key, d };
}

const char *suggest_key(const char *section, const char *key, char *buf, size_t size)
{
        struct guess here = { .distance = near_enough(key) }, there = { .distance = 1 };

        for (const struct setting *s = settings; s->key; s++)
                consider(strcmp(s->section, section) == 0 ? &here : &there, key, s->section, s->key);
        buf[0] = '\0';
        if (here.key && here.distance <= 1)
                snprintf(buf, size, ", did you mean \"%s\"?", here.key);
        else if (there.key && *there.section)
                snprintf(buf, size, ": it belongs into the section \"%s\"", there.section);
        else if (there.key)
                snprintf(buf, size, ": it belongs to the top level, outside of sections");
        else if (here.key)
                snprintf(buf, size, ", did you mean \"%s\"?", here.key);
        return buf;
}

const char *suggest_section(const char *section, char *buf, size_t size)
{
        struct guess best = { .distance = near_enough(section) };

        for (const struct setting *s = settings; s->key; s++)
                if (*s->section)
                        consider(&best, section, s->section, s->section);
        for (const struct unused_setting *u = unused_settings; u->section; u++)
                if (*u->section)
                        consider(&best, section, u->section, u->section);
        buf[0] = '\0';
        if (strcasecmp(section, "DEFAULT") == 0)
                snprintf(buf, size, ": what nova has in [DEFAULT] stands at the top level here");
        else if (best.key)
                snprintf(buf, size, ", did you mean \"%s\"?", best.key);
        return buf;
}
