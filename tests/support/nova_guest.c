/* tests/support/nova_guest.c: rows of the recorded instances through compute/ and the plan of disks to XML.
 */
#include "nova_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "compute/compute_priv.h"
#include "compute_fixture.h"
#include "green_test.h"
#include "images/disk_plan.h"
#include "json/json.h"
#include "virt/libvirt/xmlutil.h"

const char *const nova_guests[] = { "nova-none", "nova-bridge", "nova-configdrive", "nova-bridge-started",
                                    NULL };

static char *read_data(const char *name, const char *suffix)
{
        CLEANUP(freep) char *path = xasprintf(TEST_DATA "/domxml/%s.%s", name, suffix);
        CLEANUP(strbuf_free) struct strbuf b = {};
        char buf[4096];
        FILE *f = fopen(path, "r");
        size_t n;

        ck_assert_msg(f != NULL, "no file %s", path);
        while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
                strbuf_add(&b, buf, n);
        fclose(f);
        return strbuf_take(&b, NULL);
}

char *nova_guest_view(const char *name)
{
        return read_data(name, "xml");
}

/* ---- rows ---- */

static int take_meta(const char *key, struct jval *value, void *arg)
{
        instance_set_system_meta(arg, key, jval_text(value, ""));
        return 0;
}

static int take_extra_spec(const char *key, struct jval *value, void *arg)
{
        flavor_add_extra_spec(arg, key, jval_text(value, ""));
        return 0;
}

static void take_flavor(struct flavor *f, const struct jval *data)
{
        flavor_clear(f);
        f->name = xstrdup(jval_get_text(data, "name", NULL));
        f->memory_mb = jval_get_int(data, "memory_mb", 0);
        f->vcpus = jval_get_int(data, "vcpus", 0);
        f->root_gb = jval_get_int(data, "root_gb", 0);
        f->ephemeral_gb = jval_get_int(data, "ephemeral_gb", 0);
        f->swap_mb = jval_get_int(data, "swap", 0);
        jval_foreach(jval_get(data, "extra_specs"), take_extra_spec, f);
}

static struct instance *HUB_ONLY take_instance(const struct jval *rows)
{
        const struct jval *row = jval_get(rows, "instances");
        CLEANUP(freep)
        char *network_info = jval_print(jval_get(rows, "instance_info_caches.network_info"), NULL);
        struct instance *i = fake_store_add(jval_get_text(row, "uuid", ""), VM_ACTIVE, TASK_NONE);

        i->id = jval_get_int(row, "id", 0);
        replace_str(&i->user_id, jval_get_text(row, "user_id", NULL));
        replace_str(&i->project_id, jval_get_text(row, "project_id", NULL));
        replace_str(&i->image_ref, jval_get_text(row, "image_ref", NULL));
        replace_str(&i->display_name, jval_get_text(row, "display_name", NULL));
        replace_str(&i->root_device_name, jval_get_text(row, "root_device_name", NULL));
        replace_str(&i->config_drive, jval_get_text(row, "config_drive", NULL));
        replace_str(&i->os_type, jval_get_text(row, "os_type", NULL));
        take_flavor(&i->flavor,
                    jval_get(jval_get(jval_get(rows, "instance_extra.flavor"), "cur"), "nova_object.data"));
        jval_foreach(jval_get(rows, "instance_system_metadata"), take_meta, i);
        fake_store_set_network_info(i->uuid, network_info);
        return i;
}

/* Texts are borrowed from the rows. */
static void take_devices(const struct jval *rows, struct block_device *d, unsigned n)
{
        for (unsigned k = 0; k < n; k++) {
                const struct jval *row = jval_at(jval_get(rows, "block_device_mapping"), k);

                d[k] = (struct block_device){
                        .boot_index = jval_get_int(row, "boot_index", -1),
                        .volume_size = jval_get_int(row, "volume_size", 0),
                        .source_type = (char *)jval_get_text(row, "source_type", NULL),
                        .destination_type = (char *)jval_get_text(row, "destination_type", NULL),
                        .guest_format = (char *)jval_get_text(row, "guest_format", NULL),
                        .device_type = (char *)jval_get_text(row, "device_type", NULL),
                        .disk_bus = (char *)jval_get_text(row, "disk_bus", NULL),
                        .device_name = (char *)jval_get_text(row, "device_name", NULL),
                };
        }
}

/* ---- the definition ---- */

static void HUB_ONLY add_disks(const struct compute_manager *m, const struct instance *i,
                               const struct block_devices *devices, struct guest_spec *s)
{
        struct error err = {};
        struct disk_plan plan;

        ck_assert_ok(disk_plan_make(i, devices, guestspec_wants_config_drive(m, i), &plan, &err), err);
        s->disks = xcalloc(plan.n, sizeof(*s->disks));
        for (; s->n_disks < plan.n; s->n_disks++) {
                const struct planned_disk *d = &plan.disks[s->n_disks];

                s->disks[s->n_disks] = (struct guest_disk){
                        .path = xasprintf("/var/lib/nova/instances/%s/%s", i->uuid, d->file),
                        .format = xstrdup(d->role == DISK_CONFIG_DRIVE ? "raw" : "qcow2"),
                        .cache = xstrdup("none"),
                        .target = xstrdup(d->target),
                        .bus = xstrdup(d->bus),
                        .cdrom = d->cdrom,
                };
        }
        s->console_log = xasprintf("/var/lib/nova/instances/%s/console.log", i->uuid);
}

/* creationTime is when the definition was made. */
static time_t time_of(const char *view)
{
        static const char element[] = "<nova:creationTime>";
        const char *at = strstr(view, element);
        struct tm tm = {};

        ck_assert_ptr_nonnull(at);
        ck_assert_ptr_nonnull(strptime(at + strlen(element), "%Y-%m-%d %H:%M:%S", &tm));
        return timegm(&tm);
}

char *nova_guest_ours(const char *name, const char *domain_type)
{
        const struct domxml_host host = {
                .arch = "x86_64",
                .domain_type = domain_type,
                .cpu_mode = "none",
                .vnc_listen = "127.0.0.1",
                .version = "26.2.2",
                .mem_stats_period_s = 10,
        };
        CLEANUP(guest_spec_free) struct guest_spec s = {};
        CLEANUP(freep) char *text = read_data(name, "json");
        CLEANUP(freep) char *view = nova_guest_view(name);
        CLEANUP(jval_unrefp) struct jval *rows = NULL;
        struct block_device devices[4];
        struct block_devices all = { devices, 0 };
        struct compute_fixture f;
        struct error err = {};
        struct instance *i;
        char *xml = NULL;

        rows = jval_parse(text, strlen(text), &err);
        ck_assert_msg(rows != NULL, "%s", err.text);
        all.n = (unsigned)jval_len(jval_get(rows, "block_device_mapping"));
        ck_assert_uint_le(all.n, ARRAY_SIZE(devices));
        compute_fixture_start(&f);
        xml_init();
        i = take_instance(rows);
        take_devices(rows, devices, all.n);
        ck_assert_ok(guestspec_fill(f.m, i, &s, deadline_in_s(10), &err), err);
        add_disks(f.m, i, &all, &s);
        s.created = time_of(view);
        ck_assert_ok(domxml_build(&host, &s, &xml, &err), err);
        compute_fixture_stop(&f);
        return xml;
}
