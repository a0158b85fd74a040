/*
 * agent/virt/libvirt/events.h: libvirt's event loop on a native thread of its own, and what comes out of it.
 *
 * The loop is process-wide and must be registered before any connection is opened. Its callbacks copy the
 * facts, push them into a native queue and return; a green thread of the driver reads them there.
 */
#pragma once

#include <stdbool.h>

#include <libvirt/libvirt.h>

#include "base/context.h"
#include "native/native_queue.h"
#include "virt/driver.h"

enum virt_fact_kind {
        FACT_LIFECYCLE, /* event, detail: libvirt's */
        FACT_CLOSED,    /* the connection was lost; detail: virConnectCloseReason */
        FACT_ANNOUNCE,  /* from the hub itself, to keep its order; event: enum virt_event_kind */
};

struct virt_fact { /* an item of the queue */
        enum virt_fact_kind kind;
        unsigned long generation; /* which connection it came from */
        char uuid[UUID_LEN + 1];
        int event, detail;
};

/* What a lifecycle fact means to compute/; false: nothing (nova-contract 7.6). */
bool virt_fact_to_event(const struct virt_fact *fact, struct virt_event *ret);

/* Starts the thread "libvirt-events", or counts one more user of it. Before any open. */
int HUB_ONLY events_thread_start(struct error *err);
/* One user less; the last one ends and joins the thread. */
void BLOCKS events_thread_stop(void);

/*
 * Where the callbacks of one connection push to; counted, because libvirt lets go of its share only when the
 * loop has seen the deregistration. The queue must outlive every source.
 */
struct event_source;
struct event_source *event_source_new(struct native_queue *queue, unsigned long generation);
void event_source_ref(struct event_source *s);
void event_source_unref(struct event_source *s); /* NULL allowed */
/* How many sources there are in the process; 0: no callback can come any more. */
unsigned event_sources_alive(void);

/* Lifecycle and close callbacks. On failure none is left registered. */
int BLOCKS events_register(virConnectPtr conn, struct event_source *s, struct error *err);
/* All of them; must come before virConnectClose(), which otherwise leaks the connection (design 7). */
void BLOCKS events_deregister(virConnectPtr conn, struct event_source *s);
