/* agent/ctl/parse.c: the command line, by tables. */
#include "ctl/parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *ctl_dashes(const struct ctl_option *o)
{
        return o->name[1] ? "--" : "-";
}

/* Exact names win over cut ones. NULL: none, or several (then *ret_several). */
static const struct ctl_option *find(const struct ctl_option *const *tables, const char *name, size_t len,
                                     bool *ret_several)
{
        const struct ctl_option *found = NULL;

        *ret_several = false;
        for (; *tables; tables++) {
                for (const struct ctl_option *o = *tables; o->name; o++) {
                        if (strncmp(o->name, name, len) != 0 || !o->name[1])
                                continue;
                        if (o->name[len] == '\0')
                                return o;
                        *ret_several = *ret_several || found;
                        found = o;
                }
        }
        return *ret_several ? NULL : found;
}

static const struct ctl_option *find_letter(const struct ctl_option *const *tables, char letter)
{
        for (; *tables; tables++) {
                for (const struct ctl_option *o = *tables; o->name; o++) {
                        if (o->name[0] == letter && !o->name[1])
                                return o;
                }
        }
        return NULL;
}

static bool store_int(const struct ctl_option *o, const char *value, struct strbuf *why)
{
        char *end;
        long long n;

        errno = 0;
        n = strtoll(value, &end, 10);
        if (end == value || *end || errno || n < o->min || n > o->max) {
                strbuf_addf(why, "%s%s: \"%s\" is not a number from %lld to %lld", ctl_dashes(o), o->name,
                            value, (long long)o->min, (long long)o->max);
                return false;
        }
        *(int64_t *)o->to = n;
        return true;
}

static bool store_seconds(const struct ctl_option *o, const char *value, struct strbuf *why)
{
        char *end;
        double s = strtod(value, &end);
        bool number = end != value;

        if (number && *end && !end[1] && strchr("smhd", *end))
                s *= *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : 86400, end++;
        if (!number || *end || !isfinite(s) || s <= 0 || s > 1e9) {
                strbuf_addf(why, "--%s: \"%s\" is not a number of seconds, as 90, 10m or 2h", o->name, value);
                return false;
        }
        *(double *)o->to = s;
        return true;
}

static bool store_value(const struct ctl_option *o, const char *value, struct strbuf *why)
{
        switch (o->type) {
        case CTL_INT:
                return store_int(o, value, why);
        case CTL_SECONDS:
                return store_seconds(o, value, why);
        case CTL_TEXT:
                *(const char **)o->to = value;
                return true;
        case CTL_FLAG:
                break;
        }
        *(bool *)o->to = true;
        return true;
}

/* argv[i] begins with "-". Returns the index of the next argument, or -1. */
static int parse_option(int argc, char **argv, int i, const struct ctl_option *const *tables,
                        struct strbuf *why)
{
        bool letter = argv[i][1] != '-', several = false;
        const char *name = argv[i] + (letter ? 1 : 2), *value = strchr(name, '=');
        size_t len = strcspn(name, "=");
        const struct ctl_option *o = NULL;

        if (letter && len == 1)
                o = find_letter(tables, *name);
        else if (!letter && len)
                o = find(tables, name, len, &several);
        if (!o) {
                strbuf_addf(why, several ? "option \"%.*s\" could be several" : "unknown option \"%.*s\"",
                            (int)(name + len - argv[i]), argv[i]);
                return -1;
        }
        if (o->type == CTL_FLAG && value) {
                strbuf_addf(why, "%s%s takes no value", ctl_dashes(o), o->name);
                return -1;
        }
        if (o->type != CTL_FLAG && !value && ++i == argc) {
                strbuf_addf(why, "%s%s needs a value", ctl_dashes(o), o->name);
                return -1;
        }
        if (!store_value(o, value ? value + 1 : argv[i], why))
                return -1;
        return i + 1;
}

int ctl_parse(int argc, char **argv, const struct ctl_option *const *tables, struct ctl_words *words,
              struct strbuf *why)
{
        bool only_words = false;
        int i = 0;

        while (i < argc) {
                const char *arg = argv[i];

                if (!only_words && strcmp(arg, "--") == 0) {
                        only_words = true;
                        i++;
                } else if (!only_words && arg[0] == '-' && arg[1] != '\0') {
                        i = parse_option(argc, argv, i, tables, why);
                        if (i < 0)
                                return -1;
                } else if (words->stop_at_first) {
                        return i;
                } else if (words->n == words->max) {
                        strbuf_addf(why, "\"%s\" is one argument too many", arg);
                        return -1;
                } else {
                        words->words[words->n++] = arg;
                        i++;
                }
        }
        return argc;
}

void ctl_describe_options(const struct ctl_option *options, struct strbuf *out)
{
        for (const struct ctl_option *o = options; o->name; o++) {
                size_t begin = out->len, used;

                if (!o->help)
                        continue;
                strbuf_addf(out, "  %s%s%s%s", ctl_dashes(o), o->name, o->metavar ? " " : "",
                            o->metavar ? o->metavar : "");
                used = out->len - begin;
                strbuf_addf(out, "%*s %s\n", used < 22 ? (int)(22 - used) : 1, "", o->help);
        }
}
