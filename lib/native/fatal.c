/*
 * lib/native/fatal.c: last words, from within the handler of a signal that ends the process.
 *
 * Anything may be broken or locked now. So what is told is read without locks and memory
 * (green_dump_unsafe(), backtraces), and names of functions, which need both, are looked up in a copy of the
 * process that may crash or hang in doing so: then there are offsets into files instead. An alarm ends it all
 * if even writing hangs.
 */
#include "native/fatal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/raw_line.h"
#include "native/copy.h"
#include "native/native_backtrace.h"
#include "native/symbolise.h"

enum {
        FRAMES_MAX = 48,
        GREEN_MAX = 200, /* more would flood a journal */
        ANSWER_MS = 300,
        NAMES_MS = 5000,
        ALL_S = 10,
};

static const struct {
        int signal;
        const char *name;
} fatal_signals[] = {
        { SIGABRT, "SIGABRT" }, { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },
        { SIGFPE, "SIGFPE" },   { SIGILL, "SIGILL" },   { SIGSYS, "SIGSYS" },
};
static struct sigaction previous[ARRAY_SIZE(fatal_signals)];
static struct hub *_Atomic the_one_hub;
static atomic_int dying; /* the signal that is told of */

struct trace {
        void *frames[FRAMES_MAX];
        int n;
};

static pid_t own_tid(void)
{
        return (pid_t)syscall(SYS_gettid);
}

static size_t index_of(int sig)
{
        size_t i = 0;

        while (i < ARRAY_SIZE(fatal_signals) - 1 && fatal_signals[i].signal != sig)
                i++;
        return i;
}

/* ---- dying ---- */

/* Gives the signal back to whom it belonged. It comes again: by the same instruction, or by this thread. */
static void hand_back(int sig, bool comes_by_itself)
{
        sigaction(sig, &previous[index_of(sig)], NULL);
        if (!comes_by_itself)
                syscall(SYS_tgkill, syscall(SYS_getpid), own_tid(), sig);
}

/* The last words got stuck. */
static void on_alarm(int alarm_signal)
{
        int sig = atomic_load(&dying);
        sigset_t open;

        (void)alarm_signal;
        signal(sig, SIG_DFL);
        sigemptyset(&open);
        sigaddset(&open, sig);
        pthread_sigmask(SIG_UNBLOCK, &open, NULL);
        syscall(SYS_tgkill, syscall(SYS_getpid), own_tid(), sig);
}

static void limit_time(void)
{
        sigset_t open;

        signal(SIGALRM, on_alarm);
        sigemptyset(&open);
        sigaddset(&open, SIGALRM);
        pthread_sigmask(SIG_UNBLOCK, &open, NULL);
        alarm(ALL_S);
}

/* Another thread is at it, and its last act ends this one, too. */
static void wait_for_the_end(void)
{
        const struct timespec enough = { .tv_sec = ALL_S + 1 };

        syscall(SYS_nanosleep, &enough, NULL);
}

/* ---- words ---- */

static void tell_signal(int sig, const siginfo_t *info)
{
        struct raw_line l = { .fd = STDERR_FILENO };
        char name[32] = "";

        raw_add(&l, "fatal signal ");
        raw_add_number(&l, (uintptr_t)sig, 10);
        raw_add(&l, " (");
        raw_add(&l, fatal_signals[index_of(sig)].name);
        if (info->si_code <= 0) {
                raw_add(&l, ") sent by process ");
                raw_add_number(&l, (uintptr_t)info->si_pid, 10);
                raw_add(&l, " of user ");
                raw_add_number(&l, info->si_uid, 10);
        } else if (sig == SIGSYS) {
                raw_add(&l, ") for system call ");
                raw_add_number(&l, (uintptr_t)info->si_syscall, 10);
        } else {
                raw_add(&l, ") at address 0x");
                raw_add_number(&l, (uintptr_t)info->si_addr, 16);
        }
        prctl(PR_GET_NAME, name, 0, 0, 0);
        raw_add(&l, ", taken by native thread ");
        raw_add_number(&l, (uintptr_t)own_tid(), 10);
        raw_add(&l, " ");
        raw_add_name(&l, name, sizeof(name));
        raw_end(&l);
}

static void tell_frame(struct raw_line *l, const char *text)
{
        raw_add(l, "        ");
        raw_add(l, text);
        raw_end(l);
}

static int name_frames(void *arg)
{
        const struct trace *t = arg;
        struct raw_line l = { .fd = STDERR_FILENO };
        char text[512];

        symbolise_in_copy();
        symbolise(t->frames[0], text, sizeof(text)); /* what may fail does so before the first word */
        for (int i = 0; i < t->n; i++) {
                symbolise(t->frames[i], text, sizeof(text));
                tell_frame(&l, text);
        }
        return 0;
}

static void tell_trace(const char *whose, struct trace *t)
{
        const struct copy names = { name_frames, t, { -1, -1 }, NAMES_MS };
        struct raw_line l = { .fd = STDERR_FILENO };
        char text[512];

        raw_add(&l, whose);
        raw_add(&l, t->n > 0 ? " is at" : " does not say where it is");
        raw_end(&l);
        if (t->n <= 0 || copy_run(&names) == 0)
                return;
        for (int i = 0; i < t->n; i++) {
                symbolise_plainly(t->frames[i], text, sizeof(text));
                tell_frame(&l, text);
        }
}

static void tell_all(int sig, const siginfo_t *info, const void *context)
{
        const struct hub *hub = atomic_load(&the_one_hub);
        struct raw_line l = { .fd = STDERR_FILENO };
        struct trace t;

        tell_signal(sig, info);
        t.n = native_backtrace_interrupted(context, t.frames, FRAMES_MAX);
        tell_trace(hub && hub_tid(hub) == own_tid() ? "the hub's thread" : "that thread", &t);
        if (!hub)
                return;
        if (hub_tid(hub) != own_tid()) {
                t.n = native_backtrace(hub_tid(hub), t.frames, FRAMES_MAX, ANSWER_MS);
                tell_trace("the hub's thread", &t);
        }
        green_dump_unsafe(hub, STDERR_FILENO, GREEN_MAX);
        raw_add(&l, "end of what could be said");
        raw_end(&l);
}

static void on_fatal(int sig, siginfo_t *info, void *context)
{
        int none = 0;

        if (atomic_compare_exchange_strong(&dying, &none, sig)) {
                limit_time();
                tell_all(sig, info, context);
                alarm(0);
        } else {
                wait_for_the_end();
        }
        hand_back(sig, info->si_code > 0 && sig != SIGABRT && sig != SIGSYS);
}

/* ---- installing ---- */

int fatal_start(struct error *err)
{
        struct sigaction action = { .sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

        if (hub_use_signal_stack(err) < 0 || native_backtrace_start(err) < 0)
                return error_while(err, "telling of fatal signals");
        atomic_store(&the_one_hub, hub_self());
        sigfillset(&action.sa_mask); /* a fault of the handler's own is not handled: it is the end */
        for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
                if (sigaction(fatal_signals[i].signal, &action, &previous[i]) < 0)
                        return error_system(err, errno, "telling of fatal signals");
        return 0;
}

void fatal_stop(void)
{
        atomic_store(&the_one_hub, NULL);
}
