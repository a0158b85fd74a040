/* agent/process.c: signals come as bytes of a descriptor that a green thread reads. */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "green/green.h"

static int signal_fd = -1;

static int make_directory(const char *path, const char *option, struct error *err)
{
        CLEANUP(freep) char *copy = xstrdup(path);
        struct stat st;

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
        sigset_t wanted;

        signal(SIGPIPE, SIG_IGN); /* libvirt sets it only when the first guest starts (design 7) */
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGHUP);
        sigaddset(&wanted, SIGUSR2);
        if (sigprocmask(SIG_BLOCK, &wanted, NULL) < 0)
                return error_system(err, errno, "blocking signals");
        signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signal_fd < 0)
                return error_system(err, errno, "signalfd");
        raise_descriptor_limit();
        umask(022); /* QEMU, perhaps another user, must reach the disks */
        if (make_directory(conf->state_path, "state_path", err) < 0 ||
            make_directory(conf->instances_path, "instances_path", err) < 0)
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
