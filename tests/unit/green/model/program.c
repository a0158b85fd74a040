/* tests/unit/green/model/program.c: the table of operations, and programs as text. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define OPERATION_INFO(kind, text, family, a, b, c) [kind] = { text, family, { a, b, c } },
const struct op_info op_infos[N_OPS] = { OPERATIONS(OPERATION_INFO) };

static const struct {
        const char *prefix, *suffix;
        int min, max;
} args[] = {
        [MUTEX] = { "M", "", 0, N_MUTEX - 1 },
        [SEM] = { "S", "", 0, N_SEM - 1 },
        [EVENT] = { "E", "", 0, N_EVENT - 1 },
        [COND] = { "C", "", 0, N_COND - 1 },
        [CHAN] = { "Q", "", 0, N_CHAN - 1 },
        [THREAD] = { "T", "", 1, MAX_THREADS - 1 },
        [GROUP] = { "G", "", -1, N_GROUP - 1 },
        [POOL] = { "P", "", 0, N_POOL - 1 },
        [NAME] = { "L", "", 0, N_NAME - 1 },
        [FD] = { "F", "", 0, N_FD - 1 },
        [PAIR] = { "D", "", 0, N_FD / 2 - 1 },
        [BY] = { "", "ms", BY_NEVER, 1000000 },
        [MS] = { "", "ms", 0, 1000000 },
        [AT] = { "at", "ms", 0, 1000000 },
        [EVENTS] = { "", "", 1, 3 },
};

void arg_range(enum arg kind, unsigned n_threads, int *ret_min, int *ret_max)
{
        *ret_min = args[kind].min;
        *ret_max = kind == THREAD ? (int)n_threads - 1 : args[kind].max;
}

int op_by(const struct op *op, bool in_shield)
{
        for (int i = 0; i < 3; i++)
                if (op_infos[op->kind].args[i] == BY)
                        return in_shield && op->arg[i] == BY_NEVER ? IN_SHIELD_MS : op->arg[i];
        return BY_NEVER;
}

bool program_op(const struct program *p, unsigned thread, unsigned i, struct op *ret)
{
        static const struct op end[] = {
                { OP_SLEEP_UNTIL, { (int)REST_MS } },
                { OP_CANCEL_ALL, {} },
                { OP_WAIT_ALL, {} },
        };
        const struct body *body = &p->threads[thread];

        if (i < body->n)
                *ret = body->ops[i];
        else if (thread == 0 && i - body->n < sizeof(end) / sizeof(end[0]))
                *ret = end[i - body->n];
        else
                return false;
        return true;
}

unsigned program_size(const struct program *p)
{
        unsigned n = 0;

        for (unsigned t = 0; t < p->n_threads; t++)
                n += p->threads[t].n;
        return n;
}

/* ---- text ---- */

static void print_arg(FILE *to, enum arg kind, int value)
{
        if (kind == BY && value <= 0)
                fprintf(to, " %s", value < 0 ? "never" : "now");
        else if (kind == GROUP && value < 0)
                fprintf(to, " root");
        else if (kind == EVENTS)
                fprintf(to, " %s%s", value & 1 ? "r" : "", value & 2 ? "w" : "");
        else
                fprintf(to, " %s%d%s", args[kind].prefix, value, args[kind].suffix);
}

void op_print(FILE *to, const struct op *op)
{
        const struct op_info *info = &op_infos[op->kind];

        fputs(info->text, to);
        for (int i = 0; i < 3 && info->args[i] != NONE; i++)
                print_arg(to, info->args[i], op->arg[i]);
}

void program_print(FILE *to, const struct program *p, const char *between_threads)
{
        for (unsigned t = 0; t < p->n_threads; t++) {
                if (t == 0)
                        fputs("main:", to);
                else
                        fprintf(to, "%sT%u:", between_threads, t);
                for (unsigned i = 0; i < p->threads[t].n; i++) {
                        fputs(i ? "; " : " ", to);
                        op_print(to, &p->threads[t].ops[i]);
                }
        }
}

static bool parse_arg(enum arg kind, const char *word, unsigned n_threads, int *ret)
{
        int min, max;
        char *end;
        long n;

        arg_range(kind, n_threads, &min, &max);
        if (kind == EVENTS) {
                *ret = (strchr(word, 'r') ? 1 : 0) | (strchr(word, 'w') ? 2 : 0);
                return *ret && strspn(word, "rw") == strlen(word);
        }
        if (kind == BY && (strcmp(word, "never") == 0 || strcmp(word, "now") == 0)) {
                *ret = word[2] == 'v' ? BY_NEVER : BY_NOW;
                return true;
        }
        if (kind == GROUP && strcmp(word, "root") == 0) {
                *ret = -1;
                return true;
        }
        if (strncmp(word, args[kind].prefix, strlen(args[kind].prefix)) != 0)
                return false;
        n = strtol(word + strlen(args[kind].prefix), &end, 10);
        *ret = (int)n;
        return strcmp(end, args[kind].suffix) == 0 && n >= min && n <= max;
}

static bool parse_op(struct op *op, char *text, unsigned n_threads)
{
        char *rest = NULL, *word = strtok_r(text, " ", &rest);

        *op = (struct op){};
        while (op->kind < N_OPS && strcmp(word, op_infos[op->kind].text) != 0)
                op->kind++;
        if (op->kind == N_OPS || op_infos[op->kind].family == NO_FAMILY) {
                fprintf(stderr, "there is no operation \"%s\"\n", word);
                return false;
        }
        for (int i = 0; i < 3 && op_infos[op->kind].args[i] != NONE; i++) {
                const char *arg = strtok_r(NULL, " ", &rest);

                if (!arg || !parse_arg(op_infos[op->kind].args[i], arg, n_threads, &op->arg[i])) {
                        fprintf(stderr, "%s: argument %d must not be \"%s\"\n", word, i + 1, arg ? arg : "");
                        return false;
                }
        }
        return true;
}

static bool parse_body(struct body *body, char *text, unsigned thread, unsigned n_threads)
{
        char *rest = NULL, *colon = strchr(text, ':');

        if (!colon) {
                fprintf(stderr, "thread %u: no \":\"\n", thread);
                return false;
        }
        for (char *op = strtok_r(colon + 1, ";", &rest); op; op = strtok_r(NULL, ";", &rest)) {
                if (op[strspn(op, " \n")] == '\0')
                        continue;
                if (body->n == MAX_OPS) {
                        fprintf(stderr, "thread %u: more than %d operations\n", thread, MAX_OPS);
                        return false;
                }
                if (!parse_op(&body->ops[body->n++], op, n_threads))
                        return false;
        }
        return true;
}

bool program_parse(struct program *ret, const char *text)
{
        char *copy = strdup(text), *rest = NULL;
        bool ok = copy != NULL;

        *ret = (struct program){ .n_threads = 1 };
        for (const char *c = text; *c; c++)
                ret->n_threads += *c == '|';
        if (ret->n_threads > MAX_THREADS) {
                fprintf(stderr, "more than %d threads\n", MAX_THREADS);
                ok = false;
        }
        for (unsigned t = 0; ok && t < ret->n_threads; t++) {
                char *body = strtok_r(t ? NULL : copy, "|", &rest);

                ok = body && parse_body(&ret->threads[t], body, t, ret->n_threads);
        }
        free(copy);
        return ok;
}
