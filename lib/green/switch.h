/*
 * lib/green/switch.h: leaving one stack for another. Not for users of the library.
 *
 * A thread that is not running is one pointer: what it needs to go on lies on its own stack. On x86-64 and
 * aarch64 the pointer is its stack pointer and what lies there are the registers that a call must preserve,
 * in the order of switch_*.S (debuggers may read them). Elsewhere, and with -Dswitch=ucontext, it points to
 * something private to switch_ucontext.c.
 *
 * Signal masks, MXCSR, the x87 control word and FPCR belong to the native thread, not to a green one.
 *
 * Shadow stacks (CET on x86-64, GCS on aarch64) would need one of their own per green thread. There is none:
 * the objects are not marked as fit for them, so a linker drops the mark of a whole program, and hub_run()
 * refuses where they are on nevertheless. The same marks would announce landing pads (IBT, BTI): a switch
 * leaves by an indirect jump to where another call returns, which has none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Stores in *save what leads back here, and goes on where `to` was left. */
void green_switch(void **save, void *to);

/*
 * The same, to be used. On x86-64 it arrives there by a jump with its return address on the stack: it leaves
 * by a jump, too, and a call without its return would make the CPU mispredict the caller's own return, each
 * time, which doubles the cost of a switch. Always inline, and not for functions without any other call:
 * those may keep data below their stack pointer, where the address goes.
 */
static inline __attribute__((always_inline)) void switch_stacks(void **save, void *to)
{
#if defined(__x86_64__) && !defined(GREEN_SWITCH_UCONTEXT)
        __asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
                         "pushq %%rcx\n\t"
                         "jmp green_switch\n"
                         "1:"
                         : "+D"(save), "+S"(to)
                         :
                         : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
                           "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                           "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
                           "st(7)",
#ifdef __AVX512F__
                           "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
                           "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3",
                           "k4", "k5", "k6", "k7",
#endif
                           "memory", "cc");
#else
        green_switch(save, to);
#endif
}

typedef void switch_entry_fn(void *arg); /* never returns */

/*
 * What to give green_switch() so that fn(arg) begins on the stack between low and top; top is aligned to 16.
 */
#ifdef GREEN_SWITCH_UCONTEXT
void *switch_prepare(void *low, void *top, switch_entry_fn *fn, void *arg);
#else
void green_entry(void); /* calls the function it finds in one register with the argument in another */

static inline void *switch_prepare(void *low, void *top, switch_entry_fn *fn, void *arg)
{
        void **sp = top;

        (void)low;
#if defined(__x86_64__)
        *--sp = NULL; /* the stack is aligned when green_entry() runs */
        *--sp = NULL;
        *--sp = (void *)green_entry;
        *--sp = NULL;       /* rbp */
        *--sp = NULL;       /* rbx */
        *--sp = arg;        /* r12 */
        *--sp = (void *)fn; /* r13 */
        *--sp = NULL;       /* r14 */
        *--sp = NULL;       /* r15 */
#elif defined(__aarch64__)
        sp -= 20; /* x29 and x30, x19 to x28, d8 to d15 */
        for (int i = 0; i < 20; i++)
                sp[i] = NULL;
        sp[1] = (void *)green_entry; /* x30 */
        sp[2] = arg;                 /* x19 */
        sp[3] = (void *)fn;          /* x20 */
#else
#error "no switch for this processor: build with -Dswitch=ucontext"
#endif
        return sp;
}
#endif

/*
 * Calls walk(arg) in such a way that an unwinder in it, after the frame whose return address is
 * green_unwind_frame, finds those of the thread that green_switch() left with `saved`.
 */
void green_unwind(void *saved, void (*walk)(void *arg), void *arg);
#ifdef GREEN_SWITCH_UCONTEXT
extern const void *green_unwind_frame;
#else
extern const char green_unwind_frame[];
#endif

/* 0, or -1 with ERR_UNSUPPORTED when this native thread has a shadow stack. */
int shadow_stack_check(struct error *err);
/* The same for a given shadow stack pointer, 0 for none. */
int shadow_stack_refuse(unsigned long pointer, struct error *err);
