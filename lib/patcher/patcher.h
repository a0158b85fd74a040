/*
 * lib/patcher/patcher.h: as eventlet.monkey_patch(): blocking C calls become green, by category.
 *
 * Two scopes. The program's own objects are linked with --wrap for each name (patcher_dep in meson brings the
 * arguments). Foreign libraries are left alone unless named: patcher_green_library("librabbitmq.so.4") sends
 * that library's import slots here. libvirt, glib, libmariadb, libcurl and libc's own insides own locks and
 * threads which cannot be greened, and must never be named.
 *
 * A patched call parks the green thread only when it is made on a hub thread by code in scope, in a category
 * that was patched, and would block; on any other native thread, and before hub_run(), it is the plain C
 * library call. Descriptors that are non-blocking keep EAGAIN. A cancelled green thread gets ECANCELED
 * (poll and select too); sleep() then returns the seconds left.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/original.h" /* patcher_original(name): the unpatched function */

enum patch_category {
        PATCH_SOCKET = 1 << 0, /* connect accept accept4 recv recvfrom recvmsg send sendto sendmsg read write
                                  ... on sockets; getaddrinfo (in tpool) */
        PATCH_SELECT = 1 << 1, /* poll ppoll select */
        PATCH_TIME = 1 << 2,   /* sleep usleep nanosleep clock_nanosleep */
        PATCH_THREAD = 1 << 3, /* pthread_create join detach self setname_np cancel setcancelstate */
        PATCH_OS = 1 << 4,     /* read, write on pipes and other pollable descriptors */
        PATCH_ALL = PATCH_SOCKET | PATCH_SELECT | PATCH_TIME | PATCH_THREAD | PATCH_OS,
};

/*
 * At the very start of main(), before any other thread. May be called once per process; a second call with
 * other categories fails with ERR_INVALID. Checks itself: fails with ERR_UNSUPPORTED when the program was not
 * linked with the wraps. The daemon patches PATCH_ALL & ~PATCH_OS, and with --debug also without
 * PATCH_THREAD.
 */
int monkey_patch(unsigned categories, struct error *err);
bool is_patched(unsigned category); /* all of the given bits; any thread */

/*
 * Greens one loaded shared library (its soname, or a path's last part) in the patched categories.
 * ERR_NOT_FOUND when it is not loaded; *ret_slots (may be NULL) says how many import slots were redirected.
 */
int patcher_green_library(const char *soname, unsigned *ret_slots, struct error *err);

/*
 * Where getaddrinfo() runs when it needs a name server; borrowed, to be set once the hub runs and to be reset
 * with NULL before the pool is closed. Without one such a call fails with EAI_SYSTEM and ENOSYS: it never
 * stalls the hub.
 */
struct tpool;
void patcher_use_tpool(struct tpool *p);

/* The table: name and category of each symbol that is patched; ends with a NULL name. */
struct patched_symbol {
        const char *name;
        unsigned category;
};
extern const struct patched_symbol patched_symbols[];
