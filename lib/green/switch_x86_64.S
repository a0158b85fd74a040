/*
 * lib/green/switch_x86_64.S: leaving one stack for another.
 *
 * void green_switch(void **save_sp, void *to_sp);
 *
 * The six callee-saved registers are pushed on the stack that is left, its pointer is stored, the other's is
 * taken and its six are popped. It leaves by pop and jmp: a ret would be mispredicted each time, because the
 * return stack of the CPU belongs to the thread just left. MXCSR and the x87 word are not saved: nobody
 * changes them in a green thread.
 *
 * void green_entry(void): where a new thread begins; r12 holds its record, r13 the C function to call. The
 * undefined return address tells unwinders that the stack ends here.
 */
        .text
        .globl  green_switch
        .hidden green_switch
        .type   green_switch, @function
        .p2align 4
green_switch:
        .cfi_startproc
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register rip, rcx
        jmp     *%rcx
        .cfi_endproc
        .size   green_switch, .-green_switch

        .globl  green_entry
        .hidden green_entry
        .type   green_entry, @function
        .p2align 4
green_entry:
        .cfi_startproc
        .cfi_undefined rip
        xorl    %ebp, %ebp
        movq    %r12, %rdi
        call    *%r13
        ud2
        .cfi_endproc
        .size   green_entry, .-green_entry

        .section .note.GNU-stack,"",@progbits
