/*
 * agent/import/import.c: the text of compute-agent.conf: what was carried over, section by section, then a
 * list of what was not and why.
 *
 * The text is read back as the agent will read it before anybody gets to see it.
 */
#include "import/import.h"

#include <string.h>

#include "base/mem.h"
#include "import/carry.h"

static const char head[] =
        "# Made by `compute-agent import-nova-conf`. At the end: what was not carried over, and why.\n"
        "# `compute-agent --check-config` looks at all of it again after a change.\n";

static const char database_hint[] =
        "    # nova-compute has no database of its own; this agent does not start without the cell's. It "
        "stands\n"
        "    # in [database] connection of the nova.conf of a nova-conductor of this cell:\n"
        "    # connection = 'mysql+pymysql://nova:PASSWORD@CONTROLLER/nova_cell1'\n";

static const char database_said[] = "[database] connection is missing, as on every compute host: fill it in "
                                    "where the comment stands, the "
                                    "agent does not start without it";

/* Debian's packages, and others, set it in the nova.conf they come with. */
static const char state_path_said[] = "warning: state_path stands in none of these files: nova's own default "
                                      "was taken. Name all files that "
                                      "nova-compute is started with";

static void add_section(const char *section, struct strbuf *open, struct strbuf *out)
{
        if (strcmp(open->len ? open->data : "", section) == 0)
                return;
        if (open->len)
                strbuf_adds(out, "}\n");
        strbuf_truncate(open, 0);
        strbuf_adds(open, section);
        if (*section)
                strbuf_addf(out, "\n%s {\n", section);
}

static void add_settings(const struct carry *c, struct strbuf *out)
{
        CLEANUP(strbuf_free) struct strbuf open = {};

        strbuf_adds(out, "\n");
        for (size_t i = 0; i < n_settings; i++) {
                const struct setting *s = &settings[i];
                bool hint = strcmp(s->section, "database") == 0 && strcmp(s->key, "connection") == 0 &&
                            !*c->conf->database.connection;

                if (c->carried[i] == CARRIED_NOT && !hint)
                        continue;
                add_section(s->section, &open, out);
                if (hint) {
                        strbuf_adds(out, database_hint);
                        continue;
                }
                strbuf_addf(out, "%s%s = ", *s->section ? "    " : "", s->key);
                setting_write(s, c->conf, out);
                strbuf_adds(out, c->carried[i] == CARRIED_DEFAULT ? " # nova's default\n" : "\n");
        }
        add_section("", &open, out);
}

/* "[group] option" and where it stands. Names may be anything that somebody put into a file. */
static void add_place(const struct carry *c, const struct ini_value *v, struct strbuf *out)
{
        char group[80], key[80], file[512];
        size_t n = 0;

        for (const char *p = c->nova.ini.files[v->file]; *p && n + 1 < sizeof(file); p++)
                file[n++] = *p < ' ' && *p >= 0 ? '?' : *p;
        file[n] = '\0';
        strbuf_addf(out, "[%s] %s (%s:%d)", shown(v->group, group, sizeof(group)),
                    shown(v->key, key, sizeof(key)), file, v->line);
}

static void add_left_over(const struct carry *c, bool weighty, const char *title, struct strbuf *out)
{
        bool any = false;

        for (size_t i = 0; i < c->n_left; i++) {
                if (c->left[i].weighty != weighty)
                        continue;
                if (!any)
                        strbuf_addf(out, "\n# %s\n", title);
                any = true;
                strbuf_adds(out, "#   ");
                add_place(c, c->left[i].value, out);
                strbuf_addf(out, ": %s\n", c->left[i].why);
        }
}

/* What guests or operators will notice, once for each reason. */
static void warn(const struct carry *c, struct strbuf *said)
{
        for (size_t i = 0; i < c->n_left; i++) {
                size_t same = 0, before = 0;

                for (size_t k = 0; k < c->n_left; k++) {
                        if (!c->left[k].weighty || strcmp(c->left[k].why, c->left[i].why) != 0)
                                continue;
                        before += k < i;
                        same++;
                }
                if (!c->left[i].weighty || before > 0)
                        continue;
                strbuf_adds(said, "warning: ");
                add_place(c, c->left[i].value, said);
                if (same > 1)
                        strbuf_addf(said, " and %zu more", same - 1);
                strbuf_addf(said, ": %s\n", c->left[i].why);
        }
}

/* Whatever the agent would not read must not be printed. */
static bool is_accepted(const struct strbuf *text, struct strbuf *said)
{
        CLEANUP(strbuf_free) struct strbuf errors = {};
        struct conf *conf = conf_load_text("compute-agent.conf", text->data, &errors);

        for (const char *at = errors.data; !conf && at && *at; at += strspn(at, "\n")) {
                size_t line = strcspn(at, "\n");
                const char *what =
                        memmem(at, line, ": ", 2); /* the line is of a file that nobody gets to see */

                strbuf_addf(said, "what these files come to is not accepted%.*s\n",
                            what ? (int)(at + line - what) : 0, what ? what : "");
                at += line;
        }
        conf_free(conf);
        return conf != NULL;
}

static size_t count(const struct carry *c)
{
        size_t n = 0;

        for (size_t i = 0; i < n_settings; i++)
                n += c->carried[i] == CARRIED_FROM_FILE;
        return n;
}

static enum import_outcome print(struct carry *c, struct strbuf *out, struct strbuf *said)
{
        strbuf_adds(out, head);
        add_settings(c, out);
        add_left_over(c, true, "Not carried over, and guests or operators will notice:", out);
        add_left_over(c, false, "Not carried over:", out);
        if (!is_accepted(out, said)) {
                explicit_bzero(out->data, out->len);
                strbuf_truncate(out, 0);
                return IMPORT_WRONG;
        }
        warn(c, said);
        if (c->carried[setting_find("", "state_path") - settings] == CARRIED_DEFAULT)
                strbuf_addf(said, "%s\n", state_path_said);
        if (c->n_left)
                strbuf_addf(said,
                            "%zu options carried over, %zu not: they are listed at the end, with reasons\n",
                            count(c), c->n_left);
        else
                strbuf_addf(said, "all %zu options carried over\n", count(c));
        if (*c->conf->database.connection)
                return IMPORT_WHOLE;
        strbuf_addf(said, "%s\n", database_said);
        return IMPORT_INCOMPLETE;
}

enum import_outcome import_nova_conf(char *const *paths, size_t n, struct strbuf *out, struct strbuf *said)
{
        struct carry c = { .said = said };
        enum import_outcome outcome = IMPORT_WRONG;
        bool all = true;

        for (size_t i = 0; i < n; i++)
                all &= ini_read(&c.nova.ini, paths[i], &c.n_mistakes, said);
        /* With a file missing, values would be judged by what it overrules. */
        if (all) {
                carry_settings(&c);
                carry_left_over(&c);
        }
        if (!all)
                outcome = IMPORT_NO_INPUT;
        else if (c.n_mistakes == 0)
                outcome = print(&c, out, said);
        carry_free(&c);
        return outcome;
}
