/*
 * lib/base/log_writer.c: the native thread that writes out what callers put into the ring.
 *
 * A caller copies its message in under a mutex that is never held during a system call: that is all it ever
 * waits for. The writer copies some out, makes lines of them (or hands them to the sink), and writes in
 * pieces of at most PIPE_BUF, each after poll() has said that there is room, so it can be told to end even
 * while a stuck pipe never takes anything. What did not fit into the ring, or could not be written (disk
 * full), is counted; the count is put into the ring as a message of its own, where the lost ones would have
 * been.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_priv.h"
#include "base/mem.h"
#include "base/original.h"

#define TAKEN_SIZE (64 * 1024)        /* what the writer takes out at once: the longest message fits */
#define LINES_SIZE (2 * LOG_LINE_MAX) /* what it writes at once */
#define WRITER_MS  100                /* how often a stuck writer looks whether it shall end */
#define FLUSH_MS   1000

struct writer { /* owned by its thread once that runs */
        int fd;
        int (*sink)(const struct log_record *r);
        atomic_bool abandoned; /* log_stop() gave up on it */
        unsigned long lost;    /* lines of what was taken that could not be written */
        size_t lines_len;
        char lines[LINES_SIZE];
        char taken[TAKEN_SIZE] __attribute__((aligned));
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* everything down to the blank line */
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;   /* to the writer: messages, or the end */
static pthread_cond_t drained = PTHREAD_COND_INITIALIZER;
static bool writer_waits, writer_busy, writer_ended, stopping;
static bool sink_failed;      /* the last write did */
static struct writer *writer; /* NULL: not started */
static pthread_t writer_thread;
static char *file_name;
static unsigned long unreported; /* dropped, and not said yet */

static _Atomic pid_t started_in; /* 0: not started. A forked child has no writer thread */
static atomic_ulong dropped;

/* ---- into the ring; all with the lock held ---- */

static void count_lost(unsigned long lines)
{
        log_count_dropped(lines);
        unreported += lines;
}

static void report_dropped(void)
{
        static struct log_site site = {
                .module = "log", .file = __FILE__, .function = __func__, .line = __LINE__
        };
        struct log_record r = { &site, LOG_WARNING, clock_wall_us(), "[-] ", NULL, strlen("[-] "), 0 };
        char text[64];

        if (unreported == 0)
                return;
        r.text = text;
        r.text_len = (size_t)snprintf(text, sizeof(text), "%lu log lines were dropped here", unreported);
        if (log_ring_put(&r))
                unreported = 0;
}

/* A message goes in whole or not at all, and never before the report of what was lost before it. */
static void put_or_drop(const struct log_record *r)
{
        if (!sink_failed)
                report_dropped();
        if ((unreported > 0 && !sink_failed) || !log_ring_put(r))
                count_lost(log_count_lines(r));
}

bool log_writer_add(const struct log_record *r)
{
        bool running = false;

        if (atomic_load(&started_in) == getpid()) {
                pthread_mutex_lock(&lock);
                running = writer != NULL;
                if (running && !log_fold_takes(r, clock_now_ns(), put_or_drop))
                        put_or_drop(r);
                if (running && writer_waits)
                        pthread_cond_signal(&more);
                pthread_mutex_unlock(&lock);
        }
        return running;
}

void log_count_dropped(unsigned long lines)
{
        atomic_fetch_add(&dropped, lines);
}

unsigned long log_dropped(void)
{
        return atomic_load(&dropped);
}

/* ---- the writer ---- */

static unsigned long count_newlines(const char *data, size_t len)
{
        unsigned long lines = 0;

        for (size_t i = 0; i < len; i++)
                lines += data[i] == '\n';
        return lines;
}

static void write_lines(struct writer *w)
{
        size_t len = w->lines_len;
        const char *p = w->lines;
        ssize_t n;

        w->lines_len = 0;
        while (len > 0) {
                bool ready = log_wait_writable(w->fd, WRITER_MS);

                if (atomic_load(&w->abandoned))
                        return;
                if (!ready)
                        continue;
                n = patcher_original(write)(w->fd, p, len < PIPE_BUF ? len : PIPE_BUF);
                if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
                        patcher_original(poll)(NULL, 0, 1);
                        continue;
                }
                if (n <= 0) {
                        w->lost += count_newlines(p, len);
                        return;
                }
                p += n;
                len -= (size_t)n;
        }
}

static void add_bytes(struct writer *w, const char *data, size_t len)
{
        memcpy(w->lines + w->lines_len, data, len);
        w->lines_len += len;
}

static void add_line(const char *prefix, size_t prefix_len, const char *text, size_t len, void *arg)
{
        struct writer *w = arg;

        if (prefix_len + len + 1 > LINES_SIZE - w->lines_len)
                write_lines(w);
        add_bytes(w, prefix, prefix_len);
        add_bytes(w, text, len);
        add_bytes(w, "\n", 1);
}

/* The first len bytes of what was taken; without the lock. */
static void write_taken(struct writer *w, size_t len)
{
        struct log_record r;

        w->lost = 0;
        for (size_t at = 0; at < len && !atomic_load(&w->abandoned);) {
                at += log_ring_record(w->taken + at, &r);
                if (!w->sink)
                        log_each_line(&r, add_line, w);
                else if (w->sink(&r) < 0)
                        w->lost += log_count_lines(&r);
        }
        write_lines(w);
}

static void writer_free(struct writer *w)
{
        if (w->fd != STDERR_FILENO)
                close(w->fd);
        free(w);
}

static struct timespec monotonic_in_ns(int64_t ns)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts); /* the real one, also in tests with a fake clock */
        ns += ts.tv_nsec;
        ts.tv_sec += ns / NS_PER_S;
        ts.tv_nsec = ns % NS_PER_S;
        return ts;
}

/* With the lock held: until there is something in the ring, or counts of what was held back are to be told.
 */
static void wait_for_more(void)
{
        int64_t due = log_fold_due(), left = due - clock_now_ns();

        writer_waits = true;
        if (due == INT64_MAX) {
                pthread_cond_wait(&more, &lock);
        } else if (left > 0) {
                struct timespec until = monotonic_in_ns(left);

                pthread_cond_clockwait(&more, &lock, CLOCK_MONOTONIC, &until);
        }
        writer_waits = false;
        log_fold_tell(clock_now_ns(), false, put_or_drop);
}

/* With the lock held, which is let go while it writes. */
static void write_some(struct writer *w)
{
        size_t len = log_ring_take(w->taken, sizeof(w->taken));

        writer_busy = true;
        pthread_mutex_unlock(&lock);
        write_taken(w, len);
        pthread_mutex_lock(&lock);
        if (atomic_load(&w->abandoned))
                return;
        sink_failed = w->lost > 0;
        if (sink_failed)
                count_lost(w->lost); /* said when a write succeeds: now it would be lost as well */
        else
                report_dropped();
}

static void *writer_main(void *arg)
{
        struct writer *w = arg;

        pthread_mutex_lock(&lock);
        while (!atomic_load(&w->abandoned)) {
                if (!log_ring_empty()) {
                        write_some(w);
                        continue;
                }
                writer_busy = false;
                pthread_cond_broadcast(&drained);
                if (stopping)
                        break;
                wait_for_more();
        }
        if (!atomic_load(&w->abandoned)) {
                writer_ended = true;
                pthread_cond_broadcast(&drained);
        }
        pthread_mutex_unlock(&lock);
        writer_free(w);
        return NULL;
}

/* ---- starting and stopping ---- */

/* O_NONBLOCK is for a FIFO: opened for reading too where nobody reads it yet, it takes lines until it is
 * full. */
static int open_file(const char *name, struct error *err)
{
        const int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
        int fd = open(name, O_WRONLY | flags, 0640);

        if (fd < 0 && errno == ENXIO)
                fd = open(name, O_RDWR | flags, 0640);
        return fd >= 0 ? fd : error_system(err, errno, "opening log file %s", name);
}

/* The writer takes no signals: they belong to threads that are made for them. */
static int start_thread(struct writer *w, struct error *err)
{
        sigset_t all, before;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = patcher_original(pthread_create)(&writer_thread, NULL, writer_main, w);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return error_system(err, r, "starting the log writer");
        pthread_setname_np(writer_thread, "log-writer");
        return 0;
}

int log_start(const struct log_options *opt, struct error *err)
{
        struct writer *w;
        int fd = STDERR_FILENO, r = 0;

        if (atomic_load(&started_in) != 0)
                return error_set(err, ERR_INVALID, "the log was started already");
        if (opt->file && !opt->sink) {
                fd = open_file(opt->file, err);
                if (fd < 0)
                        return -1;
        }
        w = NEW(struct writer);
        w->fd = fd;
        w->sink = opt->sink;
        pthread_mutex_lock(&lock);
        stopping = writer_waits = writer_busy = writer_ended = sink_failed = false;
        unreported = 0;
        log_fold_set(&opt->limits);
        r = start_thread(w, err);
        if (r == 0) {
                writer = w;
                replace_str(&file_name, opt->sink ? NULL : opt->file);
        }
        pthread_mutex_unlock(&lock);
        if (r < 0) {
                writer_free(w);
                return -1;
        }
        log_set_level(opt->level);
        atomic_store(&started_in, getpid());
        return 0;
}

void log_set_limits(const struct log_limits *l)
{
        pthread_mutex_lock(&lock);
        log_fold_set(l);
        pthread_cond_signal(&more);
        pthread_mutex_unlock(&lock);
}

/*
 * dup3() swaps the file under the writer's descriptor in one step. The old file is closed by its copy, when
 * nobody waits for the lock: that may take its time where the disk hangs. Called on a worker, then.
 */
int log_reopen(struct error *err)
{
        CLEANUP(freep) char *name = NULL;
        CLEANUP(closep) int fd = -1;
        CLEANUP(closep) int old = -1;
        int r = 0;

        pthread_mutex_lock(&lock);
        name = writer ? xstrdup(file_name) : NULL;
        pthread_mutex_unlock(&lock);
        if (!name)
                return 0;
        fd = open_file(name, err);
        if (fd < 0)
                return -1;
        pthread_mutex_lock(&lock);
        if (writer)
                old = fcntl(writer->fd, F_DUPFD_CLOEXEC, 0);
        if (writer && dup3(fd, writer->fd, O_CLOEXEC) < 0)
                r = error_system(err, errno, "reopening log file %s", name);
        pthread_mutex_unlock(&lock);
        return r;
}

/* With the lock held: until *flag, or until nothing is left to be written. */
static void wait_drained(const bool *ended)
{
        struct timespec until = monotonic_in_ns(FLUSH_MS * NS_PER_MS);

        while (ended ? !*ended : !log_ring_empty() || writer_busy)
                if (pthread_cond_clockwait(&drained, &lock, CLOCK_MONOTONIC, &until) != 0)
                        return;
}

void log_flush(void)
{
        if (atomic_load(&started_in) != getpid())
                return;
        pthread_mutex_lock(&lock);
        wait_drained(NULL);
        pthread_mutex_unlock(&lock);
}

void log_stop(void)
{
        struct writer *w;
        bool ended;

        if (atomic_load(&started_in) != getpid())
                return;
        pthread_mutex_lock(&lock);
        log_fold_tell(clock_now_ns(), true, put_or_drop);
        pthread_cond_signal(&more);
        wait_drained(NULL);
        w = take_ptr(&writer);
        stopping = true;
        pthread_cond_signal(&more);
        if (log_ring_empty() && !writer_busy)
                wait_drained(&writer_ended);
        ended = writer_ended;
        if (!ended) {
                atomic_store(&w->abandoned, true); /* it frees itself when its write() returns */
                count_lost(log_ring_drop());
        }
        replace_str(&file_name, NULL);
        atomic_store(&started_in, 0);
        pthread_mutex_unlock(&lock);
        if (ended)
                patcher_original(pthread_join)(writer_thread, NULL);
        else
                patcher_original(pthread_detach)(writer_thread);
}
