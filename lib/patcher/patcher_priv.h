/*
 * lib/patcher/patcher_priv.h: what the patcher's own files share. Not for users of the library.
 *
 * One list names every patched symbol; the enum, the table, the originals and the prototypes are made of it.
 * lib/patcher/meson.build has the same names for the linker: monkey_patch() checks that they agree.
 */
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "green/green.h"
#include "patcher/patcher.h"

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

#define PATCHED_SYMBOLS(X)                     \
        X(sleep, PATCH_TIME)                   \
        X(usleep, PATCH_TIME)                  \
        X(nanosleep, PATCH_TIME)               \
        X(clock_nanosleep, PATCH_TIME)         \
        X(poll, PATCH_SELECT)                  \
        X(ppoll, PATCH_SELECT)                 \
        X(select, PATCH_SELECT)                \
        X(pselect, PATCH_SELECT)               \
        X(__poll_chk, PATCH_SELECT)            \
        X(__ppoll_chk, PATCH_SELECT)           \
        X(connect, PATCH_SOCKET)               \
        X(accept, PATCH_SOCKET)                \
        X(accept4, PATCH_SOCKET)               \
        X(recv, PATCH_SOCKET)                  \
        X(recvfrom, PATCH_SOCKET)              \
        X(recvmsg, PATCH_SOCKET)               \
        X(send, PATCH_SOCKET)                  \
        X(sendto, PATCH_SOCKET)                \
        X(sendmsg, PATCH_SOCKET)               \
        X(read, PATCH_SOCKET | PATCH_OS)       \
        X(write, PATCH_SOCKET | PATCH_OS)      \
        X(readv, PATCH_SOCKET | PATCH_OS)      \
        X(writev, PATCH_SOCKET | PATCH_OS)     \
        X(__recv_chk, PATCH_SOCKET)            \
        X(__recvfrom_chk, PATCH_SOCKET)        \
        X(__read_chk, PATCH_SOCKET | PATCH_OS) \
        X(getaddrinfo, PATCH_SOCKET)           \
        X(close, PATCH_DESCRIPTORS)            \
        X(dup2, PATCH_DESCRIPTORS)             \
        X(dup3, PATCH_DESCRIPTORS)             \
        X(fcntl64, PATCH_DESCRIPTORS)          \
        X(ioctl, PATCH_DESCRIPTORS)            \
        X(setsockopt, PATCH_DESCRIPTORS)       \
        X(pthread_create, PATCH_THREAD)        \
        X(pthread_join, PATCH_THREAD)          \
        X(pthread_detach, PATCH_THREAD)        \
        X(pthread_self, PATCH_THREAD)          \
        X(pthread_setname_np, PATCH_THREAD)    \
        X(pthread_cancel, PATCH_THREAD)        \
        X(pthread_setcancelstate, PATCH_THREAD)

#define PATCHED_ENUM(name, category) PATCHED_##name,
enum patched_name { PATCHED_SYMBOLS(PATCHED_ENUM) PATCHED_COUNT };
#undef PATCHED_ENUM

/* A call of NAME in the program's objects arrives at __wrap_NAME, and so do greened import slots. */
#define PATCHED_PROTOTYPE(name, category) extern __typeof__(name) __wrap_##name;
PATCHED_SYMBOLS(PATCHED_PROTOTYPE)
#undef PATCHED_PROTOTYPE

void *patcher_original_at(enum patched_name name); /* looked up at start, so a signal handler may ask too */
void *patcher_replacement(const char *name);       /* NULL: not a name of a category that is patched */
#define ORIGINAL(name) ((__typeof__(&name))patcher_original_at(PATCHED_##name))

unsigned patcher_categories(void);
/* Is this call, made here and now, to be green? */
bool patcher_in_scope(unsigned category);

/*
 * Waits for one descriptor; 0, or -1 with errno: ETIMEDOUT, ECANCELED, EBADF. When another green thread waits
 * for the same direction already, which the runtime refuses and blocking code does not expect to matter, it
 * sleeps a little and returns 0: callers try their system call again in any case.
 */
int patcher_wait(int fd, unsigned events, struct deadline by);
/* Sleeps until then; 0, or -1 with errno ECANCELED. */
int patcher_sleep_until(struct deadline until);
/* The errno that a patched call fails with because of err. */
int patcher_errno(const struct error *err);
bool patcher_nonblocking(int fd);
/* SO_RCVTIMEO or SO_SNDTIMEO of a socket as a deadline from now on. */
struct deadline patcher_socket_deadline(int fd, int option);

/*
 * descriptors.c: both of the above, asked of the kernel once for each descriptor, for code that waits again
 * and again. And a hint: the last read of a stream got less than there was room for, so the next one had
 * better wait first; it is only taken for descriptors that are known to block.
 */
bool HUB_ONLY patcher_known_nonblocking(int fd);
struct deadline HUB_ONLY patcher_known_deadline(int fd, int option);
void HUB_ONLY patcher_set_drained(int fd);
bool HUB_ONLY patcher_take_drained(int fd); /* and forgets it */

/* poll() with an absolute deadline. */
int patcher_poll(struct pollfd *fds, nfds_t n, struct deadline by);

/* io_os.c: read and write on what is no socket, with PATCH_OS. */
ssize_t patcher_read_os(int fd, const struct iovec *iov, int n);
ssize_t patcher_write_os(int fd, const struct iovec *iov, int n);

/* A walk through the import slots of one loaded library; for slots.c and its test. */
struct import_slot {
        const char *symbol;
        void **at;
        bool relro; /* read-only since the library was loaded */
};
/* Stops when fn returns non-zero, which is returned; -1 with err: ERR_NOT_FOUND, ERR_UNSUPPORTED. */
int patcher_each_slot(const char *soname, int (*fn)(const struct import_slot *slot, void *arg), void *arg,
                      struct error *err);
