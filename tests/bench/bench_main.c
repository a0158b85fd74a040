/* tests/bench/bench_main.c: bench NAME...: runs them in this process and prints "name value unit" each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

double bench_cpu_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

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

static const struct bench *const tables[] = { green_benches, native_benches, sql_benches };

static int run_one(void *arg, struct error *err)
{
        const char *name = arg;

        assert_green();
        for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
                for (const struct bench *b = tables[t]; b->name; b++)
                        if (strcmp(b->name, name) == 0) {
                                printf("%s %.1f %s\n", b->name, b->run(), b->unit);
                                return 0;
                        }
        return error_set(err, ERR_NOT_FOUND, "there is no benchmark %s", name);
}

int main(int argc, char **argv)
{
        struct error err;

        for (int i = 1; i < argc; i++)
                if (hub_run(run_one, argv[i], NULL, &err) < 0)
                        bench_fail(&err);
        return 0;
}
