/* tests/bench/bench_main.c: bench WORK [COUNT]: runs it on a hub. Exit status 64: there is no such work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { MAX_THREADS = 1100000, NO_SUCH_WORK = 64 };

long bench_threads;

void bench_fail(const struct error *err)
{
        fprintf(stderr, "bench: %s\n", err->text);
        exit(EXIT_FAILURE);
}

void bench_start(struct green_group *in, green_fn *fn, void *arg)
{
        struct error err;

        if (green_spawn(in, "bench", fn, arg, &err) < 0)
                bench_fail(&err);
}

void bench_finish(struct green_group *g)
{
        struct error err;

        if (green_group_wait(g, deadline_never(), &err) < 0)
                bench_fail(&err);
        green_group_close(g);
}

static const struct bench *find(const char *name)
{
        static const struct bench *const tables[] = { green_benches, sleep_benches, native_benches,
                                                      sql_benches,   echo_benches,  growth_benches,
                                                      file_benches };

        for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
                for (const struct bench *b = tables[t]; b->name; b++)
                        if (strcmp(b->name, name) == 0)
                                return b;
        return NULL;
}

static int run(void *arg, struct error *err)
{
        const struct bench *b = arg;

        assert_green();
        b->run();
        return 0;
}

int main(int argc, char **argv)
{
        const struct bench *b = argc >= 2 ? find(argv[1]) : NULL;
        struct hub_options opt = { .max_threads = MAX_THREADS };
        struct error err;

        if (!b) {
                fprintf(stderr, "bench: no such work\n");
                return NO_SUCH_WORK;
        }
        measure_limit();
        if (argc >= 3)
                bench_threads = strtol(argv[2], NULL, 10);
        if (hub_run(run, (void *)b, &opt, &err) < 0)
                bench_fail(&err);
        return 0;
}
