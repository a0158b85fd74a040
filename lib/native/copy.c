/*
 * lib/native/copy.c: _Fork(), a deadline, and a way back from where a copy crashed.
 *
 * System calls are made directly: this runs in signal handlers, and names may be the patcher's.
 */
#include "native/copy.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"

enum {
        STACK_SIZE = 1024 * 1024,
        LOOK_MS = 2,
        KILL_MS = 1000, /* after that it is left alone: the kernel does not let it go */
};

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };

/* ---- in the copy ---- */

static void close_all_but(int low, int high)
{
        if (low > high) {
                int between = low;

                low = high;
                high = between;
        }
        if (low <= STDERR_FILENO)
                low = STDERR_FILENO;
        if (high < low)
                high = low;
        syscall(SYS_close_range, STDERR_FILENO + 1, low - 1, 0); /* EINVAL: there are none */
        syscall(SYS_close_range, low + 1, high - 1, 0);
        syscall(SYS_close_range, high + 1, ~0U, 0);
}

static const struct copy *running;

static void __attribute__((noreturn)) run_and_exit(void)
{
        _exit(running->run(running->arg) & 127);
}

/* A signal handler's stack is too small for what libdw does. */
static void run_on_large_stack(void)
{
        static ucontext_t there;
        void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (stack != MAP_FAILED && getcontext(&there) == 0) {
                there.uc_stack = (stack_t){ .ss_sp = stack, .ss_size = STACK_SIZE };
                makecontext(&there, run_and_exit, 0);
                setcontext(&there);
        }
}

static void __attribute__((noreturn)) be_the_copy(const struct copy *c)
{
        const struct rlimit no_core = {}; /* it would have the memory of the process, and not its fault */
        sigset_t blocked;
        stack_t stack;

        syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        setrlimit(RLIMIT_CORE, &no_core);
        sigfillset(&blocked);
        sigdelset(&blocked, SIGALRM);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
                signal(faults[i], SIG_DFL); /* the handlers' words are about the process itself */
                sigdelset(&blocked, faults[i]);
        }
        sigprocmask(SIG_SETMASK, &blocked, NULL);
        close_all_but(c->keep[0], c->keep[1]);
        running = c;
        if (sigaltstack(NULL, &stack) == 0 && stack.ss_flags & SS_ONSTACK)
                run_on_large_stack();
        run_and_exit();
}

static sigjmp_buf way_back;

static void on_failure(int sig)
{
        siglongjmp(way_back, sig);
}

bool copy_try(void (*fn)(void *arg), void *arg, unsigned ms)
{
        const struct itimerval limit = { .it_value = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 } };
        const struct itimerval none = {};
        volatile bool whole = false;

        for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
                signal(faults[i], on_failure);
        signal(SIGALRM, on_failure);
        if (sigsetjmp(way_back, 1) == 0) {
                setitimer(ITIMER_REAL, &limit, NULL);
                fn(arg);
                whole = true;
        }
        setitimer(ITIMER_REAL, &none, NULL);
        signal(SIGALRM, SIG_IGN); /* one that comes late has nowhere to go back to */
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
                signal(faults[i], SIG_DFL);
        return whole;
}

/* ---- in the process ---- */

static int64_t now_ns(void) /* never the fake clock */
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* True when it has ended, and how: 0 to 127, or -1. */
static bool has_ended(pid_t pid, unsigned ms, int *ret_status)
{
        const struct timespec pause = { .tv_nsec = LOOK_MS * NS_PER_MS };
        int64_t until = now_ns() + ms * NS_PER_MS;
        siginfo_t info = {};

        while (syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG, NULL) == 0 && info.si_pid != pid) {
                if (now_ns() >= until)
                        return false;
                syscall(SYS_nanosleep, &pause, NULL);
        }
        *ret_status = info.si_pid == pid && info.si_code == CLD_EXITED ? info.si_status : -1;
        return true;
}

int copy_run(const struct copy *c)
{
        pid_t pid = _Fork();
        int status;

        if (pid == 0)
                be_the_copy(c);
        if (pid < 0)
                return -1;
        if (has_ended(pid, c->ms, &status)) {
                errno = EFAULT;
                return status;
        }
        syscall(SYS_kill, pid, SIGKILL);
        has_ended(pid, KILL_MS, &status);
        errno = ETIMEDOUT;
        return -1;
}
