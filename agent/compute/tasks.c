/*
 * agent/compute/tasks.c: the periodic tasks (nova-contract 4.7): a table of the loop they share, and a loop
 * of its own for report_state, which is what the rest of the cloud judges this host's life by.
 *
 * Not here yet, as what they serve is not: images in the cache, networks, volumes, migrations, shelving,
 * console tokens, reclaiming of soft-deleted instances.
 */
#define LOG_MODULE "compute.tasks"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

#define JITTER 0.05

/* ---- the shared loop ---- */

static int sync_power_states(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return compute_sync_all(arg, by, err);
}

static int update_available_resource(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return compute_audit(arg, by, err);
}

static int check_instance_build_time(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return tasks_check_build_time(arg, by, err);
}

static int cleanup_running_deleted(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return tasks_cleanup_running_deleted(arg, by, err);
}

/* A build that takes longer than instance_build_timeout is called an error; the build itself may go on. */
int tasks_check_build_time(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list list = {};
        time_t oldest = clock_wall_s() - (time_t)m->conf->instance_build_timeout;

        if (store_instances_of_host(m->store, &list, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < list.n; k++) {
                struct instance *i = list.items[k];
                struct error save_err = {};

                if (i->vm_state != VM_BUILDING || i->created_at >= oldest)
                        continue;
                log_warning("instance %s has been building for more than %lld s, calling it an error",
                            i->uuid, (long long)m->conf->instance_build_timeout);
                i->vm_state = VM_ERROR;
                if (store_instance_save(m->store, i, COL_VM_STATE, EXPECT_ANY, by, &save_err) < 0)
                        log_warning("instance %s: %s", i->uuid, save_err.text);
        }
        return 0;
}

/* ---- guests whose instance was deleted ---- */

static int YIELDS clean_up_one(struct compute_manager *m, struct instance *i, struct deadline by,
                               struct error *err)
{
        const char *action = m->conf->running_deleted_instance_action;
        CLEANUP(lockutils_releasep) struct named_lock *lock = NULL;

        if (strcmp(action, "log") == 0) {
                log_warning("guest %s is there although its instance was deleted", i->uuid);
                return 0;
        }
        lock = lockutils_acquire(i->uuid, by, err);
        if (!lock)
                return -1;
        if (strcmp(action, "shutdown") == 0) {
                log_warning("guest %s runs although its instance was deleted, powering it off", i->uuid);
                return m->driver->ops->power_off(m->driver, i->uuid, by, err);
        }
        log_warning("guest %s is there although its instance was deleted, removing it", i->uuid);
        return compute_destroy_guest(m, i, by, err);
}

static bool deleted_long_enough(const struct compute_manager *m, const struct instance *i)
{
        return i->deleted_at <= clock_wall_s() - (time_t)m->conf->running_deleted_instance_timeout;
}

int tasks_cleanup_running_deleted(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list deleted = {};
        CLEANUP(guest_list_free) struct guest_list guests = {};
        CLEANUP(freep) const char **uuids = NULL;

        if (strcmp(m->conf->running_deleted_instance_action, "noop") == 0)
                return 0;
        if (compute_list_guests(m, &guests, by, err) < 0)
                return -1;
        if (guests.n == 0)
                return 0;
        uuids = xcalloc(guests.n, sizeof(*uuids));
        for (unsigned g = 0; g < guests.n; g++)
                uuids[g] = guests.items[g].uuid;
        if (store_instances_deleted_among(m->store, uuids, guests.n, &deleted, by, err) < 0)
                return error_while(err, "looking for deleted instances");
        for (unsigned k = 0; k < deleted.n; k++) {
                struct instance *i = deleted.items[k];
                struct error one_err = {};

                i->deleted = true;
                if (!deleted_long_enough(m, i) || clean_up_one(m, i, by, &one_err) == 0)
                        continue;
                if (one_err.code == ERR_CANCELLED) {
                        *err = one_err;
                        return -1;
                }
                log_warning("guest %s of a deleted instance could not be cleaned up: %s", i->uuid,
                            one_err.text);
        }
        return 0;
}

/* ---- start and stop ---- */

/* Hosts that were started together shall not work together. */
static double fuzzy_delay(const struct compute_manager *m)
{
        unsigned r = 0;

        if (m->conf->periodic_fuzzy_delay <= 0)
                return 0;
        if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
                r = (unsigned)clock_now_ns();
        return (double)(r % (unsigned)m->conf->periodic_fuzzy_delay);
}

static int HUB_ONLY start_loop(struct compute_manager *m, struct error *err)
{
        const struct conf *c = m->conf;
        double soon = fuzzy_delay(m);
        const struct periodic_task tasks[] = {
                { "check_instance_build_time", c->instance_build_timeout > 0 ? 60 : -1, -1, JITTER, 0,
                  check_instance_build_time },
                { "sync_power_states", (double)c->sync_power_state_interval, soon, JITTER, 0,
                  sync_power_states },
                { "update_available_resource", (double)c->update_resources_interval, -1, JITTER, 0,
                  update_available_resource },
                { "cleanup_running_deleted_instances", (double)c->running_deleted_instance_poll_interval,
                  soon, JITTER, 0, cleanup_running_deleted },
                {},
        };

        m->loop = periodic_start("periodic tasks", tasks, m, err);
        return m->loop ? 0 : -1;
}

int compute_start_periodic(struct compute_manager *m, struct error *err)
{
        if (service_start_reporting(m, err) < 0)
                return -1;
        if (!m->conf->periodic_enable) {
                log_info("periodic tasks are off: periodic_enable is false");
                return 0;
        }
        return start_loop(m, err);
}

void compute_stop_periodic(struct compute_manager *m)
{
        periodic_stop(take_ptr(&m->loop));
        periodic_stop(take_ptr(&m->report_loop));
}

void compute_foreach_periodic(struct compute_manager *m,
                              void (*fn)(const struct periodic_info *info, void *arg), void *arg)
{
        if (m->report_loop)
                periodic_foreach(m->report_loop, fn, arg);
        if (m->loop)
                periodic_foreach(m->loop, fn, arg);
}
