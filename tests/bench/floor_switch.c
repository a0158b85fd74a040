/*
 * tests/bench/floor_switch.c: the floor of every switch: six registers, left by a jump, and no scheduler at
 * all.
 *
 *      floor_switch yield-2 | yield-10000
 *      floor_switch ring N         the same among N stacks, for the growth of costs
 *      floor_switch parked         a page each, and nothing in it
 *
 * The contexts stand in a ring and each passes on to the next. Each has a stack of 64 KiB in one big mapping
 * and touches its top, as a frame does, at places that differ so that they do not share one set of the cache.
 */
#include <sys/mman.h>

#include "measure.h"

enum { STACK = 64 * 1024, SWITCHES = 10000000, COLOURS = 16, COLOUR = 192 };

struct context {
        void *sp;
        struct context *next;
};

void switch_to(void **save, void *to);

#ifdef __x86_64__
__asm__(".text\n.globl switch_to\n.type switch_to, @function\n"
        "switch_to:\n"
        "       pushq %rbp\n       pushq %rbx\n       pushq %r12\n"
        "       pushq %r13\n       pushq %r14\n       pushq %r15\n"
        "       movq %rsp, (%rdi)\n       movq %rsi, %rsp\n"
        "       popq %r15\n       popq %r14\n       popq %r13\n"
        "       popq %r12\n       popq %rbx\n       popq %rbp\n"
        "       popq %rcx\n       jmp *%rcx\n"
        ".size switch_to, .-switch_to\n"
        ".section .note.GNU-stack,\"\",@progbits\n.text\n");
enum { SAVED = 6 };
#else
void switch_to(void **save, void *to)
{
        (void)save;
        (void)to;
        measure_fail("the bare switch is written for x86-64 only");
}
enum { SAVED = 0 };
#endif

static struct context start, *current;
static long left;

static void body(void)
{
        for (;;) {
                struct context *self = current, *next = self->next;

                __builtin_prefetch(next->next->sp); /* the stack after the next may be cold */
                if (--left <= 0)
                        next = &start;
                current = next;
                switch_to(&self->sp, next->sp);
        }
}

static void *stack_map(long n)
{
        void *p = mmap(NULL, (size_t)n * STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
                measure_fail("mmap");
        madvise(p, (size_t)n * STACK, MADV_NOHUGEPAGE);
        return p;
}

/* Nanoseconds for each of at least `switches` in a ring of n. */
static double ring(long n, long switches)
{
        unsigned char *stacks = stack_map(n);
        struct context *all = calloc((size_t)n, sizeof(*all));
        int64_t began = 0;

        if (!all)
                measure_fail("no memory");
        for (long i = 0; i < n; i++) {
                void **top = (void **)(stacks + (i + 1) * STACK - 64 - (i % COLOURS) * COLOUR);

                memset(top, 0, 64);
                *--top = NULL; /* where a return address would be: keeps the alignment of a call */
                *--top = (void *)body;
                top -= SAVED;
                memset(top, 0, SAVED * sizeof(*top));
                all[i].sp = top;
                all[i].next = &all[(i + 1) % n];
        }
        for (int warm = 1; warm >= 0; warm--) {
                left = warm ? 2 * n : switches;
                began = measure_cpu();
                current = &all[0];
                switch_to(&start.sp, current->sp);
        }
        began = measure_cpu() - began;
        munmap(stacks, (size_t)n * STACK);
        free(all);
        return (double)began / (double)switches;
}

static void yield_2(void)
{
        measure_report("yield-2", ring(2, measure_count(SWITCHES)), "ns");
}

static void yield_10000(void)
{
        measure_report("yield-10000", ring(10000, measure_count(SWITCHES)), "ns");
}

static void parked(void)
{
        long n = measure_count(100000);
        struct measure_memory before = measure_memory();
        unsigned char *stacks = stack_map(n);

        for (long i = 0; i < n; i++)
                stacks[(i + 1) * STACK - 1] = 1;
        measure_report_memory(before, n);
}

static const struct measure_work works[] = {
        { "yield-2", yield_2 },
        { "yield-10000", yield_10000 },
        { "parked", parked },
        { NULL, NULL },
};

int main(int argc, char **argv)
{
        if (argc == 3 && strcmp(argv[1], "ring") == 0) {
                measure_report("ring", ring(strtol(argv[2], NULL, 10), measure_count(SWITCHES)), "ns");
                return 0;
        }
        return measure_main(works, argc, argv);
}
