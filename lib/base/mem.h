/*
 * lib/base/mem.h: allocation that aborts when memory ends, and scope-bound clean-up.
 *
 * Small allocations use the x functions; sizes read from a wire are first checked against a named limit and
 * then allocated with plain malloc, whose failure is an error for that message only.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc)); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n) __attribute__((malloc));
char *xmemdup(const void *p, size_t n) __attribute__((malloc)); /* with a NUL after it */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap);

#define NEW(type) ((type *)xcalloc(1, sizeof(type)))

/* Hands over: returns what was there and leaves NULL behind. */
#define take_ptr(pp)                                       \
        ({                                                 \
                __typeof__(pp) take_pp_ = (pp);            \
                __typeof__(*take_pp_) take_p_ = *take_pp_; \
                *take_pp_ = NULL;                          \
                take_p_;                                   \
        })

/* Frees *p and stores the copy of s (which may be NULL) there. */
void replace_str(char **p, const char *s);

static inline void freep(void *p) /* CLEANUP(freep) char *s = ...; */
{
        free(*(void **)p);
}

void free_secret(char *s); /* overwrites it first; NULL is allowed */

void closep(int *fd); /* CLEANUP(closep) int fd = -1; closes if >= 0, keeps errno */
