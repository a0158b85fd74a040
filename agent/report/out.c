/* agent/report/out.c: text through a buffer of its own: no lock, no memory, so it cannot get stuck on another
 * thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report/report_priv.h"

enum { LINE_MAX_LEN = 2048 };

/* A bare call: in a copy of a stuck hub this thread counts as the hub's, which write() would look at. */
void out_flush(struct out *o)
{
        for (size_t at = 0; at < o->len && !o->failed;) {
                long n = syscall(SYS_write, o->fd, o->buf + at, o->len - at);

                if (n >= 0)
                        at += (size_t)n;
                else if (errno != EINTR)
                        o->failed = true;
        }
        o->len = 0;
}

void out_add(struct out *o, const char *data, size_t len)
{
        while (len > 0) {
                size_t n = len < sizeof(o->buf) - o->len ? len : sizeof(o->buf) - o->len;

                memcpy(o->buf + o->len, data, n);
                o->len += n;
                data += n;
                len -= n;
                if (o->len == sizeof(o->buf))
                        out_flush(o);
        }
}

void out_addf(struct out *o, const char *fmt, ...)
{
        char line[LINE_MAX_LEN];
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(line, sizeof(line), fmt, ap);
        va_end(ap);
        if (n >= (int)sizeof(line))
                line[(n = sizeof(line) - 1) - 1] = '\n';
        if (n > 0)
                out_add(o, line, (size_t)n);
}

void out_title(struct out *o, const char *title)
{
        static const char rule[] =
                "========================================================================\n";
        int room = 64 - (int)strlen(title), left = room / 2;

        out_addf(o, "\n%s====%*s%s%*s====\n%s", rule, left, "", title, room - left, "", rule);
}

void out_frame(struct out *o, const void *address)
{
        out_addf(o, "%c%lx\n", FRAME_MARK, (unsigned long)(uintptr_t)address);
}
