/*
 * agent/import/ini.h: the text of nova's configuration files, as oslo.config reads them. Pure but for
 * ini_read().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

/* One assignment. All strings are owned by the ini. */
struct ini_value {
        char *group; /* as oslo compares it: in lower case, but for "DEFAULT" */
        char *key, *text;
        size_t file; /* index into files */
        int line;
};

struct ini {
        char **files; /* paths, in the order they were read: later ones win */
        size_t n_files;
        struct ini_value *values; /* in the order they stand */
        size_t n_values;
};

/*
 * Adds a file. Each mistake in it becomes a line "file:line: what is wrong" of *errors, and reading goes on.
 * Returns how many there were.
 */
size_t ini_parse(struct ini *i, const char *path, const char *text, size_t len, struct strbuf *errors);
/*
 * A file, or a directory, whose *.conf are read in the order of their names. False: it cannot be read, and a
 * line of *errors says why.
 */
bool ini_read(struct ini *i, const char *path, size_t *n_mistakes, struct strbuf *errors);
void ini_free(struct ini *i); /* wipes the values: there may be passwords */

/* Of the values with this name in one file the last counts; NULL: it has none. */
const struct ini_value *ini_last(const struct ini *i, size_t file, const char *group, const char *key);
