/*
 * tests/bench/bench_echo.c: a server that sends back what it gets, a green thread for each connection.
 *
 * Prints "port N" and serves until it is killed: echo_client.c measures it from outside.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bench.h"

enum { BUFFER = 4096, BACKLOG = 128 };

/* -1 with errno EAGAIN: parked until it is worth another try. */
static bool YIELDS wait_for(int fd, unsigned event)
{
        struct error err;

        return errno == EAGAIN && green_wait_fd(fd, event | GREEN_KEPT, deadline_never(), &err) > 0;
}

static bool YIELDS send_all(int fd, const char *data, size_t len)
{
        while (len > 0) {
                ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && !wait_for(fd, GREEN_WRITE))
                        return false;
                if (n > 0) {
                        data += n;
                        len -= (size_t)n;
                }
        }
        return true;
}

static int serve(void *arg, struct error *err)
{
        int fd = (int)(intptr_t)arg;
        char data[BUFFER];
        ssize_t n;

        assert_green();
        while (green_wait_fd(fd, GREEN_READ | GREEN_KEPT, deadline_never(), err) > 0) {
                n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
                if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && !send_all(fd, data, (size_t)n)))
                        break;
        }
        green_close(fd);
        return 0;
}

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

static void bench_echo(void)
{
        int fd = listen_anywhere(), on = 1;

        assert_green();
        for (;;) {
                int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (c >= 0) {
                        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                        bench_start(NULL, serve, (void *)(intptr_t)c);
                } else if (!wait_for(fd, GREEN_READ)) {
                        measure_fail("echo: accept");
                }
        }
}

const struct bench echo_benches[] = {
        { "echo-server", bench_echo },
        {},
};
