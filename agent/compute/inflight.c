/* agent/compute/inflight.c: the list of operations in flight. */
#include "compute/inflight.h"

#include <stdio.h>
#include <string.h>

#include "journal/journal.h"

void inflight_init(struct inflight *in)
{
        *in = (struct inflight){};
        list_init(&in->ops);
        green_cond_init(&in->idle, "compute to be idle");
        green_cond_init(&in->some, "compute to be busy");
}

void inflight_begin(struct inflight *in, struct inflight_op *op, const char *method, const char *uuid,
                    const char *request_id)
{
        *op = (struct inflight_op){ .in = in,
                                    .id = ++in->last_id,
                                    .method = method,
                                    .step = "starting",
                                    .done = -1,
                                    .since_ns = clock_now_ns(),
                                    .begun_at = clock_wall_s() };
        snprintf(op->uuid, sizeof(op->uuid), "%s", uuid);
        snprintf(op->request_id, sizeof(op->request_id), "%s", request_id ? request_id : "");
        list_append(&in->ops, &op->node);
        if (in->n++ == 0)
                green_cond_broadcast(&in->some);
}

void inflight_record(struct inflight_op *op)
{
        if (op->in->journal)
                op->entry = journal_begin(op->in->journal, op->method, op->uuid, op->request_id, op->step);
}

void inflight_settle(struct inflight_op *op)
{
        if (op->entry)
                journal_wait(op->in->journal, op->entry);
}

void inflight_step(struct inflight_op *op, const char *step)
{
        op->step = step;
        op->detail[0] = '\0';
        op->done = -1;
        if (op->entry)
                journal_step(op->in->journal, op->entry, step);
}

void inflight_detail(struct inflight_op *op, const char *text)
{
        snprintf(op->detail, sizeof(op->detail), "%s", text);
        op->done = -1;
}

void inflight_progress(struct inflight_op *op, int64_t done, int64_t total)
{
        op->done = done;
        op->total = total;
}

void inflight_leave(struct inflight_op *op)
{
        struct inflight *in = op->in;

        if (!in)
                return;
        op->in = NULL;
        op->entry = NULL;
        list_remove(&op->node);
        if (--in->n == 0)
                green_cond_broadcast(&in->idle);
}

void inflight_end(struct inflight_op *op)
{
        if (op->entry)
                journal_end(op->in->journal, op->entry);
        inflight_leave(op);
}

const char *inflight_doing(const struct inflight_op *op)
{
        return op->detail[0] ? op->detail : op->step;
}

double inflight_seconds(const struct inflight_op *op)
{
        return clock_since_s(op->since_ns);
}

bool inflight_has(const struct inflight *in, const char *uuid)
{
        list_for_each (node, &in->ops)
                if (strcmp(CONTAINER_OF(node, struct inflight_op, node)->uuid, uuid) == 0)
                        return true;
        return false;
}

int inflight_wait_idle(struct inflight *in, struct deadline by, struct error *err)
{
        while (in->n > 0)
                if (green_cond_wait(&in->idle, by, err) < 0)
                        return -1;
        return 0;
}
