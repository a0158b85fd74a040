/*
 * tests/bench/floor_uring.c: a bare io_uring loop where floor_epoll.c has a bare epoll loop.
 *
 * echo-server: one multishot receive for each connection into buffers that the kernel takes from a ring, and
 * a send for each message; all that a turn has to ask goes to the kernel in the one call that waits for the
 * next turn. echo-plain: the same with one receive at a time into a buffer of the connection's own, as
 * kernels before 6.0 do it. file-read: 32 reads in flight.
 *
 * Why the hub has no io_uring in it: medians of five rounds in turn, Linux 6.18, two busy cores. A request of
 * the echo costs the server 5.62 us of CPU here and 5.69 us in the epoll loop (echo-plain, in another run:
 * 5.66 and 5.58): TCP is what costs. A read of 4 KiB costs 0.82 us (cached) and 18.7 us (not cached) by
 * pread(), which holds all others meanwhile (41 us, p99 3.3 ms); 5.1 and 10.2 us by a worker of tpool; 0.97
 * and 5.8 us here. Who reads many small blocks of files would gain half; nobody in this daemon does, and what
 * it must not wait for (stat, rename, unlink, locks on a file server that hangs) io_uring leaves to native
 * threads of the kernel, which are no better than workers.
 *
 * It needs a kernel that lets it: 6.0 for multishot receives, 6.1 for DEFER_TASKRUN (Debian 12 has 6.1), and
 * kernel.io_uring_disabled = 0 where there is such a setting (6.6 on), and no seccomp filter against it,
 * which containers usually have. Without, it says so and fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <liburing.h>

#include "files.h"

enum { BACKLOG = 128, ENTRIES = 512, BUFFER = 4096, BUFFERS = 256, GROUP = 1, CONNECTIONS_MAX = 1024 };

static struct io_uring ring;

static void ring_init(void)
{
        struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_COOP_TASKRUN };
        int r = io_uring_queue_init_params(ENTRIES, &ring, &p);

        if (r < 0) {
                fprintf(stderr, "io_uring_setup: %s (kernel too old, kernel.io_uring_disabled, or seccomp)\n",
                        strerror(-r));
                exit(EXIT_FAILURE);
        }
}

static struct io_uring_sqe *entry(void)
{
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

        if (!sqe) {
                io_uring_submit(&ring);
                sqe = io_uring_get_sqe(&ring);
        }
        if (!sqe)
                measure_fail("io_uring: no room");
        return sqe;
}

/* ---- echo ---- */

enum what { ACCEPT = 1, RECEIVE, SEND };

static void mark(struct io_uring_sqe *sqe, enum what what, int fd, unsigned buffer)
{
        io_uring_sqe_set_data64(sqe, (uint64_t)what << 48 | (uint64_t)buffer << 32 | (uint32_t)fd);
}

static int listen_anywhere(void)
{
        struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(addr);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, BACKLOG) < 0 ||
            getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
                measure_fail("echo: cannot listen");
        measure_report("port", ntohs(addr.sin_port), "");
        return fd;
}

static bool multishot;
static struct io_uring_buf_ring *buffers;
static char (*data)[BUFFER]; /* of buffers, or of connections */

static void make_buffers(void)
{
        struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };

        data = calloc(multishot ? BUFFERS : CONNECTIONS_MAX, BUFFER);
        if (!data)
                measure_fail("no memory for buffers");
        if (!multishot)
                return;
        if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)) != 0)
                measure_fail("no memory for the ring of buffers");
        reg.ring_addr = (uint64_t)(uintptr_t)buffers;
        if (io_uring_register_buf_ring(&ring, &reg, 0) < 0)
                measure_fail("io_uring: no rings of buffers in this kernel");
        io_uring_buf_ring_init(buffers);
        for (unsigned i = 0; i < BUFFERS; i++)
                io_uring_buf_ring_add(buffers, data[i], BUFFER, (unsigned short)i,
                                      io_uring_buf_ring_mask(BUFFERS), (int)i);
        io_uring_buf_ring_advance(buffers, BUFFERS);
}

static void give_back(unsigned buffer)
{
        io_uring_buf_ring_add(buffers, data[buffer], BUFFER, (unsigned short)buffer,
                              io_uring_buf_ring_mask(BUFFERS), 0);
        io_uring_buf_ring_advance(buffers, 1);
}

static void ask_receive(int fd)
{
        struct io_uring_sqe *sqe = entry();

        if (multishot) {
                io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
                sqe->flags |= IOSQE_BUFFER_SELECT;
                sqe->buf_group = GROUP;
        } else {
                io_uring_prep_recv(sqe, fd, data[fd], BUFFER, 0);
        }
        mark(sqe, RECEIVE, fd, 0);
}

static void ask_accept(int fd)
{
        struct io_uring_sqe *sqe = entry();

        io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
        mark(sqe, ACCEPT, fd, 0);
}

static void accepted(int listener, int fd)
{
        int on = 1;

        if (fd < 0 || fd >= CONNECTIONS_MAX)
                measure_fail("echo: accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        ask_receive(fd);
        ask_accept(listener);
}

static void received(int fd, int n, unsigned flags)
{
        unsigned buffer = multishot ? flags >> IORING_CQE_BUFFER_SHIFT : (unsigned)fd;
        struct io_uring_sqe *sqe;

        if (n == -ENOBUFS) { /* all are under way: the receive ended, and is asked anew */
                ask_receive(fd);
                return;
        }
        if (n <= 0) {
                close(fd);
                return;
        }
        sqe = entry();
        io_uring_prep_send(sqe, fd, data[buffer], (size_t)n, MSG_NOSIGNAL | MSG_WAITALL);
        mark(sqe, SEND, fd, multishot ? buffer : 0);
        if (multishot && !(flags & IORING_CQE_F_MORE))
                ask_receive(fd);
}

static void sent(int fd, int n, unsigned buffer)
{
        if (multishot)
                give_back(buffer);
        else if (n > 0)
                ask_receive(fd);
}

static void serve(void)
{
        int listener;

        ring_init();
        make_buffers();
        listener = listen_anywhere();
        ask_accept(listener);
        for (;;) {
                struct io_uring_cqe *cqe;
                unsigned head, n = 0;
                int r = io_uring_submit_and_wait(&ring, 1);

                if (r < 0 && r != -EINTR)
                        measure_fail("io_uring_enter");
                io_uring_for_each_cqe(&ring, head, cqe)
                {
                        uint64_t tag = cqe->user_data;
                        int fd = (int)(uint32_t)tag;

                        n++;
                        if (tag >> 48 == ACCEPT)
                                accepted(fd, cqe->res);
                        else if (tag >> 48 == RECEIVE)
                                received(fd, cqe->res, cqe->flags);
                        else
                                sent(fd, cqe->res, (unsigned)(tag >> 32 & 0xffff));
                }
                io_uring_cq_advance(&ring, n);
        }
}

static void echo_server(void)
{
        multishot = true;
        serve();
}

/* ---- files ---- */

static unsigned char blocks[FILE_IN_FLIGHT][FILE_BLOCK];
static long reading[FILE_IN_FLIGHT]; /* which block each slot is waiting for */

static void ask_read(int fd, unsigned slot, long i)
{
        struct io_uring_sqe *sqe = entry();

        reading[slot] = i;
        io_uring_prep_read(sqe, fd, blocks[slot], FILE_BLOCK, (uint64_t)files_at(i));
        io_uring_sqe_set_data64(sqe, slot);
}

static void read_all(int fd, long count)
{
        long asked = 0, done = 0;

        while (asked < FILE_IN_FLIGHT && asked < count) {
                ask_read(fd, (unsigned)asked, asked);
                asked++;
        }
        while (done < count) {
                struct io_uring_cqe *cqe;
                unsigned head, n = 0;

                if (io_uring_submit_and_wait(&ring, 1) < 0)
                        measure_fail("io_uring_enter");
                io_uring_for_each_cqe(&ring, head, cqe)
                {
                        unsigned slot = (unsigned)cqe->user_data;

                        n++;
                        done++;
                        files_check(blocks[slot], reading[slot], cqe->res);
                        if (asked < count)
                                ask_read(fd, slot, asked++);
                }
                io_uring_cq_advance(&ring, n);
        }
}

static void file_read(void)
{
        ring_init();
        files_measure(read_all);
}

int main(int argc, char **argv)
{
        static const struct measure_work works[] = {
                { "echo-server", echo_server },
                { "echo-plain", serve },
                { "file-read", file_read },
                { NULL, NULL },
        };

        return measure_main(works, argc, argv);
}
