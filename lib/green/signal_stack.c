/* lib/green/signal_stack.c: where signal handlers run while a green thread's stack may be nearly used up. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>

#include "green/green.h"
#include "green/sanitizer.h"

enum { SIGNAL_STACK = 64 * 1024 };

static bool is_on_valgrind(void)
{
#ifdef HAVE_VALGRIND
        return RUNNING_ON_VALGRIND;
#else
        return false;
#endif
}

int hub_use_signal_stack(struct error *err)
{
        stack_t stack;
        void *memory;

        if (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE))
                return 0;
        if (is_on_valgrind()) /* it takes a signal's stack for a switch and loses track of ours */
                return 0;
        memory = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1,
                      0);
        if (memory == MAP_FAILED)
                return error_system(err, errno, "mapping a signal stack");
        stack = (stack_t){ .ss_sp = memory, .ss_size = SIGNAL_STACK };
        if (sigaltstack(&stack, NULL) == 0)
                return 0;
        error_system(err, errno, "setting a signal stack");
        munmap(memory, SIGNAL_STACK);
        return -1;
}
