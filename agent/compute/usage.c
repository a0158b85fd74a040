/*
 * agent/compute/usage.c: which instances count, and the counters the scheduler weighs hosts by.
 *
 * Instances sit in a hash by uuid with the state they were last counted in, so that a change takes off
 * exactly what was added. Counters are named strings in the order of their first use, and fall back to 0
 * rather than vanish, as nova's do until its next audit.
 */
#include "compute/usage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"

#define BUCKETS 1024

struct counter {
        char *name;
        int64_t value;
};

struct counted { /* an instance, as it was counted */
        struct counted *next;
        char uuid[UUID_LEN + 1];
        char *os_type, *project_id;
        enum vm_state vm_state;
        enum task_state task_state;
        int64_t vcpus, memory_mb, disk_gb;
};

struct usage {
        struct counted *buckets[BUCKETS];
        struct counter *counters;
        unsigned n_counters;
        struct usage_sums sums;
        int64_t failed_builds;
};

static unsigned bucket_of(const char *uuid)
{
        unsigned h = 2166136261u;

        for (; *uuid; uuid++)
                h = (h ^ (unsigned char)*uuid) * 16777619u;
        return h % BUCKETS;
}

struct usage *usage_new(void)
{
        return NEW(struct usage);
}

static void counted_free(struct counted *c)
{
        free(c->os_type);
        free(c->project_id);
        free(c);
}

void usage_reset(struct usage *u)
{
        for (unsigned b = 0; b < BUCKETS; b++) {
                struct counted *c;

                while ((c = u->buckets[b])) {
                        u->buckets[b] = c->next;
                        counted_free(c);
                }
        }
        for (unsigned i = 0; i < u->n_counters; i++)
                free(u->counters[i].name);
        free(u->counters);
        u->counters = NULL;
        u->n_counters = 0;
        u->sums = (struct usage_sums){};
}

void usage_free(struct usage *u)
{
        if (!u)
                return;
        usage_reset(u);
        free(u);
}

static int64_t *counter(struct usage *u, const char *prefix, const char *what)
{
        CLEANUP(freep) char *name = xasprintf("%s%s", prefix, what);

        for (unsigned i = 0; i < u->n_counters; i++)
                if (strcmp(u->counters[i].name, name) == 0)
                        return &u->counters[i].value;
        u->counters = xrealloc(u->counters, (u->n_counters + 1) * sizeof(*u->counters));
        u->counters[u->n_counters] = (struct counter){ .name = take_ptr(&name) };
        return &u->counters[u->n_counters++].value;
}

static const char *or_none(const char *s)
{
        return s ? s : "None";
}

static void count_states(struct usage *u, const struct counted *c, int64_t by)
{
        *counter(u, "num_vm_", vm_state_name(c->vm_state)) += by;
        *counter(u, "num_task_", or_none(task_state_name(c->task_state))) += by;
        *counter(u, "num_os_type_", or_none(c->os_type)) += by;
        *counter(u, "num_proj_", or_none(c->project_id)) += by;
        u->sums.vm_states[c->vm_state] += by;
        if (c->task_state != TASK_NONE)
                u->sums.workload += by;
}

static struct counted **find(struct usage *u, const char *uuid)
{
        struct counted **at = &u->buckets[bucket_of(uuid)];

        while (*at && strcmp((*at)->uuid, uuid) != 0)
                at = &(*at)->next;
        return at;
}

static bool counts(const struct instance *i)
{
        if (i->deleted || i->vm_state == VM_DELETED)
                return false;
        return i->vm_state != VM_SHELVED_OFFLOADED || i->task_state == TASK_SPAWNING;
}

static bool boots_from_volume(const struct instance *i)
{
        return !i->image_ref || !*i->image_ref;
}

static int64_t disk_gb_of(const struct instance *i)
{
        int64_t root = boots_from_volume(i) ? 0 : i->flavor.root_gb;

        return root + i->flavor.ephemeral_gb + i->flavor.swap_mb / 1024;
}

static void add_sums(struct usage *u, const struct counted *c, int sign)
{
        u->sums.instances += sign;
        u->sums.vcpus += sign * c->vcpus;
        u->sums.memory_mb += sign * c->memory_mb;
        u->sums.disk_gb += sign * c->disk_gb;
}

void usage_put(struct usage *u, const struct instance *i)
{
        struct counted **at = find(u, i->uuid), *c = *at;

        if (!counts(i)) {
                usage_remove(u, i->uuid);
                return;
        }
        if (c) {
                count_states(u, c, -1);
        } else {
                c = NEW(struct counted);
                memcpy(c->uuid, i->uuid, sizeof(c->uuid));
                c->vcpus = i->flavor.vcpus;
                c->memory_mb = i->flavor.memory_mb;
                c->disk_gb = disk_gb_of(i);
                *at = c;
                *counter(u, "num_instances", "") += 1;
                add_sums(u, c, 1);
        }
        c->vm_state = i->vm_state;
        c->task_state = i->task_state;
        replace_str(&c->os_type, i->os_type);
        replace_str(&c->project_id, i->project_id);
        count_states(u, c, 1);
}

bool usage_remove(struct usage *u, const char *uuid)
{
        struct counted **at = find(u, uuid), *c = *at;

        if (!c)
                return false;
        *at = c->next;
        count_states(u, c, -1);
        *counter(u, "num_instances", "") -= 1;
        add_sums(u, c, -1);
        counted_free(c);
        return true;
}

bool usage_has(const struct usage *u, const char *uuid)
{
        const struct counted *c = u->buckets[bucket_of(uuid)];

        while (c && strcmp(c->uuid, uuid) != 0)
                c = c->next;
        return c != NULL;
}

void usage_get_sums(const struct usage *u, struct usage_sums *ret)
{
        *ret = u->sums;
}

void usage_set_failed_builds(struct usage *u, int64_t n)
{
        u->failed_builds = n;
}

int64_t usage_failed_builds(const struct usage *u)
{
        return u->failed_builds;
}

/* Instances whose state makes the host's disks work (nova-contract 4.6). */
static int64_t io_workload(const struct usage *u)
{
        static const char *const heavy[] = {
                "num_vm_building",      "num_task_resize_migrating", "num_task_rebuilding",
                "num_task_resize_prep", "num_task_image_snapshot",   "num_task_image_backup",
                "num_task_rescuing",    "num_task_unshelving",
        };
        int64_t n = 0;

        for (unsigned i = 0; i < u->n_counters; i++)
                for (size_t h = 0; h < sizeof(heavy) / sizeof(heavy[0]); h++)
                        if (strcmp(u->counters[i].name, heavy[h]) == 0)
                                n += u->counters[i].value;
        return n;
}

/* The values are strings: nova's scheduler reads them so. */
static void set_number(struct jval *object, const char *key, int64_t n)
{
        CLEANUP(freep) char *text = xasprintf("%" PRId64, n);

        jval_set_text(object, key, text);
}

char *usage_stats_json(const struct usage *u)
{
        CLEANUP(jval_unrefp) struct jval *stats = jval_new_object();

        set_number(stats, "failed_builds", u->failed_builds);
        for (unsigned i = 0; i < u->n_counters; i++)
                set_number(stats, u->counters[i].name, u->counters[i].value);
        if (u->n_counters > 0)
                set_number(stats, "io_workload", io_workload(u));
        return jval_print(stats, NULL);
}
