/* agent/rpc/diagnostics.h: what a guest has used, in the two forms that nova-api asks for
 * (nova-contract 3.4). */
#pragma once

#include "compute/manager.h"
#include "json/json.h"

/* The flat one of get_diagnostics: "cpu0_time", "vda_read_req", "memory-rss". */
struct jval *diagnostics_flat(const struct compute_diagnostics *d);
/* The Diagnostics object of get_instance_diagnostics. */
struct jval *diagnostics_object(const struct compute_diagnostics *d);
