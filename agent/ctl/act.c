/*
 * agent/ctl/act.c: stop, start, reboot and the others on an instance that exists: the part of nova-api.
 *
 * As nova-contract 3.1: is it allowed in this state, set task_state by compare-and-set, make the action's
 * row, cast. The compare is with the very task_state that was looked at, so nothing that happened since is
 * overwritten. A cast that cannot be sent leaves no task behind.
 */
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/primitive.h"

#define STATES_MAX 6
#define TASKS_MAX  10

struct action {
        const char *name; /* instance_actions.action */
        const char *method;
        enum vm_state vm[STATES_MAX];    /* allowed; none: any. Ends with VM_UNKNOWN (0) */
        enum task_state task[TASKS_MAX]; /* allowed besides TASK_NONE (0), which ends the list */
        bool any_task;
        enum task_state set; /* TASK_NONE: it is no task, and the row stays as it is */
        bool progress;       /* progress becomes 0 */
        enum { KEEP_DELETED_AT, SET_DELETED_AT, CLEAR_DELETED_AT } deleted_at;
};

static const struct action stop_action = {
        .name = "stop",
        .method = "stop_instance",
        .vm = { VM_ACTIVE, VM_ERROR },
        .set = TASK_POWERING_OFF,
        .progress = true,
};
static const struct action start_action = {
        .name = "start",
        .method = "start_instance",
        .vm = { VM_STOPPED },
        .set = TASK_POWERING_ON,
};
static const struct action soft_reboot_action = {
        .name = "reboot",
        .method = "reboot_instance",
        .vm = { VM_ACTIVE },
        .set = TASK_REBOOTING,
};
static const struct action hard_reboot_action = {
        .name = "reboot",
        .method = "reboot_instance",
        .vm = { VM_ACTIVE, VM_STOPPED, VM_PAUSED, VM_SUSPENDED, VM_ERROR },
        .task = { TASK_REBOOTING, TASK_REBOOT_PENDING, TASK_REBOOT_STARTED, TASK_RESUMING,
                  TASK_REBOOTING_HARD, TASK_UNPAUSING, TASK_PAUSING, TASK_SUSPENDING },
        .set = TASK_REBOOTING_HARD,
};
static const struct action pause_action = {
        .name = "pause",
        .method = "pause_instance",
        .vm = { VM_ACTIVE },
        .set = TASK_PAUSING,
};
static const struct action unpause_action = {
        .name = "unpause",
        .method = "unpause_instance",
        .vm = { VM_PAUSED },
        .set = TASK_UNPAUSING,
};
static const struct action suspend_action = {
        .name = "suspend",
        .method = "suspend_instance",
        .vm = { VM_ACTIVE },
        .set = TASK_SUSPENDING,
};
static const struct action resume_action = {
        .name = "resume",
        .method = "resume_instance",
        .vm = { VM_SUSPENDED },
        .set = TASK_RESUMING,
};
static const struct action nmi_action = {
        .name = "trigger_crash_dump",
        .method = "trigger_crash_dump",
        .vm = { VM_ACTIVE, VM_PAUSED, VM_RESCUED, VM_RESIZED, VM_ERROR },
};
static const struct action delete_action = {
        .name = "delete",
        .method = "terminate_instance",
        .any_task = true,
        .set = TASK_DELETING,
        .progress = true,
};

/* nova-api marks the live row with the time, from which reclaim_instance_interval counts. */
static const struct action soft_delete_action = {
        .name = "delete",
        .method = "soft_delete_instance",
        .any_task = true,
        .set = TASK_SOFT_DELETING,
        .progress = true,
        .deleted_at = SET_DELETED_AT,
};
static const struct action restore_action = {
        .name = "restore",
        .method = "restore_instance",
        .vm = { VM_SOFT_DELETED },
        .set = TASK_RESTORING,
        .deleted_at = CLEAR_DELETED_AT,
};

/* ---- is it allowed? ---- */

static bool vm_allowed(const struct action *a, enum vm_state s)
{
        for (size_t i = 0; i < STATES_MAX && a->vm[i] != VM_UNKNOWN; i++) {
                if (a->vm[i] == s)
                        return true;
        }
        return a->vm[0] == VM_UNKNOWN;
}

static bool task_allowed(const struct action *a, enum task_state s)
{
        if (a->any_task || s == TASK_NONE)
                return true;
        for (size_t i = 0; i < TASKS_MAX && a->task[i] != TASK_NONE; i++) {
                if (a->task[i] == s)
                        return true;
        }
        return false;
}

static enum ctl_exit check_states(const struct ctl *c, const struct action *a, const struct instance *i)
{
        if (!vm_allowed(a, i->vm_state))
                return ctl_complain(CTL_FAILED, "cannot %s instance %s while it is %s", c->command->name,
                                    i->uuid, vm_state_name(i->vm_state));
        if (!task_allowed(a, i->task_state))
                return ctl_complain(CTL_FAILED, "cannot %s instance %s now: it is still busy with \"%s\"",
                                    c->command->name, i->uuid, task_state_name(i->task_state));
        return CTL_OK;
}

/* ---- doing it ---- */

/* Who asks: an operator of this host, for the instance's project. */
static void operator_context(const struct instance *i, struct request_context *ret)
{
        request_context_admin(ret);
        ret->user_id = xstrdup(i->user_id);
        ret->project_id = xstrdup(i->project_id);
        ret->roles = xstrdup("admin");
}

static int YIELDS claim_task(struct ctl *c, const struct action *a, struct instance *i, struct error *err)
{
        const struct task_expect seen = EXPECT(i->task_state);
        unsigned columns = COL_TASK_STATE | (a->progress ? COL_PROGRESS : 0) |
                           (a->deleted_at != KEEP_DELETED_AT ? COL_DELETED_AT : 0);

        if (a->set == TASK_NONE)
                return 0;
        if (a->deleted_at != KEEP_DELETED_AT)
                i->deleted_at = a->deleted_at == SET_DELETED_AT ? clock_wall_s() : 0;
        i->task_state = a->set;
        i->progress = a->progress ? 0 : i->progress;
        return store_instance_save(&c->store, i, columns, a->any_task ? EXPECT_ANY : seen, c->by, err);
}

/* The request never left: nobody will ever clear the task, and without its time it would be reclaimed at
 * once. */
static void YIELDS give_back_task(struct ctl *c, const struct action *a, struct instance *i,
                                  enum task_state was, time_t deleted_at)
{
        struct error err;

        if (a->set == TASK_NONE)
                return;
        i->task_state = was;
        i->deleted_at = deleted_at;
        if (store_instance_save(&c->store, i, COL_TASK_STATE | COL_DELETED_AT, EXPECT(a->set),
                                deadline_in_s(10), &err) < 0)
                ctl_error(&err, "instance %s keeps its task_state", i->uuid);
}

/* Takes over extra: the arguments besides the instance. */
static enum ctl_exit YIELDS request(struct ctl *c, const struct action *a, struct instance *i,
                                    struct jval *extra, const struct request_context *ctx)
{
        struct jval *args = extra ? extra : jval_new_object();
        enum task_state was = i->task_state;
        time_t deleted_at = i->deleted_at;
        enum ctl_exit status;
        struct error err;

        if (claim_task(c, a, i, &err) < 0) {
                jval_unref(args);
                return ctl_error(&err, "%s", c->command->name);
        }
        if (store_action_start(&c->store, i->uuid, a->name, ctx, c->by, &err) < 0) {
                jval_unref(args);
                give_back_task(c, a, i, was, deleted_at);
                return ctl_error(&err, "%s", c->command->name);
        }
        jval_set(args, "instance", primitive_instance(i));
        status = ctl_cast(c, a->method, args, ctx);
        if (status != CTL_OK)
                give_back_task(c, a, i, was, deleted_at);
        return status;
}

/* The whole command, its arguments read. Takes over extra. */
static enum ctl_exit YIELDS act(struct ctl *c, const struct action *a, const char *name, struct jval *extra,
                                bool wait)
{
        struct instance CLEANUP(instance_freep) *i = NULL;
        struct request_context ctx = {};
        enum ctl_exit status = ctl_need_serving_agent(c); /* before any row is touched */

        if (status == CTL_OK)
                status = ctl_find_instance(c, name, &i);
        if (status == CTL_OK)
                status = check_states(c, a, i);
        if (status != CTL_OK) {
                jval_unref(extra);
                return status;
        }
        operator_context(i, &ctx);
        status = request(c, a, i, extra, &ctx);
        if (status == CTL_OK)
                status = ctl_conclude(c, i, &ctx, wait);
        request_context_free(&ctx);
        return status;
}

#define WAIT_OPTION(wait)                                                                    \
        {                                                                                    \
                "wait", CTL_FLAG, &(wait), NULL, "until it is done; tell how it ended", 0, 0 \
        }

static enum ctl_exit YIELDS plain(struct ctl *c, const struct action *a)
{
        bool wait = false;
        const struct ctl_option options[] = { WAIT_OPTION(wait), {} };
        const char *words[1];
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        return act(c, a, words[0], NULL, wait);
}

/* ---- the commands ---- */

enum ctl_exit ctl_stop(struct ctl *c)
{
        bool wait = false, force = false;
        const struct ctl_option options[] = {
                WAIT_OPTION(wait),
                { "force", CTL_FLAG, &force, NULL, "power off without asking the guest", 0, 0 },
                {},
        };
        const char *words[1];
        struct jval *extra;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        extra = jval_new_object();
        jval_set_bool(extra, "clean_shutdown", !force);
        return act(c, &stop_action, words[0], extra, wait);
}

enum ctl_exit ctl_reboot(struct ctl *c)
{
        bool wait = false, hard = false;
        const struct ctl_option options[] = {
                WAIT_OPTION(wait),
                { "hard", CTL_FLAG, &hard, NULL, "power off and start again", 0, 0 },
                {},
        };
        const char *words[1];
        struct jval *extra;
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        extra = jval_new_object();
        jval_set_text(extra, "block_device_info", NULL);
        jval_set_text(extra, "reboot_type", hard ? "HARD" : "SOFT");
        return act(c, hard ? &hard_reboot_action : &soft_reboot_action, words[0], extra, wait);
}

enum ctl_exit ctl_start(struct ctl *c)
{
        return plain(c, &start_action);
}

enum ctl_exit ctl_pause(struct ctl *c)
{
        return plain(c, &pause_action);
}

enum ctl_exit ctl_unpause(struct ctl *c)
{
        return plain(c, &unpause_action);
}

enum ctl_exit ctl_suspend(struct ctl *c)
{
        return plain(c, &suspend_action);
}

enum ctl_exit ctl_resume(struct ctl *c)
{
        return plain(c, &resume_action);
}

enum ctl_exit ctl_soft_delete(struct ctl *c)
{
        return plain(c, &soft_delete_action);
}

enum ctl_exit ctl_restore(struct ctl *c)
{
        return plain(c, &restore_action);
}

enum ctl_exit ctl_nmi(struct ctl *c)
{
        return plain(c, &nmi_action);
}

/* ---- delete ---- */

/* No host has it: a build that failed before it got one. nova-api then removes the rows itself. */
static enum ctl_exit YIELDS delete_rows(struct ctl *c, struct instance *i, const struct request_context *ctx)
{
        const struct ctl_outcome gone = { .gone = true };
        struct error err;

        i->vm_state = VM_DELETED;
        i->task_state = TASK_NONE;
        i->power_state = POWER_NOSTATE;
        i->terminated_at = clock_wall_s();
        if (store_action_start(&c->store, i->uuid, "delete", ctx, c->by, &err) < 0 ||
            store_instance_save(&c->store, i, COL_STATES | COL_TERMINATED_AT, EXPECT_ANY, c->by, &err) < 0 ||
            store_instance_soft_delete(&c->store, i, c->by, &err) < 0)
                return ctl_error(&err, "delete");
        ctl_tell_outcome(c, i, ctx, &gone); /* without --wait too: it is over */
        return CTL_OK;
}

static enum ctl_exit YIELDS delete_instance(struct ctl *c, struct instance *i,
                                            const struct request_context *ctx, bool wait)
{
        struct block_devices disks = {};
        struct jval *extra;
        struct error err;
        enum ctl_exit status;

        if (!i->host || !*i->host)
                return delete_rows(c, i, ctx);
        status = ctl_need_serving_agent(c);
        if (status != CTL_OK)
                return status;
        if (store_block_devices(&c->store, i->uuid, &disks, c->by, &err) < 0)
                return ctl_error(&err, "delete");
        extra = jval_new_object();
        jval_set(extra, "bdms", primitive_block_devices(&disks, i->uuid));
        block_devices_free(&disks);
        status = request(c, &delete_action, i, extra, ctx);
        return status == CTL_OK ? ctl_conclude(c, i, ctx, wait) : status;
}

enum ctl_exit ctl_delete(struct ctl *c)
{
        bool wait = false;
        const struct ctl_option options[] = { WAIT_OPTION(wait), {} };
        const char *words[1];
        struct instance CLEANUP(instance_freep) *i = NULL;
        struct request_context ctx = {};
        enum ctl_exit status;

        if (!ctl_arguments(c, options, words, 1, 1, &status))
                return status;
        status = ctl_find_instance(c, words[0], &i);
        if (status != CTL_OK)
                return status;
        operator_context(i, &ctx);
        status = delete_instance(c, i, &ctx, wait);
        request_context_free(&ctx);
        return status;
}
