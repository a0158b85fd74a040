/*
 * agent/import/nova_options.h: what nova-compute itself knows: the names of its options, their types,
 * defaults and older names (nova-options.txt).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define NOVA_NAME_MAX 128

enum nova_type { NOVA_STR, NOVA_BOOL, NOVA_INT, NOVA_FLOAT, NOVA_LIST, NOVA_MULTI, NOVA_DICT };

/* All strings are owned. */
struct nova_option {
        char *group, *name; /* group: "DEFAULT" and the others as in oslo, in lower case */
        enum nova_type type;
        char *preset;  /* "": none */
        char *aliases; /* GROUP.NAME, separated by blanks; or "" */
};

/* By its own name. False: nova has no such option; ret is untouched. */
bool nova_option_find(const char *group, const char *name, struct nova_option *ret);
/* By one of its older names. */
bool nova_option_by_alias(const char *group, const char *alias, struct nova_option *ret);
void nova_option_free(struct nova_option *o); /* also CLEANUP(nova_option_free) */
/* Splits the first of aliases off; returns what follows it, or NULL when there was none. */
const char *nova_alias_next(const char *aliases, char group[NOVA_NAME_MAX], char name[NOVA_NAME_MAX]);
