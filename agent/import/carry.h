/*
 * agent/import/carry.h: which of nova's values become settings, and what is left over.
 */
#pragma once

#include "conf/conf_priv.h"
#include "import/value.h"

/* An assignment that becomes no setting. */
struct left_over {
        const struct ini_value *value;
        char *why;
        bool weighty; /* guests or operators get something else than before */
};

struct carry {
        struct nova_conf nova;
        struct conf *conf;    /* the settings; those that the files say nothing of are at their default */
        struct conf *machine; /* all defaults, as they are on this machine; NULL: it has no host name */
        enum carried {
                CARRIED_NOT,
                CARRIED_FROM_FILE,
                CARRIED_DEFAULT /* nova's default, which is not ours */
        } *
                carried; /* one for each of settings[] */
        bool *taken;     /* one for each of nova.ini.values: it belongs to a setting */
        struct left_over *left;
        size_t n_left;
        size_t n_mistakes;
        struct strbuf *said; /* a line for each mistake */
};

/* nova.ini was read; the other members are still zero, but for n_mistakes and said. */
void carry_settings(struct carry *c);
void carry_left_over(struct carry *c); /* after it */
void carry_free(struct carry *c);
