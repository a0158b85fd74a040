/*
 * agent/conf/check.c: what libconfuse 3.3 would accept in silence, or stop at, is found here first (design
 * 7).
 *
 * libconfuse takes a missing "}" for the end of the file, cuts an unquoted value at "#", puts environment
 * variables into ${...}, skips characters that it does not know, counts lines wrongly after a C comment, lets
 * the last of two values win, and stops at the first mistake in the syntax; a quote that is never closed even
 * spoils its lexer for the next file. So the text is first read here by the same rules, one statement at a
 * time: NAME = VALUE, NAME {, or }. A good statement is copied, on the same line, into the text that
 * libconfuse gets to read; a bad one is noted, and reading goes on. So all mistakes are told at once, and
 * libconfuse meets only what it reads as it was meant; if it finds fault still, that is told too.
 *
 * No message shows a value: it may be a password.
 */
#include "conf/conf_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum token_kind { END, NAME, QUOTED, ASSIGN, OPEN, CLOSE, OTHER };

struct token {
        enum token_kind kind;
        size_t from, to; /* in the text, quotes included */
        int line;
        bool broken; /* already complained about */
};

struct seen {
        const char *section; /* of the table */
        char *key;
        int line;
};

struct check {
        const char *text;
        size_t len, at;
        int line;
        struct strbuf *clean;
        int clean_line;
        struct findings *errors, *notes;
        const char *section; /* of the table; "" at the top level */
        int opened;          /* the line of its "{", 0 at the top level */
        int forgiven;        /* "}" that will be one too many because of what was said before */
        struct seen *seen;
        size_t n_seen;
};

/* Copies a part of a good statement, onto the same line. */
static void keep(struct check *c, int line, const char *text, size_t len)
{
        for (; c->clean_line < line; c->clean_line++)
                strbuf_adds(c->clean, "\n");
        strbuf_add(c->clean, text, len);
        strbuf_adds(c->clean, " ");
}

static size_t line_end(const struct check *c, size_t at)
{
        const char *nl = memchr(c->text + at, '\n', c->len - at);

        return nl ? (size_t)(nl - c->text) : c->len;
}

/* After a mistake nothing on the rest of the line can be trusted. */
static void skip_line(struct check *c)
{
        c->at = line_end(c, c->at);
}

/* A comment: "#" or "//" to the end of the line, or C's, which may be longer. False if at is no comment. */
static bool skip_comment(struct check *c)
{
        const char *p = c->text + c->at, *end;
        size_t from = c->at;

        if (*p == '#' || (p[0] == '/' && p[1] == '/')) {
                c->at = line_end(c, c->at);
        } else if (p[0] == '/' && p[1] == '*') {
                end = strstr(p + 2, "*/");
                if (!end)
                        finding_add(c->errors, c->line,
                                    "the comment that begins here has no end: */ is missing");
                c->at = end ? (size_t)(end + 2 - c->text) : c->len;
                for (size_t i = from; i < c->at; i++)
                        c->line += c->text[i] == '\n';
        } else {
                return false;
        }
        return true;
}

static bool is_unquoted(char ch)
{
        return ch && !strchr(" #\"'\t\n\r={}()+,*", ch);
}

/* What libconfuse would do to the text between double quotes without a word. */
static void check_double_quoted(struct check *c, struct token *t)
{
        for (size_t i = t->from + 1; i + 1 < t->to && !t->broken; i++) {
                if (c->text[i] == '\\') {
                        i++;
                        if (strchr("\\\"$ntr", c->text[i]))
                                continue;
                        finding_add(
                                c->errors, t->line,
                                "a backslash between double quotes changes what follows: use single quotes");
                        t->broken = true;
                } else if (c->text[i] == '$' && c->text[i + 1] == '{') {
                        finding_add(
                                c->errors, t->line,
                                "${...} between double quotes is replaced from the environment: use single "
                                "quotes");
                        t->broken = true;
                }
        }
}

static void read_quoted(struct check *c, struct token *t)
{
        char quote = c->text[c->at++];

        t->kind = QUOTED;
        while (c->text[c->at] && c->text[c->at] != quote && c->text[c->at] != '\n')
                c->at += c->text[c->at] == '\\' && c->text[c->at + 1] && c->text[c->at + 1] != '\n' ? 2 : 1;
        if (c->text[c->at] != quote) {
                finding_add(c->errors, t->line, "the quote that opens here is not closed on this line");
                t->broken = true;
                t->to = c->at;
                return;
        }
        t->to = ++c->at;
        if (quote == '"')
                check_double_quoted(c, t);
}

static struct token next_token(struct check *c)
{
        struct token t = { .kind = END };

        for (;;) {
                char ch = c->text[c->at];

                if (ch == '\n')
                        c->line++;
                if (ch == '\n' || ch == ' ' || ch == '\t' || (ch == '\r' && c->text[c->at + 1] == '\n'))
                        c->at++;
                else if (!skip_comment(c))
                        break;
        }
        t.from = t.to = c->at;
        t.line = c->line;
        switch (c->text[c->at]) {
        case '\0':
                return t;
        case '"':
        case '\'':
                read_quoted(c, &t);
                return t;
        case '=':
                t.kind = ASSIGN;
                break;
        case '{':
                t.kind = OPEN;
                break;
        case '}':
                t.kind = CLOSE;
                break;
        default:
                t.kind = is_unquoted(c->text[c->at]) ? NAME : OTHER;
        }
        c->at++;
        while (t.kind == NAME && is_unquoted(c->text[c->at]) &&
               !(c->text[c->at] == '/' && c->text[c->at + 1] == '*'))
                c->at++;
        t.to = c->at;
        return t;
}

/* The next token, without taking it. */
static struct token peek_token(struct check *c)
{
        struct check ahead = *c;
        struct findings none = {};
        struct token t;

        ahead.errors = &none; /* told when it is taken */
        t = next_token(&ahead);
        findings_free(&none);
        return t;
}

/* The value is there, but what stands next to it shows that it was meant to be longer. */
static bool value_goes_on(struct check *c, const struct token *value, const char *key)
{
        char after = c->text[value->to];
        struct check ahead = *c;
        struct token next;

        if (value->kind == NAME && c->text[value->to - 1] == '$' && after == '{') {
                finding_add(c->errors, value->line,
                            "%s: ${...} is replaced from the environment: put the value in single quotes",
                            key);
                return true;
        }
        if (value->kind == NAME && after == '#') {
                finding_add(c->errors, value->line,
                            "%s: the # would begin a comment and cut the value: put it in single quotes",
                            key);
                return true;
        }
        if (after && !strchr(" \t\r\n#}", after)) {
                finding_add(c->errors, value->line, "%s: something stands right after the value: %s", key,
                            value->kind == NAME ? "put all of it in single quotes"
                                                : "a quote inside it needs a backslash before it");
                return true;
        }
        next = peek_token(&ahead);
        if (next.line != value->line || next.kind == END || next.kind == CLOSE)
                return false;
        ahead.at = next.to;
        if (next.kind == NAME && (peek_token(&ahead).kind == ASSIGN || peek_token(&ahead).kind == OPEN))
                return false; /* another statement on the same line */
        finding_add(c->errors, value->line,
                    "%s: text after the value: one with blanks belongs in single quotes", key);
        return true;
}

/* Is NAME one of ours, and set for the first time? Says so if not. */
static bool name_is_good(struct check *c, const struct token *name, const char *key)
{
        const struct unused_setting *unused = unused_find(c->section, key);
        char guess[128], buf[80];
        const char *in = *c->section ? " in section \"" : "", *quote = *c->section ? "\"" : "";

        if (!unused && !setting_find(c->section, key)) {
                finding_add(c->errors, name->line, "there is no option \"%s\"%s%s%s%s",
                            shown(key, buf, sizeof(buf)), in, c->section, quote,
                            suggest_key(c->section, key, guess, sizeof(guess)));
                return false;
        }
        for (size_t i = 0; i < c->n_seen; i++) {
                if (c->seen[i].section == c->section && strcmp(c->seen[i].key, key) == 0) {
                        finding_add(c->errors, name->line, "%s is set a second time; the first is on line %d",
                                    key, c->seen[i].line);
                        return false;
                }
        }
        c->seen = xrealloc(c->seen, (c->n_seen + 1) * sizeof(*c->seen));
        c->seen[c->n_seen++] = (struct seen){ c->section, xstrdup(key), name->line };
        if (unused) {
                finding_add(c->notes, name->line, "%s has no effect: %s", key, unused->because);
                return false;
        }
        return true;
}

/* After NAME =. */
static void check_assignment(struct check *c, const struct token *name, const char *key)
{
        bool good = name_is_good(c, name, key);
        struct token value = peek_token(c);

        if (value.line != name->line || value.kind == END || value.kind == CLOSE) {
                finding_add(c->errors, name->line, "%s: there is no value: an empty one is written ''", key);
                return;
        }
        value = next_token(c);
        if (value.kind == OPEN)
                finding_add(c->errors, name->line, "%s: a list is written as one text in quotes: 'a,b'", key);
        else if (value.kind != NAME && value.kind != QUOTED)
                finding_add(c->errors, name->line, "%s: the value needs single quotes around it", key);
        else if (!value.broken && !value_goes_on(c, &value, key)) {
                if (good) {
                        keep(c, name->line, key, strlen(key));
                        keep(c, name->line, "=", 1);
                        keep(c, name->line, c->text + value.from, value.to - value.from);
                }
                return;
        }
        skip_line(c);
}

/* Reads on behind the brace that closes the one just read, whatever stands between. */
static void skip_section(struct check *c, const struct token *name)
{
        struct token t;
        int depth = 1;

        do {
                t = next_token(c);
                depth += (t.kind == OPEN) - (t.kind == CLOSE);
        } while (depth > 0 && t.kind != END);
        if (depth > 0)
                finding_add(c->errors, name->line,
                            "the section that opens here is not closed: a } is missing");
}

static void close_section(struct check *c, int line)
{
        keep(c, line, "}", 1);
        c->section = "";
        c->opened = 0;
}

/* The table's own copy of the name, so that sections can be compared by address. NULL: none is used. */
static const char *table_section(const char *name)
{
        for (const struct setting *s = settings; s->key; s++)
                if (strcmp(s->section, name) == 0)
                        return s->section;
        return NULL;
}

/* After NAME {. */
static void open_section(struct check *c, const struct token *name, const char *section)
{
        const char *used = table_section(section);
        const struct unused_setting *unused = unused_find(section, "*");
        char guess[128], buf[80];

        if (c->opened) {
                finding_add(
                        c->errors, name->line,
                        "section \"%s\" opens inside section \"%s\" of line %d: is a } missing before it?",
                        shown(section, buf, sizeof(buf)), c->section, c->opened);
                close_section(c, name->line);
                c->forgiven++;
        }
        if (used) {
                keep(c, name->line, section, strlen(section));
                keep(c, name->line, "{", 1);
                c->section = used;
                c->opened = name->line;
                return;
        }
        if (!section_known(section))
                finding_add(c->errors, name->line, "there is no section \"%s\"%s",
                            shown(section, buf, sizeof(buf)), suggest_section(section, guess, sizeof(guess)));
        else
                finding_add(c->notes, name->line, "section \"%s\" has no effect: %s", section,
                            unused ? unused->because : "none of its options is used in this version");
        skip_section(c, name);
}

static void check_name(struct check *c, const struct token *name)
{
        CLEANUP(freep) char *text = xstrndup(c->text + name->from, name->to - name->from);
        struct token next = peek_token(c);
        char buf[80];

        if (next.kind == ASSIGN || next.kind == OPEN) {
                next_token(c);
                if (next.kind == ASSIGN)
                        check_assignment(c, name, text);
                else
                        open_section(c, name, text);
                return;
        }
        if (strcmp(text, "include") == 0)
                finding_add(c->errors, name->line,
                            "there is no include here: files of a --config-dir are read in the order of "
                            "their names");
        else if (text[0] == '[')
                finding_add(c->errors, name->line,
                            "a section is written NAME { ... }, and [DEFAULT] is the top level of the file");
        else
                finding_add(c->errors, name->line, "= is missing after \"%s\"",
                            shown(text, buf, sizeof(buf)));
        skip_line(c);
}

static void check_close(struct check *c, const struct token *brace)
{
        if (c->opened)
                close_section(c, brace->line);
        else if (c->forgiven > 0)
                c->forgiven--;
        else
                finding_add(c->errors, brace->line, "this } closes nothing");
}

/* What makes the whole file suspect. Returns where reading begins. */
static size_t check_bytes(const char *text, size_t len, struct findings *errors)
{
        int line = 1;
        size_t from = 0;

        if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
                finding_add(errors, 1, "the file begins with a byte order mark: save it without one");
                from = 3;
        }
        for (size_t i = from; i < len; i++) {
                unsigned char ch = (unsigned char)text[i];

                line += ch == '\n';
                if (ch < ' ' && ch != '\n' && ch != '\t' && !(ch == '\r' && text[i + 1] == '\n')) {
                        finding_add(errors, line, "a control character (0x%02x) stands on this line", ch);
                        if (ch == '\0')
                                break; /* the rest cannot be read as text */
                }
        }
        return from;
}

void conf_check_text(const char *text, size_t len, struct strbuf *clean, struct findings *errors,
                     struct findings *notes)
{
        struct check c = { .text = text,
                           .len = len,
                           .line = 1,
                           .clean = clean,
                           .clean_line = 1,
                           .errors = errors,
                           .notes = notes,
                           .section = "" };
        struct token t;

        c.at = check_bytes(text, len, errors);
        while ((t = next_token(&c)).kind != END) {
                if (t.kind == NAME) {
                        check_name(&c, &t);
                } else if (t.kind == CLOSE) {
                        check_close(&c, &t);
                } else {
                        if (!t.broken)
                                finding_add(errors, t.line,
                                            "the name of an option or of a section belongs here");
                        skip_line(&c);
                }
        }
        if (c.opened) {
                finding_add(errors, c.opened, "section \"%s\" opens here and is not closed: a } is missing",
                            c.section);
                close_section(&c, c.line);
        }
        for (size_t i = 0; i < c.n_seen; i++)
                free(c.seen[i].key);
        free(c.seen);
}
