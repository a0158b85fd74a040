/*
 * tests/bench/bench_patched.c: the echo server as one would write it with blocking calls, patched.
 *
 * A program of its own, since patching is for all of a program. Prints "port N" and serves until it is
 * killed.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bench.h"
#include "patcher/patcher.h"

enum { BUFFER = 4096, BACKLOG = 128, NO_SUCH_WORK = 64 };

static int serve(void *arg, struct error *err)
{
        int fd = (int)(intptr_t)arg;
        char data[BUFFER];
        ssize_t n;

        assert_green();
        while ((n = recv(fd, data, sizeof(data), 0)) > 0 && send(fd, data, (size_t)n, MSG_NOSIGNAL) == n)
                ;
        green_close(fd);
        return 0;
}

static int accept_all(void *arg, struct error *err)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(addr);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, on = 1;

        assert_green();
        if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            listen(listener, BACKLOG) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
                measure_fail("echo: cannot listen");
        measure_report("port", ntohs(addr.sin_port), "");
        while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                if (green_spawn(NULL, "echo", serve, (void *)(intptr_t)fd, err) < 0)
                        return -1;
        }
        return error_set(err, ERR_SYSTEM, "accept");
}

int main(int argc, char **argv)
{
        struct error err;

        if (argc != 2 || strcmp(argv[1], "echo-patched-server") != 0)
                return NO_SUCH_WORK;
        measure_limit();
        if (monkey_patch(PATCH_SOCKET, &err) < 0 || hub_run(accept_all, NULL, NULL, &err) < 0)
                measure_fail(err.text);
        return 0;
}
