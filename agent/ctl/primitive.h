/*
 * agent/ctl/primitive.h: nova's objects as the control plane sends them (nova-contract 2). Pure.
 *
 * Only for compute-agentctl, which plays its part; what the agent reads is in rpc/args.h.
 */
#pragma once

#include "images/image_source.h"
#include "json/json.h"
#include "model/instance.h"

struct jval *primitive_instance(const struct instance *i);
struct jval *primitive_block_devices(const struct block_devices *b, const char *instance_uuid);
/* All arguments of build_and_run_instance. */
struct jval *primitive_build_arguments(const struct instance *i, const struct block_devices *b,
                                       const struct image_info *image, const char *node);
