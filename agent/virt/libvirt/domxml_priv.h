/* agent/virt/libvirt/domxml_priv.h: the two halves of a domain's XML: what it is, and its devices. */
#pragma once

#include "virt/libvirt/domxml.h"
#include "virt/libvirt/xmlwrite.h"

bool domxml_is_hypervised(const struct domxml_host *h); /* by QEMU, emulated or not */

/* domxml_devices.c */
void domxml_write_devices(xmlTextWriter *w, const struct domxml_host *h, const struct guest_spec *s);
