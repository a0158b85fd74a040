/* agent/rpc/unsupported.h: the methods of nova's compute API that this agent does not have
 * (nova-contract 3.3). */
#pragma once

#include "messaging/rpc_server.h"

extern const struct rpc_method unsupported_methods[]; /* ends with a NULL name */
