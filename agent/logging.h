/*
 * agent/logging.h: the log as command line and configuration want it.
 */
#pragma once

#include "conf/conf.h"
#include "options.h"

/* To the journal, a file or stderr. */
int logging_start(const struct options *opt, const struct conf *c, struct error *err);
/* What may change while it runs, and is no level. */
void logging_follow_settings(const struct conf *c);
