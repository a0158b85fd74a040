/* lib/native/native_thread.c: pthreads with names, and with no signals but those that say where they are. */
#include "native/native_thread.h"

#include <signal.h>
#include <stdio.h>

#include "base/list.h"
#include "base/original.h"
#include "native/native_backtrace.h"

int native_thread_start(pthread_t *ret, void *(*fn)(void *arg), void *arg)
{
        static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
        pthread_attr_t attr;
        sigset_t blocked;
        int r;

        sigfillset(&blocked);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
                sigdelset(&blocked, faults[i]);
        sigdelset(&blocked, native_backtrace_signal());
        pthread_attr_init(&attr);
        pthread_attr_setsigmask_np(&attr, &blocked);
        r = patcher_original(pthread_create)(ret, &attr, fn, arg);
        pthread_attr_destroy(&attr);
        return r;
}

void native_thread_set_name(const char *name)
{
        char cut[16]; /* the kernel's limit; a longer one would be refused */

        snprintf(cut, sizeof(cut), "%s", name);
        patcher_original(pthread_setname_np)(patcher_original(pthread_self)(), cut);
}

const char *native_state_name(char letter)
{
        switch (letter) {
        case 'R':
                return "running";
        case 'S':
                return "sleeping";
        case 'D':
                return "uninterruptible";
        case 'T':
        case 't':
                return "stopped";
        case 'I':
                return "idle";
        case 'Z':
                return "zombie";
        default:
                return "ended";
        }
}
