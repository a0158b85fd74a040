/* lib/green/guard.c: pages that nobody may touch. The mappings are the process's, so they are counted for it.
 */
#include "green/guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/context.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

enum { UNKNOWN, WORKS, FAILS };
enum { DEFAULT_MAX_MAPPINGS = 65530 };

static atomic_int madvise_guards;      /* does the kernel have them? */
static atomic_uint mprotected;         /* guards of this process that cost mappings */
static atomic_uint mprotected_at_most; /* 0: not yet worked out */

static size_t page_size(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Tried, and then the kernel is asked to write there, which answers EFAULT: some emulators of Linux take any
 * advice and do nothing.
 */
static bool try_madvise_guard(void)
{
        size_t size = page_size();
        void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool works;

        if (page == MAP_FAILED)
                return false;
        works = madvise(page, size, MADV_GUARD_INSTALL) == 0 && syscall(SYS_getrandom, page, 1, 0) < 0 &&
                errno == EFAULT;
        munmap(page, size);
        return works;
}

static bool have_madvise_guards(void)
{
        int known = atomic_load_explicit(&madvise_guards, memory_order_relaxed);

        if (known == UNKNOWN) {
                known = try_madvise_guard() ? WORKS : FAILS;
                atomic_store_explicit(&madvise_guards, known, memory_order_relaxed);
        }
        return known == WORKS;
}

static unsigned long max_mappings(void)
{
        unsigned long n = 0;
        FILE *f;

        local_files("/proc answers from memory");
        f = fopen("/proc/sys/vm/max_map_count", "re");
        if (f && fscanf(f, "%lu", &n) != 1)
                n = 0;
        if (f)
                fclose(f);
        return n ? n : DEFAULT_MAX_MAPPINGS;
}

static unsigned long mappings_now(void)
{
        unsigned long n = 0;
        FILE *f;
        int c;

        local_files("/proc answers from memory");
        f = fopen("/proc/self/maps", "re");
        while (f && (c = getc_unlocked(f)) != EOF)
                n += c == '\n';
        if (f)
                fclose(f);
        return n;
}

unsigned guard_budget(unsigned long allowed, unsigned long exist)
{
        unsigned long others = exist + allowed / 8; /* what there is, and what may come: malloc, libraries */

        return others < allowed ? (unsigned)((allowed - others) / 2) : 0;
}

static bool take_from_budget(void)
{
        unsigned most = atomic_load(&mprotected_at_most);

        if (!most) {
                most = guard_budget(max_mappings(), mappings_now());
                atomic_store(&mprotected_at_most, most);
        }
        if (atomic_fetch_add(&mprotected, 1) < most)
                return true;
        atomic_fetch_sub(&mprotected, 1);
        return false;
}

static int protect(struct guards *g, void *page, struct error *err)
{
        if (take_from_budget()) {
                if (mprotect(page, page_size(), PROT_NONE) == 0) {
                        g->installed++;
                        g->by_mprotect++;
                        return 0;
                }
                atomic_fetch_sub(&mprotected, 1);
                if (errno != ENOMEM)
                        return error_system(err, errno, "making a guard page");
        }
        return error_set(err, ERR_LIMIT,
                         "no guard page for another stack: %u have one, and on this kernel each takes two "
                         "of the %lu mappings that vm.max_map_count allows",
                         atomic_load(&mprotected), max_mappings());
}

int guard_install(struct guards *g, void *page, struct error *err)
{
        /* Pages that are locked in memory (mlockall() of late) refuse it. */
        if (!g->only_mprotect && have_madvise_guards() &&
            madvise(page, page_size(), MADV_GUARD_INSTALL) == 0) {
                g->installed++;
                return 0;
        }
        return protect(g, page, err);
}

void guards_forget(struct guards *g)
{
        atomic_fetch_sub(&mprotected, g->by_mprotect);
        g->installed = g->by_mprotect = 0;
}

const char *guard_kind(const struct guards *g)
{
        return !g->only_mprotect && have_madvise_guards() ? "MADV_GUARD_INSTALL" : "mprotect";
}
