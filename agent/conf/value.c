/*
 * agent/conf/value.c: from the text of a value to the member of struct conf, and back.
 *
 * Numbers are decimal and nothing else: libconfuse's own reading takes 010 for eight and 0x10 for sixteen, so
 * values arrive here as text.
 */
#include "conf/conf_priv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/words.h"

#define SHOWN_MAX 72

const char *shown(const char *value, char *buf, size_t size)
{
        size_t n = 0;

        if (size > SHOWN_MAX)
                size = SHOWN_MAX;
        for (; *value && n + 4 < size; value++)
                buf[n++] = iscntrl((unsigned char)*value) ? '?' : *value;
        buf[n] = '\0';
        if (*value)
                memcpy(buf + n, "...", sizeof("..."));
        return buf;
}

static void *member(const struct setting *s, struct conf *c)
{
        return (char *)c + s->offset;
}

static const void *const_member(const struct setting *s, const struct conf *c)
{
        return (const char *)c + s->offset;
}

char **setting_text(const struct setting *s, struct conf *c)
{
        return member(s, c);
}

bool setting_is_text(const struct setting *s)
{
        return s->type == SETTING_TEXT || s->type == SETTING_PATH || s->type == SETTING_CHOICE;
}

static int parse_int(const struct setting *s, const char *value, int64_t *ret, struct error *err)
{
        const char *digits = value + (*value == '-');
        char buf[SHOWN_MAX], *end;
        size_t n = strspn(digits, "0123456789");
        long long number;

        if (n > 0 && digits[n] == '\0' && n > 1 && digits[0] == '0')
                return error_set(err, ERR_INVALID,
                                 "must not begin with 0, which some would read as octal: write %s%s",
                                 *value == '-' ? "-" : "",
                                 digits[strspn(digits, "0")] ? digits + strspn(digits, "0") : "0");
        if (n > 0 && isalpha((unsigned char)digits[n]) && digits[n] != 'x' && digits[n] != 'X')
                return error_set(err, ERR_INVALID, "must be a number%s%s without a unit, not \"%s\"",
                                 s->unit ? " of " : "", s->unit ? s->unit : "",
                                 shown(value, buf, sizeof(buf)));
        if (n == 0 || digits[n] != '\0')
                return error_set(err, ERR_INVALID, "must be a whole decimal number, not \"%s\"",
                                 shown(value, buf, sizeof(buf)));
        errno = 0;
        number = strtoll(value, &end, 10);
        if (errno || number < s->min || number > s->max)
                return error_set(err, ERR_INVALID, "must be %" PRId64 " to %" PRId64 "%s%s, not %s", s->min,
                                 s->max, s->unit ? " " : "", s->unit ? s->unit : "",
                                 shown(value, buf, sizeof(buf)));
        *ret = number;
        return 0;
}

static int parse_ratio(const struct setting *s, const char *value, double *ret, struct error *err)
{
        size_t whole = strspn(value, "0123456789"), part = 0;
        char buf[SHOWN_MAX];
        double number;

        if (value[whole] == '.')
                part = 1 + strspn(value + whole + 1, "0123456789");
        if (whole == 0 || part == 1 || value[whole + part] != '\0')
                return error_set(err, ERR_INVALID, "must be a decimal fraction like 1.5, not \"%s\"",
                                 shown(value, buf, sizeof(buf)));
        number = strtod(value, NULL);
        if (number < (double)s->min || number > (double)s->max)
                return error_set(err, ERR_INVALID, "must be %" PRId64 " to %" PRId64 ", not %s", s->min,
                                 s->max, shown(value, buf, sizeof(buf)));
        *ret = number;
        return 0;
}

static int parse_bool(const char *value, bool *ret, struct error *err)
{
        char buf[SHOWN_MAX];

        if (words_bool(value, ret))
                return 0;
        return error_set(err, ERR_INVALID, "must be true or false, not \"%s\"",
                         shown(value, buf, sizeof(buf)));
}

static int parse_choice(const struct setting *s, const char *value, char **ret, struct error *err)
{
        size_t len = strlen(value);
        char buf[SHOWN_MAX];

        for (const char *p = s->choices; *p;) {
                size_t n = strcspn(p, " ");

                if (n == len && strncasecmp(p, value, n) == 0) {
                        free(*ret);
                        *ret = xstrndup(p, n);
                        return 0;
                }
                p += n;
                p += strspn(p, " ");
        }
        return error_set(err, ERR_INVALID, "must be %s%s, not \"%s\"",
                         strchr(s->choices, ' ') ? "one of " : "", s->choices,
                         shown(value, buf, sizeof(buf)));
}

static int check_path(const char *value, struct error *err)
{
        static const char state[] = "$state_path";
        char buf[SHOWN_MAX];

        if (value[0] == '/')
                return 0;
        if (strncmp(value, state, strlen(state)) == 0 &&
            (value[strlen(state)] == '/' || !value[strlen(state)]))
                return 0;
        return error_set(err, ERR_INVALID, "must be a path from / or from $state_path, not \"%s\"",
                         shown(value, buf, sizeof(buf)));
}

static int parse_text(const struct setting *s, const char *value, char **ret, struct error *err)
{
        for (const char *p = value; *p; p++)
                if (iscntrl((unsigned char)*p))
                        return error_set(err, ERR_INVALID, "must not have control characters in it");
        if (*value && s->type == SETTING_PATH && check_path(value, err) < 0)
                return -1;
        if (*value && s->check && s->check(value, err) < 0)
                return -1;
        if (*value && s->type == SETTING_CHOICE)
                return parse_choice(s, value, ret, err);
        replace_str(ret, value);
        return 0;
}

int setting_parse(const struct setting *s, const char *value, struct conf *c, struct error *err)
{
        if (!*value && !(s->flags & SETTING_EMPTY_OK))
                return error_set(err, ERR_INVALID, "must not be empty");
        switch (s->type) {
        case SETTING_INT:
                return parse_int(s, value, member(s, c), err);
        case SETTING_RATIO:
                return parse_ratio(s, value, member(s, c), err);
        case SETTING_BOOL:
                return parse_bool(value, member(s, c), err);
        case SETTING_TEXT:
        case SETTING_PATH:
        case SETTING_CHOICE:
                break;
        }
        return parse_text(s, value, member(s, c), err);
}

/* In single quotes only the quote itself and the backslash need one. */
static void print_quoted(const char *text, size_t len, struct strbuf *out)
{
        strbuf_adds(out, "'");
        for (size_t i = 0; i < len; i++)
                strbuf_addf(out, "%s%c", text[i] == '\'' || text[i] == '\\' ? "\\" : "", text[i]);
        strbuf_adds(out, "'");
}

/* Nothing of it but the scheme, and still a URL that can be read. */
static void print_hidden(const char *url, const char *authority, struct strbuf *out)
{
        CLEANUP(strbuf_free) struct strbuf text = {};

        if (authority) {
                strbuf_add(&text, url, (size_t)(authority - url));
                strbuf_adds(&text, "://***@***/");
        }
        strbuf_adds(&text, "***");
        print_quoted(text.data, text.len, out);
}

/*
 * A URL with each password replaced by ***. scheme://user:password@host,user:password@host/rest: whenever it
 * is not certain which part is the password, everything is hidden.
 */
static void print_secret(const char *url, struct strbuf *out)
{
        const char *authority = strstr(url, "://"), *end;
        CLEANUP(strbuf_free) struct strbuf shown_url = {};

        if (!*url || (!authority && !strpbrk(url, "@?"))) { /* not set, or unix:/path */
                print_quoted(url, strlen(url), out);
                return;
        }
        end = authority ? authority + 3 + strcspn(authority + 3, "/?#") : NULL;
        if (!end || strchr(end, '@') || strcasestr(end, "pass") || strcasestr(end, "pw")) {
                print_hidden(url, authority, out);
                return;
        }
        authority += 3;
        strbuf_add(&shown_url, url, (size_t)(authority - url));
        while (authority < end) {
                size_t len = strcspn(authority, ",");
                const char *at, *colon;

                if (authority + len > end)
                        len = (size_t)(end - authority);
                at = memrchr(authority, '@', len);
                colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
                if (colon) {
                        strbuf_add(&shown_url, authority, (size_t)(colon + 1 - authority));
                        strbuf_adds(&shown_url, "***");
                        strbuf_add(&shown_url, at, (size_t)(authority + len - at));
                } else {
                        strbuf_add(&shown_url, authority, len);
                }
                authority += len;
                if (authority < end) {
                        strbuf_adds(&shown_url, ",");
                        authority++;
                }
        }
        strbuf_adds(&shown_url, end);
        print_quoted(shown_url.data, shown_url.len, out);
}

static void print_value(const struct setting *s, const struct conf *c, bool masked, struct strbuf *out)
{
        const void *m = const_member(s, c);
        const char *text;

        switch (s->type) {
        case SETTING_INT:
                strbuf_addf(out, "%" PRId64, *(const int64_t *)m);
                return;
        case SETTING_RATIO: {
                char number[64];

                snprintf(number, sizeof(number), "%.6f", *(const double *)m);
                for (size_t n = strlen(number); number[n - 1] == '0' && number[n - 2] != '.'; n--)
                        number[n - 1] = '\0';
                strbuf_adds(out, number);
                return;
        }
        case SETTING_BOOL:
                strbuf_adds(out, *(const bool *)m ? "true" : "false");
                return;
        case SETTING_TEXT:
        case SETTING_PATH:
        case SETTING_CHOICE:
                break;
        }
        text = *(char *const *)m;
        if (masked && (s->flags & SETTING_HIDDEN) && *text)
                strbuf_adds(out, "'***'");
        else if (masked && (s->flags & SETTING_SECRET))
                print_secret(text, out);
        else
                print_quoted(text, strlen(text), out);
}

void setting_print(const struct setting *s, const struct conf *c, struct strbuf *out)
{
        print_value(s, c, true, out);
}

void setting_write(const struct setting *s, const struct conf *c, struct strbuf *out)
{
        print_value(s, c, false, out);
}

bool setting_equal(const struct setting *s, const struct conf *a, const struct conf *b)
{
        const void *ma = const_member(s, a), *mb = const_member(s, b);

        switch (s->type) {
        case SETTING_INT:
                return *(const int64_t *)ma == *(const int64_t *)mb;
        case SETTING_RATIO:
                return !(*(const double *)ma < *(const double *)mb) &&
                       !(*(const double *)mb < *(const double *)ma);
        case SETTING_BOOL:
                return *(const bool *)ma == *(const bool *)mb;
        case SETTING_TEXT:
        case SETTING_PATH:
        case SETTING_CHOICE:
                break;
        }
        return strcmp(*(char *const *)ma, *(char *const *)mb) == 0;
}
