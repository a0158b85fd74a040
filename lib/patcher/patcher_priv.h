/*
 * lib/patcher/patcher_priv.h: what the patcher's own files share. Not for users of the library.
 */
#pragma once

#include "green/green.h"
#include "patcher/patcher.h"
#include "patcher/symbols.h"

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

/* From now on; a time that is too far away is never. */
struct deadline patcher_deadline_in(const struct timespec *ts);
/* An instant of a clock; one that is set meanwhile is not followed. */
struct deadline patcher_deadline_at(clockid_t clock, const struct timespec *at);
bool patcher_time_valid(const struct timespec *ts);

/* A transfer that may have to wait; the socket's own timeout is made a deadline at the first wait. */
struct patience {
        bool begun;
        struct deadline by;
};
/*
 * errno is EAGAIN after a try with MSG_DONTWAIT: parks unless the caller did not want to wait. 0: try again;
 * -1 with errno.
 */
int patcher_wait_turn(int fd, unsigned event, int flags, struct patience *p);
/* sendmsg(), beginning after what was sent already; the number of bytes sent now, or -1 with errno. */
ssize_t patcher_send_rest(int fd, const struct msghdr *msg, size_t sent, int flags);

/* poll() for one descriptor and with an absolute deadline: 1, 0 when the deadline passed, -1 with errno,
 * EBADF as well when it was closed. */
int patcher_wait_ready(int fd, short events, struct deadline by);

/* io_os.c: read and write on what is no socket, with PATCH_OS. */
ssize_t patcher_read_os(int fd, const struct iovec *iov, int n);
ssize_t patcher_write_os(int fd, const struct iovec *iov, int n);

/* A walk through the import slots of one loaded library; for slots.c and its test. */
struct import_slot {
        const char *symbol;
        void **at;     /* NULL: the symbol is used in a way that cannot be redirected */
        unsigned type; /* of the relocation */
        bool relro;    /* read-only since the library was loaded */
};
/* Stops when fn returns non-zero, which is returned; -1 with err: ERR_NOT_FOUND, ERR_UNSUPPORTED. */
int patcher_each_slot(const char *soname, int (*fn)(const struct import_slot *slot, void *arg), void *arg,
                      struct error *err);
