/*
 * lib/native/copy.h: what may crash or hang is done in a forked copy of the process, which does so alone.
 *
 * The copy has the memory of this instant, and one thread: the caller's. Locks that other threads held stay
 * held in it for ever, and what they were changing is half changed, so it looks at things, writes them down,
 * and ends. Nothing that it does to memory reaches the process itself. No lock is taken on the way there:
 * handlers of pthread_atfork() are not called.
 */
#pragma once

#include <stdbool.h>

struct copy {
        int (*run)(void *arg); /* in the copy; what it returns is its exit status: 0 to 127 */
        void *arg;
        int keep[2]; /* descriptors above 2 that it needs; the others are closed in it. -1: none */
        unsigned ms; /* when it is killed */
};
/*
 * Any thread, async-signal-safe; waits for its end. -1: errno is ETIMEDOUT, EFAULT (it crashed), or says why
 * there was no copy.
 */
int copy_run(const struct copy *c);
/* In the copy: false when fn crashed, aborted or took longer; what it left behind is to be left alone. */
bool copy_try(void (*fn)(void *arg), void *arg, unsigned ms);
