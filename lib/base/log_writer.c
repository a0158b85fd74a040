/*
 * lib/base/log_writer.c: the ring of bytes and the native thread that writes it out.
 *
 * A caller copies its lines in under a mutex that is never held during a system call: that is all it ever
 * waits for. The writer copies chunks out and writes them in pieces of at most PIPE_BUF, each after poll()
 * has said that there is room, so it can be told to end even while a stuck pipe never takes anything. What
 * did not fit into the ring, or could not be written (disk full), is counted; the count is put into the ring
 * as a line of its own, where the lost ones would have been.
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

#define RING_SIZE  (512 * 1024)
#define CHUNK_SIZE (2 * LOG_LINE_MAX) /* what the writer takes out at once */
#define WRITER_MS  100                /* how often a stuck writer looks whether it shall end */
#define FLUSH_MS   1000

struct writer { /* owned by its thread once that runs */
        int fd;
        atomic_bool abandoned; /* log_stop() gave up on it */
        char chunk[CHUNK_SIZE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* everything down to the blank line */
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;   /* to the writer: lines, or the end */
static pthread_cond_t drained = PTHREAD_COND_INITIALIZER;
static char ring[RING_SIZE];
static size_t ring_start, ring_len;
static bool writer_waits, writer_busy, writer_ended, stopping;
static bool sink_failed;      /* the last write did */
static struct writer *writer; /* NULL: not started */
static pthread_t writer_thread;
static char *file_name;
static unsigned long unreported; /* dropped, and not said yet */

static _Atomic pid_t started_in; /* 0: not started. A forked child has no writer thread */
static atomic_ulong dropped;

/* ---- the ring; all with the lock held ---- */

static void ring_put(const char *data, size_t len)
{
        size_t at = (ring_start + ring_len) % RING_SIZE;
        size_t first = len < RING_SIZE - at ? len : RING_SIZE - at;

        memcpy(ring + at, data, first);
        memcpy(ring, data + first, len - first);
        ring_len += len;
}

/* Whole lines, as many as fit into the chunk (no line is longer than that: see log_each_line()). */
static size_t ring_take(char *chunk)
{
        size_t n = ring_len < CHUNK_SIZE ? ring_len : CHUNK_SIZE;
        size_t first = n < RING_SIZE - ring_start ? n : RING_SIZE - ring_start;
        char *last;

        memcpy(chunk, ring + ring_start, first);
        memcpy(chunk + first, ring, n - first);
        last = memrchr(chunk, '\n', n);
        n = last ? (size_t)(last - chunk) + 1 : n;
        ring_start = (ring_start + n) % RING_SIZE;
        ring_len -= n;
        if (ring_len == 0)
                ring_start = 0; /* an idle log touches the first pages only */
        return n;
}

static unsigned long count_ring(void)
{
        unsigned long lines = 0;

        for (size_t i = 0; i < ring_len; i++)
                lines += ring[(ring_start + i) % RING_SIZE] == '\n';
        return lines;
}

static void count_lost(unsigned long lines)
{
        log_count_dropped(lines);
        unreported += lines;
}

static void report_dropped(void)
{
        char line[LOG_PREFIX_MAX + 128];
        size_t len;

        if (unreported == 0)
                return;
        len = log_format_prefix(line, LOG_PREFIX_MAX, LOG_WARNING, "log", "[-] ");
        len += (size_t)snprintf(line + len, sizeof(line) - len, "%lu log lines were dropped here\n",
                                unreported);
        if (len > RING_SIZE - ring_len)
                return;
        ring_put(line, len);
        unreported = 0;
}

static void add_size(const struct log_message *m, const char *text, size_t len, void *total)
{
        *(size_t *)total += m->prefix_len + len + 1;
}

static void add_one(const struct log_message *m, const char *text, size_t len, void *count)
{
        ++*(unsigned long *)count;
}

static void put_line(const struct log_message *m, const char *text, size_t len, void *arg)
{
        ring_put(m->prefix, m->prefix_len);
        ring_put(text, len);
        ring_put("\n", 1);
}

/* A message goes in whole or not at all, and never before the report of what was lost before it. */
static void add_or_drop(const struct log_message *m)
{
        unsigned long lines = 0;
        size_t size = 0;

        if (!sink_failed)
                report_dropped();
        log_each_line(m, add_size, &size);
        if (size <= RING_SIZE - ring_len && (unreported == 0 || sink_failed)) {
                log_each_line(m, put_line, NULL);
        } else {
                log_each_line(m, add_one, &lines);
                count_lost(lines);
        }
        if (writer_waits)
                pthread_cond_signal(&more);
}

bool log_writer_add(const struct log_message *m)
{
        bool running = false;

        if (atomic_load(&started_in) == getpid()) {
                pthread_mutex_lock(&lock);
                running = writer != NULL;
                if (running)
                        add_or_drop(m);
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

static unsigned long count_lines(const char *data, size_t len)
{
        unsigned long lines = 0;

        for (size_t i = 0; i < len; i++)
                lines += data[i] == '\n';
        return lines;
}

/* Returns how many lines could not be written. */
static unsigned long write_chunk(struct writer *w, size_t len)
{
        const char *p = w->chunk;
        ssize_t n;

        while (len > 0) {
                bool ready = log_wait_writable(w->fd, WRITER_MS);

                if (atomic_load(&w->abandoned))
                        return 0;
                if (!ready)
                        continue;
                n = patcher_original(write)(w->fd, p, len < PIPE_BUF ? len : PIPE_BUF);
                if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
                        patcher_original(poll)(NULL, 0, 1);
                        continue;
                }
                if (n <= 0)
                        return count_lines(p, len);
                p += n;
                len -= (size_t)n;
        }
        return 0;
}

static void writer_free(struct writer *w)
{
        if (w->fd != STDERR_FILENO)
                close(w->fd);
        free(w);
}

static void *writer_main(void *arg)
{
        struct writer *w = arg;
        unsigned long lost;
        size_t len;

        pthread_mutex_lock(&lock);
        while (!atomic_load(&w->abandoned)) {
                if (ring_len == 0) {
                        writer_busy = false;
                        pthread_cond_broadcast(&drained);
                        if (stopping)
                                break;
                        writer_waits = true;
                        pthread_cond_wait(&more, &lock);
                        writer_waits = false;
                        continue;
                }
                writer_busy = true;
                len = ring_take(w->chunk);
                pthread_mutex_unlock(&lock);
                lost = write_chunk(w, len);
                pthread_mutex_lock(&lock);
                if (atomic_load(&w->abandoned))
                        break;
                sink_failed = lost > 0;
                if (sink_failed)
                        count_lost(lost); /* said when a write succeeds: now it would be lost as well */
                else
                        report_dropped();
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

static int open_file(const char *name, struct error *err)
{
        int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

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
        if (opt->file) {
                fd = open_file(opt->file, err);
                if (fd < 0)
                        return -1;
        }
        w = NEW(struct writer);
        w->fd = fd;
        pthread_mutex_lock(&lock);
        stopping = writer_waits = writer_busy = writer_ended = sink_failed = false;
        ring_start = ring_len = 0;
        unreported = 0;
        r = start_thread(w, err);
        if (r == 0) {
                writer = w;
                replace_str(&file_name, opt->file);
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

static struct timespec monotonic_in_ms(long ms)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts); /* the real one, also in tests with a fake clock */
        ts.tv_nsec += ms * NS_PER_MS;
        ts.tv_sec += ts.tv_nsec / NS_PER_S;
        ts.tv_nsec %= NS_PER_S;
        return ts;
}

/* With the lock held: until *flag, or until nothing is left to be written. */
static void wait_drained(const bool *ended)
{
        struct timespec until = monotonic_in_ms(FLUSH_MS);

        while (ended ? !*ended : ring_len > 0 || writer_busy)
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
        wait_drained(NULL);
        w = take_ptr(&writer);
        stopping = true;
        pthread_cond_signal(&more);
        if (ring_len == 0 && !writer_busy)
                wait_drained(&writer_ended);
        ended = writer_ended;
        if (!ended) {
                atomic_store(&w->abandoned, true); /* it frees itself when its write() returns */
                count_lost(count_ring());
                ring_len = 0;
        }
        replace_str(&file_name, NULL);
        atomic_store(&started_in, 0);
        pthread_mutex_unlock(&lock);
        if (ended)
                patcher_original(pthread_join)(writer_thread, NULL);
        else
                patcher_original(pthread_detach)(writer_thread);
}
