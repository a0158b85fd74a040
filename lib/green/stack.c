/*
 * lib/green/stack.c: stacks of green threads.
 *
 * A slab is one mapping with room for several stacks. MAP_NORESERVE and MADV_NOHUGEPAGE: a stack costs the
 * pages it touched, also where the kernel likes huge pages. Slabs are unmapped with the pool only.
 */
#include "green/stack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "green/sanitizer.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

enum { SLAB_STACKS = 16 };

struct stack_slab {
        struct stack_slab *next;
        unsigned char *base;
        size_t len;
};

static size_t page_size(void)
{
        static size_t size;

        if (!size)
                size = (size_t)sysconf(_SC_PAGESIZE);
        return size;
}

void stack_pool_init(struct stack_pool *p, size_t stack_size, size_t record_size)
{
        size_t page = page_size();

        *p = (struct stack_pool){};
#if defined(WITH_ASAN) || defined(WITH_TSAN)
        stack_size *= 4; /* their frames are larger */
#endif
        p->size = (stack_size + page - 1) / page * page + page;
        p->record = (record_size + 63) / 64 * 64;
}

static int slab_add(struct stack_pool *p, struct error *err)
{
        struct stack_slab *slab;
        size_t len = p->size * SLAB_STACKS;
        void *base = mmap(NULL, len, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

        if (base == MAP_FAILED)
                return error_system(err, errno, "mapping %zu bytes for stacks", len);
        slab = malloc(sizeof(*slab));
        if (!slab) {
                munmap(base, len);
                return error_system(err, ENOMEM, "noting a mapping for stacks");
        }
        madvise(base, len, MADV_NOHUGEPAGE); /* a wish: kernels without huge pages refuse it */
        slab->base = base;
        slab->len = len;
        slab->next = p->slabs;
        p->slabs = slab;
        p->fresh = base;
        p->fresh_end = p->fresh + len;
        return 0;
}

static int guard(unsigned char *page, struct error *err)
{
        if (madvise(page, page_size(), MADV_GUARD_INSTALL) == 0)
                return 0;
        if (mprotect(page, page_size(), PROT_NONE) == 0)
                return 0;
        if (errno == ENOMEM)
                return error_set(err, ERR_LIMIT,
                                 "no guard page for another stack: vm.max_map_count is reached");
        return error_system(err, errno, "making a guard page");
}

static void announce(struct stack_record *r, unsigned char *low, unsigned char *top)
{
        r->low = low;
#ifdef WITH_ASAN
        __lsan_register_root_region(low, (size_t)(top - low));
#endif
#ifdef WITH_TSAN
        r->tsan_fiber = __tsan_create_fiber(0);
#endif
#ifdef HAVE_VALGRIND
        r->valgrind_id = VALGRIND_STACK_REGISTER(low, top);
#else
        (void)top;
#endif
}

void *stack_get(struct stack_pool *p, struct error *err)
{
        struct stack_record *r = p->free;
        unsigned char *slot;

        if (r) {
                p->free = r->next_free;
                p->cached--;
#ifdef WITH_ASAN
                /* The frames of the last owner were abandoned, not left: their poison is stale. */
                __asan_unpoison_memory_region(r->low, (size_t)((unsigned char *)r - r->low));
#endif
                return r;
        }
        if (p->fresh == p->fresh_end && slab_add(p, err) < 0)
                return NULL;
        slot = p->fresh;
        if (guard(slot, err) < 0)
                return NULL;
        p->fresh += p->size;
        r = (struct stack_record *)(slot + p->size - p->record);
        announce(r, slot + page_size(), slot + p->size);
        return r;
}

void stack_put(struct stack_pool *p, void *record)
{
        struct stack_record *r = record;

        r->next_free = p->free;
        p->free = r;
        p->cached++;
}

static void withdraw(struct stack_record *r, unsigned char *top)
{
#ifdef WITH_ASAN
        __asan_unpoison_memory_region(r->low, (size_t)(top - r->low));
        __lsan_unregister_root_region(r->low, (size_t)(top - r->low));
#endif
#ifdef WITH_TSAN
        __tsan_destroy_fiber(r->tsan_fiber);
#endif
#ifdef HAVE_VALGRIND
        VALGRIND_STACK_DEREGISTER(r->valgrind_id);
#endif
        (void)r;
        (void)top;
}

void stack_pool_free(struct stack_pool *p)
{
        struct stack_slab *slab;

        for (struct stack_record *r = p->free; r; r = r->next_free)
                withdraw(r, (unsigned char *)r + p->record);
        while ((slab = p->slabs)) {
                p->slabs = slab->next;
                munmap(slab->base, slab->len);
                free(slab);
        }
        *p = (struct stack_pool){};
}
