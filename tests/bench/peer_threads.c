/*
 * tests/bench/peer_threads.c: the same work by native threads and blocking calls, for which no runtime is
 * needed.
 *
 * All of them on one core, as the green threads of the others. CPU time of the process, and the kernel's part
 * of it is in there.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "sql.h"

enum { STACK = 64 * 1024, BACKLOG = 128, BUFFER = 4096 };

static pthread_t start(void *(*fn)(void *), void *arg)
{
        pthread_attr_t attr;
        pthread_t thread;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK);
        if (pthread_create(&thread, &attr, fn, arg) != 0)
                measure_fail("pthread_create");
        pthread_attr_destroy(&attr);
        return thread;
}

static void *yield_n(void *arg)
{
        for (long n = *(long *)arg; n > 0; n--)
                sched_yield();
        return NULL;
}

static void yield_2(void)
{
        long n = measure_count(300000);
        int64_t began = measure_cpu();
        pthread_t other = start(yield_n, &n);

        yield_n(&n);
        pthread_join(other, NULL);
        measure_report("yield-2", (double)(measure_cpu() - began) / (2.0 * (double)n), "ns");
}

static void *nothing(void *arg)
{
        return arg;
}

static void spawn_join(void)
{
        long n = measure_count(20000);
        int64_t began = measure_cpu();

        for (long i = 0; i < n; i++)
                pthread_join(start(nothing, NULL), NULL);
        measure_report("spawn-join", (double)(measure_cpu() - began) / (double)n, "ns");
}

static sem_t ping, pong;

static void *answer(void *arg)
{
        for (long n = *(long *)arg; n > 0; n--) {
                sem_wait(&ping);
                sem_post(&pong);
        }
        return NULL;
}

static void semaphore(void)
{
        long n = measure_count(100000);
        pthread_t other;
        int64_t began;

        sem_init(&ping, 0, 0);
        sem_init(&pong, 0, 0);
        began = measure_cpu();
        other = start(answer, &n);
        for (long i = 0; i < n; i++) {
                sem_post(&ping);
                sem_wait(&pong);
        }
        pthread_join(other, NULL);
        measure_report("semaphore", (double)(measure_cpu() - began) / (2.0 * (double)n), "ns");
}

static void *serve(void *arg)
{
        int fd = (int)(intptr_t)arg;
        char data[BUFFER];
        ssize_t n;

        while ((n = recv(fd, data, sizeof(data), 0)) > 0)
                if (send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
                        break;
        close(fd);
        return NULL;
}

static void echo_server(void)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(addr);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, on = 1;

        if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            listen(listener, BACKLOG) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
                measure_fail("echo: cannot listen");
        measure_report("port", ntohs(addr.sin_port), "");
        while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                pthread_detach(start(serve, (void *)(intptr_t)fd));
        }
}

static pthread_barrier_t connected;
static long each;

static void *select_each(void *arg)
{
        MYSQL *mysql = arg;

        pthread_barrier_wait(&connected);
        for (long i = 0; i < each; i++) {
                MYSQL_RES *result;

                if (mysql_real_query(mysql, "SELECT 1", 8) != 0 || !(result = mysql_store_result(mysql)))
                        measure_fail(mysql_error(mysql));
                mysql_free_result(result);
        }
        return NULL;
}

static void select_1(void)
{
        pthread_t threads[SQL_CONNECTIONS];
        MYSQL *connections[SQL_CONNECTIONS];
        int64_t began;

        each = measure_count(SQL_EACH);
        mysql_library_init(0, NULL, NULL);
        pthread_barrier_init(&connected, NULL, SQL_CONNECTIONS + 1);
        for (int i = 0; i < SQL_CONNECTIONS; i++) {
                connections[i] = sql_connect(mysql_init(NULL));
                threads[i] = start(select_each, connections[i]);
        }
        began = measure_cpu();
        pthread_barrier_wait(&connected);
        for (int i = 0; i < SQL_CONNECTIONS; i++)
                pthread_join(threads[i], NULL);
        sql_report(measure_cpu() - began, each);
        for (int i = 0; i < SQL_CONNECTIONS; i++)
                mysql_close(connections[i]);
}

static const struct measure_work works[] = {
        { "yield-2", yield_2 },         { "spawn-join", spawn_join }, { "semaphore", semaphore },
        { "echo-server", echo_server }, { "sql-select-1", select_1 }, { NULL, NULL },
};

int main(int argc, char **argv)
{
        return measure_main(works, argc, argv);
}
