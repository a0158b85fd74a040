/* agent/virt/libvirt/xmlwrite.c: see the header. */
#include "virt/libvirt/xmlwrite.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "virt/libvirt/xmlutil.h"

static void must(int r)
{
        if (r < 0)
                abort(); /* out of memory: nothing else can fail, the text was checked before */
}

void xml_open(xmlTextWriter *w, const char *name)
{
        must(xmlTextWriterStartElement(w, BAD_CAST name));
}

void xml_close(xmlTextWriter *w)
{
        must(xmlTextWriterEndElement(w));
}

void xml_attr(xmlTextWriter *w, const char *name, const char *value)
{
        CLEANUP(freep) char *clean = xml_clean_text(value);

        must(xmlTextWriterWriteAttribute(w, BAD_CAST name, BAD_CAST clean));
}

void xml_attr_number(xmlTextWriter *w, const char *name, int64_t value)
{
        char buf[32];

        snprintf(buf, sizeof(buf), "%" PRId64, value);
        xml_attr(w, name, buf);
}

void xml_string(xmlTextWriter *w, const char *text)
{
        CLEANUP(freep) char *clean = xml_clean_text(text);

        must(xmlTextWriterWriteString(w, BAD_CAST clean));
}

void xml_text(xmlTextWriter *w, const char *name, const char *value)
{
        CLEANUP(freep) char *clean = xml_clean_text(value);

        must(xmlTextWriterWriteElement(w, BAD_CAST name, BAD_CAST clean));
}

void xml_number(xmlTextWriter *w, const char *name, int64_t value)
{
        char buf[32];

        snprintf(buf, sizeof(buf), "%" PRId64, value);
        xml_text(w, name, buf);
}

void xml_leaf(xmlTextWriter *w, const char *name, ...)
{
        const char *key;
        va_list ap;

        xml_open(w, name);
        va_start(ap, name);
        while ((key = va_arg(ap, const char *)))
                xml_attr(w, key, va_arg(ap, const char *));
        va_end(ap);
        xml_close(w);
}

char *xml_document(void (*write)(xmlTextWriter *w, void *arg), void *arg)
{
        xmlBuffer *buf = xmlBufferCreate();
        xmlTextWriter *w = buf ? xmlNewTextWriterMemory(buf, 0) : NULL;
        char *text;

        if (!w)
                abort();
        must(xmlTextWriterSetIndent(w, 1));
        must(xmlTextWriterSetIndentString(w, BAD_CAST "  "));
        write(w, arg);
        xmlFreeTextWriter(w);
        text = xmemdup(xmlBufferContent(buf), (size_t)xmlBufferLength(buf));
        xmlBufferFree(buf);
        return text;
}
