/*
 * agent/virt/libvirt/events.c: libvirt's event loop on a native thread of its own.
 *
 * A timer that is normally off is how another thread makes the loop turn once more to see that it shall
 * end. Callbacks run on this thread and may only copy and push.
 */
#define LOG_MODULE "virt.libvirt.events"
#include "virt/libvirt/events.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <libvirt/virterror.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/original.h"
#include "native/native_thread.h"
#include "virt/libvirt/vir_error.h"

/* ---- from libvirt's words to ours ---- */

bool virt_fact_to_event(const struct virt_fact *fact, struct virt_event *ret)
{
        enum virt_event_kind kind;

        switch (fact->event) {
        case VIR_DOMAIN_EVENT_STARTED:
                kind = VIRT_EVENT_STARTED;
                break;
        case VIR_DOMAIN_EVENT_STOPPED:
                kind = VIRT_EVENT_STOPPED;
                break;
        case VIR_DOMAIN_EVENT_SUSPENDED:
                kind = VIRT_EVENT_PAUSED;
                break;
        case VIR_DOMAIN_EVENT_RESUMED:
                kind = VIRT_EVENT_RESUMED;
                break;
        default: /* defined, undefined, shutdown, pmsuspended, crashed: nova looks at none of them */
                return false;
        }
        *ret = (struct virt_event){ .kind = kind, .detail = fact->detail };
        snprintf(ret->uuid, sizeof(ret->uuid), "%s", fact->uuid);
        return true;
}

/* ---- the thread ---- */

enum { LAST_TURN_MS = 5, LAST_TURNS = 200 };

static struct {
        unsigned users; /* hub thread and the worker that stops it never at once: see driver.c */
        bool registered;
        int timer;
        pthread_t thread;
        atomic_bool stop;
} loop;

static atomic_uint sources; /* event_sources_alive() */

static void on_wake(int timer, void *arg)
{
        (void)arg;
        virEventUpdateTimeout(timer, atomic_load(&loop.stop) ? LAST_TURN_MS : -1);
}

static void *run_loop(void *arg)
{
        static const struct timespec pause = { .tv_nsec = 100000000 };

        (void)arg;
        patcher_original(pthread_setname_np)(pthread_self(), "libvirt-events");
        /* libvirt gives back what was deregistered in a later turn: a few more of them after the stop. */
        for (int last = 0; !atomic_load(&loop.stop) || (atomic_load(&sources) > 0 && last < LAST_TURNS);
             last += atomic_load(&loop.stop)) {
                if (virEventRunDefaultImpl() < 0) {
                        const virError *e = virGetLastError();

                        log_error("libvirt's event loop failed (%s); trying again",
                                  e && e->message ? e->message : "no reason given");
                        patcher_original(nanosleep)(&pause, NULL);
                }
        }
        return NULL;
}

static int register_loop(struct error *err)
{
        if (loop.registered)
                return 0;
        if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
                return error_set(err, NOVA_LIBVIRT_ERROR, "libvirt's event loop cannot be set up");
        loop.timer = virEventAddTimeout(-1, on_wake, NULL, NULL);
        if (loop.timer < 0)
                return error_set(err, NOVA_LIBVIRT_ERROR, "libvirt's event loop takes no timer");
        loop.registered = true;
        return 0;
}

int events_thread_start(struct error *err)
{
        int r;

        if (loop.users > 0) {
                loop.users++;
                return 0;
        }
        if (register_loop(err) < 0)
                return -1;
        atomic_store(&loop.stop, false);
        r = native_thread_start(&loop.thread, run_loop, NULL);
        if (r != 0)
                return error_system(err, r, "starting the thread of libvirt's events");
        loop.users = 1;
        return 0;
}

void events_thread_stop(void)
{
        if (loop.users == 0 || --loop.users > 0)
                return;
        atomic_store(&loop.stop, true);
        virEventUpdateTimeout(loop.timer, 0);
        patcher_original(pthread_join)(loop.thread, NULL);
}

/* ---- callbacks ---- */

struct event_source {
        struct native_queue *queue;
        unsigned long generation;
        atomic_uint refs;
        int lifecycle_id;
        bool close_registered, close_released;
};

struct event_source *event_source_new(struct native_queue *queue, unsigned long generation)
{
        struct event_source *s = NEW(struct event_source);

        s->queue = queue;
        s->generation = generation;
        s->lifecycle_id = -1;
        atomic_init(&s->refs, 1);
        atomic_fetch_add(&sources, 1);
        return s;
}

void event_source_ref(struct event_source *s)
{
        atomic_fetch_add(&s->refs, 1);
}

void event_source_unref(struct event_source *s)
{
        if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
                return;
        free(s);
        atomic_fetch_sub(&sources, 1);
}

unsigned event_sources_alive(void)
{
        return atomic_load(&sources);
}

static void let_go(void *arg)
{
        event_source_unref(arg);
}

static void let_go_of_close(void *arg)
{
        ((struct event_source *)arg)->close_released = true;
        event_source_unref(arg);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *arg)
{
        struct event_source *s = arg;
        struct virt_fact fact = {
                .kind = FACT_LIFECYCLE, .generation = s->generation, .event = event, .detail = detail
        };
        char uuid[VIR_UUID_STRING_BUFLEN];

        (void)conn;
        if (virDomainGetUUIDString(dom, uuid) < 0)
                return 0;
        snprintf(fact.uuid, sizeof(fact.uuid), "%s", uuid);
        native_queue_push(s->queue, &fact); /* full: the reader is told */
        return 0;
}

static void on_close(virConnectPtr conn, int reason, void *arg)
{
        struct event_source *s = arg;
        struct virt_fact fact = { .kind = FACT_CLOSED, .generation = s->generation, .detail = reason };

        (void)conn;
        native_queue_push(s->queue, &fact);
}

int events_register(virConnectPtr conn, struct event_source *s, struct error *err)
{
        event_source_ref(s);
        s->lifecycle_id =
                virConnectDomainEventRegisterAny(conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                 VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), s, let_go);
        if (s->lifecycle_id < 0) {
                event_source_unref(s);
                return vir_error(err, "registering for events");
        }
        event_source_ref(s);
        if (virConnectRegisterCloseCallback(conn, on_close, s, let_go_of_close) == 0)
                s->close_registered = true;
        else
                event_source_unref(s);
        return 0;
}

/*
 * A driver without a connection that could be lost accepts the close callback, forgets it, and never releases
 * it; the remote one releases it before it returns.
 */
void events_deregister(virConnectPtr conn, struct event_source *s)
{
        if (s->lifecycle_id >= 0)
                virConnectDomainEventDeregisterAny(conn, s->lifecycle_id);
        s->lifecycle_id = -1;
        if (s->close_registered && virConnectUnregisterCloseCallback(conn, on_close) == 0 &&
            !s->close_released)
                event_source_unref(s);
        s->close_registered = false;
}
