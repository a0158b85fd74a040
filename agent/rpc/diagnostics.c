/*
 * agent/rpc/diagnostics.c: a guest's counters as JSON.
 *
 * The object's numbers are integers or null, as its fields in nova are. Its memory is given in GiB, cut off:
 * nova divides KiB by 2^20, and who reads it has learnt to live with that.
 */
#include "rpc/diagnostics.h"

#include <inttypes.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "model/primitive.h"

#define VERSION    "1.0" /* of all objects here */
#define KB_PER_GIB (1 << 20)

struct counter {
        const char *name;
        size_t offset;
};

static int64_t counter_of(const struct counter *c, const void *from)
{
        return *(const int64_t *)((const char *)from + c->offset);
}

/* ---- flat ---- */

static void __attribute__((format(printf, 3, 4)))
set_named(struct jval *object, int64_t value, const char *fmt, ...)
{
        CLEANUP(freep) char *name = NULL;
        va_list ap;

        va_start(ap, fmt);
        name = xvasprintf(fmt, ap);
        va_end(ap);
        jval_set_int(object, name, value);
}

static const struct counter flat_disk[] = {
        { "read_req", offsetof(struct guest_disk_usage, read_requests) },
        { "read", offsetof(struct guest_disk_usage, read_bytes) },
        { "write_req", offsetof(struct guest_disk_usage, write_requests) },
        { "write", offsetof(struct guest_disk_usage, write_bytes) },
        { "errors", offsetof(struct guest_disk_usage, errors) },
};

static const struct counter flat_nic[] = {
        { "rx", offsetof(struct guest_nic_usage, rx_bytes) },
        { "rx_packets", offsetof(struct guest_nic_usage, rx_packets) },
        { "rx_errors", offsetof(struct guest_nic_usage, rx_errors) },
        { "rx_drop", offsetof(struct guest_nic_usage, rx_drop) },
        { "tx", offsetof(struct guest_nic_usage, tx_bytes) },
        { "tx_packets", offsetof(struct guest_nic_usage, tx_packets) },
        { "tx_errors", offsetof(struct guest_nic_usage, tx_errors) },
        { "tx_drop", offsetof(struct guest_nic_usage, tx_drop) },
};

struct jval *diagnostics_flat(const struct compute_diagnostics *d)
{
        const struct guest_usage *u = &d->usage;
        struct jval *o = jval_new_object();

        for (unsigned i = 0; i < u->n_cpus; i++)
                set_named(o, u->cpus[i].time_ns, "cpu%" PRId64 "_time", u->cpus[i].id);
        for (unsigned i = 0; i < u->n_disks; i++)
                for (size_t c = 0; c < ARRAY_SIZE(flat_disk); c++)
                        set_named(o, counter_of(&flat_disk[c], &u->disks[i]), "%s_%s", u->disks[i].target,
                                  flat_disk[c].name);
        for (unsigned i = 0; i < u->n_nics; i++)
                for (size_t c = 0; *u->nics[i].target && c < ARRAY_SIZE(flat_nic); c++)
                        set_named(o, counter_of(&flat_nic[c], &u->nics[i]), "%s_%s", u->nics[i].target,
                                  flat_nic[c].name);
        jval_set_int(o, "memory", u->memory_max_kb);
        for (unsigned i = 0; i < u->n_memory; i++)
                set_named(o, u->memory[i].value, "memory-%s", u->memory[i].name);
        return o;
}

/* ---- the object ---- */

static int add_change(const char *key, struct jval *v, void *arg)
{
        (void)v;
        jval_push(arg, jval_new_text(key));
        return 0;
}

/* An object made here: all its fields are changes. Takes over data. */
static struct jval *fresh_object(const char *name, struct jval *data)
{
        struct jval *changes = jval_new_array();
        struct jval *o;

        jval_foreach(data, add_change, changes);
        o = nova_object(name, VERSION, data);
        jval_set(o, "nova_object.changes", changes);
        return o;
}

static const struct counter object_disk[] = {
        { "read_bytes", offsetof(struct guest_disk_usage, read_bytes) },
        { "read_requests", offsetof(struct guest_disk_usage, read_requests) },
        { "write_bytes", offsetof(struct guest_disk_usage, write_bytes) },
        { "write_requests", offsetof(struct guest_disk_usage, write_requests) },
        { "errors_count", offsetof(struct guest_disk_usage, errors) },
};

static const struct counter object_nic[] = {
        { "rx_octets", offsetof(struct guest_nic_usage, rx_bytes) },
        { "rx_errors", offsetof(struct guest_nic_usage, rx_errors) },
        { "rx_drop", offsetof(struct guest_nic_usage, rx_drop) },
        { "rx_packets", offsetof(struct guest_nic_usage, rx_packets) },
        { "tx_octets", offsetof(struct guest_nic_usage, tx_bytes) },
        { "tx_errors", offsetof(struct guest_nic_usage, tx_errors) },
        { "tx_drop", offsetof(struct guest_nic_usage, tx_drop) },
        { "tx_packets", offsetof(struct guest_nic_usage, tx_packets) },
};

static struct jval *cpu_details(const struct guest_usage *u)
{
        struct jval *details = jval_new_array();

        for (unsigned i = 0; i < u->n_cpus; i++) {
                struct jval *data = jval_new_object();

                jval_set_int(data, "id", u->cpus[i].id);
                jval_set_int(data, "time", u->cpus[i].time_ns);
                jval_set(data, "utilisation", jval_new_null());
                jval_push(details, fresh_object("CpuDiagnostics", data));
        }
        return details;
}

static struct jval *disk_details(const struct guest_usage *u)
{
        struct jval *details = jval_new_array();

        for (unsigned i = 0; i < u->n_disks; i++) {
                struct jval *data = jval_new_object();

                for (size_t c = 0; c < ARRAY_SIZE(object_disk); c++)
                        jval_set_int(data, object_disk[c].name, counter_of(&object_disk[c], &u->disks[i]));
                jval_push(details, fresh_object("DiskDiagnostics", data));
        }
        return details;
}

/* An interface without a device on the host is there too, and nothing is known of it. */
static struct jval *nic_details(const struct guest_usage *u)
{
        struct jval *details = jval_new_array();

        for (unsigned i = 0; i < u->n_nics; i++) {
                bool counted = *u->nics[i].target;
                struct jval *data = jval_new_object();

                jval_set_text(data, "mac_address", u->nics[i].mac);
                for (size_t c = 0; c < ARRAY_SIZE(object_nic); c++)
                        jval_set(data, object_nic[c].name,
                                 counted ? jval_new_int(counter_of(&object_nic[c], &u->nics[i]))
                                         : jval_new_null());
                jval_set(data, "rx_rate", jval_new_null());
                jval_set(data, "tx_rate", jval_new_null());
                jval_push(details, fresh_object("NicDiagnostics", data));
        }
        return details;
}

static struct jval *memory_details(const struct guest_usage *u)
{
        struct jval *data = jval_new_object();

        jval_set_int(data, "maximum", u->memory_max_kb / KB_PER_GIB);
        jval_set_int(data, "used", u->memory_kb / KB_PER_GIB);
        return fresh_object("MemoryDiagnostics", data);
}

struct jval *diagnostics_object(const struct compute_diagnostics *d)
{
        const struct guest_usage *u = &d->usage;
        struct jval *data = jval_new_object();

        jval_set_text(data, "state", power_state_name(POWER_RUNNING)); /* else there are none */
        jval_set_text(data, "driver", d->driver);
        jval_set_text(data, "hypervisor", d->hypervisor);
        jval_set_text(data, "hypervisor_os", "linux");
        jval_set(data, "uptime", d->uptime_s < 0 ? jval_new_null() : jval_new_int(d->uptime_s));
        jval_set_bool(data, "config_drive", d->config_drive);
        jval_set(data, "memory_details", memory_details(u));
        jval_set(data, "cpu_details", cpu_details(u));
        jval_set(data, "nic_details", nic_details(u));
        jval_set(data, "disk_details", disk_details(u));
        jval_set_int(data, "num_cpus", u->n_cpus);
        jval_set_int(data, "num_nics", u->n_nics);
        jval_set_int(data, "num_disks", u->n_disks);
        return fresh_object("Diagnostics", data);
}
