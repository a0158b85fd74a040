/* lib/base/mem.c: allocation that aborts when memory ends. */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Says what was wanted, without needing memory for it. */
static void out_of_memory(size_t wanted) __attribute__((noreturn));
static void out_of_memory(size_t wanted)
{
        char text[64];
        int len = snprintf(text, sizeof(text), "out of memory: %zu bytes wanted: aborting\n", wanted);

        if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
                abort();
        abort();
}

static void *checked(void *p, size_t wanted)
{
        if (!p)
                out_of_memory(wanted);
        return p;
}

void *xmalloc(size_t size)
{
        return checked(malloc(size ? size : 1), size);
}

void *xcalloc(size_t n, size_t size)
{
        size_t wanted;

        if (__builtin_mul_overflow(n, size, &wanted))
                wanted = SIZE_MAX;
        return checked(calloc(n ? n : 1, size ? size : 1), wanted);
}

void *xrealloc(void *p, size_t size)
{
        return checked(realloc(p, size ? size : 1), size);
}

char *xstrdup(const char *s)
{
        return s ? checked(strdup(s), strlen(s) + 1) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
        return checked(strndup(s, n), strnlen(s, n) + 1);
}

char *xmemdup(const void *p, size_t n)
{
        char *copy = xmalloc(n + 1);

        if (n)
                memcpy(copy, p, n);
        copy[n] = '\0';
        return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
        char *s;

        if (vasprintf(&s, fmt, ap) < 0)
                out_of_memory(strlen(fmt)); /* at least */
        return s;
}

char *xasprintf(const char *fmt, ...)
{
        va_list ap;
        char *s;

        va_start(ap, fmt);
        s = xvasprintf(fmt, ap);
        va_end(ap);
        return s;
}

void replace_str(char **p, const char *s)
{
        char *copy = xstrdup(s);

        free(*p);
        *p = copy;
}

void free_secret(char *s)
{
        if (s)
                explicit_bzero(s, strlen(s));
        free(s);
}

void closep(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        *fd = -1;
        errno = saved;
}
