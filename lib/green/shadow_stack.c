/*
 * lib/green/shadow_stack.c: does the CPU keep return addresses of its own, which a switch would contradict?
 *
 * It is asked about this native thread, without trusting what the program was marked with: a tunable of libc
 * or a parent may have turned it on.
 */
#include <sys/prctl.h>

#include "green/switch.h"

#ifndef PR_GET_SHADOW_STACK_STATUS
#define PR_GET_SHADOW_STACK_STATUS 74 /* Linux 6.13 */
#endif
#ifndef PR_SHADOW_STACK_ENABLE
#define PR_SHADOW_STACK_ENABLE 1UL
#endif

/* The pointer where it can be read, else anything but 0; 0: none. */
static unsigned long shadow_stack_pointer(void)
{
        unsigned long found = 0;

#if defined(__x86_64__)
        __asm__ volatile("rdsspq %0"
                         : "+r"(found)); /* does nothing where there is none, on older CPUs, too */
#else
        if (prctl(PR_GET_SHADOW_STACK_STATUS, &found, 0, 0, 0) < 0)
                found = 0;
        found &= PR_SHADOW_STACK_ENABLE;
#endif
        return found;
}

int shadow_stack_refuse(unsigned long pointer, struct error *err)
{
        if (pointer == 0)
                return 0;
        return error_set(err, ERR_UNSUPPORTED,
                         "green threads do not work with shadow stacks: turn them off, for example by "
                         "GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
}

int shadow_stack_check(struct error *err)
{
        return shadow_stack_refuse(shadow_stack_pointer(), err);
}
