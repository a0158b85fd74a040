/* tests/support/blocking_lib.h: a foreign library that knows nothing of green threads; loaded by dlopen(). */
#pragma once

#include <sys/types.h>

struct blocking_lib {
        unsigned (*sleep)(unsigned seconds);
        unsigned (*sleep_by_pointer)(unsigned seconds); /* through an initialised function pointer */
        ssize_t (*recv)(int fd, void *buf, size_t len);
        int (*poll)(int fd, int timeout_ms); /* for reading */
};

extern const struct blocking_lib blocking_lib;
