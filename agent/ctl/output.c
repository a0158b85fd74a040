/* agent/ctl/output.c: tables, fields, and what a terminal is spared. */
#include "ctl/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/list.h"
#include "base/mem.h"
#include "ctl/terminal.h"

#define GAP        2 /* blanks between columns */
#define KEY_WIDTH  18
#define CELL_LEAST 8 /* what a cell is never cut below */
#define ELLIPSIS   "\xe2\x80\xa6"

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define BOLD   "\033[1m"
#define PLAIN  "\033[0m"

static const char *colour_of(const char *state)
{
        static const struct {
                const char *state, *colour;
        } table[] = {
                { "active", GREEN },     { "pass", GREEN },       { "running", GREEN },
                { "yes", GREEN },        { "error", RED },        { "fail", RED },
                { "hung", RED },         { "crashed", RED },      { "no", RED },
                { "warn", YELLOW },      { "building", YELLOW },  { "paused", YELLOW },
                { "suspended", YELLOW }, { "stopped", YELLOW },   { "shutdown", YELLOW },
                { "absent", YELLOW },    { "cancelled", YELLOW }, { "draining", YELLOW },
                { "deleting", YELLOW },  { "starting", YELLOW },  { "connected", GREEN },
                { "lost", RED },         { "enabled", GREEN },    { "disabled", YELLOW },
                { "forced down", RED },
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

/* What of the text fits into so many columns, in bytes. */
static size_t fitting(const char *text, unsigned width)
{
        const char *at = text;
        wchar_t c;

        for (size_t n; (n = next_character(at, &c)); at += n) {
                int w = wcwidth(c) > 0 ? wcwidth(c) : 0;

                if ((unsigned)w > width)
                        break;
                width -= (unsigned)w;
        }
        return (size_t)(at - text);
}

/* An escape sequence of ours: it takes no column. 0: there is none. */
static size_t escape_len(const char *at)
{
        size_t len;

        if (at[0] != '\033' || at[1] != '[')
                return 0;
        len = 2 + strspn(at + 2, "0123456789;");
        return at[len] ? len + 1 : len;
}

void add_cut(const char *line, unsigned width, struct strbuf *out)
{
        const char *at = line;
        wchar_t c;
        size_t n;

        while (*at) {
                n = escape_len(at);
                if (n == 0) {
                        n = next_character(at, &c);
                        if (wcwidth(c) > (int)width)
                                break;
                        width -= wcwidth(c) > 0 ? (unsigned)wcwidth(c) : 0;
                }
                strbuf_add(out, at, n);
                at += n;
        }
        if (*at && strchr(at, '\033'))
                strbuf_adds(out, PLAIN); /* whatever was begun ends */
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
        return t->headers[column] + strspn(t->headers[column], "#!~");
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

/* The widest column that may be cut; -1: none is left. */
static int widest(const struct table *t, const unsigned *widths)
{
        int found = -1;

        for (unsigned c = 0; c < t->n_columns; c++) {
                if (t->headers[c][0] == '~' && widths[c] > CELL_LEAST &&
                    (found < 0 || widths[c] > widths[found]))
                        found = (int)c;
        }
        return found;
}

/* Makes what may be cut narrower until all fits, if it can. */
static void fit(const struct table *t, unsigned *widths, unsigned width)
{
        unsigned total = (t->n_columns - 1) * GAP;
        int c;

        for (unsigned i = 0; i < t->n_columns; i++)
                total += widths[i];
        while (total > width && (c = widest(t, widths)) >= 0) {
                widths[c]--;
                total--;
        }
}

static void add_row(struct table *t, char *const *cells, const unsigned *widths, bool colours,
                    struct strbuf *out)
{
        for (unsigned c = 0; c < t->n_columns; c++) {
                bool state = colours && t->headers[c][0] == '!';
                struct strbuf CLEANUP(strbuf_free) cut = {};

                if (text_width(cells[c]) > widths[c]) {
                        strbuf_add(&cut, cells[c], fitting(cells[c], widths[c] - 1));
                        strbuf_adds(&cut, ELLIPSIS);
                }
                add_cell(t, c, cut.data ? cut.data : cells[c], widths[c], state ? colour_of(cells[c]) : NULL,
                         out);
        }
        end_line(out);
}

void table_format(struct table *t, bool colours, unsigned width, struct strbuf *out)
{
        unsigned widths[TABLE_COLUMNS_MAX] = {};

        for (unsigned c = 0; c < t->n_columns; c++)
                widths[c] = text_width(title(t, c));
        for (unsigned i = 0; i < t->n_cells; i++) {
                unsigned w = text_width(t->cells[i]), c = i % t->n_columns;

                widths[c] = w > widths[c] ? w : widths[c];
        }
        if (width)
                fit(t, widths, width);
        for (unsigned c = 0; c < t->n_columns; c++)
                add_cell(t, c, title(t, c), widths[c], colours && *title(t, c) ? BOLD : NULL, out);
        end_line(out);
        for (unsigned i = 0; i < t->n_cells; i += t->n_columns)
                add_row(t, t->cells + i, widths, colours, out);
}

void table_print(struct table *t, const char *when_empty)
{
        struct page p;

        page_begin(&p);
        page_table(&p, t, when_empty);
        page_print(&p);
}

void table_free(struct table *t)
{
        while (t->n_cells)
                free(t->cells[--t->n_cells]);
        free(take_ptr(&t->cells));
}

/* ---- pages ---- */

void page_begin(struct page *p)
{
        *p = (struct page){ .colours = colours_wanted(STDOUT_FILENO),
                            .width = terminal_width(STDOUT_FILENO) };
}

void page_print(struct page *p)
{
        fputs(p->text.data ? p->text.data : "", stdout);
        strbuf_free(&p->text);
}

/* Text in as many lines as a terminal needs, all beginning at the column of the values. */
static void add_wrapped(struct page *p, const char *text)
{
        unsigned room = p->width > 2 * KEY_WIDTH ? p->width - KEY_WIDTH : 0;

        while (room && text_width(text) > room) {
                size_t fits = fitting(text, room), cut = fits;

                while (cut && text[cut] != ' ')
                        cut--;
                cut = cut ? cut : fits;
                strbuf_add(&p->text, text, cut);
                strbuf_addf(&p->text, "\n%*s", KEY_WIDTH, "");
                text += cut + strspn(text + cut, " ");
        }
        strbuf_addf(&p->text, "%s\n", text);
}

void page_field(struct page *p, const char *key, const char *value)
{
        page_state(p, key, value && *value ? value : "-", NULL);
}

void page_state(struct page *p, const char *key, const char *state, const char *more)
{
        char CLEANUP(freep) *clean = harmless(state, "");
        char CLEANUP(freep) *rest = harmless(more ? more : "", "");
        char CLEANUP(freep) *both = xasprintf("%s%s", clean, rest);
        const char *colour = p->colours ? colour_of(clean) : NULL;
        struct page value = { .width = p->width };

        add_wrapped(&value, both);
        strbuf_addf(&p->text, "%-*s", KEY_WIDTH, key);
        if (colour) /* a state is one word, which is not wrapped */
                strbuf_addf(&p->text, "%s%s%s%s", colour, clean, PLAIN, value.text.data + strlen(clean));
        else
                strbuf_adds(&p->text, value.text.data);
        strbuf_free(&value.text);
}

void page_fieldf(struct page *p, const char *key, const char *fmt, ...)
{
        char CLEANUP(freep) *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = xvasprintf(fmt, ap);
        va_end(ap);
        page_field(p, key, text);
}

void page_heading(struct page *p, const char *text)
{
        strbuf_addf(&p->text, "%s%s%s\n", p->colours ? BOLD : "", text, p->colours ? PLAIN : "");
}

void page_table(struct page *p, struct table *t, const char *when_empty)
{
        if (t->n_cells)
                table_format(t, p->colours, p->width, &p->text);
        else if (*when_empty)
                strbuf_addf(&p->text, "%s\n", when_empty);
        table_free(t);
}

/* ---- the rest ---- */

void print_field(const char *key, const char *value)
{
        struct page p;

        page_begin(&p);
        page_field(&p, key, value);
        page_print(&p);
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
        struct page p;

        page_begin(&p);
        page_heading(&p, text);
        page_print(&p);
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

void format_bytes(double bytes, char *buf, size_t size)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        unsigned u = 0;

        for (; bytes >= 1024 && u + 1 < ARRAY_SIZE(units); u++)
                bytes /= 1024;
        snprintf(buf, size, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
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
