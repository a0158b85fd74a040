/*
 * tests/bench/floor_pread.c: file reads by pread() on the one thread there is, as eventlet leaves them: the
 * cheapest way, and the one that holds everybody else for as long as the disk takes (file-held-*).
 */
#include "files.h"

static struct measure_samples held;
static bool sampling;

static void read_all(int fd, long count)
{
        static unsigned char data[FILE_BLOCK];

        for (long i = 0; i < count; i++) {
                int64_t began = sampling ? measure_now() : 0;

                files_check(data, i, pread(fd, data, sizeof(data), files_at(i)));
                if (sampling)
                        measure_sample(&held, measure_now() - began);
        }
}

static void file_read(void)
{
        int fd;

        files_measure(read_all);
        fd = files_make();
        files_forget(fd);
        measure_samples_init(&held, files_count(true));
        sampling = true;
        read_all(fd, files_count(true));
        measure_report_samples(&held, "file-held-p50", "file-held-p99", 1e3, "us");
        close(fd);
}

int main(int argc, char **argv)
{
        static const struct measure_work works[] = { { "file-read", file_read }, { NULL, NULL } };

        return measure_main(works, argc, argv);
}
