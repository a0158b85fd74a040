/*
 * lib/green/unwind_aarch64.S: the frames of a parked thread, without going there.
 *
 * void green_unwind(void *sp, void (*walk)(void *arg), void *arg);
 *
 * Calls walk(arg) on the caller's stack, but says to unwinders that it was called by the code that parked with
 * `sp`: the canonical frame address and the registers are those that green_switch() left there.
 *
 * green_unwind_frame is the return address of walk(): what the unwinder finds after it is the parked thread's.
 */
        .text
        .globl  green_unwind
        .hidden green_unwind
        .globl  green_unwind_frame
        .hidden green_unwind_frame
        .type   green_unwind, %function
        .p2align 4
green_unwind:
        .cfi_startproc
        stp     x29, x30, [sp, #-32]!
        .cfi_def_cfa_offset 32
        .cfi_offset x29, -32
        .cfi_offset x30, -24
        str     x19, [sp, #16]
        .cfi_offset x19, -16
        mov     x19, x0
        mov     x0, x2
        .cfi_remember_state
        .cfi_def_cfa x19, 160
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        .cfi_offset x19, -144
        .cfi_offset x20, -136
        .cfi_offset x21, -128
        .cfi_offset x22, -120
        .cfi_offset x23, -112
        .cfi_offset x24, -104
        .cfi_offset x25, -96
        .cfi_offset x26, -88
        .cfi_offset x27, -80
        .cfi_offset x28, -72
        .cfi_offset d8, -64
        .cfi_offset d9, -56
        .cfi_offset d10, -48
        .cfi_offset d11, -40
        .cfi_offset d12, -32
        .cfi_offset d13, -24
        .cfi_offset d14, -16
        .cfi_offset d15, -8
        blr     x1
green_unwind_frame:
        .cfi_restore_state
        ldr     x19, [sp, #16]
        ldp     x29, x30, [sp], #32
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   green_unwind, .-green_unwind

        .section .note.GNU-stack,"",%progbits
