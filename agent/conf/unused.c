/*
 * agent/conf/unused.c: the table of nova's options that have no effect here, and why. Rows are tried in their
 * order. Only what honours no option of a section may stand for all of it.
 */
#include "amqp/options.h"
#include "conf/conf_priv.h"

#define NO_NETWORK \
        "neutron is not driven in this version: guests keep the interfaces they have, new ones get none"
#define NO_VOLUMES  "there are no volumes in this version"
#define NO_MOVES    "instances are not moved or resized in this version"
#define NO_PCI      "no devices of the host are given to guests in this version"
#define NO_PINNING  "guests are not bound to CPUs in this version; all online CPUs are offered"
#define NO_MODEL    "there are no named CPU models in this version"
#define NO_MEMORY   "guests' memory is not made this way in this version"
#define NO_BACKEND  "disks are files in this version"
#define NO_INJECT   "nothing is ever put into a guest's disk"
#define NO_HARDWARE "guests' hardware is not set up this way in this version"
#define NO_SNAPSHOT "there are no snapshots in this version"
#define OF_PROXY    "it is read by the proxy for consoles"
#define NO_CONSOLE  "VNC is the only console in this version"
#define NO_NOTIFY   "no notifications are sent"
#define NO_CHOICE   "it cannot be chosen in this version"
#define NO_CERTS    "there are no client certificates in this version"
#define MISSED      .missed = true

const struct unused_setting unused_settings[] = {
        { "", "vcpu_pin_set", NO_PINNING, MISSED },
        { "", "reserved_huge_pages", "pages of this size are neither offered nor reserved", MISSED },
        { "", "max_concurrent_snapshots", NO_SNAPSHOT },
        { "", "allow_resize_to_same_host resize_confirm_window", NO_MOVES, MISSED },
        { "", "max_concurrent_live_migrations", NO_MOVES },
        { "", "preallocate_images", "disks are never preallocated in this version", MISSED },
        { "", "config_drive_format", "a config drive is always iso9660", MISSED },
        { "", "virt_mkfs", "ephemeral disks are formatted with mkfs -t default_ephemeral_format", MISSED },
        { "", "vif_plugging_timeout vif_plugging_is_fatal network_allocate_retries", NO_NETWORK, MISSED },
        { "", "heal_instance_info_cache_interval", NO_NETWORK },
        { "", "block_device_allocate_retries block_device_allocate_retries_interval", NO_VOLUMES },
        { "", "volume_usage_poll_interval", NO_VOLUMES },
        { "", "reboot_timeout", "it has no effect with libvirt, in nova neither" },
        { "", "rescue_timeout", "there is no rescue in this version" },
        { "", "shelved_offload_time", "there is no shelving in this version", MISSED },
        { "", "shelved_poll_interval", "there is no shelving in this version" },
        { "", "instance_usage_audit", NO_NOTIFY },
        { "", "pointer_model", "guests always have a USB tablet", MISSED },
        { "", "log_dir", "log_file names the file" },
        { "", "use_syslog", "log lines go to the journal, to log_file or to standard error" },
        { "oslo_messaging_rabbit", AMQP_OPTIONS_WITHOUT_EFFECT,
          "there is one connection to consume and one to publish, and both ends agree without it" },
        { "oslo_reports", "file_event_handler file_event_handler_interval",
          "SIGUSR2 and `compute-agentctl report` ask for a report" },
        { "oslo_messaging_notifications", "driver", NO_NOTIFY, MISSED },
        { "oslo_messaging_notifications", "*", NO_NOTIFY },
        { "notifications", "*", NO_NOTIFY },
        { "database", "max_retries retry_interval", "a late or lost database is tried again for ever" },
        { "compute", "cpu_shared_set cpu_dedicated_set", NO_PINNING, MISSED },
        { "libvirt", "cpu_models cpu_model_extra_flags", NO_MODEL, MISSED },
        { "libvirt", "file_backed_memory num_memory_encrypted_guests", NO_MEMORY, MISSED },
        { "libvirt",
          "images_volume_group images_rbd_pool images_rbd_ceph_conf images_rbd_glance_* "
          "sparse_logical_volumes",
          NO_BACKEND, MISSED },
        { "libvirt", "disk_prefix", NO_CHOICE, MISSED },
        { "libvirt",
          "rbd_user rbd_secret_uuid volume_use_multipath volume_enforce_multipath iser_use_multipath "
          "nfs_mount_options nfs_mount_point_base quobyte_mount_point_base quobyte_client_cfg "
          "smbfs_mount_options iscsi_iface",
          NO_VOLUMES, MISSED },
        { "libvirt", "rx_queue_size tx_queue_size max_queues", NO_NETWORK, MISSED },
        { "libvirt", "sysinfo_serial", "guests always see their uuid", MISSED },
        { "libvirt", "inject_password inject_key inject_partition", NO_INJECT, MISSED },
        { "libvirt", "swtpm_enabled", "guests have no TPM in this version", MISSED },
        { "libvirt", "enabled_perf_events uid_maps gid_maps num_pcie_ports", NO_HARDWARE, MISSED },
        { "libvirt", "snapshot_image_format snapshots_directory", NO_SNAPSHOT },
        { "libvirt", "device_detach_attempts device_detach_timeout",
          "devices are not attached to running guests in this version" },
        { "libvirt", "live_migration_*", NO_MOVES, MISSED },
        { "ephemeral_storage_encryption", "*", "guests' disks are NOT encrypted in this version", MISSED },
        { "pci", "*", NO_PCI, MISSED },
        { "devices", "*", NO_PCI, MISSED },
        { "cyborg", "*", NO_PCI, MISSED },
        { "vnc", "novncproxy_host novncproxy_port auth_schemes vencrypt_*", OF_PROXY },
        { "consoleauth", "enforce_session_timeout", OF_PROXY },
        { "spice", "enabled", NO_CONSOLE, MISSED },
        { "spice", "*", NO_CONSOLE },
        { "serial_console", "enabled", NO_CONSOLE, MISSED },
        { "serial_console", "*", NO_CONSOLE },
        { "rdp", "*", NO_CONSOLE },
        { "mks", "*", NO_CONSOLE },
        { "image_cache", "precache_concurrency", "only conductor looks at it, in nova too" },
        { "placement", "certfile keyfile", NO_CERTS },
        { "placement", "connect_retries connect_retry_delay status_code_retries status_code_retry_delay",
          "the next audit tries again" },
        { "placement", "service_type service_name min_version max_version randomize_allocation_candidates",
          NO_CHOICE },
        { "placement", "collect_timing split_loggers default_domain_id default_domain_name",
          "it has no effect in this version" },
        { "glance", "certfile keyfile", NO_CERTS },
        { "glance", "connect_retries connect_retry_delay status_code_retries status_code_retry_delay",
          "num_retries says how often a request is tried again" },
        { "glance", "service_type service_name min_version max_version collect_timing split_loggers debug",
          NO_CHOICE },
        { "glance", "verify_glance_signatures enable_certificate_validation default_trusted_certificate_ids",
          "signatures of images are not verified in this version, only their checksums" },
        { "glance", "enable_rbd_download rbd_*", "images are fetched from glance itself in this version" },
        { "glance", "allowed_direct_url_schemes", "images are fetched from glance itself" },
        { "neutron", "*", NO_NETWORK, MISSED },
        { "cinder", "*", NO_VOLUMES, MISSED },
        { "service_user", "certfile keyfile", NO_CERTS },
        { "service_user", "auth_section collect_timing split_loggers default_domain_id default_domain_name",
          "it has no effect in this version" },
        { "workarounds",
          "disable_group_policy_check_upcall libvirt_disable_apic "
          "disable_libvirt_livesnapshot reserve_disk_resource_for_image_cache "
          "wait_for_vif_plugged_event_during_hard_reboot",
          "what it works around is not here" },
        { "workarounds", "disable_deep_image_inspection", "images are always inspected" },
        { "upgrade_levels", "compute", "no other compute service is called in this version" },
        {}
};
