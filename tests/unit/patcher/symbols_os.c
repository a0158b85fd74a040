/* Subjects: waiting for a child, and what closes or changes a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subject.h"

enum { STATUS = 7 };

/* A child that ends with STATUS when it is told to. It has no hub: its calls are plain ones. */
static void open_child(struct scene *s)
{
        int gate[2];
        char c;

        ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
        s->child = fork();
        ck_assert_int_ge(s->child, 0);
        if (s->child == 0) {
                patcher_original(close)(gate[1]);
                _exit(read(gate[0], &c, 1) == 1 ? STATUS : 1);
        }
        patcher_original(close)(gate[0]);
        s->other = gate[1];
}

static void tell_child(struct scene *s)
{
        ck_assert_int_eq(patcher_original(write)(s->other, "x", 1), 1);
}

/* 0 when it was our child, and ended as it should. */
static long reaped(const struct scene *s, pid_t pid, int status)
{
        if (pid < 0)
                return -1;
        return pid == s->child && WIFEXITED(status) && WEXITSTATUS(status) == STATUS ? 0 : 1000 + status;
}

static long call_wait(struct scene *s)
{
        int status = 0;
        pid_t pid = wait(&status);

        return reaped(s, pid, status);
}

static long call_waitpid(struct scene *s)
{
        int status = 0;
        pid_t pid = waitpid(s->child, &status, 0);

        return reaped(s, pid, status);
}

static long call_wait3(struct scene *s)
{
        struct rusage usage;
        int status = 0;
        pid_t pid = wait3(&status, WUNTRACED, &usage);

        return reaped(s, pid, status);
}

static long call_wait4(struct scene *s)
{
        struct rusage usage;
        int status = 0;
        pid_t pid = wait4(s->child, &status, 0, &usage);

        return reaped(s, pid, status);
}

static long call_waitid(struct scene *s)
{
        siginfo_t info = {};

        if (waitid(P_PID, (id_t)s->child, &info, WEXITED) < 0)
                return -1;
        return info.si_pid == s->child && info.si_status == STATUS ? 0 : 1000;
}

static bool bad_wait(struct scene *s, int which, struct answer *ret)
{
        return false; /* it has none but "no child", which the scene has */
}

static bool bad_waitpid(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, waitpid(1, NULL, 0)); /* not ours */
        case 1:
                return answer_of(ret, waitpid(s->child, NULL, 0x1000));
        case 2:
                return answer_of(ret, waitpid(-s->child, NULL, 0)); /* no such group */
        default:
                return false;
        }
}

static bool bad_wait3(struct scene *s, int which, struct answer *ret)
{
        return which == 0 && answer_of(ret, wait3(NULL, 0x1000, NULL));
}

static bool bad_wait4(struct scene *s, int which, struct answer *ret)
{
        return which == 0 && answer_of(ret, wait4(1, NULL, 0, NULL));
}

static bool bad_waitid(struct scene *s, int which, struct answer *ret)
{
        siginfo_t info;

        switch (which) {
        case 0:
                return answer_of(ret, waitid(P_PID, 1, &info, WEXITED));
        case 1:
                return answer_of(ret, waitid(P_PID, (id_t)s->child, &info, 0));
        case 2:
                return answer_of(ret, waitid((idtype_t)99, 1, &info, WEXITED));
        case 3:
                return answer_of(ret, waitid(P_PIDFD, NO_FD, &info, WEXITED));
        default:
                return false;
        }
}

/* ---- what closes ---- */

struct reader {
        int fd, sys;
};

static int read_once(void *arg, struct error *err)
{
        struct reader *r = arg;
        char c;

        assert_green();
        r->sys = read(r->fd, &c, 1) < 0 ? errno : 0;
        return 0;
}

/* One green thread in read(); it must get EBADF by what `end` does to the descriptor. */
static void reader_is_told(void (*end)(int fd))
{
        static struct reader r;
        struct pair p = stream_pair();

        assert_green();
        r = (struct reader){ p.a, -1 };
        spawn("reader", read_once, &r);
        green_yield();
        ck_assert_int_eq(r.sys, -1);
        end(p.a);
        green_yield();
        ck_assert_int_eq(r.sys, EBADF);
}

static void end_by_close(int fd)
{
        ck_assert_int_eq(close(fd), 0);
}

static void end_by_dup2(int fd)
{
        ck_assert_int_eq(dup2(NO_FD, fd), -1); /* leaves it alone, and who waits */
        ck_assert_int_eq(dup2(STDOUT_FILENO, fd), fd);
}

static void end_by_dup3(int fd)
{
        ck_assert_int_eq(dup3(STDOUT_FILENO, fd, O_APPEND), -1);
        ck_assert_int_eq(dup3(STDOUT_FILENO, fd, O_CLOEXEC), fd);
}

static void own_close(void)
{
        reader_is_told(end_by_close);
}

static bool bad_close(struct scene *s, int which, struct answer *ret)
{
        return which < 2 && answer_of(ret, close(which ? -1 : NO_FD));
}

static void own_dup2(void)
{
        reader_is_told(end_by_dup2);
}

static bool bad_dup2(struct scene *s, int which, struct answer *ret)
{
        return which < 2 && answer_of(ret, which ? dup2(NO_FD, NO_FD) : dup2(STDOUT_FILENO, -1));
}

static void own_dup3(void)
{
        reader_is_told(end_by_dup3);
}

static bool bad_dup3(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, dup3(STDOUT_FILENO, STDOUT_FILENO, 0));
        case 1:
                return answer_of(ret, dup3(NO_FD, NO_FD + 1, 0));
        case 2:
                return answer_of(ret, dup3(STDOUT_FILENO, NO_FD, O_APPEND));
        default:
                return false;
        }
}

/* ---- what changes a descriptor's mode: the next call heeds it ---- */

static void expect_eagain(int fd)
{
        char c;

        ck_assert_int_eq(recv(fd, &c, 1, 0), -1);
        ck_assert_int_eq(errno, EAGAIN);
}

static void own_fcntl(void)
{
        struct pair p = stream_pair();

        ck_assert_int_eq(fcntl(p.a, F_SETFL, O_NONBLOCK), 0);
        expect_eagain(p.a);
        ck_assert(fcntl(p.a, F_GETFL) & O_NONBLOCK);
}

static bool bad_fcntl(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, fcntl(NO_FD, F_GETFL));
        case 1:
                return answer_of(ret, fcntl(STDOUT_FILENO, 9999, 0));
        case 2:
                return answer_of(ret, fcntl(STDOUT_FILENO, F_DUPFD, -1));
        default:
                return false;
        }
}

static void own_ioctl(void)
{
        struct pair p = stream_pair();

        ck_assert_int_eq(ioctl(p.a, FIONBIO, &(int){ 1 }), 0);
        expect_eagain(p.a);
}

static bool bad_ioctl(struct scene *s, int which, struct answer *ret)
{
        switch (which) {
        case 0:
                return answer_of(ret, ioctl(NO_FD, FIONBIO, &(int){ 1 }));
        case 1:
                return answer_of(ret, ioctl(stream_pair().a, FIONBIO, NULL));
        case 2:
                return answer_of(ret, ioctl(stream_pair().a, TIOCGWINSZ, NULL));
        default:
                return false;
        }
}

static void own_setsockopt(void)
{
        struct pair p = stream_pair();
        struct timeval tv = { 0, LIMIT_MS * 1000 };
        int64_t begin = clock_fake_elapsed_ms();

        ck_assert_int_eq(setsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        expect_eagain(p.a);
        ck_assert_int_eq(clock_fake_elapsed_ms() - begin, LIMIT_MS);
}

static bool bad_setsockopt(struct scene *s, int which, struct answer *ret)
{
        struct timeval tv = { 0, 5000000 };

        switch (which) {
        case 0:
                return answer_of(ret, setsockopt(NO_FD, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
        case 1:
                return answer_of(ret, setsockopt(stream_pair().a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
        case 2:
                return answer_of(ret, setsockopt(stream_pair().a, SOL_SOCKET, SO_RCVTIMEO, &tv, 1));
        case 3:
                return answer_of(ret, setsockopt(stream_pair().a, 12345, 1, &tv, sizeof(tv)));
        default:
                return false;
        }
}

#define CHILD_WAIT(symbol)                                                                            \
        {                                                                                             \
                .name = #symbol, .flags = WAITS | OUTSIDE, .open = open_child, .call = call_##symbol, \
                .release = tell_child, .cancelled = { -1, ECANCELED }, .bad = bad_##symbol            \
        }
#define CHANGES(symbol, function)                                             \
        {                                                                     \
                .name = #symbol, .own = own_##function, .bad = bad_##function \
        }

const struct subject os_subjects[] = {
        CHILD_WAIT(wait),
        CHILD_WAIT(waitpid),
        CHILD_WAIT(wait3),
        CHILD_WAIT(wait4),
        CHILD_WAIT(waitid),
        CHANGES(close, close),
        CHANGES(dup2, dup2),
        CHANGES(dup3, dup3),
        CHANGES(fcntl64, fcntl),
        CHANGES(ioctl, ioctl),
        CHANGES(setsockopt, setsockopt),
        {},
};
