/*
 * lib/patcher/io_os.c: with PATCH_OS, read and write on pipes, terminals and whatever else can be polled.
 *
 * There is no MSG_DONTWAIT here, and changing the descriptor's mode would change it for every process that
 * shares it. So poll() is asked first; a pipe that says it is writable takes PIPE_BUF bytes without blocking,
 * and longer writes go in pieces of that. Regular files never make anyone wait in that sense: plain calls.
 */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "patcher/patcher_priv.h"

static bool pollable(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode);
}

static int wait_ready(int fd, short event)
{
        return patcher_wait_ready(fd, event, deadline_never());
}

ssize_t patcher_read_os(int fd, const struct iovec *iov, int n)
{
        if (pollable(fd) && !patcher_nonblocking(fd) && wait_ready(fd, POLLIN) < 0)
                return -1;
        return ORIGINAL(readv)(fd, iov, n);
}

ssize_t patcher_write_os(int fd, const struct iovec *iov, int n)
{
        ssize_t total = 0;

        if (!pollable(fd) || patcher_nonblocking(fd))
                return ORIGINAL(writev)(fd, iov, n);
        for (int i = 0; i < n; i++) {
                const char *p = iov[i].iov_base;
                size_t left = iov[i].iov_len;

                while (left > 0) {
                        ssize_t r = wait_ready(fd, POLLOUT);

                        if (r > 0)
                                r = ORIGINAL(write)(fd, p, left < PIPE_BUF ? left : PIPE_BUF);
                        if (r < 0 && errno == EINTR)
                                continue;
                        if (r < 0)
                                return total > 0 ? total : -1;
                        p += r;
                        left -= (size_t)r;
                        total += r;
                }
        }
        return total;
}
