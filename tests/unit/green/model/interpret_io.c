/* tests/unit/green/model/interpret_io.c: operations on the native queue and on descriptors. */
#include "interpret_priv.h"

#include <stdlib.h>
#include <sys/socket.h>

static const struct result skipped = { SKIPPED, 0 };

static struct result YIELDS pop(struct actor *a, const struct op *op)
{
        int items[POP_MAX];
        struct error err;
        bool overflowed;
        int r;

        if (world.popping) /* there is one consumer */
                return skipped;
        world.popping = true;
        r = native_queue_pop(world.queue, items, POP_MAX, &overflowed, by_of(a, op), &err);
        world.popping = false;
        if (r < 0)
                return (struct result){ err.code, 0 };
        return (struct result){ 0, overflowed ? POP_OVERFLOW : pop_value(items, r) };
}

void open_pair(int pair)
{
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, &world.fds[2 * pair]) < 0)
                abort();
}

static struct result YIELDS run_fd_op(struct actor *a, const struct op *op)
{
        int i = op->arg[0], fd = op->kind == OP_FD_OPEN ? -1 : world.fds[i], r;
        struct error err;
        char byte = 'x';

        switch (op->kind) {
        case OP_FD_WAIT:
        case OP_FD_WAIT_KEPT: /* true: here descriptors are closed by green_close() only */
                r = green_wait_fd(fd, (unsigned)op->arg[1] | (op->kind == OP_FD_WAIT_KEPT ? GREEN_KEPT : 0),
                                  by_of(a, op), &err);
                return r < 0 ? (struct result){ err.code, 0 } : (struct result){ 0, r };
        case OP_FD_OPEN:
                if (world.fds[2 * i] >= 0 || world.fds[2 * i + 1] >= 0)
                        return skipped;
                open_pair(i);
                return (struct result){};
        case OP_FD_CLOSE:
                if (fd < 0)
                        return skipped;
                world.fds[i] = -1;
                green_close(fd);
                return (struct result){};
        default:
                if (fd < 0 || world.fds[PEER_OF(i)] < 0)
                        return skipped;
                if (op->kind == OP_FD_WRITE)
                        return (struct result){ 0, (int)send(fd, &byte, 1, MSG_NOSIGNAL) };
                return (struct result){ recv(fd, &byte, 1, 0) == 1 ? 0 : NOT_NOW, 0 };
        }
}

struct result run_io_op(struct actor *a, const struct op *op, unsigned index)
{
        int item = ITEM_OF(a->slot, index);

        switch (op->kind) {
        case OP_PUSH:
                return (struct result){ native_queue_push(world.queue, &item) ? 0 : NOT_NOW, 0 };
        case OP_POP:
                return pop(a, op);
        case OP_QUEUE_CLOSE:
                native_queue_close(world.queue);
                return (struct result){};
        default:
                return run_fd_op(a, op);
        }
}
