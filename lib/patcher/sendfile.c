/*
 * lib/patcher/sendfile.c: a file's content to a blocking socket.
 *
 * sendfile() has no MSG_DONTWAIT, and to a blocking socket the kernel sends all of it before it returns. So
 * the content is read in pieces and sent as by send(), which parks. Reading the file is not green, as nowhere
 * in this library. To a non-blocking socket, or to what is no socket, it is the plain call.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "patcher/patcher_priv.h"

enum { PIECE = 64 * 1024, MOST = 0x7ffff000 /* what one system call transfers at most */ };

static bool is_kind(int fd, mode_t kind)
{
        struct stat st;

        return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

/* Where it begins in the file; -1: not to be done here. */
static off_t begin_at(int out, int in, const off_t *offset)
{
        int saved = errno;
        off_t at = -1;

        if (patcher_in_scope(PATCH_SOCKET) && is_kind(out, S_IFSOCK) && is_kind(in, S_IFREG) &&
            !patcher_nonblocking(out))
                at = offset ? *offset : lseek(in, 0, SEEK_CUR);
        errno = saved;
        return at;
}

static ssize_t copy(int out, int in, off_t at, size_t count)
{
        CLEANUP(freep) char *piece = malloc(PIECE);
        size_t total = 0;

        if (!piece)
                return -1;
        if (count > MOST)
                count = MOST;
        while (total < count) {
                struct iovec iov = { piece, 0 };
                struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
                ssize_t got, sent;

                got = pread(in, piece, count - total < PIECE ? count - total : PIECE, at + (off_t)total);
                if (got < 0 && total == 0)
                        return -1;
                if (got <= 0)
                        break;
                iov.iov_len = (size_t)got;
                sent = patcher_send_rest(out, &msg, 0, 0);
                if (sent < 0 && total == 0)
                        return -1;
                if (sent > 0)
                        total += (size_t)sent;
                if (sent < got)
                        break;
        }
        return (ssize_t)total;
}

static ssize_t green_sendfile(int out, int in, off_t at, off_t *offset, size_t count)
{
        ssize_t r = copy(out, in, at, count);

        if (r > 0 && offset)
                *offset = at + r;
        if (r > 0 && !offset)
                lseek(in, at + r, SEEK_SET);
        return r;
}

ssize_t __wrap_sendfile(int out, int in, off_t *offset, size_t count)
{
        off_t at = begin_at(out, in, offset);

        return at >= 0 ? green_sendfile(out, in, at, offset, count)
                       : ORIGINAL(sendfile)(out, in, offset, count);
}

/* The same where off_t has 64 bits, which is everywhere this library runs. */
_Static_assert(sizeof(off_t) == sizeof(off64_t), "off_t has 64 bits");

ssize_t __wrap_sendfile64(int out, int in, off64_t *offset, size_t count)
{
        off_t at = begin_at(out, in, offset);

        return at >= 0 ? green_sendfile(out, in, at, offset, count)
                       : ORIGINAL(sendfile64)(out, in, offset, count);
}
