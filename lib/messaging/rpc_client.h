/*
 * lib/messaging/rpc_client.h: a client of the local socket: compute-agentctl, and tests that play nova-api.
 */
#pragma once

#include "green/green.h"
#include "messaging/envelope.h"

struct rpc_client;

/* Connects to the socket at path. ERR_SYSTEM: not there, refused, no permission. */
struct rpc_client *YIELDS rpc_client_connect(const char *path, struct deadline by, struct error *err);
void HUB_ONLY rpc_client_free(struct rpc_client *c);
/* args and context are borrowed; context may be NULL. Casts return when the bytes were sent. */
int YIELDS rpc_client_cast(struct rpc_client *c, const char *ns, const char *version, const char *method,
                           struct jval *args, struct jval *context, struct deadline by, struct error *err);
/*
 * 0 with *ret_result (owned), or -1: ERR_TIMEOUT, ERR_CLOSED, ERR_DENIED with the message of a
 * PermissionError, else ERR_APP with text "Class: message".
 */
int YIELDS rpc_client_call(struct rpc_client *c, const char *ns, const char *version, const char *method,
                           struct jval *args, struct jval *context, struct deadline by,
                           struct jval **ret_result, struct error *err);
