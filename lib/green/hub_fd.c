/*
 * lib/green/hub_fd.c: green threads that wait for descriptors. Each has at most one reader and one writer
 * waiting. What epoll is told of it, and when, is in hub_epoll.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/original.h"
#include "green/green_priv.h"

enum { FDS_ON_STACK = 16, CHECK_EACH = 64 /* waits */ };

static void HUB_ONLY delist(struct hub *h, int fd)
{
        if (fd < 0 || (size_t)fd >= h->n_fds)
                return;
        for (int side = READER; side <= WRITER; side++)
                if (h->fds[fd].waiter[side] == h->current) {
                        h->fds[fd].waiter[side] = NULL;
                        h->fd_waiters--;
                }
}

/* Registers the current green thread for the given directions. 0; 1: always ready; -1 with err. */
static int HUB_ONLY enlist(struct hub *h, int fd, unsigned events, struct error *err)
{
        struct fd_entry *e;
        struct green *self = h->current;
        int r;

        /* The table grows for open descriptors only. */
        if (fd < 0 || ((size_t)fd >= h->n_fds && fcntl(fd, F_GETFD) < 0))
                return error_system(err, EBADF, "waiting for descriptor %d", fd);
        e = hub_fd_entry(h, fd);
        if (!e)
                return error_system(err, ENOMEM, "waiting for descriptor %d", fd);
        for (int side = READER; side <= WRITER; side++) {
                struct green *g = e->waiter[side];

                if (!(events & (side == READER ? GREEN_READ : GREEN_WRITE)) || g == self)
                        continue;
                if (g)
                        return error_set(err, ERR_BUSY, "descriptor %d: green thread %s already waits to %s",
                                         fd, g->name, side == READER ? "read" : "write");
        }
        for (int side = READER; side <= WRITER; side++) {
                if (!(events & (side == READER ? GREEN_READ : GREEN_WRITE)) || e->waiter[side] == self)
                        continue;
                e->waiter[side] = self;
                h->fd_waiters++;
        }
        if (events & GREEN_KEPT)
                e->kept_by |= events & (GREEN_READ | GREEN_WRITE);
        else
                e->kept_by &= (uint8_t)~events;
        e->wait++;
        if (e->kept && (e->armed & events) == (events & (GREEN_READ | GREEN_WRITE)) &&
            (events & GREEN_KEPT) && e->wait % CHECK_EACH != 0 && hub_fd_check_later(h, fd, e))
                return 0;
        r = hub_fd_arm(h, fd, e);
        if (r == 0)
                return 0;
        assert_on_hub(); /* in a forked child there is no epoll descriptor, and that is why */
        delist(h, fd);
        if (e->waiter[READER] || e->waiter[WRITER]) /* epoll may have lost what it knew of them */
                hub_fd_arm_again(h, fd, e);
        return r == EPERM ? 1 : error_system(err, r, "waiting for descriptor %d", fd);
}

static const char *verb_of(unsigned events)
{
        switch (events & (GREEN_READ | GREEN_WRITE)) {
        case GREEN_READ:
                return "read";
        case GREEN_WRITE:
                return "write";
        default:
                return "read or write";
        }
}

/* waiters: NULL, or where else somebody may wake it; then nothing is ready. */
static int YIELDS wait_fd(int fd, unsigned events, struct list *waiters, struct deadline by,
                          struct error *err)
{
        struct hub *h = the_hub;
        struct green *self = h->current;
        struct wait_info what = { .verb = verb_of(events), .fd = fd };
        enum wake w;
        int r;

        self->fd_ready = 0;
        r = enlist(h, fd, events, err);
        if (r != 0) {
                delist(h, fd);
                return r > 0 ? (int)(events & (GREEN_READ | GREEN_WRITE)) : -1;
        }
        if (waiters)
                list_append(waiters, &self->link);
        w = hub_park(h, &what, by);
        delist(h, fd);
        if (w == WAKE_OK)
                return (int)self->fd_ready;
        return wake_error(w, what.verb, "on a descriptor", err);
}

int green_wait_fd(int fd, unsigned events, struct deadline by, struct error *err)
{
        return wait_fd(fd, events, NULL, by, err);
}

int green_wait_fd_or_cond(int fd, unsigned events, struct green_cond *c, struct deadline by,
                          struct error *err)
{
        return fd < 0 ? green_cond_wait(c, by, err) : wait_fd(fd, events, &c->waiters, by, err);
}

/* What is ready now, without waiting: the number of entries, their revents filled. */
static int poll_now(struct green_pollfd *fds, struct pollfd *p, unsigned n)
{
        unsigned broken = POLLERR | POLLHUP | POLLNVAL;
        int r;

        for (unsigned i = 0; i < n; i++) {
                p[i].fd = fds[i].fd;
                p[i].events = (short)((fds[i].events & GREEN_READ ? POLLIN | POLLRDHUP : 0) |
                                      (fds[i].events & GREEN_WRITE ? POLLOUT : 0));
                p[i].revents = 0;
        }
        r = patcher_original(poll)(p, n, 0);
        for (unsigned i = 0; i < n; i++) {
                unsigned re = (unsigned short)p[i].revents;

                fds[i].revents = (re & (POLLIN | POLLRDHUP | broken) ? fds[i].events & GREEN_READ : 0) |
                                 (re & (POLLOUT | broken) ? fds[i].events & GREEN_WRITE : 0);
        }
        return r;
}

static int YIELDS wait_fds(struct green_pollfd *fds, struct pollfd *p, unsigned n, struct deadline by,
                           struct error *err)
{
        struct hub *h = the_hub;
        struct wait_info what = { .verb = "poll", .name = "several descriptors", .fd = -1 };
        enum wake w = WAKE_OK;
        int r = 0;

        for (;;) {
                int ready = poll_now(fds, p, n);

                if (ready > 0)
                        return ready;
                h->current->fd_ready = 0;
                for (unsigned i = 0; i < n && r == 0; i++)
                        if (fds[i].fd >= 0 && (fds[i].events & (GREEN_READ | GREEN_WRITE)))
                                r = enlist(h, fds[i].fd, fds[i].events, err);
                if (r == 0)
                        w = hub_park(h, &what, by);
                for (unsigned i = 0; i < n; i++)
                        delist(h, fds[i].fd);
                if (r < 0)
                        return -1;
                if (w != WAKE_OK)
                        return wake_error(w, what.verb, what.name, err);
        }
}

int green_wait_fds(struct green_pollfd *fds, unsigned n, struct deadline by, struct error *err)
{
        struct pollfd on_stack[FDS_ON_STACK], *p = on_stack;
        int r;

        if (n > FDS_ON_STACK && !(p = calloc(n, sizeof(*p))))
                return error_system(err, ENOMEM, "waiting for %u descriptors", n);
        r = wait_fds(fds, p, n, by, err);
        if (p != on_stack)
                free(p);
        return r;
}

void green_forget_fd(int fd)
{
        struct hub *h = the_hub;
        struct fd_entry *e;

        if (fd < 0 || (size_t)fd >= h->n_fds)
                return;
        e = &h->fds[fd];
        hub_fd_dismiss(h, e, WAKE_CLOSED);
        hub_fd_unregister(h, fd, e);
}

void green_close(int fd)
{
        if (fd < 0)
                return;
        green_forget_fd(fd);
        patcher_original(close)(fd);
}

uint32_t *green_fd_note(int fd)
{
        struct hub *h = the_hub;

        return fd >= 0 && (size_t)fd < h->n_fds ? &h->fds[fd].note : NULL;
}
