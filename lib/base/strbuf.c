/* lib/base/strbuf.c: a string that grows. */
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void reserve(struct strbuf *b, size_t more)
{
        size_t need = b->len + more + 1;

        if (need <= b->cap)
                return;
        b->cap = b->cap ? b->cap : 64;
        while (b->cap < need)
                b->cap *= 2;
        b->data = xrealloc(b->data, b->cap);
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
        reserve(b, len);
        if (len)
                memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s)
{
        strbuf_add(b, s, strlen(s));
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
        va_list again;
        int n;

        va_copy(again, ap);
        n = vsnprintf(NULL, 0, fmt, again);
        va_end(again);
        if (n < 0)
                return;
        reserve(b, (size_t)n);
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
        b->len += (size_t)n;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        strbuf_vaddf(b, fmt, ap);
        va_end(ap);
}

void strbuf_truncate(struct strbuf *b, size_t len)
{
        if (len < b->len) {
                b->len = len;
                b->data[len] = '\0';
        }
}

char *strbuf_take(struct strbuf *b, size_t *ret_len)
{
        char *s;

        reserve(b, 0);
        b->data[b->len] = '\0';
        if (ret_len)
                *ret_len = b->len;
        s = b->data;
        *b = (struct strbuf){};
        return s;
}

void strbuf_free(struct strbuf *b)
{
        free(b->data);
        *b = (struct strbuf){};
}
