/*
 * agent/virt/libvirt/xmlutil.h: the little that is needed of libxml2: safe parsing, XPath, clean text.
 *
 * Parsing never touches the network, never expands entities, and refuses documents with a DOCTYPE. Any
 * thread, once xml_init() was called before the first of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <libxml/tree.h>

#include "base/error.h"

void xml_init(void);

/* what: for the message. NULL: ERR_PROTOCOL. */
xmlDoc *xml_parse(const char *text, size_t len, const char *what, struct error *err);
void xml_doc_freep(xmlDoc **doc); /* CLEANUP(xml_doc_freep) */

/* The value of a string() expression; "" when nothing matches. Caller frees. */
char *xml_xpath_string(xmlDoc *doc, const char *expression);
/* The value of a string() expression relative to a node. */
char *xml_xpath_string_at(xmlNode *node, const char *expression);
/* Calls fn for each node that matches, in document order. */
void xml_xpath_each(xmlDoc *doc, const char *expression, void (*fn)(xmlNode *node, void *arg), void *arg);

/* The first matching element with all it holds, as text; NULL when there is none. Caller frees. */
char *xml_element_text(xmlDoc *doc, const char *expression);

/* A copy in which what XML 1.0 cannot carry has become U+FFFD; NULL becomes "". Caller frees. */
char *xml_clean_text(const char *s);
bool xml_text_is_clean(const char *s);
