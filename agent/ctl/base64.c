/* agent/ctl/base64.c: three bytes become four letters. */
#include "ctl/base64.h"

#include "base/mem.h"

char *base64_encode(const unsigned char *data, size_t len)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char *text = xmalloc((len + 2) / 3 * 4 + 1), *to = text;

        for (size_t i = 0; i < len; i += 3) {
                size_t have = len - i < 3 ? len - i : 3;
                unsigned bits = (unsigned)data[i] << 16;

                bits |= have > 1 ? (unsigned)data[i + 1] << 8 : 0;
                bits |= have > 2 ? data[i + 2] : 0;
                *to++ = letters[bits >> 18];
                *to++ = letters[bits >> 12 & 63];
                *to++ = have > 1 ? letters[bits >> 6 & 63] : '=';
                *to++ = have > 2 ? letters[bits & 63] : '=';
        }
        *to = '\0';
        return text;
}
