/* agent/virt/libvirt/xmlutil.c: the little that is needed of libxml2. */
#include "virt/libvirt/xmlutil.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "base/mem.h"
#include "base/strbuf.h"

static void say_nothing(void *ctx, const char *msg, ...)
{
        (void)ctx;
        (void)msg;
}

void xml_init(void)
{
        xmlInitParser();
}

xmlDoc *xml_parse(const char *text, size_t len, const char *what, struct error *err)
{
        xmlParserCtxt *ctxt;
        xmlDoc *doc = NULL;

        if (len > INT_MAX) {
                error_set(err, ERR_LIMIT, "%s is too long", what);
                return NULL;
        }
        ctxt = xmlNewParserCtxt();
        if (!ctxt)
                abort();
        ctxt->sax->error = say_nothing;
        ctxt->sax->warning = say_nothing;
        doc = xmlCtxtReadMemory(ctxt, text, (int)len, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        if (!doc) {
                const xmlError *why = xmlCtxtGetLastError(ctxt);
                const char *message = why && why->message ? why->message : "not well-formed";

                error_set(err, ERR_PROTOCOL, "%s, line %d: %.*s", what, why ? why->line : 0,
                          (int)strcspn(message, "\n"), message);
        } else if (doc->intSubset) {
                xmlFreeDoc(doc);
                doc = NULL;
                error_set(err, ERR_PROTOCOL, "%s has a DOCTYPE, which is not accepted", what);
        }
        xmlFreeParserCtxt(ctxt);
        return doc;
}

void xml_doc_freep(xmlDoc **doc)
{
        xmlFreeDoc(*doc);
        *doc = NULL;
}

static xmlXPathObject *evaluate(xmlDoc *doc, xmlNode *node, const char *expression)
{
        xmlXPathContext *ctx = xmlXPathNewContext(doc);
        xmlXPathObject *obj;

        if (!ctx)
                abort();
        if (node)
                ctx->node = node;
        obj = xmlXPathEvalExpression(BAD_CAST expression, ctx);
        xmlXPathFreeContext(ctx);
        return obj;
}

static char *string_of(xmlXPathObject *obj)
{
        char *s = xstrdup(obj && obj->type == XPATH_STRING && obj->stringval ? (char *)obj->stringval : "");

        xmlXPathFreeObject(obj);
        return s;
}

char *xml_xpath_string(xmlDoc *doc, const char *expression)
{
        return string_of(evaluate(doc, NULL, expression));
}

char *xml_xpath_string_at(xmlNode *node, const char *expression)
{
        return string_of(evaluate(node->doc, node, expression));
}

void xml_xpath_each(xmlDoc *doc, const char *expression, void (*fn)(xmlNode *node, void *arg), void *arg)
{
        xmlXPathObject *obj = evaluate(doc, NULL, expression);

        if (obj && obj->type == XPATH_NODESET && obj->nodesetval)
                for (int i = 0; i < obj->nodesetval->nodeNr; i++)
                        fn(obj->nodesetval->nodeTab[i], arg);
        xmlXPathFreeObject(obj);
}

char *xml_element_text(xmlDoc *doc, const char *expression)
{
        xmlXPathObject *obj = evaluate(doc, NULL, expression);
        xmlBuffer *buf = xmlBufferCreate();
        char *text = NULL;

        if (!buf)
                abort();
        if (obj && obj->type == XPATH_NODESET && obj->nodesetval && obj->nodesetval->nodeNr > 0 &&
            xmlNodeDump(buf, doc, obj->nodesetval->nodeTab[0], 0, 0) >= 0)
                text = xmemdup(xmlBufferContent(buf), (size_t)xmlBufferLength(buf));
        xmlBufferFree(buf);
        xmlXPathFreeObject(obj);
        return text;
}

/* Length of one valid UTF-8 sequence at s whose character XML 1.0 allows; 0 when it is neither. */
static size_t xml_char(const unsigned char *s)
{
        static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
        unsigned c = s[0];

        if (len == 0 || s[0] > 0xf4)
                return 0;
        if (len > 1) {
                c &= 0x7fu >> len;
                for (size_t i = 1; i < len; i++) {
                        if ((s[i] & 0xc0) != 0x80)
                                return 0; /* also the terminating NUL */
                        c = c << 6 | (s[i] & 0x3fu);
                }
        }
        if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || c == 0xfffe || c == 0xffff)
                return 0;
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
                return 0;
        return len;
}

char *xml_clean_text(const char *s)
{
        struct strbuf b = {};

        while (s && *s) {
                size_t len = xml_char((const unsigned char *)s);

                if (len)
                        strbuf_add(&b, s, len);
                else
                        strbuf_adds(&b, "\xef\xbf\xbd");
                s += len ? len : 1;
        }
        return strbuf_take(&b, NULL);
}

bool xml_text_is_clean(const char *s)
{
        while (*s) {
                size_t len = xml_char((const unsigned char *)s);

                if (!len)
                        return false;
                s += len;
        }
        return true;
}
