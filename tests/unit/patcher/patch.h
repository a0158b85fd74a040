/* tests/unit/patcher/patch.h: what the patcher's tests share. */
#pragma once

#include <sys/socket.h>

#include "green_test.h"
#include "patcher/patcher.h"

static inline void patch(unsigned categories)
{
        struct error err = {};

        ck_assert_ok(monkey_patch(categories, &err), err);
}

static inline void HUB_ONLY spawn(const char *name, green_fn *fn, void *arg)
{
        struct error err = {};

        ck_assert_ok(green_spawn(NULL, name, fn, arg, &err), err);
}

struct pair {
        int a, b;
};

static inline struct pair stream_pair(void)
{
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        return (struct pair){ fds[0], fds[1] };
}

/* Counts how often the hub let it run; ends when it is cancelled. */
static inline int ticker(void *count, struct error *err)
{
        assert_green();
        while (green_sleep(0.01, err) == 0)
                ++*(int *)count;
        return 0;
}
