/*
 * tests/bench/floor_epoll.c: the floor of everything that waits for the kernel: bare loops, no threads to
 * switch.
 *
 * echo-server: an edge-triggered epoll loop with one registration for each connection.
 * sleepers: a heap of 100,000 deadlines and one fresh page for each, woken once in a millisecond.
 * queue-*: a native thread, an inbox and one loop over epoll; for queue-spin a loop that only looks.
 * tpool: two native threads that wake each other by eventfds.
 * execute-true: posix_spawn and waitpid.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "inbox.h"

enum { BACKLOG = 128, EVENTS = 128, BUFFER = 4096, SLEEPERS = 100000, STACK = 64 * 1024 };

static int epoll_new(void)
{
        int fd = epoll_create1(EPOLL_CLOEXEC);

        if (fd < 0)
                measure_fail("epoll_create1");
        return fd;
}

static void epoll_add(int epoll, int fd, unsigned events)
{
        struct epoll_event ev = { .events = events, .data.fd = fd };

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
                measure_fail("epoll_ctl");
}

/* ---- echo ---- */

static int listen_anywhere(void)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(addr);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, BACKLOG) < 0 ||
            getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
                measure_fail("echo: cannot listen");
        measure_report("port", ntohs(addr.sin_port), "");
        return fd;
}

static void accept_all(int epoll, int listener)
{
        int fd, on = 1;

        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                epoll_add(epoll, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
        }
}

/* A message fits into the socket's buffer; a short read means that there is no more. */
static void answer(int fd)
{
        char data[BUFFER];
        ssize_t n;

        do {
                n = recv(fd, data, sizeof(data), 0);
                if (n == 0 || (n < 0 && errno != EAGAIN) ||
                    (n > 0 && send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)) {
                        close(fd);
                        return;
                }
        } while (n == sizeof(data));
}

static void echo_server(void)
{
        int epoll = epoll_new(), listener = listen_anywhere();
        struct epoll_event events[EVENTS];

        epoll_add(epoll, listener, EPOLLIN);
        for (;;) {
                int n = epoll_wait(epoll, events, EVENTS, -1);

                for (int i = 0; i < n; i++) {
                        if (events[i].data.fd == listener)
                                accept_all(epoll, listener);
                        else
                                answer(events[i].data.fd);
                }
        }
}

/* ---- sleepers ---- */

struct sleeper {
        int64_t due;
        long i;
};

static void heap_add(struct sleeper *heap, long n, struct sleeper s)
{
        while (n > 0 && heap[(n - 1) / 4].due > s.due) {
                heap[n] = heap[(n - 1) / 4];
                n = (n - 1) / 4;
        }
        heap[n] = s;
}

/* Takes the first of n. */
static void heap_take(struct sleeper *heap, long n)
{
        struct sleeper last = heap[--n];
        long at = 0;

        for (;;) {
                long least = -1;

                for (long c = 4 * at + 1; c <= 4 * at + 4 && c < n; c++)
                        if (least < 0 || heap[c].due < heap[least].due)
                                least = c;
                if (least < 0 || heap[least].due >= last.due)
                        break;
                heap[at] = heap[least];
                at = least;
        }
        heap[at] = last;
}

static void sleepers(void)
{
        long n = measure_count(SLEEPERS), left = n;
        struct sleeper *heap = calloc((size_t)n, sizeof(*heap));
        unsigned char *stacks = mmap(NULL, (size_t)n * STACK, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        struct measure_samples late;
        int epoll = epoll_new();
        struct epoll_event ev;
        int64_t began;

        if (!heap || stacks == MAP_FAILED)
                measure_fail("no memory");
        madvise(stacks, (size_t)n * STACK, MADV_NOHUGEPAGE);
        measure_samples_init(&late, n);
        began = measure_cpu();
        for (long i = 0; i < n; i++) {
                stacks[i * STACK] = 1;
                heap_add(heap, i, (struct sleeper){ measure_now() + measure_nap_ns(i), i });
        }
        while (left > 0) {
                int64_t now = measure_now(), wait = heap[0].due - now;

                if (wait > 0)
                        epoll_wait(epoll, &ev, 1, (int)((wait + 999999) / 1000000));
                now = measure_now();
                while (left > 0 && heap[0].due <= now) {
                        stacks[heap[0].i * STACK]++;
                        measure_sample(&late, measure_now() - heap[0].due);
                        heap_take(heap, left--);
                }
        }
        measure_report_sleepers(&late, measure_cpu() - began);
}

/* ---- from a native thread ---- */

static struct inbox inbox;
static int loop_epoll;

static struct inbox_node *wait_for_items(void)
{
        struct inbox_node *node;
        struct epoll_event ev;

        while (!(node = inbox_take(&inbox))) {
                epoll_wait(loop_epoll, &ev, 1, -1);
                inbox_heard(&inbox);
        }
        return node;
}

static struct inbox_node *look_for_items(void)
{
        struct inbox_node *node;

        while (!(node = inbox_take(&inbox)))
                ;
        return node;
}

static void start_producer(struct measure_producer *p)
{
        p->push = inbox_push;
        p->queue = &inbox;
        inbox_init(&inbox, p->items);
        loop_epoll = epoll_new();
        epoll_add(loop_epoll, inbox.bell, EPOLLIN);
        measure_producer_start(p);
}

static void queue_burst(void)
{
        inbox_burst(start_producer, wait_for_items);
}

static void queue_one(void)
{
        inbox_one_at_a_time(start_producer, wait_for_items, "queue-one-p50", "queue-one-p99");
}

static void queue_spin(void)
{
        inbox_one_at_a_time(start_producer, look_for_items, "queue-spin-p50", "queue-spin-p99");
}

/* ---- there and back ---- */

static int there, back;

static void *worker(void *arg)
{
        long n = *(long *)arg;
        eventfd_t value;

        measure_to_other_core();
        while (n-- > 0) {
                (void)!eventfd_read(there, &value);
                eventfd_write(back, 1);
        }
        return NULL;
}

static void tpool(void)
{
        long n = measure_count(20000);
        eventfd_t value;
        pthread_t thread;
        int64_t began;

        there = eventfd(0, EFD_CLOEXEC);
        back = eventfd(0, EFD_CLOEXEC);
        if (pthread_create(&thread, NULL, worker, &n) != 0)
                measure_fail("pthread_create");
        began = measure_now();
        for (long i = 0; i < n; i++) {
                eventfd_write(there, 1);
                (void)!eventfd_read(back, &value);
        }
        measure_report("tpool", (double)(measure_now() - began) / (double)n / 1e3, "us");
        pthread_join(thread, NULL);
}

static void execute_true(void)
{
        static char *const argv[] = { (char *)"true", NULL };
        long n = measure_count(300);
        int64_t began = measure_now();

        for (long i = 0; i < n; i++) {
                pid_t pid;
                int status;

                if (posix_spawnp(&pid, "true", NULL, NULL, argv, environ) != 0 ||
                    waitpid(pid, &status, 0) != pid)
                        measure_fail("posix_spawnp");
        }
        measure_report("execute-true", (double)(measure_now() - began) / (double)n / 1e3, "us");
}

static const struct measure_work works[] = {
        { "echo-server", echo_server },   { "sleepers", sleepers },
        { "queue-burst", queue_burst },   { "queue-one", queue_one },
        { "queue-spin", queue_spin },     { "tpool", tpool },
        { "execute-true", execute_true }, { NULL, NULL },
};

int main(int argc, char **argv)
{
        return measure_main(works, argc, argv);
}
