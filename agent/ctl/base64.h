/* agent/ctl/base64.h: the encoding of user data in rows (RFC 4648, section 4). */
#pragma once

#include <stddef.h>

char *base64_encode(const unsigned char *data, size_t len); /* caller frees */
