/*
 * lib/native/native_thread.h: starting real threads beside the hub, whatever the patcher did to
 * pthread_create.
 */
#pragma once

#include <pthread.h>

/*
 * The thread takes no signals, which are the business of the hub's thread; those that a fault of its own
 * raises stay open, or a crash in a library would end the process without a word. Returns 0 or an errno.
 */
int native_thread_start(pthread_t *ret, void *(*fn)(void *arg), void *arg);
void native_thread_set_name(const char *name); /* of the calling one; cut to 15 characters */
/* The letter that /proc has for the state of a thread or a process, as a word; "ended" for what is none. */
const char *native_state_name(char letter);
