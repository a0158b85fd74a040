/*
 * agent/progress.h: how far long work is, where a person looks: STATUS= of the service manager, at once, and
 * the log, every ten seconds. Costs nothing while there is none.
 */
#pragma once

#include "base/context.h"
#include "base/error.h"

struct agent;
struct progress;

/* From when the manager is there until before it goes. It also ends a drain that is to stop the agent. */
struct progress *HUB_ONLY progress_start(struct agent *a, struct error *err);
void YIELDS progress_stop(struct progress *p); /* NULL allowed */
/* Recovery: so many of them are looked at. */
void HUB_ONLY progress_recovering(struct progress *p, unsigned done, unsigned total);
/* What STATUS= is to say now. */
void HUB_ONLY progress_show(struct progress *p);
