/*
 * lib/process/child.c: a process without fork.
 *
 * Forking would copy the page tables of the whole agent and leave copies of other threads' locks in the
 * child. So the child is made by clone() with CLONE_VM and CLONE_VFORK, as posix_spawn() does it: it borrows
 * our memory, on a stack of its own, and this thread sleeps until it has called execve() or ended. Unlike
 * with posix_spawn() it can also set limits and leave its directory before that.
 *
 * What the child may do is little. All signals are blocked from before clone() until every handler is gone,
 * or a handler could run twice in the same memory. It makes bare system calls: wrappers of a sanitizer would
 * change what they know about *this* process. Nothing it writes is read by anybody else, except the report of
 * a failure, which comes through a pipe.
 */
#include "process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define NOT_INSTRUMENTED __attribute__((no_sanitize("address", "thread", "undefined")))

enum { STACK_SIZE = 64 * 1024, SIGNALS = 64 };

/*
 * The C library's clone() by its other name: ThreadSanitizer's wrapper of the first takes the child for a
 * forked one and switches itself off in it, which with CLONE_VM means in this process.
 */
int __clone(int (*fn)(void *arg), void *stack, int flags, void *arg, ...);

enum stage { STAGE_SESSION, STAGE_DESCRIPTORS, STAGE_CWD, STAGE_LIMITS, STAGE_EXEC };

struct failure {
        enum stage stage;
        int sys;
};

struct start {
        const struct child_spec *spec;
        int report_fd;
        int in, out, err; /* copies above 2, so that none is overwritten by another */
};

struct kernel_sigaction { /* all zero is SIG_DFL with no flags, in whatever order the kernel has them */
        unsigned long words[4];
};

static int NOT_INSTRUMENTED give_up(const struct start *s, enum stage stage)
{
        struct failure f = { stage, errno };

        syscall(SYS_write, s->report_fd, &f, sizeof(f));
        syscall(SYS_exit_group, 127);
        return 127;
}

static int NOT_INSTRUMENTED set_limit(int which, uint64_t soft, uint64_t hard)
{
        struct rlimit limit = { soft, hard };

        return (int)syscall(SYS_prlimit64, 0, which, &limit, NULL);
}

/* Runs in the child, in the memory of its parent. */
static int NOT_INSTRUMENTED child_main(void *arg)
{
        const struct start *s = arg;
        const struct child_spec *spec = s->spec;
        struct kernel_sigaction by_default = {};
        unsigned long no_signals = 0;

        for (int sig = 1; sig <= SIGNALS; sig++) /* fails for SIGKILL and SIGSTOP, which have no handlers */
                syscall(SYS_rt_sigaction, sig, &by_default, NULL, sizeof(no_signals));
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof(no_signals));

        if (syscall(SYS_setsid) < 0)
                return give_up(s, STAGE_SESSION);
        if (syscall(SYS_dup3, s->in, STDIN_FILENO, 0) < 0 ||
            syscall(SYS_dup3, s->out, STDOUT_FILENO, 0) < 0 ||
            syscall(SYS_dup3, s->err, STDERR_FILENO, 0) < 0)
                return give_up(s, STAGE_DESCRIPTORS);
        /* Ours have O_CLOEXEC, but a library's may not. Kernels before 5.11 must live with that. */
        if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 && errno != ENOSYS && errno != EINVAL)
                return give_up(s, STAGE_DESCRIPTORS);
        /* What a service manager lets us read, a program that looks at a stranger's file may not. Without
         * such capabilities, or on a kernel that has none, there is nothing to take away. */
        syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        if (spec->cwd && syscall(SYS_chdir, spec->cwd) < 0)
                return give_up(s, STAGE_CWD);
        if (spec->limit_as && set_limit(RLIMIT_AS, spec->limit_as, spec->limit_as) < 0)
                return give_up(s, STAGE_LIMITS);
        /* One more second before SIGKILL: SIGXCPU says why. */
        if (spec->limit_cpu_s && set_limit(RLIMIT_CPU, spec->limit_cpu_s, spec->limit_cpu_s + 1) < 0)
                return give_up(s, STAGE_LIMITS);
        syscall(SYS_execve, spec->path, spec->argv, spec->envp);
        return give_up(s, STAGE_EXEC);
}

static int HUB_ONLY clone_child(struct start *s, struct child *ret)
{
        unsigned long all_signals = ~0UL, before;
        char *stack = xmalloc(STACK_SIZE);
        int pidfd = -1, failed;
        pid_t pid;

        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all_signals, &before, sizeof(before));
        pid = __clone(child_main, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, s,
                      &pidfd);
        failed = errno;
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
        free(stack);
        if (pid < 0)
                return failed;
        ret->pid = pid;
        ret->pidfd = pidfd;
        return 0;
}

static int HUB_ONLY describe(const struct child_spec *spec, const struct failure *f, struct error *err)
{
        switch (f->stage) {
        case STAGE_CWD:
                return error_system(err, f->sys, "directory %s", spec->cwd);
        case STAGE_LIMITS:
                return error_system(err, f->sys, "setting resource limits");
        case STAGE_EXEC:
                return error_system(err, f->sys, "running %s", spec->path);
        default:
                return error_system(err, f->sys, "preparing the process");
        }
}

int child_start(const struct child_spec *spec, struct child *ret, struct error *err)
{
        CLEANUP(closep) int in = fcntl(spec->stdin_fd, F_DUPFD_CLOEXEC, 3);
        CLEANUP(closep) int out = fcntl(spec->stdout_fd, F_DUPFD_CLOEXEC, 3);
        CLEANUP(closep) int errors = fcntl(spec->stderr_fd, F_DUPFD_CLOEXEC, 3);
        CLEANUP(closep) int report = -1;
        struct start s = { .spec = spec, .in = in, .out = out, .err = errors };
        struct failure failure;
        siginfo_t info;
        int pipe_fds[2], sys;

        if (in < 0 || out < 0 || errors < 0)
                return error_system(err, errno, "copying a descriptor");
        if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return error_system(err, errno, "pipe");
        report = pipe_fds[0];
        s.report_fd = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, 3);
        sys = s.report_fd < 0 ? errno : clone_child(&s, ret);
        closep(&pipe_fds[1]);
        closep(&s.report_fd);
        if (sys)
                return error_system(err, sys, "starting a process");
        /* By now it has called execve() or is past anything that takes time, so nothing is waited for. */
        if (read(report, &failure, sizeof(failure)) != sizeof(failure))
                return 0;
        while (waitid(P_PIDFD, (id_t)ret->pidfd, &info, WEXITED) < 0 && errno == EINTR)
                ;
        closep(&ret->pidfd);
        return describe(spec, &failure, err);
}

int child_signal(const struct child *c, int sig)
{
        return kill(-c->pid, sig) < 0 ? errno : 0; /* unreaped, so the number is still its own */
}

int child_reap(struct child *c, struct error *err)
{
        siginfo_t info = {};
        int r, sys;

        r = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG);
        sys = errno;
        green_close(c->pidfd);
        c->pidfd = -1;
        if (r < 0)
                return error_system(err, sys, "process %d: its exit status was taken by somebody else",
                                    (int)c->pid);
        if (info.si_pid == 0)
                return error_set(err, ERR_BUSY, "process %d has not ended", (int)c->pid);
        return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static int reap(void *arg, struct error *err)
{
        struct child *c = arg;
        struct error ignored;
        int r;

        assert_green();
        r = green_wait_fd(c->pidfd, GREEN_READ, deadline_never(), err);
        child_reap(c, &ignored);
        free(c);
        return r < 0 ? -1 : 0;
}

void child_reap_later(struct child *c)
{
        struct child *copy = (struct child *)xmemdup(c, sizeof(*c));
        struct error ignored;
        char name[GREEN_NAME_MAX];

        snprintf(name, sizeof(name), "reap process %d", (int)c->pid);
        c->pidfd = -1;
        if (green_spawn(NULL, name, reap, copy, &ignored) == 0)
                return;
        green_close(copy->pidfd); /* the hub is going down: whoever inherits the child reaps it */
        free(copy);
}
