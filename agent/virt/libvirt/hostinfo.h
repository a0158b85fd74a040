/*
 * agent/virt/libvirt/hostinfo.h: what the compute_nodes row says of the host (nova-contract 4.6).
 */
#pragma once

#include <libvirt/libvirt.h>

#include "base/context.h"
#include "virt/driver.h"

/* On failure *ret holds nothing. */
int BLOCKS hostinfo_read(virConnectPtr conn, struct host_info *ret, struct error *err);

/*
 * The pure part. expanded_cpu: the host's CPU with all its features spelt out, or NULL. Results are JSON
 * text, freed by the caller.
 */
int hostinfo_parse(const char *capabilities, const char *expanded_cpu, char **ret_cpu_info,
                   char **ret_supported_instances, struct error *err);
/* The features of a <cpu> document, and values of an <enum> of domain capabilities, as words. */
char *hostinfo_features(const char *cpu);
char *hostinfo_device_values(const char *domain_capabilities, const char *device, const char *name);
