/*
 * lib/patcher/thread_priv.h: green threads behind pthread_t, for thread*.c.
 */
#pragma once

#include <setjmp.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/sync.h"
#include "patcher/patcher_priv.h"

#define NATIVE_NAME 16 /* of a native thread's name, with the NUL: the same source must work both ways */

struct record {
        pthread_t handle;
        struct list by_handle; /* from creation until nobody may join it any more */
        struct list by_green;  /* while it runs */
        struct green *green;   /* owned while it runs, then NULL */
        void *(*fn)(void *);
        thrd_start_t c11_fn; /* of thrd_create(), instead */
        void *arg, *result;
        jmp_buf leave; /* pthread_exit() goes here */
        bool detached, joining;
        bool shielded; /* it has disabled its cancellation */
        struct green_event ended;
};

/* A handle that was made here, on whatever hub; the C library's are addresses, and even. */
static inline bool thread_is_green(pthread_t t)
{
        return t & 1;
}

/* NULL: never made on this hub, or joined, or detached and ended. */
struct record *thread_find(pthread_t t);
/* Of the green thread that runs now; NULL when it was not made here, or outside of a hub. */
struct record *thread_find_self(void);

/* These return 0 or an error number, as all of them do. One of fn and c11_fn is NULL. */
int HUB_ONLY thread_create(pthread_t *ret, bool detached, void *(*fn)(void *), thrd_start_t c11_fn,
                           void *arg);
int thread_join(pthread_t t, void **result, struct deadline by);
int thread_detach(pthread_t t);
/* Ends the green thread that runs now; aborts when it is none of ours. */
void HUB_ONLY thread_exit(void *result) __attribute__((noreturn));
