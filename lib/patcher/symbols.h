/*
 * lib/patcher/symbols.h: the one list of what is patched, with its categories.
 *
 * The enum, the table, the originals and the prototypes are made of it. lib/patcher/meson.build has the same
 * names for the linker, and tests/unit/patcher/symbols_*.c have the tests of each: monkey_patch() and
 * test_symbols.c refuse a name that is in one place only. What is left unpatched on purpose: not_patched.c.
 */
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* What _FORTIFY_SOURCE calls instead, where the compiler knows the size of the buffer; in no header. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                size_t size);
ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags, __SOCKADDR_ARG from,
                       socklen_t *from_len);

/* These never wait: what they change about a descriptor is to be known. See descriptors.c. */
#define PATCH_DESCRIPTORS (PATCH_SOCKET | PATCH_SELECT | PATCH_OS)

#define PATCHED_SYMBOLS(X)                      \
        X(sleep, PATCH_TIME)                    \
        X(usleep, PATCH_TIME)                   \
        X(nanosleep, PATCH_TIME)                \
        X(clock_nanosleep, PATCH_TIME)          \
        X(thrd_sleep, PATCH_TIME)               \
        X(poll, PATCH_SELECT)                   \
        X(ppoll, PATCH_SELECT)                  \
        X(select, PATCH_SELECT)                 \
        X(pselect, PATCH_SELECT)                \
        X(__poll_chk, PATCH_SELECT)             \
        X(__ppoll_chk, PATCH_SELECT)            \
        X(epoll_wait, PATCH_SELECT)             \
        X(epoll_pwait, PATCH_SELECT)            \
        X(epoll_pwait2, PATCH_SELECT)           \
        X(connect, PATCH_SOCKET)                \
        X(accept, PATCH_SOCKET)                 \
        X(accept4, PATCH_SOCKET)                \
        X(recv, PATCH_SOCKET)                   \
        X(recvfrom, PATCH_SOCKET)               \
        X(recvmsg, PATCH_SOCKET)                \
        X(recvmmsg, PATCH_SOCKET)               \
        X(send, PATCH_SOCKET)                   \
        X(sendto, PATCH_SOCKET)                 \
        X(sendmsg, PATCH_SOCKET)                \
        X(sendmmsg, PATCH_SOCKET)               \
        X(sendfile, PATCH_SOCKET)               \
        X(sendfile64, PATCH_SOCKET)             \
        X(read, PATCH_SOCKET | PATCH_OS)        \
        X(write, PATCH_SOCKET | PATCH_OS)       \
        X(readv, PATCH_SOCKET | PATCH_OS)       \
        X(writev, PATCH_SOCKET | PATCH_OS)      \
        X(__recv_chk, PATCH_SOCKET)             \
        X(__recvfrom_chk, PATCH_SOCKET)         \
        X(__read_chk, PATCH_SOCKET | PATCH_OS)  \
        X(close, PATCH_DESCRIPTORS)             \
        X(dup2, PATCH_DESCRIPTORS)              \
        X(dup3, PATCH_DESCRIPTORS)              \
        X(fcntl64, PATCH_DESCRIPTORS)           \
        X(ioctl, PATCH_DESCRIPTORS)             \
        X(setsockopt, PATCH_DESCRIPTORS)        \
        X(getaddrinfo, PATCH_SOCKET)            \
        X(getnameinfo, PATCH_SOCKET)            \
        X(wait, PATCH_OS)                       \
        X(waitpid, PATCH_OS)                    \
        X(wait3, PATCH_OS)                      \
        X(wait4, PATCH_OS)                      \
        X(waitid, PATCH_OS)                     \
        X(pthread_create, PATCH_THREAD)         \
        X(pthread_join, PATCH_THREAD)           \
        X(pthread_tryjoin_np, PATCH_THREAD)     \
        X(pthread_timedjoin_np, PATCH_THREAD)   \
        X(pthread_clockjoin_np, PATCH_THREAD)   \
        X(pthread_detach, PATCH_THREAD)         \
        X(pthread_exit, PATCH_THREAD)           \
        X(pthread_self, PATCH_THREAD)           \
        X(pthread_setname_np, PATCH_THREAD)     \
        X(pthread_getname_np, PATCH_THREAD)     \
        X(pthread_kill, PATCH_THREAD)           \
        X(pthread_cancel, PATCH_THREAD)         \
        X(pthread_testcancel, PATCH_THREAD)     \
        X(pthread_setcancelstate, PATCH_THREAD) \
        X(sched_yield, PATCH_THREAD)            \
        X(thrd_create, PATCH_THREAD)            \
        X(thrd_join, PATCH_THREAD)              \
        X(thrd_detach, PATCH_THREAD)            \
        X(thrd_exit, PATCH_THREAD)              \
        X(thrd_current, PATCH_THREAD)           \
        X(thrd_yield, PATCH_THREAD)
