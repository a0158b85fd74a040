/*
 * lib/green/probes.h: USDT probes of provider `green`, for gdb, perf, bpftrace and systemtap.
 *
 * A probe is one nop in the code, and a note in the file that says where it is and in which registers or
 * memory its arguments lie then. All arguments are such that the code has them anyway: a switch takes two
 * instructions more, a nop and an address (counted by callgrind). Without <sys/sdt.h>
 * (systemtap-sdt-dev), or with -DGREEN_WITHOUT_PROBES, there are none.
 *
 *      spawn   id, name, function, site ("file.c:12")
 *      switch  id of who leaves, id of who comes, name of who comes
 *      park    id, what it waits for ("lock", "read" ...), descriptor or -1, deadline in ns (INT64_MAX: none)
 *      wake    id, why (enum wake: 0 came true, 1 deadline, 2 cancelled, 3 closed)
 *      exit    id, name
 *      poll    how many descriptors became ready, longest wait in ms (-1: no limit)
 *      stall   name of who holds the hub, for how many ns, 0: just noticed, 1: over (on the watcher's thread)
 */
#pragma once

#if __has_include(<sys/sdt.h>) && !defined(GREEN_WITHOUT_PROBES)
#include <sys/sdt.h>
#else
#define DTRACE_PROBE2(provider, name, a, b)       ((void)0)
#define DTRACE_PROBE3(provider, name, a, b, c)    ((void)0)
#define DTRACE_PROBE4(provider, name, a, b, c, d) ((void)0)
#endif
