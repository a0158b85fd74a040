/*
 * agent/agent.h: the daemon: owns all parts, starts them in order, waits, stops them in reverse.
 */
#pragma once

#include "conf/conf.h"
#include "options.h"

struct agent_options {
        struct conf *conf; /* borrowed; a reload changes it in place */
        const struct options *options;
};

/*
 * The body of green thread "main" (for hub_run(); arg is a struct agent_options): starts everything, serves
 * until a signal says to stop, drains. 0: stopped as asked; -1 with err: a part could not start.
 */
int agent_main(void *arg, struct error *err);
