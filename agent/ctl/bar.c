/* agent/ctl/bar.c: one line that is drawn again, or lines for a file. */
#include "ctl/bar.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ctl/output.h"

#define BAR_MAX         30
#define COLUMNS_DEFAULT 80
#define QUIET_S         10.0
#define CLEAR_LINE      "\r\033[K"

void bar_format(const char *what, unsigned done, unsigned total, const char *text, unsigned columns,
                struct strbuf *out)
{
        CLEANUP(freep) char *clean = harmless(text, "");
        unsigned width = columns / 3 < BAR_MAX ? columns / 3 : BAR_MAX;
        unsigned full = total ? (unsigned)((uint64_t)width * done / total) : width;
        size_t used;

        strbuf_addf(out, "%s [", what);
        for (unsigned i = 0; i < width; i++)
                strbuf_adds(out, i < full ? "#" : "-");
        strbuf_addf(out, "] %u/%u", done, total);
        used = strlen(out->data) + 2;
        if (*clean && used < columns) {
                while (*clean &&
                       text_width(clean) > columns - used) { /* byte by byte, to a whole character */
                        size_t last = strlen(clean) - 1;

                        while (last > 0 && ((unsigned char)clean[last] & 0xc0) == 0x80)
                                last--;
                        clean[last] = '\0';
                }
                strbuf_addf(out, "  %s", clean);
        }
}

void bar_begin(struct bar *b)
{
        *b = (struct bar){ .terminal = isatty(STDERR_FILENO) };
        fflush(stdout);
}

static unsigned columns_of_terminal(void)
{
        struct winsize size = {};

        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return COLUMNS_DEFAULT;
        return size.ws_col;
}

void bar_show(struct bar *b, const char *what, unsigned done, unsigned total, const char *text)
{
        struct strbuf CLEANUP(strbuf_free) line = {};

        if (b->terminal) {
                bar_format(what, done, total, text, columns_of_terminal() - 1, &line);
                fprintf(stderr, CLEAR_LINE "%s", line.data);
        } else if (!b->begun || b->done != done || clock_since_s(b->told_ns) >= QUIET_S) {
                CLEANUP(freep) char *clean = harmless(text, "");

                fprintf(stderr, "%s: %u of %u%s%s\n", what, done, total, *clean ? ", " : "", clean);
                b->told_ns = clock_now_ns();
        }
        b->begun = true;
        b->done = done;
        fflush(stderr);
}

void bar_end(struct bar *b)
{
        if (b->terminal && b->begun)
                fputs(CLEAR_LINE, stderr);
        fflush(stderr);
        b->begun = false;
}
