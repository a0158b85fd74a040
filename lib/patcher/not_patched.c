/*
 * lib/patcher/not_patched.c: what blocks, or closes, or takes a thread's handle, and is not patched on
 * purpose.
 *
 * tests/unit/patcher/blocking-symbols reads this table: no object of ours may call one that would hurt,
 * unless allowed-blocking says why it may. compute-agent --list-patched prints it. One row per line.
 */
#include <string.h>

#include "patcher/patcher.h"

#define NATIVE_LOCK                                                                                    \
        "its waiters may be native threads, which know no green ones: use green_mutex, green_cond, a " \
        "channel or a native queue"
#define SHORT_LOCK                                                                                      \
        "held for a few instructions between native threads; held over a switch it would stop the hub " \
        "when another green thread wants it: use green_mutex"
#define NAMES       "obsolete: use getaddrinfo() or getnameinfo()"
#define INSIDE      "another name of a patched function, for libraries of the C library itself"
#define SIGNAL_WAIT "signals belong to native threads: read() a signalfd()"
#define QUEUE       "no descriptor to wait for: use tpool, or a socket"
#define FILE_LOCK   "no descriptor to wait for: use tpool, or try without waiting"
#define PAGES       "moves pages between descriptors: wait with poll() and pass SPLICE_F_NONBLOCK"
#define SEEKS       "only for what can seek, and that is never waited for: use tpool where a disk may be slow"
#define HANDLE      "takes a pthread_t for an address, which a green thread's is not"
#define PER_NATIVE  "belongs to the native thread, so green threads share it"
#define CHILD       "waits inside of the C library: use lib/process, or posix_spawn() and waitpid()"
#define CLOSES \
        "closes inside of the C library, where the hub does not see it: close() what is waited for first"

const struct not_patched_symbol not_patched_symbols[] = {
        { "pthread_mutex_lock", NOT_PATCHED_FINE, SHORT_LOCK },
        { "mtx_lock", NOT_PATCHED_FINE, SHORT_LOCK },
        { "pthread_spin_lock", NOT_PATCHED_FINE, SHORT_LOCK },
        { "pthread_once", NOT_PATCHED_FINE, "its function must not wait, or the next caller stops the hub" },
        { "call_once", NOT_PATCHED_FINE, "its function must not wait, or the next caller stops the hub" },
        { "pthread_mutex_timedlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_mutex_clocklock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "mtx_timedlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_rwlock_rdlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_rwlock_wrlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_rwlock_timedrdlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_rwlock_timedwrlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_rwlock_clockrdlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_rwlock_clockwrlock", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_cond_wait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_cond_timedwait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_cond_clockwait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "cnd_wait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "cnd_timedwait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pthread_barrier_wait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "sem_wait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "sem_timedwait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "sem_clockwait", NOT_PATCHED_BLOCKS, NATIVE_LOCK },
        { "pause", NOT_PATCHED_BLOCKS, SIGNAL_WAIT },
        { "sigwait", NOT_PATCHED_BLOCKS, SIGNAL_WAIT },
        { "sigwaitinfo", NOT_PATCHED_BLOCKS, SIGNAL_WAIT },
        { "sigtimedwait", NOT_PATCHED_BLOCKS, SIGNAL_WAIT },
        { "sigsuspend", NOT_PATCHED_BLOCKS, SIGNAL_WAIT },
        { "sigpause", NOT_PATCHED_BLOCKS, SIGNAL_WAIT },
        { "mq_receive", NOT_PATCHED_BLOCKS, QUEUE },
        { "mq_timedreceive", NOT_PATCHED_BLOCKS, QUEUE },
        { "mq_send", NOT_PATCHED_BLOCKS, QUEUE },
        { "mq_timedsend", NOT_PATCHED_BLOCKS, QUEUE },
        { "msgrcv", NOT_PATCHED_BLOCKS, QUEUE },
        { "msgsnd", NOT_PATCHED_BLOCKS, QUEUE },
        { "semop", NOT_PATCHED_BLOCKS, QUEUE },
        { "semtimedop", NOT_PATCHED_BLOCKS, QUEUE },
        { "flock", NOT_PATCHED_BLOCKS, FILE_LOCK },
        { "lockf", NOT_PATCHED_BLOCKS, FILE_LOCK },
        { "tcdrain", NOT_PATCHED_BLOCKS, "a terminal does not say when it has sent: use tpool" },
        { "splice", NOT_PATCHED_BLOCKS, PAGES },
        { "tee", NOT_PATCHED_BLOCKS, PAGES },
        { "vmsplice", NOT_PATCHED_BLOCKS, PAGES },
        { "pread", NOT_PATCHED_FINE, SEEKS },
        { "pwrite", NOT_PATCHED_FINE, SEEKS },
        { "preadv", NOT_PATCHED_FINE, SEEKS },
        { "pwritev", NOT_PATCHED_FINE, SEEKS },
        { "__pread_chk", NOT_PATCHED_FINE, SEEKS },
        { "__pread64_chk", NOT_PATCHED_FINE, SEEKS },
        { "preadv2", NOT_PATCHED_BLOCKS, "with offset -1 it is readv(), which is patched" },
        { "pwritev2", NOT_PATCHED_BLOCKS, "with offset -1 it is writev(), which is patched" },
        { "open", NOT_PATCHED_FINE, "waits only for the other end of a FIFO: open that with O_NONBLOCK" },
        { "eventfd_read", NOT_PATCHED_BLOCKS, "use read(), which is patched with PATCH_OS" },
        { "eventfd_write", NOT_PATCHED_BLOCKS, "use write(), which is patched with PATCH_OS" },
        { "system", NOT_PATCHED_BLOCKS, CHILD },
        { "popen", NOT_PATCHED_BLOCKS, CHILD },
        { "pclose", NOT_PATCHED_BLOCKS, CHILD },
        { "vfork", NOT_PATCHED_BLOCKS,
          "its child runs in the hub's memory: use lib/process or posix_spawn()" },
        { "fork", NOT_PATCHED_FINE, "see lib/patcher/patcher.h: the child has plain calls and no hub" },
        { "posix_spawn", NOT_PATCHED_FINE, "waits until the child runs exec, and no longer" },
        { "posix_spawnp", NOT_PATCHED_FINE, "waits until the child runs exec, and no longer" },
        { "shutdown", NOT_PATCHED_FINE, "does not wait; the kernel wakes who waits for the socket" },
        { "close_range", NOT_PATCHED_FINE, CLOSES },
        { "closefrom", NOT_PATCHED_FINE, CLOSES },
        { "fclose", NOT_PATCHED_FINE, CLOSES },
        { "syslog", NOT_PATCHED_BLOCKS, "writes inside of the C library: use base/log.h" },
        { "vsyslog", NOT_PATCHED_BLOCKS, "writes inside of the C library: use base/log.h" },
        { "__syslog_chk", NOT_PATCHED_BLOCKS, "writes inside of the C library: use base/log.h" },
        { "__vsyslog_chk", NOT_PATCHED_BLOCKS, "writes inside of the C library: use base/log.h" },
        { "gethostbyname", NOT_PATCHED_BLOCKS, NAMES },
        { "gethostbyname2", NOT_PATCHED_BLOCKS, NAMES },
        { "gethostbyname_r", NOT_PATCHED_BLOCKS, NAMES },
        { "gethostbyname2_r", NOT_PATCHED_BLOCKS, NAMES },
        { "gethostbyaddr", NOT_PATCHED_BLOCKS, NAMES },
        { "gethostbyaddr_r", NOT_PATCHED_BLOCKS, NAMES },
        { "gethostid", NOT_PATCHED_BLOCKS, NAMES },
        { "getaddrinfo_a", NOT_PATCHED_BLOCKS, "has native threads of its own: use getaddrinfo()" },
        { "getservbyname_r", NOT_PATCHED_BLOCKS, NAMES },
        { "res_query", NOT_PATCHED_BLOCKS, "use tpool" },
        { "res_search", NOT_PATCHED_BLOCKS, "use tpool" },
        { "__read", NOT_PATCHED_BLOCKS, INSIDE },
        { "__write", NOT_PATCHED_BLOCKS, INSIDE },
        { "__connect", NOT_PATCHED_BLOCKS, INSIDE },
        { "__recv", NOT_PATCHED_BLOCKS, INSIDE },
        { "__send", NOT_PATCHED_BLOCKS, INSIDE },
        { "__sendmmsg", NOT_PATCHED_BLOCKS, INSIDE },
        { "__poll", NOT_PATCHED_BLOCKS, INSIDE },
        { "__select", NOT_PATCHED_BLOCKS, INSIDE },
        { "__nanosleep", NOT_PATCHED_BLOCKS, INSIDE },
        { "__wait", NOT_PATCHED_BLOCKS, INSIDE },
        { "__waitpid", NOT_PATCHED_BLOCKS, INSIDE },
        { "__close", NOT_PATCHED_FINE, INSIDE },
        { "__dup2", NOT_PATCHED_FINE, INSIDE },
        { "__sched_yield", NOT_PATCHED_FINE, INSIDE },
        { "pthread_equal", NOT_PATCHED_FINE, "compares two numbers, whatever they stand for" },
        { "thrd_equal", NOT_PATCHED_FINE, "compares two numbers, whatever they stand for" },
        { "pthread_getspecific", NOT_PATCHED_FINE, PER_NATIVE },
        { "pthread_setspecific", NOT_PATCHED_FINE, PER_NATIVE },
        { "tss_get", NOT_PATCHED_FINE, PER_NATIVE },
        { "tss_set", NOT_PATCHED_FINE, PER_NATIVE },
        { "pthread_sigmask", NOT_PATCHED_FINE, PER_NATIVE },
        { "pthread_setcanceltype", NOT_PATCHED_FINE, PER_NATIVE },
        { "__pthread_register_cancel", NOT_PATCHED_FINE,
          "pthread_cleanup_push(): never run for a green thread" },
        { "pthread_sigqueue", NOT_PATCHED_HANDLE, HANDLE },
        { "pthread_setschedparam", NOT_PATCHED_HANDLE, HANDLE },
        { "pthread_getschedparam", NOT_PATCHED_HANDLE, HANDLE },
        { "pthread_setschedprio", NOT_PATCHED_HANDLE, HANDLE },
        { "pthread_setaffinity_np", NOT_PATCHED_HANDLE, HANDLE },
        { "pthread_getaffinity_np", NOT_PATCHED_HANDLE, HANDLE },
        { "pthread_getcpuclockid", NOT_PATCHED_HANDLE, HANDLE },
        { "pthread_getattr_np", NOT_PATCHED_HANDLE, HANDLE },
        {},
};

const struct not_patched_symbol *not_patched_find(const char *name)
{
        for (const struct not_patched_symbol *s = not_patched_symbols; s->name; s++)
                if (strcmp(s->name, name) == 0)
                        return s;
        return NULL;
}
