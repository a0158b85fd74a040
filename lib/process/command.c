/*
 * lib/process/command.c: argument vector, environment and program of a command.
 *
 * The program is looked up here and not by the child, which must not allocate. As a shell would, the look-up
 * uses the PATH that the command is going to see.
 */
#include "process/command.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- text for people ---- */

/* Replaces the `len` bytes at `at` by stars, in place. Returns what comes after them. */
static char *hide(char *at, size_t len)
{
        static const char stars[] = "***";
        size_t n = len < sizeof(stars) - 1 ? len : sizeof(stars) - 1;

        memcpy(at, stars, n);
        memmove(at + n, at + len, strlen(at + len) + 1);
        return at + n;
}

/* "password=x", "--token x", "secret: 'x'": the value after a telling name. */
static void hide_values(char *text, const char *name)
{
        char *p = text;

        while ((p = strcasestr(p, name))) {
                char *word = p, *value;

                while (word > text && !isspace((unsigned char)word[-1]))
                        word--;
                value = p += strlen(name);
                while (isalnum((unsigned char)*value) || *value == '_' || *value == '-')
                        value++; /* "--password-file" */
                if (*value == '"' || *value == '\'')
                        value++;
                if (*value == '=' || *value == ':')
                        value++;
                else if (*word != '-' || *value != ' ')
                        continue; /* a word of a sentence */
                value += strspn(value, " \"'");
                p = hide(value, strcspn(value, " \t\"',;&"));
        }
}

/* "scheme://user:x@host" */
static void hide_userinfo(char *text)
{
        char *p = text;

        while ((p = strstr(p, "://"))) {
                size_t len, user;

                p += 3;
                len = strcspn(p, "@ \"'"); /* a slash may be part of a password that nobody escaped */
                user = strcspn(p, ":");
                if (p[len] == '@' && user < len)
                        p = hide(p + user + 1, len - user - 1);
        }
}

/* The length of the UTF-8 character at p, 0 when it is none. */
static size_t character(const unsigned char *p)
{
        size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
            (*p == 0xf4 && p[1] > 0x8f))
                return 0; /* overlong, a surrogate, too large */
        return n;
}

/* Error texts end in logs, rows and JSON. */
static void make_printable(char *text)
{
        for (unsigned char *p = (unsigned char *)text; *p;) {
                size_t n = character(p);

                if (n > 1) {
                        p += n;
                        continue;
                }
                if (n == 0)
                        *p = '?';
                else if (*p < 0x20 || *p == 0x7f)
                        *p = ' ';
                p++;
        }
}

void make_presentable(char *text)
{
        static const char *const names[] = { "pass", "secret", "token" };

        make_printable(text);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                hide_values(text, names[i]);
        hide_userinfo(text);
}

static void describe(struct command *c)
{
        CLEANUP(strbuf_free) struct strbuf line = {};

        for (char **word = c->argv; *word && line.len < 16 * COMMAND_TEXT_MAX; word++) {
                bool plain = **word && !strpbrk(*word, " \t\n'\"");

                strbuf_addf(&line, plain ? "%s%.*s" : "%s'%.*s'", word == c->argv ? "" : " ",
                            4 * COMMAND_TEXT_MAX, *word);
        }
        make_presentable(line.data);
        snprintf(c->text, sizeof(c->text), "%s", line.data);
        if (strlen(line.data) >= sizeof(c->text))
                snprintf(c->text + sizeof(c->text) - 4, 4, "...");
        make_printable(c->text); /* it may have been cut inside of a character */
}

/* ---- environment ---- */

static size_t count(const char *const *list)
{
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

static bool same_name(const char *a, const char *b)
{
        size_t len = strcspn(a, "=");

        return strncmp(a, b, len) == 0 && b[len] == '=';
}

static void set_environment(struct command *c, const char *const *added)
{
        size_t n = 0;

        c->envp = xcalloc(count((const char *const *)environ) + count(added) + 1, sizeof(char *));
        for (char **e = environ; e && *e; e++) {
                bool replaced = false;

                for (const char *const *a = added; a && *a && !replaced; a++)
                        replaced = same_name(*a, *e);
                if (!replaced)
                        c->envp[n++] = *e;
        }
        for (const char *const *a = added; a && *a; a++)
                c->envp[n++] = (char *)*a;
}

/* ---- arguments ---- */

/* True when a helper was put before the command. */
static bool set_arguments(struct command *c, const struct execute_options *opt, const char *helper)
{
        size_t n = 0, helper_words = 0;
        char *rest = NULL;

        if (helper) {
                c->helper = xstrdup(helper);
                helper_words = strlen(helper) / 2 + 1; /* at most */
        }
        c->argv = xcalloc(helper_words + 1 + count(opt->env) + count(opt->argv) + 1, sizeof(char *));
        for (char *w = c->helper ? strtok_r(c->helper, " \t", &rest) : NULL; w;
             w = strtok_r(NULL, " \t", &rest))
                c->argv[n++] = w;
        if (n && opt->env) { /* such helpers clear the environment, so it must be set behind them */
                c->argv[n++] = (char *)"env";
                for (const char *const *e = opt->env; *e; e++)
                        c->argv[n++] = (char *)*e;
        }
        helper_words = n;
        for (const char *const *a = opt->argv; *a; a++)
                c->argv[n++] = (char *)*a;
        return helper_words > 0;
}

/* ---- program ---- */

static const char *path_of(char *const *envp)
{
        for (; *envp; envp++)
                if (strncmp(*envp, "PATH=", 5) == 0)
                        return *envp + 5;
        return DEFAULT_PATH;
}

/* 0, or an errno. */
static int check_program(const char *path)
{
        struct stat st;

        local_files("directories of programs, which the child is about to read, too");
        if (stat(path, &st) < 0)
                return errno;
        if (!S_ISREG(st.st_mode))
                return EACCES;
        return access(path, X_OK) < 0 ? errno : 0;
}

static int find_program(struct command *c, struct error *err)
{
        const char *name = c->argv[0], *dir, *end;
        int reason = ENOENT;

        if (strchr(name, '/')) {
                c->path = xstrdup(name);
                return 0; /* execve() says what is wrong with it */
        }
        for (dir = path_of(c->envp);; dir = end + 1) {
                CLEANUP(freep) char *path = NULL;
                int r;

                end = strchrnul(dir, ':');
                path = xasprintf("%.*s%s%s", (int)(end - dir), dir, end == dir ? "./" : "/", name);
                r = check_program(path);
                if (r == 0) {
                        c->path = take_ptr(&path);
                        return 0;
                }
                if (r == EACCES)
                        reason = r;
                if (!*end)
                        return error_system(err, reason, "running %.64s", name);
        }
}

int command_init(struct command *c, const struct execute_options *opt, const char *helper, struct error *err)
{
        bool helped;

        *c = (struct command){};
        if (!opt->argv || !opt->argv[0] || !opt->argv[0][0])
                return error_set(err, ERR_INVALID, "no command to execute");
        for (const char *const *e = opt->env; e && *e; e++)
                if (**e == '=' || !strchr(*e, '='))
                        return error_set(err, ERR_INVALID, "%.64s: its environment needs NAME=value",
                                         opt->argv[0]);
        helped = set_arguments(c, opt, helper);
        set_environment(c, helped ? NULL : opt->env);
        describe(c);
        return find_program(c, err);
}

void command_destroy(struct command *c)
{
        free(c->path);
        free(c->argv);
        free(c->envp);
        free(c->helper);
        *c = (struct command){};
}
