/* lib/base/strbuf.h: a string that grows. Always NUL-terminated; zero-initialised is empty. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
        char *data; /* NULL while nothing was added */
        size_t len, cap;
};

void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap);
void strbuf_truncate(struct strbuf *b, size_t len);   /* keeps the memory */
char *strbuf_take(struct strbuf *b, size_t *ret_len); /* caller frees; never NULL; b is empty after */
void strbuf_free(struct strbuf *b);                   /* also CLEANUP(strbuf_free) */
