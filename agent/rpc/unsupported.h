/* agent/rpc/unsupported.h: the methods of nova's compute API that this agent does not have
 * (nova-contract 3.3). */
#pragma once

#include "messaging/rpc_server.h"

extern const struct rpc_method unsupported_methods[]; /* ends with a NULL name */

/* enum compute_wraps of one of them; 0: it has no instance or leaves no rows, or is not one of them. */
unsigned unsupported_wraps(const char *method);
