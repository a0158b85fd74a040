/*
 * agent/process.h: what belongs to the process as a whole: signals, limits, directories.
 */
#pragma once

#include "base/context.h"
#include "conf/conf.h"

/*
 * Before any thread: SIGPIPE ignored, the signals that process_next_signal() reads blocked, so that every
 * thread made later inherits that; file mode mask; state directory made. ERR_BUSY: another
 * agent works on this state directory.
 */
int process_prepare(const struct conf *conf, struct error *err);

/* Waits for SIGTERM, SIGINT, SIGHUP and returns its number; -1: ERR_CANCELLED, ERR_SYSTEM. */
int YIELDS process_next_signal(struct error *err);
