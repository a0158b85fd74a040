/*
 * agent/store/text.c: text that fits the columns.
 *
 * nova's tables are utf8mb3 and the session is strict: one wrong byte, or one emoji in the name of a guest,
 * and the whole statement fails. What a person gave is refused with a reason; what we say ourselves is made
 * to fit.
 */
#include "store/store_priv.h"

#include <string.h>

#include "base/mem.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The length of the character at s, 1 to 4; 0 when it is no UTF-8 (too long, a surrogate, beyond U+10FFFF).
 */
static size_t utf8_length(const unsigned char *s)
{
        size_t len;
        unsigned c;

        if (s[0] < 0x80)
                return 1;
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                len = 2;
        else if ((s[0] & 0xf0) == 0xe0)
                len = 3;
        else if (s[0] >= 0xf0 && s[0] <= 0xf4)
                len = 4;
        else
                return 0;
        c = s[0] & (0x7fu >> len);
        for (size_t i = 1; i < len; i++) {
                if ((s[i] & 0xc0) != 0x80) /* the NUL at the end too */
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if ((len == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) ||
            (len == 4 && (c < 0x10000 || c > 0x10ffff)))
                return 0;
        return len;
}

char *text_for_column(const char *s, size_t most)
{
        CLEANUP(strbuf_free) struct strbuf b = {};

        while (s && *s) {
                size_t len = utf8_length((const unsigned char *)s), takes = len >= 1 && len <= 3 ? len : 3;

                if (b.len + takes > most)
                        break;
                strbuf_add(&b, takes == len ? s : REPLACEMENT, takes);
                s += len ? len : 1;
        }
        return strbuf_take(&b, NULL);
}

int text_check(const char *what, const char *s, size_t most, struct error *err)
{
        size_t n = 0;

        for (const char *p = s; p && *p; n++) {
                size_t len = utf8_length((const unsigned char *)p);

                if (!len)
                        return error_set(err, ERR_INVALID, "%s is not valid UTF-8", what);
                if (len == 4)
                        return error_set(err, ERR_INVALID,
                                         "%s has a character beyond U+FFFF, which nova's tables do not take",
                                         what);
                p += len;
        }
        if (n > most)
                return error_set(err, ERR_INVALID, "%s has %zu characters, at most %zu fit", what, n, most);
        return 0;
}
