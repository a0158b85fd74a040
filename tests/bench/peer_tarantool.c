/*
 * tests/bench/peer_tarantool.c: the same work by Tarantool's fibers, through its C module interface.
 *
 * fiber_start() runs the new fiber at once, so spawning is a switch there. Channels and the bus from native
 * threads are not in that interface: the latter is tests/bench/inbox.h and a wait for its bell. Its guard
 * pages end at some 32,600 fibers (vm.max_map_count), so fewer are parked and 100,000 do not sleep.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <tarantool/module.h>

#include "inbox.h"

enum { BACKLOG = 128, BUFFER = 4096, PARKED = 30000 };

static struct fiber *spawn(fiber_func fn, bool joinable)
{
        struct fiber *f = fiber_new("bench", fn);

        if (!f)
                measure_fail("fiber_new");
        fiber_set_joinable(f, joinable);
        return f;
}

static int yield_n(va_list ap)
{
        for (long n = va_arg(ap, long); n > 0; n--)
                fiber_reschedule();
        return 0;
}

static double yield_among(long threads, long each)
{
        struct fiber **all = calloc((size_t)threads, sizeof(struct fiber *));
        int64_t began;

        for (long i = 0; i < threads; i++) {
                all[i] = spawn(yield_n, true);
                fiber_start(all[i], each);
        }
        began = measure_cpu();
        for (long i = 0; i < threads; i++)
                fiber_join(all[i]);
        free(all);
        return (double)(measure_cpu() - began) / (double)(threads * each);
}

static void yield_2(void)
{
        measure_report("yield-2", yield_among(2, measure_count(5000000)), "ns");
}

static void yield_10000(void)
{
        yield_among(10000, 1);
        measure_report("yield-10000", yield_among(10000, measure_count(300)), "ns");
}

static int nothing(va_list ap)
{
        (void)ap;
        return 0;
}

static void spawn_join(void)
{
        long n = measure_count(1000000);
        int64_t began = measure_cpu();

        for (long i = 0; i < n; i++) {
                struct fiber *f = spawn(nothing, true);

                fiber_start(f);
                fiber_join(f);
        }
        measure_report("spawn-join", (double)(measure_cpu() - began) / (double)n, "ns");
}

struct sem {
        struct fiber_cond *cond;
        long count;
};
static struct sem ping, pong;

static void acquire(struct sem *s)
{
        while (s->count == 0)
                fiber_cond_wait(s->cond);
        s->count--;
}

static void release(struct sem *s)
{
        s->count++;
        fiber_cond_signal(s->cond);
}

static int answer(va_list ap)
{
        for (long n = va_arg(ap, long); n > 0; n--) {
                acquire(&ping);
                release(&pong);
        }
        return 0;
}

static void semaphore(void)
{
        long n = measure_count(1000000);
        struct fiber *other = spawn(answer, true);
        int64_t began;

        ping.cond = fiber_cond_new();
        pong.cond = fiber_cond_new();
        fiber_start(other, n);
        began = measure_cpu();
        for (long i = 0; i < n; i++) {
                release(&ping);
                acquire(&pong);
        }
        measure_report("semaphore", (double)(measure_cpu() - began) / (2.0 * (double)n), "ns");
        fiber_join(other);
}

static int park(va_list ap)
{
        (void)ap;
        measure_touch_frame();
        fiber_sleep(3600);
        return 0;
}

static void parked(void)
{
        long n = measure_count(PARKED);
        struct measure_memory before = measure_memory();

        for (long i = 0; i < n; i++)
                fiber_start(spawn(park, false));
        measure_report_memory(before, n);
}

static int serve(va_list ap)
{
        int fd = va_arg(ap, int);
        char data[BUFFER];

        for (;;) {
                ssize_t n = recv(fd, data, sizeof(data), 0);

                if (n < 0 && errno == EAGAIN)
                        coio_wait(fd, COIO_READ, 3600);
                else if (n <= 0 || send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
                        break;
        }
        coio_close(fd);
        return 0;
}

static void echo_server(void)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(addr);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

        if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
            listen(listener, BACKLOG) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
                measure_fail("echo: cannot listen");
        measure_report("port", ntohs(addr.sin_port), "");
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (fd < 0) {
                        coio_wait(listener, COIO_READ, 3600);
                        continue;
                }
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                fiber_start(spawn(serve, false), fd);
        }
}

static struct inbox inbox;

static struct inbox_node *wait_for_items(void)
{
        struct inbox_node *node;

        while (!(node = inbox_take(&inbox))) {
                coio_wait(inbox.bell, COIO_READ, 3600);
                inbox_heard(&inbox);
        }
        return node;
}

static void start_producer(struct measure_producer *p)
{
        p->push = inbox_push;
        p->queue = &inbox;
        inbox_init(&inbox, p->items);
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

/* fiber_sleep(0), not fiber_reschedule(), is the yield that looks at descriptors: its manual says so. */
static int spin(va_list ap)
{
        (void)ap;
        while (!stop_spinning)
                fiber_sleep(0);
        return 0;
}

static void queue_spin(void)
{
        struct fiber *spinner = spawn(spin, true);

        fiber_start(spinner);
        inbox_one_at_a_time(start_producer, wait_for_items, "queue-spin-p50", "queue-spin-p99");
        stop_spinning = true;
        fiber_join(spinner);
}

static ssize_t move(va_list ap)
{
        (void)ap;
        measure_to_other_core();
        return 0;
}

static ssize_t no_work(va_list ap)
{
        (void)ap;
        return 0;
}

static void tpool(void)
{
        long n = measure_count(20000);
        int64_t began;

        coio_call(move);
        began = measure_now();
        for (long i = 0; i < n; i++)
                coio_call(no_work);
        measure_report("tpool", (double)(measure_now() - began) / (double)n / 1e3, "us");
}

static const struct measure_work works[] = {
        { "yield-2", yield_2 },
        { "yield-10000", yield_10000 },
        { "spawn-join", spawn_join },
        { "semaphore", semaphore },
        { "parked", parked },
        { "echo-server", echo_server },
        { "queue-burst", queue_burst },
        { "queue-one", queue_one },
        { "queue-spin", queue_spin },
        { "tpool", tpool },
        { NULL, NULL },
};

int peer_tarantool_run(lua_State *L);

/* Called from Lua with the name of the work; ends the process, whatever fibers there still are. */
int peer_tarantool_run(lua_State *L)
{
        char *argv[] = { (char *)"peer_tarantool", (char *)lua_tolstring(L, 1, NULL), NULL };

        _exit(measure_main(works, 2, argv));
}
