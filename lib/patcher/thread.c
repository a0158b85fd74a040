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
 * pthread_exit() is a jump to where the thread began: handlers of pthread_cleanup_push() do not run.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "patcher/thread_priv.h"

#define BUCKETS       64
#define JOIN_PAUSE_MS 20

static __thread struct {
        bool ready;
        struct list handles[BUCKETS], greens[BUCKETS];
} made;
static pthread_t last_handle = 1;

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

struct record *thread_find(pthread_t t)
{
        if (made.ready && thread_is_green(t)) {
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
        if (_setjmp(r->leave) == 0) /* else it comes from thread_exit(), with the result set */
                r->result = r->c11_fn ? (void *)(intptr_t)r->c11_fn(r->arg) : r->fn(r->arg);
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

int thread_create(pthread_t *ret, bool detached, void *(*fn)(void *), thrd_start_t c11_fn, void *arg)
{
        struct record *r = calloc(1, sizeof(*r));
        char name[GREEN_NAME_MAX];
        struct error err;

        if (!r)
                return EAGAIN;
        make_tables();
        r->fn = fn;
        r->c11_fn = c11_fn;
        r->arg = arg;
        r->detached = detached;
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
        int detach = PTHREAD_CREATE_JOINABLE;

        if (!patcher_in_scope(PATCH_THREAD))
                return ORIGINAL(pthread_create)(ret, attr, fn, arg);
        assert_on_hub();
        if (attr)
                pthread_attr_getdetachstate(attr, &detach);
        return thread_create(ret, detach == PTHREAD_CREATE_DETACHED, fn, NULL, arg);
}

struct record *thread_find_self(void)
{
        struct green *self;

        if (!made.ready || !on_hub_thread())
                return NULL;
        assert_on_hub();
        self = green_self();
        list_for_each (node, green_bucket(self)) {
                struct record *r = CONTAINER_OF(node, struct record, by_green);

                if (r->green == self)
                        return r;
        }
        return NULL;
}

/* ---- its end ---- */

void thread_exit(void *result)
{
        struct record *r = thread_find_self();

        if (!r) { /* the hub's native thread would end, with every green thread */
                fprintf(stderr,
                        "patcher: pthread_exit() or thrd_exit() in a green thread that was not made by "
                        "pthread_create() or thrd_create()\n");
                abort();
        }
        r->result = result;
        _longjmp(r->leave, 1);
}

void __wrap_pthread_exit(void *result)
{
        if (patcher_in_scope(PATCH_THREAD)) {
                assert_on_hub();
                thread_exit(result);
        }
        ORIGINAL(pthread_exit)(result);
        __builtin_unreachable();
}

static int YIELDS join_green(struct record *r, void **result, struct deadline by)
{
        struct error err;

        if (r->green == green_self())
                return EDEADLK;
        if (r->detached || r->joining)
                return EINVAL;
        r->joining = true;
        if (green_event_wait(&r->ended, by, &err) < 0) {
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
static int join_native(pthread_t t, void **result, struct deadline by)
{
        int64_t pause = 1;
        int saved = errno, r;

        while ((r = ORIGINAL(pthread_tryjoin_np)(t, result)) == EBUSY) {
                if (deadline_passed(by))
                        return ETIMEDOUT;
                if (patcher_sleep_until(deadline_earlier(by, deadline_in_ms(pause))) < 0) {
                        errno = saved;
                        return ECANCELED;
                }
                pause = pause * 2 < JOIN_PAUSE_MS ? pause * 2 : JOIN_PAUSE_MS;
        }
        return r;
}

int thread_join(pthread_t t, void **result, struct deadline by)
{
        struct record *r;

        if (!thread_is_green(t))
                return join_native(t, result, by);
        if (!on_hub_thread())
                return EINVAL; /* a native thread cannot wait for a green one */
        assert_green();
        r = thread_find(t);
        return r ? join_green(r, result, by) : ESRCH;
}

/* Neither green, nor waited for greenly. */
static bool stays_native(pthread_t t)
{
        return !thread_is_green(t) && !patcher_in_scope(PATCH_THREAD);
}

int __wrap_pthread_join(pthread_t t, void **result)
{
        return stays_native(t) ? ORIGINAL(pthread_join)(t, result) : thread_join(t, result, deadline_never());
}

int __wrap_pthread_tryjoin_np(pthread_t t, void **result)
{
        struct record *r;

        if (!thread_is_green(t))
                return ORIGINAL(pthread_tryjoin_np)(t, result);
        r = thread_find(t);
        if (r && r->green && !r->detached && !r->joining)
                return EBUSY;
        return thread_join(t, result, deadline_never());
}

int __wrap_pthread_clockjoin_np(pthread_t t, void **result, clockid_t clock, const struct timespec *until)
{
        if (stays_native(t) || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
                return thread_is_green(t) ? EINVAL : ORIGINAL(pthread_clockjoin_np)(t, result, clock, until);
        if (until && !patcher_time_valid(until))
                return EINVAL;
        return thread_join(t, result, until ? patcher_deadline_at(clock, until) : deadline_never());
}

int __wrap_pthread_timedjoin_np(pthread_t t, void **result, const struct timespec *until)
{
        return stays_native(t) ? ORIGINAL(pthread_timedjoin_np)(t, result, until)
                               : __wrap_pthread_clockjoin_np(t, result, CLOCK_REALTIME, until);
}

int thread_detach(pthread_t t)
{
        struct record *r = thread_find(t);

        if (!r)
                return ESRCH;
        if (r->detached || r->joining)
                return EINVAL;
        r->detached = true;
        if (!r->green)
                forget(r);
        return 0;
}

int __wrap_pthread_detach(pthread_t t)
{
        return thread_is_green(t) ? thread_detach(t) : ORIGINAL(pthread_detach)(t);
}
