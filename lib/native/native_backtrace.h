/*
 * lib/native/native_backtrace.h: where a native thread of this process is: it is asked by a signal, because
 * only a thread itself can walk its own stack.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* SIGRTMIN+7, handled with SA_RESTART: a sleep or poll may return early with EINTR. */
int native_backtrace_start(struct error *err); /* once, early; again does nothing */
/*
 * Return addresses, innermost first, of a thread other than the caller. 0: it did not answer in time, as when
 * it is stuck in the kernel; -1: it cannot be asked (it blocks the signal, or has ended, or another thread is
 * asking meanwhile). Any thread, async-signal-safe.
 */
int native_backtrace(pid_t tid, void **frames, int max, unsigned ms);
/* In a signal handler: of what was interrupted. `context` is the handler's third argument. */
int native_backtrace_interrupted(const void *context, void **frames, int max);

int native_backtrace_signal(void); /* which native_thread_start() leaves unblocked */
