/*
 * lib/base/words.h: words in configurations and lists of them.
 *
 * A list is a text of words with blanks between them, before the first and after the last if need be; NULL is
 * an empty one.
 */
#pragma once

#include <stdbool.h>

/* A word that is empty, or has a blank in it, is in no list. */
bool words_have(const char *words, const char *word);
/* The same, but a word of the list that ends with '*' stands for all that begin as it does. */
bool words_match(const char *patterns, const char *word);

/* true, yes, on, 1 and false, no, off, 0, as oslo.config reads them, in upper or lower case. False: neither.
 */
bool words_bool(const char *s, bool *ret);
