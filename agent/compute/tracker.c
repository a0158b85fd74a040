/*
 * agent/compute/tracker.c: the compute_nodes row of this host.
 *
 * An audit takes what the hypervisor and the file system say, sums up the instances in the rows, and writes
 * what differs. Between audits a claim or an instance that leaves changes the sums in memory and the row at
 * once. Whoever changes the sums holds "compute_resources", so that an audit's sums never miss a claim.
 */
#define LOG_MODULE "compute.tracker"
#include "compute/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/usage.h"
#include "green/lockutils.h"

#define RESOURCES_LOCK "compute_resources"
#define GIB            (INT64_C(1) << 30)
/* No PCI devices are handed out: an empty list, in the form nova's services decode. */
#define NO_PCI_DEVICES                                                                        \
        "{\"nova_object.name\": \"PciDevicePoolList\", \"nova_object.namespace\": \"nova\", " \
        "\"nova_object.version\": \"1.1\", \"nova_object.data\": {\"objects\": []}, "         \
        "\"nova_object.changes\": [\"objects\"]}"

struct tracker {
        const struct conf *conf;
        struct store *store;
        struct virt_driver *driver;
        struct disk_store *disks;
        char *node; /* hypervisor_hostname; NULL before the first audit */
        bool audited;
        int64_t audited_ns;    /* when the last audit ended; 0: never */
        struct host_info host; /* as of the last audit, or of tracker_know_host() */
        bool host_is_fresh;    /* the next audit need not ask */
        struct usage *usage;
        struct compute_node_row row;     /* as computed */
        struct compute_node_row written; /* as in the database; id 0: not known to be there */
};

struct tracker *tracker_new(const struct conf *conf, struct store *store, struct virt_driver *driver,
                            struct disk_store *disks)
{
        struct tracker *t = NEW(struct tracker);

        t->conf = conf;
        t->store = store;
        t->driver = driver;
        t->disks = disks;
        t->usage = usage_new();
        return t;
}

void tracker_free(struct tracker *t)
{
        if (!t)
                return;
        usage_free(t->usage);
        host_info_free(&t->host);
        compute_node_row_free(&t->row);
        compute_node_row_free(&t->written);
        free(t->node);
        free(t);
}

double tracker_audit_age(const struct tracker *t)
{
        return t->audited_ns ? clock_since_s(t->audited_ns) : -1;
}

const char *tracker_node(const struct tracker *t)
{
        return t->node ? t->node : "";
}

const struct compute_node_row *tracker_row(const struct tracker *t)
{
        return t->row.hypervisor_hostname ? &t->row : NULL;
}

const struct host_info *tracker_host(const struct tracker *t)
{
        return &t->host;
}

void tracker_get_sums(const struct tracker *t, struct usage_sums *ret)
{
        usage_get_sums(t->usage, ret);
}

bool tracker_counts(const struct tracker *t, const char *uuid)
{
        return usage_has(t->usage, uuid);
}

void tracker_build_failed(struct tracker *t)
{
        if (t->conf->compute.consecutive_build_service_disable_threshold)
                usage_set_failed_builds(t->usage, usage_failed_builds(t->usage) + 1);
}

void tracker_build_succeeded(struct tracker *t)
{
        usage_set_failed_builds(t->usage, 0);
}

/* ---- the row ---- */

static bool same_text(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

/* The columns are FLOAT: what comes back has no more digits than that. */
static bool same_ratio(double a, double b)
{
        return (float)a == (float)b;
}

static bool same_numbers(const struct compute_node_row *a, const struct compute_node_row *b)
{
        return a->vcpus == b->vcpus && a->memory_mb == b->memory_mb && a->local_gb == b->local_gb &&
               a->vcpus_used == b->vcpus_used && a->memory_mb_used == b->memory_mb_used &&
               a->local_gb_used == b->local_gb_used && a->hypervisor_version == b->hypervisor_version &&
               a->free_ram_mb == b->free_ram_mb && a->free_disk_gb == b->free_disk_gb &&
               a->current_workload == b->current_workload && a->running_vms == b->running_vms &&
               a->disk_available_least == b->disk_available_least &&
               same_ratio(a->cpu_allocation_ratio, b->cpu_allocation_ratio) &&
               same_ratio(a->ram_allocation_ratio, b->ram_allocation_ratio) &&
               same_ratio(a->disk_allocation_ratio, b->disk_allocation_ratio);
}

static bool same_row(const struct compute_node_row *a, const struct compute_node_row *b)
{
        return a->id == b->id && same_numbers(a, b) && same_text(a->hypervisor_type, b->hypervisor_type) &&
               same_text(a->hypervisor_hostname, b->hypervisor_hostname) &&
               same_text(a->cpu_info, b->cpu_info) && same_text(a->host_ip, b->host_ip) &&
               same_text(a->supported_instances, b->supported_instances) && same_text(a->stats, b->stats) &&
               same_text(a->numa_topology, b->numa_topology) && same_text(a->pci_stats, b->pci_stats) &&
               same_text(a->metrics, b->metrics);
}

static void apply_usage(struct tracker *t)
{
        struct compute_node_row *row = &t->row;
        struct usage_sums sums;

        usage_get_sums(t->usage, &sums);
        row->vcpus_used = t->conf->reserved_host_cpus + sums.vcpus;
        row->memory_mb_used = t->conf->reserved_host_memory_mb + sums.memory_mb;
        row->local_gb_used = t->conf->reserved_host_disk_mb / 1024 + sums.disk_gb;
        row->free_ram_mb = row->memory_mb - row->memory_mb_used;
        row->free_disk_gb = row->local_gb - row->local_gb_used;
        row->running_vms = sums.instances;
        row->current_workload = sums.workload;
        free(row->stats);
        row->stats = usage_stats_json(t->usage);
}

/* Writes the row if it differs from what is in the database; the first audit of a process always does. */
static int YIELDS write_row(struct tracker *t, struct deadline by, struct error *err)
{
        apply_usage(t);
        if (t->row.id != 0 && t->audited && same_row(&t->row, &t->written))
                return 0;
        if (store_compute_node_save(t->store, &t->row, by, err) < 0)
                return error_while(err, "writing the compute_nodes row of %s", t->node);
        compute_node_row_copy(&t->written, &t->row);
        return 0;
}

/* ---- audit ---- */

static double ratio(double configured, double present)
{
        return configured != 0 ? configured : present;
}

/* Finds our row, or prepares a new one: it may have been removed by hand since the last audit. */
static int YIELDS find_row(struct tracker *t, struct deadline by, struct error *err)
{
        struct compute_node_row there = {};
        const struct conf *conf = t->conf;
        int r = store_compute_node_get(t->store, t->node, &there, by, err);

        if (r < 0 && err->code != ERR_NOT_FOUND)
                return error_while(err, "reading the compute_nodes row of %s", t->node);
        if (r < 0) {
                if (t->row.id != 0)
                        log_warning("the compute_nodes row of %s is gone, making it again", t->node);
                t->row.id = 0;
                t->row.uuid[0] = '\0';
                there.cpu_allocation_ratio = conf->initial_cpu_allocation_ratio;
                there.ram_allocation_ratio = conf->initial_ram_allocation_ratio;
                there.disk_allocation_ratio = conf->initial_disk_allocation_ratio;
        } else {
                t->row.id = there.id;
                memcpy(t->row.uuid, there.uuid, sizeof(t->row.uuid));
        }
        t->row.cpu_allocation_ratio = ratio(conf->cpu_allocation_ratio, there.cpu_allocation_ratio);
        t->row.ram_allocation_ratio = ratio(conf->ram_allocation_ratio, there.ram_allocation_ratio);
        t->row.disk_allocation_ratio = ratio(conf->disk_allocation_ratio, there.disk_allocation_ratio);
        compute_node_row_copy(&t->written, &there);
        compute_node_row_free(&there);
        return 0;
}

static void apply_host(struct tracker *t, const struct host_info *host, const struct disks_usage *disk)
{
        struct compute_node_row *row = &t->row;

        row->vcpus = host->vcpus;
        row->memory_mb = host->memory_mb;
        row->local_gb = disk->total_bytes / GIB;
        row->disk_available_least = (disk->available_bytes - disk->over_committed_bytes) / GIB;
        row->hypervisor_version = host->hypervisor_version;
        replace_str(&row->hypervisor_type, host->hypervisor_type);
        replace_str(&row->hypervisor_hostname, t->node);
        replace_str(&row->cpu_info, host->cpu_info ? host->cpu_info : "{}");
        replace_str(&row->supported_instances, host->supported_instances ? host->supported_instances : "[]");
        replace_str(&row->host_ip, t->conf->my_ip);
        replace_str(&row->pci_stats, NO_PCI_DEVICES);
        replace_str(&row->metrics, "[]");
}

/* A read that fails half way leaves the sums as they were. */
static int YIELDS count_instances(struct tracker *t, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list page = {};
        struct instance_cursor at = {};
        struct usage *fresh = usage_new();
        int r;

        usage_set_failed_builds(fresh, usage_failed_builds(t->usage));
        while ((r = store_instances_page(t->store, &at, &page, by, err)) > 0)
                for (unsigned i = 0; i < page.n; i++)
                        if (page.items[i]->node && strcmp(page.items[i]->node, t->node) == 0)
                                usage_put(fresh, page.items[i]);
        if (r < 0) {
                usage_free(fresh);
                return error_while(err, "reading the instances of this host");
        }
        usage_free(t->usage);
        t->usage = fresh;
        return 0;
}

/* The node's name is fixed at the first audit: instances and placement refer to it. */
static void note_hostname(struct tracker *t, const char *hostname)
{
        if (!t->node)
                t->node = xstrdup(hostname);
        else if (strcmp(t->node, hostname) != 0)
                log_warning("the hypervisor calls itself %s now, staying with %s until the next start",
                            hostname, t->node);
}

void tracker_know_host(struct tracker *t, struct host_info *host)
{
        host_info_free(&t->host);
        t->host = *host;
        *host = (struct host_info){};
        t->host_is_fresh = true;
}

static int YIELDS ask_for_host(struct tracker *t, struct host_info *ret, struct deadline by,
                               struct error *err)
{
        if (t->host_is_fresh) {
                t->host_is_fresh = false;
                *ret = t->host;
                t->host = (struct host_info){};
                return 0;
        }
        return t->driver->ops->get_host_info(t->driver, ret, by, err);
}

int tracker_audit(struct tracker *t, struct deadline by, struct error *err)
{
        CLEANUP(host_info_free) struct host_info host = {};
        struct disks_usage disk = {};

        if (ask_for_host(t, &host, by, err) < 0)
                return error_while(err, "asking the hypervisor for this host's resources");
        if (disks_usage(t->disks, &disk, by, err) < 0)
                return error_while(err, "looking at the disks of instances");
        note_hostname(t, host.hostname);

        CLEANUP(lockutils_releasep)
        struct named_lock *lock = lockutils_acquire(RESOURCES_LOCK, by, err);
        if (!lock)
                return -1;
        if (find_row(t, by, err) < 0 || count_instances(t, by, err) < 0)
                return -1;
        apply_host(t, &host, &disk);
        if (write_row(t, by, err) < 0)
                return -1;
        host_info_free(&t->host);
        t->host = host;
        host = (struct host_info){};
        t->audited = true;
        t->audited_ns = clock_now_ns();
        return 0;
}

/* ---- between audits ---- */

/* The sums in memory are right; a row that could not be written is late until the next audit, no more. */
static void YIELDS write_row_or_log(struct tracker *t, struct deadline by)
{
        struct error err = {};

        if (!t->audited)
                return; /* no audit yet: it will count this instance */
        if (write_row(t, by, &err) < 0 && err.code != ERR_CANCELLED)
                log_warning("%s; the next audit tries again", err.text);
}

int tracker_claim(struct tracker *t, struct instance *i, const char *node, struct deadline by,
                  struct error *err)
{
        CLEANUP(lockutils_releasep) struct named_lock *lock = NULL;

        if (!t->node)
                return error_set(err, NOVA_COMPUTE_RESOURCES_UNAVAILABLE,
                                 "the resources of this host are not known yet");
        if (node && strcmp(node, t->node) != 0)
                return error_set(err, NOVA_COMPUTE_RESOURCES_UNAVAILABLE,
                                 "node %s is not of this host, whose node is %s", node, t->node);
        lock = lockutils_acquire(RESOURCES_LOCK, by, err);
        if (!lock)
                return -1;
        replace_str(&i->host, t->conf->host);
        replace_str(&i->launched_on, t->conf->host);
        replace_str(&i->node, t->node);
        if (store_instance_save(t->store, i, COL_HOST | COL_LAUNCHED_ON | COL_NODE | COL_SYSTEM_METADATA,
                                EXPECT_ANY, by, err) < 0)
                return error_while(err, "claiming resources");
        usage_put(t->usage, i);
        write_row_or_log(t, by);
        return 0;
}

int tracker_abort_claim(struct tracker *t, struct instance *i, struct deadline by, struct error *err)
{
        CLEANUP(lockutils_releasep)
        struct named_lock *lock = lockutils_acquire(RESOURCES_LOCK, by, err);

        if (!lock)
                return -1;
        usage_remove(t->usage, i->uuid);
        replace_str(&i->host, NULL);
        replace_str(&i->node, NULL);
        if (store_instance_save(t->store, i, COL_HOST | COL_NODE, EXPECT_ANY, by, err) < 0 &&
            err->code != NOVA_INSTANCE_NOT_FOUND)
                return error_while(err, "giving back claimed resources");
        write_row_or_log(t, by);
        return 0;
}

int tracker_update_usage(struct tracker *t, const struct instance *i, struct deadline by, struct error *err)
{
        CLEANUP(lockutils_releasep) struct named_lock *lock = NULL;

        if (!i->host || strcmp(i->host, t->conf->host) != 0)
                return 0;
        if (!t->node || !i->node || strcmp(i->node, t->node) != 0)
                return 0;
        lock = lockutils_acquire(RESOURCES_LOCK, by, err);
        if (!lock)
                return -1;
        usage_put(t->usage, i);
        write_row_or_log(t, by);
        return 0;
}
