/*
 * agent/conf/dump.c: the settings as text: those in effect, and the example file.
 */
#include "conf/conf.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_priv.h"

#define TEXT_WIDTH 100

static const char *indent_of(const struct setting *s)
{
        return *s->section ? "    " : "";
}

/* "}" and "name {" where a section ends and the next one begins. */
static void change_section(const char *from, const char *to, struct strbuf *out)
{
        if (strcmp(from, to) == 0)
                return;
        if (*from)
                strbuf_adds(out, "}\n");
        if (*to)
                strbuf_addf(out, "\n%s {\n", to);
}

/* "# FILE:LINE" */
static void add_place(const struct conf *c, const struct setting *s, struct strbuf *out)
{
        const struct conf_place *place = &c->places[s - settings];
        char name[128];

        switch (place->origin) {
        case ORIGIN_DEFAULT:
                break;
        case ORIGIN_FILE:
                strbuf_addf(out, " # %s:%d", c->files[place->file], place->line);
                break;
        case ORIGIN_SECRET:
                strbuf_addf(out, " # from %s, %s:%d", secret_file_of(s)->key, c->files[place->file],
                            place->line);
                break;
        case ORIGIN_CREDENTIAL:
                strbuf_addf(out, " # from the credential %s", secret_credential(s, name, sizeof(name)));
                break;
        }
}

void conf_dump(const struct conf *c, unsigned flags, struct strbuf *out)
{
        const char *section = "";

        for (const struct setting *s = settings; s->key; s++) {
                change_section(section, s->section, out);
                section = s->section;
                strbuf_addf(out, "%s%s%s = ", indent_of(s),
                            c->places[s - settings].origin > ORIGIN_FILE ? "# " : "", s->key);
                if (flags & CONF_DUMP_SECRETS)
                        setting_write(s, c, out);
                else
                        setting_print(s, c, out);
                if (flags & CONF_DUMP_PLACES)
                        add_place(c, s, out);
                strbuf_adds(out, "\n");
        }
        change_section(section, "", out);
}

/* The text as comment lines that are not too long. */
static void add_comment(const char *indent, const char *text, struct strbuf *out)
{
        size_t column = 0;

        while (*text) {
                size_t word = strcspn(text, " ");

                if (column > 0 && column + 1 + word > TEXT_WIDTH) {
                        strbuf_adds(out, "\n");
                        column = 0;
                }
                if (column == 0) {
                        strbuf_addf(out, "%s#", indent);
                        column = strlen(indent) + 1;
                }
                strbuf_adds(out, " ");
                strbuf_add(out, text, word);
                column += 1 + word;
                text += word;
                text += strspn(text, " ");
        }
        strbuf_adds(out, "\n");
}

static void add_help(const struct setting *s, struct strbuf *out)
{
        CLEANUP(strbuf_free) struct strbuf text = {};

        strbuf_adds(&text, s->help);
        if (s->type == SETTING_CHOICE && strchr(s->choices, ' '))
                strbuf_addf(&text, " One of: %s.", s->choices);
        if (s->type == SETTING_INT || s->type == SETTING_RATIO)
                strbuf_addf(&text, " (%" PRId64 "..%" PRId64 "%s%s)", s->min, s->max, s->unit ? " " : "",
                            s->unit ? s->unit : "");
        if (s->reloads)
                strbuf_adds(&text, " May change on SIGHUP.");
        add_comment(indent_of(s), text.data, out);
}

static const char *const example_head =
        "# Settings of compute-agent: names, units and defaults are those of nova-compute; what nova has in\n"
        "# [DEFAULT] stands at the top level, the other groups are sections. Here everything is at its "
        "default:\n"
        "# a real file needs only what differs. Files of /etc/compute-agent.conf.d that are called *.conf "
        "are read\n"
        "# after this one. compute-agent.conf(5) tells more; `compute-agent --check-config` tells every "
        "mistake with\n"
        "# its line, `compute-agent --dump-config` what is in effect and where it was set.\n"
        "#\n"
        "# Texts belong in single quotes, where only \\' and \\\\ are special. Without quotes a # cuts the "
        "value\n"
        "# off, between double quotes ${...} is replaced from the environment; both are refused. Numbers "
        "are\n"
        "# decimal and have no unit. Each option may be set once in a file. The last } of a section is "
        "needed.\n"
        "#\n"
        "# Keep this file readable only for the agent when there is a password in it; secrets may also stand "
        "in\n"
        "# files of their own (..._file), or be credentials of systemd.\n";

void conf_example(struct strbuf *out)
{
        const char *section = "";

        strbuf_adds(out, example_head);
        for (const struct setting *s = settings; s->key; s++) {
                bool quoted = setting_is_text(s);

                change_section(section, s->section, out);
                if (strcmp(section, s->section) == 0)
                        strbuf_adds(out, "\n");
                section = s->section;
                add_help(s, out);
                strbuf_addf(out, quoted ? "%s%s = '%s'\n" : "%s%s = %s\n", indent_of(s), s->key, s->preset);
        }
        change_section(section, "", out);
}
