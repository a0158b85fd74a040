/*
 * agent/compute/recovery.c: init_host: what the agent does at its start for the instances it finds
 * (nova-contract 4.2, 4.3).
 *
 * All guests are read once, and all instances page by page; the table says what each needs. Most need
 * nothing. The others are worked on by a few green threads at once, since a single stop may take a minute.
 * Methods run as for a request, under an internal context: their events attach to the newest action of the
 * instance.
 */
#define LOG_MODULE "compute.recovery"
#include "compute/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"

#define AT_ONCE     10
#define READ_TIME_S 60.0 /* to read all rows, and again for all guests; the work itself may take longer */

struct recovery {
        struct compute_manager *m;
        struct recovery_options opt;
        compute_progress_fn *progress;
        void *progress_arg;
        unsigned done, total;
        struct uuid_set evacuated; /* not ours any more, whatever the row says */
        struct error stopped;      /* ERR_CANCELLED of a worker ends the whole */
};

struct recovery_job {
        struct recovery *r;
        struct instance *instance; /* owned */
        enum power_state power;    /* of its guest */
        enum recovery_step steps[RECOVERY_STEPS_MAX];
        unsigned n_steps;
        bool record_defaults;
};

/* ---- single steps ---- */

static int YIELDS set_states(struct recovery_job *job, enum vm_state vm_state, unsigned more,
                             struct deadline by, struct error *err)
{
        struct instance *i = job->instance;
        struct task_expect expect = EXPECT(i->task_state);

        i->vm_state = vm_state;
        i->task_state = TASK_NONE;
        if (more & COL_POWER_STATE)
                i->power_state = job->power;
        return store_instance_save(job->r->m->store, i, COL_VM_STATE | COL_TASK_STATE | more, expect, by,
                                   err);
}

/* nova leaves no fault here; the user, who sees an error, is owed a reason. */
static int YIELDS interrupted(struct recovery_job *job, struct deadline by, struct error *err)
{
        struct compute_manager *m = job->r->m;
        struct error why = {};

        error_set(&why, NOVA_BUILD_ABORT,
                  "The build was interrupted: the compute service of host %s was restarted", m->conf->host);
        if (set_states(job, VM_ERROR, 0, by, err) < 0)
                return -1;
        compute_add_fault(m, job->instance->uuid, &why, NULL);
        return 0;
}

/* The hard way needs the task that a hard reboot expects. */
static int YIELDS reboot_again(struct recovery_job *job, const struct compute_call *c, bool hard,
                               struct error *err)
{
        struct instance *i = job->instance;
        struct task_expect expect = EXPECT(i->task_state);

        if (hard) {
                i->task_state = TASK_REBOOT_PENDING_HARD;
                if (store_instance_save(job->r->m->store, i, COL_TASK_STATE, expect, c->by, err) < 0)
                        return -1;
        }
        return compute_reboot(job->r->m, c, hard, err);
}

static int YIELDS delete_again(struct recovery_job *job, const struct compute_call *c, struct error *err)
{
        return compute_terminate(job->r->m, c, err); /* on failure it has set vm_state error itself */
}

/* A row that says deleted and is still seen: only the last step is missing. */
static int YIELDS finish_delete(struct recovery_job *job, struct deadline by, struct error *err)
{
        struct instance *i = job->instance;

        if (tracker_update_usage(job->r->m->tracker, i, by, err) < 0)
                return -1;
        if (provider_release_deleted(job->r->m, i->uuid, by, err) < 0)
                return -1;
        return store_instance_soft_delete(job->r->m->store, i, by, err);
}

static enum vm_state before_suspend(const struct instance *i)
{
        const char *text = instance_system_meta(i, "old_vm_state");
        enum vm_state old = text ? vm_state_parse(text) : VM_ACTIVE;

        return old == VM_UNKNOWN ? VM_ACTIVE : old;
}

static int boot_again_body(struct action *a, struct error *err)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};

        assert_green();
        if (action_load(a, err) < 0)
                return -1;
        if (guestspec_load(a, &spec, err) == 0 &&
            a->m->driver->ops->hard_reboot(a->m->driver, &spec, a->by, err) == 0)
                return 0;
        if (err->code != ERR_CANCELLED)
                action_error_state(a, 0);
        return -1;
}

static int YIELDS boot_again(struct recovery_job *job, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "resume_state_on_host_boot",
                .locked = true,
                .body = boot_again_body,
        };

        return action_run(job->r->m, &kind, c, NULL, err);
}

/* As nova's finish_revert_migration: the files back in place, the guest as it was before. */
static int take_back_body(struct action *a, struct error *err)
{
        CLEANUP(guest_spec_free) struct guest_spec spec = {};
        enum power_state power;
        const char *before;

        assert_green();
        if (action_load(a, err) < 0 || compute_power_of(a->m, a->uuid, &power, a->by, err) < 0)
                return -1;
        if (power == POWER_RUNNING) /* it was not switched off yet: its files are where they were */
                return 0;
        if (disks_take_back(a->m->disks, a->uuid, a->by, err) < 0)
                return -1;
        before = instance_system_meta(a->instance, "old_vm_state");
        if (before && vm_state_parse(before) == VM_STOPPED)
                return 0;
        if (guestspec_load(a, &spec, err) < 0)
                return -1;
        return a->m->driver->ops->hard_reboot(a->m->driver, &spec, a->by, err);
}

/* Whatever comes of it, the task is over: the user can start the instance, or delete it. */
static int YIELDS revert_resize(struct recovery_job *job, const struct compute_call *c, struct error *err)
{
        static const struct action_kind kind = {
                .method = "finish_revert_migration",
                .locked = true,
                .body = take_back_body,
        };
        struct error failed = {};

        if (action_run(job->r->m, &kind, c, NULL, &failed) < 0 && error_is_cancel(&failed, err))
                return -1;
        return set_states(job, job->instance->vm_state, 0, c->by, err);
}

static int YIELDS end_running_migrations(struct compute_manager *m, const char *uuid, struct deadline by,
                                         struct error *err)
{
        CLEANUP(migration_list_free) struct migration_list list = {};

        if (store_migrations_of(m->store, uuid, "running", &list, by, err) < 0)
                return -1;
        if (list.n > 0 && m->driver->ops->abort_job(m->driver, uuid, by, err) < 0)
                return -1;
        for (unsigned n = 0; n < list.n; n++)
                if (store_migration_set_status(m->store, list.items[n].id, "error", by, err) < 0)
                        return -1;
        return 0;
}

static int YIELDS abort_migration(struct recovery_job *job, const struct compute_call *c, struct error *err)
{
        struct error failed = {};

        if (end_running_migrations(job->r->m, job->instance->uuid, c->by, &failed) < 0) {
                if (error_is_cancel(&failed, err))
                        return -1;
                log_error("the migration could not be ended: %s; going on without that", failed.text);
        }
        return set_states(job, job->instance->vm_state, 0, c->by, err);
}

static int YIELDS run_step(struct recovery_job *job, enum recovery_step step, const struct compute_call *c,
                           struct error *err)
{
        struct compute_manager *m = job->r->m;
        struct instance *i = job->instance;
        enum vm_state old;

        switch (step) {
        case RECOVER_NOTHING:
        case RECOVER_LEAVE:
                return 0;
        case RECOVER_FINISH_DELETE:
                return finish_delete(job, c->by, err);
        case RECOVER_TO_ERROR:
                return interrupted(job, c->by, err);
        case RECOVER_CLEAR_TASK:
                return set_states(job, i->vm_state, 0, c->by, err);
        case RECOVER_DELETE:
                return delete_again(job, c, err);
        case RECOVER_REBOOT_SOFT:
                return reboot_again(job, c, false, err);
        case RECOVER_REBOOT_HARD:
                return reboot_again(job, c, true, err);
        case RECOVER_TO_ACTIVE:
                return set_states(job, VM_ACTIVE, COL_POWER_STATE, c->by, err);
        case RECOVER_UNPAUSE:
                return compute_unpause(m, c, err);
        case RECOVER_STOP:
                return compute_stop(m, c, true, err);
        case RECOVER_START:
                return compute_start(m, c, err);
        case RECOVER_TO_PAUSED:
                return set_states(job, VM_PAUSED, COL_POWER_STATE, c->by, err);
        case RECOVER_TO_SUSPENDED:
                if (!instance_system_meta(i, "old_vm_state"))
                        instance_set_system_meta(i, "old_vm_state", vm_state_name(VM_ACTIVE));
                return set_states(job, VM_SUSPENDED, COL_SYSTEM_METADATA | COL_POWER_STATE, c->by, err);
        case RECOVER_RESUME:
                return compute_resume(m, c, err);
        case RECOVER_RESUMED:
                old = before_suspend(i);
                instance_set_system_meta(i, "old_vm_state", NULL);
                return set_states(job, old, COL_SYSTEM_METADATA | COL_POWER_STATE, c->by, err);
        case RECOVER_SOFT_DELETE:
                return compute_soft_delete(m, c, err);
        case RECOVER_RESTORE:
                return compute_restore(m, c, err);
        case RECOVER_REVERT_RESIZE:
                return revert_resize(job, c, err);
        case RECOVER_ABORT_MIGRATION:
                return abort_migration(job, c, err);
        case RECOVER_BOOT_AGAIN:
                return boot_again(job, c, err);
        }
        return 0;
}

/* ---- one instance ---- */

static void YIELDS record_defaults(struct recovery_job *job, struct deadline by)
{
        struct error err = {};

        if (!guestspec_record_defaults(job->r->m, job->instance))
                return;
        if (store_instance_save(job->r->m->store, job->instance, COL_SYSTEM_METADATA, EXPECT_ANY, by, &err) <
            0)
                log_warning("defaults in use could not be recorded: %s; the next start tries again",
                            err.text);
}

static void HUB_ONLY one_done(struct recovery *r)
{
        r->done++;
        if (r->progress)
                r->progress(r->done, r->total, r->progress_arg);
}

static int recover_one(void *arg, struct error *err)
{
        struct recovery_job *job = arg;
        struct recovery *r = job->r;
        CLEANUP(request_context_free) struct request_context ctx = {};
        struct compute_call c;
        int failed = 0;

        assert_green();
        green_set_log_context(NULL, job->instance->uuid);
        request_context_admin(&ctx);
        c = compute_internal_call(r->m, &ctx, job->instance->uuid, (double)r->m->conf->long_rpc_timeout);
        c.caller_logs = true;
        if (job->record_defaults)
                record_defaults(job, c.by);
        for (unsigned s = 0; s < job->n_steps && failed == 0; s++) {
                const char *task = task_state_name(job->instance->task_state);

                log_info("at the start the instance is %s%s%s: %s", vm_state_name(job->instance->vm_state),
                         task ? ", task " : "", task ? task : "", recovery_step_name(job->steps[s]));
                failed = run_step(job, job->steps[s], &c, err);
        }
        one_done(r);
        instance_free(job->instance);
        free(job);
        if (failed == 0)
                return 0;
        if (err->code == ERR_CANCELLED) {
                r->stopped = *err;
                return -1;
        }
        log_error("the instance could not be recovered: %s; it stays as its row says until the next start",
                  err->text);
        return 0;
}

static bool lacks_defaults(const struct instance *i)
{
        if (i->vm_state == VM_BUILDING || i->vm_state == VM_ERROR || i->vm_state == VM_DELETED)
                return false;
        return !instance_system_meta(i, "image_hw_machine_type") ||
               !instance_system_meta(i, "image_hw_cdrom_bus") ||
               !instance_system_meta(i, "image_hw_disk_bus") ||
               !instance_system_meta(i, "image_hw_input_bus") ||
               !instance_system_meta(i, "image_hw_pointer_model") ||
               !instance_system_meta(i, "image_hw_video_model") ||
               !instance_system_meta(i, "image_hw_vif_model");
}

/* Takes *at from its page when there is work for it. */
static int YIELDS start_recovery(struct recovery *r, struct green_pool *pool, struct instance **at,
                                 enum power_state power, struct deadline by, struct error *err)
{
        struct instance *i = *at;
        struct recovery_job *job = NEW(struct recovery_job);
        char name[GREEN_NAME_MAX];

        job->r = r;
        job->instance = i;
        job->power = power;
        if (uuid_set_has(&r->evacuated, i->uuid)) {
                job->steps[job->n_steps++] = RECOVER_LEAVE;
        } else {
                job->n_steps = recovery_decide(&r->opt, i, power, job->steps);
                job->record_defaults = lacks_defaults(i);
        }
        if (!job->record_defaults && (job->n_steps == 0 || job->steps[0] == RECOVER_LEAVE)) {
                free(job);
                one_done(r);
                return 0;
        }
        snprintf(name, sizeof(name), "recover %.36s", i->uuid);
        *at = NULL;
        if (green_pool_spawn(pool, name, recover_one, job, by, err) == 0)
                return 0;
        *at = job->instance;
        free(job);
        return -1;
}

/* ---- all ---- */

/* Page by page: those that need nothing are forgotten at once, AT_ONCE others are in memory. */
static int YIELDS start_all(struct recovery *r, struct green_pool *pool, const struct guest_list *guests,
                            struct deadline by, struct error *err)
{
        CLEANUP(instance_list_free) struct instance_list page = {};
        struct instance_cursor at = {};
        int more;

        while ((more = store_instances_page(r->m->store, &at, &page,
                                            deadline_earlier(by, deadline_in_s(READ_TIME_S)), err)) > 0)
                for (unsigned k = 0; k < page.n; k++)
                        if (start_recovery(r, pool, &page.items[k], guests_power(guests, page.items[k]->uuid),
                                           by, err) < 0)
                                return -1;
        return more;
}

static int YIELDS recover_all(struct recovery *r, const struct guest_list *guests, struct deadline by,
                              struct error *err)
{
        struct green_pool *pool = green_pool_new("recovery", AT_ONCE);
        int failed = start_all(r, pool, guests, by, err);

        if (failed == 0)
                failed = green_pool_waitall(pool, by, err);
        green_pool_close(pool);
        if (failed == 0 && r->stopped.code != 0) {
                *err = r->stopped;
                failed = -1;
        }
        return failed;
}

int compute_init_host(struct compute_manager *m, compute_progress_fn *progress, void *arg, struct deadline by,
                      struct error *err)
{
        CLEANUP(guest_list_free) struct guest_list guests = {};
        int64_t total = 0;
        struct recovery r = {
                .m = m,
                .opt = { .host = m->conf->host, .boot_again = m->conf->resume_guests_state_on_host_boot },
                .progress = progress,
                .progress_arg = arg,
        };
        int failed;

        if (start_check(m, deadline_earlier(by, deadline_in_s(READ_TIME_S)), err) < 0)
                return -1;
        if (store_instances_count(m->store, &total, deadline_earlier(by, deadline_in_s(READ_TIME_S)), err) <
            0)
                return -1;
        r.total = (unsigned)total; /* more may come meanwhile: it is for who looks on */
        if (compute_list_guests(m, &guests, deadline_earlier(by, deadline_in_s(READ_TIME_S)), err) < 0)
                return -1;
        unfinished_tell(m);
        failed = strays_remove_evacuated(m, &guests, &r.evacuated, by, err);
        if (failed == 0)
                failed = recover_all(&r, &guests, by, err);
        uuid_set_free(&r.evacuated);
        if (failed < 0)
                return error_while(err, "recovering instances");
        if (r.done > 0)
                log_info("%u instances of this host looked at after the start", r.done);
        events_start(m);
        return unfinished_start(m, err);
}
