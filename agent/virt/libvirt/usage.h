/*
 * agent/virt/libvirt/usage.h: what a guest has used, as libvirt counts it (nova-contract 3.4,
 * get_diagnostics).
 */
#pragma once

#include <libvirt/libvirt.h>

#include "base/context.h"
#include "virt/driver.h"

/* A counter that this hypervisor does not have is left out, as is a device that has gone meanwhile. */
int BLOCKS usage_read(virDomainPtr dom, struct guest_usage *ret, struct error *err);

/* The pure part: disks and interfaces of a domain's XML, with all counters 0. On failure *ret is as it was.
 */
int usage_devices(const char *xml, struct guest_usage *ret, struct error *err);
