/*
 * agent/rpc/objects.h: nova's versioned objects as they arrive in arguments (nova-contract 2.1 to 2.4): the
 * parts of them that the agent uses, checked and copied into structs.
 *
 * Unknown fields are ignored, known ones of a wrong type refused. Errors name the object and the field:
 * NOVA_UNSUPPORTED_OBJECT for another kind or version, NOVA_TYPE_ERROR for a wrong type.
 */
#pragma once

#include "json/json.h"
#include "model/fault.h"
#include "model/instance.h"

#define OBJECT_INSTANCE_VERSION "2.7"
#define OBJECT_FLAVOR_VERSION   "1.2"

/* The data of a primitive of this name, whose version must be compatible with ours. Borrowed; NULL on error.
 */
struct jval *object_data(const struct jval *primitive, const char *name, const char *version,
                         struct error *err);

/* What is taken from an Instance: the rest is read from the rows, which are newer. */
struct object_instance {
        char uuid[UUID_LEN + 1];
        struct flavor *flavor; /* owned; NULL: not loaded by the sender */
};
int object_instance_decode(const struct jval *primitive, struct object_instance *ret, struct error *err);
void object_instance_free(struct object_instance *i);

/* The uuid alone, of any argument that may be an Instance; NULL when there is none. Borrowed. */
const char *object_instance_uuid(const struct jval *args);

/* The request context. A missing request id is made up, so that log lines and rows have one. */
int object_context_decode(const struct jval *context, struct request_context *ret, struct error *err);
