/* agent/ctl/answer.c: asking the agent, and cells of tables out of its answers. */
#include "ctl/answer.h"

enum ctl_exit ctl_ask_plainly(struct ctl *c, const char *method, struct jval **ret)
{
        static const struct ctl_option no_options[] = { {} };
        enum ctl_exit status;

        if (!ctl_arguments(c, no_options, NULL, 0, 0, &status))
                return status;
        status = ctl_ask_admin(c, method, NULL, ret);
        if (status == CTL_OK && c->json)
                print_json(*ret);
        return status;
}

bool ctl_for_people(const struct ctl *c, enum ctl_exit status, const struct jval *answer)
{
        return status == CTL_OK && answer && !c->json;
}

double number_of(const struct jval *object, const char *key)
{
        return jval_real(jval_get(object, key), 0);
}

void text_cell(struct table *t, const struct jval *object, const char *key)
{
        table_cell(t, jval_get_text(object, key, NULL));
}

void int_cell(struct table *t, const struct jval *object, const char *key)
{
        const struct jval *v = jval_get(object, key);

        if (jval_type(v) == JVAL_INT)
                table_cellf(t, "%lld", (long long)jval_int(v, 0));
        else
                table_cell(t, NULL);
}

void duration_cell(struct table *t, const struct jval *object, const char *key)
{
        const struct jval *v = jval_get(object, key);
        char text[32];

        format_duration(jval_real(v, 0), text, sizeof(text));
        table_cell(t, jval_is_null(v) ? NULL : text);
}
