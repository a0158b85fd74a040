/*
 * agent/compute/tasks_deleted.c: the periodic tasks about instances that were deleted, or are to be
 * (nova-contract 4.7): soft-deleted ones whose time has come, guests and files that outlived their rows,
 * migrations that nobody will finish.
 *
 * One instance that resists is logged and does not hold up the others; the next run tries it again.
 */
#define LOG_MODULE "compute.tasks"
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"

#define ONE_DELETE_S 300.0 /* a delete that was begun is not cut short by the turn of the task */

/* ---- soft-deleted instances whose time has come ---- */

/*
 * With the task deleting: a delete was asked for and is queued, or was cut short. It is not known since when:
 * an instance without the time counts as old.
 */
static bool to_be_reclaimed(const struct compute_manager *m, const struct instance *i)
{
        return i->vm_state == VM_SOFT_DELETED &&
               (i->task_state == TASK_NONE || i->task_state == TASK_DELETING) &&
               i->deleted_at <= clock_wall_s() - (time_t)m->conf->reclaim_instance_interval;
}

/* The user may restore it at any moment: who sets the task first wins. 1: it is not ours to delete any more.
 */
static int YIELDS take_for_reclaim(struct action *a, struct error *err)
{
        if (action_load(a, err) == 0) {
                if (!to_be_reclaimed(a->m, a->instance))
                        return 1;
                a->instance->task_state = TASK_DELETING;
                if (action_save(a, COL_TASK_STATE, EXPECT(TASK_NONE, TASK_DELETING), err) == 0)
                        return 0;
        }
        if (err->code != NOVA_INSTANCE_NOT_FOUND && err->code != NOVA_UNEXPECTED_TASK_STATE)
                return -1;
        *err = (struct error){};
        return 1;
}

static int reclaim_body(struct action *a, struct error *err)
{
        int r;

        assert_green();
        r = take_for_reclaim(a, err);
        if (r != 0) {
                if (r > 0)
                        log_info("the instance is not to be reclaimed any more");
                return r < 0 ? -1 : 0;
        }
        log_info("soft-deleted for more than %lld s, deleting the instance",
                 (long long)a->m->conf->reclaim_instance_interval);
        return compute_end_instance(a, err) == 0 ? 0 : error_while(err, "reclaiming");
}

/* As nova: the internal context, and no event, since nobody asked for this. */
static int YIELDS reclaim(struct compute_manager *m, const char *uuid, struct error *err)
{
        static const struct action_kind kind = {
                .method = "reclaim_instance",
                .wraps = WRAP_REVERTS,
                .locked = true,
                .body = reclaim_body,
        };
        CLEANUP(request_context_free) struct request_context ctx = {};
        struct compute_call c;
        int r;

        request_context_admin(&ctx);
        c = compute_internal_call(m, &ctx, uuid, ONE_DELETE_S);
        r = action_run(m, &kind, &c, NULL, err);
        green_set_log_context(NULL, NULL);
        return r;
}

int tasks_reclaim_queued_deletes(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list page = {};
        struct instance_cursor at = {};
        int r;

        while ((r = store_instances_page(m->store, &at, &page, by, err)) > 0) {
                for (unsigned k = 0; k < page.n; k++) {
                        struct error one_err = {};

                        if (m->draining || deadline_passed(by))
                                return 0;
                        if (to_be_reclaimed(m, page.items[k]) &&
                            reclaim(m, page.items[k]->uuid, &one_err) < 0 && error_is_cancel(&one_err, err))
                                return -1;
                }
        }
        return r;
}

/* ---- guests whose instance was deleted ---- */

static int YIELDS clean_up_one(struct compute_manager *m, struct instance *i, struct deadline by,
                               struct error *err)
{
        const char *action = m->conf->running_deleted_instance_action;
        CLEANUP(lockutils_releasep) struct named_lock *lock = lockutils_acquire(i->uuid, by, err);
        enum power_state power;

        if (!lock || compute_power_of(m, i->uuid, &power, by, err) < 0)
                return -1;
        if (power == POWER_NOSTATE) /* whoever deleted the instance removed it since the guests were listed */
                return 0;
        if (strcmp(action, "log") == 0) {
                log_warning("the guest is there although its instance was deleted; "
                            "running_deleted_instance_action = log leaves it");
                return 0;
        }
        if (strcmp(action, "shutdown") == 0) {
                log_warning("the guest runs although its instance was deleted, powering it off");
                return m->driver->ops->power_off(m->driver, i->uuid, by, err);
        }
        log_warning("the guest is there although its instance was deleted, removing it");
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
                if (!deleted_long_enough(m, i))
                        continue;
                green_set_log_context(NULL, i->uuid);
                if (clean_up_one(m, i, by, &one_err) < 0 && one_err.code != ERR_CANCELLED)
                        log_warning("the guest of a deleted instance could not be cleaned up: %s; the next "
                                    "round tries again",
                                    one_err.text);
                green_set_log_context(NULL, NULL);
                if (error_is_cancel(&one_err, err))
                        return -1;
        }
        return 0;
}

/* ---- files whose instance was deleted ---- */

/*
 * 0: gone. A guest that runs keeps its files: it is for the clean-up of running deleted ones, or for the
 * operator who turned that off.
 */
static int YIELDS remove_files(struct compute_manager *m, const char *uuid, struct deadline by,
                               struct error *err)
{
        CLEANUP(lockutils_releasep) struct named_lock *lock = lockutils_acquire(uuid, by, err);
        enum power_state power;

        if (!lock || compute_power_of(m, uuid, &power, by, err) < 0)
                return -1;
        if (!power_is_off(power))
                return error_set(err, ERR_BUSY, "its guest is %s", power_state_name(power));
        return disks_remove(m->disks, uuid, by, err);
}

static int YIELDS retry_delete(struct compute_manager *m, const struct pending_delete *p, struct deadline by,
                               struct error *err)
{
        int r = remove_files(m, p->uuid, by, err);
        bool last = err->code != ERR_BUSY && p->attempts + 1 >= m->conf->maximum_instance_delete_attempts;

        if (r < 0) {
                if (err->code == ERR_CANCELLED)
                        return -1;
                log_warning("files of deleted instance %s are left (attempt %lld of %lld): %s; %s", p->uuid,
                            (long long)p->attempts + 1, (long long)m->conf->maximum_instance_delete_attempts,
                            err->text, last ? "remove them by hand" : "the next round tries again");
                if (err->code == ERR_BUSY)
                        return 0; /* not tried */
                *err = (struct error){};
        }
        return store_pending_delete_note(m->store, p->uuid, p->attempts + 1, r == 0, by, err);
}

int tasks_run_pending_deletes(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(freep) struct pending_delete *list = NULL;
        unsigned n = 0;

        if (store_pending_deletes(m->store, m->conf->maximum_instance_delete_attempts, &list, &n, by, err) <
            0)
                return -1;
        for (unsigned k = 0; k < n && !deadline_passed(by); k++) {
                struct error one_err = {};

                if (retry_delete(m, &list[k], by, &one_err) == 0)
                        continue;
                if (error_is_cancel(&one_err, err))
                        return -1;
                log_warning("%s; the next round tries again", one_err.text);
        }
        return 0;
}

/* ---- migrations whose instance was deleted ---- */

static int YIELDS end_migration(struct compute_manager *m, const struct stale_migration *s,
                                struct deadline by, struct error *err)
{
        if (remove_files(m, s->uuid, by, err) < 0)
                return -1;
        log_info("migration %lld ended in an error and instance %s was deleted: its files are removed here",
                 (long long)s->id, s->uuid);
        return store_migration_set_status(m->store, s->id, "failed", by, err);
}

int tasks_cleanup_incomplete_migrations(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(freep) struct stale_migration *list = NULL;
        unsigned n = 0;

        if (store_stale_migrations(m->store, &list, &n, by, err) < 0)
                return -1;
        for (unsigned k = 0; k < n && !deadline_passed(by); k++) {
                struct error one_err = {};

                if (end_migration(m, &list[k], by, &one_err) == 0)
                        continue;
                if (error_is_cancel(&one_err, err))
                        return -1;
                log_warning("what migration %lld left behind could not be cleaned up: %s; the next round "
                            "tries again",
                            (long long)list[k].id, one_err.text);
        }
        return 0;
}
