/*
 * tests/unit/green/model/trace.h: what happened when a program ran: who ended which operation, how, and when.
 */
#pragma once

#include "program.h"

enum event_kind {
        STARTED,  /* first event of each thread */
        DONE,     /* operation `op` has returned */
        FINISHED, /* the thread lets go of what it held and returns */
};

/* Results beyond enum error_code. */
enum { SKIPPED = -1, NOT_NOW = -2 /* a try that got nothing */ };

struct event {
        unsigned who, op;
        enum event_kind kind;
        int code, value;
        int64_t at_ns; /* since the program's start */
};

enum { MAX_EVENTS = MAX_THREADS * (MAX_OPS + 2) + 8, NOT_STARTED = -1 };

struct trace {
        unsigned n;
        int doing[MAX_THREADS]; /* operation that was begun last: tells where a crash or a hang was */
        struct event events[MAX_EVENTS];
};

/* What FAIL leaves for who joins. */
#define FAIL_MARK(thread) (77 + (int)(thread))
/* The item that operation `op` of `thread` sends. */
#define ITEM_OF(thread, op) (100 * (int)(thread) + (int)(op) + 1)
/* The value of a pop: up to POP_MAX items. */
static inline int pop_value(const int *items, int n)
{
        int value = n;

        for (int i = 0; i < n; i++)
                value = value * 1000 + items[i];
        return value;
}
enum { POP_OVERFLOW = 999 };

void event_print(FILE *to, const struct program *p, const struct event *e);

/* interpret.c: runs the program on the real runtime, with a hub of its own and the fake clock. */
void interpret(const struct program *p, struct trace *trace);

/* The ways in which the model can be made wrong on purpose: proof that a difference would be found. */
enum mutation { RIGHT, LIFO_WAKE, LOST_CANCEL, FORGOTTEN_OVERFLOW, EARLY_YIELD, DEAF_CHANNEL, N_MUTATIONS };
extern const char *const mutation_names[N_MUTATIONS];

/*
 * check.c: follows the trace with the model. -1: all of it is as it must be. Else the number of the first
 * event that is not (trace->n: one is missing), and what the model says instead.
 */
enum { EXPECTED_MAX = 512 };
int check_trace(const struct program *p, const struct trace *trace, enum mutation mutation,
                char expected[EXPECTED_MAX]);
