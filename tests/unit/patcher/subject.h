/*
 * tests/unit/patcher/subject.h: how each patched symbol is put into the situations of test_symbols.c.
 *
 * A subject is one symbol: how to make a scene in which a call of it would block, the call, and what lets the
 * call go on. symbols_*.c have one table for each category; a name of patched_symbols[] that is in none of
 * them fails test_symbols.c.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "green/sanitizer.h"
#include "patch.h"
#include "patcher/patcher_priv.h"

/* All of it lives until the test's process ends, as do the threads that use it. */
struct scene {
        int fd;       /* what the call is made for */
        int peer;     /* its other end */
        int other;    /* whatever else is needed */
        int limit_ms; /* of calls that have a timeout; -1: none */
        pid_t child;
        pthread_t thread;
        atomic_bool released;
        char path[64];
};

enum {
        WAITS = 1 << 0,       /* it can block: would-block, EINTR, errno, cancelled, native, unpatched */
        HAS_FD = 1 << 1,      /* and is woken when its descriptor is closed */
        NONBLOCKING = 1 << 2, /* and heeds the descriptor's O_NONBLOCK */
        LIMITED = 1 << 3,     /* and has a timeout */
        OUTSIDE = 1 << 5,     /* its end comes from another process, which the fake clock does not know */
        BY_PAUSES = 1 << 6,   /* it looks again after pauses, since no descriptor tells when */
        NATIVE_UNKNOWN_TO_TSAN = 1 << 7,     /* it does not follow such native threads, and calls them lost */
        NATIVE_UNKNOWN_TO_VALGRIND = 1 << 8, /* a system call that it does not have */
        SLEEPS = 1 << 4,                     /* it waits for nothing but the time: SLEEP_S */
};

enum { SLEEP_S = 2, LIMIT_MS = 800, NO_FD = 987 };

struct answer {
        long r;
        int sys; /* errno when r is negative */
};

struct subject {
        const char *name;
        unsigned flags;
        void (*open)(struct scene *s);
        long (*call)(struct scene *s);
        void (*release)(struct scene *s); /* any native thread; does not block */
        long success;
        void (*limit)(struct scene *s); /* SO_RCVTIMEO or the like; NULL: limit_ms is enough */
        struct answer late;             /* the time limit passed */
        struct answer nonblocking;
        struct answer closed;
        struct answer cancelled;
        /* Sends `size` bytes, more than the socket takes at once. NULL: does not send. */
        long (*send_much)(struct scene *s, char *data, size_t size);
        /* Bad input number `which`, without blocking; false: there are no more. */
        bool (*bad)(struct scene *s, int which, struct answer *ret);
        void (*own)(void); /* for what does not wait: the test of its own, in a green thread */
};

extern const struct subject socket_subjects[], send_subjects[], select_subjects[], os_subjects[],
        thread_subjects[], time_subjects[];

static inline bool answer_of(struct answer *ret, long r)
{
        *ret = (struct answer){ r, r < 0 ? errno : 0 };
        return true;
}

/*
 * Addresses that are not there. The sanitizers look at them before the kernel does, and object: there, such a
 * case is left out on both sides.
 */
#if defined(WITH_ASAN) || defined(WITH_TSAN)
#define WILD_ANSWER(ret, call) answer_of(ret, 0)
#else
#define WILD_ANSWER(ret, call) answer_of(ret, call)
#endif
__attribute__((unused)) static volatile int minus_one = -1;
__attribute__((unused)) static void *volatile nowhere, *volatile wild = (void *)16;

/* Those that return their error. */
static inline long by_errno(int r)
{
        errno = r;
        return r == 0 ? 0 : -1;
}
