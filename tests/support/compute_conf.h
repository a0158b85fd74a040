/* tests/support/compute_conf.h: settings of a small host, for tests of compute/. Literals: nothing to free.
 */
#pragma once

#include "conf/conf.h"

static inline struct conf compute_conf(void)
{
        return (struct conf){
                .host = (char *)"host-1",
                .my_ip = (char *)"127.0.0.1",
                .instance_name_template = (char *)"instance-%08x",
                .rpc_response_timeout = 60,
                .long_rpc_timeout = 1800,
                .report_interval = 10,
                .service_down_time = 60,
                .periodic_enable = true,
                .enable_new_services = true,
                .reserved_host_memory_mb = 512,
                .initial_cpu_allocation_ratio = 16.0,
                .initial_ram_allocation_ratio = 1.5,
                .initial_disk_allocation_ratio = 1.0,
                .max_concurrent_builds = 10,
                .shutdown_timeout = 60,
                .sync_power_state_interval = 600,
                .sync_power_state_pool_size = 1000,
                .update_resources_interval = 0,
                .running_deleted_instance_poll_interval = 1800,
                .running_deleted_instance_action = (char *)"reap",
                .instance_delete_interval = 300,
                .scheduler_instance_sync_interval = 120,
                .maximum_instance_delete_attempts = 5,
                .compute = { .shutdown_retry_interval = 10,
                             .max_disk_devices_to_attach = -1,
                             .consecutive_build_service_disable_threshold = 10,
                             .image_type_exclude_list = (char *)"",
                             .provider_config_location = (char *)"" },
                .libvirt = { .cpu_mode = (char *)"none",
                             .hw_machine_type = (char *)"",
                             .virt_type = (char *)"kvm",
                             .wait_soft_reboot_seconds = 120 },
                .vnc = { .enabled = true,
                         .server_listen = (char *)"127.0.0.1",
                         .server_proxyclient_address = (char *)"127.0.0.1",
                         .novncproxy_base_url = (char *)"http://127.0.0.1:6080/vnc_auto.html" },
                .consoleauth = { .token_ttl = 600 },
                .image_cache = { .remove_unused_base_images = true,
                                 .manager_interval = 2400,
                                 .remove_unused_original_minimum_age_seconds = 86400,
                                 .remove_unused_resized_minimum_age_seconds = 3600 },
                .filter_scheduler = { .track_instance_changes = true },
                .workarounds = { .handle_virt_lifecycle_events = true },
        };
}
