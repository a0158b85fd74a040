/*
 * lib/green/stack.c: stacks of green threads.
 *
 * A slab is one mapping with room for several stacks, each twice as large as the one before up to a limit, so
 * that a million threads take a thousand mappings. MAP_NORESERVE and MADV_NOHUGEPAGE: a stack costs the pages
 * it touched, also where the kernel likes huge pages. Slabs are unmapped with the pool only.
 *
 * Recycled stacks keep KEEP bytes at most, because whoever needs more works for longer than it takes to get
 * pages back. Nobody asks the kernel how much was touched as long as the mark, the last bytes of the topmost
 * page, is still zero: then no more than that page was used. Frames that leave out just those bytes exist, so
 * each LOOK_EVERYth stack is measured all the same. Pages alone do not tell who touched them: only what
 * exceeds that of earlier owners counts, and after each such look a stack begins clean again.
 *
 * What is given back beyond that is up to the hub (stack_pool_trim()): of such a stack only the place is
 * known.
 */
#include "green/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "green/sanitizer.h"

enum {
        SLAB_MIN = 16,
        SLAB_MAX = 1024,
        KEEP = 16 * 1024,
        LOOKS_AT_FIRST = 64,
        LOOK_EVERY = 4096,
};

struct stack_slab {
        struct stack_slab *next;
        unsigned char *base;
        size_t len;
};

static bool marks_do_not_work(void)
{
#if defined(WITH_ASAN) || defined(WITH_TSAN)
        return true; /* their reports begin with a look at memory that is none's */
#elif defined(HAVE_VALGRIND)
        return RUNNING_ON_VALGRIND;
#else
        return false;
#endif
}

void stack_pool_init(struct stack_pool *p, size_t stack_size, size_t record_size, bool only_mprotect)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        *p = (struct stack_pool){ .page = page, .slab_stacks = SLAB_MIN, .until_look = 1 };
#if defined(WITH_ASAN) || defined(WITH_TSAN)
        stack_size *= 4; /* their frames are larger */
#endif
        p->size = (stack_size + page - 1) / page * page + page;
        p->record = (record_size + 63) / 64 * 64;
        p->guards.only_mprotect = only_mprotect;
        p->look_always = marks_do_not_work();
}

/* ---- mappings ---- */

/* Where address space is short, a smaller slab may still fit. */
static void *map_slab(struct stack_pool *p, size_t *ret_len)
{
        void *base;

        for (unsigned n = p->slab_stacks;; n /= 2) {
                *ret_len = p->size * n;
                base = mmap(NULL, *ret_len, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
                if (base != MAP_FAILED || n == 1)
                        return base;
        }
}

static int slab_add(struct stack_pool *p, struct error *err)
{
        struct stack_slab *slab;
        size_t len;
        void *base = map_slab(p, &len);

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
        if (p->slab_stacks < SLAB_MAX)
                p->slab_stacks *= 2;
        return 0;
}

/* ---- those who want to know of stacks ---- */

static unsigned char *top_of(const struct stack_pool *p, const struct stack_record *r)
{
        return (unsigned char *)r + p->record;
}

static void announce(struct stack_record *r, unsigned char *low, unsigned char *top)
{
        r->low = low;
        r->pages_before = 0;
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

/* ---- handing out ---- */

static struct stack_record *make_record(struct stack_pool *p, unsigned char *slot)
{
        unsigned char *top = slot + p->size;
        struct stack_record *r = (struct stack_record *)(top - p->record);

        announce(r, slot + p->page, top);
        return r;
}

/* One that nobody has used, or whose memory was given back. */
static struct stack_record *get_without_memory(struct stack_pool *p, struct error *err)
{
        unsigned char *slot;

        if (p->n_cold)
                return make_record(p, p->cold[--p->n_cold]);
        if (p->fresh == p->fresh_end && slab_add(p, err) < 0)
                return NULL;
        slot = p->fresh;
        if (guard_install(&p->guards, slot, err) < 0) {
                p->refused++;
                return NULL;
        }
        p->fresh += p->size;
        return make_record(p, slot);
}

void *stack_get(struct stack_pool *p, struct error *err)
{
        struct stack_record *r = p->free;

        if (r) {
                p->free = r->next_free;
                if (--p->cached < p->cached_min)
                        p->cached_min = p->cached;
#ifdef WITH_ASAN
                /* The frames of the last owner were abandoned, not left: their poison is stale. */
                __asan_unpoison_memory_region(r->low, (size_t)((unsigned char *)r - r->low));
#endif
        } else {
                r = get_without_memory(p, err);
                if (!r)
                        return NULL;
        }
        return r;
}

/* ---- measuring ---- */

enum { VECTOR = 128 };

/* From the top to the lowest page that is there. A page that was swapped out counts as not there. */
static unsigned pages_touched(const struct stack_pool *p, const struct stack_record *r)
{
        unsigned char there[VECTOR], *top = top_of(p, r), *low = r->low;
        size_t n;

        for (; low < top; low += n * p->page) {
                n = (size_t)(top - low) / p->page;
                if (n > VECTOR)
                        n = VECTOR;
                if (mincore(low, n * p->page, there) < 0)
                        return 0;
                for (size_t i = 0; i < n; i++)
                        if (there[i] & 1)
                                return (unsigned)((size_t)(top - low) / p->page - i);
        }
        return 0;
}

size_t stack_touched(const struct stack_pool *p, const struct stack_record *r)
{
        return pages_touched(p, r) * p->page;
}

/* What lies deeper than the uppermost `keep` pages. */
static void give_back(const struct stack_pool *p, struct stack_record *r, unsigned keep)
{
        unsigned char *until = top_of(p, r) - keep * p->page;

        if (until > r->low)
                madvise(r->low, (size_t)(until - r->low), MADV_DONTNEED);
}

void stack_look(struct stack_pool *p, struct stack_record *r, const char *name)
{
        unsigned pages = pages_touched(p, r), keep = KEEP / (unsigned)p->page;

        stack_kind_note(p, name, pages > r->pages_before ? pages * p->page : 0, true);
        if (p->until_look == 1) {
                p->until_look = p->look_always || ++p->looks < LOOKS_AT_FIRST ? 1 : LOOK_EVERY;
                keep = 1;
        }
        if (pages > keep) {
                give_back(p, r, keep);
                pages = keep;
        }
        r->pages_before = pages;
        if (!p->look_always)
                memset(top_of(p, r) - p->page, 0, STACK_MARK);
}

/* ---- giving memory back ---- */

/* False: no memory to note its place, so it stays as it is. */
static bool forget_all_but_the_place(struct stack_pool *p, struct stack_record *r)
{
        unsigned char *low = r->low;

        if (p->n_cold == p->cold_max) {
                size_t max = p->cold_max ? 2 * p->cold_max : STACK_CACHE_MIN;
                unsigned char **more = realloc(p->cold, max * sizeof(*more));

                if (!more)
                        return false;
                p->cold = more;
                p->cold_max = max;
        }
        withdraw(r, top_of(p, r));
        p->cold[p->n_cold++] = low - p->page;
        madvise(low, p->size - p->page, MADV_DONTNEED);
        return true;
}

bool stack_pool_trim(struct stack_pool *p, unsigned n)
{
        while (n-- > 0 && p->cached > STACK_CACHE_MIN) {
                struct stack_record *r = p->free, *next = r->next_free;

                if (!forget_all_but_the_place(p, r))
                        return false;
                p->free = next;
                p->cached--;
        }
        if (p->cached < p->cached_min)
                p->cached_min = p->cached;
        return true;
}

void stack_pool_free(struct stack_pool *p)
{
        struct stack_slab *slab;

        for (struct stack_record *r = p->free; r; r = r->next_free)
                withdraw(r, top_of(p, r));
        while ((slab = p->slabs)) {
                p->slabs = slab->next;
                munmap(slab->base, slab->len);
                free(slab);
        }
        guards_forget(&p->guards);
        free(p->cold);
        free(p->kinds);
        *p = (struct stack_pool){};
}
