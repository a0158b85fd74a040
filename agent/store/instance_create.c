/*
 * agent/store/instance_create.c: the rows that conductor writes before it casts build_and_run_instance
 * (nova-contract 3.4), for a machine that has no control plane. One transaction, or nothing.
 */
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NAME_MAX_CHARS   255
#define USER_DATA_MAX    65535
#define HOSTNAME_MAX_LEN 63

/* The name of the guest as a host name: small letters, digits and dashes; "server-<uuid>" when nothing is
 * left. */
static char *hostname_of(const char *display_name, const char *uuid)
{
        char name[HOSTNAME_MAX_LEN + 1];
        size_t n = 0;

        for (const char *s = display_name; s && *s && n < HOSTNAME_MAX_LEN; s++) {
                char c = *s >= 'A' && *s <= 'Z' ? (char)(*s | 0x20) : *s;

                if (c == ' ' || c == '_' || c == '.')
                        c = '-';
                if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && n > 0))
                        name[n++] = c;
        }
        while (n > 0 && name[n - 1] == '-')
                n--;
        name[n] = '\0';
        return n ? xstrdup(name) : xasprintf("server-%s", uuid);
}

static int check(const struct new_instance *n, struct error *err)
{
        if (!n->image_ref || !n->request_id || !n->display_name)
                return error_set(err, ERR_INVALID, "a name, an image and a request id are needed");
        if (text_check("the name", n->display_name, NAME_MAX_CHARS, err) < 0 ||
            text_check("the image", n->image_ref, UUID_LEN, err) < 0 ||
            text_check("the user", n->user_id, NAME_MAX_CHARS, err) < 0 ||
            text_check("the project", n->project_id, NAME_MAX_CHARS, err) < 0 ||
            text_check("the request id", n->request_id, NAME_MAX_CHARS, err) < 0 ||
            text_check("the disk format", n->image_disk_format, NAME_MAX_CHARS, err) < 0 ||
            text_check("the container format", n->image_container_format, NAME_MAX_CHARS, err) < 0 ||
            text_check("the user data", n->user_data, USER_DATA_MAX, err) < 0)
                return -1;
        if (n->memory_mb < 1 || n->memory_mb > INT32_MAX || n->vcpus < 1 || n->vcpus > INT32_MAX ||
            n->root_gb < 0 || n->root_gb > INT32_MAX || n->image_min_disk < 0 || n->image_min_ram < 0)
                return error_set(err, ERR_INVALID, "one of the sizes is out of range");
        return 0;
}

struct creation {
        const struct new_instance *n;
        struct flavor flavor;
        char uuid[UUID_LEN + 1], disk_uuid[UUID_LEN + 1], reservation[11], now[TIME_TEXT];
        char *hostname, *flavor_json;
};

/* One INSERT: "column, column" in names, values beside them. What all tables have comes by itself. */
static int YIELDS insert(struct db_conn *c, const struct creation *k, const char *table, const char *names,
                         const struct db_value *values, size_t n, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        strbuf_addf(&q.sql, "INSERT INTO %s (created_at, deleted, %s) VALUES (?, 0", table, names);
        query_value(&q, db_text(k->now));
        for (size_t i = 0; i < n; i++) {
                query_add(&q, ", ?");
                query_value(&q, values[i]);
        }
        query_add(&q, ")");
        return query_exec(NULL, c, &q, NULL, NULL, by, err);
}

static int YIELDS insert_instance(struct db_conn *c, const struct creation *k, struct deadline by,
                                  struct error *err)
{
        const struct new_instance *n = k->n;
        const struct db_value values[] = {
                db_text(k->uuid),
                db_text(n->user_id),
                db_text(n->project_id),
                db_text(n->image_ref),
                db_text(""), /* kernel_id, ramdisk_id */
                db_text(""),
                db_text(k->hostname),
                db_text(n->display_name),
                db_text(k->reservation),
                db_text(n->user_data),
                db_text(n->config_drive ? "True" : ""),
                db_text(vm_state_name(VM_BUILDING)),
                db_text(task_state_name(TASK_SCHEDULING)),
                db_int(POWER_NOSTATE),
                db_int(n->memory_mb),
                db_int(n->vcpus),
                db_int(n->root_gb),
                db_int(0), /* ephemeral_gb */
                db_int(k->flavor.id),
                db_text("nova"), /* the zone of hosts that are in none */
                db_int(0),       /* launch_index, progress, and what is not so */
                db_int(0),
                db_int(0),
                db_int(0),
                db_int(0),
                db_int(0),
                db_int(0),
                db_int(0),
        };

        return insert(
                c, k, "instances",
                "uuid, user_id, project_id, image_ref, kernel_id, ramdisk_id, hostname, display_name, "
                "reservation_id, user_data, config_drive, vm_state, task_state, power_state, memory_mb, "
                "vcpus, "
                "root_gb, ephemeral_gb, instance_type_id, availability_zone, launch_index, progress, locked, "
                "auto_disk_config, shutdown_terminate, disable_terminate, cleaned, hidden",
                values, ARRAY_SIZE(values), by, err);
}

static int YIELDS insert_extra(struct db_conn *c, const struct creation *k, struct deadline by,
                               struct error *err)
{
        static const char keypairs[] =
                "{\"nova_object.name\": \"KeyPairList\", \"nova_object.namespace\": \"nova\", "
                "\"nova_object.version\": \"1.3\", \"nova_object.data\": {\"objects\": []}}";
        const struct db_value extra[] = { db_text(k->uuid), db_text("[]"), db_text(k->flavor_json),
                                          db_text(keypairs) };
        const struct db_value cache[] = { db_text(k->uuid), db_text("[]") };

        if (insert(c, k, "instance_extra", "instance_uuid, pci_requests, flavor, keypairs", extra,
                   ARRAY_SIZE(extra), by, err) < 0 ||
            insert(c, k, "instance_info_caches", "instance_uuid, network_info", cache, ARRAY_SIZE(cache), by,
                   err) < 0)
                return -1;
        return insert(c, k, "instance_id_mappings", "uuid", extra, 1, by, err);
}

static int YIELDS insert_meta(struct db_conn *c, const struct creation *k, struct deadline by,
                              struct error *err)
{
        const struct new_instance *n = k->n;
        int64_t min_disk = n->image_min_disk > n->root_gb ? n->image_min_disk : n->root_gb;
        CLEANUP(freep) char *disk = xasprintf("%lld", (long long)min_disk);
        CLEANUP(freep) char *ram = xasprintf("%lld", (long long)n->image_min_ram);
        const struct instance_meta meta[] = {
                { (char *)"image_min_ram", ram },
                { (char *)"image_min_disk", disk },
                { (char *)"image_disk_format", (char *)n->image_disk_format },
                { (char *)"image_container_format", (char *)n->image_container_format },
                { (char *)"image_base_image_ref", (char *)n->image_ref },
                { (char *)"owner_user_name", (char *)n->user_id },
                { (char *)"owner_project_name", (char *)n->project_id },
        };

        for (size_t i = 0; i < ARRAY_SIZE(meta); i++) {
                const struct db_value values[] = { db_text(k->uuid), db_text(meta[i].key),
                                                   db_text(meta[i].value) };

                if (meta[i].value && insert(c, k, "instance_system_metadata", "instance_uuid, `key`, value",
                                            values, ARRAY_SIZE(values), by, err) < 0)
                        return -1;
        }
        return 0;
}

static int YIELDS insert_disk_and_action(struct db_conn *c, const struct creation *k, struct deadline by,
                                         struct error *err)
{
        const struct new_instance *n = k->n;
        const struct db_value disk[] = {
                db_text(k->uuid), db_text(k->disk_uuid), db_text("image"), db_text("local"), db_text("disk"),
                db_int(0),        db_text(n->image_ref), db_int(1),        db_int(0),        db_int(0)
        };
        const struct db_value action[] = { db_text(k->now),     db_text("create"),
                                           db_text(k->uuid),    db_text(n->request_id),
                                           db_text(n->user_id), db_text(n->project_id),
                                           db_text(k->now) };

        if (insert(c, k, "block_device_mapping",
                   "instance_uuid, uuid, source_type, destination_type, device_type, boot_index, image_id, "
                   "delete_on_termination, no_device, encrypted",
                   disk, ARRAY_SIZE(disk), by, err) < 0)
                return -1;
        return insert(c, k, "instance_actions",
                      "updated_at, action, instance_uuid, request_id, user_id, project_id, start_time",
                      action, ARRAY_SIZE(action), by, err);
}

static int insert_all(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        const struct creation *k = arg;

        assert_green();
        if (insert_instance(c, k, by, err) < 0 || insert_extra(c, k, by, err) < 0 ||
            insert_meta(c, k, by, err) < 0)
                return -1;
        return insert_disk_and_action(c, k, by, err);
}

int store_instance_create(struct store *s, const struct new_instance *n, struct instance **ret,
                          struct deadline by, struct error *err)
{
        struct creation k = { .n = n };
        int r = -1;

        if (check(n, err) < 0)
                return error_while(err, "creating an instance");
        uuid_new(k.uuid);
        uuid_new(k.disk_uuid);
        snprintf(k.reservation, sizeof(k.reservation), "r-%.8s", k.disk_uuid);
        uuid_new(k.disk_uuid);
        time_text(clock_wall_s(), k.now);
        k.hostname = hostname_of(n->display_name, k.uuid);
        k.flavor = (struct flavor){ .memory_mb = n->memory_mb, .vcpus = n->vcpus, .root_gb = n->root_gb };
        k.flavor.name = xasprintf("c%lld.m%lld.d%lld", (long long)n->vcpus, (long long)n->memory_mb,
                                  (long long)n->root_gb);
        k.flavor.flavorid = xstrdup(k.flavor.name);
        k.flavor_json = flavor_to_json(&k.flavor, clock_wall_s());
        if (db_transaction(s->db, insert_all, &k, by, err) < 0)
                error_while(err, "creating an instance");
        else
                r = store_instance_get(s, k.uuid, 0, ret, by, err);
        flavor_clear(&k.flavor);
        free(k.hostname);
        free(k.flavor_json);
        return r;
}
