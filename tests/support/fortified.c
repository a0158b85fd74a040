/* tests/support/fortified.c: compiled with optimisation and _FORTIFY_SOURCE=3, whatever the rest is. */
#include "fortified.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buf[16];

int fortified_poll(int fd, unsigned n, int timeout_ms)
{
        struct pollfd p[1] = { { .fd = fd, .events = POLLIN } };

        return poll(p, n, timeout_ms);
}

int fortified_ppoll(int fd, unsigned n, long timeout_ms)
{
        struct pollfd p[1] = { { .fd = fd, .events = POLLIN } };
        struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000 };

        return ppoll(p, n, &ts, NULL);
}

ssize_t fortified_recv(int fd, size_t len)
{
        return recv(fd, buf, len, 0);
}

ssize_t fortified_recvfrom(int fd, size_t len)
{
        return recvfrom(fd, buf, len, 0, NULL, NULL);
}

ssize_t fortified_read(int fd, size_t len)
{
        return read(fd, buf, len);
}

int fortified_select(int fd, int timeout_ms)
{
        struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
        fd_set in;

        FD_ZERO(&in);
        FD_SET(fd, &in); /* by __fdelt_chk */
        return select(fd + 1, &in, NULL, NULL, &tv);
}
