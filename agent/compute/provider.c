/*
 * agent/compute/provider.c: this host as placement's resource provider, and the allocations of its instances
 * (nova-contract 4.6, 6.1).
 *
 * Placement decides what the scheduler offers this host for, so it is told only what this agent does. A
 * placement that does not answer is logged and told at the next audit: guests do not depend on it.
 */
#define LOG_MODULE "compute.provider"
#include "compute/compute_priv.h"

#include <stdio.h>

#include "base/log.h"
#include "peers/placement.h"

/* What of nova-compute's traits this agent does, too. */
#define TRAITS_DONE TRAIT_COMPUTE_NODE, "COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW"

/*
 * What nova-compute says of itself and this agent does not do (yet): taken away from a provider that a
 * nova-compute made. Traits of CPUs are not here: the hardware stays the same.
 */
#define TRAITS_NOT_DONE                                                                                     \
        "COMPUTE_ACCELERATORS", "COMPUTE_DEVICE_TAGGING", "COMPUTE_GRAPHICS_MODEL_BOCHS",                   \
                "COMPUTE_GRAPHICS_MODEL_CIRRUS", "COMPUTE_GRAPHICS_MODEL_GOP",                              \
                "COMPUTE_GRAPHICS_MODEL_NONE", "COMPUTE_GRAPHICS_MODEL_QXL", "COMPUTE_GRAPHICS_MODEL_VGA",  \
                "COMPUTE_GRAPHICS_MODEL_VIRTIO", "COMPUTE_GRAPHICS_MODEL_VMVGA",                            \
                "COMPUTE_GRAPHICS_MODEL_XEN", "COMPUTE_IMAGE_TYPE_AKI", "COMPUTE_IMAGE_TYPE_AMI",           \
                "COMPUTE_IMAGE_TYPE_ARI", "COMPUTE_IMAGE_TYPE_ISO", "COMPUTE_NET_ATTACH_INTERFACE",         \
                "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG", "COMPUTE_NET_VIF_MODEL_E1000",                     \
                "COMPUTE_NET_VIF_MODEL_E1000E", "COMPUTE_NET_VIF_MODEL_NE2K_PCI",                           \
                "COMPUTE_NET_VIF_MODEL_PCNET", "COMPUTE_NET_VIF_MODEL_RTL8139",                             \
                "COMPUTE_NET_VIF_MODEL_SPAPR_VLAN", "COMPUTE_NET_VIF_MODEL_VIRTIO",                         \
                "COMPUTE_NET_VIF_MODEL_VMXNET3", "COMPUTE_RESCUE_BFV", "COMPUTE_SECURITY_UEFI_SECURE_BOOT", \
                "COMPUTE_SOCKET_PCI_NUMA_AFFINITY", "COMPUTE_STORAGE_BUS_FDC", "COMPUTE_STORAGE_BUS_IDE",   \
                "COMPUTE_STORAGE_BUS_SATA", "COMPUTE_STORAGE_BUS_SCSI", "COMPUTE_STORAGE_BUS_USB",          \
                "COMPUTE_STORAGE_BUS_VIRTIO", "COMPUTE_TRUSTED_CERTS", "COMPUTE_VIOMMU_MODEL_AUTO",         \
                "COMPUTE_VIOMMU_MODEL_INTEL", "COMPUTE_VIOMMU_MODEL_SMMUV3", "COMPUTE_VIOMMU_MODEL_VIRTIO", \
                "COMPUTE_VOLUME_ATTACH_WITH_TAG", "COMPUTE_VOLUME_EXTEND", "COMPUTE_VOLUME_MULTI_ATTACH"

static const char *const enabled_traits[] = { TRAITS_DONE, NULL };
static const char *const disabled_traits[] = { TRAITS_DONE, TRAIT_STATUS_DISABLED, NULL };
static const char *const owned_traits[] = { TRAITS_DONE, TRAITS_NOT_DONE, TRAIT_STATUS_DISABLED, NULL };

void provider_report(struct compute_manager *m, struct deadline by)
{
        const struct compute_node_row *row = tracker_row(m->tracker);
        const struct conf *c = m->conf;
        char uuid[UUID_LEN + 1];
        struct error err = {};

        if (!m->placement || !row)
                return;
        /* Copies: the row may change while placement is talked to. */
        snprintf(uuid, sizeof(uuid), "%s", row->uuid);
        struct placement_inventory inventories[] = {
                { "VCPU", row->vcpus, c->reserved_host_cpus, row->cpu_allocation_ratio },
                { "MEMORY_MB", row->memory_mb, c->reserved_host_memory_mb, row->ram_allocation_ratio },
                { "DISK_GB", row->local_gb, (c->reserved_host_disk_mb + 1023) / 1024,
                  row->disk_allocation_ratio },
        };
        struct placement_host host = {
                .uuid = uuid,
                .name = tracker_node(m->tracker),
                .inventories = inventories,
                .n_inventories = ARRAY_SIZE(inventories),
                .traits = m->service.disabled ? disabled_traits : enabled_traits,
                .owned = owned_traits,
        };
        if (placement_report(m->placement, &host, by, &err) < 0 && err.code != ERR_CANCELLED)
                log_warning("placement is not told what this host has: %s; the next audit tries again",
                            err.text);
}

int provider_release(struct compute_manager *m, const char *uuid, struct deadline by, struct error *err)
{
        if (!m->placement || placement_allocation_delete(m->placement, uuid, by, err) == 0)
                return 0;
        return error_while(err, "removing the allocations of instance %s", uuid);
}
