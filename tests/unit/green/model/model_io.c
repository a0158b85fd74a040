/*
 * tests/unit/green/model/model_io.c: the native queue, and descriptors (pairs of sockets).
 */
#include "model.h"

#include <string.h>

static bool result(struct model *m, int who, int code, int value)
{
        m->threads[who].code = code;
        m->threads[who].value = value;
        return true;
}

/* ---- the native queue ---- */

void model_take_items(struct model *m, struct model_thread *t)
{
        unsigned n = m->queue.n < POP_MAX ? m->queue.n : POP_MAX;

        t->code = 0;
        if (m->queue.overflowed && !m->queue.noticed) {
                m->queue.noticed = true; /* first what was there, then the report */
                m->queue.before_report = m->queue.n;
        }
        if (m->queue.noticed && m->queue.before_report == 0) {
                m->queue.noticed = m->queue.overflowed = false;
                t->value = POP_OVERFLOW;
                return;
        }
        if (m->queue.noticed && n > m->queue.before_report)
                n = m->queue.before_report;
        if (n == 0) {
                t->code = ERR_CLOSED;
                return;
        }
        t->value = pop_value(m->queue.items, (int)n);
        m->queue.n -= n;
        memmove(&m->queue.items[0], &m->queue.items[n], m->queue.n * sizeof(m->queue.items[0]));
        if (m->queue.noticed)
                m->queue.before_report -= n;
}

static bool begin_pop(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];

        if (m->queue.consumer >= 0)
                return result(m, who, SKIPPED, 0);
        m->queue.consumer = who;
        if (model_ready_bits(m, t)) {
                model_take_items(m, t);
                return true;
        }
        t->loose = true;
        return model_park(m, who, NULL, model_deadline(m, t));
}

static bool push(struct model *m, int who)
{
        if (m->queue.closed)
                return result(m, who, NOT_NOW, 0);
        if (m->queue.n == QUEUE_CAPACITY) {
                m->queue.overflowed = m->queue.overflowed || m->mutation != FORGOTTEN_OVERFLOW;
                return result(m, who, NOT_NOW, 0);
        }
        m->queue.items[m->queue.n++] = ITEM_OF(who, m->threads[who].pc);
        return true;
}

/* ---- descriptors ---- */

static bool waits_for_fd(const struct model_thread *t)
{
        return t->op.kind == OP_FD_WAIT || t->op.kind == OP_FD_WAIT_KEPT;
}

/*
 * Whether another one waits for the same direction: surely (1), or perhaps (-1), when its wait is over or may
 * be over but its call has not returned.
 */
static int busy(const struct model *m, int who)
{
        const struct model_thread *t = &m->threads[who];
        int answer = 0;

        for (int i = 0; i < MAX_THREADS; i++) {
                const struct model_thread *other = &m->threads[i];

                if (i == who || (other->state != WAITING && other->state != READY) || !other->loose ||
                    !waits_for_fd(other) || other->op.arg[0] != t->op.arg[0] ||
                    !(other->op.arg[1] & t->op.arg[1]) || other->fd_age != m->fds[t->op.arg[0]].age)
                        continue;
                if (other->state == WAITING && !other->could)
                        return 1;
                answer = -1;
        }
        return answer;
}

static bool begin_wait_fd(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];
        int others;

        if (!m->fds[t->op.arg[0]].open)
                return result(m, who, ERR_SYSTEM, 0);
        others = busy(m, who);
        if (others < 0)
                others = m->peek && (int)m->peek->who == who && m->peek->code == ERR_BUSY;
        if (others)
                return result(m, who, ERR_BUSY, 0);
        t->loose = true;
        t->fd_age = m->fds[t->op.arg[0]].age;
        return model_park(m, who, NULL, model_deadline(m, t));
}

static void close_fd(struct model *m, int i)
{
        for (int side = 1; side <= 2; side++)
                for (int w = 0; w < MAX_THREADS; w++) {
                        struct model_thread *t = &m->threads[w];

                        if (t->state == WAITING && t->loose && !t->settled && waits_for_fd(t) &&
                            t->op.arg[0] == i && t->op.arg[1] & side)
                                model_wake(m, w, ERR_CLOSED);
                }
        m->fds[i].open = false;
        m->fds[i].age++;
}

static bool begin_fd(struct model *m, int who)
{
        const struct op *op = &m->threads[who].op;
        int i = op->arg[0];

        switch (op->kind) {
        case OP_FD_WAIT:
        case OP_FD_WAIT_KEPT:
                return begin_wait_fd(m, who);
        case OP_FD_OPEN:
                if (m->fds[2 * i].open || m->fds[2 * i + 1].open)
                        return result(m, who, SKIPPED, 0);
                for (int side = 0; side < 2; side++) {
                        m->fds[2 * i + side].open = true;
                        m->fds[2 * i + side].bytes = 0;
                }
                return true;
        case OP_FD_CLOSE:
                if (!m->fds[i].open)
                        return result(m, who, SKIPPED, 0);
                close_fd(m, i);
                return true;
        default:
                if (!m->fds[i].open || !m->fds[PEER_OF(i)].open)
                        return result(m, who, SKIPPED, 0);
                if (op->kind == OP_FD_WRITE) {
                        m->fds[PEER_OF(i)].bytes++;
                        return result(m, who, 0, 1);
                }
                if (m->fds[i].bytes == 0)
                        return result(m, who, NOT_NOW, 0);
                m->fds[i].bytes--;
                return true;
        }
}

bool model_begin_io(struct model *m, int who)
{
        switch (m->threads[who].op.kind) {
        case OP_PUSH:
                return push(m, who);
        case OP_POP:
                return begin_pop(m, who);
        case OP_QUEUE_CLOSE:
                m->queue.closed = true;
                return true;
        default:
                return begin_fd(m, who);
        }
}
