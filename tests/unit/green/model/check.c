/*
 * tests/unit/green/model/check.c: a trace compared with the model, event by event.
 *
 * The trace says who runs; the model says whether it may, and with which result. So there is no guessing
 * where the headers leave a choice, and everything else is exact: order, results, times.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

const char *const mutation_names[N_MUTATIONS] = {
        [RIGHT] = "none",
        [LIFO_WAKE] = "lifo-wake",
        [LOST_CANCEL] = "lost-cancel",
        [FORGOTTEN_OVERFLOW] = "forgotten-overflow",
        [EARLY_YIELD] = "early-yield",
        [DEAF_CHANNEL] = "deaf-channel",
};

static const char *code_name(int code)
{
        return code == 0         ? "ok"
               : code == SKIPPED ? "skipped"
               : code == NOT_NOW ? "not now"
                                 : error_code_name(code);
}

void event_print(FILE *to, const struct program *p, const struct event *e)
{
        struct op op;

        fprintf(to, "%9.3f ms  ", (double)e->at_ns / 1e6);
        if (e->who == 0)
                fputs("main ", to);
        else
                fprintf(to, "T%u ", e->who);
        if (e->kind == DONE && program_op(p, e->who, e->op, &op)) {
                op_print(to, &op);
                fprintf(to, ": %s", code_name(e->code));
                if (e->value)
                        fprintf(to, " (%d)", e->value);
        } else {
                fputs(e->kind == STARTED ? "starts" : "ends", to);
        }
}

static struct event due(const struct model *m, int who)
{
        const struct model_thread *t = &m->threads[who];

        return (struct event){ .who = (unsigned)who,
                               .op = t->next == DONE ? t->pc : 0,
                               .kind = t->next,
                               .code = t->next == DONE ? t->code : 0,
                               .value = t->next == DONE && (t->code == 0 || t->code > 0) ? t->value : 0,
                               .at_ns = m->now };
}

static bool same(const struct event *a, const struct event *b)
{
        return a->who == b->who && a->op == b->op && a->kind == b->kind && a->code == b->code &&
               a->value == b->value && a->at_ns == b->at_ns;
}

/* ---- who may run ---- */

static bool may_run(const struct model *m, unsigned at)
{
        for (unsigned i = 0; i < at; i++)
                if (m->ready[i].class != m->ready[at].class || m->ready[i].lane == m->ready[at].lane)
                        return false;
        return true;
}

/* It was ready, and runs: with all that it was ready for, or with what the trace says if that is part of it.
 */
static void run_loose(struct model *m, int who, unsigned value)
{
        struct model_thread *t = &m->threads[who];

        m->running = who;
        if (t->op.kind == OP_POP) {
                model_take_items(m, t);
                return;
        }
        t->code = 0;
        t->value = (int)(value && !(value & ~t->could) ? value : t->could);
}

/* A loose one may run once it was ready, and once its wait was ended otherwise, with that result. */
static bool may_run_loose(struct model *m, const struct event *e)
{
        struct model_thread *t = &m->threads[e->who];

        if (t->state != WAITING || !t->loose)
                return false;
        if (t->settled && e->code == t->code) {
                m->running = (int)e->who;
                return true;
        }
        if (!t->could || e->code == ERR_TIMEOUT || (e->code != 0 && t->op.kind != OP_POP))
                return false;
        run_loose(m, (int)e->who, (unsigned)e->value);
        return true;
}

/* Nobody else can run and time must not move: somebody was ready all the time. */
static bool run_the_overdue(struct model *m)
{
        for (int i = 0; i < MAX_THREADS; i++) {
                const struct model_thread *t = &m->threads[i];

                if (t->state != WAITING || !t->loose || (!t->settled && !model_ready_bits(m, t)))
                        continue;
                m->running = i;
                if (!t->settled)
                        run_loose(m, i, 0);
                return true;
        }
        return false;
}

/* Makes `running` who the trace says, if it may; else who must, so that the message names it. */
static bool choose(struct model *m, const struct event *e)
{
        for (;;) {
                while (m->n_ready > 0 && model_settle(m, m->ready[0].who))
                        ;
                model_look(m);
                if (e && may_run_loose(m, e))
                        return true;
                for (unsigned i = 0; i < m->n_ready; i++)
                        if (e && m->ready[i].who == (int)e->who && may_run(m, i)) {
                                m->running = (int)e->who;
                                model_take_ready(m, i);
                                return true;
                        }
                if (m->n_ready > 0) {
                        m->running = m->ready[0].who;
                        return true;
                }
                if (!model_move_time(m))
                        return run_the_overdue(m);
        }
}

/* ---- what follows from an event ---- */

static void go_on(struct model *m, int who)
{
        struct model_thread *t = &m->threads[who];

        m->running = who;
        t->state = RUNNING;
        if ((m->over && who != 0) || t->failing || !program_op(m->program, (unsigned)who, t->pc, &t->op)) {
                model_let_go(m, who);
                t->next = FINISHED;
        } else if (model_begin(m, who)) {
                model_complete(m, who);
        }
}

static void follow(struct model *m, const struct event *e)
{
        int who = (int)e->who;
        struct model_thread *t = &m->threads[who];

        switch (e->kind) {
        case STARTED:
                t->alive = true;
                t->pc = 0;
                go_on(m, who);
                break;
        case DONE:
                t->pc++;
                go_on(m, who);
                break;
        default:
                t->alive = false;
                t->state = ENDED;
                m->running = -1;
                if (who != 0 && --m->alive == 0)
                        model_wake_first(m, &m->all_done, 0);
                model_group_end(m, who);
        }
}

static void say_expected(const struct model *m, const struct program *p, const struct event *want,
                         char expected[EXPECTED_MAX])
{
        FILE *to = fmemopen(expected, EXPECTED_MAX, "w");

        if (!to)
                return;
        if (want)
                event_print(to, p, want);
        else
                fprintf(to, "%9.3f ms  nobody can run any more", (double)m->now / 1e6);
        fclose(to);
}

int check_trace(const struct program *p, const struct trace *trace, enum mutation mutation,
                char expected[EXPECTED_MAX])
{
        struct model m;

        model_init(&m, p, mutation);
        for (unsigned i = 0; i <= trace->n; i++) {
                const struct event *e = i < trace->n ? &trace->events[i] : NULL;
                bool was_running = m.running >= 0;
                struct event want;

                if (m.threads[0].state == ENDED && m.alive == 0 && !e)
                        return -1;
                if (!was_running && !choose(&m, e)) {
                        say_expected(&m, p, NULL, expected);
                        return (int)i;
                }
                if (!was_running && m.threads[m.running].next == DONE)
                        model_complete(&m, m.running);
                want = due(&m, m.running);
                if (!e || !same(&want, e)) {
                        say_expected(&m, p, &want, expected);
                        return (int)i;
                }
                m.peek = i + 1 < trace->n ? &trace->events[i + 1] : NULL;
                follow(&m, e);
        }
        return -1;
}
