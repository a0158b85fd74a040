/* agent/report/text.c: JSON values as text for people: "key = value", lists of objects with a line for each.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "json/json.h"
#include "report/report_priv.h"

struct place {
        struct strbuf *to;
        unsigned indent;
        bool first; /* of a line */
};

static bool is_nested(const struct jval *v)
{
        return jval_type(v) == JVAL_OBJECT || jval_type(v) == JVAL_ARRAY;
}

static void add_plain(struct strbuf *to, const struct jval *v)
{
        CLEANUP(freep) char *text = NULL;

        switch (jval_type(v)) {
        case JVAL_NULL:
                strbuf_adds(to, "-");
                break;
        case JVAL_REAL:
                strbuf_addf(to, "%.3f", jval_real(v, 0));
                break;
        case JVAL_TEXT:
                for (const char *c = jval_text(v, ""); *c; c++)
                        strbuf_add(to, (unsigned char)*c < ' ' || *c == 127 ? " " : c, 1);
                break;
        default:
                text = jval_print(v, NULL);
                strbuf_adds(to, text);
        }
}

static int add_member(const char *key, struct jval *v, void *arg)
{
        const struct place *p = arg;

        if (is_nested(v)) {
                strbuf_addf(p->to, "%*s%s:%s\n", (int)p->indent, "", key, jval_len(v) == 0 ? " none" : "");
                report_add_value(p->to, v, p->indent + 2);
        } else {
                strbuf_addf(p->to, "%*s%s = ", (int)p->indent, "", key);
                add_plain(p->to, v);
                strbuf_adds(p->to, "\n");
        }
        return 0;
}

static int add_to_line(const char *key, struct jval *v, void *arg)
{
        struct place *p = arg;

        if (is_nested(v))
                return 0;
        strbuf_addf(p->to, "%s%s = ", p->first ? "" : ", ", key);
        add_plain(p->to, v);
        p->first = false;
        return 0;
}

static int add_below_line(const char *key, struct jval *v, void *arg)
{
        return is_nested(v) && jval_len(v) > 0 ? add_member(key, v, arg) : 0;
}

static void add_item(struct strbuf *to, const struct jval *v, unsigned indent)
{
        struct place p = { to, indent + 2, true };

        strbuf_addf(to, "%*s", (int)indent, "");
        if (jval_type(v) != JVAL_OBJECT) {
                add_plain(to, v);
                strbuf_adds(to, "\n");
                return;
        }
        jval_foreach(v, add_to_line, &p);
        strbuf_adds(to, "\n");
        jval_foreach(v, add_below_line, &p);
}

void report_add_value(struct strbuf *to, const struct jval *value, unsigned indent)
{
        struct place p = { to, indent, true };

        if (jval_type(value) == JVAL_OBJECT)
                jval_foreach(value, add_member, &p);
        else if (jval_type(value) == JVAL_ARRAY)
                for (size_t i = 0; i < jval_len(value); i++)
                        add_item(to, jval_at(value, i), indent);
        else
                add_plain(to, value);
}
