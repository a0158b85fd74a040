/*
 * agent/model/primitive.h: the JSON form of nova's objects (nova-contract 2.1), which is in messages and in
 * some columns.
 */
#pragma once

#include <time.h>

#include "json/json.h"
#include "model/instance.h"

/* Takes over data. Without "changes". */
struct jval *nova_object(const char *name, const char *version, struct jval *data);
/* "2026-01-02T03:04:05Z"; 0: null. */
void nova_object_set_time(struct jval *data, const char *key, time_t t);
/* The four fields that every row's object has, of a row that is not deleted. */
void nova_object_set_times(struct jval *data, time_t created_at, time_t updated_at);
/*
 * The request context as messages carry it, each key without "_context_" (2.4). Without token and catalog:
 * who is told that way does not act for the user.
 */
struct jval *nova_context(const struct request_context *ctx);
struct jval *nova_flavor(const struct flavor *f, time_t created_at);
/* Adds what the Flavor's data has under extra_specs to a flavor that has none yet. */
void nova_flavor_read_extra_specs(struct flavor *f, const struct jval *data);
