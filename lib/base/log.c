/*
 * lib/base/log.c: from the arguments to a message, and from that to its lines.
 *
 * The caller formats the text: to the ring of log_writer.c while that runs, else straight to stderr. Text
 * from outside may hold newlines: each line of a message gets the whole prefix, as oslo.log does for
 * tracebacks, so nobody can forge a line; other control characters become '?'.
 */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_priv.h"
#include "base/mem.h"
#include "base/original.h"

#define TEXT_STACK \
        1024 /* longer texts are formatted on the heap: green stacks are small; at LOG_TEXT_MAX cut */
#define PREFIX_MAX 512

static pthread_mutex_t capture_lock = PTHREAD_MUTEX_INITIALIZER; /* the next two */
static void (*capture)(enum log_level level, const char *line, void *arg);
static void *capture_arg;

static atomic_bool captured;
static void (*_Atomic context_fn)(char *buf, size_t size);

/* ---- lines ---- */

/* "2026-11-23 08:44:27.914 1234 INFO module context"; the length, cut to fit. */
static size_t format_prefix(char *buf, size_t size, const struct log_record *r)
{
        time_t seconds = r->time_us / 1000000;
        struct tm tm;
        size_t len;
        int n;

        localtime_r(&seconds, &tm);
        len = strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
        n = snprintf(buf + len, size - len, ".%03d %d %s %s %s", (int)(r->time_us % 1000000 / 1000),
                     (int)getpid(), log_level_name(r->level), r->site->module, r->context);
        len += n < 0 ? 0 : (size_t)n;
        return len < size ? len : size - 1;
}

static size_t line_end(const char *text, size_t len)
{
        const size_t max = LOG_LINE_MAX - PREFIX_MAX - 1;
        const char *nl = memchr(text, '\n', len);
        size_t n = nl ? (size_t)(nl - text) : len;

        return n < max ? n : max;
}

/* The beginning of the line after the one of n bytes at `at`. */
static size_t next_line(const struct log_record *r, size_t at, size_t n)
{
        at += n;
        return at < r->text_len && r->text[at] == '\n' ? at + 1 : at;
}

void log_each_line(const struct log_record *r, log_line_fn *fn, void *arg)
{
        char prefix[PREFIX_MAX];
        size_t prefix_len = format_prefix(prefix, sizeof(prefix), r), at = 0;

        do {
                size_t n = line_end(r->text + at, r->text_len - at);

                fn(prefix, prefix_len, r->text + at, n, arg);
                at = next_line(r, at, n);
        } while (at < r->text_len);
}

unsigned long log_count_lines(const struct log_record *r)
{
        unsigned long lines = 0;
        size_t at = 0;

        do {
                at = next_line(r, at, line_end(r->text + at, r->text_len - at));
                lines++;
        } while (at < r->text_len);
        return lines;
}

/* ---- without the writer ---- */

bool log_wait_writable(int fd, int timeout_ms)
{
        struct pollfd p = { .fd = fd, .events = POLLOUT };

        return patcher_original(poll)(&p, 1, timeout_ms) > 0;
}

/* Straight to stderr; a line that would block is dropped. */
static void write_line(const char *prefix, size_t prefix_len, const char *text, size_t len, void *arg)
{
        struct iovec parts[] = {
                { (void *)(uintptr_t)prefix, prefix_len },
                { (void *)(uintptr_t)text, len },
                { "\n", 1 },
        };

        if (!log_wait_writable(STDERR_FILENO, 0) || patcher_original(writev)(STDERR_FILENO, parts, 3) < 0)
                log_count_dropped(1);
}

static void capture_line(const char *prefix, size_t prefix_len, const char *text, size_t len, void *level)
{
        CLEANUP(freep) char *line = xasprintf("%s%.*s", prefix, (int)len, text);

        capture(*(enum log_level *)level, line, capture_arg);
}

static bool capture_message(const struct log_record *r)
{
        bool taken;

        if (!atomic_load(&captured))
                return false;
        pthread_mutex_lock(&capture_lock);
        taken = capture != NULL;
        if (taken)
                log_each_line(r, capture_line, (void *)(uintptr_t)&r->level);
        pthread_mutex_unlock(&capture_lock);
        return taken;
}

/* ---- messages ---- */

static void clean_text(char *text, size_t *len)
{
        while (*len > 0 && text[*len - 1] == '\n')
                --*len;
        text[*len] = '\0';
        for (size_t i = 0; i < *len; i++) {
                unsigned char c = (unsigned char)text[i];

                if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
                        text[i] = '?';
        }
}

/* Into buf, or into *heap (owned by the caller) when it is longer. errno is kept for %m. */
static char *format_text(char *buf, size_t size, char **heap, size_t *ret_len, const char *fmt, va_list ap)
{
        int saved = errno, n;
        va_list again;

        va_copy(again, ap);
        n = vsnprintf(buf, size, fmt, again);
        va_end(again);
        if (n < 0)
                n = snprintf(buf, size, "(cannot be formatted) %s", fmt);
        if ((size_t)n < size) {
                *ret_len = (size_t)n;
                return buf;
        }
        *ret_len = n < LOG_TEXT_MAX ? (size_t)n : LOG_TEXT_MAX;
        *heap = malloc(*ret_len + 1);
        if (!*heap) {
                *ret_len = size - 1;
                return buf;
        }
        errno = saved;
        vsnprintf(*heap, *ret_len + 1, fmt, ap);
        return *heap;
}

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
{
        void (*write_context)(char *buf, size_t size) = atomic_load(&context_fn);
        char stack[TEXT_STACK], context[LOG_CONTEXT_MAX] = "";
        struct log_record r = { .site = site, .level = level, .context = context };
        CLEANUP(freep) char *heap = NULL;
        int saved = errno;
        char *text;
        va_list ap;

        va_start(ap, fmt);
        text = format_text(stack, sizeof(stack), &heap, &r.text_len, fmt, ap);
        va_end(ap);
        clean_text(text, &r.text_len);
        r.text = text;
        r.time_us = clock_wall_us();
        if (write_context)
                write_context(context, sizeof(context));
        if (!context[0])
                memcpy(context, "[-] ", sizeof("[-] "));
        r.context_len = strlen(context);
        if (!capture_message(&r) && !log_writer_add(&r))
                log_each_line(&r, write_line, NULL);
        errno = saved;
}

/* ---- settings ---- */

void log_set_context_fn(void (*fn)(char *buf, size_t size))
{
        atomic_store(&context_fn, fn);
}

void log_set_capture(void (*fn)(enum log_level level, const char *line, void *arg), void *arg)
{
        pthread_mutex_lock(&capture_lock);
        capture = fn;
        capture_arg = arg;
        atomic_store(&captured, fn != NULL);
        pthread_mutex_unlock(&capture_lock);
}
