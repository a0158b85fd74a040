/*
 * tests/unit/green/model/shrink.c: from a program that fails to a small one that fails as well.
 *
 * Threads are dropped or made part of who starts them, then operations dropped, then arguments made simpler,
 * as long as anything of that helps.
 */
#include <string.h>

#include "run.h"

static bool drop_thread(struct program *p, unsigned thread)
{
        if (p->n_threads <= 1)
                return false;
        memmove(&p->threads[thread], &p->threads[thread + 1],
                (p->n_threads - thread - 1) * sizeof(p->threads[0]));
        p->n_threads--;
        for (unsigned t = 0; t < p->n_threads; t++) {
                struct body *body = &p->threads[t];
                unsigned to = 0;

                for (unsigned i = 0; i < body->n; i++) {
                        struct op op = body->ops[i];
                        bool gone = false;

                        for (int a = 0; a < 3; a++) {
                                if (op_infos[op.kind].args[a] != THREAD)
                                        continue;
                                gone |= op.arg[a] == (int)thread;
                                op.arg[a] -= op.arg[a] > (int)thread;
                        }
                        if (!gone)
                                body->ops[to++] = op;
                }
                body->n = to;
        }
        return true;
}

static void drop_op(struct body *body, unsigned i)
{
        memmove(&body->ops[i], &body->ops[i + 1], (body->n - i - 1) * sizeof(body->ops[0]));
        body->n--;
}

/* The next simpler value of an argument; false when there is none. */
static bool simplify(const struct program *p, enum arg kind, int *value)
{
        int min, max, was = *value;

        if (kind == NONE)
                return false;
        arg_range(kind, p->n_threads, &min, &max);
        if (kind == BY)
                *value = was > 1 ? was / 2 : was == 1 ? BY_NOW : BY_NEVER;
        else if (kind == MS || kind == AT)
                *value = was / 2;
        else
                *value = was > min ? was - 1 : min;
        return *value != was;
}

/* Puts the operations of a thread in the place where it is started. */
static bool inline_thread(struct program *p, unsigned thread)
{
        const struct body from = p->threads[thread];

        for (unsigned t = 0; t < p->n_threads; t++)
                for (unsigned i = 0; i < p->threads[t].n; i++) {
                        struct body *to = &p->threads[t];

                        if (t == thread || to->ops[i].kind != OP_SPAWN || to->ops[i].arg[0] != (int)thread ||
                            to->n + from.n > MAX_OPS)
                                continue;
                        memmove(&to->ops[i + from.n], &to->ops[i], (to->n - i) * sizeof(to->ops[0]));
                        memcpy(&to->ops[i], from.ops, from.n * sizeof(from.ops[0]));
                        to->n += from.n;
                        return drop_thread(p, thread);
                }
        return false;
}

static bool still(const struct program *p, enum mutation mutation, enum verdict verdict)
{
        return run_program(p, mutation) == verdict;
}

static bool shrink_threads(struct program *p, enum mutation mutation, enum verdict verdict)
{
        bool any = false;

        for (unsigned t = p->n_threads - 1; t >= 1; t--) {
                struct program less = *p;

                if (drop_thread(&less, t) && still(&less, mutation, verdict)) {
                        *p = less;
                        any = true;
                        continue;
                }
                less = *p;
                if (inline_thread(&less, t) && still(&less, mutation, verdict)) {
                        *p = less;
                        any = true;
                }
        }
        return any;
}

static bool shrink_ops(struct program *p, enum mutation mutation, enum verdict verdict)
{
        bool any = false;

        for (unsigned t = 0; t < p->n_threads; t++)
                for (unsigned i = p->threads[t].n; i-- > 0;) {
                        struct program less = *p;

                        drop_op(&less.threads[t], i);
                        if (still(&less, mutation, verdict)) {
                                *p = less;
                                any = true;
                        }
                }
        return any;
}

static bool shrink_args(struct program *p, enum mutation mutation, enum verdict verdict)
{
        bool any = false;

        for (unsigned t = 0; t < p->n_threads; t++)
                for (unsigned i = 0; i < p->threads[t].n; i++)
                        for (int a = 0; a < 3; a++) {
                                const enum arg *kinds = op_infos[p->threads[t].ops[i].kind].args;
                                struct program less = *p;

                                while (simplify(p, kinds[a], &less.threads[t].ops[i].arg[a]) &&
                                       still(&less, mutation, verdict)) {
                                        *p = less;
                                        any = true;
                                }
                        }
        return any;
}

void shrink(struct program *p, enum mutation mutation, enum verdict verdict)
{
        bool any;

        do {
                any = shrink_threads(p, mutation, verdict);
                any |= shrink_ops(p, mutation, verdict);
                any |= shrink_args(p, mutation, verdict);
        } while (any);
}
