/*
 * agent/virt/libvirt/vif.h: is all there that a guest's network interfaces are plugged into?
 *
 * Asked before anything is done to a guest, so that a guest that runs is not ended for a start that must
 * fail. Only libvirtd's own machine can be asked, which is ours.
 */
#pragma once

#include "native/tpool.h"
#include "virt/driver.h"

/*
 * A Linux bridge that misses is made when its network says so, as nova's plug-in does. NOVA_INVALID_INPUT: a
 * device is missing, or is no bridge.
 */
int YIELDS vif_prepare(struct tpool *p, const struct guest_spec *s, struct deadline by, struct error *err);
