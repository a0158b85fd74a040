/* tests/unit/green/test_stack.c: guards, slabs, recycling, and how deep threads went. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/list.h"
#include "green/sanitizer.h"
#include "green/stack.h"
#include "green/sync.h"
#include "green_test.h"

#if defined(WITH_ASAN) || defined(WITH_TSAN)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

enum { RECORD = 512, STACK = 64 * 1024 };

/* As the kernel sees it, without touching it. */
static bool is_accessible(const void *p)
{
        int fds[2];
        bool ok;

        ck_assert_int_eq(pipe(fds), 0);
        ok = write(fds[1], p, 1) == 1;
        close(fds[0]);
        close(fds[1]);
        return ok;
}

static unsigned mappings(void)
{
        FILE *f = fopen("/proc/self/maps", "re");
        unsigned n = 0;
        int c;

        ck_assert_ptr_nonnull(f);
        while ((c = getc(f)) != EOF)
                n += c == '\n';
        fclose(f);
        return n;
}

static struct stack_record *get(struct stack_pool *p)
{
        struct error err;
        struct stack_record *r = stack_get(p, &err);

        ck_assert_msg(r != NULL, "%s", err.text);
        return r;
}

static void check_guards(bool only_mprotect, const char *kind)
{
        enum { N = 100 };
        static struct stack_record *records[N];
        static struct stack_pool p;

        stack_pool_init(&p, STACK, RECORD, only_mprotect);
        for (int i = 0; i < N; i++) {
                records[i] = get(&p);
                ck_assert(is_accessible(records[i]->low));
                ck_assert(!is_accessible(records[i]->low - 1));
                ck_assert(!is_accessible(records[i]->low - p.page));
                ck_assert(is_accessible((unsigned char *)records[i] + RECORD - 1));
        }
        if (kind)
                ck_assert_str_eq(guard_kind(&p.guards), kind);
        ck_assert_uint_eq(p.guards.installed, N);
        ck_assert_uint_eq(p.guards.by_mprotect, strcmp(guard_kind(&p.guards), "mprotect") == 0 ? N : 0);
        for (int i = 0; i < N; i++)
                stack_put(&p, records[i], "test");
        stack_pool_free(&p);
}

START_TEST(each_stack_has_a_guard)
{
        check_guards(false, NULL);
}
END_TEST

START_TEST(each_stack_has_a_guard_on_older_kernels)
{
        check_guards(true, "mprotect");
}
END_TEST

START_TEST(locked_memory_takes_guards_by_mprotect)
{
        if (SANITIZED || RUNNING_ON_VALGRIND || mlockall(MCL_FUTURE) < 0)
                return; /* it locks terabytes of theirs, or we may not */
        check_guards(false, "mprotect");
}
END_TEST

START_TEST(memory_locked_later_takes_guards_by_mprotect)
{
        static struct stack_pool p;
        struct stack_record *r;
        unsigned before;

        if (SANITIZED || RUNNING_ON_VALGRIND)
                return;
        stack_pool_init(&p, STACK, RECORD, false);
        stack_put(&p, get(&p), "test");
        before = p.guards.by_mprotect;
        if (mlockall(MCL_CURRENT) == 0) {
                get(&p);
                r = get(&p); /* of the same slab, now locked */
                ck_assert(!is_accessible(r->low - 1));
                ck_assert_uint_eq(p.guards.by_mprotect, before + 1);
        }
        stack_pool_free(&p);
}
END_TEST

START_TEST(guards_leave_mappings_to_the_rest_of_the_process)
{
        ck_assert_uint_eq(guard_budget(65530, 130), 28604);
        ck_assert_uint_eq(guard_budget(65530, 65530), 0);
        ck_assert_uint_eq(guard_budget(65530, 70000), 0);
        ck_assert_uint_eq(guard_budget(0, 100), 0);
        ck_assert_uint_gt(guard_budget(1048576, 200), 450000);
}
END_TEST

START_TEST(without_mappings_for_guards_a_stack_is_refused_and_counted)
{
        static struct stack_pool p, other;
        struct error err;
        unsigned n = 0;

        if (SANITIZED || RUNNING_ON_VALGRIND)
                return; /* minutes */
        stack_pool_init(&p, STACK, RECORD, true);
        stack_pool_init(&other, STACK, RECORD, true);
        while (n < 1000000 && stack_get(&p, &err))
                n++;
        ck_assert_uint_gt(n, 1000);
        if (n == 1000000)
                return; /* a machine that allows that many */
        ck_assert_int_eq(err.code, ERR_LIMIT);
        ck_assert_ptr_nonnull(strstr(err.text, "vm.max_map_count"));
        ck_assert_uint_eq(p.guards.by_mprotect, n);
        ck_assert_uint_eq(p.refused, 1);
        ck_assert_ptr_null(stack_get(&other, &err)); /* the mappings are the process's */
        ck_assert_int_eq(err.code, ERR_LIMIT);
        ck_assert_ptr_ne(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
        stack_pool_free(&p);
        get(&other);
        stack_pool_free(&other);
}
END_TEST

START_TEST(many_stacks_take_few_mappings)
{
        static struct stack_pool p;
        unsigned before;

        if (SANITIZED || RUNNING_ON_VALGRIND)
                return;
        stack_pool_init(&p, STACK, RECORD, false);
        get(&p);
        if (strcmp(guard_kind(&p.guards), "mprotect") == 0)
                return;
        before = mappings();
        for (int i = 0; i < 50000; i++)
                get(&p);
        ck_assert_uint_le(mappings() - before, 60); /* slabs of 1,024, if the kernel merges none of them */
        stack_pool_free(&p);
}
END_TEST

START_TEST(trimmed_stacks_have_no_memory_but_still_their_guards)
{
        enum { N = 1000 };
        static struct stack_record *records[N];
        static struct stack_pool p;
        size_t touched = 0;

        stack_pool_init(&p, STACK, RECORD, false);
        for (int i = 0; i < N; i++) {
                records[i] = get(&p);
                memset((unsigned char *)records[i] - 100, 1, 100);
        }
        for (int i = 0; i < N; i++)
                stack_put(&p, records[i], "test");
        ck_assert_uint_eq(p.cached, N);
        ck_assert(stack_pool_trim(&p, 100));
        ck_assert_uint_eq(p.cached, N - 100);
        ck_assert(stack_pool_trim(&p, N));
        ck_assert_uint_eq(p.cached, STACK_CACHE_MIN);
        ck_assert_uint_eq(p.cached_min, 0);
        ck_assert_uint_eq(p.n_cold, N - STACK_CACHE_MIN);
        for (size_t i = 0; i < p.n_cold; i++) {
                unsigned char there = 0;

                ck_assert(!is_accessible(p.cold[i]));
                ck_assert_int_eq(mincore(p.cold[i] + p.size - p.page, p.page, &there), 0);
                touched += there & 1;
        }
        ck_assert_uint_eq(touched, 0);
        for (int i = 0; i < N; i++) {
                records[i] = get(&p);
                ck_assert(is_accessible(records[i]->low));
        }
        ck_assert_uint_eq(p.guards.installed, N); /* none was made anew */
        for (int i = 0; i < N; i++)
                stack_put(&p, records[i], "test");
        stack_pool_free(&p);
}
END_TEST

START_TEST(kinds_are_names_without_numbers_and_ids)
{
        static struct stack_pool p;
        static const char *const names[][2] = {
                { "heartbeat", "heartbeat" },
                { "worker-17", "worker-*" },
                { "build 0c544fd1-a3d8-4f2c-9a3e-8e5f7f6d3b11", "build *" },
                { "2 of 3 dead", "* of * dead" },
                { "facade-decade-deed-face", "facade-decade-deed-face" },
                { "", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                ck_assert_str_eq(stack_kind_note(&p, names[i][0], 0, true)->name, names[i][1]);
        ck_assert_uint_eq(p.n_kinds, ARRAY_SIZE(names));
        ck_assert_uint_eq(stack_kind_note(&p, "worker-3", 8192, true)->threads, 2);
        ck_assert_uint_eq(stack_kind_note(&p, "worker-5", 4096, false)->most, 8192);
        stack_pool_free(&p);
}
END_TEST

START_TEST(more_kinds_than_the_table_has_are_others)
{
        static struct stack_pool p;
        char name[STACK_NAME_MAX] = "";

        for (int i = 0; i < 1000; i++) {
                for (int bit = 0; bit < 10; bit++)
                        name[bit] = i >> bit & 1 ? 'x' : 'y';
                stack_kind_note(&p, name, 4096, true);
        }
        ck_assert_uint_eq(p.n_kinds, STACK_KINDS_MAX);
        ck_assert_str_eq(p.kinds[STACK_KINDS_MAX - 1].name, "(others)");
        ck_assert_uint_eq(p.kinds[STACK_KINDS_MAX - 1].threads, 1000 - (STACK_KINDS_MAX - 1));
        stack_pool_free(&p);
}
END_TEST

static __attribute__((noinline)) int go_down(size_t bytes)
{
        char frame[1024];
        int r = 1;

        memset(frame, 1, sizeof(frame));
        if (bytes > sizeof(frame))
                r = go_down(bytes - sizeof(frame));
        __asm__ volatile("" ::"r"(frame) : "memory"); /* it was needed until here: no loop in its place */
        return r;
}

static int go_deep(void *arg, struct error *err)
{
        assert_green();
        return go_down((uintptr_t)arg) > 0 ? 0 : -1;
}

struct depths {
        const char *name;
        size_t most;
        unsigned long threads;
        bool found;
};

static void find_kind(const struct green_stack_use *use, void *arg)
{
        struct depths *d = arg;

        if (strcmp(use->name, d->name) != 0)
                return;
        d->found = true;
        d->most = use->most;
        d->threads = use->threads;
}

static struct depths HUB_ONLY depths_of(const char *name)
{
        struct depths d = { .name = name };

        green_stack_usage(find_kind, &d);
        return d;
}

/* Frames of sanitizers are larger, and some live elsewhere. */
static bool is_about(size_t touched, size_t bytes)
{
        return touched >= bytes / (SANITIZED ? 4 : 1) && touched <= (SANITIZED ? 8 : 1) * (bytes + 8192);
}

static int park(void *arg, struct error *err)
{
        assert_green();
        go_down((uintptr_t)arg);
        green_sleep(1000, err);
        return 0;
}

GREEN_TEST(the_deepest_thread_of_a_name_is_known_and_gives_its_pages_back)
{
        struct error err;
        struct depths d;

        for (int i = 0; i < 3; i++) {
                char name[32];

                snprintf(name, sizeof(name), "deep-%d", i);
                ck_assert_ok(green_spawn(NULL, name, go_deep, (void *)(uintptr_t)(40 * 1024), &err), err);
                ck_assert_ok(green_spawn(NULL, "flat", go_deep, (void *)(uintptr_t)1, &err), err);
                ck_assert_ok(green_spawn(NULL, "parked", park, (void *)(uintptr_t)(24 * 1024), &err), err);
                green_yield();
        }
        d = depths_of("deep-*");
        ck_assert(d.found);
        ck_assert_uint_eq(d.threads, 3);
        ck_assert_msg(is_about(d.most, 40 * 1024), "%zu", d.most);
        d = depths_of("flat");
        ck_assert(d.found);
        ck_assert(d.most < 16 * 1024);
        d = depths_of("parked");
        ck_assert_uint_eq(d.threads, 3);
        ck_assert_msg(is_about(d.most, 24 * 1024), "%zu", d.most);
        ck_assert_uint_eq(depths_of("parked").threads, 3);
}

static void find_touched(const struct green_info *info, struct green *g, void *arg)
{
        struct depths *d = arg;

        if (strcmp(info->name, d->name) == 0)
                d->most = info->stack_touched;
}

GREEN_TEST(who_comes_after_a_deep_thread_is_not_taken_for_deep)
{
        struct depths d = { .name = "after" };
        struct error err;

        for (int i = 0; i < 300; i++) { /* more than are looked at in any case */
                ck_assert_ok(green_spawn(NULL, "deep", go_deep, (void *)(uintptr_t)(40 * 1024), &err), err);
                green_yield();
        }
        ck_assert_ok(green_spawn(NULL, "after", park, (void *)(uintptr_t)1, &err), err);
        green_yield();
        green_foreach(find_touched, &d);
        ck_assert_uint_gt(d.most, 0);
        ck_assert_uint_le(d.most, 16 * 1024);
        ck_assert_uint_le(depths_of("after").most, 16 * 1024);
        d.name = "main";
        green_foreach(find_touched, &d);
        ck_assert_uint_eq(d.most, 0);
}

GREEN_TEST_REAL(after_a_burst_an_idle_hub_gives_stacks_back)
{
        struct green_group *group = green_group_new("burst");
        enum { N = SANITIZED ? 400 : 1500 };
        struct hub_stats stats;
        struct error err;

        for (int i = 0; i < N; i++)
                ck_assert_ok(green_spawn(group, "burst", go_deep, (void *)(uintptr_t)1, &err), err);
        ck_assert_ok(green_group_wait(group, deadline_never(), &err), err);
        green_group_close(group);
        hub_get_stats(&stats);
        ck_assert_uint_ge(stats.stacks_cached, N - 1);
        while (stats.stacks_cached > STACK_CACHE_MIN) { /* or the test takes too long */
                ck_assert_ok(green_sleep(0.1, &err), err);
                hub_get_stats(&stats);
        }
        ck_assert_uint_eq(stats.guards, N);
}

GREEN_TEST(statistics_tell_of_guards_and_sizes)
{
        struct hub_stats stats;
        struct error err;

        ck_assert_ok(green_spawn(NULL, "one", park, (void *)(uintptr_t)1, &err), err);
        ck_assert_ok(green_spawn(NULL, "two", park, (void *)(uintptr_t)1, &err), err);
        hub_get_stats(&stats);
        ck_assert_uint_eq(stats.guards, 2);
        ck_assert_uint_eq(stats.guards_refused, 0);
        ck_assert_ptr_nonnull(stats.guard);
        ck_assert_uint_eq(stats.stack_size, (size_t)STACK * (SANITIZED ? 4 : 1));
}

static int spawn_until_refused(void *arg, struct error *err)
{
        struct hub_stats stats;
        struct error why = {};
        unsigned n = 0;

        assert_green();
        while (n < 200000 && green_spawn(NULL, "parked", park, (void *)(uintptr_t)1, &why) == 0)
                n++;
        hub_get_stats(&stats);
        ck_assert_str_eq(stats.guard, "mprotect");
        if (n < 200000) {
                ck_assert_int_eq(why.code, ERR_LIMIT);
                ck_assert_ptr_nonnull(strstr(why.text, "starting parked"));
                ck_assert_uint_eq(stats.guards_refused, 1);
                ck_assert_uint_eq(stats.guards, n);
        }
        green_yield(); /* and the process has mappings left for all that these do */
        return 0;
}

START_TEST(a_hub_on_an_older_kernel_refuses_threads_it_cannot_guard)
{
        struct hub_options opt = { .mprotect_guards = true };
        struct error err;

        if (SANITIZED || RUNNING_ON_VALGRIND)
                return; /* minutes */
        clock_fake_start();
        ck_assert_ok(hub_run(spawn_until_refused, NULL, &opt, &err), err);
        clock_fake_stop();
}
END_TEST

/* What its borrower has written into a stack: at both ends and in between. */
static void mark(struct stack_record *r, size_t value)
{
        *(size_t *)r->low = value;
        *((size_t *)r - 1) = value;
        *(size_t *)(r->low + STACK / 2) = value;
}

static bool is_marked(const struct stack_record *r, size_t value)
{
        return *(const size_t *)r->low == value && *((const size_t *)r - 1) == value &&
               *(const size_t *)(r->low + STACK / 2) == value;
}

START_TEST(random_borrowing_and_trimming_lends_none_twice_and_loses_none)
{
        enum { MOST = 600, STEPS = SANITIZED ? 3000 : 20000 };
        static struct stack_record *lent[MOST];
        static struct stack_pool p;
        size_t marks[MOST], n = 0, most = 0, goal = 0;

        srand(5);
        stack_pool_init(&p, STACK, RECORD, false);
        for (size_t step = 1; step <= STEPS; step++) {
                if (n == goal)
                        goal = (size_t)rand() % (MOST + 1); /* up and down, past what the pool keeps */
                if (n < goal) {
                        lent[n] = get(&p);
                        mark(lent[n], step);
                        marks[n++] = step;
                        most = n > most ? n : most;
                } else if (n > goal) {
                        size_t i = (size_t)rand() % n;

                        if (!is_marked(lent[i], marks[i]))
                                ck_abort_msg("step %zu: a stack was written to by somebody else", step);
                        stack_put(&p, lent[i], "borrower");
                        lent[i] = lent[--n];
                        marks[i] = marks[n];
                }
                if (rand() % 50 == 0 && !stack_pool_trim(&p, (unsigned)rand() % 100))
                        ck_abort_msg("step %zu: not trimmed", step);
                if (p.guards.installed != most || n + p.cached + p.n_cold != most)
                        ck_abort_msg("step %zu: of %zu stacks %zu are lent, %u kept, %zu cold", step, most, n,
                                     p.cached, p.n_cold);
        }
        while (n-- > 0) {
                ck_assert(!is_accessible(lent[n]->low - 1));
                ck_assert(is_marked(lent[n], marks[n]));
                stack_put(&p, lent[n], "borrower");
        }
        stack_pool_free(&p);
}
END_TEST

GREEN_SUITE("green-stack", each_stack_has_a_guard, each_stack_has_a_guard_on_older_kernels,
            locked_memory_takes_guards_by_mprotect, memory_locked_later_takes_guards_by_mprotect,
            guards_leave_mappings_to_the_rest_of_the_process,
            without_mappings_for_guards_a_stack_is_refused_and_counted, many_stacks_take_few_mappings,
            trimmed_stacks_have_no_memory_but_still_their_guards, kinds_are_names_without_numbers_and_ids,
            more_kinds_than_the_table_has_are_others,
            the_deepest_thread_of_a_name_is_known_and_gives_its_pages_back,
            who_comes_after_a_deep_thread_is_not_taken_for_deep, after_a_burst_an_idle_hub_gives_stacks_back,
            random_borrowing_and_trimming_lends_none_twice_and_loses_none,
            statistics_tell_of_guards_and_sizes, a_hub_on_an_older_kernel_refuses_threads_it_cannot_guard)
