/*
 * agent/rpc/scheduler.h: the messages that tell the schedulers which instances this host has
 * (nova-contract 3.6): fanout casts of version 4.2.
 */
#pragma once

#include "rpc/methods.h"

extern const struct scheduler_ops rpc_scheduler_ops; /* arg: a struct agent_methods */
