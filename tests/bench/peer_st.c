/*
 * tests/bench/peer_st.c: the same work on State Threads, with its epoll and stacks of 64 KiB.
 *
 * It has no yield but st_usleep(0), which goes through its timers and polls; its semaphore is a condition
 * variable. Nothing of its own leads in from native threads: tests/bench/inbox.h does, its bell being an
 * ordinary descriptor.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <st.h>
#include <sys/socket.h>

#include "inbox.h"

enum { STACK = 64 * 1024, BACKLOG = 128, BUFFER = 4096, MANY = 100000 };

static st_thread_t spawn(void *(*fn)(void *), void *arg, int joinable)
{
        st_thread_t t = st_thread_create(fn, arg, joinable, STACK);

        if (!t)
                measure_fail("st_thread_create");
        return t;
}

static void *yield_n(void *arg)
{
        for (long n = *(long *)arg; n > 0; n--)
                st_usleep(0);
        return NULL;
}

static double yield_among(long threads, long each)
{
        st_thread_t *all = calloc((size_t)threads, sizeof(st_thread_t));
        int64_t began;

        for (long i = 0; i < threads; i++)
                all[i] = spawn(yield_n, &each, 1);
        began = measure_cpu();
        for (long i = 0; i < threads; i++)
                st_thread_join(all[i], NULL);
        free(all);
        return (double)(measure_cpu() - began) / (double)(threads * each);
}

static void yield_2(void)
{
        measure_report("yield-2", yield_among(2, measure_count(500000)), "ns");
}

static void yield_10000(void)
{
        yield_among(10000, 1);
        measure_report("yield-10000", yield_among(10000, measure_count(100)), "ns");
}

static void *nothing(void *arg)
{
        return arg;
}

static void spawn_join(void)
{
        long n = measure_count(1000000);
        int64_t began = measure_cpu();

        for (long i = 0; i < n; i++)
                st_thread_join(spawn(nothing, NULL, 1), NULL);
        measure_report("spawn-join", (double)(measure_cpu() - began) / (double)n, "ns");
}

struct sem {
        st_cond_t cond;
        long count;
};
static struct sem ping, pong;

static void acquire(struct sem *s)
{
        while (s->count == 0)
                st_cond_wait(s->cond);
        s->count--;
}

static void release(struct sem *s)
{
        s->count++;
        st_cond_signal(s->cond);
}

static void *answer(void *arg)
{
        for (long n = *(long *)arg; n > 0; n--) {
                acquire(&ping);
                release(&pong);
        }
        return NULL;
}

static void semaphore(void)
{
        long n = measure_count(2000000);
        st_thread_t other;
        int64_t began;

        ping.cond = st_cond_new();
        pong.cond = st_cond_new();
        other = spawn(answer, &n, 1);
        began = measure_cpu();
        for (long i = 0; i < n; i++) {
                release(&ping);
                acquire(&pong);
        }
        measure_report("semaphore", (double)(measure_cpu() - began) / (2.0 * (double)n), "ns");
        st_thread_join(other, NULL);
}

static struct measure_samples late;

static void *nap(void *arg)
{
        int64_t ns = measure_nap_ns((long)(intptr_t)arg), due;

        measure_touch_frame();
        due = measure_now() + ns;
        st_usleep((st_utime_t)ns / 1000);
        measure_sample(&late, measure_now() - due);
        return NULL;
}

static void sleepers(void)
{
        long n = measure_count(MANY);
        st_thread_t *all = calloc((size_t)n, sizeof(st_thread_t));
        int64_t began;

        measure_samples_init(&late, n);
        began = measure_cpu();
        for (long i = 0; i < n; i++)
                all[i] = spawn(nap, (void *)(intptr_t)i, 1);
        for (long i = 0; i < n; i++)
                st_thread_join(all[i], NULL);
        measure_report_sleepers(&late, measure_cpu() - began);
        free(all);
}

static void *park(void *arg)
{
        measure_touch_frame();
        st_sleep(3600);
        return arg;
}

static void parked(void)
{
        long n = measure_count(MANY);
        struct measure_memory before = measure_memory();

        for (long i = 0; i < n; i++)
                spawn(park, NULL, 0);
        st_usleep(0);
        st_usleep(0);
        measure_report_memory(before, n);
}

static void *serve(void *arg)
{
        st_netfd_t fd = arg;
        char data[BUFFER];
        ssize_t n;

        while ((n = st_read(fd, data, sizeof(data), ST_UTIME_NO_TIMEOUT)) > 0)
                if (st_write(fd, data, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
                        break;
        st_netfd_close(fd);
        return NULL;
}

static void echo_server(void)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(addr);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
        st_netfd_t listener, c;

        if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, BACKLOG) < 0 ||
            getsockname(fd, (struct sockaddr *)&addr, &len) < 0 || !(listener = st_netfd_open_socket(fd)))
                measure_fail("echo: cannot listen");
        measure_report("port", ntohs(addr.sin_port), "");
        while ((c = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT))) {
                setsockopt(st_netfd_fileno(c), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                spawn(serve, c, 0);
        }
}

static struct inbox inbox;
static st_netfd_t bell;

static struct inbox_node *wait_for_items(void)
{
        struct inbox_node *node;

        while (!(node = inbox_take(&inbox))) {
                st_netfd_poll(bell, POLLIN, ST_UTIME_NO_TIMEOUT);
                inbox_heard(&inbox);
        }
        return node;
}

static void start_producer(struct measure_producer *p)
{
        p->push = inbox_push;
        p->queue = &inbox;
        inbox_init(&inbox, p->items);
        bell = st_netfd_open(inbox.bell);
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

static bool stop_spinning;

static void *spin(void *arg)
{
        while (!stop_spinning)
                st_usleep(0);
        return arg;
}

static void queue_spin(void)
{
        st_thread_t spinner = spawn(spin, NULL, 1);

        inbox_one_at_a_time(start_producer, wait_for_items, "queue-spin-p50", "queue-spin-p99");
        stop_spinning = true;
        st_thread_join(spinner, NULL);
}

static const struct measure_work works[] = {
        { "yield-2", yield_2 },
        { "yield-10000", yield_10000 },
        { "spawn-join", spawn_join },
        { "semaphore", semaphore },
        { "sleepers", sleepers },
        { "parked", parked },
        { "echo-server", echo_server },
        { "queue-burst", queue_burst },
        { "queue-one", queue_one },
        { "queue-spin", queue_spin },
        { NULL, NULL },
};

int main(int argc, char **argv)
{
        if (st_set_eventsys(ST_EVENTSYS_ALT) < 0 || st_init() < 0)
                measure_fail("st_init");
        return measure_main(works, argc, argv);
}
