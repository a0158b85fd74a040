/*
 * tests/bench/echo_client.c: echo_client PORT PID METRIC: the load on an echo server, the same for all of
 * them.
 *
 * 100 connections, each with one message of 64 bytes under way: what comes back is sent again. After a
 * warm-up the CPU time that process PID takes (its own clock: all threads, nanoseconds) is divided by the
 * answers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "measure.h"

enum { CONNECTIONS = 100, MESSAGE = 64, WARM_UP_MS = 200, MEASURED_MS = 1500 };

static int connect_to(int port)
{
        struct sockaddr_in addr = {
                .sin_family = AF_INET,
                .sin_addr = { htonl(INADDR_LOOPBACK) },
                .sin_port = htons((uint16_t)port),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
                measure_fail("echo: cannot connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        return fd;
}

struct connection {
        int fd;
        unsigned got; /* of the message under way */
};

static void put(const struct connection *c)
{
        static const char message[MESSAGE] = "what goes out comes back";

        if (send(c->fd, message, sizeof(message), MSG_NOSIGNAL) != sizeof(message))
                measure_fail("echo: the server takes no message");
}

/* For so long; the number of whole answers. */
static long play(int epoll, int64_t ns)
{
        struct epoll_event events[CONNECTIONS];
        int64_t end = measure_now() + ns;
        char data[MESSAGE];
        long answers = 0;

        while (measure_now() < end) {
                int n = epoll_wait(epoll, events, CONNECTIONS, 5000);

                if (n == 0)
                        measure_fail("echo: the server has not answered for 5 s");
                for (int i = 0; i < n; i++) {
                        struct connection *c = events[i].data.ptr;
                        ssize_t got = recv(c->fd, data, MESSAGE - c->got, MSG_DONTWAIT);

                        if (got <= 0 && errno != EAGAIN)
                                measure_fail("echo: the server has closed a connection");
                        if (got > 0)
                                c->got += (unsigned)got;
                        if (c->got < MESSAGE)
                                continue;
                        c->got = 0;
                        answers++;
                        put(c);
                }
        }
        return answers;
}

int main(int argc, char **argv)
{
        static struct connection all[CONNECTIONS];
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        int64_t quick = measure_quick() ? 20 : 1, cpu;
        clockid_t clock;
        long answers;

        if (argc != 4 || clock_getcpuclockid((pid_t)strtol(argv[2], NULL, 10), &clock) != 0)
                measure_fail("echo_client PORT PID METRIC");
        for (int i = 0; i < CONNECTIONS; i++) {
                struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &all[i] };

                all[i].fd = connect_to((int)strtol(argv[1], NULL, 10));
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &ev) < 0)
                        measure_fail("epoll_ctl");
        }
        for (int i = 0; i < CONNECTIONS; i++)
                put(&all[i]);
        play(epoll, WARM_UP_MS * INT64_C(1000000) / quick);
        cpu = measure_clock(clock);
        answers = play(epoll, MEASURED_MS * INT64_C(1000000) / quick);
        if (answers == 0)
                measure_fail("echo: no answers");
        measure_report(argv[3], (double)(measure_clock(clock) - cpu) / (double)answers / 1e3, "us");
        return 0;
}
