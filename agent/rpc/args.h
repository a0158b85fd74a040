/*
 * agent/rpc/args.h: arguments of the methods, as structs, and what a handler needs beside them.
 *
 * A field that is missing, unknown or of a wrong type fails with NOVA_TYPE_ERROR naming it, as Python's
 * TypeError would.
 */
#pragma once

#include "compute/manager.h"
#include "messaging/rpc_server.h"
#include "rpc/methods.h"
#include "rpc/objects.h"

/* A request for a method on one instance, decoded as far as all of them are alike. */
struct instance_request {
        struct request_context ctx;
        struct object_instance instance;
        struct compute_call call; /* points into the two above */
};
/* args: the method's own are decoded into `into` by fields, which must have a row for "instance". What cannot
 * be decoded is refused: see below. */
int YIELDS instance_request_decode(const struct rpc_call *call, const struct json_field *fields, void *into,
                                   struct instance_request *ret, struct error *err);
/*
 * For a request that is not done, err says why: when it names its instance, the rows tell it, too, and no
 * task is left. Returns -1, err as it was.
 */
int YIELDS request_refuse(const struct rpc_call *call, struct error *err);
void instance_request_free(struct instance_request *r);

struct instance_args { /* of methods that take no more */
        struct jval *instance;
};
extern const struct json_field instance_fields[];

struct terminate_args {
        struct jval *instance, *bdms; /* bdms: read from the rows instead */
};
extern const struct json_field terminate_fields[];

struct stop_args {
        struct jval *instance;
        bool clean_shutdown;
};
extern const struct json_field stop_fields[];

struct reboot_args {
        struct jval *instance, *block_device_info;
        char *reboot_type;
};
extern const struct json_field reboot_fields[];

struct enabled_args {
        bool enabled;
};
extern const struct json_field enabled_fields[];

struct console_args {
        struct jval *instance, *tail_length;
};
extern const struct json_field console_fields[];
/* null is all, a number (also as text) that many, anything else none. */
int64_t console_tail_of(const struct jval *tail_length);

struct remote_console_args {
        struct jval *instance;
        char *console_type;
};
extern const struct json_field remote_console_fields[];

struct console_port_args {
        struct jval *instance;
        char *port, *console_type;
};
extern const struct json_field console_port_fields[];

/* The build request; owns all that the background work and a reschedule need. */
struct compute_build *YIELDS build_request_decode(const struct rpc_call *call, struct error *err);
