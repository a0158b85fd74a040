/*
 * agent/virt/libvirt/vir_error.h: libvirt's error of this native thread as one of ours.
 *
 * NOVA_INSTANCE_NOT_FOUND when there is no such domain, NOVA_HYPERVISOR_UNAVAILABLE when the connection is to
 * blame, else NOVA_LIBVIRT_ERROR; sys is libvirt's number (virErrorNumber) in each case.
 */
#pragma once

#include <stdbool.h>

#include "base/context.h"
#include "base/error.h"

/* Right after the call that failed, on the same thread. Returns -1. */
int BLOCKS vir_error(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Once per process: libvirt prints nothing by itself. */
void vir_error_silence(void);
