/* tests/unit/green/model/run.c: programs in processes of their own. */
#include "run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

enum { HANG_S = 30 }; /* a program takes no time: its clock is not the machine's */

struct outcome *outcome;

void run_prepare(void)
{
        outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (outcome == MAP_FAILED) {
                perror("mmap");
                exit(EXIT_FAILURE);
        }
}

static void count_ends(const struct program *p)
{
        for (unsigned i = 0; i < outcome->trace.n; i++) {
                const struct event *e = &outcome->trace.events[i];
                struct op op;

                if (e->kind != DONE || e->code < 0 || !program_op(p, e->who, e->op, &op))
                        continue;
                outcome->ends[op.kind][e->code == 0               ? 0
                                       : e->code == ERR_TIMEOUT   ? 1
                                       : e->code == ERR_CANCELLED ? 2
                                                                  : 3]++;
        }
        outcome->programs++;
        outcome->events += outcome->trace.n;
}

static bool is_fine(const struct program *p, enum mutation mutation)
{
        alarm(HANG_S);
        outcome->at = -1;
        interpret(p, &outcome->trace);
        outcome->at = check_trace(p, &outcome->trace, mutation, outcome->expected);
        if (outcome->at < 0)
                count_ends(p);
        return outcome->at < 0;
}

/* 0 in the child. In the parent, when the child has ended: 1, and the verdict. */
static int split(enum verdict *ret)
{
        int status;
        pid_t pid;

        fflush(stdout);
        fflush(stderr);
        pid = fork();
        if (pid == 0)
                return 0;
        if (pid < 0 || waitpid(pid, &status, 0) < 0) {
                perror("fork");
                exit(EXIT_FAILURE);
        }
        *ret = status == 0 ? FINE : WIFEXITED(status) && outcome->at >= 0 ? DIFFERS : CRASHED;
        return 1;
}

enum verdict run_program(const struct program *p, enum mutation mutation)
{
        enum verdict verdict;

        if (!split(&verdict))
                exit(is_fine(p, mutation) ? EXIT_SUCCESS
                                          : EXIT_FAILURE); /* LeakSanitizer looks at the exit */
        return verdict;
}

enum verdict run_seeds(uint64_t first, unsigned n, enum mutation mutation)
{
        enum verdict verdict;
        struct program p;

        if (split(&verdict))
                return verdict;
        for (unsigned i = 0; i < n; i++) {
                outcome->seed = first + i;
                program_generate(&p, first + i);
                if (!is_fine(&p, mutation))
                        exit(EXIT_FAILURE);
        }
        exit(EXIT_SUCCESS);
}
