/*
 * tests/support/xml_compare.h: what differs between two domain definitions, whatever the order of their
 * elements. Each difference is one line:
 *
 *      - /domain/devices/disk[vda]/address           only in the first
 *      + /domain/devices/watchdog                    only in the second
 *      ~ /domain/devices/disk[vda]/driver@cache      in both, with other values: "none", "writeback"
 *
 * Elements are paired by what names them (a disk by its target, an interface by its MAC address), else by
 * their place among those of the same name.
 */
#pragma once

#include <stddef.h>

struct xml_difference {
        char *what;   /* "- /domain/devices/audio": what a rule is compared with */
        char *detail; /* the values; or "" */
};
struct xml_differences {
        struct xml_difference *items;
        size_t n;
};
/* Aborts when a text is no XML. */
void xml_compare(const char *first, const char *second, struct xml_differences *ret);
void xml_differences_free(struct xml_differences *d);

/* A difference that is meant. */
struct xml_rule {
        const char *pattern; /* of fnmatch(3), for `what` */
        const char *reason;  /* for the reader */
        unsigned used;       /* how often it was needed */
};
/* What no rule covers, one line each; "" when all is covered. Counts in the rules. Caller frees. */
char *xml_unexpected(const struct xml_differences *d, struct xml_rule *rules, size_t n);
