/* connect and accept on the hub, and getaddrinfo through the worker pool. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "native/tpool.h"
#include "patch.h"

#define PATCHED (PATCH_SOCKET | PATCH_TIME)

static struct sockaddr_in address;

static int listen_tcp(void)
{
        socklen_t len = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
        ck_assert_int_eq(listen(fd, 10), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
        return fd;
}

static int tcp_socket(void)
{
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int greet(void *arg, struct error *err)
{
        char c;

        assert_green();
        for (int i = 0; i < 2; i++) {
                struct sockaddr_in peer = {};
                socklen_t len = sizeof(peer);
                int fd = i ? accept4(*(int *)arg, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC)
                           : accept(*(int *)arg, (struct sockaddr *)&peer, &len);

                ck_assert_int_ge(fd, 0);
                ck_assert_int_eq(peer.sin_family, AF_INET);
                ck_assert_int_eq(recv(fd, &c, 1, 0), 1);
                ck_assert_int_eq(send(fd, &c, 1, 0), 1);
                close(fd);
        }
        return 0;
}

GREEN_TEST_REAL(connect_and_accept_meet_on_one_native_thread)
{
        CLEANUP(closep) int listener = listen_tcp();

        patch(PATCHED);
        spawn("server", greet, &listener);
        usleep(1000);
        for (int i = 0; i < 2; i++) {
                CLEANUP(closep) int fd = tcp_socket();
                char c = '?';

                ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
                ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK)); /* as it was */
                ck_assert_int_eq(send(fd, &(char){ 'x' }, 1, 0), 1);
                ck_assert_int_eq(recv(fd, &c, 1, 0), 1);
                ck_assert_int_eq(c, 'x');
        }
}

GREEN_TEST_REAL(a_refused_connection_says_so)
{
        CLEANUP(closep) int fd = tcp_socket();
        CLEANUP(closep) int pipe_end = -1;
        int p[2];

        patch(PATCHED);
        close(listen_tcp());
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
        ck_assert_int_eq(errno, ECONNREFUSED);
        ck_assert_int_eq(connect(987, (struct sockaddr *)&address, sizeof(address)), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
        pipe_end = p[0];
        close(p[1]);
        ck_assert_int_eq(connect(pipe_end, (struct sockaddr *)&address, sizeof(address)), -1);
        ck_assert_int_eq(errno, ENOTSOCK);
}

GREEN_TEST_REAL(a_non_blocking_socket_keeps_einprogress)
{
        CLEANUP(closep) int listener = listen_tcp();
        CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        unsigned long switches;

        patch(PATCHED);
        switches = green_switches();
        ck_assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EINPROGRESS);
        ck_assert_uint_eq(green_switches(), switches);
        fcntl(listener, F_SETFL, O_NONBLOCK);
        close(accept(listener, NULL, NULL));
        ck_assert_int_eq(accept(listener, NULL, NULL), -1);
        ck_assert_int_eq(errno, EAGAIN);
}

/* Fills the listener's queue, so that the next connect() must wait. */
static int fill_unix(struct sockaddr_un *un, int clients[], int n, int *ret_listener)
{
        int used = 0;

        *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "test-connect-%d", (int)getpid());
        *ret_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(*ret_listener, (struct sockaddr *)un, sizeof(*un)), 0);
        ck_assert_int_eq(listen(*ret_listener, 1), 0);
        for (; used < n; used++) {
                clients[used] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (connect(clients[used], (struct sockaddr *)un, sizeof(*un)) < 0) {
                        ck_assert_int_eq(errno, EAGAIN);
                        close(clients[used]);
                        break;
                }
        }
        ck_assert_int_lt(used, n);
        return used;
}

static int accept_later(void *arg, struct error *err)
{
        assert_green();
        sleep(1);
        ck_assert_int_ge(accept(*(int *)arg, NULL, NULL), 0);
        return 0;
}

GREEN_TEST(a_full_unix_listener_is_waited_for)
{
        struct sockaddr_un un;
        int clients[8], listener, used, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval tv = { 2, 0 };
        int64_t before;

        patch(PATCHED);
        used = fill_unix(&un, clients, 8, &listener);
        spawn("server", accept_later, &listener);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
        ck_assert_int_ge(clock_fake_elapsed_ms(), 1000);
        ck_assert_int_le(clock_fake_elapsed_ms(), 1100);
        close(fd);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* full again */
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
        before = clock_fake_elapsed_ms();
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(clock_fake_elapsed_ms() - before, 2000);
        for (int i = 0; i < used; i++)
                close(clients[i]);
        close(fd);
        close(listener);
}

GREEN_TEST(accept_honours_the_receive_timeout)
{
        CLEANUP(closep) int listener = listen_tcp();
        struct timeval tv = { 3, 0 };

        patch(PATCHED);
        ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        ck_assert_int_eq(accept(listener, NULL, NULL), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 3000);
}

static int accept_for_ever(void *arg, struct error *err)
{
        struct sockaddr_un un;
        int clients[8], listener, used, fd;

        assert_green();
        ck_assert_int_eq(accept(*(int *)arg, NULL, NULL), -1);
        ck_assert_int_eq(errno, ECANCELED);
        used = fill_unix(&un, clients, 8, &listener);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), -1);
        ck_assert_int_eq(errno, ECANCELED);
        for (int i = 0; i < used; i++)
                close(clients[i]);
        close(fd);
        close(listener);
        *(int *)arg = -1;
        return 0;
}

GREEN_TEST(cancelled_they_fail_with_ecanceled)
{
        CLEANUP(closep) int listener = listen_tcp();
        int arg = listener;
        struct error err = {};
        struct green *g;

        patch(PATCHED);
        g = green_spawn_ref(NULL, "server", accept_for_ever, &arg, &err);
        sleep(1);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(arg, -1);
}

/* ---- names ---- */

GREEN_TEST_REAL(addresses_in_digits_need_no_pool)
{
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
        unsigned long switches;

        patch(PATCHED);
        switches = green_switches();
        ck_assert_int_eq(getaddrinfo("127.0.0.1", "80", &hints, &list), 0);
        ck_assert_int_eq(((struct sockaddr_in *)list->ai_addr)->sin_port, htons(80));
        freeaddrinfo(list);
        ck_assert_int_eq(getaddrinfo(NULL, "80", NULL, &list), 0);
        freeaddrinfo(list);
        hints.ai_flags = AI_NUMERICHOST;
        ck_assert_int_eq(getaddrinfo("localhost", NULL, &hints, &list), EAI_NONAME);
        ck_assert_uint_eq(green_switches(), switches);
        ck_assert_int_eq(getaddrinfo("localhost", NULL, NULL, &list), EAI_SYSTEM); /* never on the hub */
        ck_assert_int_eq(errno, ENOSYS);
}

struct lookup {
        int r, sys;
};

static int look_up(void *arg, struct error *err)
{
        struct addrinfo *list = NULL;
        struct lookup *l = arg;

        assert_green();
        l->r = getaddrinfo("localhost", "http", NULL, &list);
        l->sys = errno;
        if (l->r == 0)
                freeaddrinfo(list);
        return 0;
}

GREEN_TEST_REAL(names_are_resolved_by_a_worker)
{
        struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list = NULL;
        struct error err = {};
        struct tpool *pool = tpool_new("names", 2, &err);
        struct lookup lookup = {};
        struct tpool_info info;
        struct green *g;

        ck_assert_ptr_nonnull(pool);
        patch(PATCHED);
        patcher_use_tpool(pool);
        ck_assert_int_eq(getaddrinfo("localhost", "80", &hints, &list), 0);
        ck_assert_int_eq(list->ai_family, AF_INET);
        ck_assert_uint_eq(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        freeaddrinfo(list);
        ck_assert_int_ne(getaddrinfo("no.such.name.invalid", NULL, &hints, &list), 0);
        tpool_get_info(pool, &info);
        ck_assert_uint_eq(info.done, 2);

        g = green_spawn_ref(NULL, "cancelled", look_up, &lookup, &err);
        green_cancel(g); /* before it begins to wait: the job is left alone and freed later */
        ck_assert_ok(green_join(g, deadline_in_s(10), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(lookup.r, EAI_SYSTEM);
        ck_assert_int_eq(lookup.sys, ECANCELED);
        patcher_use_tpool(NULL);
        tpool_close(pool, deadline_in_s(30));
}

GREEN_SUITE("patcher-connect", connect_and_accept_meet_on_one_native_thread, a_refused_connection_says_so,
            a_non_blocking_socket_keeps_einprogress, a_full_unix_listener_is_waited_for,
            accept_honours_the_receive_timeout, cancelled_they_fail_with_ecanceled,
            addresses_in_digits_need_no_pool, names_are_resolved_by_a_worker)
