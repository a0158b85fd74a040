/*
 * lib/green/hub_fd.c: waiting for descriptors with epoll.
 *
 * Each descriptor has at most one reader and one writer waiting. It is armed with EPOLLONESHOT for exactly
 * what is waited for, by EPOLL_CTL_MOD with a fall-back to ADD: that stays right when foreign code closes a
 * descriptor and its number comes back as something else, which no cache of registrations survives. An event
 * that nobody waits for any more is dropped.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/original.h"
#include "green/green_priv.h"
#include "green/probes.h"

enum { READER, WRITER, EVENTS_PER_POLL = 128, FDS_ON_STACK = 16 };

int hub_fd_init(struct hub *h, struct error *err)
{
        h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        return h->epoll_fd < 0 ? error_system(err, errno, "epoll_create1") : 0;
}

void hub_fd_free(struct hub *h)
{
        closep(&h->epoll_fd);
        free(h->fds);
}

static struct fd_entry *HUB_ONLY entry_of(struct hub *h, int fd)
{
        if ((size_t)fd >= h->n_fds) {
                size_t n = h->n_fds ? h->n_fds : 64;
                struct fd_entry *fds;

                while (n <= (size_t)fd)
                        n *= 2;
                fds = realloc(h->fds, n * sizeof(*fds));
                if (!fds)
                        return NULL;
                h->fds = fds;
                memset(h->fds + h->n_fds, 0, (n - h->n_fds) * sizeof(*h->fds));
                h->n_fds = n;
        }
        return &h->fds[fd];
}

/* Tells epoll what is waited for now. 0, or an errno; EPERM: a kind of file that is always ready. */
static int HUB_ONLY arm(struct hub *h, int fd, struct fd_entry *e)
{
        struct epoll_event ev = { .events = EPOLLONESHOT, .data.fd = fd };

        if (e->waiter[READER])
                ev.events |= EPOLLIN | EPOLLRDHUP;
        if (e->waiter[WRITER])
                ev.events |= EPOLLOUT;
        if (e->in_epoll && epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, fd, &ev) == 0)
                return 0;
        e->in_epoll = false;
        if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 &&
            (errno != EEXIST || epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0))
                return errno;
        e->in_epoll = true;
        return 0;
}

/* Who still waits fails for this reason. */
static void HUB_ONLY dismiss_waiters(struct hub *h, struct fd_entry *e, enum wake why)
{
        for (int side = READER; side <= WRITER; side++) {
                struct green *g = take_ptr(&e->waiter[side]);

                if (!g)
                        continue;
                h->fd_waiters--;
                if (g->state == G_PARKED)
                        hub_wake(g, why);
        }
}

static void HUB_ONLY dispatch(struct hub *h, int fd, unsigned events)
{
        struct fd_entry *e = &h->fds[fd];
        unsigned broken = EPOLLERR | EPOLLHUP;
        bool rest;

        for (int side = READER; side <= WRITER; side++) {
                struct green *g = e->waiter[side];
                unsigned ready = side == READER ? EPOLLIN | EPOLLRDHUP | broken : EPOLLOUT | broken;

                if (!g || !(events & ready))
                        continue;
                e->waiter[side] = NULL;
                h->fd_waiters--;
                g->fd_ready |= side == READER ? GREEN_READ : GREEN_WRITE;
                if (g->state == G_PARKED)
                        hub_wake(g, WAKE_OK);
        }
        rest = e->waiter[READER] || e->waiter[WRITER];
        if (rest && arm(h, fd, e) != 0)
                dismiss_waiters(h, e, WAKE_REFUSED); /* nobody would ever wake them */
}

void hub_fd_poll(struct hub *h, int timeout_ms)
{
        struct epoll_event events[EVENTS_PER_POLL];
        int n;

        if (h->fd_waiters == 0 && timeout_ms == 0)
                return;
        n = epoll_wait(h->epoll_fd, events, EVENTS_PER_POLL, timeout_ms);
        DTRACE_PROBE2(green, poll, n, timeout_ms);
        for (int i = 0; i < n; i++)
                if ((size_t)events[i].data.fd < h->n_fds)
                        dispatch(h, events[i].data.fd, events[i].events);
}

/* Registers the current green thread for the given directions. 0; 1: always ready; -1 with err. */
static int HUB_ONLY enlist(struct hub *h, int fd, unsigned events, struct error *err)
{
        struct fd_entry *e;
        struct green *self = h->current;
        int r;

        if (fd < 0)
                return error_system(err, EBADF, "waiting for descriptor %d", fd);
        e = entry_of(h, fd);
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
        r = arm(h, fd, e);
        if (r == 0)
                return 0;
        return r == EPERM ? 1 : error_system(err, r, "waiting for descriptor %d", fd);
}

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

static const char *verb_of(unsigned events)
{
        return events == GREEN_READ ? "read" : events == GREEN_WRITE ? "write" : "read or write";
}

int green_wait_fd(int fd, unsigned events, struct deadline by, struct error *err)
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
                return r > 0 ? (int)events : -1;
        }
        w = hub_park(h, &what, by);
        delist(h, fd);
        if (w == WAKE_OK)
                return (int)self->fd_ready;
        return wake_error(w, what.verb, "on a descriptor", err);
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
                        if (fds[i].fd >= 0 && fds[i].events)
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

void green_close(int fd)
{
        struct hub *h = the_hub;

        if (fd < 0)
                return;
        if ((size_t)fd < h->n_fds) {
                dismiss_waiters(h, &h->fds[fd], WAKE_CLOSED);
                h->fds[fd].in_epoll = false;
        }
        close(fd);
}
