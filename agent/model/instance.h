/*
 * agent/model/instance.h: an instance as the agent sees it: the columns of nova's rows that it reads or
 * writes, the flavor, and the image it runs. Plain data, no I/O. Strings are owned unless said otherwise.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#include "base/uuid.h"
#include "model/states.h"

struct instance_meta { /* one row of instance_system_metadata, or one extra spec */
        char *key, *value;
};

struct flavor { /* instance_extra.flavor "cur" (nova-contract 2.3) */
        char *name, *flavorid;
        int64_t id, memory_mb, vcpus, root_gb, ephemeral_gb, swap_mb;
        struct instance_meta *extra_specs;
        unsigned n_extra_specs;
};

/* flavor.c */
void flavor_clear(struct flavor *f);                            /* frees what it holds; leaves zeros */
void flavor_copy(struct flavor *to, const struct flavor *from); /* to is cleared first */
const char *flavor_extra_spec(const struct flavor *f, const char *key); /* NULL if absent */
void flavor_add_extra_spec(struct flavor *f, const char *key, const char *value);

struct instance {
        int64_t id;
        char uuid[UUID_LEN + 1];
        char *user_id, *project_id, *image_ref, *hostname, *display_name, *key_name, *key_data, *user_data;
        char *host, *node, *launched_on, *availability_zone, *root_device_name, *config_drive, *os_type;
        char *reservation_id, *kernel_id, *vm_mode;
        char *default_ephemeral_device, *default_swap_device;
        enum vm_state vm_state;
        enum task_state task_state;
        enum power_state power_state;
        int64_t memory_mb, vcpus, root_gb, ephemeral_gb, progress;
        bool shutdown_terminate, cleaned, deleted, hidden;
        bool has_numa_topology, has_pci_requests; /* instance_extra: what this agent cannot give to a guest */
        time_t created_at, updated_at, launched_at, terminated_at, deleted_at; /* 0: NULL */
        struct flavor flavor;
        struct instance_meta *system_metadata, *metadata;
        unsigned n_system_metadata, n_metadata;
};

struct instance *instance_new(void);
void instance_free(struct instance *i); /* NULL allowed */
void instance_freep(struct instance **i);
const char *instance_system_meta(const struct instance *i, const char *key);           /* NULL if absent */
void instance_set_system_meta(struct instance *i, const char *key, const char *value); /* NULL removes */
/* instance_name_template with one %d, %x, %08x conversion: "instance-00000001" (nova-contract 5.2); NULL if
 * it is not such a template. */
char *instance_domain_name(const struct instance *i, const char *template_);

/* One disk (nova-contract 5.8, block_device_mapping). */
struct block_device {
        int64_t id, boot_index, volume_size;
        char *source_type, *destination_type, *guest_format, *device_type, *disk_bus, *device_name, *image_id;
        bool delete_on_termination;
};
struct block_devices {
        struct block_device *items;
        unsigned n;
};
void block_devices_free(struct block_devices *b);

/* Who asked: the request context (nova-contract 2.4). */
struct jval;
struct request_context {
        char *auth_token;             /* secret: the user's; NULL: there is none */
        struct jval *service_catalog; /* a reference, or NULL: see peers/keystone.h catalog_find() */
        char *request_id, *user_id, *project_id, *user_name, *project_name, *roles; /* roles: comma list */
        bool is_admin;
};
void request_context_free(struct request_context *c);
/* The internal one of periodic tasks and recovery: no user, no project, a fresh request id. */
void request_context_admin(struct request_context *ret);
