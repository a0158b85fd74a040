/*
 * agent/ctl/output.h: what people see: aligned tables, and colours where a terminal shows them.
 *
 * Text from outside (names of instances above all) is made harmless first: no control character reaches the
 * terminal.
 */
#pragma once

#include <stdbool.h>

#include "base/strbuf.h"
#include "json/json.h"

#define TABLE_COLUMNS_MAX 12

struct table {
        unsigned n_columns, n_cells;
        const char
                *headers[TABLE_COLUMNS_MAX]; /* "#NAME": numbers, to the right; "!NAME": a state, in colour */
        char **cells;                        /* row by row */
};

void table_begin(struct table *t, const char *const *headers); /* ends with NULL; borrowed */
void table_cell(struct table *t, const char *text);            /* NULL: "-" */
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "Nothing here" when it has no rows. Frees the table. */
void table_print(struct table *t, const char *when_empty);
/* The same as text, for tests and print. */
void table_format(struct table *t, bool colours, struct strbuf *out);
void table_free(struct table *t);

/* "  key   value" with the value in the colour of its state. */
void print_field(const char *key, const char *value);
void print_fieldf(const char *key, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void print_heading(const char *text);
/* Pretty JSON and a newline. */
void print_json(const struct jval *v);
/* Text without control characters but newlines and tabs, unless stdout is no terminal: then as it is. */
void print_raw(const char *text);

/* A copy in which all that would move the cursor, or is no text, is a question mark, but for the allowed. */
char *harmless(const char *text, const char *allowed);

/* "3 d 4 h", "12 min", "4.2 s". */
void format_duration(double seconds, char *buf, size_t size);
/* How many columns a text takes on a terminal. */
unsigned text_width(const char *text);
bool colours_wanted(int fd);
