/*
 * lib/base/original.h: the C library's own calls, whatever the patcher did to the names.
 *
 * The runtime's native side (tpool, watcher, log writer) needs real threads and real sleeps although the
 * program is linked with the patcher's --wrap. original_call("poll") looks the name up once per call site
 * with dlsym(RTLD_DEFAULT), which finds a sanitizer's interceptor where there is one. Any thread.
 */
#pragma once

void *original_symbol(const char *name); /* aborts when libc has no such name */

/* patcher_original(sleep)(1): the unpatched function, with its own type. */
#define patcher_original(name)                                                                        \
        ({                                                                                            \
                static __typeof__(&name) original_##name;                                             \
                if (!__atomic_load_n(&original_##name, __ATOMIC_RELAXED))                             \
                        __atomic_store_n(&original_##name, (__typeof__(&name))original_symbol(#name), \
                                         __ATOMIC_RELAXED);                                           \
                __atomic_load_n(&original_##name, __ATOMIC_RELAXED);                                  \
        })
