/* tests/support/xml_compare.c: see the header. */
#include "xml_compare.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "virt/libvirt/xmlutil.h"

/* ---- what an element is called ---- */

/* Names of elements that occur more than once, by an XPath below them. */
static const struct {
        const char *element, *key;
} keys[] = {
        { "disk", "string(target/@dev)" },
        { "interface", "string(mac/@address)" },
        { "controller", "concat(@type, ' ', @index)" },
        { "input", "concat(@type, ' ', @bus)" },
        { "entry", "string(@name)" },
        { "timer", "string(@name)" },
        { "channel", "string(target/@name)" },
        { "port", "string(@uuid)" },
        { "ip", "string(@address)" },
};

/* Its place among its brothers of the same name; NULL for the first: most are alone. */
static char *place_of(const xmlNode *n)
{
        unsigned place = 0;

        for (const xmlNode *p = n->prev; p; p = p->prev)
                place += p->type == XML_ELEMENT_NODE &&
                         strcmp((const char *)p->name, (const char *)n->name) == 0;
        return place ? xasprintf("[%u]", place) : xstrdup("");
}

static char *name_of(xmlNode *n)
{
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
                if (strcmp((const char *)n->name, keys[k].element) == 0) {
                        CLEANUP(freep) char *key = xml_xpath_string_at(n, keys[k].key);

                        return xasprintf("%s[%s]", (const char *)n->name, key);
                }
        }
        CLEANUP(freep) char *place = place_of(n);

        return xasprintf("%s%s", (const char *)n->name, place);
}

/* ---- comparing ---- */

static void note(struct xml_differences *d, char sign, const char *path, const char *detail)
{
        d->items = xrealloc(d->items, (d->n + 1) * sizeof(*d->items));
        d->items[d->n++] =
                (struct xml_difference){ .what = xasprintf("%c %s", sign, path), .detail = xstrdup(detail) };
}

static void note_values(struct xml_differences *d, const char *path, const char *first, const char *second)
{
        CLEANUP(freep) char *detail = xasprintf("\"%s\", \"%s\"", first, second);

        note(d, '~', path, detail);
}

static char *attribute(xmlNode *n, const char *name)
{
        xmlChar *value = xmlGetNoNsProp(n, BAD_CAST name);
        char *copy = value ? xstrdup((const char *)value) : NULL;

        xmlFree(value);
        return copy;
}

static void compare_attributes(xmlNode *a, xmlNode *b, const char *path, struct xml_differences *d)
{
        for (xmlAttr *at = a->properties; at; at = at->next) {
                CLEANUP(freep) char *here = xasprintf("%s@%s", path, (const char *)at->name);
                CLEANUP(freep) char *first = attribute(a, (const char *)at->name);
                CLEANUP(freep) char *second = attribute(b, (const char *)at->name);

                if (!second)
                        note(d, '-', here, first);
                else if (strcmp(first, second) != 0)
                        note_values(d, here, first, second);
        }
        for (xmlAttr *at = b->properties; at; at = at->next) {
                CLEANUP(freep) char *here = xasprintf("%s@%s", path, (const char *)at->name);
                CLEANUP(freep) char *first = attribute(a, (const char *)at->name);
                CLEANUP(freep) char *second = attribute(b, (const char *)at->name);

                if (!first)
                        note(d, '+', here, second);
        }
}

/* The text of an element without elements; the white space between elements says nothing. */
static char *text_of(xmlNode *n)
{
        xmlChar *text = NULL;
        char *copy;

        if (!xmlFirstElementChild(n))
                text = xmlNodeGetContent(n);
        copy = xstrdup(text ? (const char *)text : "");
        xmlFree(text);
        return copy;
}

static xmlNode *find_child(xmlNode *parent, const char *name)
{
        for (xmlNode *n = xmlFirstElementChild(parent); n; n = xmlNextElementSibling(n)) {
                CLEANUP(freep) char *its = name_of(n);

                if (strcmp(its, name) == 0)
                        return n;
        }
        return NULL;
}

static void compare(xmlNode *a, xmlNode *b, const char *path, struct xml_differences *d)
{
        CLEANUP(freep) char *first = text_of(a), *second = text_of(b);

        compare_attributes(a, b, path, d);
        if (strcmp(first, second) != 0)
                note_values(d, path, first, second);
        for (xmlNode *n = xmlFirstElementChild(a); n; n = xmlNextElementSibling(n)) {
                CLEANUP(freep) char *name = name_of(n);
                CLEANUP(freep) char *here = xasprintf("%s/%s", path, name);
                xmlNode *other = find_child(b, name);

                if (other)
                        compare(n, other, here, d);
                else
                        note(d, '-', here, "");
        }
        for (xmlNode *n = xmlFirstElementChild(b); n; n = xmlNextElementSibling(n)) {
                CLEANUP(freep) char *name = name_of(n);
                CLEANUP(freep) char *here = xasprintf("%s/%s", path, name);

                if (!find_child(a, name))
                        note(d, '+', here, "");
        }
}

static xmlDoc *parse(const char *text)
{
        struct error err = {};
        xmlDoc *doc = xml_parse(text, strlen(text), "a definition", &err);

        if (!doc)
                abort();
        return doc;
}

void xml_compare(const char *first, const char *second, struct xml_differences *ret)
{
        CLEANUP(xml_doc_freep) xmlDoc *a = parse(first);
        CLEANUP(xml_doc_freep) xmlDoc *b = parse(second);
        CLEANUP(freep) char *path = NULL;

        *ret = (struct xml_differences){};
        path = xasprintf("/%s", (const char *)xmlDocGetRootElement(a)->name);
        compare(xmlDocGetRootElement(a), xmlDocGetRootElement(b), path, ret);
}

void xml_differences_free(struct xml_differences *d)
{
        for (size_t k = 0; k < d->n; k++) {
                free(d->items[k].what);
                free(d->items[k].detail);
        }
        free(d->items);
        *d = (struct xml_differences){};
}

/* ---- what is meant ---- */

static bool covered(const char *what, struct xml_rule *rules, size_t n)
{
        for (size_t r = 0; r < n; r++) {
                if (fnmatch(rules[r].pattern, what, 0) == 0) {
                        rules[r].used++;
                        return true;
                }
        }
        return false;
}

char *xml_unexpected(const struct xml_differences *d, struct xml_rule *rules, size_t n)
{
        CLEANUP(strbuf_free) struct strbuf b = {};

        for (size_t k = 0; k < d->n; k++)
                if (!covered(d->items[k].what, rules, n))
                        strbuf_addf(&b, "%s %s\n", d->items[k].what, d->items[k].detail);
        return b.data ? strbuf_take(&b, NULL) : xstrdup("");
}
