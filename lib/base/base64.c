/* lib/base/base64.c: standard base64 with padding. */
#include "base/base64.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
        const unsigned char *in = data;
        char *text = xmalloc((len + 2) / 3 * 4 + 1), *out = text;

        for (size_t i = 0; i < len; i += 3) {
                unsigned v = (unsigned)in[i] << 16;

                v |= i + 1 < len ? (unsigned)in[i + 1] << 8 : 0;
                v |= i + 2 < len ? in[i + 2] : 0;
                *out++ = digits[v >> 18];
                *out++ = digits[v >> 12 & 63];
                *out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
                *out++ = i + 2 < len ? digits[v & 63] : '=';
        }
        *out = '\0';
        return text;
}

/* Padding may only fill up the last four characters, and what it cuts off must be zero. */
static bool decode(const char *text, char *out, size_t *ret_len)
{
        unsigned bits = 0, n_bits = 0;
        size_t seen = 0, len = 0;
        bool padded = false;

        for (; *text; text++) {
                const char *digit = strchr(digits, *text);

                if (strchr(" \t\r\n", *text))
                        continue;
                seen++;
                if (*text == '=' && (seen % 4 == 3 || seen % 4 == 0)) {
                        padded = true;
                        continue;
                }
                if (!digit || padded)
                        return false;
                bits = bits << 6 | (unsigned)(digit - digits);
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        out[len++] = (char)(bits >> n_bits);
                        bits &= (1u << n_bits) - 1;
                }
        }
        out[len] = '\0';
        *ret_len = len;
        return seen % 4 == 0 && bits == 0;
}

char *base64_decode(const char *text, size_t *ret_len)
{
        char *out = malloc(strlen(text) / 4 * 3 + 4);

        if (!out || decode(text, out, ret_len))
                return out;
        free(out);
        return NULL;
}
