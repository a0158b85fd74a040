/*
 * agent/ctl/bar.h: how far something is, on stderr: a bar that moves on a terminal, else a line whenever it
 * got further, and every ten seconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

struct bar { /* zeroed by its user */
        bool terminal, begun;
        unsigned done;
        int64_t told_ns;
};

/* For --json as well: what is printed to stdout stays whole. */
void bar_begin(struct bar *b);
/* `text` is what is being done, of any length; it is made harmless. */
void bar_show(struct bar *b, const char *what, unsigned done, unsigned total, const char *text);
/* The line is free for what else there is to say. */
void bar_end(struct bar *b);

/* "draining [#####-----] 5/10  TEXT" in `columns` at most. */
void bar_format(const char *what, unsigned done, unsigned total, const char *text, unsigned columns,
                struct strbuf *out);
