/*
 * lib/base/context.h: the rules of concurrency as words in declarations, checked by clang's -Wthread-safety.
 *
 * Three rules: green calls only on the hub thread, blocking calls only on worker threads, events of native
 * threads only through a native queue. gcc reads the words as comments. Nobody sees calls through pointers,
 * so entry points (green thread functions, handlers, callbacks) begin with assert_on_hub() or assert_green().
 */
#pragma once

#if defined(__clang__)
#define CONTEXT(x) __attribute__((x))
#else
#define CONTEXT(x)
#endif

struct CONTEXT(capability("role")) context {
        char unused;
};
extern struct context on_hub, may_yield, on_worker, files_answer;

/* Touches data of the hub thread; never switches. */
#define HUB_ONLY CONTEXT(requires_capability(on_hub))
/* Other green threads may run before it returns: what was read before must be read again after. */
#define YIELDS HUB_ONLY CONTEXT(requires_capability(may_yield))
/* Calls the file system, which may take its time or not answer at all: see local_files(). */
#define FILES CONTEXT(requires_capability(files_answer))
/* May block its native thread: worker threads only, never the hub. */
#define BLOCKS CONTEXT(requires_capability(on_worker, files_answer))

/* Abort unless called on the hub thread. */
void CONTEXT(assert_capability(on_hub)) assert_on_hub(void);
/* The first line of a green thread's function: on the hub, and allowed to yield. */
void CONTEXT(assert_capability(on_hub)) CONTEXT(assert_capability(may_yield)) assert_green(void);
/* The first line of a function that blocks by design: aborts on a hub thread. */
void CONTEXT(assert_capability(on_worker)) CONTEXT(assert_capability(files_answer)) assert_on_worker(void);
/*
 * The first line of a function that may run on the hub and calls the file system all the same: `why` says why
 * that answers at once, always. Nothing happens; base/file_calls.h is what asks for it.
 */
static inline void CONTEXT(assert_capability(files_answer)) local_files(const char *why)
{
        (void)why;
}

/* Between the two a switch is a bug and aborts: marks where shared state is read and then updated. */
void HUB_ONLY CONTEXT(release_capability(may_yield)) atomic_begin(void);
void HUB_ONLY CONTEXT(acquire_capability(may_yield)) atomic_end(void);

#if defined(__clang__) && defined(FILES_ARE_CHECKED)
#include "base/file_calls.h"
#endif
