/*
 * lib/green/guard.h: pages that nobody may touch, below the stacks. Not for users of the library.
 *
 * Two kinds. MADV_GUARD_INSTALL (Linux 6.13) costs no mapping, so there may be any number. mprotect(), for
 * older kernels and after mlockall(), makes two mappings of one; the number of them that a process may have
 * (vm.max_map_count) is left to the rest of the process in good part, and then guard_install() refuses. It
 * never leaves a page unguarded and says nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct guards {
        bool only_mprotect; /* as if the kernel had nothing better */
        unsigned installed, by_mprotect;
};

/* One page of a mapping of our own. -1: ERR_LIMIT (no more mappings), ERR_SYSTEM. */
int guard_install(struct guards *g, void *page, struct error *err);
/* Those of *g were unmapped. */
void guards_forget(struct guards *g);
/* How the next one will be made: "MADV_GUARD_INSTALL" or "mprotect". */
const char *guard_kind(const struct guards *g);

/* For tests: how many guards by mprotect fit, if so many mappings are allowed and so many exist already. */
unsigned guard_budget(unsigned long max_mappings, unsigned long mappings);
