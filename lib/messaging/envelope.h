/*
 * lib/messaging/envelope.h: oslo.messaging's envelope and messages (nova-contract 1.3, 1.5). Pure: no I/O.
 */
#pragma once

#include "base/uuid.h"
#include "json/json.h"

/* A request as received, or to be sent. All strings are owned. */
struct rpc_request {
        char *method;
        char *ns;             /* namespace; NULL if absent */
        char *version;        /* "1.0" if absent */
        char *unique_id;      /* _unique_id; NULL if absent */
        char *msg_id;         /* calls only, else NULL: a cast */
        char *reply_q;        /* calls only */
        int64_t timeout_s;    /* _timeout; 0: none */
        struct jval *args;    /* object, owned; never NULL */
        struct jval *context; /* object of the _context_* keys without that prefix; never NULL */
};

void rpc_request_free(struct rpc_request *r); /* frees what it holds, not r */

/*
 * Envelope text -> request. ERR_PROTOCOL: not JSON, other envelope version, no method, wrong types. On error
 * ret holds msg_id and reply_q where they could be read, so that the caller can be told, and nothing else: it
 * is freed in either case.
 */
int envelope_decode_request(const char *body, size_t len, struct rpc_request *ret, struct error *err);
/* Request -> envelope text (caller frees). A missing unique_id is made. */
char *envelope_encode_request(const struct rpc_request *r, size_t *ret_len);

/* A failure as oslo sends it (nova-contract 1.5). Strings are borrowed. */
struct rpc_failure {
        const char *class_name; /* "InstanceNotFound" */
        const char *module;     /* "nova.exception", "builtins", "oslo_messaging.rpc.dispatcher" */
        const char *message;
        struct jval *kwargs; /* borrowed object, or NULL */
};

struct rpc_reply {
        char *msg_id;
        struct jval *result; /* owned; may be NULL: null */
        bool ending;
        bool failed;
        char *class_name, *module, *message; /* of the failure; owned */
        struct jval *kwargs;                 /* of the failure; owned */
};

/* failure NULL: success. result may be NULL: null; it is borrowed. */
char *envelope_encode_reply(const char *msg_id, struct jval *result, const struct rpc_failure *failure,
                            bool ending, size_t *ret_len);
int envelope_decode_reply(const char *body, size_t len, struct rpc_reply *ret, struct error *err);
void rpc_reply_free(struct rpc_reply *r);

/* 1.4: same major, requested minor <= offered minor. */
bool rpc_version_compatible(const char *offered, const char *requested);
