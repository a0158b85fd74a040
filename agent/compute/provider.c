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

/* Is the host disabled? nova-api writes that in the row, at any time; the row of the last report may be old.
 */
static void YIELDS read_disabled(struct compute_manager *m, struct deadline by)
{
        struct error err = {};

        if (m->service.id != 0 && store_service_refresh(m->store, &m->service, by, &err) < 0 &&
            err.code != ERR_CANCELLED)
                log_warning("%s; placement is told what the last report found", err.text);
}

static int YIELDS report(struct compute_manager *m, struct deadline by, struct error *err)
{
        const struct compute_node_row *row;
        const struct conf *c = m->conf;
        char uuid[UUID_LEN + 1];

        read_disabled(m, by);
        row = tracker_row(m->tracker);
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
        return placement_report(m->placement, &host, by, err);
}

void provider_report(struct compute_manager *m, struct deadline by)
{
        struct error err = {};
        int r;

        if (!m->placement || !tracker_row(m->tracker))
                return;
        r = green_mutex_lock(&m->telling, by, &err);
        if (r == 0) {
                r = report(m, by, &err);
                green_mutex_unlock(&m->telling);
        }
        if (r < 0 && err.code != ERR_CANCELLED)
                log_warning("placement is not told what this host has: %s; the next audit tries again",
                            err.text);
}

/*
 * nova-api wrote the row before it called. An audit that read the row before that has told placement by the
 * time the mutex is ours; one that comes after reads what was written.
 */
static int YIELDS tell_disabled(struct compute_manager *m, bool disabled, struct deadline by,
                                struct error *err)
{
        char uuid[UUID_LEN + 1];
        int r;

        if (green_mutex_lock(&m->telling, by, err) < 0)
                return -1;
        snprintf(uuid, sizeof(uuid), "%s", tracker_row(m->tracker)->uuid);
        r = placement_set_disabled(m->placement, uuid, disabled, by, err);
        green_mutex_unlock(&m->telling);
        return r;
}

int compute_set_host_enabled(struct compute_manager *m, bool enabled, struct deadline by, struct error *err)
{
        log_info("this host is %s", enabled ? "enabled" : "disabled");
        if (!m->placement)
                return 0;
        if (!tracker_row(m->tracker)) {
                log_warning("placement is not told: this host has no compute node yet");
                return 0;
        }
        if (tell_disabled(m, !enabled, by, err) == 0)
                return 0;
        if (err->code == ERR_CANCELLED)
                return -1;
        log_warning("trait " TRAIT_STATUS_DISABLED " could not be %s: %s; the next audit tries again",
                    enabled ? "removed" : "added", err->text);
        *err = (struct error){};
        return 0;
}

int provider_release(struct compute_manager *m, const char *uuid, struct deadline by, struct error *err)
{
        if (!m->placement || placement_allocation_delete(m->placement, uuid, by, err) == 0)
                return 0;
        return error_while(err, "removing the allocations of instance %s", uuid);
}

int provider_release_deleted(struct compute_manager *m, const char *uuid, struct deadline by,
                             struct error *err)
{
        if (m->conf->reclaim_instance_interval <= 0)
                return provider_release(m, uuid, by, err);
        if (!m->placement || placement_allocation_clear(m->placement, uuid, by, err) == 0)
                return 0;
        return error_while(err, "removing the allocations of instance %s", uuid);
}
