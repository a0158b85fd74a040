/*
 * agent/rpc/methods.h: the tables of RPC methods: nova's compute API 6.1 and oslo's baseapi 1.1
 * (nova-contract 1.4, 3.3). Older services that are pinned to 5.x reach the same methods.
 *
 * Handlers decode args into structs, call compute/, and turn the outcome into JSON. rpc_call.app is a
 * struct agent_methods.
 */
#pragma once

#include "compute/manager.h"
#include "messaging/rpc_server.h"

#define COMPUTE_RPC_VERSION "6.1"
#define OLD_RPC_VERSION     "5.13"
#define BASE_RPC_VERSION    "1.1"

struct agent_methods { /* all borrowed */
        struct compute_manager *manager;
        struct transport *transport;  /* for the cast back to conductor; NULL once it is being freed */
        const char *control_exchange; /* "nova" */
        const char *host;             /* ours */
        double long_timeout_s;        /* deadline of casts: [DEFAULT] long_rpc_timeout */
        double timeout_s;             /* of calls: rpc_response_timeout */
};

extern const struct rpc_endpoint agent_endpoints[];   /* for rpc_server_options.endpoints */
extern const struct rpc_endpoint agent_ping_endpoint; /* one more, with [DEFAULT] rpc_ping_enabled */

/* For rpc_server_options.describe_failure: error code -> class, module, kwargs (nova-contract 1.5). */
void rpc_describe_failure(const struct error *err, const struct rpc_request *r, struct rpc_failure *ret,
                          struct jval **ret_kwargs);
