/*
 * lib/green/unwind_x86_64.S: the frames of a parked thread, without going there.
 *
 * void green_unwind(void *sp, void (*walk)(void *arg), void *arg);
 *
 * Calls walk(arg) on the caller's stack, but says to unwinders that it was called by the code that parked with
 * `sp`: the canonical frame address and the registers are those that green_switch() left there. So an unwinder
 * that walk() starts goes on in the parked thread, with all that DWARF knows (code without frame pointers
 * too), and neither runs anything there nor needs room on that stack.
 *
 * green_unwind_frame is the return address of walk(): what the unwinder finds after it is the parked thread's.
 */
        .text
        .globl  green_unwind
        .hidden green_unwind
        .globl  green_unwind_frame
        .hidden green_unwind_frame
        .type   green_unwind, @function
        .p2align 4
green_unwind:
        .cfi_startproc
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        movq    %rdi, %rbx
        movq    %rdx, %rdi
        .cfi_remember_state
        .cfi_def_cfa rbx, 56
        .cfi_offset rbp, -16
        .cfi_offset rbx, -24
        .cfi_offset r12, -32
        .cfi_offset r13, -40
        .cfi_offset r14, -48
        .cfi_offset r15, -56
        call    *%rsi
green_unwind_frame:
        .cfi_restore_state
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        ret
        .cfi_endproc
        .size   green_unwind, .-green_unwind

        .section .note.GNU-stack,"",@progbits
