/*
 * agent/admin/access.h: who may ask what over the local socket, by what the kernel says of him.
 *
 *      root, the agent's own user          all
 *      members of the readers' group       to look: the admin methods marked with access_look
 *      who else gets as far as connecting  nothing
 *
 * Requests of the message bus come from the control plane: all but the admin methods are for it.
 */
#pragma once

#include "messaging/rpc_server.h"

/* The `about` of an admin method that only looks. One without it is for root and the agent's user. */
extern const char access_look[];

/* For rpc_server_options.may. readers: name of the group, for the text; "": there is none. ERR_DENIED. */
int access_check(const struct rpc_call *call, const char *readers, struct error *err);
/* For a method that looks or changes, depending on its arguments: may he change? ERR_DENIED. */
int access_may_change(const struct rpc_call *call, struct error *err);
