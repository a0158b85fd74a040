/*
 * lib/patcher/thread_c11.c: thrd_create and its family, which in the C library are pthreads by other names.
 */
#include <errno.h>
#include <stdint.h>

#include "patcher/thread_priv.h"

int __wrap_thrd_create(thrd_t *ret, thrd_start_t fn, void *arg)
{
        if (!patcher_in_scope(PATCH_THREAD))
                return ORIGINAL(thrd_create)(ret, fn, arg);
        assert_on_hub();
        return thread_create(ret, false, NULL, fn, arg) == 0 ? thrd_success : thrd_nomem;
}

int __wrap_thrd_join(thrd_t t, int *result)
{
        void *value;

        if (!thread_is_green(t) && !patcher_in_scope(PATCH_THREAD))
                return ORIGINAL(thrd_join)(t, result);
        if (thread_join(t, &value, deadline_never()) != 0)
                return thrd_error;
        if (result)
                *result = (int)(intptr_t)value;
        return thrd_success;
}

int __wrap_thrd_detach(thrd_t t)
{
        if (!thread_is_green(t))
                return ORIGINAL(thrd_detach)(t);
        return thread_detach(t) == 0 ? thrd_success : thrd_error;
}

void __wrap_thrd_exit(int result)
{
        if (patcher_in_scope(PATCH_THREAD)) {
                assert_on_hub();
                thread_exit((void *)(intptr_t)result);
        }
        ORIGINAL(thrd_exit)(result);
        __builtin_unreachable();
}

thrd_t __wrap_thrd_current(void)
{
        return __wrap_pthread_self();
}

void __wrap_thrd_yield(void)
{
        if (!patcher_in_scope(PATCH_THREAD)) {
                ORIGINAL(thrd_yield)();
                return;
        }
        assert_green();
        green_yield();
}
