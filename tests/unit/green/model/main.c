/*
 * tests/unit/green/model/main.c: random programs on the runtime, compared with the model step by step.
 *
 *      test-green-model                       the proof that differences are found, then some thousand
 * programs test-green-model --seconds N           for N seconds (also by MODEL_SECONDS=N), from a seed of
 * today test-green-model --seed N --count N    from this seed on test-green-model --program "main: ..." this
 * one, with its trace (--trace with a seed likewise) test-green-model --mutation NAME       with a model that
 * is wrong in this way
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "green/sanitizer.h"
#include "run.h"

enum { BATCH = 200, PROOF_MAX = 20000, SMALL = 8, ALL_TRIED = 20000, FEW = 200 };

struct options {
        uint64_t seed;
        unsigned long count;
        unsigned seconds;
        enum mutation mutation;
        const char *program;
        bool plain, trace;
};

/* Sanitizers and valgrind are slow at what programs do most: making hubs. */
static unsigned long default_count(void)
{
#if defined(WITH_TSAN)
        return 1500;
#elif defined(WITH_ASAN)
        return 5000;
#else
#ifdef HAVE_VALGRIND
        if (RUNNING_ON_VALGRIND)
                return FEW; /* and no proof: that takes thousands of processes */
#endif
        return ALL_TRIED;
#endif
}

static void print_trace(const struct program *p, enum verdict verdict)
{
        const struct trace *t = &outcome->trace;

        for (unsigned i = 0; i < t->n; i++) {
                if ((int)i == outcome->at && verdict == DIFFERS)
                        break;
                printf("  ");
                event_print(stdout, p, &t->events[i]);
                putchar('\n');
        }
        if (verdict == CRASHED) {
                puts("  here the process died, or hung; what was begun last:");
                for (unsigned i = 0; i < p->n_threads; i++) {
                        struct op op;

                        if (t->doing[i] < 0 || !program_op(p, i, (unsigned)t->doing[i], &op))
                                continue;
                        printf("    T%u: ", i);
                        op_print(stdout, &op);
                        putchar('\n');
                }
        } else if (verdict == DIFFERS) {
                printf("  model:   %s\n  runtime: ", outcome->expected);
                if (outcome->at < (int)t->n)
                        event_print(stdout, p, &t->events[outcome->at]);
                else
                        printf("nothing more");
                putchar('\n');
        }
}

/* While it shrinks, hundreds of processes may die of the same assertion. */
static void shrink_quietly(struct program *p, enum mutation mutation, enum verdict verdict)
{
        int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        dup2(null, STDERR_FILENO);
        shrink(p, mutation, verdict);
        dup2(err, STDERR_FILENO);
        close(err);
        close(null);
}

static void report(const struct options *opt, uint64_t seed, unsigned batch)
{
        struct program p;
        enum verdict verdict;

        program_generate(&p, seed);
        verdict = run_program(&p, opt->mutation);
        for (uint64_t s = seed > batch ? seed - batch : 0; verdict == FINE && s < seed + batch; s++) {
                program_generate(&p, s); /* a leak shows at the end of its process only */
                verdict = run_program(&p, opt->mutation);
        }
        if (verdict == FINE) {
                printf("seed %" PRIu64 " failed, but not alone: --seed %" PRIu64 " --count %u\n", seed,
                       seed - seed % BATCH, BATCH);
                return;
        }
        printf("seed %" PRIu64 " (%u operations) %s:\n  ", seed, program_size(&p),
               verdict == DIFFERS ? "differs from the model" : "kills the process");
        program_print(stdout, &p, "\n  ");
        putchar('\n');
        shrink_quietly(&p, opt->mutation, verdict);
        verdict = run_program(&p, opt->mutation);
        printf("shrunk to %u operations:\n  ", program_size(&p));
        program_print(stdout, &p, "\n  ");
        putchar('\n');
        print_trace(&p, verdict);
        printf("again: test-green-model --mutation %s --program '", mutation_names[opt->mutation]);
        program_print(stdout, &p, " | ");
        puts("'");
}

static int run_many(const struct options *opt)
{
        time_t end = opt->seconds ? time(NULL) + opt->seconds : 0;
        struct timespec from, to;
        uint64_t seed = opt->seed;

        clock_gettime(CLOCK_MONOTONIC, &from);
        while (end ? time(NULL) < end : seed < opt->seed + opt->count) {
                uint64_t left = opt->seed + opt->count - seed;
                unsigned n = end || left > BATCH ? BATCH : (unsigned)left;

                if (run_seeds(seed, n, opt->mutation) != FINE) {
                        report(opt, outcome->seed, n);
                        return EXIT_FAILURE;
                }
                seed += n;
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%lu programs from seed %" PRIu64
               " on, %lu steps, as the model says; %.0f programs a second\n",
               outcome->programs, opt->seed, outcome->events,
               (double)outcome->programs / ((double)(to.tv_sec - from.tv_sec) +
                                            (double)(to.tv_nsec - from.tv_nsec) / 1e9 + 1e-9));
        return EXIT_SUCCESS;
}

/* A test that compares nothing would pass as well: every operation must have been done, every end seen. */
static bool all_was_tried(void)
{
        static const char *const names[] = { "succeeded", "timed out", "been cancelled" };
        bool all = true;

        for (int kind = 0; kind < N_OPS; kind++) {
                bool waits = false;

                for (int i = 0; i < 3; i++)
                        waits |= op_infos[kind].args[i] == BY;
                for (int end = 0; end < (waits ? 3 : 1); end++)
                        if (outcome->ends[kind][end] == 0) {
                                printf("no \"%s\" has %s\n", op_infos[kind].text, names[end]);
                                all = false;
                        }
        }
        return all;
}

/* Found, and shrunk to a handful of operations; not each program can be, so it may take a few. */
static bool mutation_is_found(enum mutation mutation)
{
        struct program p;
        uint64_t seed = 1;
        unsigned was;

        do {
                while (run_seeds(seed, BATCH, mutation) == FINE)
                        if ((seed += BATCH) > PROOF_MAX) {
                                printf("%s: not found in %d programs\n", mutation_names[mutation], PROOF_MAX);
                                return false;
                        }
                seed = outcome->seed + 1;
                program_generate(&p, outcome->seed);
                was = program_size(&p);
                shrink(&p, mutation, DIFFERS);
        } while (program_size(&p) > SMALL);
        printf("%s: found in program %" PRIu64 ", shrunk from %u operations to %u: ",
               mutation_names[mutation], seed - 1, was, program_size(&p));
        program_print(stdout, &p, " | ");
        putchar('\n');
        if (run_program(&p, RIGHT) == FINE)
                return true;
        puts("  but that is wrong without the mutation, too");
        return false;
}

static int run_default(const struct options *opt)
{
        struct options own = *opt;

        for (enum mutation m = RIGHT + 1; m < N_MUTATIONS && default_count() > FEW; m++)
                if (!mutation_is_found(m))
                        return EXIT_FAILURE;
        memset(outcome, 0, sizeof(*outcome));
        own.seed = 1;
        own.count = default_count();
        if (run_many(&own) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        return own.count < ALL_TRIED || all_was_tried() ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_text(const struct options *opt)
{
        enum verdict verdict;
        struct program p;

        if (opt->program && !program_parse(&p, opt->program))
                return 2;
        if (!opt->program)
                program_generate(&p, opt->seed);
        program_print(stdout, &p, "\n");
        putchar('\n');
        verdict = run_program(&p, opt->mutation);
        print_trace(&p, verdict);
        return verdict == FINE ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool parse_options(struct options *opt, int argc, char **argv)
{
        static const struct option longs[] = {
                { "seed", required_argument, NULL, 's' },
                { "count", required_argument, NULL, 'c' },
                { "seconds", required_argument, NULL, 't' },
                { "program", required_argument, NULL, 'p' },
                { "mutation", required_argument, NULL, 'm' },
                { "trace", no_argument, NULL, 'v' },
                {},
        };
        const char *seconds = getenv("MODEL_SECONDS");
        int c;

        *opt = (struct options){ .plain = true, .count = default_count() };
        if (seconds && *seconds)
                opt->seconds = (unsigned)strtoul(seconds, NULL, 10);
        while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
                opt->plain = false;
                if (c == 's')
                        opt->seed = strtoull(optarg, NULL, 10);
                else if (c == 'c')
                        opt->count = strtoul(optarg, NULL, 10);
                else if (c == 't')
                        opt->seconds = (unsigned)strtoul(optarg, NULL, 10);
                else if (c == 'p')
                        opt->program = optarg;
                else if (c == 'v')
                        opt->trace = true;
                else if (c != 'm')
                        return false;
                if (c != 'm')
                        continue;
                while (opt->mutation < N_MUTATIONS && strcmp(mutation_names[opt->mutation], optarg) != 0)
                        opt->mutation++;
                if (opt->mutation == N_MUTATIONS) {
                        fprintf(stderr, "there is no mutation \"%s\"\n", optarg);
                        return false;
                }
        }
        if (opt->seconds && !opt->seed)
                opt->seed = (uint64_t)time(NULL) * 1000003;
        return optind == argc;
}

int main(int argc, char **argv)
{
        struct options opt;

        if (!parse_options(&opt, argc, argv)) {
                fprintf(stderr,
                        "usage: %s [--seed N] [--count N] [--seconds N] [--mutation NAME] [--trace]"
                        " [--program TEXT]\n",
                        argv[0]);
                return 2;
        }
        run_prepare();
        if (opt.program || opt.trace)
                return run_text(&opt);
        return opt.plain && !opt.seconds ? run_default(&opt) : run_many(&opt);
}
