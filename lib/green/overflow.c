/*
 * lib/green/overflow.c: a stack overflow says whose it was before the process dies of it.
 *
 * The handler runs on the signal stack. When the address that was touched lies in the guard page of the
 * thread that runs, it writes one line, puts back the handler that was there before and returns: the same
 * instruction faults again, so a core file (or the other handler's report) shows the overflow and not us. All
 * other faults are handed on.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/original.h"
#include "base/raw_line.h"
#include "green/green_priv.h"

enum {
        NATIVE_GUARD = 64 * 1024
}; /* what may lie between a native stack and other memory, at least in part */

static struct sigaction previous;
static int installed;                          /* once in a process, by atomic accesses */
static __thread uintptr_t main_low, main_size; /* the native stack, which "main" has */

/* ---- the handler ---- */

/* The stack of the thread that runs, if `address` is just below it. */
static bool is_overflow(const struct hub *h, uintptr_t address, uintptr_t *ret_low, size_t *ret_size)
{
        const struct green *g = h->current;

        if (g == &h->main) {
                *ret_low = main_low;
                *ret_size = main_size;
                return main_low && address < main_low && main_low - address <= NATIVE_GUARD;
        }
        *ret_low = (uintptr_t)g->stack.low;
        *ret_size = h->stacks.size - h->stacks.page;
        return address < *ret_low && *ret_low - address <= h->stacks.page;
}

static void tell(const struct green *g, uintptr_t address, uintptr_t low, size_t size)
{
        struct raw_line l = { .fd = STDERR_FILENO };

        raw_add(&l, "green thread ");
        raw_add(&l, g->name);
        raw_add(&l, ": stack overflow (");
        raw_add_number(&l, size / 1024, 10);
        raw_add(&l, " KiB from 0x");
        raw_add_number(&l, low, 16);
        raw_add(&l, " to 0x");
        raw_add_number(&l, low + size, 16);
        raw_add(&l, ", and 0x");
        raw_add_number(&l, address, 16);
        raw_add(&l, " was touched; hub_options.stack_size)");
        raw_end(&l);
}

static void hand_on(int sig, siginfo_t *info, void *context)
{
        if (previous.sa_flags & SA_SIGINFO) {
                previous.sa_sigaction(sig, info, context);
        } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
                previous.sa_handler(sig);
        } else {
                sigaction(sig, &previous, NULL);
                if (info->si_code <= 0) /* sent by somebody: it does not come again by itself */
                        raise(sig);
        }
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
        const struct hub *h = the_hub;
        uintptr_t address = (uintptr_t)info->si_addr, low;
        int saved_errno = errno;
        size_t size;

        if (h && info->si_code > 0 && is_overflow(h, address, &low, &size)) {
                tell(h->current, address, low, size);
                sigaction(sig, &previous, NULL);
        } else {
                hand_on(sig, info, context);
        }
        errno = saved_errno;
}

/* ---- installing ---- */

static int HUB_ONLY note_native_stack(struct error *err)
{
        pthread_attr_t attr;
        void *low;
        size_t size;
        int r = pthread_getattr_np(patcher_original(pthread_self)(), &attr);

        if (r)
                return error_system(err, r, "asking for the native stack");
        pthread_attr_getstack(&attr, &low, &size);
        pthread_attr_destroy(&attr);
        main_low = (uintptr_t)low;
        main_size = size;
        return 0;
}

int green_catch_overflow(struct error *err)
{
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

        if (hub_use_signal_stack(err) < 0 || note_native_stack(err) < 0)
                return error_while(err, "catching stack overflows");
        sigemptyset(&action.sa_mask);
        if (__atomic_exchange_n(&installed, 1, __ATOMIC_ACQ_REL))
                return 0;
        if (sigaction(SIGSEGV, &action, &previous) == 0)
                return 0;
        __atomic_store_n(&installed, 0, __ATOMIC_RELEASE);
        return error_system(err, errno, "catching stack overflows");
}
