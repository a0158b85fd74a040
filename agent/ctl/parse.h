/*
 * agent/ctl/parse.h: options and words of a command line, by tables. Pure.
 *
 * "--name value" and "--name=value"; options and words in any order; after "--" all are words. A name may be
 * cut short as long as it stays unambiguous. A name of one letter is written "-n value".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum ctl_option_type {
        CTL_FLAG,    /* bool */
        CTL_TEXT,    /* const char * */
        CTL_INT,     /* int64_t, between min and max */
        CTL_SECONDS, /* double, greater than 0 */
};

struct ctl_option {
        const char *name; /* without the dashes */
        enum ctl_option_type type;
        void *to;
        const char *metavar, *help; /* help NULL: not shown, another name for another option */
        int64_t min, max;
};

struct ctl_words {
        const char **words;
        unsigned max, n;
        bool stop_at_first; /* leave the rest, from the first word on, alone */
};

/* Index of the first argument that was not read (argc when all were), or -1 with why (one line). */
int ctl_parse(int argc, char **argv, const struct ctl_option *const *tables, struct ctl_words *words,
              struct strbuf *why);
/* What the option's name is written with: "--", or "-" for a letter. */
const char *ctl_dashes(const struct ctl_option *o);
/* One line for each option, for a usage text. */
void ctl_describe_options(const struct ctl_option *options, struct strbuf *out);
