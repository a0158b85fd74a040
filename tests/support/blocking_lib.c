/* tests/support/blocking_lib.c: blocking calls as any C library makes them: sleep, recv, poll, no more. */
#include "blocking_lib.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

extern unsigned (*blocking_sleep_pointer)(unsigned seconds);
unsigned (*blocking_sleep_pointer)(unsigned seconds) = sleep;

static unsigned lib_sleep(unsigned seconds)
{
        return sleep(seconds);
}

static unsigned lib_sleep_by_pointer(unsigned seconds)
{
        return blocking_sleep_pointer(seconds);
}

static ssize_t lib_recv(int fd, void *buf, size_t len)
{
        return recv(fd, buf, len, 0);
}

static int lib_poll(int fd, int timeout_ms)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, timeout_ms);
}

const struct blocking_lib blocking_lib = {
        .sleep = lib_sleep,
        .sleep_by_pointer = lib_sleep_by_pointer,
        .recv = lib_recv,
        .poll = lib_poll,
};
