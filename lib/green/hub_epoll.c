/*
 * lib/green/hub_epoll.c: what epoll is told about descriptors, and how rarely.
 *
 * Two ways of arming. For a caller who promises nothing a descriptor is armed with EPOLLONESHOT for exactly
 * what is waited for, by one EPOLL_CTL_MOD (or ADD) per wait: that is right whatever becomes of the number
 * between two waits, and an event that nobody waits for comes once only.
 *
 * With GREEN_KEPT the registration is level-triggered and stays: as long as the wanted set does not change a
 * wait costs no system call. It is taken back only where it hurts: by a poll that was to sleep and was woken
 * for nobody (a writer who has gone, a hang-up, data that its reader has no time for). Such a cache of what
 * the kernel knows goes wrong when somebody closes the descriptor behind our back and its number comes back,
 * so it is checked, lazily: a wait that has lasted CHECK_MS, and each 64th one, tells epoll again what is
 * wanted. That finds the registration gone and makes a new one, or the descriptor closed and wakes who waits.
 * A broken promise costs up to CHECK_MS, never a wait that does not end.
 *
 * A registration belongs to the open file, not to the number: if the file lives on (dup(), a child process)
 * its events go on, and no call can name it any more. Each event carries the generation of the registration
 * it was made with, so it wakes nobody; and when such events keep the hub from sleeping, a new epoll
 * descriptor takes the place of the old.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "base/original.h"
#include "green/green_priv.h"
#include "green/probes.h"

enum {
        EVENTS_PER_POLL = 128,
        CHECK_MS = 10,
        CHECKS_PER_POLL = 64,
        HANG_UP = EPOLLERR | EPOLLHUP, /* reported whether asked for or not */
};

/* A wait that relies on a registration made earlier. */
struct fd_check {
        int fd;
        unsigned wait;
        int64_t at_ns;
};

int hub_fd_init(struct hub *h, struct error *err)
{
        h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        return h->epoll_fd < 0 ? error_system(err, errno, "epoll_create1") : 0;
}

void hub_fd_free(struct hub *h)
{
        closep(&h->epoll_fd);
        free(h->fds);
        free(h->checks.ring);
}

struct fd_entry *hub_fd_entry(struct hub *h, int fd)
{
        if (__builtin_expect((size_t)fd >= h->n_fds, 0)) {
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

static unsigned wanted(const struct fd_entry *e)
{
        return (e->waiter[READER] ? GREEN_READ : 0) | (e->waiter[WRITER] ? GREEN_WRITE : 0);
}

/* May the registration stay? Only if all who wait have promised. */
static bool may_keep(const struct fd_entry *e)
{
        return (wanted(e) & ~(unsigned)e->kept_by) == 0;
}

static int HUB_ONLY control(struct hub *h, int op, int fd, const struct fd_entry *e, unsigned set, bool kept)
{
        struct epoll_event ev = {
                .events = (set & GREEN_READ ? EPOLLIN | EPOLLRDHUP : 0) | (set & GREEN_WRITE ? EPOLLOUT : 0) |
                          (kept ? 0 : EPOLLONESHOT),
                .data.u64 = (uint64_t)e->generation << 32 | (unsigned)fd,
        };

        h->stats.fd_changes++;
        return epoll_ctl(h->epoll_fd, op, fd, &ev) == 0 ? 0 : errno;
}

/* Forgets what epoll was told: the descriptor is another one, or gone. */
static void HUB_ONLY drop(struct fd_entry *e)
{
        e->registered = false;
        e->armed = 0;
        e->generation++;
        e->note = 0;
}

int hub_fd_arm(struct hub *h, int fd, struct fd_entry *e)
{
        unsigned set = wanted(e);
        bool kept = may_keep(e);
        int r = 0;

        if (e->registered) {
                r = control(h, EPOLL_CTL_MOD, fd, e, set, kept);
                if (r != 0)
                        drop(e); /* another file has the number now, or none */
        }
        if (!e->registered && (r == 0 || r == ENOENT)) {
                r = control(h, EPOLL_CTL_ADD, fd, e, set, kept);
                if (r == EEXIST)
                        r = control(h, EPOLL_CTL_MOD, fd, e, set, kept);
        }
        if (r != 0)
                return r;
        e->registered = true;
        e->armed = (uint8_t)set;
        e->kept = kept;
        return 0;
}

void hub_fd_unregister(struct hub *h, int fd, struct fd_entry *e)
{
        if (e->registered)
                control(h, EPOLL_CTL_DEL, fd, e, 0, true); /* fails when it was closed already */
        drop(e);
}

/* ---- the lazy check of what is relied upon ---- */

bool hub_fd_check_later(struct hub *h, int fd, struct fd_entry *e)
{
        struct fd_checks *c = &h->checks;

        if (c->n == c->cap) {
                size_t cap = c->cap ? c->cap * 2 : 64;
                struct fd_check *ring = malloc(cap * sizeof(*ring));

                if (!ring)
                        return false;
                for (size_t i = 0; i < c->n; i++)
                        ring[i] = c->ring[(c->head + i) & (c->cap - 1)];
                free(c->ring);
                *c = (struct fd_checks){ .ring = ring, .n = c->n, .cap = cap };
        }
        c->ring[(c->head + c->n++) & (c->cap - 1)] =
                (struct fd_check){ fd, e->wait, h->now_ns + CHECK_MS * NS_PER_MS };
        return true;
}

void hub_fd_arm_again(struct hub *h, int fd, struct fd_entry *e)
{
        int r = hub_fd_arm(h, fd, e);

        if (r != 0)
                hub_fd_dismiss(h, e, r == EBADF ? WAKE_CLOSED : WAKE_REFUSED);
}

int64_t hub_fd_check(struct hub *h, int64_t now)
{
        struct fd_checks *c = &h->checks;
        unsigned made = 0;

        for (; c->n > 0; c->n--, c->head = (c->head + 1) & (c->cap - 1)) {
                const struct fd_check *next = &c->ring[c->head];
                struct fd_entry *e = &h->fds[next->fd];

                if (e->wait != next->wait || !wanted(e))
                        continue; /* that wait is over */
                if (next->at_ns > now || made == CHECKS_PER_POLL)
                        return next->at_ns;
                made++;
                hub_fd_arm_again(h, next->fd, e);
        }
        return INT64_MAX;
}

/* ---- polling ---- */

static void HUB_ONLY serve(struct hub *h, struct fd_entry *e, int side, enum wake why)
{
        struct green *g = take_ptr(&e->waiter[side]);

        h->fd_waiters--;
        if (why == WAKE_OK)
                g->fd_ready |= side == READER ? GREEN_READ : GREEN_WRITE;
        if (g->state == G_PARKED)
                hub_wake(g, why);
}

void hub_fd_dismiss(struct hub *h, struct fd_entry *e, enum wake why)
{
        for (int side = READER; side <= WRITER; side++)
                if (e->waiter[side])
                        serve(h, e, side, why);
}

/* An event that nobody waits for has ended a sleep: not again. */
static void HUB_ONLY disarm(struct hub *h, int fd, struct fd_entry *e, unsigned events)
{
        if (wanted(e) == 0 && (events & HANG_UP)) { /* cannot be masked */
                if (control(h, EPOLL_CTL_DEL, fd, e, 0, true) != 0)
                        h->stale_events = true;
                drop(e);
        } else if (control(h, EPOLL_CTL_MOD, fd, e, wanted(e), true) == 0) {
                e->armed = (uint8_t)wanted(e);
        } else {
                h->stale_events = true;
                drop(e);
                if (wanted(e))
                        hub_fd_arm_again(h, fd, e);
        }
}

static void HUB_ONLY dispatch(struct hub *h, const struct epoll_event *ev, bool ended_a_sleep)
{
        int fd = (int)(uint32_t)ev->data.u64;
        struct fd_entry *e = &h->fds[fd];
        unsigned ready = (ev->events & (EPOLLIN | EPOLLRDHUP | HANG_UP) ? GREEN_READ : 0) |
                         (ev->events & (EPOLLOUT | HANG_UP) ? GREEN_WRITE : 0);
        bool served = false;

        if (e->generation != (uint32_t)(ev->data.u64 >> 32)) {
                h->stale_events |= ended_a_sleep;
                return;
        }
        for (int side = READER; side <= WRITER; side++)
                if (e->waiter[side] && (ready & (side == READER ? GREEN_READ : GREEN_WRITE))) {
                        serve(h, e, side, WAKE_OK);
                        served = true;
                }
        if (!e->kept) {
                e->armed = 0;
                if (wanted(e))
                        hub_fd_arm_again(h, fd, e);
        } else if (!served && ended_a_sleep) {
                disarm(h, fd, e, ev->events);
        }
}

/* Leaves everything behind that the old epoll descriptor knows. */
static void HUB_ONLY renew(struct hub *h)
{
        int fresh = epoll_create1(EPOLL_CLOEXEC);

        if (fresh < 0) /* at the limit of descriptors: the next event tries again */
                return;
        h->stale_events = false;
        closep(&h->epoll_fd);
        h->epoll_fd = fresh;
        for (size_t fd = 0; fd < h->n_fds; fd++) {
                struct fd_entry *e = &h->fds[fd];

                if (e->registered)
                        drop(e);
                if (wanted(e))
                        hub_fd_arm_again(h, (int)fd, e);
        }
}

void hub_fd_poll(struct hub *h, int timeout_ms)
{
        struct epoll_event events[EVENTS_PER_POLL];
        int n;

        if (h->fd_waiters == 0 && timeout_ms == 0)
                return;
        n = patcher_original(epoll_wait)(h->epoll_fd, events, EVENTS_PER_POLL, timeout_ms);
        DTRACE_PROBE2(green, poll, n, timeout_ms);
        for (int i = 0; i < n; i++)
                dispatch(h, &events[i], timeout_ms != 0);
        if (h->stale_events)
                renew(h);
}
