/*
 * agent/conf/conf.h: the settings: nova's option names, units and defaults (nova-contract 8), read by
 * libconfuse into one struct.
 *
 * Who has a const struct conf may read it at any time on the hub, and keep what a text points to: a reload
 * (conf_apply()) changes values in place, but texts that it replaces live as long as the struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Who the agent is for keystone, and how that is spoken with. */
struct conf_identity {
        char *auth_type; /* "": there is no such identity */
        char *auth_url, *username, *password /* secret */, *password_file;
        char *user_domain_name, *user_domain_id;
        char *project_name, *project_domain_name, *project_domain_id;
        char *cafile;
        bool insecure;
        int64_t timeout;
};

/* Strings are owned and never NULL unless said; "" means not set. Times are seconds. */
struct conf {
        char *path; /* the files it came from, for messages: "a" or "a, b" */
        char **files;
        size_t n_files;
        struct conf_place *places;    /* where each setting was set: conf_priv.h */
        struct conf_retired *retired; /* texts that were replaced while the agent ran */
        char *notes; /* lines "file:line: ..." about what is accepted without effect; main logs them; or "" */

        /* [DEFAULT]: at the top level of the file */
        char *host, *my_ip, *state_path, *instances_path, *instance_name_template;
        char *transport_url /* secret */, *transport_url_file;
        char *control_exchange;
        char *control_socket;        /* ours; of no effect when transport_url is a local socket */
        char *control_readers_group; /* ours; "": none */
        char *compute_driver;
        char *log_file; /* "": stderr */
        bool debug;     /* oslo.log's debug: log level DEBUG; not the --debug of the command line */
        char *log_level, *default_log_levels;
        char *use_journal;           /* auto, true, false */
        int64_t log_repeat_interval; /* ours */
        int64_t rate_limit_interval, rate_limit_burst;
        char *rate_limit_except_level; /* "": none */
        int64_t rpc_response_timeout, long_rpc_timeout, executor_thread_pool_size;
        bool rpc_ping_enabled;
        int64_t report_interval, service_down_time;
        bool periodic_enable;
        int64_t periodic_fuzzy_delay, graceful_shutdown_timeout;
        bool enable_new_services;
        int64_t reserved_host_memory_mb, reserved_host_cpus, reserved_host_disk_mb;
        double cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio; /* 0: not set */
        double initial_cpu_allocation_ratio, initial_ram_allocation_ratio, initial_disk_allocation_ratio;
        int64_t max_concurrent_builds;
        bool force_raw_images, use_cow_images, force_config_drive;
        char *mkisofs_cmd, *default_ephemeral_format;
        int64_t shutdown_timeout;
        bool resume_guests_state_on_host_boot;
        int64_t sync_power_state_interval, sync_power_state_pool_size, update_resources_interval;
        int64_t running_deleted_instance_poll_interval, running_deleted_instance_timeout;
        char *running_deleted_instance_action; /* reap, shutdown, log, noop */
        int64_t instance_build_timeout, reclaim_instance_interval;
        int64_t instance_delete_interval, maximum_instance_delete_attempts;
        int64_t scheduler_instance_sync_interval;
        char *heartbeat_file_path, *heartbeat_file_name; /* path "": no heartbeat file */
        int64_t heartbeat_interval;
        char *rootwrap_command; /* words before a command that must run as root */

        struct { /* [healthcheck]: ours */
                char *socket, *listen;
                int64_t port; /* 0: none */
        } healthcheck;
        struct { /* [database] */
                char *connection /* secret */, *connection_file;
                int64_t max_pool_size, max_overflow, connection_recycle_time;
                char *mysql_sql_mode;
        } database;
        struct { /* [compute] */
                int64_t shutdown_retry_interval, max_disk_devices_to_attach, max_concurrent_disk_ops;
                int64_t consecutive_build_service_disable_threshold;
                int64_t resource_provider_association_refresh;
                char *image_type_exclude_list; /* formats, separated by commas */
                char *provider_config_location;
        } compute;
        struct { /* [libvirt] */
                char *connection_uri, *virt_type, *images_type, *cpu_mode, *hw_machine_type, *rng_dev_path;
                char *disk_cachemodes, *hw_disk_discard;
                int64_t mem_stats_period_seconds, wait_soft_reboot_seconds;
                int64_t call_timeout;        /* ours: deadline of one libvirt call that is soon done */
                int64_t delay_stopped_event; /* ours: seconds a STOPPED event is held back; nova: 15 */
        } libvirt;
        struct { /* [vnc] */
                bool enabled;
                char *server_listen, *server_proxyclient_address, *novncproxy_base_url;
        } vnc;
        struct { /* [consoleauth] */
                int64_t token_ttl;
        } consoleauth;
        struct { /* [placement] */
                struct conf_identity identity;
                char *region_name, *valid_interfaces, *endpoint_override;
        } placement;
        struct {                   /* [glance] */
                char *api_servers; /* URLs, separated by commas */
                char *endpoint_override, *valid_interfaces, *region_name, *cafile;
                bool insecure;
                int64_t num_retries, timeout;
        } glance;
        struct { /* [service_user] */
                bool send_service_user_token;
                struct conf_identity identity;
        } service_user;
        struct { /* [image_cache] */
                char *subdirectory_name;
                bool remove_unused_base_images;
                int64_t manager_interval;
                int64_t remove_unused_original_minimum_age_seconds;
                int64_t remove_unused_resized_minimum_age_seconds;
        } image_cache;
        struct {              /* [images] (ours) */
                char *source; /* "glance" or "local"; never "auto" once it is loaded */
                char *local_path;
        } images;
        struct { /* [filter_scheduler] */
                bool track_instance_changes;
        } filter_scheduler;
        struct { /* [workarounds] */
                bool handle_virt_lifecycle_events;
                bool disable_compute_service_check_for_ffu;
        } workarounds;
        struct { /* [oslo_concurrency] */
                char *lock_path;
        } oslo_concurrency;
        struct {               /* [oslo_reports] */
                char *log_dir; /* "": beside the log file, else stderr */
        } oslo_reports;
        struct { /* [oslo_messaging_rabbit]; as in amqp/options.h */
                bool amqp_durable_queues, amqp_auto_delete, rabbit_ha_queues, rabbit_quorum_queue;
                int64_t rabbit_quorum_delivery_limit, rabbit_quorum_max_memory_length;
                int64_t rabbit_quorum_max_memory_bytes, rabbit_transient_queues_ttl;
                int64_t rabbit_qos_prefetch_count, heartbeat_timeout_threshold;
                int64_t rabbit_retry_interval, rabbit_retry_backoff, rabbit_interval_max;
                double kombu_reconnect_delay;
                int64_t kombu_missing_consumer_retry_timeout;
                bool ssl;
                char *ssl_ca_file, *ssl_cert_file, *ssl_key_file;
                bool ssl_enforce_hostname_verification;
        } oslo_messaging_rabbit;
        struct { /* [hub] (ours) */
                int64_t stall_threshold_ms, stack_size_kb, tpool_workers, file_timeout;
        } hub;
};

#define CONF_DEFAULT_PATH "/etc/compute-agent.conf"
#define CONF_DEFAULT_DIR  "/etc/compute-agent.conf.d" /* need not be there */

/* A file; or a directory: all of it that is called *.conf, in the order of the names (strcmp). */
struct conf_source {
        const char *path;
        bool is_dir;
};
enum conf_from_flags {
        /* For who needs no secrets: where one cannot be read that is a note, no mistake. */
        CONF_WITHOUT_SECRETS = 1 << 0,
        CONF_FOR_START = 1 << 1, /* what the daemon cannot do without must be set */
        CONF_MACHINE = 1 << 2,   /* paths and files that are named are looked at, too */
};
/* What is read, in this order: a later value comes before an earlier one. All borrowed. */
struct conf_from {
        const struct conf_source *sources;
        size_t n; /* 0: CONF_DEFAULT_PATH and CONF_DEFAULT_DIR */
        unsigned flags;
};

/*
 * Reads all of it, and the files of secrets that it names. All mistakes are collected: *errors gets one line
 * each, "file:line: what is wrong, did you mean ...?". Returns NULL if there was any. Defaults that depend on
 * others ($state_path/instances) and on the machine (host, my_ip) are filled in. Nothing is written, nobody
 * is connected to. Blocks as files do: before the hub starts, or on a worker.
 */
struct conf *conf_load_from(const struct conf_from *from, struct strbuf *errors);
/* The same of one file; NULL: of what is read by default. */
struct conf *conf_load(const char *path, struct strbuf *errors);
/* The same for a text that is not (yet) in a file; path only stands in its messages. */
struct conf *conf_load_text(const char *path, const char *text, struct strbuf *errors);
void conf_free(struct conf *c); /* NULL is allowed */
/* All of a regular file of at most max bytes; it may hold secrets, of which no copy stays behind. */
int conf_read_text(int fd, size_t max, struct strbuf *text, struct error *err);
enum conf_dump_flags {
        CONF_DUMP_SECRETS = 1 << 0, /* else *** stands for them */
        CONF_DUMP_PLACES = 1 << 1,  /* a comment says where each value was set */
};
/*
 * The file's syntax, every option with its effective value. Read again it gives the same, but for what was
 * masked; secrets that came out of files of their own, or of credentials, are comments: they are read again.
 */
void conf_dump(const struct conf *c, unsigned flags, struct strbuf *out);
/* etc/compute-agent.conf: every option at its default, with what it means. */
void conf_example(struct strbuf *out);
/* The manual page compute-agent.conf(5). */
void conf_manual(struct strbuf *out);

/* One setting that differs between two configurations. Texts are as in a dump: quoted, without passwords. */
struct conf_change {
        const char *name; /* "log_level" or "[libvirt] call_timeout" */
        const char *from, *to;
        bool reloads; /* conf_apply() changes it; else it waits for a restart */
};
typedef void conf_change_fn(const struct conf_change *change, void *arg);
/* Calls fn for each difference, in the table's order. */
void conf_compare(const struct conf *now, const struct conf *next, conf_change_fn *fn, void *arg);
/* Moves what may change while the agent runs from next to now, all at once, on the hub; next stays whole. */
void conf_apply(struct conf *now, const struct conf *next);
