/* lib/native/symbolise.h: what is at an address of this process. */
#pragma once

#include <stddef.h>

/* "function+0x12 (file.c:123)". Slow: any thread but the hub. */
void symbolise(void *address, char *buf, size_t size);
/* In a copy (native/copy.h), before its first symbolise(): another thread may have been in the midst of one.
 */
void symbolise_in_copy(void);
/*
 * "libc.so.6+0x1234", for addr2line: any thread, async-signal-safe, no lock, no memory.
 */
void symbolise_plainly(const void *address, char *buf, size_t size);
