/*
 * lib/green/switch_ucontext.c: leaving one stack for another by what every libc has.
 *
 * A new thread is entered once by setcontext(); after that it is left by sigsetjmp() and taken up again by
 * siglongjmp(), which spares the two system calls of swapcontext() and, more important, leaves the signal
 * mask alone: it belongs to the native thread. Here a thread is unwound by going there, because what
 * sigsetjmp() saves is libc's secret. (ASan, which looks into each longjmp, warns of stacks it does not
 * expect: sanitizers are for builds with assembly.)
 */
#undef _FORTIFY_SOURCE /* its longjmp() takes another stack for a mistake */
#include "green/switch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

enum { FIRST_FRAME = 512 };

/* Somebody who wants to look around on a stack that was left, and then goes back to his own. */
struct visit {
        void (*walk)(void *arg);
        void *arg;
        sigjmp_buf back;
};

static __thread struct visit *visit;
const void *green_unwind_frame;

/* Lies on the stack it belongs to. */
struct context {
        ucontext_t *first; /* not yet entered; NULL later */
        sigjmp_buf env;
};

struct beginning {
        struct context context;
        ucontext_t first;
};

static __attribute__((noinline)) void receive_visit(void)
{
        struct visit *v = visit;

        green_unwind_frame = __builtin_return_address(0);
        v->walk(v->arg);
        siglongjmp(v->back, 1);
}

void green_unwind(void *saved, void (*walk)(void *arg), void *arg)
{
        struct visit v = { .walk = walk, .arg = arg };
        struct context *there = saved;

        if (sigsetjmp(v.back, 0) == 0) {
                visit = &v;
                siglongjmp(there->env, 1);
        }
        visit = NULL;
}

void green_switch(void **save, void *to)
{
        struct context self, *next = to;

        self.first = NULL;
        *save = &self;
        if (sigsetjmp(self.env, 0) != 0) {
                if (visit)
                        receive_visit();
                return;
        }
        if (!next->first)
                siglongjmp(next->env, 1);
        sigprocmask(SIG_SETMASK, NULL, &next->first->uc_sigmask);
        setcontext(next->first);
        abort();
}

/* makecontext() hands over nothing but ints. */
static void begin(unsigned fn_high, unsigned fn_low, unsigned arg_high, unsigned arg_low)
{
        switch_entry_fn *fn = (switch_entry_fn *)((uintptr_t)((uint64_t)fn_high << 32 | fn_low));
        void *arg = (void *)((uintptr_t)((uint64_t)arg_high << 32 | arg_low));

        fn(arg);
        abort();
}

/*
 * What is needed for the beginning lies where the thread's own frames will be, a little below those words
 * that makecontext() puts at the top: nothing of it is read once the thread runs.
 */
void *switch_prepare(void *low, void *top, switch_entry_fn *fn, void *arg)
{
        struct beginning *b =
                (struct beginning *)(((uintptr_t)top - FIRST_FRAME - sizeof(*b)) & ~(uintptr_t)63);
        uint64_t f = (uintptr_t)fn, a = (uintptr_t)arg;

        getcontext(&b->first);
        b->first.uc_link = NULL;
        b->first.uc_stack.ss_sp = low;
        b->first.uc_stack.ss_size = (size_t)((unsigned char *)top - (unsigned char *)low);
        makecontext(&b->first, (void (*)(void))begin, 4, (unsigned)(f >> 32), (unsigned)f,
                    (unsigned)(a >> 32), (unsigned)a);
        b->context.first = &b->first;
        return &b->context;
}
