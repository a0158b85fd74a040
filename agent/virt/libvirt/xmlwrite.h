/*
 * agent/virt/libvirt/xmlwrite.h: libxml2's writer in short words, so that code reads like the document.
 *
 * The writer keeps its own error state badly (each call returns -1 once memory ends), so these abort on -1
 * like every other small allocation. What XML 1.0 cannot carry in a text becomes U+FFFD.
 */
#pragma once

#include <stdint.h>

#include <libxml/xmlwriter.h>

void xml_open(xmlTextWriter *w, const char *name);
void xml_close(xmlTextWriter *w);
void xml_attr(xmlTextWriter *w, const char *name, const char *value);
void xml_attr_number(xmlTextWriter *w, const char *name, int64_t value);
void xml_string(xmlTextWriter *w, const char *text); /* inside the open element */
void xml_text(xmlTextWriter *w, const char *name, const char *value);
void xml_number(xmlTextWriter *w, const char *name, int64_t value);
/* An empty element with attributes: xml_leaf(w, "timer", "name", "pit", "tickpolicy", "delay", NULL). */
void __attribute__((sentinel)) xml_leaf(xmlTextWriter *w, const char *name, ...);

/* Runs write(w, arg) on a new document, indented, without an XML declaration. Caller frees. */
char *xml_document(void (*write)(xmlTextWriter *w, void *arg), void *arg);
