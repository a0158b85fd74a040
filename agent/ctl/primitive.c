/*
 * agent/ctl/primitive.c: objects with name, namespace, version and data; fields that are not known to us are
 * left out, which means "not loaded" to whoever receives them.
 */
#include "ctl/primitive.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/primitive.h"

/* Takes over the list. */
static struct jval *list_object(const char *name, const char *version, struct jval *list)
{
        struct jval *data = jval_new_object();

        jval_set(data, "objects", list);
        return nova_object(name, version, data);
}

static struct jval *meta(const struct instance_meta *items, unsigned n)
{
        struct jval *o = jval_new_object();

        for (unsigned i = 0; i < n; i++)
                jval_set_text(o, items[i].key, items[i].value);
        return o;
}

static void set_texts(struct jval *data, const struct instance *i)
{
        jval_set_text(data, "uuid", i->uuid);
        jval_set_text(data, "user_id", i->user_id);
        jval_set_text(data, "project_id", i->project_id);
        jval_set_text(data, "image_ref", i->image_ref);
        jval_set_text(data, "kernel_id", "");
        jval_set_text(data, "ramdisk_id", "");
        jval_set_text(data, "hostname", i->hostname);
        jval_set_text(data, "display_name", i->display_name);
        jval_set_text(data, "key_name", i->key_name);
        jval_set_text(data, "key_data", i->key_data);
        jval_set_text(data, "user_data", i->user_data);
        jval_set_text(data, "host", i->host);
        jval_set_text(data, "node", i->node);
        jval_set_text(data, "launched_on", i->launched_on);
        jval_set_text(data, "availability_zone", i->availability_zone);
        jval_set_text(data, "root_device_name", i->root_device_name);
        jval_set_text(data, "config_drive", i->config_drive ? i->config_drive : "");
        jval_set_text(data, "os_type", i->os_type);
        jval_set_text(data, "reservation_id", i->reservation_id);
        jval_set_text(data, "vm_state", vm_state_name(i->vm_state));
        jval_set_text(data, "task_state", task_state_name(i->task_state));
}

struct jval *primitive_instance(const struct instance *i)
{
        struct jval *data = jval_new_object();

        jval_set_int(data, "id", i->id);
        set_texts(data, i);
        jval_set_int(data, "power_state", i->power_state);
        jval_set_int(data, "memory_mb", i->memory_mb);
        jval_set_int(data, "vcpus", i->vcpus);
        jval_set_int(data, "root_gb", i->root_gb);
        jval_set_int(data, "ephemeral_gb", i->ephemeral_gb);
        jval_set_int(data, "progress", i->progress);
        jval_set_int(data, "launch_index", 0);
        jval_set_bool(data, "shutdown_terminate", i->shutdown_terminate);
        jval_set_bool(data, "cleaned", i->cleaned);
        jval_set_bool(data, "hidden", i->hidden);
        jval_set_bool(data, "locked", false);
        nova_object_set_time(data, "launched_at", i->launched_at);
        nova_object_set_time(data, "terminated_at", i->terminated_at);
        jval_set(data, "metadata", meta(i->metadata, i->n_metadata));
        jval_set(data, "system_metadata", meta(i->system_metadata, i->n_system_metadata));
        if (i->flavor.vcpus > 0)
                jval_set(data, "flavor", nova_flavor(&i->flavor, 0));
        nova_object_set_times(data, i->created_at, i->updated_at);
        return nova_object("Instance", "2.7", data);
}

static struct jval *block_device(const struct block_device *b, const char *instance_uuid)
{
        struct jval *data = jval_new_object();

        jval_set_int(data, "id", b->id);
        jval_set_text(data, "instance_uuid", instance_uuid);
        jval_set_text(data, "source_type", b->source_type);
        jval_set_text(data, "destination_type", b->destination_type);
        jval_set_text(data, "guest_format", b->guest_format);
        jval_set_text(data, "device_type", b->device_type);
        jval_set_text(data, "disk_bus", b->disk_bus);
        jval_set_int(data, "boot_index", b->boot_index);
        jval_set_text(data, "device_name", b->device_name);
        jval_set_bool(data, "delete_on_termination", b->delete_on_termination);
        jval_set_text(data, "snapshot_id", NULL);
        jval_set_text(data, "volume_id", NULL);
        jval_set(data, "volume_size", b->volume_size ? jval_new_int(b->volume_size) : jval_new_null());
        jval_set_text(data, "image_id", b->image_id);
        jval_set_bool(data, "no_device", false);
        jval_set_text(data, "connection_info", NULL);
        jval_set_text(data, "tag", NULL);
        jval_set_text(data, "attachment_id", NULL);
        return nova_object("BlockDeviceMapping", "1.21", data);
}

struct jval *primitive_block_devices(const struct block_devices *b, const char *instance_uuid)
{
        struct jval *list = jval_new_array();

        for (unsigned i = 0; i < b->n; i++)
                jval_push(list, block_device(&b->items[i], instance_uuid));
        return list_object("BlockDeviceMappingList", "1.18", list);
}

/* ---- a build ---- */

/* A cloud without networks: one request for "none" (nova-contract 2.3). */
static struct jval *no_networks(void)
{
        struct jval *data = jval_new_object(), *list = jval_new_array();

        jval_set_text(data, "network_id", "none");
        jval_set_text(data, "port_id", NULL);
        jval_set_text(data, "device_profile", NULL);
        jval_push(list, nova_object("NetworkRequest", "1.3", data));
        return list_object("NetworkRequestList", "1.1", list);
}

static struct jval *image_dict(const struct image_info *image)
{
        struct jval *o = jval_new_object();

        jval_set_text(o, "id", image->id);
        jval_set_text(o, "name", image->name);
        jval_set_text(o, "status", image->status ? image->status : "active");
        jval_set_text(o, "disk_format", image->disk_format);
        jval_set_text(o, "container_format", image->container_format);
        jval_set_int(o, "size", image->size);
        jval_set_int(o, "min_disk", image->min_disk_gb);
        jval_set_int(o, "min_ram", image->min_ram_mb);
        jval_set_text(o, "os_hash_algo", image->checksum_algo);
        jval_set_text(o, "os_hash_value", image->checksum);
        jval_set_text(o, "created_at", image->created_at);
        jval_set_bool(o, "deleted", false);
        jval_set(o, "properties", jval_new_object());
        return o;
}

static struct jval *request_spec(const struct instance *i)
{
        struct jval *data = jval_new_object();

        jval_set_text(data, "instance_uuid", i->uuid);
        jval_set_text(data, "user_id", i->user_id);
        jval_set_text(data, "project_id", i->project_id);
        jval_set_int(data, "num_instances", 1);
        jval_set(data, "flavor", nova_flavor(&i->flavor, 0));
        jval_set(data, "scheduler_hints", jval_new_object());
        jval_set_bool(data, "is_bfv", false);
        jval_set(data, "requested_networks", no_networks());
        return nova_object("RequestSpec", "1.14", data);
}

struct jval *primitive_build_arguments(const struct instance *i, const struct block_devices *b,
                                       const struct image_info *image, const char *node)
{
        struct jval *args = jval_new_object(), *filter = jval_new_object();

        /* Without "retry" a build that fails is not handed to another host: there is none. */
        jval_set(filter, "limits", jval_new_object());
        jval_set(args, "instance", primitive_instance(i));
        jval_set(args, "image", image_dict(image));
        jval_set(args, "request_spec", request_spec(i));
        jval_set(args, "filter_properties", filter);
        jval_set_text(args, "admin_password", NULL);
        jval_set(args, "injected_files", jval_new_array());
        jval_set(args, "requested_networks", no_networks());
        jval_set(args, "security_groups", jval_new_array());
        jval_set(args, "block_device_mapping", primitive_block_devices(b, i->uuid));
        jval_set_text(args, "node", node);
        jval_set(args, "limits", jval_new_object());
        jval_set(args, "host_list", jval_new_array());
        jval_set(args, "accel_uuids", jval_new_array());
        return args;
}
