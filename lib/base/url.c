/* lib/base/url.c: decoding, and addresses with their ports. */
#include "base/url.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decode(const char *s, size_t len, bool plus_is_space, const char *url, const char *what,
                 struct error *err)
{
        CLEANUP(freep) char *out = xmalloc(len + 1);
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                int high, low;

                if (s[i] == '+' && plus_is_space) {
                        out[n++] = ' ';
                        continue;
                }
                if (s[i] != '%') {
                        out[n++] = s[i];
                        continue;
                }
                high = len - i > 2 ? hex(s[i + 1]) : -1;
                low = len - i > 2 ? hex(s[i + 2]) : -1;
                if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                        error_set(err, ERR_INVALID,
                                  "%s: a %% in the %s needs two hexadecimal digits (%%25 for %% itself)", url,
                                  what);
                        return NULL;
                }
                out[n++] = (char)(high * 16 + low);
                i += 2;
        }
        out[n] = '\0';
        return take_ptr(&out);
}

static int parse_port(const char *s, size_t len, const char *url, unsigned *ret, struct error *err)
{
        unsigned long port = 0;

        for (size_t i = 0; i < len; i++) {
                if (s[i] < '0' || s[i] > '9')
                        port = 65536;
                else if (port < 65536)
                        port = port * 10 + (unsigned long)(s[i] - '0');
        }
        if (!len || port < 1 || port > 65535)
                return error_set(err, ERR_INVALID, "%s: the port is a number from 1 to 65535", url);
        *ret = (unsigned)port;
        return 0;
}

int url_address(const char *s, size_t len, const char *url, char **ret_host, unsigned *port,
                struct error *err)
{
        const char *end = s + len, *rest;
        size_t host_len;

        if (len && *s == '[') {
                const char *close = memchr(s, ']', len);

                if (!close)
                        return error_set(err, ERR_INVALID, "%s: the address has no closing bracket", url);
                host_len = (size_t)(close - s - 1);
                rest = close + 1;
                s++;
        } else {
                rest = memchr(s, ':', len);
                if (!rest)
                        rest = end;
                host_len = (size_t)(rest - s);
        }
        for (size_t i = 0; i < host_len; i++)
                if (strchr("@%\\ \t", s[i]) || (unsigned char)s[i] < 0x20)
                        return error_set(err, ERR_INVALID,
                                         "%s: the host has a character that no host has; write @ : / , %% in "
                                         "a password as %%40 %%3A %%2F %%2C %%25",
                                         url);
        free(*ret_host);
        *ret_host = host_len ? xstrndup(s, host_len) : xstrdup("localhost");
        if (rest == end)
                return 0;
        if (*rest != ':')
                return error_set(err, ERR_INVALID, "%s: only a port may follow the address", url);
        return parse_port(rest + 1, (size_t)(end - rest - 1), url, port, err);
}

int url_check_query(const char *query, const char *url, struct error *err)
{
        if (!strchr(query, '@'))
                return 0;
        return error_set(err, ERR_INVALID,
                         "%s: an @ stands after the ?; write ? @ in a password as %%3F %%40", url);
}
