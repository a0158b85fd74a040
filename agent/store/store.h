/*
 * agent/store/store.h: rows of nova's cell database to model and back (nova-contract 5). One .c per table.
 *
 * All functions yield, take a deadline, and use the pool of connections inside. Times are whole seconds UTC.
 * Soft-deleted rows are not seen unless said otherwise.
 */
#pragma once

#include "green/green.h"
#include "model/fault.h"
#include "model/instance.h"
#include "mysql/mysql_pool.h"

struct store {
        struct db_pool *db; /* owned by who made the store */
        const char *host;   /* [DEFAULT] host; borrowed */
};

/* ERR_INVALID naming each table and column of the shipped schema that the database lacks. */
int YIELDS store_check_schema(struct store *s, struct deadline by, struct error *err);
/* Applies the shipped schema to a database without tables; ERR_INVALID if it has any. */
int YIELDS store_init_schema(struct store *s, struct deadline by, struct error *err);

/* ---- instances (5.3, 5.4, 5.7) ---- */

enum instance_columns {
        COL_HOST = 1 << 0,
        COL_NODE = 1 << 1,
        COL_LAUNCHED_ON = 1 << 2,
        COL_AVAILABILITY_ZONE = 1 << 3,
        COL_VM_STATE = 1 << 4,
        COL_TASK_STATE = 1 << 5,
        COL_POWER_STATE = 1 << 6,
        COL_ROOT_DEVICE_NAME = 1 << 7,
        COL_CONFIG_DRIVE = 1 << 8,
        COL_LAUNCHED_AT = 1 << 9,
        COL_TERMINATED_AT = 1 << 10,
        COL_PROGRESS = 1 << 11,
        COL_CLEANED = 1 << 12,
        COL_SYSTEM_METADATA = 1 << 13, /* the whole set, as in 5.4 step 4 */
        COL_DELETED_AT = 1 << 14,      /* of a live row: since when it is soft-deleted */
        COL_EPHEMERAL_DEVICE = 1 << 20,
        COL_SWAP_DEVICE = 1 << 21,
        COL_STATES = COL_VM_STATE | COL_TASK_STATE | COL_POWER_STATE,
};

enum { WITH_DELETED = 1 }; /* flags of reads */

/* NOVA_INSTANCE_NOT_FOUND. With flavor and system_metadata. */
int YIELDS store_instance_get(struct store *s, const char *uuid, unsigned flags, struct instance **ret,
                              struct deadline by, struct error *err);
/*
 * One UPDATE of the named columns from i, compare-and-set on task_state. On a lost one:
 * NOVA_INSTANCE_NOT_FOUND, NOVA_UNEXPECTED_DELETING_TASK_STATE or NOVA_UNEXPECTED_TASK_STATE (text has
 * expected and actual).
 */
int YIELDS store_instance_save(struct store *s, const struct instance *i, unsigned columns,
                               struct task_expect expect, struct deadline by, struct error *err);
struct instance_list {
        struct instance **items; /* NULL where one was taken out */
        unsigned n;
};
void instance_list_free(struct instance_list *l);
/*
 * Instances of this host, deleted=0, page by page in the order of their ids, so that thousands take no more
 * memory than one page. Between two pages rows may come and go: what was there all the time is seen once.
 *
 *      struct instance_cursor at = {};
 *      while ((r = store_instances_page(s, &at, &page, by, err)) > 0)
 *
 * 1: the next ones are in page, which is freed before it is filled again; 0: there are no more.
 */
struct instance_cursor {
        int64_t after;
        bool ended;
};
int YIELDS store_instances_page(struct store *s, struct instance_cursor *at, struct instance_list *page,
                                struct deadline by, struct error *err);
int YIELDS store_instances_count(struct store *s, int64_t *ret, struct deadline by, struct error *err);
/* All of them at once, for who must show them all. */
int YIELDS store_instances_of_host(struct store *s, struct instance_list *ret, struct deadline by,
                                   struct error *err);
/* Of these uuids those whose row is soft-deleted (deleted = id): for cleanup of running deleted instances. */
int YIELDS store_instances_deleted_among(struct store *s, const char *const *uuids, unsigned n,
                                         struct instance_list *ret, struct deadline by, struct error *err);
/* Of these uuids those whose row lives and is being built, on whatever host or none. */
int YIELDS store_instances_building_among(struct store *s, const char *const *uuids, unsigned n,
                                          struct instance_list *ret, struct deadline by, struct error *err);
/* The last thousand that have no host: where there is one host only, its builds that failed or have not
 * begun. */
int YIELDS store_instances_without_host(struct store *s, struct instance_list *ret, struct deadline by,
                                        struct error *err);
/* All rows of 5.7. ERR_BUSY: i has no host, but by now the row has one. */
int YIELDS store_instance_soft_delete(struct store *s, const struct instance *i, struct deadline by,
                                      struct error *err);

/* ---- instances as others want to see them ---- */

struct jval;
/*
 * nova's Instance objects (2.3) of live instances of this host, straight from their rows, as an array: that
 * of uuid, or with NULL the next `most` with ids above *at, which becomes the last one's. Missing rows are
 * none. What no row of the cell has is not loaded: ec2_ids.
 */
int YIELDS store_instance_objects(struct store *s, const char *uuid, unsigned most, int64_t *at,
                                  struct jval **ret, struct deadline by, struct error *err);
/* Of all live instances of this host. Caller frees the array. */
struct uuid_text {
        char text[UUID_LEN + 1];
};
int YIELDS store_instance_uuids(struct store *s, struct uuid_text **ret, unsigned *ret_n, struct deadline by,
                                struct error *err);

/* ---- what deleted instances left behind (4.7) ---- */

struct pending_delete {
        char uuid[UUID_LEN + 1];
        int64_t attempts; /* system_metadata clean_attempts */
};
/*
 * Instances of this host that are deleted for good while their files may be left (cleaned = 0), tried less
 * than max_attempts times. At most 1000 at a time, the oldest first. Caller frees the array.
 */
int YIELDS store_pending_deletes(struct store *s, int64_t max_attempts, struct pending_delete **ret,
                                 unsigned *ret_n, struct deadline by, struct error *err);
/* Notes an attempt: attempts is the new number. */
int YIELDS store_pending_delete_note(struct store *s, const char *uuid, int64_t attempts, bool cleaned,
                                     struct deadline by, struct error *err);

struct stale_migration {
        int64_t id;
        char uuid[UUID_LEN + 1]; /* of the instance */
};
/* Migrations in status error from or to this host of instances that were deleted on another one. The same. */
int YIELDS store_stale_migrations(struct store *s, struct stale_migration **ret, unsigned *ret_n,
                                  struct deadline by, struct error *err);

/* One row per new instance in all tables conductor would fill (nova-contract 3.4): for compute-agentctl boot.
 */
struct new_instance {
        const char *display_name, *image_ref, *user_data /* base64 or NULL */, *user_id, *project_id,
                *request_id;
        const char *image_disk_format, *image_container_format;
        int64_t memory_mb, vcpus, root_gb, image_min_disk, image_min_ram;
        bool config_drive;
};
int YIELDS store_instance_create(struct store *s, const struct new_instance *n, struct instance **ret,
                                 struct deadline by, struct error *err);

int YIELDS store_block_devices(struct store *s, const char *uuid, struct block_devices *ret,
                               struct deadline by, struct error *err);
/* device_name, disk_bus, device_type of one row. */
int YIELDS store_block_device_save(struct store *s, const struct block_device *b, struct deadline by,
                                   struct error *err);
/* instance_extra.vcpu_model and numa_topology (NULL clears). */
int YIELDS store_instance_extra_save(struct store *s, const char *uuid, const char *vcpu_model,
                                     struct deadline by, struct error *err);

/*
 * instance_info_caches.network_info, the JSON text of the instance's VIFs (5.9); NULL when there is no such
 * row or nothing in it. *ret_interfaces: how many interfaces nova has noted in virtual_interfaces. Caller
 * frees.
 */
int YIELDS store_network_info(struct store *s, const char *uuid, char **ret, unsigned *ret_interfaces,
                              struct deadline by, struct error *err);

/* ---- actions, events, faults (5.5, 5.6) ---- */

/* The rows nova-api makes before the cast: for compute-agentctl and for the agent's own stop in 7.7. */
int YIELDS store_action_start(struct store *s, const char *uuid, const char *action,
                              const struct request_context *ctx, struct deadline by, struct error *err);
/* NOVA_INSTANCE_ACTION_NOT_FOUND: then the method's body must not run. */
int YIELDS store_event_start(struct store *s, const char *uuid, const char *event,
                             const struct request_context *ctx, struct deadline by, struct error *err);
/* failure NULL: Success; else Error with details and traceback. */
int YIELDS store_event_finish(struct store *s, const char *uuid, const char *event,
                              const struct request_context *ctx, const char *failure, const char *traceback,
                              struct deadline by, struct error *err);
/* The agent died while it was at it: the event of that request, if it is open, has ended now. */
int YIELDS store_event_interrupted(struct store *s, const char *uuid, const char *event,
                                   const char *request_id, bool done, struct deadline by, struct error *err);
int YIELDS store_fault_add(struct store *s, const char *uuid, int code, const char *message,
                           const char *details, struct deadline by, struct error *err);

/* ---- services, compute_nodes (4.1, 4.4, 4.6) ---- */

struct service_row {
        int64_t id, report_count, version;
        int64_t former_version; /* that the row had before it was raised; 0: it had ours, or was not there */
        bool disabled, forced_down;
        char *disabled_reason, *uuid;
        bool unsure; /* a report may or may not have been written: its answer was lost */
        bool rival;  /* found by the last report: somebody else reports for this host, too */
};
void service_row_free(struct service_row *r);
#define SERVICE_VERSION 64
#define SERVICE_BINARY  "nova-compute"
#define SERVICE_TOPIC   "compute"
/* Reads the row of this host, creating it (enabled or not) or raising its version. */
int YIELDS store_service_ensure(struct store *s, bool enable_new, struct service_row *ret, struct deadline by,
                                struct error *err);
/*
 * report_count, last_seen_up, version; re-reads disabled and forced_down into r. Only the service itself
 * counts its reports: a count that is not ours tells of a rival. ERR_NOT_FOUND: the row is gone.
 */
int YIELDS store_service_report(struct store *s, struct service_row *r, struct deadline by,
                                struct error *err);
/* Re-reads disabled and forced_down into r: nova-api writes them. */
int YIELDS store_service_refresh(struct store *s, struct service_row *r, struct deadline by,
                                 struct error *err);
/*
 * The hypervisor is gone (reason) or back (NULL): disables or enables this host's service, and says in r what
 * the row holds then. Only what an agent disabled is enabled, and what anybody disabled keeps its reason
 * (7.6).
 */
#define SERVICE_AUTO_REASON "AUTO: " /* such reasons begin with this */
int YIELDS store_service_follow(struct store *s, struct service_row *r, const char *reason,
                                struct deadline by, struct error *err);
/*
 * An operator of this host drains it, for that reason, or takes that back. What else an operator disabled
 * stays disabled, and keeps its reason; r says what the row holds then.
 */
#define SERVICE_DRAIN_REASON "DRAIN: " /* such reasons begin with this, and have at most 255 characters */
int YIELDS store_service_drain(struct store *s, struct service_row *r, const char *reason, struct deadline by,
                               struct error *err);
int YIELDS store_service_undrain(struct store *s, struct service_row *r, struct deadline by,
                                 struct error *err);
int YIELDS store_service_min_version(struct store *s, int64_t *ret, struct deadline by,
                                     struct error *err); /* 0: none */

struct compute_node_row {
        int64_t id;
        char uuid[UUID_LEN + 1];
        int64_t vcpus, memory_mb, local_gb, vcpus_used, memory_mb_used, local_gb_used;
        int64_t hypervisor_version, free_ram_mb, free_disk_gb, current_workload, running_vms,
                disk_available_least;
        char *hypervisor_type, *hypervisor_hostname, *cpu_info, *host_ip, *supported_instances, *stats,
                *numa_topology, *pci_stats, *metrics;
        double cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio;
};
void compute_node_row_free(struct compute_node_row *r);
/* What to held is freed. */
void compute_node_row_copy(struct compute_node_row *to, const struct compute_node_row *from);
/* By (host, hypervisor_hostname): ERR_NOT_FOUND. */
int YIELDS store_compute_node_get(struct store *s, const char *hypervisor_hostname,
                                  struct compute_node_row *ret, struct deadline by, struct error *err);
/* id 0: INSERT (uuid is made, mapped=0), filling id and uuid; else UPDATE. */
int YIELDS store_compute_node_save(struct store *s, struct compute_node_row *r, struct deadline by,
                                   struct error *err);
/* The rows of this host, under whatever names. */
struct node_id {
        int64_t id;
        char uuid[UUID_LEN + 1];
        char *name; /* hypervisor_hostname */
};
struct node_list {
        struct node_id *items;
        unsigned n;
};
void node_list_free(struct node_list *l);
int YIELDS store_compute_nodes_of_host(struct store *s, struct node_list *ret, struct deadline by,
                                       struct error *err);
/* Soft-deletes a row of this host: it was renamed. */
int YIELDS store_compute_node_forget(struct store *s, const struct node_id *node, struct deadline by,
                                     struct error *err);

/* ---- migrations ---- */

struct migration {
        int64_t id;
        char instance_uuid[UUID_LEN + 1];
        char *source_node, *status;
};
struct migration_list {
        struct migration *items;
        unsigned n;
};
void migration_list_free(struct migration_list *l);
/* Evacuations away from this host that are under way or done (4.2 step 7), also soft-deleted ones. */
int YIELDS store_evacuations_from_here(struct store *s, struct migration_list *ret, struct deadline by,
                                       struct error *err);
/* The migrations of this instance in this status. */
int YIELDS store_migrations_of(struct store *s, const char *uuid, const char *status,
                               struct migration_list *ret, struct deadline by, struct error *err);
/* A row that is gone is no error. */
int YIELDS store_migration_set_status(struct store *s, int64_t id, const char *status, struct deadline by,
                                      struct error *err);

/* ---- console_auth_tokens (3.4) ---- */

struct console_token {               /* all borrowed */
        const char *token;           /* the secret; only its hash is stored */
        const char *console_type;    /* "novnc" */
        const char *host;            /* with port: where the proxy finds the console */
        const char *access_url_base; /* of the proxy */
        const char *instance_uuid;
        int64_t port, ttl_s;
};
/* NOVA_INSTANCE_NOT_FOUND: the instance has no live row. */
int YIELDS store_console_token_add(struct store *s, const struct console_token *t, struct deadline by,
                                   struct error *err);
int YIELDS store_console_tokens_delete(struct store *s, const char *uuid, struct deadline by,
                                       struct error *err);
/* Of the whole cell, as nova does. *ret_n: how many; may be NULL. */
int YIELDS store_console_tokens_clean_expired(struct store *s, uint64_t *ret_n, struct deadline by,
                                              struct error *err);
