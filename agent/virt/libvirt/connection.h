/*
 * agent/virt/libvirt/connection.h: one connection to the hypervisor, kept up for ever.
 *
 * A green thread opens it in the pool with a deadline, watches it, and opens it again after it broke, with
 * pauses that grow and differ. What happens is announced through the driver's queue, in order with the
 * hypervisor's own events: CONNECTED, DISCONNECTED, and RESYNC after a gap and 2 s after every open, because
 * a driver that adopts running guests learns their true states only in the background (design 7).
 */
#pragma once

#include <libvirt/libvirt.h>

#include "native/native_queue.h"
#include "native/tpool.h"
#include "virt/libvirt/events.h"

struct connection;

struct connection_options {
        const char *uri;
        double open_timeout_s;
        unsigned keepalive_interval_s, keepalive_count;
        struct tpool *tpool;        /* borrowed */
        struct native_queue *queue; /* borrowed; of struct virt_fact */
};
struct connection *HUB_ONLY connection_new(const struct connection_options *opt);
int HUB_ONLY connection_start(struct connection *c, struct error *err);
/* Ends the green thread, deregisters, closes, frees. What hangs is left behind. NULL allowed. */
void YIELDS connection_stop(struct connection *c);

int YIELDS connection_wait(struct connection *c, struct deadline by, struct error *err);
/*
 * The connection with a reference of its own, which whoever uses it gives back with virConnectClose() on a
 * worker. Where there is none it is opened now; NULL and NOVA_HYPERVISOR_UNAVAILABLE if that fails, or takes
 * more than a moment.
 */
virConnectPtr YIELDS connection_get(struct connection *c, struct deadline by, struct error *err);
/* A call failed in a way that blames the connection: it is looked at now rather than at its next turn. */
void HUB_ONLY connection_suspect(struct connection *c);
/* A FACT_CLOSED came out of the queue. */
void HUB_ONLY connection_closed(struct connection *c, const struct virt_fact *fact);

struct connection_status {
        bool connected;
        unsigned long generation; /* how many opens there have been */
        double gap_s;             /* how long there has been none */
        const char *last_error;   /* borrowed */
        const char *arch;         /* of the host; "" before the first open */
};
void HUB_ONLY connection_get_status(const struct connection *c, struct connection_status *ret);
