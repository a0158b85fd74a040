/*
 * agent/log_journal.c: the door to sd_journal_sendv(). It waits while the journal takes nothing, which only
 * the writer of the log does.
 *
 * MESSAGE has neither time nor pid, which the journal knows by itself; level, module and context stay in it,
 * as journalctl shows nothing else.
 */
#include "log_journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define SD_JOURNAL_SUPPRESS_LOCATION /* of this file: a record has its own */
#include <systemd/sd-journal.h>      /* from here on LOG_INFO and its like are those of syslog.h */

#include "base/mem.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELDS_MAX     16

struct fields {
        struct iovec io[FIELDS_MAX];
        int n;
        char text[2048]; /* of all but MESSAGE */
        size_t used;
};

/* In the order of enum log_level. */
static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT };

bool log_journal_is_there(void)
{
        return access(JOURNAL_SOCKET, W_OK) == 0;
}

bool log_journal_is_stderr(void)
{
        const char *stream = getenv("JOURNAL_STREAM"); /* "device:inode" */
        CLEANUP(freep) char *ours = NULL;
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        ours = xasprintf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        return strcmp(stream, ours) == 0 && log_journal_is_there();
}

/* A field that does not fit is left out. */
static void add(struct fields *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct fields *f, const char *fmt, ...)
{
        char *at = f->text + f->used;
        size_t room = sizeof(f->text) - f->used;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(at, room, fmt, ap);
        va_end(ap);
        if (n < 0 || (size_t)n >= room || f->n == FIELDS_MAX)
                return;
        f->io[f->n++] = (struct iovec){ at, (size_t)n };
        f->used += (size_t)n + 1;
}

static const char *add_word(struct fields *f, const char *name, const char *word, const char *end)
{
        size_t len = strcspn(word, " ]");

        if (len > 0 && !(len == 1 && *word == '-'))
                add(f, "%s=%.*s", name, (int)len, word);
        word += len;
        return word < end && *word == ' ' ? word + 1 : word;
}

/* "[req-... user project] [instance: uuid] ", each of them may be missing or "-". */
static void add_context(struct fields *f, const struct log_record *r)
{
        static const char instance[] = "[instance: ";
        const char *end = r->context + r->context_len, *at = r->context + (*r->context == '[');

        at = add_word(f, "REQUEST_ID", at, end);
        at = add_word(f, "USER_ID", at, end);
        add_word(f, "PROJECT_ID", at, end);
        at = strstr(r->context, instance);
        if (at)
                add_word(f, "INSTANCE_UUID", at + strlen(instance), end);
}

static void add_time(struct fields *f, int64_t us)
{
        time_t seconds = us / 1000000;
        char text[64];
        struct tm tm;

        localtime_r(&seconds, &tm);
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        add(f, "TIMESTAMP=%s.%03d", text, (int)(us % 1000000 / 1000));
}

int log_journal_write(const struct log_record *r)
{
        const char *level = log_level_name(r->level), *file = r->site->file;
        CLEANUP(freep) char *message = NULL;
        struct fields f = {};

        while (strncmp(file, "../", 3) == 0) /* the sources as seen from where it was built */
                file += 3;
        message = xasprintf("MESSAGE=%s %s %s%s", level, r->site->module, r->context, r->text);
        f.io[f.n++] = (struct iovec){ message, strlen(message) };
        add(&f, "PRIORITY=%d", priorities[r->level]);
        add(&f, "SYSLOG_IDENTIFIER=%s", program_invocation_short_name);
        add(&f, "LOGGER_NAME=%s", r->site->module);
        add(&f, "LOGGER_LEVEL=%s", level);
        add(&f, "CODE_FILE=%s", file);
        add(&f, "CODE_LINE=%d", r->site->line);
        add(&f, "CODE_FUNC=%s", r->site->function);
        add_context(&f, r);
        add_time(&f, r->time_us);
        return sd_journal_sendv(f.io, f.n) < 0 ? -1 : 0;
}
