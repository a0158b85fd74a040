/* lib/base/mem.c: allocation that aborts when memory ends. */
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *p)
{
        if (!p) {
                static const char text[] = "out of memory: aborting\n";

                if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
                        abort();
                abort();
        }
        return p;
}

void *xmalloc(size_t size)
{
        return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
        return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
        return checked(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
        return s ? checked(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
        return checked(strndup(s, n));
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
                checked(NULL);
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
