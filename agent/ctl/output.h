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
                *headers[TABLE_COLUMNS_MAX]; /* "#NAME": numbers, to the right; "!NAME": a state, in colour;
                                                "~NAME": is cut where a terminal is too narrow */
        char **cells;                        /* row by row */
};

void table_begin(struct table *t, const char *const *headers); /* ends with NULL; borrowed */
void table_cell(struct table *t, const char *text);            /* NULL: "-" */
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "Nothing here" when it has no rows. Frees the table. */
void table_print(struct table *t, const char *when_empty);
/* The same as text. width: of the terminal; 0: none, nothing is cut. */
void table_format(struct table *t, bool colours, unsigned width, struct strbuf *out);
void table_free(struct table *t);

/* Text that becomes long before it is printed. */
struct page {
        struct strbuf text;
        bool colours;
        unsigned width; /* of the terminal; 0: none */
};
void page_begin(struct page *p); /* as stdout is */
void page_print(struct page *p); /* and frees it */
void page_field(struct page *p, const char *key, const char *value);
void page_fieldf(struct page *p, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The state in its colour, and what follows it (NULL: nothing). */
void page_state(struct page *p, const char *key, const char *state, const char *more);
void page_heading(struct page *p, const char *text);
/* Frees the table. when_empty "": then nothing is printed. */
void page_table(struct page *p, struct table *t, const char *when_empty);

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
/* "512 B", "1.5 GiB" */
void format_bytes(double bytes, char *buf, size_t size);
/* A line with colours, cut to so many columns. */
void add_cut(const char *line, unsigned width, struct strbuf *out);
