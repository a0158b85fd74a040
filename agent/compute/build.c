/*
 * agent/compute/build.c: build_and_run_instance: from the queue to the outcome (nova-contract 3.4, 3.5).
 *
 * A build runs in the background: it waits for the instance's lock, then for one of max_concurrent_builds
 * slots, so that nothing else touches the instance meanwhile. What goes wrong after the claim is undone
 * before the outcome is written: the guest and its files first, the claim last. All outcomes but bad injected
 * files end the event with Success, as nova swallows them: the rows tell.
 */
#define LOG_MODULE "compute.build"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/build_priv.h"

#define QUEUE_DEADLINE_S 86400.0 /* for the instance's lock and a slot */
#define HAND_BACK_S      10.0
#define BUILD_WAITING    "waiting for a build slot"

struct build_job {
        struct compute_manager *m;
        struct compute_build *b; /* owned: dropped at the end */
        struct list node;        /* in build_queue, while it waits */
        struct green *thread;    /* its own: borrowed */
};

/* ---- outcomes ---- */

/* host, node, launched_on, availability_zone NULL, and the states as given. A missing row is no matter. */
static void YIELDS give_up_host(struct action *a, enum vm_state vm_state, enum task_state task)
{
        struct instance *i = a->instance;
        struct error err = {};

        replace_str(&i->host, NULL);
        replace_str(&i->node, NULL);
        replace_str(&i->launched_on, NULL);
        replace_str(&i->availability_zone, NULL);
        i->vm_state = vm_state;
        i->task_state = task;
        instance_set_system_meta(i, "network_allocated", "False");
        if (store_instance_save(a->m->store, i,
                                COL_HOST | COL_NODE | COL_LAUNCHED_ON | COL_AVAILABILITY_ZONE | COL_VM_STATE |
                                        COL_TASK_STATE | COL_SYSTEM_METADATA,
                                EXPECT_ANY, deadline_in_s(CLEANUP_DEADLINE_S), &err) < 0 &&
            err.code != NOVA_INSTANCE_NOT_FOUND)
                log_error("the outcome of the build could not be written: %s; the next start looks after the "
                          "instance",
                          err.text);
}

static enum build_result YIELDS abort_build(struct action *a, const struct error *cause, const char *message)
{
        log_error("build aborted, the instance is set to error: %s", cause->text);
        compute_add_fault(a->m, a->uuid, cause, message);
        give_up_host(a, VM_ERROR, TASK_NONE);
        return BUILD_FAILED;
}

/* The reason without "Build of instance ... aborted": as nova words the fault of a build without retry. */
static enum build_result YIELDS reschedule_build(struct action *a, struct compute_build *b,
                                                 const struct error *cause)
{
        struct error aborted = *cause, err = {};

        aborted.code = NOVA_RESCHEDULED;
        if (!b->reschedule)
                return abort_build(a, &aborted, cause->text);
        inflight_step(a->op, BUILD_RESCHEDULING);
        inflight_settle(a->op);
        give_up_host(a, VM_BUILDING, TASK_SCHEDULING);
        if (b->reschedule(b, a->instance, cause->text, deadline_in_s(CLEANUP_DEADLINE_S), &err) == 0) {
                log_warning("build failed, another host is to try: %s", cause->text);
                return BUILD_RESCHEDULED;
        }
        if (err.code == ERR_NOT_FOUND)
                error_set(&aborted, NOVA_BUILD_ABORT,
                          "Build of instance %s aborted: %.300s (there is no conductor that could choose "
                          "another host)",
                          a->uuid, cause->text);
        else
                error_set(&aborted, NOVA_BUILD_ABORT,
                          "Build of instance %s aborted: %.250s (and asking for another host failed: %.120s)",
                          a->uuid, cause->text, err.text);
        return abort_build(a, &aborted, NULL);
}

/* The table of nova-contract 3.4. */
static enum build_result YIELDS outcome(struct action *a, struct compute_build *b, const struct error *cause)
{
        struct error aborted;

        switch (cause->code) {
        case NOVA_INSTANCE_NOT_FOUND:
        case NOVA_UNEXPECTED_DELETING_TASK_STATE:
                log_info("the instance was deleted while it was built");
                return BUILD_FAILED;
        case NOVA_BUILD_ABORT:
                aborted = *cause;
                error_while(&aborted, "Build of instance %s aborted", a->uuid);
                return abort_build(a, &aborted, NULL);
        default:
                if (!nova_exception_of(cause->code)->aborts_build)
                        return reschedule_build(a, b, cause);
                error_set(&aborted, NOVA_BUILD_ABORT, "Build of instance %s aborted: %.400s", a->uuid,
                          cause->text);
                return abort_build(a, &aborted, NULL);
        }
}

/* ---- the build ---- */

/* The scheduler made them for this host; whoever tries next gets new ones (3.5). */
static void YIELDS give_back_allocations(struct compute_manager *m, const char *uuid)
{
        struct error err = {};

        if (provider_release(m, uuid, deadline_in_s(CLEANUP_DEADLINE_S), &err) < 0)
                log_error("%s; its allocations stay until the instance is deleted", err.text);
}

/*
 * Step 2. A request may come twice, or late: only an instance that is being built here or nowhere is built.
 * 0: go on; 1: there is nothing to build.
 */
static int YIELDS begin_build(struct action *a, struct error *err)
{
        struct instance *i;

        if (action_load(a, err) < 0) {
                if (err->code != NOVA_INSTANCE_NOT_FOUND && err->code != NOVA_INSTANCE_INVALID_STATE)
                        return -1;
                log_info("not building: %s", err->text);
                if (err->code == NOVA_INSTANCE_NOT_FOUND)
                        give_back_allocations(a->m, a->uuid);
                *err = (struct error){};
                return 1;
        }
        i = a->instance;
        if (i->vm_state != VM_BUILDING) {
                log_warning("not building: the instance is %s already, a request came twice or late",
                            vm_state_name(i->vm_state));
                return 1;
        }
        i->task_state = TASK_NONE;
        if (action_save(a, COL_VM_STATE | COL_TASK_STATE, EXPECT(TASK_SCHEDULING, TASK_NONE), err) == 0)
                return 0;
        if (err->code != NOVA_INSTANCE_NOT_FOUND && err->code != NOVA_UNEXPECTED_TASK_STATE &&
            err->code != NOVA_UNEXPECTED_DELETING_TASK_STATE)
                return -1;
        log_info("not building: %s", err->text);
        *err = (struct error){};
        return 1;
}

/* Undoes what build_guest() did, whatever it had got to; then the claim. Failures are logged. */
static void YIELDS unwind(struct action *a)
{
        struct deadline by = deadline_in_s(CLEANUP_DEADLINE_S);
        struct error err = {};

        inflight_step(a->op, "cleaning up a failed build");
        if (compute_destroy_guest(a->m, a->instance, by, &err) < 0)
                log_error("the failed build could not be cleaned up: %s; what is left goes after the "
                          "instance is deleted",
                          err.text);
        err = (struct error){};
        if (tracker_abort_claim(a->m->tracker, a->instance, by, &err) < 0)
                log_error("%s; the next audit sets right what is claimed", err.text);
}

/* Step 13. */
static int YIELDS finish_build(struct action *a, struct error *err)
{
        struct instance *i = a->instance;
        unsigned columns = COL_LAUNCHED_AT;

        inflight_step(a->op, "writing the result");
        i->launched_at = clock_wall_s();
        if (instance_system_meta(i, "network_allocated")) {
                instance_set_system_meta(i, "network_allocated", NULL);
                columns |= COL_SYSTEM_METADATA;
        }
        if (guestspec_wants_config_drive(a->m, i) && (!i->config_drive || !*i->config_drive)) {
                replace_str(&i->config_drive, "True");
                columns |= COL_CONFIG_DRIVE;
        }
        return action_finish(a, VM_ACTIVE, columns, EXPECT(TASK_SPAWNING), err);
}

static int YIELDS build_on_this_host(struct action *a, struct compute_build *b, struct error *err)
{
        const struct instance *i = a->instance;

        inflight_step(a->op, "claiming resources");
        if (tracker_claim(a->m->tracker, a->instance, b->node, a->by, err) < 0)
                return -1;
        log_info("building: vcpus %lld, memory %lld MB, disk %lld GB are claimed, the image comes next",
                 (long long)i->vcpus, (long long)i->memory_mb, (long long)(i->root_gb + i->ephemeral_gb));
        if (build_guest(a, b, err) == 0 && finish_build(a, err) == 0)
                return 0;
        if (err->code != ERR_CANCELLED)
                unwind(a);
        return -1;
}

static void set_roles(struct instance *i, const struct request_context *ctx)
{
        CLEANUP(freep) char *roles = xstrndup(ctx->roles ? ctx->roles : "", 255);

        instance_set_system_meta(i, "boot_roles", roles);
}

static int build_body(struct action *a, struct error *err)
{
        struct build_work *w = a->arg;
        bool drained;
        int r;

        assert_green();
        w->result = BUILD_FAILED;
        r = begin_build(a, err);
        if (r != 0) {
                if (r > 0)
                        w->result = BUILD_NOT_ASKED;
                return r < 0 ? -1 : 0;
        }
        if (w->b->files_error) {
                /* nova leaves vm_state building here for ever; error lets the user see the fault. */
                action_error_state(a, 0);
                give_back_allocations(a->m, a->uuid);
                return error_set(err, NOVA_INVALID_INPUT, "injected_files: %s", w->b->files_error);
        }
        set_roles(a->instance, a->ctx);
        drained = cordon_check(a->m, err) < 0;
        if (!drained && build_on_this_host(a, w->b, err) == 0) {
                w->result = BUILD_ACTIVE;
                scheduler_updated(a->m, a->ctx, a->uuid);
                log_info("built in %.2f s", inflight_seconds(a->op));
                return 0;
        }
        if (err->code == ERR_CANCELLED)
                return -1;
        inflight_step(a->op, "writing the outcome");
        give_back_allocations(a->m, a->uuid);
        w->result = outcome(a, w->b, err);
        if (drained && w->result == BUILD_RESCHEDULED)
                w->result = BUILD_SENT_ON;
        *err = (struct error){};
        return 0;
}

static void HUB_ONLY count_result(struct compute_manager *m, enum build_result result)
{
        if (result == BUILD_NOT_ASKED || result == BUILD_SENT_ON)
                return;
        m->stats.builds++;
        if (result == BUILD_ACTIVE) {
                tracker_build_succeeded(m->tracker);
                return;
        }
        m->stats.builds_failed++;
        tracker_build_failed(m->tracker);
}

/* ---- in the background ---- */

/* Waits for the lock and a slot; what it returns is released by leave_queue(). */
static struct named_lock *YIELDS wait_in_queue(struct build_job *job, struct inflight_op *op,
                                               struct error *err)
{
        struct deadline by = deadline_in_s(QUEUE_DEADLINE_S);
        struct named_lock *lock;

        inflight_step(op, "waiting for the instance's lock");
        lock = lockutils_acquire(job->b->uuid, by, err);
        if (!lock)
                return NULL;
        inflight_step(op, BUILD_WAITING);
        if (green_sem_acquire(&job->m->build_slots, by, err) == 0)
                return lock;
        lockutils_release(lock);
        return NULL;
}

static void HUB_ONLY leave_queue(struct build_job *job, struct named_lock *lock)
{
        green_sem_release(&job->m->build_slots);
        lockutils_release(lock);
}

/* It never got its turn: the outer wrappers of nova's method. */
static void YIELDS queue_failed(struct build_job *job, const struct error *err)
{
        struct instance *i = NULL;
        struct error row_err = {};

        if (err->code == ERR_CANCELLED)
                return;
        log_error("the build never got its turn, the instance is set to error: %s", err->text);
        compute_add_fault(job->m, job->b->uuid, err, NULL);
        give_back_allocations(job->m, job->b->uuid);
        if (store_instance_get(job->m->store, job->b->uuid, 0, &i, deadline_in_s(CLEANUP_DEADLINE_S),
                               &row_err) < 0)
                return;
        i->vm_state = VM_ERROR;
        i->task_state = TASK_NONE;
        if (store_instance_save(job->m->store, i, COL_VM_STATE | COL_TASK_STATE,
                                EXPECT(TASK_SCHEDULING, TASK_NONE), deadline_in_s(CLEANUP_DEADLINE_S),
                                &row_err) < 0)
                log_warning("%s; the instance stays as it is", row_err.text);
        instance_free(i);
}

static bool may_hand_back(const struct build_job *job)
{
        return job->m->handing_back && job->b->hand_back;
}

/* Nothing was done yet, so the request may as well be done by the next agent. The thread is cancelled. */
static void YIELDS hand_back(struct build_job *job, struct inflight_op *op, struct error *err)
{
        struct error why = {};
        int r;

        green_shield_begin();
        inflight_step(op, BUILD_HANDING_BACK);
        inflight_settle(op);
        r = job->b->hand_back(job->b, deadline_in_s(HAND_BACK_S), &why);
        green_shield_end();
        if (r == 0) {
                log_info("the build has not begun, its request is handed back: the next start takes it up");
                *err = (struct error){};
                return;
        }
        inflight_step(op, BUILD_WAITING);
        log_warning("the build has not begun, and its request could not be handed back: %s; the next start "
                    "calls it "
                    "an error",
                    why.text);
        error_set(err, ERR_CANCELLED, "the agent is being stopped");
}

void compute_hand_back_builds(struct compute_manager *m)
{
        m->handing_back = true;
        list_for_each (node, &m->build_queue) {
                struct build_job *job = CONTAINER_OF(node, struct build_job, node);

                if (may_hand_back(job))
                        green_cancel(job->thread); /* it waits, and looks why when it wakes up */
        }
}

/* NULL: it is not to be built now, with *err as its operation ends. */
static struct named_lock *YIELDS get_turn(struct build_job *job, struct inflight_op *op, struct error *err)
{
        struct compute_manager *m = job->m;
        struct named_lock *lock = NULL;

        m->stats.builds_waiting++;
        job->thread = green_self();
        list_append(&m->build_queue, &job->node);
        if (!may_hand_back(job))
                lock = wait_in_queue(job, op, err);
        list_remove(&job->node);
        m->stats.builds_waiting--;
        if (lock && may_hand_back(job)) {
                leave_queue(job, lock);
                lock = NULL;
        }
        if (lock)
                return lock;
        if (may_hand_back(job))
                hand_back(job, op, err);
        else
                queue_failed(job, err);
        return NULL;
}

static int build_main(void *arg, struct error *err)
{
        static const struct action_kind kind = {
                .method = BUILD_METHOD,
                .wraps = WRAP_REVERTS | WRAP_EVENT | WRAP_FAULT,
                .body = build_body,
        };
        struct build_job *job = arg;
        struct compute_manager *m = job->m;
        struct build_work work = { .b = job->b, .result = BUILD_FAILED };
        struct compute_call call;
        struct inflight_op op;
        struct named_lock *lock;
        int r = -1;

        assert_green();
        inflight_begin(&m->inflight, &op, BUILD_REQUEST, job->b->uuid, job->b->ctx.request_id);
        inflight_record(&op);
        lock = get_turn(job, &op, err);
        if (lock) {
                call = compute_internal_call(m, &job->b->ctx, job->b->uuid,
                                             (double)m->conf->long_rpc_timeout);
                call.flavor = job->b->flavor;
                r = action_run_begun(m, &kind, &call, &op, &work, err);
                count_result(m, work.result);
                leave_queue(job, lock);
        }
        if (err->code == ERR_CANCELLED)
                inflight_leave(&op);
        else
                inflight_end(&op);
        job->b->drop(job->b);
        free(job);
        if (r < 0 && err->code != ERR_CANCELLED)
                *err = (struct error){}; /* it was logged and is in the rows */
        return err->code == ERR_CANCELLED ? -1 : 0;
}

int compute_build_and_run(struct compute_manager *m, struct compute_build *b, struct error *err)
{
        struct build_job *job;
        char name[GREEN_NAME_MAX];

        if (m->draining)
                return error_set(err, ERR_CLOSED, "this agent is being stopped and takes no more builds");
        job = NEW(struct build_job);
        job->m = m;
        job->b = b;
        snprintf(name, sizeof(name), "build %.36s", b->uuid);
        if (green_pool_spawn(m->build_pool, name, build_main, job, deadline_in_s(CLEANUP_DEADLINE_S), err) ==
            0)
                return 0;
        free(job);
        return error_while(err, "starting the build");
}
