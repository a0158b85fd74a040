/* Subjects: waiting for descriptors. O_NONBLOCK means nothing to them. */
#include <errno.h>
#include <sys/epoll.h>

#include "subject.h"

enum { CLOSED_FD = 60 }; /* the kernel passes over those above 63 while none was ever open */

static void open_pair(struct scene *s)
{
        struct pair p = stream_pair();

        s->fd = p.a;
        s->peer = p.b;
}

static void send_one(struct scene *s)
{
        ck_assert_int_eq(patcher_original(send)(s->peer, "x", 1, 0), 1);
}

/* NULL when there is no limit. */
static const struct timespec *limit_of(const struct scene *s)
{
        static struct timespec limit = { 0, LIMIT_MS * NS_PER_MS };

        return s->limit_ms < 0 ? NULL : &limit;
}

static struct pollfd reading(const struct scene *s)
{
        return (struct pollfd){ .fd = s->fd, .events = POLLIN };
}

/* A descriptor that was closed is POLLNVAL, and told as -1 with EBADF here. */
static long polled(int r, const struct pollfd *p)
{
        if (r == 1 && (p->revents & POLLNVAL)) {
                errno = EBADF;
                return -1;
        }
        return r;
}

static long call_poll(struct scene *s)
{
        struct pollfd p = reading(s);

        return polled(poll(&p, 1, s->limit_ms), &p);
}

static bool bad_poll(struct scene *s, int which, struct answer *ret)
{
        struct pollfd p = { .fd = NO_FD, .events = POLLIN };

        switch (which) {
        case 0:
                return WILD_ANSWER(ret, poll(nowhere, 1, 0));
        case 1:
                return answer_of(ret, polled(poll(&p, 1, 1000), &p));
        case 2:
                return WILD_ANSWER(ret, poll(nowhere, 1 << 30, 1000));
        default:
                return false;
        }
}

static long call_poll_chk(struct scene *s)
{
        struct pollfd p = reading(s);

        return polled(__poll_chk(&p, 1, s->limit_ms, sizeof(p)), &p);
}

static bool bad_poll_chk(struct scene *s, int which, struct answer *ret)
{
        return which == 0 && WILD_ANSWER(ret, __poll_chk(nowhere, 1, 0, 100));
}

static long call_ppoll(struct scene *s)
{
        struct pollfd p = reading(s);

        return polled(ppoll(&p, 1, limit_of(s), NULL), &p);
}

static bool bad_ppoll(struct scene *s, int which, struct answer *ret)
{
        struct pollfd p = { .fd = NO_FD, .events = POLLIN };

        switch (which) {
        case 0:
                return answer_of(ret, ppoll(&p, 1, &(struct timespec){ 0, -1 }, NULL));
        case 1:
                return answer_of(ret, ppoll(&p, 1, &(struct timespec){ -1, 0 }, NULL));
        case 2:
                return answer_of(ret, polled(ppoll(&p, 1, NULL, NULL), &p));
        default:
                return false;
        }
}

static long call_ppoll_chk(struct scene *s)
{
        struct pollfd p = reading(s);

        return polled(__ppoll_chk(&p, 1, limit_of(s), NULL, sizeof(p)), &p);
}

static bool bad_ppoll_chk(struct scene *s, int which, struct answer *ret)
{
        struct pollfd p = { .fd = NO_FD };

        return which == 0 && answer_of(ret, __ppoll_chk(&p, 1, &(struct timespec){ 0, -1 }, NULL, sizeof(p)));
}

static long call_select(struct scene *s)
{
        struct timeval tv = { s->limit_ms / 1000, s->limit_ms % 1000 * 1000 };
        fd_set in;

        FD_ZERO(&in);
        FD_SET(s->fd, &in);
        return select(s->fd + 1, &in, NULL, NULL, s->limit_ms < 0 ? NULL : &tv);
}

static bool bad_select(struct scene *s, int which, struct answer *ret)
{
        fd_set in;

        FD_ZERO(&in);
        FD_SET(CLOSED_FD, &in);
        switch (which) {
        case 0:
                return answer_of(ret, select(-1, NULL, NULL, NULL, NULL));
        case 1:
                return answer_of(ret, select(CLOSED_FD + 1, &in, NULL, NULL, NULL));
        case 2:
                return answer_of(ret, select(1, NULL, NULL, NULL, &(struct timeval){ -1, 0 }));
        default:
                return false;
        }
}

static long call_pselect(struct scene *s)
{
        fd_set in;

        FD_ZERO(&in);
        FD_SET(s->fd, &in);
        return pselect(s->fd + 1, &in, NULL, NULL, limit_of(s), NULL);
}

static bool bad_pselect(struct scene *s, int which, struct answer *ret)
{
        fd_set in;

        FD_ZERO(&in);
        FD_SET(CLOSED_FD, &in);
        switch (which) {
        case 0:
                return answer_of(ret, pselect(-1, NULL, NULL, NULL, NULL, NULL));
        case 1:
                return answer_of(ret, pselect(CLOSED_FD + 1, &in, NULL, NULL, NULL, NULL));
        case 2:
                return answer_of(ret, pselect(1, NULL, NULL, NULL, &(struct timespec){ 0, NS_PER_S }, NULL));
        default:
                return false;
        }
}

/* ---- epoll ---- */

static void open_epoll(struct scene *s)
{
        struct epoll_event ev = { .events = EPOLLIN };
        struct pair p = stream_pair();

        s->fd = epoll_create1(EPOLL_CLOEXEC);
        s->other = p.a;
        s->peer = p.b;
        ck_assert_int_eq(epoll_ctl(s->fd, EPOLL_CTL_ADD, p.a, &ev), 0);
}

static long call_epoll_wait(struct scene *s)
{
        struct epoll_event events[4];

        return epoll_wait(s->fd, events, 4, s->limit_ms);
}

static bool bad_epoll_wait(struct scene *s, int which, struct answer *ret)
{
        struct epoll_event ev;

        switch (which) {
        case 0:
                return answer_of(ret, epoll_wait(NO_FD, &ev, 1, -1));
        case 1:
                return answer_of(ret, epoll_wait(s->other, &ev, 1, -1)); /* a socket */
        case 2:
                return answer_of(ret, epoll_wait(s->fd, &ev, 0, -1));
        case 3:
                send_one(s);
                return WILD_ANSWER(ret, epoll_wait(s->fd, wild, 1, -1));
        default:
                return false;
        }
}

static long call_epoll_pwait(struct scene *s)
{
        struct epoll_event ev;

        return epoll_pwait(s->fd, &ev, 1, s->limit_ms, NULL);
}

static bool bad_epoll_pwait(struct scene *s, int which, struct answer *ret)
{
        struct epoll_event ev;

        return which == 0 && answer_of(ret, epoll_pwait(NO_FD, &ev, 1, -1, NULL));
}

static long call_epoll_pwait2(struct scene *s)
{
        struct epoll_event ev;

        return epoll_pwait2(s->fd, &ev, 1, limit_of(s), NULL);
}

static bool bad_epoll_pwait2(struct scene *s, int which, struct answer *ret)
{
        struct epoll_event ev;

        switch (which) {
        case 0:
                return answer_of(ret, epoll_pwait2(NO_FD, &ev, 1, NULL, NULL));
        case 1:
                return answer_of(ret, epoll_pwait2(s->fd, &ev, 1, &(struct timespec){ 0, -1 }, NULL));
        default:
                return false;
        }
}

#define WAITER(symbol, open_, function, flags_)                                                \
        {                                                                                      \
                .name = #symbol, .flags = WAITS | HAS_FD | LIMITED | (flags_), .open = open_,  \
                .call = call_##function, .release = send_one, .success = 1, .late = { 0, 0 },  \
                .closed = { -1, EBADF }, .cancelled = { -1, ECANCELED }, .bad = bad_##function \
        }

const struct subject select_subjects[] = {
        WAITER(poll, open_pair, poll, 0),
        WAITER(ppoll, open_pair, ppoll, 0),
        WAITER(__poll_chk, open_pair, poll_chk, 0),
        WAITER(__ppoll_chk, open_pair, ppoll_chk, 0),
        WAITER(select, open_pair, select, 0),
        WAITER(pselect, open_pair, pselect, 0),
        WAITER(epoll_wait, open_epoll, epoll_wait, 0),
        WAITER(epoll_pwait, open_epoll, epoll_pwait, 0),
        WAITER(epoll_pwait2, open_epoll, epoll_pwait2, NATIVE_UNKNOWN_TO_VALGRIND),
        {},
};
