/*
 * agent/trim.c: a daemon that waits should be as small as it can.
 *
 * Of the resident memory right after the start most is code and constants of libraries, touched once by the
 * dynamic linker and by initialisers (libvirt alone brings 60 of them). Such pages are clean, so the kernel
 * can forget that we have them, and maps them again, from its page cache, when they are touched. It would do
 * so by itself only when memory is short.
 */
#include "trim.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that were never writable hold nothing of ours. Data that is made read-only later is not among
 * them. */
static int forget_clean_pages(struct dl_phdr_info *object, size_t size, void *arg)
{
        const size_t page = *(const size_t *)arg;

        for (unsigned i = 0; i < object->dlpi_phnum; i++) {
                const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
                uintptr_t from, to;

                if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
                        continue;
                from = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
                to = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
                madvise((void *)from, to - from, MADV_DONTNEED); /* where it cannot be, all stays as it is */
        }
        return 0;
}

void trim_memory(void)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        malloc_trim(0);
        dl_iterate_phdr(forget_clean_pages, &page);
}
