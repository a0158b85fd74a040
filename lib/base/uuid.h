/*
 * lib/base/uuid.h: identifiers, and numbers that only have to differ from those of other machines. Any
 * thread.
 */
#pragma once

#include <stdbool.h>

#define UUID_LEN     36
#define UUID_HEX_LEN 32

/* Random ones, version 4, from the kernel: they are unique over machines and restarts. */
void uuid_new(char ret[UUID_LEN + 1]);         /* "1aeb40de-2f89-4592-937b-87071fc71407" */
void uuid_new_hex(char ret[UUID_HEX_LEN + 1]); /* the same without dashes */
bool uuid_is(const char *s);                   /* 8-4-4-4-12 hexadecimal digits; NULL is not */

/* 0 <= result < 1: spreads what would otherwise happen on all machines at the same moment. */
double random_part(void);
