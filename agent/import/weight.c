/*
 * agent/import/weight.c: the table of what must not be lost in silence. It only counts where this agent does
 * not honour the option, and the option is not at nova's default.
 */
#include "import/weight.h"

#include <stddef.h>
#include <string.h>

#include "conf/conf_priv.h"

#define NO_NETWORK \
        "this agent does not drive neutron: guests keep the interfaces they have, new ones get none"
#define NO_VOLUMES "volumes cannot be attached to guests with this agent"
#define NO_MOVES   "guests are not moved between hosts by this agent"
#define NO_PCI     "no host devices are given to guests by this agent"
#define NO_PINNING "guests are not bound to CPUs by this agent; all online CPUs are offered"
#define NO_MODEL   "guests do not get this CPU model from this agent"
#define NO_MEMORY  "guests' memory is not made this way by this agent"
#define NO_DISK    "guests' disks are not set up this way by this agent"
#define NO_INJECT  "nothing is put into guests' disks by this agent"

static const struct {
        const char *group, *names; /* names separated by blanks; "live_migration_*" and "*" stand for many */
        const char *without;
} table[] = {
        { "neutron", "*", NO_NETWORK },
        { "DEFAULT", "vif_plugging_timeout vif_plugging_is_fatal network_allocate_retries", NO_NETWORK },
        { "libvirt", "rx_queue_size tx_queue_size max_queues", NO_NETWORK },
        { "cinder", "*", NO_VOLUMES },
        { "libvirt",
          "rbd_user rbd_secret_uuid volume_use_multipath volume_enforce_multipath iser_use_multipath "
          "nfs_mount_options nfs_mount_point_base quobyte_mount_point_base quobyte_client_cfg "
          "smbfs_mount_options iscsi_iface",
          NO_VOLUMES },
        { "pci", "*", NO_PCI },
        { "devices", "*", NO_PCI },
        { "cyborg", "*", NO_PCI },
        { "DEFAULT", "vcpu_pin_set", NO_PINNING },
        { "compute", "cpu_shared_set cpu_dedicated_set", NO_PINNING },
        { "libvirt", "cpu_mode cpu_models cpu_model_extra_flags", NO_MODEL },
        { "libvirt", "live_migration_*", NO_MOVES },
        { "DEFAULT", "allow_resize_to_same_host resize_confirm_window", NO_MOVES },
        { "libvirt", "file_backed_memory num_memory_encrypted_guests", NO_MEMORY },
        { "DEFAULT", "reserved_huge_pages", "pages of this size are neither offered nor reserved" },
        { "libvirt",
          "images_type images_volume_group images_rbd_pool images_rbd_ceph_conf images_rbd_glance_* "
          "disk_prefix sparse_logical_volumes",
          NO_DISK },
        { "DEFAULT", "preallocate_images virt_mkfs config_drive_format", NO_DISK },
        { "ephemeral_storage_encryption", "*", "guests' disks are NOT encrypted by this agent" },
        { "libvirt", "inject_password inject_key inject_partition", NO_INJECT },
        { "libvirt", "swtpm_enabled", "guests have no TPM with this agent" },
        { "libvirt", "enabled_perf_events uid_maps gid_maps num_pcie_ports sysinfo_serial",
          "guests' hardware is not set up this way by this agent" },
        { "DEFAULT", "pointer_model", "guests always have a USB tablet" },
        { "spice", "enabled", "guests have no SPICE console with this agent" },
        { "serial_console", "enabled", "guests have no serial console over the network with this agent" },
        { "DEFAULT", "reclaim_instance_interval", "there is no soft delete with this agent" },
        { "DEFAULT", "shelved_offload_time", "there is no shelving with this agent" },
        { "oslo_messaging_notifications", "driver", "no notifications are sent by this agent" },
        { "compute", "provider_config_location image_type_exclude_list",
          "inventories and traits cannot be chosen with this agent" },
        {}
};

/* Does the agent honour any option of this group? Then what is said about all of it is true no more. */
static bool group_honoured(const char *group)
{
        for (const struct setting *s = settings; s->key; s++)
                if (strcmp(s->section, group) == 0)
                        return true;
        return false;
}

const char *weight_of(const char *group, const char *name)
{
        for (size_t i = 0; table[i].group; i++)
                if (strcmp(table[i].group, group) == 0 && name_among(table[i].names, name) &&
                    !(strcmp(table[i].names, "*") == 0 && group_honoured(group)))
                        return table[i].without;
        return NULL;
}
