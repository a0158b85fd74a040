/*
 * agent/compute/tasks.c: the periodic tasks (nova-contract 4.7): a table of the loop they share, and a loop
 * of its own for report_state, which is what the rest of the cloud judges this host's life by.
 *
 * The table has all of nova's, in nova's order and under nova's names (without the underscore in front). One
 * that has nothing to do here, or is turned off, stands in it as idle and says why. What an option asks of an
 * idle task is told when the configuration is read: such options are listed as having no effect.
 */
#define LOG_MODULE "compute.tasks"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/uuid.h"

#define JITTER    0.05
#define DEFAULT_S 60.0 /* of a task without an interval of its own, or with 0 */

static void YIELDS check_build_time(struct compute_manager *m, struct instance *i, struct deadline by)
{
        struct error err = {};

        if (i->vm_state != VM_BUILDING ||
            i->created_at >= clock_wall_s() - (time_t)m->conf->instance_build_timeout)
                return;
        log_warning("instance %s has been building for more than %lld s, calling it an error", i->uuid,
                    (long long)m->conf->instance_build_timeout);
        i->vm_state = VM_ERROR;
        if (store_instance_save(m->store, i, COL_VM_STATE, EXPECT_ANY, by, &err) < 0)
                log_warning("instance %s: %s; the next round tries again", i->uuid, err.text);
}

/* A build that takes longer than instance_build_timeout is called an error; the build itself may go on. */
int tasks_check_build_time(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list page = {};
        struct instance_cursor at = {};
        int r;

        while ((r = store_instances_page(m->store, &at, &page, by, err)) > 0)
                for (unsigned k = 0; k < page.n; k++)
                        check_build_time(m, page.items[k], by);
        return r;
}

/* ---- start and stop ---- */

/* Hosts that were started together shall not work together. */
static double fuzzy_delay(const struct compute_manager *m)
{
        return m->conf->periodic_fuzzy_delay <= 0 ? 0 : (double)m->conf->periodic_fuzzy_delay * random_part();
}

/* ---- the shared loop ---- */

static int YIELDS cleanup_expired_console_auth_tokens(struct compute_manager *m, struct deadline by,
                                                      struct error *err)
{
        uint64_t n = 0;

        if (store_console_tokens_clean_expired(m->store, &n, by, err) < 0)
                return -1;
        if (n > 0)
                log_info("%llu expired console tokens removed", (unsigned long long)n);
        return 0;
}

#define RUN(name, task)                                                          \
        static int name##_task(void *arg, struct deadline by, struct error *err) \
        {                                                                        \
                assert_green();                                                  \
                return task(arg, by, err);                                       \
        }
RUN(check_instance_build_time, tasks_check_build_time)
RUN(sync_scheduler_instance_info, scheduler_sync)
RUN(sync_power_states, compute_sync_all)
RUN(reclaim_queued_deletes, tasks_reclaim_queued_deletes)
RUN(update_available_resource, compute_audit)
RUN(cleanup_running_deleted_instances, tasks_cleanup_running_deleted)
RUN(run_image_cache_manager_pass, compute_image_cache_pass)
RUN(run_pending_deletes, tasks_run_pending_deletes)
RUN(cleanup_incomplete_migrations, tasks_cleanup_incomplete_migrations)
RUN(cleanup_expired_console_auth_tokens, cleanup_expired_console_auth_tokens)

/* At the first turn of the loop (nova's run_immediately), or one interval after its start. */
enum when { SOON, LATER };

struct task_row {
        const char *name;
        double interval_s;
        enum when first;
        int (*run)(void *arg, struct deadline by, struct error *err);
        const char *idle;
};
#define TASK(name, interval, first, idle)                           \
        {                                                           \
#name, (double)(interval), first, name##_task, idle \
        }
#define IDLE(name, why)                            \
        {                                          \
#name, DEFAULT_S, LATER, NULL, why \
        }
#define ON(condition, why_not) ((condition) ? NULL : (why_not))

/* In nova no task runs before the loop's first turn, which is at a random time. */
static struct periodic_task periodic_of(const struct task_row *row, double first_turn)
{
        double interval = row->interval_s == 0 ? DEFAULT_S : row->interval_s;
        bool at_once = row->first == SOON || interval < first_turn;

        return (struct periodic_task){
                .name = row->name,
                .interval_s = interval,
                .first_delay_s = at_once ? first_turn : -1,
                .jitter = JITTER,
                .run = row->run,
                .idle = row->idle ? row->idle : ON(interval > 0, "its interval is negative"),
        };
}

enum { ROWS_MAX = 24 };

/* The table of the loop, as the settings are now; it ends with a NULL name. */
static void HUB_ONLY make_table(const struct compute_manager *m, double first_turn,
                                struct periodic_task tasks[ROWS_MAX])
{
        const struct conf *c = m->conf;
        const struct task_row rows[] = {
                TASK(check_instance_build_time, DEFAULT_S, LATER,
                     ON(c->instance_build_timeout > 0, "instance_build_timeout is 0")),
                TASK(sync_scheduler_instance_info, c->scheduler_instance_sync_interval, LATER,
                     !m->scheduler_ops ? "requests do not come from a cloud"
                                       : ON(m->scheduler, "track_instance_changes is false")),
                IDLE(heal_instance_info_cache, "this agent does not drive neutron"),
                IDLE(poll_rebooting_instances, "libvirt has nothing to do for it, in nova neither"),
                IDLE(poll_rescued_instances, "there is no rescue in this version: nothing to poll"),
                IDLE(poll_unconfirmed_resizes, "there is no resize in this version: nothing to confirm"),
                IDLE(poll_shelved_instances, "there is no shelving in this version: nothing to offload"),
                IDLE(instance_usage_audit, "no notifications are sent"),
                IDLE(poll_volume_usage, "there are no volumes in this version"),
                TASK(sync_power_states, c->sync_power_state_interval, SOON, NULL),
                TASK(reclaim_queued_deletes, DEFAULT_S, LATER,
                     ON(c->reclaim_instance_interval > 0, "reclaim_instance_interval is 0")),
                TASK(update_available_resource, c->update_resources_interval, LATER, NULL),
                TASK(cleanup_running_deleted_instances, c->running_deleted_instance_poll_interval, SOON,
                     ON(strcmp(c->running_deleted_instance_action, "noop") != 0,
                        "running_deleted_instance_action is noop")),
                TASK(run_image_cache_manager_pass, c->image_cache.manager_interval, LATER, NULL),
                TASK(run_pending_deletes, c->instance_delete_interval, LATER, NULL),
                TASK(cleanup_incomplete_migrations, c->instance_delete_interval, LATER, NULL),
                TASK(cleanup_expired_console_auth_tokens, c->instance_delete_interval, LATER, NULL),
        };

        _Static_assert(ARRAY_SIZE(rows) < ROWS_MAX, "the table has no room for its end");
        for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
                tasks[k] = periodic_of(&rows[k], first_turn);
}

static int HUB_ONLY start_loop(struct compute_manager *m, struct error *err)
{
        struct periodic_task tasks[ROWS_MAX] = {};

        make_table(m, fuzzy_delay(m), tasks);
        m->loop = periodic_start("periodic tasks", tasks, m, err);
        return m->loop ? 0 : -1;
}

int compute_start_periodic(struct compute_manager *m, struct error *err)
{
        if (service_start_reporting(m, err) < 0 || scheduler_start(m, err) < 0 || strays_start(m, err) < 0)
                return -1;
        if (!m->conf->periodic_enable) {
                log_info("periodic tasks are off: periodic_enable is false");
                return 0;
        }
        return start_loop(m, err);
}

void tasks_follow_settings(struct compute_manager *m)
{
        struct periodic_task tasks[ROWS_MAX] = {};

        make_table(m, 0, tasks);
        if (m->loop)
                periodic_change(m->loop, tasks);
}

void compute_stop_periodic(struct compute_manager *m)
{
        periodic_stop(take_ptr(&m->loop));
        scheduler_stop(m);
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
