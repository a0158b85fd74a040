/*
 * agent/trim.h: memory that only the start needed goes back to the kernel.
 */
#pragma once

/*
 * Gives back what of code, constants and heap is not needed right now: pages of program and libraries are
 * read again from the page cache where they are. Any thread; costs about a millisecond. Not for a process
 * that a debugger may have put breakpoints into: they stand in such pages.
 */
void trim_memory(void);
