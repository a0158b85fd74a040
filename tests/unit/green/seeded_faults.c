/*
 * tests/unit/green/seeded_faults.c: seeded-faults NAME: makes one mistake on green threads, which a sanitizer
 * or valgrind must find although it is told of our stacks only by the runtime. "clean" is what must not be
 * found.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "green/green.h"

static volatile int sink;
static int *volatile kept; /* where the compiler cannot follow */
static int shared, published;

static __attribute__((noinline)) void keep_a_local(void)
{
        int local = 7;

        kept = &local;
        sink = *kept;
}

static int use_after_return(void *arg, struct error *err)
{
        assert_green();
        keep_a_local();
        green_yield();
        sink = *kept;
        return 0;
}

static int free_what_is_kept(void *arg, struct error *err)
{
        assert_green();
        free(kept);
        return 0;
}

static int use_after_free(void *arg, struct error *err)
{
        assert_green();
        kept = malloc(4 * sizeof(*kept));
        if (green_spawn(NULL, "freer", free_what_is_kept, NULL, err) < 0)
                return -1;
        green_yield();
        sink = kept[2];
        return 0;
}

static int overflow_by_one(void *arg, struct error *err)
{
        int numbers[8] = { 1, 2, 3 };

        assert_green();
        kept = numbers;
        green_yield();
        kept[8] = 1;
        sink = numbers[0];
        return 0;
}

static int heap_overflow_by_one(void *arg, struct error *err)
{
        assert_green();
        kept = malloc(8 * sizeof(*kept));
        green_yield();
        kept[8] = 1;
        free(kept);
        return 0;
}

static int use_uninitialised(void *arg, struct error *err)
{
        int numbers[8];

        assert_green();
        kept = numbers;
        green_yield();
        if (kept[5] == 3)
                sink = 1;
        return 0;
}

static int lose_memory(void *arg, struct error *err)
{
        assert_green();
        kept = malloc(1000);
        green_yield();
        kept = NULL;
        return 0;
}

static void *count_natively(void *arg)
{
        shared++;
        __atomic_store_n(&published, 1, *(bool *)arg ? __ATOMIC_RELEASE : __ATOMIC_RELAXED);
        return NULL;
}

/* Whether they are ordered is all that differs: what is counted comes out right in both. */
static int YIELDS count_with_a_native_thread(bool ordered, struct error *err)
{
        pthread_t thread;
        int r = pthread_create(&thread, NULL, count_natively, &ordered);

        if (r)
                return error_system(err, r, "starting a native thread");
        while (!__atomic_load_n(&published, ordered ? __ATOMIC_ACQUIRE : __ATOMIC_RELAXED))
                green_yield();
        shared++;
        pthread_join(thread, NULL);
        return 0;
}

static int race(void *arg, struct error *err)
{
        assert_green();
        return count_with_a_native_thread(false, err);
}

static int count_in_turns(void *arg, struct error *err)
{
        assert_green();
        for (int i = 0; i < 100; i++) {
                int numbers[16] = { shared };

                kept = numbers;
                green_yield();
                shared += numbers[1] + 1;
        }
        return 0;
}

static int make_no_mistake(void *arg, struct error *err)
{
        assert_green();
        for (int i = 0; i < 20; i++)
                if (green_spawn(NULL, "counter", count_in_turns, NULL, err) < 0)
                        return -1;
        if (green_sleep(0.01, err) < 0)
                return -1;
        return count_with_a_native_thread(true, err);
}

static const struct {
        const char *name;
        green_fn *fn;
} faults[] = {
        { "use-after-return", use_after_return },
        { "use-after-free", use_after_free },
        { "overflow-by-one", overflow_by_one },
        { "heap-overflow-by-one", heap_overflow_by_one },
        { "uninitialised", use_uninitialised },
        { "leak", lose_memory },
        { "race", race },
        { "clean", make_no_mistake },
        {},
};

static int run_in_green(void *arg, struct error *err)
{
        struct error failed;
        struct green *g;

        assert_green();
        for (int i = 0; faults[i].name; i++) {
                if (strcmp(faults[i].name, arg) != 0)
                        continue;
                g = green_spawn_ref(NULL, "mistaken", faults[i].fn, NULL, err);
                if (!g || green_join(g, deadline_never(), &failed, err) < 0)
                        return -1;
                green_unref(g);
                return failed.code ? error_set(err, failed.code, "%s", failed.text) : 0;
        }
        return error_set(err, ERR_NOT_FOUND, "there is no fault %s", (char *)arg);
}

int main(int argc, char **argv)
{
        struct error err;

        if (argc == 2 && hub_run(run_in_green, argv[1], NULL, &err) == 0)
                return 0;
        fprintf(stderr, "seeded-faults: %s\n", argc == 2 ? err.text : "usage: seeded-faults NAME");
        return 2;
}
