/* agent/ctl/service.c: commands to the agent as a whole: call, report, db-init. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "admin/admin.h"

#define STDIN_MAX ((size_t)16 << 20)

static const struct ctl_option no_options[] = { {} };

/* ---- call ---- */

static enum ctl_exit read_stdin(struct strbuf *text)
{
        char buf[4096];
        size_t n;

        while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0) {
                strbuf_add(text, buf, n);
                if (text->len > STDIN_MAX)
                        return ctl_complain(CTL_USAGE, "call: more than %zu bytes on standard input",
                                            STDIN_MAX);
        }
        return CTL_OK;
}

/* NULL text: no arguments. */
static enum ctl_exit parse_arguments(const char *text, struct jval **ret)
{
        struct strbuf CLEANUP(strbuf_free) from_stdin = {};
        struct error err;

        if (!text)
                return CTL_OK;
        if (strcmp(text, "-") == 0) {
                enum ctl_exit status = read_stdin(&from_stdin);

                if (status != CTL_OK)
                        return status;
                text = from_stdin.data ? from_stdin.data : "";
        }
        *ret = jval_parse(text, strlen(text), &err);
        if (!*ret)
                return ctl_complain(CTL_USAGE, "call: the arguments are no %s", err.text);
        if (jval_type(*ret) == JVAL_OBJECT)
                return CTL_OK;
        jval_unref(take_ptr(ret));
        return ctl_complain(CTL_USAGE, "call: the arguments must be a JSON object, as {\"tail_length\": 10}");
}

struct call_arguments {
        const char *ns, *version, *words[2];
        bool cast;
};

static enum ctl_exit YIELDS send_cast(struct ctl *c, const struct call_arguments *a, struct jval *args)
{
        struct error err = {};
        enum ctl_exit status = ctl_need_agent(c);

        if (status != CTL_OK)
                return status;
        if (rpc_client_cast(c->client, a->ns, a->version, a->words[0], args, NULL, c->by, &err) < 0)
                return ctl_error(&err, "%s", a->words[0]);
        return CTL_OK;
}

enum ctl_exit ctl_call(struct ctl *c)
{
        struct call_arguments a = {};
        const struct ctl_option options[] = {
                { "namespace", CTL_TEXT, &a.ns, "NS",
                  "as \"admin\" or \"baseapi\"; default: the compute methods", 0, 0 },
                { "rpc-version", CTL_TEXT, &a.version, "V", "default 6.0, with a namespace 1.0", 0, 0 },
                { "cast", CTL_FLAG, &a.cast, NULL, "do not wait for an answer", 0, 0 },
                {},
        };
        struct jval CLEANUP(jval_unrefp) *args = NULL, *answer = NULL;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, a.words, 1, 2, &status))
                return status;
        if (!a.version)
                a.version = a.ns ? "1.0" : COMPUTE_VERSION;
        status = parse_arguments(a.words[1], &args);
        if (status != CTL_OK)
                return status;
        if (a.cast)
                return send_cast(c, &a, args);
        status = ctl_ask(c, a.ns, a.version, a.words[0], jval_ref(args), &answer);
        if (status == CTL_OK)
                print_json(answer);
        return status;
}

/* ---- report ---- */

static void tell_where(const struct jval *answer)
{
        const char *path = jval_get_text(answer, "written_to", "its log");

        if (*path == '/')
                printf("the agent wrote its report to %s\n", path);
        else if (jval_get_bool(answer, "journal", false))
                puts("the agent wrote its report to the journal: journalctl -u compute-agent");
        else
                printf("the agent wrote its report to its %s; \"compute-agentctl report --stdout\" prints "
                       "one "
                       "here\n",
                       path);
}

enum ctl_exit ctl_report(struct ctl *c)
{
        bool to_stdout = false;
        const struct ctl_option options[] = {
                { "stdout", CTL_FLAG, &to_stdout, NULL,
                  "print the report itself, which is then written nowhere else", 0, 0 },
                {},
        };
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct jval *args;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, NULL, 0, 0, &status))
                return status;
        args = jval_new_object();
        jval_set_bool(args, "text", to_stdout);
        status = ctl_ask_admin(c, "report", args, &answer);
        if (status == CTL_OK && c->json)
                print_json(answer);
        else if (status == CTL_OK && to_stdout)
                print_raw(jval_get_text(answer, "text", ""));
        else if (status == CTL_OK)
                tell_where(answer);
        return status;
}

/* ---- db-init ---- */

enum ctl_exit ctl_db_init(struct ctl *c)
{
        struct error err;
        enum ctl_exit status;

        if (!ctl_arguments(c, no_options, NULL, 0, 0, &status))
                return status;
        ctl_may_take_long(c);
        status = ctl_need_store(c);
        if (status != CTL_OK)
                return status;
        if (store_init_schema(&c->store, c->by, &err) < 0)
                return ctl_error(&err,
                                 "db-init: nothing was changed"); /* only an empty database is touched */
        if (!c->json)
                puts("the tables were made");
        return CTL_OK;
}
