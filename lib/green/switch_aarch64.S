/*
 * lib/green/switch_aarch64.S: leaving one stack for another.
 *
 * void green_switch(void **save_sp, void *to_sp);
 *
 * The registers that a call preserves (x19 to x30, d8 to d15) are stored on the stack that is left, its
 * pointer is stored, the other's is taken and its registers are loaded. It leaves by br and not by ret: the
 * CPU would predict a ret to go back to the thread just left. FPCR is not saved: nobody changes it in a green
 * thread.
 *
 * void green_entry(void): where a new thread begins; x19 holds its argument, x20 the C function to call. The
 * undefined return address tells unwinders that the stack ends here.
 */
        .text
        .globl  green_switch
        .hidden green_switch
        .type   green_switch, %function
        .p2align 4
green_switch:
        .cfi_startproc
        stp     x29, x30, [sp, #-160]!
        .cfi_def_cfa_offset 160
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -144
        .cfi_offset x20, -136
        stp     x21, x22, [sp, #32]
        .cfi_offset x21, -128
        .cfi_offset x22, -120
        stp     x23, x24, [sp, #48]
        .cfi_offset x23, -112
        .cfi_offset x24, -104
        stp     x25, x26, [sp, #64]
        .cfi_offset x25, -96
        .cfi_offset x26, -88
        stp     x27, x28, [sp, #80]
        .cfi_offset x27, -80
        .cfi_offset x28, -72
        stp     d8, d9, [sp, #96]
        .cfi_offset d8, -64
        .cfi_offset d9, -56
        stp     d10, d11, [sp, #112]
        .cfi_offset d10, -48
        .cfi_offset d11, -40
        stp     d12, d13, [sp, #128]
        .cfi_offset d12, -32
        .cfi_offset d13, -24
        stp     d14, d15, [sp, #144]
        .cfi_offset d14, -16
        .cfi_offset d15, -8
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        ldp     d14, d15, [sp, #144]
        ldp     d12, d13, [sp, #128]
        ldp     d10, d11, [sp, #112]
        ldp     d8, d9, [sp, #96]
        ldp     x27, x28, [sp, #80]
        ldp     x25, x26, [sp, #64]
        ldp     x23, x24, [sp, #48]
        ldp     x21, x22, [sp, #32]
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #160
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        br      x30
        .cfi_endproc
        .size   green_switch, .-green_switch

        .globl  green_entry
        .hidden green_entry
        .type   green_entry, %function
        .p2align 4
green_entry:
        .cfi_startproc
        .cfi_undefined x30
        mov     x29, xzr
        mov     x0, x19
        blr     x20
        brk     #1
        .cfi_endproc
        .size   green_entry, .-green_entry

        .section .note.GNU-stack,"",%progbits
