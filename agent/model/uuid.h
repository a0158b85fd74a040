/* agent/model/uuid.h: identifiers as nova writes them: "1aeb40de-2f89-4592-937b-87071fc71407". */
#pragma once

#include <stdbool.h>

#define UUID_LEN 36

void uuid_new(char ret[UUID_LEN + 1]); /* random (version 4) */
bool uuid_is(const char *s);           /* 8-4-4-4-12 hexadecimal digits; NULL is not */
