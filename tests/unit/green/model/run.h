/* tests/unit/green/model/run.h: programs in processes of their own, so that a crash or a hang is a finding.
 */
#pragma once

#include "trace.h"

enum verdict { FINE, DIFFERS, CRASHED };

/* Shared with the process that runs programs: what it has left when it died. */
struct outcome {
        uint64_t seed; /* of the program it was at */
        int at;        /* the first event that differs */
        char expected[EXPECTED_MAX];
        struct trace trace;
        unsigned long programs, events;
        unsigned long ends[N_OPS][4]; /* how operations ended: ok, timed out, cancelled, other errors */
};
extern struct outcome *outcome;

void run_prepare(void);
/* One program. */
enum verdict run_program(const struct program *p, enum mutation mutation);
/* The programs of n seeds, up to the first that is not fine. */
enum verdict run_seeds(uint64_t first, unsigned n, enum mutation mutation);

/* shrink.c: the smallest program found that gives the same verdict. */
void shrink(struct program *p, enum mutation mutation, enum verdict verdict);
