/*
 * agent/compute/action.c: the wrappers around methods, in one place (nova-contract 3.2).
 *
 * From outside to inside: task_state back to NULL on failure (R), the action's event row (V), the fault row
 * (F), the instance's lock, the body. So a failure leaves, in this order: a fault, an event with result
 * Error, a task_state of NULL. An action that was cancelled (the agent is being stopped the hard way) leaves
 * all rows as they are: the recovery at the next start knows from them what was under way.
 */
#define LOG_MODULE "compute.action"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* ---- faults ---- */

/* The visible text of an error (5.6): nova's own exceptions speak, others are named by their class. */
static const char *fault_message(const struct error *cause)
{
        const struct nova_exception *e = nova_exception_of(cause->code);

        return strcmp(e->module, "nova.exception") == 0 ? cause->text : e->class_name;
}

void compute_add_fault(struct compute_manager *m, const char *uuid, const struct error *cause,
                       const char *message)
{
        int code = nova_exception_of(cause->code)->http_code;
        struct error err = {};

        if (!message)
                message = fault_message(cause);
        if (store_fault_add(m->store, uuid, code, message, code == 500 ? cause->text : "",
                            deadline_in_s(CLEANUP_DEADLINE_S), &err) < 0)
                log_warning("the fault could not be recorded, users will not see it: %s", err.text);
}

/* ---- rows ---- */

int action_load(struct action *a, struct error *err)
{
        struct instance *i = NULL;

        if (store_instance_get(a->m->store, a->uuid, 0, &i, a->by, err) < 0)
                return -1;
        if (i->host && *i->host && strcmp(i->host, a->m->conf->host) != 0) {
                error_set(err, NOVA_INSTANCE_INVALID_STATE,
                          "instance %s is on host %s, this is %s: nothing was done", a->uuid, i->host,
                          a->m->conf->host);
                instance_free(i);
                return -1;
        }
        if (a->flavor)
                flavor_copy(&i->flavor, a->flavor);
        instance_free(a->instance);
        a->instance = i;
        return 0;
}

int action_expect(const struct action *a, struct task_expect expect, struct error *err)
{
        enum task_state actual = a->instance->task_state;
        const char *name = task_state_name(actual);

        if (task_expected(&expect, actual))
                return 0;
        return error_set(err,
                         actual == TASK_DELETING ? NOVA_UNEXPECTED_DELETING_TASK_STATE
                                                 : NOVA_UNEXPECTED_TASK_STATE,
                         "%s expects task_state %s, it is %s: nothing was done", a->kind->method,
                         task_state_name(expect.any[0]), name ? name : "None");
}

int action_save(struct action *a, unsigned columns, struct task_expect expect, struct error *err)
{
        return store_instance_save(a->m->store, a->instance, columns, expect, a->by, err);
}

int action_finish(struct action *a, enum vm_state vm_state, unsigned more_columns, struct task_expect expect,
                  struct error *err)
{
        struct instance *i = a->instance;

        if (compute_power_of(a->m, a->uuid, &i->power_state, a->by, err) < 0)
                return -1;
        i->vm_state = vm_state;
        i->task_state = TASK_NONE;
        return action_save(a, COL_STATES | more_columns, expect, err);
}

void action_error_state(struct action *a, unsigned more_columns)
{
        struct error err = {};

        a->instance->vm_state = VM_ERROR;
        if (store_instance_save(a->m->store, a->instance, COL_VM_STATE | more_columns, EXPECT_ANY,
                                deadline_in_s(CLEANUP_DEADLINE_S), &err) < 0 &&
            err.code != NOVA_INSTANCE_NOT_FOUND)
                log_warning("vm_state error could not be written: %s; the instance stays as it is", err.text);
}

/* ---- images ---- */

static void hear(void *arg, const char *text)
{
        assert_on_hub();
        inflight_detail(arg, text);
}

static void hear_progress(void *arg, int64_t done, int64_t total)
{
        assert_on_hub();
        inflight_progress(arg, done, total);
}

struct image_caller action_image_caller(struct action *a)
{
        return (struct image_caller){ .token = a->ctx->auth_token,
                                      .request_id = a->ctx->request_id,
                                      .catalog = a->ctx->service_catalog,
                                      .doing = hear,
                                      .progress = hear_progress,
                                      .arg = a->op };
}

/* ---- the wrappers ---- */

static bool preempted(int code)
{
        return code == NOVA_UNEXPECTED_TASK_STATE || code == NOVA_UNEXPECTED_DELETING_TASK_STATE;
}

bool compute_failure_is_ordinary(const struct error *err, bool answered)
{
        return preempted(err->code) || (answered && nova_exception_of(err->code)->http_code < 500);
}

/* R: the task is over, whatever the body had got to. The row is read again: others may have changed it. */
static void YIELDS revert_task_state(struct action *a)
{
        struct deadline by = deadline_in_s(CLEANUP_DEADLINE_S);
        struct instance *i = NULL;
        struct error err = {};

        if (store_instance_get(a->m->store, a->uuid, 0, &i, by, &err) < 0)
                goto out;
        i->task_state = TASK_NONE;
        if (store_instance_save(a->m->store, i, COL_TASK_STATE, EXPECT_ANY, by, &err) < 0)
                goto out;
        if (tracker_update_usage(a->m->tracker, i, by, &err) < 0)
                goto out;
out:
        if (err.code != 0 && err.code != NOVA_INSTANCE_NOT_FOUND)
                log_warning("task_state could not be set back: %s; the next start looks after it", err.text);
        instance_free(i);
}

int action_locked(struct action *a, action_body_fn *body, struct error *err)
{
        struct named_lock *lock;
        int r;

        inflight_step(a->op, "waiting for the instance's lock");
        lock = lockutils_acquire(a->uuid, a->by, err);
        if (!lock)
                return error_while(err, "waiting for other work on this instance");
        inflight_step(a->op, "at work");
        r = body(a, err);
        lockutils_release(lock);
        return r;
}

static int YIELDS run_with_fault(struct action *a, struct error *err)
{
        int r;

        inflight_step(a->op, "at work");
        inflight_settle(a->op);
        r = a->kind->locked ? action_locked(a, a->kind->body, err) : a->kind->body(a, err);
        if (r == 0 || err->code == ERR_CANCELLED)
                return r;
        if ((a->kind->wraps & WRAP_FAULT) && err->code != NOVA_INSTANCE_NOT_FOUND)
                compute_add_fault(a->m, a->uuid, err, NULL);
        return -1;
}

static int YIELDS run_with_event(struct action *a, struct error *err)
{
        CLEANUP(freep) char *event = xasprintf("compute_%s", a->kind->method);
        struct error finish_err = {};
        int r;

        if (!(a->kind->wraps & WRAP_EVENT))
                return run_with_fault(a, err);
        if (store_event_start(a->m->store, a->uuid, event, a->ctx, a->by, err) < 0)
                return error_while(err, "starting event %s", event);
        r = run_with_fault(a, err);
        if (r < 0 && err->code == ERR_CANCELLED)
                return -1;
        inflight_step(a->op, "finishing the event");
        if (store_event_finish(a->m->store, a->uuid, event, a->ctx, r < 0 ? fault_message(err) : NULL,
                               r < 0 ? err->text : NULL, deadline_in_s(CLEANUP_DEADLINE_S), &finish_err) < 0)
                log_warning("event %s could not be finished, users see it as going on: %s", event,
                            finish_err.text);
        return r;
}

void compute_set_log_context(const struct request_context *ctx, const char *uuid)
{
        CLEANUP(freep)
        char *request = xasprintf("%s %s %s", ctx->request_id ? ctx->request_id : "-",
                                  ctx->user_id ? ctx->user_id : "-", ctx->project_id ? ctx->project_id : "-");

        green_set_log_context(request, uuid);
}

int action_run_begun(struct compute_manager *m, const struct action_kind *kind, const struct compute_call *c,
                     struct inflight_op *op, void *arg, struct error *err)
{
        struct action a = {
                .m = m,
                .kind = kind,
                .ctx = c->ctx,
                .uuid = c->uuid,
                .flavor = c->flavor,
                .by = c->by,
                .arg = arg,
                .op = op,
        };
        int r;

        compute_set_log_context(c->ctx, c->uuid);
        m->stats.actions++;
        if (kind->first)
                inflight_settle(op);
        r = kind->first ? kind->first(&a, err) : 0;
        if (r == 0)
                r = run_with_event(&a, err);
        if (r < 0 && err->code != ERR_CANCELLED) {
                m->stats.actions_failed++;
                if (!c->caller_logs)
                        log_at(compute_failure_is_ordinary(err, false) ? LOG_INFO : LOG_ERROR,
                               "%s failed: %s", kind->method, err->text);
                inflight_step(op, "setting task_state back");
                if ((kind->wraps & WRAP_REVERTS) && !preempted(err->code))
                        revert_task_state(&a);
        }
        if (r < 0 && err->code == ERR_CANCELLED)
                inflight_leave(op);
        else
                inflight_end(op);
        instance_free(a.instance);
        return r;
}

int action_run(struct compute_manager *m, const struct action_kind *kind, const struct compute_call *c,
               void *arg, struct error *err)
{
        struct inflight_op op;

        inflight_begin(&m->inflight, &op, kind->method, c->uuid, c->ctx->request_id);
        if (kind->locked || (kind->wraps & WRAP_REVERTS)) /* the others only look */
                inflight_record(&op);
        return action_run_begun(m, kind, c, &op, arg, err);
}
