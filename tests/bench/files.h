/*
 * tests/bench/files.h: the file that the file works read: 4 KiB at a time, in a random order that is the same
 * for all.
 *
 * cached: all of it is in the page cache. cold: none of it is (the kernel is asked to forget it before), so
 * the disk of this machine is measured as well.
 */
#pragma once

#include <fcntl.h>

#include "measure.h"

enum { FILE_BLOCK = 4096, FILE_BLOCKS = 16384, FILE_IN_FLIGHT = 32 };

/* It goes away with the program. */
static inline int files_make(void)
{
        static char block[FILE_BLOCK];
        char path[] = "/var/tmp/bench-file-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC);

        if (fd < 0 || unlink(path) < 0)
                measure_fail("file: cannot make it below /var/tmp");
        for (long i = 0; i < FILE_BLOCKS; i++) {
                memset(block, (int)i, sizeof(block));
                if (pwrite(fd, block, sizeof(block), i * FILE_BLOCK) != FILE_BLOCK)
                        measure_fail("file: cannot write it");
        }
        if (fsync(fd) < 0)
                measure_fail("file: cannot write it");
        return fd;
}

static inline void files_forget(int fd)
{
        if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
                measure_fail("file: cannot be forgotten");
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
}

static inline long files_count(bool cold)
{
        return measure_count(cold ? 4000 : 100000);
}

/* Where the i-th read begins: each block once before any comes twice. */
static inline off_t files_at(long i)
{
        return (off_t)((uint64_t)i * UINT64_C(2654435761) % FILE_BLOCKS) * FILE_BLOCK;
}

static inline void files_check(const unsigned char *data, long i, ssize_t n)
{
        if (n != FILE_BLOCK || data[FILE_BLOCK - 1] != (unsigned char)(files_at(i) / FILE_BLOCK))
                measure_fail("file: something else was read");
}

/* run() reads so many blocks, once cached and once cold. */
static inline void files_measure(void (*run)(int fd, long count))
{
        int fd = files_make();

        for (int cold = 0; cold <= 1; cold++) {
                long count = files_count(cold);
                int64_t cpu, began;

                if (cold)
                        files_forget(fd);
                else
                        run(fd, FILE_BLOCKS / 8);
                cpu = measure_cpu();
                began = measure_now();
                run(fd, count);
                measure_report(cold ? "file-cold" : "file-cached",
                               (double)(measure_cpu() - cpu) / (double)count / 1e3, "us");
                measure_report(cold ? "file-cold-wall" : "file-cached-wall",
                               (double)(measure_now() - began) / (double)count / 1e3, "us");
        }
        close(fd);
}
