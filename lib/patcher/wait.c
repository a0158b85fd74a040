/*
 * lib/patcher/wait.c: waiting for child processes, by looking with WNOHANG.
 *
 * For one child a pidfd says when to look again. "Any child" and "one of a group" have no such descriptor,
 * nor do stops and continuations: then it is looked at after pauses that grow, as eventlet does for all.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "patcher/patcher_priv.h"

enum { PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 20, NO_DESCRIPTOR = -2 };

struct watch {
        int fd; /* a pidfd of our own; -1: not tried yet; NO_DESCRIPTOR: pauses */
        int64_t pause_ms;
};

/* After a look that found nothing. pid > 0: that child only. 0, or -1 with errno ECANCELED. */
static int next_look(struct watch *w, pid_t pid, int options)
{
        int64_t pause = w->pause_ms;

        if (w->fd == -1) {
                w->fd = NO_DESCRIPTOR;
                if (pid > 0 && !(options & (WUNTRACED | WCONTINUED)))
                        w->fd = (int)syscall(SYS_pidfd_open, pid, 0);
                if (w->fd < 0) /* an old kernel, or no descriptor left */
                        w->fd = NO_DESCRIPTOR;
        }
        if (w->fd >= 0)
                return patcher_wait(w->fd, GREEN_READ, deadline_never());
        w->pause_ms = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
        return patcher_sleep_until(deadline_in_ms(pause));
}

static void end_watch(struct watch *w)
{
        int saved = errno;

        if (w->fd >= 0) {
                assert_on_hub();
                green_close(w->fd);
        }
        errno = saved;
}

static pid_t green_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
        struct watch w = { -1, PAUSE_MIN_MS };
        pid_t r;

        while ((r = ORIGINAL(wait4)(pid, status, options | WNOHANG, usage)) == 0)
                if (next_look(&w, pid, options) < 0) {
                        r = -1;
                        break;
                }
        end_watch(&w);
        return r;
}

static bool waits(int options)
{
        return !(options & WNOHANG) && patcher_in_scope(PATCH_OS);
}

pid_t __wrap_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
        return waits(options) ? green_wait4(pid, status, options, usage)
                              : ORIGINAL(wait4)(pid, status, options, usage);
}

pid_t __wrap_wait3(int *status, int options, struct rusage *usage)
{
        return waits(options) ? green_wait4(-1, status, options, usage)
                              : ORIGINAL(wait3)(status, options, usage);
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
        return waits(options) ? green_wait4(pid, status, options, NULL)
                              : ORIGINAL(waitpid)(pid, status, options);
}

pid_t __wrap_wait(int *status)
{
        return waits(0) ? green_wait4(-1, status, 0, NULL) : ORIGINAL(wait)(status);
}

static int green_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
        struct watch w = { -1, PAUSE_MIN_MS };
        pid_t pid = type == P_PID ? (pid_t)id : 0;
        siginfo_t own;
        int r;

        if (!info)
                info = &own;
        for (;;) {
                info->si_pid = 0;
                r = ORIGINAL(waitid)(type, id, info, options | WNOHANG);
                if (r != 0 || info->si_pid != 0)
                        break;
                if (type == P_PIDFD && !(options & (WSTOPPED | WCONTINUED)))
                        r = patcher_wait((int)id, GREEN_READ, deadline_never());
                else
                        r = next_look(&w, pid, options);
                if (r < 0)
                        break;
        }
        end_watch(&w);
        return r;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
        if (!waits(options) || (type == P_PIDFD && patcher_nonblocking((int)id)))
                return ORIGINAL(waitid)(type, id, info, options);
        return green_waitid(type, id, info, options);
}
