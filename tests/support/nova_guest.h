/*
 * tests/support/nova_guest.h: instances of a Zed cloud as nova-compute had them:
 * tests/data/domxml/nova-*.json holds their rows, nova-*.xml what libvirt 9 then said of the guest that
 * nova-compute had defined with KVM.
 */
#pragma once

#include "green/green.h"
#include "virt/libvirt/domxml.h"

extern const char *const nova_guests[]; /* their names, ended by NULL */

/* The definition that this agent makes of the same rows for such a host. Caller frees. */
char *YIELDS nova_guest_ours(const char *name, const char *domain_type);
/* What libvirt said of nova's. Caller frees. */
char *nova_guest_view(const char *name);
