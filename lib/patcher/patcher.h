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
 * library call. Descriptors that are non-blocking keep EAGAIN, SO_RCVTIMEO and SO_SNDTIMEO hold. What else a
 * call may be told while it waits:
 *   - Cancelled: ECANCELED (poll and select too); sleep() returns the seconds left.
 *   - The descriptor was closed by a patched close() or green_close(): EBADF, and POLLNVAL from poll().
 *   - Never EINTR: see below.
 * Buffers are checked by the kernel (EFAULT); a vector, a message or a set at an address that is not there is
 * a crash, unless it is NULL.
 *
 * Regular files, and stdio (fread, printf, fclose), are never green: they work inside of the C library.
 * Neither are locks on files: fcntl(F_SETLKW) waits natively.
 *
 * Signals. A handler runs on the native thread that the kernel chose. On the hub's it runs on the stack of
 * the green thread that happens to run, which is small: use SA_ONSTACK after hub_use_signal_stack(). It
 * interrupts no green thread in particular, so a call that parks goes on as with SA_RESTART, also where POSIX
 * would return EINTR (poll, select, sleep). The hub's own epoll_wait() is interrupted and begins anew. A
 * handler must not make green calls, and patched calls in it are for what async-signal-safe allows: none that
 * could park. To wait for a signal, read() a signalfd; pthread_kill() of a green thread signals the hub's
 * native thread; the signal mask is the native thread's. ppoll, pselect and epoll_pwait with a mask fail with
 * ENOSYS.
 *
 * fork(). The child has the one native thread that forked, and no hub: patched calls are plain calls there, a
 * green call aborts with a message, and nothing it does takes events from the parent. It may exec, _exit, or
 * begin anew with hub_run(); native threads (tpool, log writer) do not exist in it. Do not return from the
 * green thread that forked. vfork() is not to be used at all: its child would run in the hub's memory, as any
 * patched call would show. posix_spawn() is safe; lib/process is better.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/original.h" /* patcher_original(name): the unpatched function */

enum patch_category {
        PATCH_SOCKET = 1 << 0, /* connect, accept, recv..., send..., sendfile, read and write on sockets,
                                  close; getaddrinfo and getnameinfo (in tpool) */
        PATCH_SELECT = 1 << 1, /* poll, select, epoll_wait and their variants */
        PATCH_TIME = 1 << 2,   /* sleep, usleep, nanosleep, clock_nanosleep, thrd_sleep */
        PATCH_THREAD = 1 << 3, /* pthread_create and what takes its handles, thrd_create, sched_yield */
        PATCH_OS = 1 << 4, /* read and write on pipes and other pollable descriptors; wait, waitpid, ... */
        PATCH_ALL = PATCH_SOCKET | PATCH_SELECT | PATCH_TIME | PATCH_THREAD | PATCH_OS,
};

/*
 * At the very start of main(), before any other thread. May be called once per process; a second call with
 * other categories fails with ERR_INVALID. Tests itself, and refuses to run half patched: ERR_UNSUPPORTED,
 * with the symbol's name, when the program was linked without one of the wraps, when the C library has no
 * such function, or when a call does not pass through here. The daemon patches PATCH_ALL & ~PATCH_OS, and
 * with
 * --debug also without PATCH_THREAD.
 */
int monkey_patch(unsigned categories, struct error *err);
bool is_patched(unsigned category); /* all of the given bits; any thread */

/*
 * Greens one loaded shared library (its soname, or a path's last part) in the patched categories.
 * ERR_NOT_FOUND when it is not loaded, ERR_UNSUPPORTED when it refers to a patched symbol in a way that
 * cannot be redirected (nothing is changed then); *ret_slots (may be NULL) says how many import slots were
 * redirected.
 */
int patcher_green_library(const char *soname, unsigned *ret_slots, struct error *err);

/*
 * Where getaddrinfo() runs when it needs a name server; borrowed, to be set once the hub runs and to be reset
 * with NULL before the pool is closed. Without one such a call fails with EAI_SYSTEM and ENOSYS: it never
 * stalls the hub.
 */
struct tpool;
void patcher_use_tpool(struct tpool *p);

/* ---- what is patched, and what is not ---- */

/* Name and categories of each symbol that is patched; ends with a NULL name. */
struct patched_symbol {
        const char *name;
        unsigned category;
};
extern const struct patched_symbol patched_symbols[];
const struct patched_symbol *patched_find(const char *name); /* NULL: not in the table */

/* What one might expect in that table, and why it is not; ends with a NULL name. */
enum not_patched_harm {
        NOT_PATCHED_BLOCKS, /* stops the hub while it waits */
        NOT_PATCHED_HANDLE, /* crashes when it is given a green thread's handle */
        NOT_PATCHED_FINE,   /* may be called, within what the reason says */
};
struct not_patched_symbol {
        const char *name;
        enum not_patched_harm harm;
        const char *because;
};
extern const struct not_patched_symbol not_patched_symbols[];
const struct not_patched_symbol *not_patched_find(const char *name); /* NULL: not in the table */

/* Calls fn for each import slot of a loaded library that is in either table. -1: ERR_NOT_FOUND. */
struct patcher_import {
        const char *symbol;
        const struct patched_symbol *patched;         /* or NULL */
        const struct not_patched_symbol *not_patched; /* or NULL */
        bool redirected;                              /* the slot leads here */
};
int patcher_list_imports(const char *soname, void (*fn)(const struct patcher_import *import, void *arg),
                         void *arg, struct error *err);
