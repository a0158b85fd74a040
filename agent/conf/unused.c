/*
 * agent/conf/unused.c: the table of nova's options that have no effect here, and why. Rows are tried in their
 * order. Only what honours no option of a section may stand for all of it.
 */
#include "amqp/options.h"
#include "conf/conf_priv.h"

#define NO_NETWORK \
        "neutron is not driven in this version: guests keep the interfaces they have, new ones get none"
#define NO_VOLUMES   "there are no volumes in this version"
#define NO_MOVES     "instances are not moved or resized in this version"
#define NO_PCI       "no devices of the host are given to guests in this version"
#define NO_PINNING   "guests are not bound to CPUs in this version; all online CPUs are offered"
#define NO_MODEL     "there are no named CPU models in this version"
#define NO_MEMORY    "guests' memory is not made this way in this version"
#define NO_BACKEND   "disks are files in this version"
#define NO_INJECT    "nothing is ever put into a guest's disk"
#define NO_HARDWARE  "guests' hardware is not set up this way in this version"
#define NO_SNAPSHOT  "there are no snapshots in this version"
#define OF_PROXY     "it is read by the proxy for consoles"
#define NO_CONSOLE   "VNC is the only console in this version"
#define NO_NOTIFY    "no notifications are sent"
#define NO_CHOICE    "it cannot be chosen in this version"
#define NO_CERTS     "there are no client certificates in this version"
#define MISSED       .missed = true
#define OF_API       "it is read by nova-api"
#define OF_SCHEDULER "it is read by nova-scheduler"
#define NO_KEYS      "no keys are fetched in this version"
#define NOT_LIBVIRT  "it is for another driver than libvirt"
#define NO_PRIVSEP   "rootwrap_command is what runs before a command of root's"
#define NO_SCOPE     "a token is for username in project_name, in this version"
#define SCOPES       "domain_id domain_name project_id system_scope tenant_id tenant_name trust_id user_id"

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
        { "", "max_local_block_devices my_block_storage_ip reimage_timeout_per_gb", NO_VOLUMES },
        { "", "live_migration_retry_count migrate_max_retries", NO_MOVES },
        { "", "default_access_ip_network_name", NO_NETWORK, MISSED },
        { "", "injected_network_template flat_injected timeout_nbd resize_fs_using_block_device", NO_INJECT },
        { "", "arq_binding_timeout", NO_PCI },
        { "", "compute_monitors", "what is measured is not told to the scheduler", MISSED },
        { "", "instance_usage_audit_period publish_errors", NO_NOTIFY },
        { "", "default_availability_zone internal_service_availability_zone default_schedule_zone",
          "it is the control plane that knows zones" },
        { "", "non_inheritable_image_properties", NO_SNAPSHOT },
        { "", "password_length", "no passwords are made for guests" },
        { "", "backdoor_port backdoor_socket", "compute-agentctl shows the threads" },
        { "", "run_external_periodic_tasks", "every periodic task is the agent's own" },
        { "", "servicegroup_driver", "a service is up when its row in the database says so" },
        { "", "rootwrap_config use_rootwrap_daemon",
          "rootwrap_command is what runs before a command of root's" },
        { "", "conn_pool_min_size conn_pool_ttl rpc_conn_pool_size",
          "there is one connection to consume and one to publish" },
        { "", "log_config_append", "log_level, default_log_levels and log_file say what is logged" },
        { "", "log_date_format log_options logging_* instance_format instance_uuid_format use_json",
          "lines have oslo.log's usual form" },
        { "", "log_rotat* max_logfile_* watch_log_file",
          "logrotate or the journal rotates; SIGHUP opens the file again" },
        { "", "syslog_log_facility use_eventlog use_stderr",
          "log lines go to the journal, to log_file or to standard error" },
        { "", "fatal_deprecations pybasedir tempdir", "it is about nova's own code" },
        { "",
          "api_paste_config client_socket_timeout enabled_apis enabled_ssl_apis max_header_line metadata_* "
          "osapi_* tcp_keepidle wsgi_*",
          OF_API },
        { "", "cert console_host daemon key record source_is_ipv6 ssl_only web", OF_PROXY },
        { "oslo_messaging_rabbit", "rabbit_quroum_*", "it is a misspelt twin of rabbit_quorum_*" },
        { "oslo_messaging_rabbit", "ssl_enforce_fips_mode", "the TLS library's own mode is used" },
        { "oslo_messaging_amqp", "*", "the message bus is RabbitMQ, by AMQP 0-9-1" },
        { "oslo_messaging_kafka", "*", "the message bus is RabbitMQ" },
        { "oslo_messaging_rabbit", AMQP_OPTIONS_WITHOUT_EFFECT,
          "there is one connection to consume and one to publish, and both ends agree without it" },
        { "oslo_reports", "file_event_handler file_event_handler_interval",
          "SIGUSR2 and `compute-agentctl report` ask for a report" },
        { "oslo_messaging_notifications", "driver", NO_NOTIFY, MISSED },
        { "oslo_messaging_notifications", "*", NO_NOTIFY },
        { "notifications", "*", NO_NOTIFY },
        { "database", "backend sqlite_synchronous mysql_enable_ndb slave_connection",
          "the database is MariaDB or MySQL, and one server" },
        { "database", "connection_debug connection_trace connection_parameters use_tpool",
          "it is about a library that is not used here" },
        { "database", "pool_timeout", "a request waits for a connection as long as for all else" },
        { "database", "db_* use_db_reconnect max_retries retry_interval",
          "a late or lost database is tried again for ever" },
        { "compute", "live_migration_wait_for_vif_plug", NO_MOVES },
        { "compute", "packing_host_numa_cells_allocation_strategy", NO_PINNING },
        { "compute", "vmdk_allowed_types", "images are raw or qcow2 in this version" },
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
        { "libvirt",
          "num_* rbd_* smbfs_mount_point_base volume_clear volume_clear_size vzstorage_* "
          "remote_filesystem_transport",
          NO_VOLUMES },
        { "libvirt", "pmem_namespaces realtime_scheduler_priority", NO_HARDWARE, MISSED },
        { "libvirt", "rescue_*", "there is no rescue in this version" },
        { "libvirt", "snapshot_compression", NO_SNAPSHOT },
        { "libvirt", "swtpm_group swtpm_user", "guests have no TPM in this version" },
        { "libvirt", "use_virtio_for_bridges", NO_NETWORK },
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
        { "filter_scheduler",
          "available_filters enabled_filters weight_classes host_subset_size aggregate_* build_* cpu_* "
          "cross_* disk_* "
          "image_properties_* io_ops_* isolated_* max_* pci_* ram_* restrict_* shuffle_* soft_*",
          OF_SCHEDULER },
        { "placement", "certfile keyfile", NO_CERTS },
        { "placement", "auth_section " SCOPES, NO_SCOPE },
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
        { "service_user", SCOPES, NO_SCOPE },
        { "service_user", "auth_section collect_timing split_loggers default_domain_id default_domain_name",
          "it has no effect in this version" },
        { "workarounds",
          "disable_group_policy_check_upcall libvirt_disable_apic "
          "disable_libvirt_livesnapshot reserve_disk_resource_for_image_cache "
          "wait_for_vif_plugged_event_during_hard_reboot",
          "what it works around is not here" },
        { "workarounds", "disable_deep_image_inspection", "images are always inspected" },
        { "workarounds",
          "disable_fallback_pcpu_query disable_rootwrap enable_numa_live_migration "
          "enable_qemu_monitor_announce_self ensure_libvirt_rbd_instance_dir_cleanup "
          "never_download_image_if_on_rbd skip_* unified_limits_count_pcpu_as_vcpu",
          "what it works around is not here" },
        { "oslo_concurrency", "disable_process_locking", "locks between processes are always taken" },
        { "healthcheck", "backends detailed disable_by_file_path* path", OF_API },
        { "upgrade_levels", "baseapi cert conductor scheduler", "versions of requests are those of Zed" },
        { "upgrade_levels", "compute", "no other compute service is called in this version" },

        /* ---- sections of which nothing is used ---- */
        { "api", "*", OF_API },
        { "api_database", "*", OF_API },
        { "cors", "*", OF_API },
        { "keystone", "*", OF_API },
        { "keystone_authtoken", "*", OF_API },
        { "oslo_limit", "*", OF_API },
        { "oslo_middleware", "*", OF_API },
        { "oslo_policy", "*", OF_API },
        { "quota", "*", OF_API },
        { "vendordata_dynamic_auth", "*", OF_API },
        { "wsgi", "*", OF_API },
        { "console", "*", OF_PROXY },
        { "ssl", "*", OF_PROXY },
        { "conductor", "*", "it is read by nova-conductor" },
        { "scheduler", "*", OF_SCHEDULER },
        { "metrics", "*", OF_SCHEDULER },
        { "barbican", "*", NO_KEYS },
        { "barbican_service_user", "*", NO_KEYS },
        { "key_manager", "*", NO_KEYS },
        { "vault", "*", NO_KEYS },
        { "hyperv", "*", NOT_LIBVIRT },
        { "ironic", "*", NOT_LIBVIRT },
        { "vmware", "*", NOT_LIBVIRT },
        { "zvm", "*", NOT_LIBVIRT },
        { "os_brick", "*", NO_VOLUMES },
        { "os_vif_linux_bridge", "*", NO_NETWORK },
        { "os_vif_ovs", "*", NO_NETWORK },
        { "guestfs", "*", NO_INJECT },
        { "cache", "*", "nothing is kept in a memcached" },
        { "nova_sys_admin", "*", NO_PRIVSEP },
        { "privsep", "*", NO_PRIVSEP },
        { "privsep_osbrick", "*", NO_PRIVSEP },
        { "vif_plug_linux_bridge_privileged", "*", NO_PRIVSEP },
        { "vif_plug_noop", "*", NO_PRIVSEP },
        { "vif_plug_ovs_privileged", "*", NO_PRIVSEP },
        { "oslo_versionedobjects", "*", "it is for nova's developers" },
        { "profiler", "*", "there is no osprofiler here; GET /metrics has figures" },
        { "remote_debug", "*", "gdb sees the agent as any other process" },
        {}
};
