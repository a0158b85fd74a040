# A guest in one boot sector: says on the first serial port that it is up and then, every five seconds, that it
# still is; sleeps in between; turns itself off when its ACPI power button is pressed.
#
# Facts used: COM1 is at 0x3f8. SeaBIOS puts the ACPI power management block of the "pc" and "q35" machines at
# 0x600: status at +0, enable at +2, control at +4; the power button is bit 8 of the first two, and QEMU sets
# the status only while it is enabled. SLP_EN (0x2000) with sleep type 0 written to control is S5. The BIOS
# counts 18.2 timer ticks a second in the long at 0x46c.

        .code16
        .globl  _start

        .set    COM1, 0x3f8
        .set    PM_STATUS, 0x600
        .set    PM_ENABLE, 0x602
        .set    PM_CONTROL, 0x604
        .set    POWER_BUTTON, 0x100
        .set    SOFT_OFF, 0x2000
        .set    TICKS, 0x46c
        .set    PERIOD, 91

_start:
        ljmp    $0, $begin
begin:
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        cld

        movw    $COM1 + 1, %dx          # no interrupts from the port
        outb    %al, %dx
        movw    $COM1 + 3, %dx          # 115200 baud, 8 bits, no parity
        movb    $0x80, %al
        outb    %al, %dx
        movw    $COM1, %dx
        movb    $1, %al
        outb    %al, %dx
        incw    %dx
        decb    %al
        outb    %al, %dx
        movw    $COM1 + 3, %dx
        movb    $3, %al
        outb    %al, %dx

        movw    $PM_STATUS, %dx         # forget what was pressed before
        movw    $POWER_BUTTON, %ax
        outw    %ax, %dx
        movw    $PM_ENABLE, %dx
        inw     %dx, %ax
        orw     $POWER_BUTTON, %ax
        outw    %ax, %dx

        movw    $text_up, %si
        call    say
        sti
        movw    TICKS, %bx
        xorw    %bp, %bp                # lines said

idle:
        hlt                             # the timer ends it, 18 times a second
        movw    $PM_STATUS, %dx
        inw     %dx, %ax
        testw   $POWER_BUTTON, %ax
        jnz     off
        movw    TICKS, %ax
        subw    %bx, %ax
        cmpw    $PERIOD, %ax
        jb      idle
        addw    $PERIOD, %bx
        incw    %bp
        movw    $text_tick, %si
        call    say
        movw    %bp, %ax                # its number, four hexadecimal digits
        movw    $4, %cx
digit:
        rolw    $4, %ax
        pushw   %ax
        andb    $0x0f, %al
        cmpb    $10, %al
        jb      decimal
        addb    $'a' - '0' - 10, %al
decimal:
        addb    $'0', %al
        call    put
        popw    %ax
        loop    digit
        movw    $text_end, %si
        call    say
        jmp     idle

off:
        movw    $text_off, %si
        call    say
        movw    $PM_CONTROL, %dx
        movw    $SOFT_OFF, %ax
        outw    %ax, %dx
dead:
        cli
        hlt
        jmp     dead

say:                                    # the text at SI up to its NUL
        lodsb
        testb   %al, %al
        jz      said
        call    put
        jmp     say
said:
        ret

put:                                    # AL; keeps CX and AX
        pushw   %dx
        pushw   %ax
        movw    $COM1 + 5, %dx
full:
        inb     %dx, %al
        testb   $0x20, %al
        jz      full
        popw    %ax
        movw    $COM1, %dx
        outb    %al, %dx
        popw    %dx
        ret

text_up:
        .asciz  "COMPUTE-AGENT GUEST up\r\n"
text_tick:
        .asciz  "COMPUTE-AGENT GUEST tick "
text_off:
        .asciz  "COMPUTE-AGENT GUEST off\r\n"
text_end:
        .asciz  "\r\n"

        .org    510
        .word   0xaa55
