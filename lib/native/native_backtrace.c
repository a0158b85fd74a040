/*
 * lib/native/native_backtrace.c: one question at a time, in memory that was there before.
 *
 * The thread that is asked answers only what it is asked at that moment: a signal that comes late finds the
 * question withdrawn. If a thread has begun to answer and never ends, nobody is asked any more.
 */
#include "native/native_backtrace.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/raw_line.h"

enum {
        FRAMES_MAX = 64,
        OWN_FRAMES_MAX = 8, /* the handler's own, before those of the interrupted code */
        LOOK_MS = 1,
        ANSWER_MS = 500, /* from the beginning of an answer to its end */
};

enum asking { NOT_ASKED, ASKED, ANSWERING, ANSWERED };

static atomic_bool busy; /* somebody asks */
static _Atomic enum asking asking;
static _Atomic pid_t asked;
static void *answer[FRAMES_MAX];
static int answer_len;

int native_backtrace_signal(void)
{
        return SIGRTMIN + 7;
}

/* ---- on the thread that is asked ---- */

static void *interrupted_at(const void *context)
{
#if defined(__x86_64__)
        return (void *)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
        return (void *)((const ucontext_t *)context)->uc_mcontext.pc;
#else
        return NULL;
#endif
}

int native_backtrace_interrupted(const void *context, void **frames, int max)
{
        void *all[OWN_FRAMES_MAX + FRAMES_MAX], *here = interrupted_at(context);
        int n = backtrace(all, ARRAY_SIZE(all)), first = 0;

        while (first < n && first < OWN_FRAMES_MAX && all[first] != here)
                first++;
        if (first == n || first == OWN_FRAMES_MAX)
                first = 0; /* better too many than none */
        n -= first;
        if (n > max)
                n = max;
        memcpy(frames, all + first, (size_t)n * sizeof(all[0]));
        return n;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
        enum asking expected = ASKED;
        int saved_errno = errno;

        (void)sig;
        (void)info;
        if (atomic_load(&asked) == (pid_t)syscall(SYS_gettid) &&
            atomic_compare_exchange_strong(&asking, &expected, ANSWERING)) {
                answer_len = native_backtrace_interrupted(context, answer, ARRAY_SIZE(answer));
                atomic_store(&asking, ANSWERED);
        }
        errno = saved_errno;
}

/* ---- who asks ---- */

/* The kernel's word for it, "SigBlk:" in hexadecimal. True also for a thread that is gone. */
static bool blocks_signal(pid_t tid)
{
        struct raw_line path = {};
        char text[4096], *at = NULL;
        long n = -1;
        int fd;

        raw_add(&path, "/proc/self/task/");
        raw_add_number(&path, (uintptr_t)tid, 10);
        raw_add(&path, "/status");
        fd = (int)syscall(SYS_openat, AT_FDCWD, path.text, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = syscall(SYS_read, fd, text, sizeof(text) - 1);
                syscall(SYS_close, fd);
        }
        text[n > 0 ? n : 0] = '\0';
        at = strstr(text, "\nSigBlk:");
        return !at ||
               strtoull(at + sizeof("\nSigBlk:") - 1, NULL, 16) & 1ULL << (native_backtrace_signal() - 1);
}

static bool await(enum asking what, unsigned ms)
{
        const struct timespec pause = { .tv_nsec = LOOK_MS * NS_PER_MS };

        for (unsigned i = 0; i < ms / LOOK_MS && atomic_load(&asking) != what; i++)
                syscall(SYS_nanosleep, &pause, NULL);
        return atomic_load(&asking) == what;
}

int native_backtrace(pid_t tid, void **frames, int max, unsigned ms)
{
        enum asking expected = ASKED;
        int n = 0;

        if (blocks_signal(tid) || atomic_exchange(&busy, true))
                return -1;
        atomic_store(&asked, tid);
        atomic_store(&asking, ASKED);
        if (syscall(SYS_tgkill, syscall(SYS_getpid), tid, native_backtrace_signal()) < 0)
                n = -1;
        if (n == 0 && !await(ANSWERED, ms) &&
            !atomic_compare_exchange_strong(&asking, &expected, NOT_ASKED) && !await(ANSWERED, ANSWER_MS))
                return 0; /* and `busy` for ever */
        if (atomic_exchange(&asking, NOT_ASKED) == ANSWERED) {
                n = answer_len < max ? answer_len : max;
                memcpy(frames, answer, (size_t)n * sizeof(frames[0]));
        }
        atomic_store(&busy, false);
        return n;
}

int native_backtrace_start(struct error *err)
{
        struct sigaction action = { .sa_sigaction = on_signal,
                                    .sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK };
        void *frame;

        backtrace(&frame, 1); /* loads libgcc: not for the first time in the handler */
        sigemptyset(&action.sa_mask);
        /* Stays for ever: a late signal must find a handler, or it would end the process. */
        if (sigaction(native_backtrace_signal(), &action, NULL) < 0)
                return error_system(err, errno, "backtraces of native threads: signal handler");
        return 0;
}
