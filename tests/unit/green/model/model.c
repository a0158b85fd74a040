/* tests/unit/green/model/model.c: the run queue, waiting, waking, cancelling, and time. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

void fifo_push(struct fifo *f, int who)
{
        f->who[f->n++] = who;
}

void fifo_remove(struct fifo *f, int who)
{
        unsigned to = 0;

        for (unsigned i = 0; i < f->n; i++)
                if (f->who[i] != who)
                        f->who[to++] = f->who[i];
        f->n = to;
}

void model_init(struct model *m, const struct program *p, enum mutation mutation)
{
        *m = (struct model){ .program = p, .mutation = mutation, .running = -1 };
        for (int i = 0; i < N_MUTEX + N_NAME; i++)
                m->mutexes[i].owner = -1;
        for (int i = 0; i < N_SEM; i++)
                m->sems[i].count = SEM_COUNT(i);
        for (int i = 0; i < N_POOL; i++)
                m->sems[N_SEM + i].count = POOL_SIZE(i);
        for (int i = 0; i < N_FD; i++)
                m->fds[i].open = true;
        for (int i = 0; i < MAX_THREADS; i++)
                m->threads[i].group = -1;
        m->queue.consumer = -1;
        m->threads[0].started = true;
        model_push_ready(m, 0);
}

/* ---- the run queue ---- */

void model_push_ready(struct model *m, int who)
{
        struct ready *r = &m->ready[m->n_ready++];

        if (m->lane == 0)
                m->last_class++;
        *r = (struct ready){ who, m->last_class, m->lane };
        m->threads[who].state = READY;
}

void model_take_ready(struct model *m, unsigned at)
{
        memmove(&m->ready[at], &m->ready[at + 1], (m->n_ready - at - 1) * sizeof(m->ready[0]));
        m->n_ready--;
}

/* ---- waiting and waking ---- */

void model_wake(struct model *m, int who, int code)
{
        struct model_thread *t = &m->threads[who];

        if (t->in)
                fifo_remove(t->in, who);
        t->in = NULL;
        t->code = code;
        if (t->loose && t->could) /* the hub may have woken it before */
                t->settled = true;
        else
                model_push_ready(m, who);
}

int model_wake_first(struct model *m, struct fifo *f, int code)
{
        int who;

        if (f->n == 0)
                return -1;
        who = f->who[m->mutation == LIFO_WAKE ? f->n - 1 : 0];
        model_wake(m, who, code);
        return who;
}

static bool can_be_cancelled(const struct model_thread *t)
{
        return t->shields == 0 && !t->in_close;
}

static bool is_sleep(const struct model_thread *t)
{
        return t->op.kind == OP_SLEEP || t->op.kind == OP_SLEEP_UNTIL;
}

bool model_park(struct model *m, int who, struct fifo *in, int64_t until)
{
        struct model_thread *t = &m->threads[who];

        if ((t->cancelled && can_be_cancelled(t)) || until <= m->now) {
                t->code = t->cancelled && can_be_cancelled(t) ? ERR_CANCELLED : is_sleep(t) ? 0 : ERR_TIMEOUT;
                return true;
        }
        t->state = WAITING;
        t->until = until;
        t->in = in;
        if (in)
                fifo_push(in, who);
        if (m->running == who)
                m->running = -1;
        return false;
}

void model_cancel(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];

        if (t->state == ENDED)
                return;
        t->cancelled = true;
        if (t->state == WAITING && !t->settled && can_be_cancelled(t) && m->mutation != LOST_CANCEL)
                model_wake(m, who, ERR_CANCELLED);
}

void model_group_end(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];

        m->last_class++; /* one cause for all of these */
        m->lane = 1;
        if (t->group >= N_GROUP) {
                struct model_sem *slots = &m->sems[N_SEM + t->group - N_GROUP];

                if (model_wake_first(m, &slots->waiters, 0) < 0)
                        slots->count++;
        }
        m->lane = 2;
        if (t->group >= 0) {
                struct model_group *g = &m->groups[t->group];

                fifo_remove(&g->members, who);
                while (g->members.n == 0 && model_wake_first(m, &g->waiters, 0) >= 0)
                        ;
        }
        m->lane = 3;
        while (model_wake_first(m, &m->joiners[who], 0) >= 0)
                ;
        m->lane = 0;
}

/* ---- descriptors and time ---- */

unsigned model_ready_bits(const struct model *m, const struct model_thread *t)
{
        const struct model_fd *fd;

        if (t->op.kind == OP_POP)
                return m->queue.n || m->queue.overflowed || m->queue.closed;
        fd = &m->fds[t->op.arg[0]];
        if (!fd->open)
                return 0;
        return (unsigned)t->op.arg[1] & (!m->fds[PEER_OF(t->op.arg[0])].open ? 3 : fd->bytes ? 3 : 2);
}

void model_look(struct model *m)
{
        for (int i = 0; i < MAX_THREADS; i++) {
                struct model_thread *t = &m->threads[i];

                if (t->state == WAITING && t->loose && !t->settled)
                        t->could |= model_ready_bits(m, t);
        }
}

bool model_move_time(struct model *m)
{
        int64_t next = INT64_MAX;

        for (int i = 0; i < MAX_THREADS; i++) {
                const struct model_thread *t = &m->threads[i];

                if (t->state != WAITING)
                        continue;
                if (t->loose && (t->settled || model_ready_bits(m, t)))
                        return false;
                if (t->until < next)
                        next = t->until;
        }
        if (next == INT64_MAX)
                return false;
        m->now = next;
        m->last_class++;
        for (int i = 0; i < MAX_THREADS; i++) {
                struct model_thread *t = &m->threads[i];

                t->could = 0;
                m->lane = (unsigned)i + 1;
                if (t->state == WAITING && t->until == next)
                        model_wake(m, i, is_sleep(t) ? 0 : ERR_TIMEOUT);
        }
        m->lane = 0;
        return true;
}
