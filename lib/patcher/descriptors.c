/*
 * lib/patcher/descriptors.c: what is known of descriptors, and the calls that change it.
 *
 * A blocking call on a socket has to know whether the descriptor blocks at all, and its SO_RCVTIMEO or
 * SO_SNDTIMEO: two system calls at each wait, unless the answers are kept. They are kept in the hub's note on
 * the descriptor, as long as nobody in scope changes them: fcntl(F_SETFL), ioctl(FIONBIO) and setsockopt() of
 * a timeout make all of them old at once, because the mode belongs to the open file, which may have other
 * numbers by dup(). close() and whatever takes a number over tell the hub, which forgets the note and its
 * registration with epoll: that is what makes GREEN_KEPT a promise that patched code can give.
 */
#include <stdarg.h>
#include <stdatomic.h>

#include "patcher/patcher_priv.h"

enum note {
        NOTE_BLOCKS = 1,      /* O_NONBLOCK is not set */
        NOTE_NO_RCVTIMEO = 2, /* asked, and there is none */
        NOTE_NO_SNDTIMEO = 4,
        NOTE_DRAINED = 8,
        NOTE_BITS = 15,
};

static atomic_uint epoch = NOTE_BITS + 1; /* the notes' upper bits; native threads make them old, too */

/* What is known; nothing of what is old. */
static uint32_t HUB_ONLY known(int fd)
{
        const uint32_t *note = green_fd_note(fd);
        uint32_t now = atomic_load_explicit(&epoch, memory_order_relaxed);

        return note && (*note & ~(uint32_t)NOTE_BITS) == now ? *note & NOTE_BITS : 0;
}

static void HUB_ONLY set_known(int fd, uint32_t bits)
{
        uint32_t *note = green_fd_note(fd);

        if (note)
                *note = bits | atomic_load_explicit(&epoch, memory_order_relaxed);
}

static void make_notes_old(void)
{
        atomic_fetch_add_explicit(&epoch, NOTE_BITS + 1, memory_order_relaxed);
}

bool patcher_known_nonblocking(int fd)
{
        if (known(fd) & NOTE_BLOCKS)
                return false;
        if (patcher_nonblocking(fd))
                return true;
        set_known(fd, known(fd) | NOTE_BLOCKS);
        return false;
}

struct deadline patcher_known_deadline(int fd, int option)
{
        uint32_t none = option == SO_RCVTIMEO ? NOTE_NO_RCVTIMEO : NOTE_NO_SNDTIMEO;
        struct deadline by;

        if (known(fd) & none)
                return deadline_never();
        by = patcher_socket_deadline(fd, option);
        if (by.ns == deadline_never().ns)
                set_known(fd, known(fd) | none);
        return by;
}

void patcher_set_drained(int fd)
{
        uint32_t bits = known(fd);

        if (bits & NOTE_BLOCKS)
                set_known(fd, bits | NOTE_DRAINED);
}

bool patcher_take_drained(int fd)
{
        uint32_t bits = known(fd);

        if (!(bits & NOTE_DRAINED))
                return false;
        set_known(fd, bits & ~(uint32_t)NOTE_DRAINED);
        return true;
}

/* ---- numbers that end ---- */

int __wrap_close(int fd)
{
        if (patcher_in_scope(PATCH_DESCRIPTORS)) {
                assert_on_hub();
                green_forget_fd(fd);
        }
        return ORIGINAL(close)(fd);
}

/* A copy of `from` takes the place of `to`; not when the call will fail: then `to` stays what it is. */
static void taken_over(int from, int to)
{
        if (from == to || !patcher_in_scope(PATCH_DESCRIPTORS) || ORIGINAL(fcntl64)(from, F_GETFD) < 0)
                return;
        assert_on_hub();
        green_forget_fd(to);
}

int __wrap_dup2(int from, int to)
{
        taken_over(from, to);
        return ORIGINAL(dup2)(from, to);
}

int __wrap_dup3(int from, int to, int flags)
{
        if ((flags & ~O_CLOEXEC) == 0)
                taken_over(from, to);
        return ORIGINAL(dup3)(from, to, flags);
}

/* ---- modes that change ---- */

/* The third argument of both is a number or a pointer, or is not there: passed on as it would have been. */
int __wrap_fcntl64(int fd, int command, ...)
{
        va_list ap;
        void *arg;

        va_start(ap, command);
        arg = va_arg(ap, void *);
        va_end(ap);
        if (command == F_SETFL)
                make_notes_old();
        return ORIGINAL(fcntl64)(fd, command, arg);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
        va_list ap;
        void *arg;

        va_start(ap, request);
        arg = va_arg(ap, void *);
        va_end(ap);
        if (request == FIONBIO)
                make_notes_old();
        return ORIGINAL(ioctl)(fd, request, arg);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
        if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
                make_notes_old();
        return ORIGINAL(setsockopt)(fd, level, name, value, len);
}
