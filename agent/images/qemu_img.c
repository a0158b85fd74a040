/*
 * agent/images/qemu_img.c: qemu-img as a subprocess, with limits.
 *
 * It parses files that users made. It is told every format, may not grow beyond ADDRESS_SPACE, and may not
 * compute for ever.
 */
#include <inttypes.h>
#include <stdio.h>

#include "images/store_priv.h"
#include "process/execute.h"

#define ADDRESS_SPACE (UINT64_C(4) << 30)
enum { CPU_LEAST_S = 30, CPU_S_PER_GIB = 30 };

int qemu_img_convert(struct disk_store *s, const char *from, const char *format, const char *to,
                     int64_t virtual_size, struct deadline by, struct error *err)
{
        const char *const argv[] = { "qemu-img", "convert", "-t", s->direct_io ? "none" : "writeback",
                                     "-f",       format,    "-O", "raw",
                                     from,       to,        NULL };
        const struct execute_options opt = {
                .argv = argv,
                .limit_as = ADDRESS_SPACE,
                .limit_cpu_s = CPU_LEAST_S + (uint64_t)(virtual_size / GIB) * CPU_S_PER_GIB,
        };

        return execute(&opt, by, NULL, err);
}

int qemu_img_overlay(const char *base, const char *base_format, const char *path, int64_t size,
                     struct deadline by, struct error *err)
{
        char bytes[32];
        const char *const argv[] = { "qemu-img", "create", "-q",        "-f", "qcow2", "-b",
                                     base,       "-F",     base_format, path, bytes,   NULL };
        const struct execute_options opt = {
                .argv = argv,
                .limit_as = ADDRESS_SPACE,
                .limit_cpu_s = CPU_LEAST_S,
        };

        snprintf(bytes, sizeof(bytes), "%" PRId64, size);
        return execute(&opt, by, NULL, err);
}

int heavy_begin(struct disk_store *s, struct deadline by, struct error *err)
{
        return s->max_concurrent_ops ? green_sem_acquire(&s->heavy_ops, by, err) : 0;
}

void heavy_end(struct disk_store *s)
{
        if (s->max_concurrent_ops)
                green_sem_release(&s->heavy_ops);
}
