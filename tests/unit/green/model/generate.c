/*
 * tests/unit/green/model/generate.c: random programs.
 *
 * Each program draws from a few families of operations only, half of them from one object of each kind, so
 * that what it does meets often; times come from a short list, so that deadlines coincide.
 */
#include "program.h"

struct random {
        uint64_t state;
        enum family focus; /* half of the operations are of this one */
        bool narrow;       /* one object of each kind: that crowds */
};

static uint64_t next(struct random *r) /* splitmix64 */
{
        uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

static int below(struct random *r, int n)
{
        return (int)(next(r) % (uint64_t)n);
}

static int random_arg(struct random *r, enum arg kind, unsigned n_threads)
{
        static const int by[] = { BY_NEVER, BY_NEVER, BY_NEVER, BY_NOW, 1, 2, 3, 5, 10 };
        static const int ms[] = { 0, 1, 1, 2, 3, 5, 10 };
        int min, max;

        if (kind == BY)
                return by[below(r, sizeof(by) / sizeof(by[0]))];
        if (kind == MS || kind == AT)
                return ms[below(r, sizeof(ms) / sizeof(ms[0]))];
        arg_range(kind, n_threads, &min, &max);
        if (r->narrow && (kind == MUTEX || kind == SEM || kind == EVENT || kind == COND || kind == CHAN ||
                          kind == POOL || kind == NAME))
                return (int)n_threads % (max + 1);
        return min + below(r, max - min + 1);
}

static struct op random_op(struct random *r, unsigned families, unsigned n_threads)
{
        struct op op = {};

        if (below(r, 2))
                families = 1u << r->focus;
        do
                op.kind = (enum op_kind)below(r, N_OPS);
        while (op_infos[op.kind].family == NO_FAMILY || !(families & 1u << op_infos[op.kind].family) ||
               (op.kind == OP_FAIL && below(r, 4)) ||
               ((op.kind == OP_CHAN_CLOSE || op.kind == OP_QUEUE_CLOSE) && below(r, 4)));
        for (int i = 0; i < 3 && op_infos[op.kind].args[i] != NONE; i++)
                op.arg[i] = random_arg(r, op_infos[op.kind].args[i], n_threads);
        return op;
}

void program_generate(struct program *ret, uint64_t seed)
{
        struct random r = { .state = seed };
        unsigned families = 1u << TIME | 1u << THREADS | (below(&r, 3) ? 1u << CANCELS : 0);
        struct body *first = &ret->threads[0];

        *ret = (struct program){ .n_threads = 2 + (unsigned)below(&r, MAX_THREADS - 1) };
        r.narrow = below(&r, 2);
        r.focus = (enum family)below(&r, N_FAMILIES);
        families |= 1u << r.focus;
        for (int n = below(&r, 4); n > 0; n--)
                families |= 1u << below(&r, N_FAMILIES);
        for (unsigned t = 1; t < ret->n_threads; t++)
                if (below(&r, 12) < (families & 1u << POOLS ? 5 : 9)) /* pools need some to start */
                        first->ops[first->n++] =
                                (struct op){ OP_SPAWN, { (int)t, random_arg(&r, GROUP, ret->n_threads) } };
        for (unsigned t = 0; t < ret->n_threads; t++) {
                struct body *body = &ret->threads[t];
                unsigned n = body->n + 1 + (unsigned)below(&r, 8);

                while (body->n < n && body->n < MAX_OPS)
                        body->ops[body->n++] = random_op(&r, families, ret->n_threads);
        }
}
