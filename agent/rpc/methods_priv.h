/* agent/rpc/methods_priv.h: what the files of handlers share: those of the table in methods.c, by family. */
#pragma once

#include "rpc/args.h"

static inline struct compute_manager *manager_of(const struct rpc_call *call)
{
        return ((const struct agent_methods *)call->app)->manager;
}

/* methods_console.c */
rpc_method_fn get_vnc_console, validate_console_port;
rpc_method_fn other_console; /* get_spice_console and its kin */
rpc_method_fn get_diagnostics, get_instance_diagnostics;

/* methods_events.c */
rpc_method_fn external_instance_event;
