/*
 * lib/base/raw_line.h: lines for signal handlers: no lock, no allocation, no stdio, and system calls that are
 * made directly, not by names that the patcher may have given to others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAW_LINE_MAX = 1024 }; /* with its newline; more is cut off */

struct raw_line { /* fill in fd, the rest is zero */
        int fd;
        bool failed; /* writing did: nothing more is written */
        size_t len;
        char text[RAW_LINE_MAX];
};

void raw_add(struct raw_line *l, const char *text);
void raw_add_bytes(struct raw_line *l, const char *text, size_t len);
/* At most size bytes, up to a NUL; what no terminal should get becomes a question mark. */
void raw_add_name(struct raw_line *l, const char *name, size_t size);
void raw_add_number(struct raw_line *l, uintptr_t n, unsigned base);
void raw_add_seconds(struct raw_line *l, int64_t ns); /* "1.5 s" */
/* Writes it with a newline, and begins the next one. */
void raw_end(struct raw_line *l);
