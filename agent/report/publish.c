/*
 * agent/report/publish.c: from the report without names to the one that is read.
 *
 * libdw needs memory and the dynamic linker's lock, and a stuck thread may hold either for ever; a disk may
 * hang. So it is done by a copy of the process, with a time limit. If finding names fails there are offsets
 * into files instead; if even writing fails, the thread itself writes to stderr what it can.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "native/copy.h"
#include "native/symbolise.h"
#include "report/report_priv.h"

#define PROGRAM "compute-agent" /* oslo.reports: PROGRAM_gurumeditation_TIMESTAMP */

enum { WRITE_MS = 20000, NAME_MS = 5000, NAMES = 1024, TEXT_LEN = 200, TRIES = 9, STDERR_MS = 1000 };

/* ---- names, in the copy ---- */

static struct {
        void *address;
        char text[TEXT_LEN];
} known[NAMES]; /* memory only where it is used: in the copy */

static void find_first(void *arg)
{
        char text[TEXT_LEN];

        symbolise(arg, text, sizeof(text));
}

static const char *name_of(void *address, bool with_names)
{
        size_t at = ((uintptr_t)address * 0x9E3779B97F4A7C15ULL) >> 54;

        if (known[at].address != address) {
                known[at].address = address;
                if (with_names)
                        symbolise(address, known[at].text, TEXT_LEN);
                else
                        symbolise_plainly(address, known[at].text, TEXT_LEN);
        }
        return known[at].text;
}

/* A line, which may be the first part of a long one. */
static void add_line(struct out *o, const char *line, size_t len, bool with_names)
{
        if (*line == FRAME_MARK)
                out_addf(o, "        %s\n",
                         name_of((void *)(uintptr_t)strtoul(line + 1, NULL, 16), with_names));
        else
                out_add(o, line, len);
}

static void add_all(struct out *o, int raw, bool with_names)
{
        char chunk[4096 + 1];
        size_t have = 0;
        off_t at = 0;
        ssize_t n;

        while ((n = pread(raw, chunk + have, sizeof(chunk) - 1 - have, at)) > 0) {
                char *line = chunk, *end;

                at += n;
                have += (size_t)n;
                chunk[have] = '\0';
                while ((end = memchr(line, '\n', have - (size_t)(line - chunk)))) {
                        add_line(o, line, (size_t)(end + 1 - line), with_names);
                        line = end + 1;
                }
                have -= (size_t)(line - chunk);
                if (have == sizeof(chunk) - 1) {
                        out_add(o, line, have);
                        have = 0;
                }
                memmove(chunk, line, have);
        }
        out_add(o, chunk, have);
}

/* ---- the file ---- */

static int BLOCKS make_file(struct destination *to)
{
        time_t now = clock_wall_s();
        char stamp[32];
        struct tm tm;
        int fd = -1;

        strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", gmtime_r(&now, &tm));
        for (int n = 1; fd < 0 && n <= TRIES; n++) {
                if (n == 1)
                        snprintf(to->path, sizeof(to->path), "%.4000s/" PROGRAM "_gurumeditation_%s", to->dir,
                                 stamp);
                else /* within the same second */
                        snprintf(to->path, sizeof(to->path), "%.4000s/" PROGRAM "_gurumeditation_%s_%d",
                                 to->dir, stamp, n);
                fd = open(to->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
                if (fd < 0 && errno != EEXIST)
                        break;
        }
        return fd;
}

struct publication {
        int raw;
        struct destination *to;
};

static int publish_in_copy(void *arg)
{
        static struct out o;
        const struct publication *p = arg;
        bool with_names;

        assert_on_worker();
        symbolise_in_copy();
        with_names = copy_try(find_first, (void *)publish_in_copy, NAME_MS);
        o.fd = *p->to->dir ? make_file(p->to) : p->to->fd;
        if (o.fd >= 0) {
                add_all(&o, p->raw, with_names);
                out_flush(&o);
        }
        if (o.fd < 0 || o.failed)
                p->to->sys = errno ? errno : EIO;
        else
                p->to->sys = 0;
        return 0;
}

/* ---- when that failed ---- */

/* stderr may be a pipe that nobody reads. */
static bool stderr_takes_more(void)
{
        struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

        return poll(&p, 1, STDERR_MS) > 0 && p.revents & POLLOUT;
}

void report_say(const char *fmt, ...)
{
        char text[PATH_MAX + 256];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (stderr_takes_more())
                dprintf(STDERR_FILENO, PROGRAM ": %s\n", text);
}

static void BLOCKS write_to_stderr(int raw)
{
        static struct out o;
        char chunk[512]; /* with offsets for frames it fits into what a pipe that is ready takes */
        off_t at = 0;
        ssize_t n;

        o = (struct out){ .fd = STDERR_FILENO };
        while (stderr_takes_more() && (n = pread(raw, chunk, sizeof(chunk), at)) > 0) {
                char *end = memrchr(chunk, '\n', (size_t)n), *line = chunk;
                size_t len = end ? (size_t)(end + 1 - chunk) : (size_t)n;

                at += (off_t)len;
                while (line < chunk + len) {
                        end = memchr(line, '\n', (size_t)(chunk + len - line));
                        end = end ? end + 1 : chunk + len;
                        add_line(&o, line, (size_t)(end - line), false);
                        line = end;
                }
                out_flush(&o);
        }
}

void report_publish(int raw, struct destination *to)
{
        struct publication p = { raw, to };
        const struct copy c = { publish_in_copy, &p, { raw, *to->dir ? -1 : to->fd }, WRITE_MS };

        to->path[0] = '\0';
        to->sys = ETIMEDOUT;
        if (copy_run(&c) < 0 && to->sys == ETIMEDOUT)
                to->sys = errno;
        if (to->sys != 0)
                write_to_stderr(raw);
}
