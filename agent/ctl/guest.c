/* agent/ctl/guest.c: console, vnc, diagnostics: what can be seen of a guest from outside. */
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/primitive.h"

/* One call about one instance. Takes over args: those besides the instance. */
static enum ctl_exit YIELDS ask_about(struct ctl *c, const char *name, const char *method, struct jval *args,
                                      struct jval **ret)
{
        struct instance CLEANUP(instance_freep) *i = NULL;
        enum ctl_exit status = ctl_need_serving_agent(c);

        if (status == CTL_OK)
                status = ctl_find_instance(c, name, &i);
        if (status != CTL_OK) {
                jval_unref(args);
                return status;
        }
        jval_set(args, "instance", primitive_instance(i));
        return ctl_ask(c, NULL, COMPUTE_VERSION, method, args, ret);
}

enum ctl_exit ctl_console(struct ctl *c)
{
        int64_t lines = -1;
        const struct ctl_option options[] = {
                { "lines", CTL_INT, &lines, "N", "only the last N lines", 0, 1000000 },
                {},
        };
        const char *words[1];
        struct jval CLEANUP(jval_unrefp) *answer = NULL, *o = NULL;
        struct jval *args;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        args = jval_new_object();
        jval_set(args, "tail_length", lines < 0 ? jval_new_null() : jval_new_int(lines));
        status = ask_about(c, words[0], "get_console_output", args, &answer);
        if (status != CTL_OK)
                return status;
        if (!c->json) {
                print_raw(jval_text(answer, ""));
                return CTL_OK;
        }
        o = jval_new_object();
        jval_set(o, "output", jval_ref(answer));
        print_json(o);
        return CTL_OK;
}

enum ctl_exit ctl_vnc(struct ctl *c)
{
        const struct ctl_option options[] = { {} };
        const char *words[1];
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct jval *args;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        args = jval_new_object();
        jval_set_text(args, "console_type", "novnc");
        status = ask_about(c, words[0], "get_vnc_console", args, &answer);
        if (status != CTL_OK)
                return status;
        if (c->json) {
                print_json(answer);
                return CTL_OK;
        }
        print_fieldf("viewer", "%s:%s", jval_get_text(answer, "host", "?"),
                     jval_get_text(answer, "port", "?"));
        print_field("browser", jval_get_text(answer, "access_url", NULL));
        return CTL_OK;
}

static int counter_row(const char *key, struct jval *v, void *table)
{
        table_cell(table, key);
        table_cellf(table, "%lld", (long long)jval_int(v, 0));
        return 0;
}

enum ctl_exit ctl_diagnostics(struct ctl *c)
{
        static const char *const headers[] = { "COUNTER", "#VALUE", NULL };
        const struct ctl_option options[] = { {} };
        const char *words[1];
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct table t;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        status = ask_about(c, words[0], "get_diagnostics", jval_new_object(), &answer);
        if (status != CTL_OK)
                return status;
        if (c->json) {
                print_json(answer);
                return CTL_OK;
        }
        table_begin(&t, headers);
        jval_foreach(answer, counter_row, &t);
        table_print(&t, "nothing is counted");
        return CTL_OK;
}
