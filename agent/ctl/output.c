/* agent/ctl/output.c: tables, fields, colours. */
#include "ctl/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/list.h"
#include "base/mem.h"

#define GAP       2 /* blanks between columns */
#define KEY_WIDTH 18

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define BOLD   "\033[1m"
#define PLAIN  "\033[0m"

bool colours_wanted(int fd)
{
        const char *term = getenv("TERM");

        return isatty(fd) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

static const char *colour_of(const char *state)
{
        static const struct {
                const char *state, *colour;
        } table[] = {
                { "active", GREEN },     { "pass", GREEN },      { "running", GREEN },   { "yes", GREEN },
                { "error", RED },        { "fail", RED },        { "hung", RED },        { "crashed", RED },
                { "no", RED },           { "warn", YELLOW },     { "building", YELLOW }, { "paused", YELLOW },
                { "suspended", YELLOW }, { "stopped", YELLOW },  { "shutdown", YELLOW }, { "absent", YELLOW },
                { "cancelled", YELLOW }, { "draining", YELLOW }, { "deleting", YELLOW },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                if (strcmp(table[i].state, state) == 0)
                        return table[i].colour;
        }
        return NULL;
}

/* ---- text on a terminal ---- */

/* One character; 0 at the end. Bytes that are no UTF-8 count as one each. */
static size_t next_character(const char *text, wchar_t *ret)
{
        mbstate_t state = {};
        size_t n = mbrtowc(ret, text, MB_CUR_MAX, &state);

        if (n == (size_t)-1 || n == (size_t)-2) {
                *ret = L'?';
                return 1;
        }
        return n;
}

unsigned text_width(const char *text)
{
        unsigned width = 0;
        wchar_t c;

        for (size_t n; (n = next_character(text, &c)); text += n) {
                int w = wcwidth(c);

                width += w > 0 ? (unsigned)w : 0;
        }
        return width;
}

char *harmless(const char *text, const char *allowed)
{
        struct strbuf out = {};
        wchar_t c;

        for (size_t n; (n = next_character(text, &c)); text += n) {
                bool fine = wcwidth(c) >= 0 && !(n == 1 && c == L'?' && *text != '?');

                if (fine || (n == 1 && strchr(allowed, *text)))
                        strbuf_add(&out, text, n);
                else
                        strbuf_adds(&out, "?");
        }
        return strbuf_take(&out, NULL);
}

/* ---- tables ---- */

void table_begin(struct table *t, const char *const *headers)
{
        *t = (struct table){};
        while (headers[t->n_columns] && t->n_columns < TABLE_COLUMNS_MAX) {
                t->headers[t->n_columns] = headers[t->n_columns];
                t->n_columns++;
        }
}

void table_cell(struct table *t, const char *text)
{
        t->cells = xrealloc(t->cells, (t->n_cells + 1) * sizeof(*t->cells));
        t->cells[t->n_cells++] = harmless(text && *text ? text : "-", "");
}

void table_cellf(struct table *t, const char *fmt, ...)
{
        char CLEANUP(freep) *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = xvasprintf(fmt, ap);
        va_end(ap);
        table_cell(t, text);
}

static const char *title(const struct table *t, unsigned column)
{
        return t->headers[column] + strspn(t->headers[column], "#!");
}

static void add_cell(const struct table *t, unsigned column, const char *text, unsigned width,
                     const char *colour, struct strbuf *out)
{
        int pad = (int)(width - text_width(text));
        bool right = t->headers[column][0] == '#', last = column + 1 == t->n_columns;

        if (right)
                strbuf_addf(out, "%*s", pad, "");
        strbuf_addf(out, "%s%s%s", colour ? colour : "", text, colour ? PLAIN : "");
        if (!last)
                strbuf_addf(out, "%*s", (right ? 0 : pad) + GAP, "");
}

static void end_line(struct strbuf *out)
{
        while (out->len && out->data[out->len - 1] == ' ')
                strbuf_truncate(out, out->len - 1);
        strbuf_adds(out, "\n");
}

void table_format(struct table *t, bool colours, struct strbuf *out)
{
        unsigned widths[TABLE_COLUMNS_MAX] = {};

        for (unsigned c = 0; c < t->n_columns; c++)
                widths[c] = text_width(title(t, c));
        for (unsigned i = 0; i < t->n_cells; i++) {
                unsigned w = text_width(t->cells[i]), c = i % t->n_columns;

                widths[c] = w > widths[c] ? w : widths[c];
        }
        for (unsigned c = 0; c < t->n_columns; c++)
                add_cell(t, c, title(t, c), widths[c], colours && *title(t, c) ? BOLD : NULL, out);
        for (unsigned i = 0; i < t->n_cells; i++) {
                unsigned c = i % t->n_columns;
                bool state = colours && t->headers[c][0] == '!';

                if (c == 0)
                        end_line(out);
                add_cell(t, c, t->cells[i], widths[c], state ? colour_of(t->cells[i]) : NULL, out);
        }
        end_line(out);
}

void table_print(struct table *t, const char *when_empty)
{
        struct strbuf CLEANUP(strbuf_free) out = {};

        if (t->n_cells) {
                table_format(t, colours_wanted(STDOUT_FILENO), &out);
                fputs(out.data, stdout);
        } else {
                puts(when_empty);
        }
        table_free(t);
}

void table_free(struct table *t)
{
        while (t->n_cells)
                free(t->cells[--t->n_cells]);
        free(take_ptr(&t->cells));
}

/* ---- the rest ---- */

void print_field(const char *key, const char *value)
{
        char CLEANUP(freep) *text = harmless(value && *value ? value : "-", "");
        const char *colour = colours_wanted(STDOUT_FILENO) ? colour_of(text) : NULL;

        printf("%-*s%s%s%s\n", KEY_WIDTH, key, colour ? colour : "", text, colour ? PLAIN : "");
}

void print_fieldf(const char *key, const char *fmt, ...)
{
        char CLEANUP(freep) *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = xvasprintf(fmt, ap);
        va_end(ap);
        print_field(key, text);
}

void print_heading(const char *text)
{
        bool colours = colours_wanted(STDOUT_FILENO);

        printf("%s%s%s\n", colours ? BOLD : "", text, colours ? PLAIN : "");
}

void print_json(const struct jval *v)
{
        char CLEANUP(freep) *text = jval_print_pretty(v, NULL);

        puts(text);
}

void print_raw(const char *text)
{
        char CLEANUP(freep) *clean = NULL;

        if (isatty(STDOUT_FILENO))
                text = clean = harmless(text, "\n\t");
        fputs(text, stdout);
}

void format_duration(double seconds, char *buf, size_t size)
{
        long long s = (long long)seconds;

        if (seconds < 1)
                snprintf(buf, size, "%.0f ms", seconds < 0 ? 0 : seconds * 1000);
        else if (s < 60)
                snprintf(buf, size, "%.1f s", seconds);
        else if (s < 3600)
                snprintf(buf, size, "%lld min %lld s", s / 60, s % 60);
        else if (s < 86400)
                snprintf(buf, size, "%lld h %lld min", s / 3600, s % 3600 / 60);
        else
                snprintf(buf, size, "%lld d %lld h", s / 86400, s % 86400 / 3600);
}
