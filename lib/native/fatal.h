/*
 * lib/native/fatal.h: a process that dies of a signal says on stderr where it was.
 */
#pragma once

#include "green/green.h"

/*
 * Called on a hub's thread: from now on SIGABRT (also a service manager's, whose watchdog was not fed),
 * SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGSYS tell of the native thread that took it, of where this hub is and
 * of its green threads, before the process dies of the signal as it would anyway, with a core file where the
 * system makes them. It takes some seconds at most, also when memory is damaged or stderr takes nothing. Call
 * it before green_catch_overflow(), whose line then comes first. Once; the hub lasts as long as the process
 * or until fatal_stop().
 */
int HUB_ONLY fatal_start(struct error *err);
void HUB_ONLY fatal_stop(void); /* the hub is about to end; signals still tell of native threads */
