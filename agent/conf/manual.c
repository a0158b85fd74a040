/*
 * agent/conf/manual.c: the manual page compute-agent.conf(5), in mdoc, out of the table of settings and that
 * of nova's options without effect. The page in agent/man is compared with it by
 * tests/unit/agent/test_conf.c.
 */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_priv.h"

#define LINE_WIDTH 116

static const char head[] =
        ".\\\" Made of the tables in agent/conf by tests/unit/agent/test_conf.c: UPDATE_EXAMPLE=1 writes it "
        "anew.\n"
        ".Dd November 24, 2026\n"
        ".Dt COMPUTE-AGENT.CONF 5\n"
        ".Os\n"
        ".Sh NAME\n"
        ".Nm compute-agent.conf\n"
        ".Nd settings of compute-agent\n"
        ".Sh DESCRIPTION\n"
        "Names, units and defaults are those of nova-compute (Zed); what nova has in its group DEFAULT "
        "stands at the\n"
        "top level of the file, its other groups are sections.\n"
        "What nova does not have is marked\n"
        ".Dq (ours) .\n"
        "A file needs only what differs from the defaults, and at least the\n"
        ".Va connection\n"
        "of the section\n"
        ".Va database .\n"
        ".Pp\n"
        ".Ic compute-agent --check-config\n"
        "tells every mistake at once, with its file, its line and what was probably meant, and what a start "
        "would miss\n"
        "on this machine; it changes nothing.\n"
        ".Ic compute-agent --dump-config\n"
        "prints what is in effect and where each value was set.\n"
        ".Ic compute-agent import-nova-conf\n"
        "makes such a file of nova's own ones, which have another syntax.\n"
        ".Sh SYNTAX\n"
        ".Bd -literal -offset indent\n"
        "# a comment, from # or // to the end of the line; /* ... */ may be longer\n"
        "host = \\(aqnode-17\\(aq\n"
        "report_interval = 10\n"
        "\n"
        "database {\n"
        "    connection = \\(aqmysql://nova:secret@db.example/nova_cell1\\(aq\n"
        "}\n"
        ".Ed\n"
        ".Bl -bullet\n"
        ".It\n"
        "Texts belong in single quotes, where only\n"
        ".Ql \\e\\(aq\n"
        "and\n"
        ".Ql \\e\\e\n"
        "are special.\n"
        "Without quotes a\n"
        ".Ql #\n"
        "would cut the value off, between double quotes\n"
        ".Ql ${...}\n"
        "would be replaced from the environment and other backslashes would change what follows: all three "
        "are refused.\n"
        ".It\n"
        "A value stands on the line of its option.\n"
        "An empty one is written\n"
        ".Ql \\(aq\\(aq .\n"
        ".It\n"
        "Numbers are decimal, have no unit and do not begin with 0: units and ranges are told below.\n"
        "Truth is\n"
        ".Ql true\n"
        "or\n"
        ".Ql false\n"
        "(yes, no, on, off, 1 and 0 are understood).\n"
        ".It\n"
        "Lists are one text with commas.\n"
        ".It\n"
        "A path begins with / or with\n"
        ".Ql $state_path ,\n"
        "which stands for that option's value.\n"
        ".It\n"
        "An option may be set once in a file; a section may come several times.\n"
        "The } of each section is needed.\n"
        ".It\n"
        "An option that nobody knows is a mistake.\n"
        "One of nova's that has no effect here is accepted, and the log says why it has none.\n"
        ".El\n"
        ".Sh FILES AND THEIR ORDER\n"
        "Without an option on the command line\n"
        ".Pa /etc/compute-agent.conf\n"
        "is read, then all files of\n"
        ".Pa /etc/compute-agent.conf.d\n"
        "that are called\n"
        ".Pa *.conf ,\n"
        "in the order of their names; hidden ones are not.\n"
        "The directory need not be there.\n"
        ".Fl -config-file\n"
        "and\n"
        ".Fl -config-dir\n"
        "name others, which are read in the order of the command line.\n"
        "Of an option that several files set the last value counts.\n"
        ".Sh SECRETS\n"
        "A file with a password in it should be readable for the agent only (mode 0640, root:compute-agent); "
        "the log\n"
        "warns of one that everybody can read.\n"
        "Instead of standing there, each secret may be\n"
        ".Bl -bullet\n"
        ".It\n"
        "in a file of its own, which the option with\n"
        ".Ql _file\n"
        "at the end of its name says.\n"
        "The whole text of the file is the secret, but for the end of its line.\n"
        "A file that everybody can write is refused, of one that everybody can read the log warns.\n"
        ".It\n"
        "a credential of\n"
        ".Xr systemd.exec 5 ,\n"
        "by a drop-in of the unit:\n"
        ".Bd -literal -offset indent\n"
        "[Service]\n"
        "LoadCredential=NAME:/etc/secrets/nova-cell1\n"
        ".Ed\n"
        ".El\n"
        ".Pp\n"
        "Two of the three for one secret are a mistake.\n"
        "Secrets and the names of their credentials:\n"
        ".Bl -tag -width Ds -compact\n";

static const char after_secrets[] =
        ".El\n"
        ".Pp\n"
        "Dumps, reports and the log show\n"
        ".Ql ***\n"
        "in the place of passwords.\n"
        ".Sh RELOAD\n"
        "SIGHUP\n"
        ".Pq Ic systemctl reload compute-agent\n"
        "has all files read again, those of secrets too (systemd makes credentials anew only when it starts "
        "the\n"
        "service).\n"
        "With a mistake in them nothing changes: the log names each, the status of the service and\n"
        ".Ic compute-agentctl health\n"
        "say that the reload was refused, and the settings before it stay in effect.\n"
        "Else all options that are marked with\n"
        ".Dq reload\n"
        "below change at once, each with a line in the log; others that differ are named and wait for a "
        "restart.\n"
        "A level of the log that was set at run time stays until the file says another one than before.\n"
        "The next audit reads again what placement knows of this host.\n"
        ".Sh OPTIONS\n";

static const char tail[] = ".Sh FILES\n"
                           ".Bl -tag -width Ds\n"
                           ".It Pa /etc/compute-agent.conf\n"
                           "The settings.\n"
                           ".It Pa /etc/compute-agent.conf.d/*.conf\n"
                           "More of them.\n"
                           ".It Pa /usr/share/doc/compute-agent/examples/compute-agent.conf\n"
                           "Every option at its default.\n"
                           ".El\n"
                           ".Sh EXAMPLES\n"
                           "A host in a cloud, whose secrets are credentials of systemd:\n"
                           ".Bd -literal -offset indent\n"
                           "host = \\(aqnode-17.example\\(aq\n"
                           "placement {\n"
                           "    auth_type = \\(aqpassword\\(aq\n"
                           "    auth_url = \\(aqhttps://keystone.example:5000/v3\\(aq\n"
                           "    username = \\(aqplacement\\(aq\n"
                           "    user_domain_name = \\(aqDefault\\(aq\n"
                           "    project_name = \\(aqservice\\(aq\n"
                           "    project_domain_name = \\(aqDefault\\(aq\n"
                           "}\n"
                           "vnc {\n"
                           "    server_proxyclient_address = \\(aqnode-17.example\\(aq\n"
                           "    novncproxy_base_url = \\(aqhttps://cloud.example:6080/vnc_auto.html\\(aq\n"
                           "}\n"
                           ".Ed\n"
                           ".Bd -literal -offset indent\n"
                           "# systemctl edit compute-agent\n"
                           "[Service]\n"
                           "LoadCredential=compute-agent.transport_url:/etc/secrets/rabbit\n"
                           "LoadCredential=compute-agent.database.connection:/etc/secrets/nova-cell1\n"
                           "LoadCredential=compute-agent.placement.password:/etc/secrets/placement\n"
                           ".Ed\n"
                           ".Sh SEE ALSO\n"
                           ".Xr compute-agentctl 1 ,\n"
                           ".Xr systemd.exec 5 ,\n"
                           ".Xr compute-agent 8\n";

/* Text in lines that are not too long, none of which is taken for a macro. */
static void add_text(const char *text, struct strbuf *out)
{
        size_t column = 0;

        while (*text) {
                size_t word = strcspn(text, " ");
                bool ends = word > 2 && text[word - 1] == '.' && text[word] == ' ' && text[word - 2] != '.';

                if (column > 0 && column + 1 + word > LINE_WIDTH) {
                        strbuf_adds(out, "\n");
                        column = 0;
                }
                if (column > 0)
                        strbuf_adds(out, " ");
                else if (*text == '.' || *text == '\'')
                        strbuf_adds(out, "\\&");
                for (size_t i = 0; i < word; i++) {
                        if (text[i] == '\\')
                                strbuf_adds(out, "\\e");
                        else if (text[i] == '\'')
                                strbuf_adds(out, "\\(aq");
                        else
                                strbuf_add(out, text + i, 1);
                }
                column += 1 + word;
                text += word;
                text += strspn(text, " ");
                if (ends) { /* each sentence begins a line */
                        strbuf_adds(out, "\n");
                        column = 0;
                }
        }
        if (column > 0)
                strbuf_adds(out, "\n");
}

static void add_range(const struct setting *s, struct strbuf *out)
{
        CLEANUP(strbuf_free) struct strbuf text = {};

        strbuf_adds(&text, "");
        if (s->type == SETTING_CHOICE && strchr(s->choices, ' '))
                strbuf_addf(&text, "One of %s. ", s->choices);
        if (s->type == SETTING_INT || s->type == SETTING_RATIO)
                strbuf_addf(&text, "%" PRId64 " to %" PRId64 "%s%s. ", s->min, s->max, s->unit ? " " : "",
                            s->unit ? s->unit : "");
        add_text(text.data, out);
        if (s->reloads)
                strbuf_adds(out, ".Pq reload\n");
}

static void add_setting(const struct setting *s, struct strbuf *out)
{
        strbuf_addf(out, ".It Va %s No = ", s->key);
        if (setting_is_text(s))
                strbuf_addf(out, "\\(aq%s\\(aq\n", s->preset);
        else
                strbuf_addf(out, "%s\n", s->preset);
        add_text(s->help, out);
        add_range(s, out);
}

static void add_settings(struct strbuf *out)
{
        const char *section = "-";

        for (const struct setting *s = settings; s->key; s++) {
                if (strcmp(section, s->section) != 0) {
                        strbuf_adds(out, *section == '-' ? "" : ".El\n");
                        strbuf_addf(out, ".Ss %s%s\n.Bl -tag -width Ds\n",
                                    *s->section ? "Section " : "Top level", s->section);
                        section = s->section;
                }
                add_setting(s, out);
        }
        strbuf_adds(out, ".El\n");
}

static void add_secrets(struct strbuf *out)
{
        char name[128];

        for (const struct setting *s = settings; s->key; s++) {
                if (!(s->flags & SETTING_SECRET))
                        continue;
                strbuf_addf(out, ".It Va %s%s%s\n.Ql %s\n", s->section, *s->section ? " " : "", s->key,
                            secret_credential(s, name, sizeof(name)));
        }
}

/* "NAMES: because." */
static void add_reason(const struct unused_setting *u, struct strbuf *out)
{
        if (strcmp(u->keys, "*") != 0) {
                CLEANUP(strbuf_free) struct strbuf names = {};

                strbuf_addf(&names, "%s:", u->keys);
                add_text(names.data, out);
        } else {
                strbuf_adds(out, "all options:\n");
        }
        add_text(u->because, out);
        strbuf_truncate(out, out->len - 1);
        strbuf_adds(out, ".\n");
}

static bool came_before(const struct unused_setting *u)
{
        for (const struct unused_setting *other = unused_settings; other != u; other++)
                if (strcmp(other->section, u->section) == 0)
                        return true;
        return false;
}

static void add_unused(struct strbuf *out)
{
        strbuf_adds(out, ".Sh OPTIONS OF NOVA WITHOUT EFFECT\n"
                         "They may stand in a file that was carried over from nova.\n"
                         ".Bl -tag -width Ds\n");
        for (const struct unused_setting *first = unused_settings; first->section; first++) {
                if (came_before(first))
                        continue;
                strbuf_addf(out, ".It %s%s\n", *first->section ? "Section " : "Top level", first->section);
                for (const struct unused_setting *u = first; u->section; u++) {
                        if (strcmp(u->section, first->section) != 0)
                                continue;
                        strbuf_adds(out, u == first ? "" : ".Pp\n");
                        add_reason(u, out);
                }
        }
        strbuf_adds(out, ".El\n");
}

void conf_manual(struct strbuf *out)
{
        strbuf_adds(out, head);
        add_secrets(out);
        strbuf_adds(out, after_secrets);
        add_settings(out);
        add_unused(out);
        strbuf_adds(out, tail);
}
