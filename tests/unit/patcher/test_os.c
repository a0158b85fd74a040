/* read and write on what is no socket: plain, and with PATCH_OS green where the kernel can poll. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "patch.h"

static void make_pipe(int *r, int *w)
{
        int p[2];

        ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
        *r = p[0];
        *w = p[1];
}

static int write_later(void *arg, struct error *err)
{
        assert_green();
        sleep(1);
        ck_assert_int_eq(write(*(int *)arg, "abc", 3), 3);
        return 0;
}

GREEN_TEST(reading_a_pipe_parks)
{
        static int ticks; /* outlives the test: the ticker ends after it */
        char a[2], b[8];
        struct iovec iov[] = { { a, sizeof(a) }, { b, sizeof(b) } };
        int r, w;

        patch(PATCH_OS | PATCH_TIME);
        make_pipe(&r, &w);
        spawn("ticker", ticker, &ticks);
        spawn("writer", write_later, &w);
        ck_assert_int_eq(read(r, b, sizeof(b)), 3);
        ck_assert_mem_eq(b, "abc", 3);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 1000);
        ck_assert_int_ge(ticks, 98);
        spawn("writer", write_later, &w);
        ck_assert_int_eq(readv(r, iov, 2), 3);
        ck_assert_mem_eq(a, "ab", 2);
        ck_assert_mem_eq(b, "c", 1);
        close(w);
        ck_assert_int_eq(read(r, b, sizeof(b)), 0);
        close(r);
}

enum { BIG = 300000 };

static int drain(void *arg, struct error *err)
{
        static char buf[1234];
        size_t got = 0;
        ssize_t n;

        assert_green();
        sleep(1);
        while (got < BIG && (n = read(*(int *)arg, buf, sizeof(buf))) > 0) {
                for (ssize_t i = 0; i < n; i++)
                        if (buf[i] != (char)((got + (size_t)i) / 251))
                                ck_abort_msg("byte %zu differs", got + (size_t)i);
                got += (size_t)n;
        }
        ck_assert_uint_eq(got, BIG);
        *(int *)arg = -1;
        return 0;
}

GREEN_TEST(writing_a_full_pipe_parks_until_all_is_written)
{
        char *big = xmalloc(BIG);
        struct iovec iov[] = { { big, 100 }, { big + 100, BIG - 100 } };

        patch(PATCH_OS | PATCH_TIME);
        for (size_t i = 0; i < BIG; i++)
                big[i] = (char)(i / 251);
        for (int way = 0; way < 2; way++) {
                int r, w;

                make_pipe(&r, &w);
                spawn("reader", drain, &r);
                ck_assert_int_eq(way ? writev(w, iov, 2) : write(w, big, BIG), BIG);
                sleep(1);
                ck_assert_int_eq(r, -1);
                close(w);
        }
        free(big);
}

GREEN_TEST(non_blocking_pipes_and_regular_files_stay_plain)
{
        unsigned long switches = green_switches();
        CLEANUP(closep) int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        char *big = xcalloc(1, BIG), c;
        int r, w;

        patch(PATCH_ALL);
        make_pipe(&r, &w);
        fcntl(r, F_SETFL, O_NONBLOCK);
        fcntl(w, F_SETFL, O_NONBLOCK);
        ck_assert_int_eq(read(r, &c, 1), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_gt(write(w, big, BIG), 0);
        ck_assert_int_eq(write(w, big, BIG), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_eq(read(file, &c, 1), 1);
        ck_assert_int_eq(read(987, &c, 1), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_uint_eq(green_switches(), switches);
        free(big);
}

static int read_for_ever(void *arg, struct error *err)
{
        char c;

        assert_green();
        ck_assert_int_eq(read(*(int *)arg, &c, 1), -1);
        ck_assert_int_eq(errno, ECANCELED);
        *(int *)arg = -1;
        return 0;
}

GREEN_TEST(a_cancelled_read_fails_with_ecanceled)
{
        struct error err = {};
        struct green *g;
        int r, w;

        patch(PATCH_ALL);
        make_pipe(&r, &w);
        g = green_spawn_ref(NULL, "reader", read_for_ever, &r, &err);
        sleep(1);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(r, -1);
}

static void *native_write(void *arg)
{
        usleep(20000);
        return (void *)write(*(int *)arg, "x", 1);
}

GREEN_TEST_REAL(without_it_a_pipe_blocks_as_ever)
{
        static int ticks; /* outlives the test: the ticker ends after it */
        unsigned long switches;
        pthread_t t;
        int r, w;
        char c;

        patch(PATCH_ALL & ~(unsigned)PATCH_OS);
        make_pipe(&r, &w);
        spawn("ticker", ticker, &ticks);
        green_yield();
        ck_assert_int_eq(patcher_original(pthread_create)(&t, NULL, native_write, &w), 0);
        switches = green_switches();
        ck_assert_int_eq(read(r, &c, 1), 1);
        ck_assert_uint_eq(green_switches(), switches);
        ck_assert_int_eq(ticks, 0);
        ck_assert_int_eq(patcher_original(pthread_join)(t, NULL), 0);
}

GREEN_SUITE("patcher-os", reading_a_pipe_parks, writing_a_full_pipe_parks_until_all_is_written,
            non_blocking_pipes_and_regular_files_stay_plain, a_cancelled_read_fails_with_ecanceled,
            without_it_a_pipe_blocks_as_ever)
