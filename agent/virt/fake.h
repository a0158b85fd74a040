/*
 * agent/virt/fake.h: a hypervisor in memory, with the semantics of driver.h, and what tests do to it.
 *
 * virt_fake_new() is declared in driver.h. Every call yields at least once, so orderings that only hold when
 * nothing switches are found. `op` names a member of struct virt_driver_ops: "spawn", "power_off", ...
 * All functions here are for drivers made by virt_fake_new() only; hub thread.
 */
#pragma once

#include "virt/driver.h"

/* The next call of op fails so, having done nothing. Several may be queued, for the same op too. */
void HUB_ONLY virt_fake_fail_next(struct virt_driver *d, const char *op, int code, const char *text);
/* The next call of op waits until its deadline and fails with ERR_TIMEOUT, having done nothing. */
void HUB_ONLY virt_fake_hang_next(struct virt_driver *d, const char *op);
/* The next call of op takes that long before it does its work. */
void HUB_ONLY virt_fake_slow_next(struct virt_driver *d, const char *op, double seconds);
/* How often op was called. */
unsigned HUB_ONLY virt_fake_calls(const struct virt_driver *d, const char *op);

/* The guest does it by itself: its state changes and the event is sent. False: there is no such guest. */
bool HUB_ONLY virt_fake_guest_stops(struct virt_driver *d, const char *uuid);
bool HUB_ONLY virt_fake_guest_crashes(struct virt_driver *d, const char *uuid);
bool HUB_ONLY virt_fake_guest_starts(struct virt_driver *d, const char *uuid);
/* Changes the state behind everybody's back: no event. */
bool HUB_ONLY virt_fake_set_state(struct virt_driver *d, const char *uuid, enum power_state state);
/* A guest that nobody spawned (an orphan of earlier days). */
void HUB_ONLY virt_fake_add_guest(struct virt_driver *d, const char *uuid, const char *name,
                                  enum power_state state);
/* Whether shutdown() does something: a guest that ignores its power button. Default: it obeys at once. */
bool HUB_ONLY virt_fake_ignore_acpi(struct virt_driver *d, const char *uuid, bool ignore);

/* The guest has no VNC display. */
bool HUB_ONLY virt_fake_without_display(struct virt_driver *d, const char *uuid);

/* Just the event, whatever the guest's state: outdated or invented ones. */
void HUB_ONLY virt_fake_emit(struct virt_driver *d, const char *uuid, enum virt_event_kind kind);
/* While disconnected every call fails with NOVA_HYPERVISOR_UNAVAILABLE; connecting again sends RESYNC. */
void HUB_ONLY virt_fake_set_connected(struct virt_driver *d, bool connected);
/* Waits until every event sent so far was handled. */
int YIELDS virt_fake_drain(struct virt_driver *d, struct deadline by, struct error *err);

/* What get_host_info() will answer; defaults: "fake-host", 8 vcpus, 16 GiB, QEMU 7002000. */
void HUB_ONLY virt_fake_set_host(struct virt_driver *d, const char *hostname, int64_t vcpus,
                                 int64_t memory_mb);
/* The status says that the hypervisor cannot have guests of this virt_type (a literal); NULL: of any. */
void HUB_ONLY virt_fake_lack(struct virt_driver *d, const char *virt_type);
/* 9000000 and 7002000 unless set. */
void HUB_ONLY virt_fake_set_versions(struct virt_driver *d, int64_t libvirt, int64_t qemu);
/* The spec a guest was last defined from, or NULL; borrowed until it is defined again or undefined. */
const struct guest_spec *HUB_ONLY virt_fake_spec(struct virt_driver *d, const char *uuid);
