/* tests/unit/green/model/model_ops.c: what each operation promises. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static const struct model_thread *self_of(const struct model *m, int who)
{
        return &m->threads[who];
}

static bool result(struct model *m, int who, int code, int value)
{
        m->threads[who].code = code;
        m->threads[who].value = value;
        return true;
}

static bool skipped(struct model *m, int who)
{
        return result(m, who, SKIPPED, 0);
}

int64_t model_deadline(const struct model *m, const struct model_thread *t)
{
        int by = op_by(&t->op, t->shields > 0 || t == &m->threads[0]);

        return by == BY_NEVER ? INT64_MAX : by == BY_NOW ? 0 : m->now + by * INT64_C(1000000);
}

static bool holds_locks(const struct model *m, int who)
{
        for (int i = 0; i < N_MUTEX + N_NAME; i++)
                if (m->mutexes[i].owner == who)
                        return true;
        return false;
}

/* ---- mutexes and names ---- */

static bool begin_lock(struct model *m, int who, int i, int64_t until)
{
        struct model_mutex *mutex = &m->mutexes[i];

        if (mutex->owner == who)
                return skipped(m, who);
        if (mutex->owner >= 0)
                return model_park(m, who, &mutex->waiters, until);
        mutex->owner = who;
        return true;
}

static void unlock(struct model *m, int i)
{
        m->mutexes[i].owner = model_wake_first(m, &m->mutexes[i].waiters, 0);
}

static bool begin_mutex(struct model *m, int who)
{
        const struct op *op = &m->threads[who].op;
        int i = op->arg[0];

        switch (op->kind) {
        case OP_LOCK:
                return begin_lock(m, who, i, model_deadline(m, self_of(m, who)));
        case OP_NAME_LOCK:
                return begin_lock(m, who, N_MUTEX + i, model_deadline(m, self_of(m, who)));
        case OP_NAME_ENTER:
                if (who == 0 || holds_locks(m, who))
                        return skipped(m, who);
                m->threads[who].in_close = true;
                return begin_lock(m, who, N_MUTEX + i, INT64_MAX);
        case OP_TRYLOCK:
                if (m->mutexes[i].owner >= 0)
                        return result(m, who, NOT_NOW, 0);
                m->mutexes[i].owner = who;
                return true;
        default:
                if (op->kind == OP_NAME_UNLOCK)
                        i += N_MUTEX;
                if (m->mutexes[i].owner != who)
                        return skipped(m, who);
                unlock(m, i);
                return true;
        }
}

void model_let_go(struct model *m, int who)
{
        m->threads[who].shields = 0;
        for (int i = 0; i < N_MUTEX + N_NAME; i++)
                if (m->mutexes[i].owner == who)
                        unlock(m, i);
}

/* ---- semaphores, events, conditions ---- */

static bool begin_acquire(struct model *m, int who, struct model_sem *s)
{
        if (s->count > 0) {
                s->count--;
                return true;
        }
        return model_park(m, who, &s->waiters, model_deadline(m, self_of(m, who)));
}

static bool begin_sync(struct model *m, int who)
{
        const struct op *op = &m->threads[who].op;
        int i = op->arg[0];

        switch (op->kind) {
        case OP_ACQUIRE:
                return begin_acquire(m, who, &m->sems[i]);
        case OP_TRY:
                if (m->sems[i].count == 0)
                        return result(m, who, NOT_NOW, 0);
                m->sems[i].count--;
                return true;
        case OP_RELEASE:
                if (model_wake_first(m, &m->sems[i].waiters, 0) < 0)
                        m->sems[i].count++;
                return true;
        case OP_SET:
                m->events[i].set = true;
                while (model_wake_first(m, &m->events[i].waiters, 0) >= 0)
                        ;
                return true;
        case OP_CLEAR:
                m->events[i].set = false;
                return true;
        case OP_WAIT:
                return m->events[i].set ||
                       model_park(m, who, &m->events[i].waiters, model_deadline(m, self_of(m, who)));
        case OP_COND_WAIT:
                return model_park(m, who, &m->conds[i], model_deadline(m, self_of(m, who)));
        case OP_SIGNAL:
                model_wake_first(m, &m->conds[i], 0);
                return true;
        default:
                while (model_wake_first(m, &m->conds[i], 0) >= 0)
                        ;
                return true;
        }
}

/* ---- channels ---- */

/* Hands an item to a waiting receiver or to the buffer. */
static bool put(struct model *m, struct model_chan *c, unsigned capacity, int item)
{
        int receiver;

        if (c->closed)
                return false;
        receiver = model_wake_first(m, &c->receivers, 0);
        if (receiver >= 0)
                m->threads[receiver].value = item;
        else if (c->n < capacity)
                c->items[c->n++] = item;
        else
                return false;
        return true;
}

static bool get(struct model *m, struct model_chan *c, int *ret_item)
{
        int sender;

        if (c->n == 0) { /* from hand to hand */
                sender = model_wake_first(m, &c->senders, 0);
                if (sender >= 0)
                        *ret_item = m->threads[sender].item;
                return sender >= 0;
        }
        *ret_item = c->items[0];
        memmove(&c->items[0], &c->items[1], --c->n * sizeof(c->items[0]));
        sender = model_wake_first(m, &c->senders, 0);
        if (sender >= 0)
                c->items[c->n++] = m->threads[sender].item;
        return true;
}

static bool begin_chan(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];
        unsigned capacity = CHAN_CAPACITY((unsigned)t->op.arg[0]);
        struct model_chan *c = &m->chans[t->op.arg[0]];

        t->item = ITEM_OF(who, t->pc);
        switch (t->op.kind) {
        case OP_SEND:
                if (put(m, c, capacity, t->item))
                        return true;
                if (c->closed)
                        return result(m, who, ERR_CLOSED, 0);
                return model_park(m, who, &c->senders, model_deadline(m, t));
        case OP_RECV:
                if (get(m, c, &t->value))
                        return true;
                if (c->closed)
                        return result(m, who, ERR_CLOSED, 0);
                return model_park(m, who, &c->receivers, model_deadline(m, t));
        case OP_TRYSEND:
                return put(m, c, capacity, t->item) || result(m, who, NOT_NOW, 0);
        case OP_TRYRECV:
                return get(m, c, &t->value) || result(m, who, NOT_NOW, 0);
        default:
                c->closed = true;
                while (model_wake_first(m, &c->senders, ERR_CLOSED) >= 0)
                        ;
                while (m->mutation != DEAF_CHANNEL && model_wake_first(m, &c->receivers, ERR_CLOSED) >= 0)
                        ;
                return true;
        }
}

/* ---- threads ---- */

static void bear(struct model *m, int child, int group, bool has_handle)
{
        struct model_thread *t = &m->threads[child];

        t->started = true;
        t->has_handle = has_handle;
        t->group = group;
        t->in_root = group < 0;
        t->next = STARTED;
        if (group >= 0)
                fifo_push(&m->groups[group].members, child);
        m->alive++;
        model_push_ready(m, child);
}

static bool begin_spawn(struct model *m, int who)
{
        const struct op *op = &m->threads[who].op;
        const struct model_group *g = op->arg[1] < 0 ? NULL : &m->groups[op->arg[1]];

        if (m->over || m->threads[op->arg[0]].started || (g && g->gone))
                return skipped(m, who);
        if (g && g->closing)
                return result(m, who, ERR_CANCELLED, 0);
        bear(m, op->arg[0], op->arg[1], true);
        return true;
}

static bool begin_thread(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who], *other = &m->threads[t->op.arg[0]];

        switch (t->op.kind) {
        case OP_SPAWN:
                return begin_spawn(m, who);
        case OP_JOIN:
                if (other == t || !other->has_handle)
                        return skipped(m, who);
                if (other->state == ENDED)
                        return result(m, who, 0, other->failing ? FAIL_MARK(t->op.arg[0]) : 0);
                return model_park(m, who, &m->joiners[t->op.arg[0]], model_deadline(m, t));
        case OP_CANCEL:
                if (!other->has_handle && !other->alive)
                        return skipped(m, who);
                model_cancel(m, t->op.arg[0]);
                return true;
        case OP_FAIL:
                t->failing = who != 0;
                return t->failing || skipped(m, who);
        case OP_SHIELD:
                t->shields++;
                return true;
        case OP_UNSHIELD:
                if (t->shields == 0)
                        return skipped(m, who);
                t->shields--;
                return true;
        case OP_CANCEL_ALL:
                model_let_go(m, who);
                m->over = true;
                for (int i = 1; i < MAX_THREADS; i++)
                        if (m->threads[i].has_handle || m->threads[i].alive)
                                model_cancel(m, i);
                return true;
        default:
                return m->alive == 0 || model_park(m, who, &m->all_done, INT64_MAX);
        }
}

/* ---- groups and pools ---- */

static bool may_close(const struct model *m, int who)
{
        return who != 0 && m->threads[who].in_root && !holds_locks(m, who);
}

static bool await_group(struct model *m, int who, int i, int64_t until)
{
        return m->groups[i].members.n == 0 || model_park(m, who, &m->groups[i].waiters, until);
}

static bool close_group(struct model *m, int who, int i)
{
        struct model_group *g = &m->groups[i];

        g->closing = true;
        for (unsigned n = 0; n < g->members.n; n++)
                model_cancel(m, g->members.who[n]);
        m->threads[who].in_close = true;
        return await_group(m, who, i, INT64_MAX);
}

/* Those who wait for a place are let in one after the other, to see that the pool is closed. */
static bool close_pool(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];
        int i = t->op.arg[0];

        while (m->pools[i].waiting > 0) {
                struct model_sem *slots = &m->sems[N_SEM + i];

                if (model_wake_first(m, &slots->waiters, 0) < 0)
                        slots->count++;
                if (m->n_ready > 0) {
                        m->running = m->running == who ? -1 : m->running;
                        model_push_ready(m, who);
                        return false;
                }
        }
        t->phase = 1;
        return close_group(m, who, N_GROUP + i);
}

static bool begin_group(struct model *m, int who)
{
        const struct op *op = &m->threads[who].op;
        int i = op->arg[0];

        if (i < 0 || m->groups[i].gone)
                return skipped(m, who);
        if (op->kind == OP_GROUP_WAIT)
                return await_group(m, who, i, model_deadline(m, self_of(m, who)));
        if (m->groups[i].closing || !may_close(m, who))
                return skipped(m, who);
        return close_group(m, who, i);
}

static bool begin_pool(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];
        int i = t->op.arg[0];

        if (m->groups[N_GROUP + i].gone)
                return skipped(m, who);
        switch (t->op.kind) {
        case OP_POOL_SPAWN:
                if (m->over || m->threads[t->op.arg[1]].started)
                        return skipped(m, who);
                if (m->pools[i].closed)
                        return result(m, who, ERR_CLOSED, 0);
                m->threads[t->op.arg[1]].started = true;
                m->pools[i].waiting++;
                t->phase = 1;
                return begin_acquire(m, who, &m->sems[N_SEM + i]);
        case OP_POOL_WAIT:
                return await_group(m, who, N_GROUP + i, model_deadline(m, t));
        default:
                if (m->pools[i].closed || !may_close(m, who))
                        return skipped(m, who);
                m->pools[i].closed = true;
                return close_pool(m, who);
        }
}

bool model_settle(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];
        int group = t->op.kind == OP_GROUP_WAIT || t->op.kind == OP_GROUP_CLOSE ? t->op.arg[0]
                    : t->op.kind == OP_POOL_WAIT || t->op.kind == OP_POOL_CLOSE ? N_GROUP + t->op.arg[0]
                                                                                : -1;

        if (t->next != DONE || group < 0 || t->code != 0)
                return false;
        if (t->op.kind == OP_POOL_CLOSE && t->phase == 0) {
                model_take_ready(m, 0);
                if (!close_pool(m, who))
                        return true;
        } else if (m->groups[group].members.n > 0) { /* it was empty, but is not any more */
                model_take_ready(m, 0);
                if (!model_park(m, who, &m->groups[group].waiters, t->until))
                        return true;
        } else {
                return false;
        }
        memmove(&m->ready[1], &m->ready[0], m->n_ready++ * sizeof(m->ready[0])); /* it runs on */
        m->ready[0] = (struct ready){ who, 0, 0 };
        t->state = READY;
        return false;
}

/* ---- all of them ---- */

void model_complete(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];
        int pool = t->op.arg[0], child = t->op.arg[1];

        switch (t->op.kind) {
        case OP_POOL_SPAWN:
                if (t->phase == 0) /* it did not come as far as asking for a place */
                        break;
                m->pools[pool].waiting--;
                if (t->code == 0 && m->pools[pool].closed)
                        t->code = ERR_CLOSED;
                if (t->code == 0)
                        bear(m, child, N_GROUP + pool, false);
                else
                        m->threads[child].started = false;
                break;
        case OP_JOIN:
                if (t->code == 0 && m->threads[pool].failing)
                        t->value = FAIL_MARK(pool);
                break;
        case OP_GROUP_CLOSE:
                if (t->code == 0)
                        m->groups[pool].gone = true;
                break;
        case OP_POOL_CLOSE:
                if (t->code == 0)
                        m->groups[N_GROUP + pool].gone = true;
                break;
        case OP_POP:
                if (m->queue.consumer == who)
                        m->queue.consumer = -1;
                break;
        default:
                break;
        }
        t->in_close = false;
}

bool model_begin(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];

        t->code = t->value = 0;
        t->loose = t->settled = false;
        t->could = 0;
        t->phase = 0;
        t->next = DONE;
        switch (op_infos[t->op.kind].family) {
        case TIME:
                if (t->op.kind == OP_SLEEP_UNTIL)
                        return model_park(m, who, NULL, t->op.arg[0] * INT64_C(1000000));
                if (t->op.kind == OP_SLEEP && t->op.arg[0] > 0)
                        return model_park(m, who, NULL, m->now + t->op.arg[0] * INT64_C(1000000));
                m->running = -1;
                model_push_ready(m, who);
                if (m->mutation == EARLY_YIELD) {
                        memmove(&m->ready[1], &m->ready[0], (m->n_ready - 1) * sizeof(m->ready[0]));
                        m->ready[0] = (struct ready){ who, 0, 0 };
                }
                return false;
        case MUTEXES:
        case NAMES:
                return begin_mutex(m, who);
        case SEMS:
        case EVENTS_:
        case CONDS:
                return begin_sync(m, who);
        case CHANS:
                return begin_chan(m, who);
        case GROUPS:
                return begin_group(m, who);
        case POOLS:
                return begin_pool(m, who);
        case QUEUES:
        case FDS:
                return model_begin_io(m, who);
        default:
                return begin_thread(m, who);
        }
}
