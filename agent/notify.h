/*
 * agent/notify.h: telling the service manager how far the agent is (sd_notify). Without one all are no-ops.
 */
#pragma once

#include "base/context.h"
#include "base/error.h"

void notify_status(const char *fmt, ...)
        __attribute__((format(printf, 1, 2))); /* STATUS=: one line of text */
void notify_ready(void);
void notify_reloading(void); /* notify_ready() when it is done */
void notify_stopping(void);
void notify_extend_timeout(double seconds); /* EXTEND_TIMEOUT_USEC: start or stop takes that much longer */

/* With WatchdogSec= in the unit: a green thread that says WATCHDOG=1 in time, as long as the hub turns. */
int HUB_ONLY notify_watchdog_start(struct error *err);
