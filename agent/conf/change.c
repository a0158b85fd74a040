/*
 * agent/conf/change.c: from the settings in effect to those of a file that was read again.
 *
 * As with oslo.config's mutate_config_files(): what may change while the agent runs does, all of it at once,
 * and the rest is named and waits for a restart. A file with a mistake never gets here.
 */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_priv.h"

/* Somebody may still point to it. Reloads are rare, and texts are small. */
struct conf_retired {
        struct conf_retired *next;
        char *text;
};

const char *setting_name(const struct setting *s, char *buf, size_t size)
{
        if (*s->section)
                snprintf(buf, size, "[%s] %s", s->section, s->key);
        else
                snprintf(buf, size, "%s", s->key);
        return buf;
}

static void tell(const struct setting *s, const struct conf *now, const struct conf *next, conf_change_fn *fn,
                 void *arg)
{
        CLEANUP(strbuf_free) struct strbuf from = {}, to = {};
        char name[128];

        setting_print(s, now, &from);
        setting_print(s, next, &to);
        if (strcmp(from.data, to.data) == 0) /* masked, both look the same */
                strbuf_adds(&to, " (another secret)");
        fn(&(struct conf_change){ setting_name(s, name, sizeof(name)), from.data, to.data, s->reloads }, arg);
}

void conf_compare(const struct conf *now, const struct conf *next, conf_change_fn *fn, void *arg)
{
        for (const struct setting *s = settings; s->key; s++)
                if (!setting_equal(s, now, next))
                        tell(s, now, next, fn, arg);
}

static void retire(struct conf *c, char *text)
{
        struct conf_retired *r = NEW(struct conf_retired);

        *r = (struct conf_retired){ c->retired, text };
        c->retired = r;
}

void retired_free(struct conf *c)
{
        while (c->retired) {
                struct conf_retired *r = c->retired;

                c->retired = r->next;
                free_secret(r->text);
                free(r);
        }
}

void setting_take(const struct setting *s, struct conf *c, const struct conf *from)
{
        char *member = (char *)c + s->offset;
        const char *other = (const char *)from + s->offset;

        switch (s->type) {
        case SETTING_INT:
                *(int64_t *)member = *(const int64_t *)other;
                break;
        case SETTING_RATIO:
                *(double *)member = *(const double *)other;
                break;
        case SETTING_BOOL:
                *(bool *)member = *(const bool *)other;
                break;
        case SETTING_TEXT:
        case SETTING_PATH:
        case SETTING_CHOICE:
                retire(c, *(char **)member);
                *(char **)member = xstrdup(*(char *const *)other);
                break;
        }
}

void conf_apply(struct conf *now, const struct conf *next)
{
        for (const struct setting *s = settings; s->key; s++)
                if (s->reloads && !setting_equal(s, now, next)) {
                        struct conf_place *place = &now->places[s - settings];

                        setting_take(s, now, next);
                        *place = next->places[s - settings];
                        if (place->origin != ORIGIN_DEFAULT)
                                place->file = conf_add_file(now, next->files[place->file]);
                }
        replace_str(&now->notes, next->notes);
}
