/*
 * agent/import/value.h: what nova-compute would take an option for: which of the assignments counts, what its
 * $references stand for, and what its type makes of it.
 */
#pragma once

#include "import/ini.h"
#include "import/nova_options.h"

struct nova_conf {
        struct ini ini;
        const char *host, *my_ip; /* this machine's, where the files do not say; borrowed */
};

/*
 * The assignment that counts, as oslo finds it: the last file with one, by the option's own name before its
 * older ones. NULL: there is none.
 */
const struct ini_value *nova_value_find(const struct nova_conf *c, const struct nova_option *o);
/*
 * What the option is, in one spelling for each value: "true", "60", "1.5", "a,b". v NULL: nova's default.
 * *ret_text is the caller's; NULL when the option is not set (None to nova). -1: nova would refuse it; the
 * error quotes nothing, since it may be a password.
 */
int nova_value_text(const struct nova_conf *c, const struct nova_option *o, const struct ini_value *v,
                    char **ret_text, struct error *err);
