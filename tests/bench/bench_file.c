/* tests/bench/bench_file.c: file reads by the workers of a tpool, for green threads that wait. */
#include "bench.h"
#include "files.h"
#include "native/tpool.h"

static struct tpool *pool;
static int file;
static long next_block, last_block;

struct block_read {
        off_t at;
        long i;
};

static int read_block(void *arg, struct error *err)
{
        unsigned char data[FILE_BLOCK];
        struct block_read *r = arg;

        assert_on_worker();
        (void)err;
        files_check(data, r->i, pread(file, data, sizeof(data), r->at));
        return 0;
}

static int reader(void *arg, struct error *err)
{
        assert_green();
        (void)arg;
        while (next_block < last_block) {
                struct block_read r = { .i = next_block++ };

                r.at = files_at(r.i);
                if (tpool_execute(pool, "read", read_block, &r, sizeof(r), deadline_never(), err) < 0)
                        bench_fail(err);
        }
        return 0;
}

static void read_all(int fd, long count)
{
        struct green_group *g = green_group_new("readers");

        assert_green();
        file = fd;
        next_block = 0;
        last_block = count;
        for (int i = 0; i < FILE_IN_FLIGHT; i++)
                bench_start(g, reader, NULL);
        bench_finish(g);
}

static void bench_file_read(void)
{
        struct error err;

        assert_green();
        pool = tpool_new("files", 20, &err);
        if (!pool)
                bench_fail(&err);
        files_measure(read_all);
        tpool_close(pool, deadline_in_s(5));
}

const struct bench file_benches[] = { { "file-read", bench_file_read }, {} };
