/*
 * agent/heartbeat.h: the heartbeat file (nova-contract 4.5): a sign of life for watchers outside.
 *
 * Plain pthread_create() and sleep(): green with thread patching, so that a blocked hub stops the beat, which
 * is the point; native with --debug, and then it beats whatever the hub does. The thread is called
 * "heartbeat".
 *
 * The directory is made with execute("mkdir", "-p"), as root when we may not ourselves (it is then given to
 * our user). execute() is a green call: on the native thread it runs in a hub of its own that lasts as long
 * as the command. So both kinds do the same; execute_set_root_helper() must not be called once this has
 * started.
 */
#pragma once

#include "base/error.h"

struct heartbeat;

struct heartbeat_options {
        const char *path;      /* the directory; made with its parents when it is missing */
        const char *file_name; /* the file in it; created at each beat if missing, its mtime is renewed */
        unsigned interval_s;   /* pause between two beats, whatever came of the last; at least 1 */
};

/* Everything is copied. The first beat is due at once: green at the next switch. */
struct heartbeat *heartbeat_start(const struct heartbeat_options *opt, struct error *err);
/* Ends a pause at once, a beat when it is done; waits for the end (green: yields). The file stays. NULL
 * allowed. */
void heartbeat_stop(struct heartbeat *h);
/* Seconds since the last beat that succeeded; negative before the first. Any thread. */
double heartbeat_last_beat(const struct heartbeat *h);
