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

/* methods_diagnostics.c */
rpc_method_fn get_diagnostics, get_instance_diagnostics;

/* methods_events.c */
rpc_method_fn external_instance_event;

/*
 * What is taken back when a request for the method is refused: rpc_method.about of each method for which a
 * task is set, or more is prepared, before its request is sent.
 */
struct refusal {
        unsigned wraps; /* enum compute_wraps; 0: it has no instance, or leaves no rows */
        /* What args say was prepared beside the task; may be NULL. */
        void (*leftover)(const struct jval *args, struct compute_leftover *ret);
};

/* refuse.c */
extern const struct refusal refused_build, refused_task;
void left_by_resize(const struct jval *args, struct compute_leftover *ret);
void left_by_rebuild(const struct jval *args, struct compute_leftover *ret);
void left_by_snapshot(const struct jval *args, struct compute_leftover *ret);

/* unsupported.c: the methods of nova's compute API that this agent does not have (nova-contract 3.3). */
extern const struct rpc_method unsupported_methods[];
