/* lib/base/base64.h: standard base64 with padding. Pure. */
#pragma once

#include <stddef.h>

char *base64_encode(const void *data, size_t len); /* caller frees */
/* White space is skipped; NULL when it is something else. A NUL follows the data. Caller frees. */
char *base64_decode(const char *text, size_t *ret_len);
