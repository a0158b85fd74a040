/*
 * lib/native/stall_watcher.c: sampling the hub's progress from outside.
 *
 * The watcher looks twice per threshold whether the hub's counter moved; while the hub sleeps in epoll it
 * sleeps, too. If the counter stands for longer than the threshold, it asks the hub's thread by a signal
 * where it is: only that thread can walk its own stack. The handler answers into memory that was there
 * before, and only if the hub has still not moved, so nobody is blamed for the stall of another. A thread
 * that does not answer (stuck in the kernel) is reported without frames.
 *
 * Time in which the watcher did not run either does not count: then the whole process, or the machine, stood
 * still.
 */
#include "native/stall_watcher.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#define LOG_MODULE "hub"
#include "base/log.h"
#include "base/mem.h"
#include "base/original.h"
#include "base/strbuf.h"
#include "green/probes.h"
#include "native/native_backtrace.h"
#include "native/native_thread.h"

enum {
        DEFAULT_THRESHOLD_MS = 100,
        ANSWER_MS = 200,
};

enum asking { NOT_ASKED, ASKED, ANSWERING, ANSWERED };

struct stall_watcher {
        struct hub *hub;
        pthread_t hub_thread, thread;
        _Atomic int64_t threshold_ns;
        struct stall_options opt;
        atomic_ulong count;

        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool stop;
        struct stall_culprit culprits[STALL_KINDS_MAX]; /* with the lock held, as is their number */
        unsigned n_culprits;

        /* From the watcher to the handler and back. */
        _Atomic enum asking asking;
        unsigned long stuck_at; /* the progress that is asked about */
        bool moved;             /* the answer: not stuck any more */
        struct stall_report report;
        sem_t answered;
};

static __thread struct stall_watcher *watched_by; /* of the hub's thread */

static int64_t now_ns(void) /* never the fake clock */
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static struct timespec at(int64_t ns)
{
        return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

/* ---- on the hub's thread, in the signal handler ---- */

static void answer(struct stall_watcher *w, const void *context)
{
        w->report.nframes =
                native_backtrace_interrupted(context, w->report.frames, ARRAY_SIZE(w->report.frames));
        strncpy(w->report.green, hub_current_name(w->hub), sizeof(w->report.green) - 1);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
        struct stall_watcher *w = watched_by;
        enum asking expected = ASKED;
        int saved_errno = errno;

        if (w && atomic_compare_exchange_strong(&w->asking, &expected, ANSWERING)) {
                w->moved = hub_progress(w->hub) != w->stuck_at;
                if (!w->moved)
                        answer(w, context);
                atomic_store(&w->asking, ANSWERED);
                sem_post(&w->answered);
        }
        errno = saved_errno;
}

/* ---- on the watcher's thread ---- */

/* False when it is time to end. */
static bool nap(struct stall_watcher *w, int64_t ns)
{
        struct timespec until = at(now_ns() + ns);
        int r = 0;
        bool stop;

        pthread_mutex_lock(&w->lock);
        while (!w->stop && r == 0)
                r = pthread_cond_timedwait(&w->changed, &w->lock, &until);
        stop = w->stop;
        pthread_mutex_unlock(&w->lock);
        return !stop;
}

/* False: not until then; NULL is for ever. */
static bool wait_for_answer(struct stall_watcher *w, const struct timespec *until)
{
        int r;

        do
                r = until ? sem_clockwait(&w->answered, CLOCK_MONOTONIC, until) : sem_wait(&w->answered);
        while (r < 0 && errno == EINTR);
        return r == 0;
}

/* Asks the hub's thread to fill the report, but for its time. False: the hub moves again. */
static bool interrogate(struct stall_watcher *w, unsigned long stuck_at)
{
        struct timespec until = at(now_ns() + ANSWER_MS * NS_PER_MS);
        enum asking expected = ASKED;

        w->report = (struct stall_report){};
        w->stuck_at = stuck_at;
        w->moved = false;
        atomic_store(&w->asking, ASKED);
        if (pthread_kill(w->hub_thread, SIGRTMIN + 6) != 0 || !wait_for_answer(w, &until)) {
                if (atomic_compare_exchange_strong(&w->asking, &expected, NOT_ASKED)) {
                        strncpy(w->report.green, hub_current_name(w->hub), sizeof(w->report.green) - 1);
                        return hub_progress(w->hub) == stuck_at;
                }
                wait_for_answer(w, NULL); /* late, but at it: each answer is waited for, exactly once */
        }
        atomic_exchange(&w->asking, NOT_ASKED); /* not a store: what comes next reads the answer */
        return !w->moved;
}

struct sampling {
        unsigned long progress;
        int64_t since_ns, last_ns; /* since when it stands; when it was looked at last */
        int64_t over_ns;           /* when a reported stall was over; 0: not yet */
        bool reported;
};

/* True while the hub has not moved since the last time. */
static bool look(struct stall_watcher *w, struct sampling *s, int64_t tick_ns)
{
        int64_t now = now_ns(), asleep = now - s->last_ns - 2 * tick_ns;
        unsigned long progress = hub_progress(w->hub);

        s->last_ns = now;
        if (asleep > 0)
                s->since_ns += asleep;
        if (progress == s->progress && !hub_is_idle(w->hub))
                return true;
        if (s->reported && !s->over_ns)
                s->over_ns = now;
        s->progress = progress;
        return false;
}

static void log_stall(struct stall_watcher *w, struct sampling *s, int64_t tick_ns)
{
        CLEANUP(strbuf_free) struct strbuf text = {};
        char frame[256];

        for (int i = 0; i < w->report.nframes; i++) {
                symbolise(w->report.frames[i], frame, sizeof(frame));
                strbuf_addf(&text, "%s%s", i ? " < " : ": ", frame);
                if (!s->over_ns) /* that was slow: the stall may be over */
                        look(w, s, tick_ns);
        }
        log_warning("green thread %s has held the hub for %.3f s%s", w->report.green, w->report.seconds,
                    w->report.nframes ? text.data : ", and does not say where");
}

static void tell(struct stall_watcher *w, struct sampling *s, int64_t tick_ns)
{
        DTRACE_PROBE3(green, stall, w->report.green, (int64_t)(w->report.seconds * (double)NS_PER_S),
                      w->report.over);
        if (w->opt.report)
                w->opt.report(&w->report, w->opt.arg);
        else if (w->report.over)
                log_warning("the hub turns again: green thread %s had held it for %.3f s", w->report.green,
                            w->report.seconds);
        else
                log_stall(w, s, tick_ns);
}

static struct stall_culprit *culprit_locked(struct stall_watcher *w, const char *green)
{
        char kind[GREEN_NAME_MAX];
        struct stall_culprit *c;

        green_name_of_kind(green, kind);
        for (unsigned i = 0; i < w->n_culprits; i++)
                if (strcmp(w->culprits[i].kind, kind) == 0)
                        return &w->culprits[i];
        if (w->n_culprits == STALL_KINDS_MAX)
                return &w->culprits[STALL_KINDS_MAX - 1];
        c = &w->culprits[w->n_culprits++];
        snprintf(c->kind, sizeof(c->kind), "%s", w->n_culprits == STALL_KINDS_MAX ? "other" : kind);
        return c;
}

static void note_culprit(struct stall_watcher *w)
{
        struct stall_culprit *c;

        pthread_mutex_lock(&w->lock);
        c = culprit_locked(w, w->report.green);
        c->stalls += !w->report.over;
        c->seconds += w->report.over ? w->report.seconds : 0;
        pthread_mutex_unlock(&w->lock);
}

static void sample(struct stall_watcher *w, struct sampling *s, int64_t tick_ns)
{
        bool stands = look(w, s, tick_ns);

        if (s->over_ns) {
                w->report.over = true;
                w->report.seconds = (double)(s->over_ns - s->since_ns) / (double)NS_PER_S;
                note_culprit(w);
                tell(w, s, tick_ns);
                s->reported = false;
                s->over_ns = 0;
                stands = false;
        }
        if (!stands) {
                s->since_ns = s->last_ns;
                return;
        }
        if (s->reported || s->last_ns - s->since_ns < w->threshold_ns || !interrogate(w, s->progress))
                return;
        w->report.seconds = (double)(now_ns() - s->since_ns) / (double)NS_PER_S;
        s->reported = true;
        atomic_fetch_add(&w->count, 1);
        note_culprit(w);
        tell(w, s, tick_ns);
        s->last_ns = now_ns(); /* this took time, but not because somebody stopped us */
}

/* An idle daemon is looked at as seldom as it turns. */
static void BLOCKS sleep_with_hub(struct stall_watcher *w, struct sampling *s)
{
        hub_await_busy(w->hub);
        s->progress = hub_progress(w->hub);
        s->since_ns = s->last_ns = now_ns();
}

static void *watch(void *arg)
{
        struct stall_watcher *w = arg;
        struct sampling s = { .progress = hub_progress(w->hub), .since_ns = now_ns() };

        assert_on_worker();
        native_thread_set_name("stall-watcher");
        s.last_ns = s.since_ns;
        for (int64_t tick_ns; nap(w, tick_ns = w->threshold_ns / 2);) {
                sample(w, &s, tick_ns);
                if (!s.reported && hub_is_idle(w->hub))
                        sleep_with_hub(w, &s);
        }
        return NULL;
}

/* ---- starting and stopping, on the hub's thread ---- */

static void HUB_ONLY watcher_free(struct stall_watcher *w)
{
        pthread_mutex_destroy(&w->lock);
        pthread_cond_destroy(&w->changed);
        sem_destroy(&w->answered);
        free(w);
}

void stall_watcher_set_threshold(struct stall_watcher *w, unsigned ms)
{
        w->threshold_ns = (ms ? ms : DEFAULT_THRESHOLD_MS) * NS_PER_MS;
}

static struct stall_watcher *HUB_ONLY watcher_new(const struct stall_options *opt)
{
        struct stall_watcher *w = NEW(struct stall_watcher);
        pthread_condattr_t monotonic;

        if (opt)
                w->opt = *opt;
        stall_watcher_set_threshold(w, w->opt.threshold_ms);
        w->hub = hub_self();
        w->hub_thread = patcher_original(pthread_self)();
        pthread_mutex_init(&w->lock, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&w->changed, &monotonic);
        pthread_condattr_destroy(&monotonic);
        sem_init(&w->answered, 0, 0);
        return w;
}

struct stall_watcher *stall_watcher_start(const struct stall_options *opt, struct error *err)
{
        struct sigaction action = { .sa_sigaction = on_signal,
                                    .sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK };
        struct stall_watcher *w;
        void *frame;
        int r;

        if (watched_by) {
                error_set(err, ERR_BUSY, "stall watcher: this hub is watched already");
                return NULL;
        }
        if (hub_use_signal_stack(err) < 0) {
                error_while(err, "stall watcher");
                return NULL;
        }
        backtrace(&frame, 1); /* loads libgcc: not for the first time in the handler */
        sigemptyset(&action.sa_mask);
        /* Stays for ever: after stopping a late signal must find a handler, or it would end the process. */
        if (sigaction(SIGRTMIN + 6, &action, NULL) < 0) {
                error_system(err, errno, "stall watcher: signal handler");
                return NULL;
        }
        w = watcher_new(opt);
        watched_by = w;
        r = native_thread_start(&w->thread, watch, w);
        if (r) {
                watched_by = NULL;
                watcher_free(w);
                error_system(err, r, "stall watcher: starting its thread");
                return NULL;
        }
        return w;
}

void stall_watcher_stop(struct stall_watcher *w)
{
        if (!w)
                return;
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->changed);
        pthread_mutex_unlock(&w->lock);
        patcher_original(pthread_join)(w->thread, NULL);
        watched_by = NULL;
        watcher_free(w);
}

unsigned long stall_watcher_count(const struct stall_watcher *w)
{
        return atomic_load(&w->count);
}

void stall_watcher_foreach_culprit(struct stall_watcher *w,
                                   void (*fn)(const struct stall_culprit *c, void *arg), void *arg)
{
        struct stall_culprit copy[STALL_KINDS_MAX];
        unsigned n;

        pthread_mutex_lock(&w->lock);
        n = w->n_culprits;
        memcpy(copy, w->culprits, sizeof(copy));
        pthread_mutex_unlock(&w->lock);
        for (unsigned i = 0; i < n; i++)
                fn(&copy[i], arg);
}
