/*
 * lib/patcher/thread.c: green threads behind pthread_t.
 *
 * A handle is an odd number from a counter that never repeats; the C library's handles are addresses and
 * even, so each call tells them apart and hands native ones on. Records live on the hub's native thread: the
 * thread that waits there for its pthread_join() is a green one, and other native threads have no business
 * with them. Only threads that were made here have such a handle: elsewhere pthread_self() stays the hub
 * thread's own. Attributes other than the detach state do not apply; thread-local storage is the native
 * thread's, so shared.
 *
 * pthread_cancel() is green_cancel(): nothing is unwound, but every wait fails with ECANCELED from then on.
 * While pthread_setcancelstate() has disabled that, the thread is in a shield.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/sync.h"
#include "patcher/patcher_priv.h"

#define BUCKETS       64
#define NATIVE_NAME   16 /* of a native thread's name, with the NUL: the same source must work both ways */
#define JOIN_PAUSE_MS 20

struct record {
        pthread_t handle;
        struct list by_handle; /* from creation until nobody may join it any more */
        struct list by_green;  /* while it runs */
        struct green *green;   /* owned while it runs, then NULL */
        void *(*fn)(void *);
        void *arg, *result;
        bool detached, joining;
        bool shielded; /* it has disabled its cancellation */
        struct green_event ended;
};

static __thread struct {
        bool ready;
        struct list handles[BUCKETS], greens[BUCKETS];
} made;
static pthread_t last_handle = 1;

static bool is_green(pthread_t t)
{
        return t & 1;
}

static void make_tables(void)
{
        for (int i = 0; i < BUCKETS && !made.ready; i++) {
                list_init(&made.handles[i]);
                list_init(&made.greens[i]);
        }
        made.ready = true;
}

static struct list *handle_bucket(pthread_t t)
{
        return &made.handles[t / 2 % BUCKETS];
}

static struct list *green_bucket(const struct green *g)
{
        return &made.greens[(uintptr_t)g / 4096 % BUCKETS]; /* each has a stack of its own */
}

/* NULL: never made on this hub, or joined, or detached and ended. */
static struct record *find(pthread_t t)
{
        if (made.ready && is_green(t)) {
                list_for_each (node, handle_bucket(t)) {
                        struct record *r = CONTAINER_OF(node, struct record, by_handle);

                        if (r->handle == t)
                                return r;
                }
        }
        return NULL;
}

static void forget(struct record *r)
{
        list_remove(&r->by_handle);
        free(r);
}

static int run(void *arg, struct error *err)
{
        struct record *r = arg;

        assert_green();
        r->result = r->fn(r->arg);
        if (r->shielded)
                green_shield_end();
        list_remove(&r->by_green);
        green_unref(take_ptr(&r->green));
        if (r->detached)
                forget(r);
        else
                green_event_set(&r->ended);
        return 0;
}

/* 0 or an error number, as all of them. */
static int HUB_ONLY create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
        struct record *r = NEW(struct record);
        char name[GREEN_NAME_MAX];
        struct error err;
        int detach = PTHREAD_CREATE_JOINABLE;

        make_tables();
        if (attr)
                pthread_attr_getdetachstate(attr, &detach);
        r->fn = fn;
        r->arg = arg;
        r->detached = detach == PTHREAD_CREATE_DETACHED;
        r->handle = __atomic_add_fetch(&last_handle, 2, __ATOMIC_RELAXED);
        green_event_init(&r->ended, "pthread_join");
        snprintf(name, sizeof(name), "pthread-%lu", r->handle / 2);
        r->green = green_spawn_ref_at("pthread_create()", NULL, name, run, r, &err);
        if (!r->green) {
                free(r);
                return EAGAIN;
        }
        list_append(handle_bucket(r->handle), &r->by_handle);
        list_append(green_bucket(r->green), &r->by_green);
        *ret = r->handle;
        return 0;
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
        if (!patcher_in_scope(PATCH_THREAD))
                return ORIGINAL(pthread_create)(ret, attr, fn, arg);
        assert_on_hub();
        return create(ret, attr, fn, arg);
}

/* Of the green thread that runs now; NULL when it was not made here. */
static struct record *HUB_ONLY find_self(void)
{
        struct green *self = green_self();

        if (made.ready) {
                list_for_each (node, green_bucket(self)) {
                        struct record *r = CONTAINER_OF(node, struct record, by_green);

                        if (r->green == self)
                                return r;
                }
        }
        return NULL;
}

pthread_t __wrap_pthread_self(void)
{
        struct record *r = NULL;

        if (patcher_in_scope(PATCH_THREAD)) {
                assert_on_hub();
                r = find_self();
        }
        return r ? r->handle : ORIGINAL(pthread_self)();
}

static int YIELDS join(struct record *r, void **result)
{
        struct error err;

        if (r->green == green_self())
                return EDEADLK;
        if (r->detached || r->joining)
                return EINVAL;
        r->joining = true;
        if (green_event_wait(&r->ended, deadline_never(), &err) < 0) {
                r->joining = false; /* it can still be joined by someone else */
                green_yield();
                return patcher_errno(&err);
        }
        if (result)
                *result = r->result;
        forget(r);
        return 0;
}

/* A native thread: no event tells of its end. */
static int join_native(pthread_t t, void **result)
{
        int64_t pause = 1;
        int saved = errno, r;

        while ((r = pthread_tryjoin_np(t, result)) == EBUSY) {
                if (patcher_sleep_until(deadline_in_ms(pause)) < 0) {
                        errno = saved;
                        return ECANCELED;
                }
                pause = pause * 2 < JOIN_PAUSE_MS ? pause * 2 : JOIN_PAUSE_MS;
        }
        return r;
}

int __wrap_pthread_join(pthread_t t, void **result)
{
        struct record *r;

        if (!is_green(t))
                return patcher_in_scope(PATCH_THREAD) ? join_native(t, result)
                                                      : ORIGINAL(pthread_join)(t, result);
        if (!on_hub_thread())
                return EINVAL; /* a native thread cannot wait for a green one */
        assert_green();
        r = find(t);
        return r ? join(r, result) : ESRCH;
}

int __wrap_pthread_detach(pthread_t t)
{
        struct record *r;

        if (!is_green(t))
                return ORIGINAL(pthread_detach)(t);
        r = find(t);
        if (!r)
                return ESRCH;
        if (r->detached || r->joining)
                return EINVAL;
        r->detached = true;
        if (!r->green)
                forget(r);
        return 0;
}

int __wrap_pthread_setname_np(pthread_t t, const char *name)
{
        struct record *r;

        if (!is_green(t))
                return ORIGINAL(pthread_setname_np)(t, name);
        if (strlen(name) >= NATIVE_NAME)
                return ERANGE;
        r = find(t);
        if (!r || !r->green)
                return ESRCH;
        assert_on_hub();
        green_rename(r->green, name);
        return 0;
}

int __wrap_pthread_cancel(pthread_t t)
{
        struct record *r;

        if (!is_green(t))
                return ORIGINAL(pthread_cancel)(t);
        r = find(t);
        if (!r || !r->green)
                return ESRCH;
        assert_on_hub();
        green_cancel(r->green);
        return 0;
}

int __wrap_pthread_setcancelstate(int state, int *old)
{
        struct record *r = NULL;
        bool shield = state == PTHREAD_CANCEL_DISABLE;

        if (patcher_in_scope(PATCH_THREAD)) {
                assert_on_hub();
                r = find_self();
        }
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
