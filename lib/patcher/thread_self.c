/*
 * lib/patcher/thread_self.c: names, signals and cancellation of green threads behind pthread_t.
 *
 * pthread_cancel() is green_cancel(): nothing is unwound, but every wait fails with ECANCELED from then on,
 * and pthread_testcancel() ends the thread. While pthread_setcancelstate() has disabled that, it is in a
 * shield.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "patcher/thread_priv.h"

/* NULL as well where threads are not patched. */
static struct record *self(void)
{
        return patcher_in_scope(PATCH_THREAD) ? thread_find_self() : NULL;
}

/* NULL: it is not there any more. */
static struct record *running(pthread_t t)
{
        struct record *r = thread_find(t);

        return r && r->green ? r : NULL;
}

pthread_t __wrap_pthread_self(void)
{
        const struct record *r = self();

        return r ? r->handle : ORIGINAL(pthread_self)();
}

int __wrap_pthread_setname_np(pthread_t t, const char *name)
{
        struct record *r;

        if (!thread_is_green(t))
                return ORIGINAL(pthread_setname_np)(t, name);
        if (strlen(name) >= NATIVE_NAME)
                return ERANGE;
        r = running(t);
        if (!r)
                return ESRCH;
        assert_on_hub();
        green_rename(r->green, name);
        return 0;
}

int __wrap_pthread_getname_np(pthread_t t, char *name, size_t size)
{
        struct record *r;

        if (!thread_is_green(t))
                return ORIGINAL(pthread_getname_np)(t, name, size);
        if (size < NATIVE_NAME)
                return ERANGE;
        r = running(t);
        if (!r)
                return ESRCH;
        assert_on_hub();
        snprintf(name, NATIVE_NAME, "%s", green_name(r->green));
        return 0;
}

/* A signal is for a native thread: the hub's, on whose stacks its handler then runs. */
int __wrap_pthread_kill(pthread_t t, int sig)
{
        if (!thread_is_green(t))
                return ORIGINAL(pthread_kill)(t, sig);
        return thread_find(t) ? ORIGINAL(pthread_kill)(ORIGINAL(pthread_self)(), sig) : ESRCH;
}

int __wrap_pthread_cancel(pthread_t t)
{
        struct record *r;

        if (!thread_is_green(t))
                return ORIGINAL(pthread_cancel)(t);
        r = running(t);
        if (!r)
                return ESRCH;
        assert_on_hub();
        green_cancel(r->green);
        return 0;
}

void __wrap_pthread_testcancel(void)
{
        const struct record *r = self();

        if (!r) {
                ORIGINAL(pthread_testcancel)();
                return;
        }
        assert_on_hub();
        if (green_cancelled() && !r->shielded)
                thread_exit(PTHREAD_CANCELED);
}

int __wrap_pthread_setcancelstate(int state, int *old)
{
        struct record *r = self();
        bool shield = state == PTHREAD_CANCEL_DISABLE;

        if (!r)
                return ORIGINAL(pthread_setcancelstate)(state, old);
        assert_on_hub();
        if (!shield && state != PTHREAD_CANCEL_ENABLE)
                return EINVAL;
        if (old)
                *old = r->shielded ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE;
        if (shield && !r->shielded)
                green_shield_begin();
        if (!shield && r->shielded)
                green_shield_end();
        r->shielded = shield;
        return 0;
}

int __wrap_sched_yield(void)
{
        if (!patcher_in_scope(PATCH_THREAD))
                return ORIGINAL(sched_yield)();
        assert_green();
        green_yield();
        return 0;
}
