/*
 * agent/process.c: what the process needs before there are threads: directories, limits, the lock that keeps
 * a second agent out, and signals, which come as bytes of a descriptor that a green thread reads.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "green/green.h"

enum { LOCK_TRIES = 20, LOCK_PAUSE_US = 100 * 1000 };

static int signal_fd = -1;
static int lock_fd = -1; /* held until the process ends */

static int make_directory(const char *path, const char *option, struct error *err)
{
        CLEANUP(freep) char *copy = xstrdup(path);
        struct stat st;

        local_files("state_path, before the hub turns");
        for (char *c = copy + 1; *c; c++) {
                if (*c != '/')
                        continue;
                *c = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return error_system(err, errno, "%s: making directory %s", option, copy);
                *c = '/';
        }
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return error_system(err, errno, "%s: making directory %s", option, path);
        if (stat(path, &st) < 0)
                return error_system(err, errno, "%s: %s", option, path);
        if (!S_ISDIR(st.st_mode))
                return error_set(err, ERR_INVALID, "%s: %s is not a directory", option, path);
        if (access(path, W_OK | X_OK) < 0)
                return error_system(err, errno, "%s: writing to %s", option, path);
        return 0;
}

/*
 * Two agents on one state_path would each take the other's work for what a dead agent left, and "recover" it.
 * One that was killed a moment ago may not be gone quite yet, so it is tried for two seconds.
 */
static int lock_state(const char *state_path, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/compute-agent.lock", state_path);
        CLEANUP(closep) int fd = -1;
        char owner[16] = "";

        local_files("state_path, before the hub turns");
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return error_system(err, errno, "opening %s", path);
        for (int n = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; n++) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return error_system(err, errno, "locking %s", path);
                if (n == LOCK_TRIES) {
                        if (read(fd, owner, sizeof(owner) - 1) <= 0)
                                snprintf(owner, sizeof(owner), "unknown");
                        owner[strcspn(owner, "\n")] = '\0';
                        return error_set(err, ERR_BUSY,
                                         "another compute-agent (pid %s) works on state_path %s: stop it "
                                         "first, or give this one a state_path of its own",
                                         owner, state_path);
                }
                usleep(LOCK_PAUSE_US);
        }
        if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
                (void)!ftruncate(fd,
                                 0); /* a full disk: a second agent is kept out without being told our pid */
        lock_fd = fd;
        fd = -1;
        return 0;
}

static void raise_descriptor_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
                setrlimit(RLIMIT_NOFILE, &limit); /* the soft limit may stay: then it is what there is */
        }
}

int process_prepare(const struct conf *conf, struct error *err)
{
        sigset_t wanted, blocked;

        signal(SIGPIPE, SIG_IGN); /* libvirt sets it only when the first guest starts (design 7) */
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGHUP);
        blocked = wanted;
        sigaddset(&blocked, SIGUSR2); /* report/report.c has its own descriptor for it */
        if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
                return error_system(err, errno, "blocking signals");
        signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signal_fd < 0)
                return error_system(err, errno, "signalfd");
        raise_descriptor_limit();
        umask(022); /* QEMU, perhaps another user, must reach the disks */
        if (make_directory(conf->state_path, "state_path", err) < 0 || lock_state(conf->state_path, err) < 0)
                return -1;
        return 0;
}

int process_next_signal(struct error *err)
{
        struct signalfd_siginfo info;

        for (;;) {
                ssize_t n = read(signal_fd, &info, sizeof(info));

                if (n == (ssize_t)sizeof(info))
                        return (int)info.ssi_signo;
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return error_system(err, errno, "reading signals");
                if (green_wait_fd(signal_fd, GREEN_READ, deadline_never(), err) < 0)
                        return -1;
        }
}
