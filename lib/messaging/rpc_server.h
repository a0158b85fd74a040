/*
 * lib/messaging/rpc_server.h: receives, dispatches to a pool, acknowledges, drops duplicates, replies.
 *
 * nova-contract 1.4: ack before work; the last 16 _unique_ids are remembered; 64 workers; methods by table
 * with namespaces and versions; call-monitor heartbeats while a method with _timeout runs.
 */
#pragma once

#include "green/pool.h"
#include "messaging/envelope.h"
#include "messaging/transport.h"

struct rpc_server;
struct rpc_method;

/* What a method sees of its call. */
struct rpc_call {
        const struct rpc_request *request;
        const struct rpc_method *method; /* the row it was found in */
        unsigned peer_uid;               /* as in transport_message */
        bool peer_in_group;              /* the same */
        void *app;                       /* the endpoint's, else that of rpc_server_options */
        struct jval *result;             /* set by the method (owned from then on); NULL answers null */
};

/*
 * 0: success. -1 with err: the failure is made of it by options.describe_failure. May take long; runs in a
 * worker of the pool, with the log context of the request set.
 */
typedef int rpc_method_fn(struct rpc_call *call, struct error *err);

struct rpc_method {
        const char *name;
        rpc_method_fn *fn;
        const void *about; /* the application's own, or NULL */
};
struct rpc_endpoint { /* tried in order: first with equal namespace, compatible version and the method wins */
        const char *ns; /* NULL: none */
        const char *version;
        const struct rpc_method *methods; /* ends with a NULL name */
        const char *opt_name;             /* shown in dumps */
        void *app;                        /* rpc_call.app of its methods; NULL: that of the options */
};

struct rpc_server_options {
        struct transport *transport; /* borrowed */
        struct transport_target target;
        const struct rpc_endpoint *endpoints; /* ends with a NULL methods */
        unsigned workers;                     /* 0: 64 */
        const char *opt_pool;                 /* what their pool is called in dumps; NULL: "rpc workers" */
        void *app;
        /* 0: whoever sent this may have the method. -1: he is told err. Must not yield. NULL: all may. */
        int (*may)(const struct rpc_call *call, void *app, struct error *err);
        /* err -> class, module, message, kwargs (owned by the caller of it, freed by the server). */
        void (*describe_failure)(const struct error *err, const struct rpc_request *r,
                                 struct rpc_failure *ret, struct jval **ret_kwargs);
        /*
         * For the application's log, since this library has none: a request that failed (of a cast nobody
         * else learns it); with r NULL a message that could not be read or acknowledged, a reply that could
         * not be delivered. Must not yield. May be NULL.
         */
        void (*on_failure)(const struct rpc_request *r, const struct error *err, void *app);
};

struct rpc_server *HUB_ONLY rpc_server_new(const struct rpc_server_options *opt, struct error *err);
void HUB_ONLY rpc_server_set_workers(struct rpc_server *s, unsigned workers); /* at least 1 */
int YIELDS rpc_server_start(struct rpc_server *s, struct error *err);         /* listens; starts consuming */
/*
 * 1.7: consume no more. What was delivered and not begun is still executed, or left to the broker where there
 * is one: it delivers it to who listens next.
 */
void HUB_ONLY rpc_server_stop(struct rpc_server *s);
/* After stop: until all that is executed is done. ERR_TIMEOUT: rpc_server_foreach() names the rest. */
int YIELDS rpc_server_wait(struct rpc_server *s, struct deadline by, struct error *err);
void YIELDS rpc_server_free(struct rpc_server *s); /* cancels what still runs; NULL allowed */

struct rpc_running {
        const char *method, *request_id, *instance; /* instance: uuid out of args.instance, or NULL */
        double seconds;
};
void HUB_ONLY rpc_server_foreach(struct rpc_server *s, void (*fn)(const struct rpc_running *r, void *arg),
                                 void *arg);
struct rpc_server_stats {
        unsigned long received, duplicates, rejected, calls, casts, failures;
        unsigned running, queued;
};
void HUB_ONLY rpc_server_get_stats(struct rpc_server *s, struct rpc_server_stats *ret);

/* By method, since the start; requests for methods that do not exist are in no row. */
struct rpc_method_stats {
        const char *ns, *name; /* ns: "" is none; borrowed from the endpoints */
        unsigned long done, failed;
        struct histogram times;
};
void HUB_ONLY rpc_server_foreach_method(struct rpc_server *s,
                                        void (*fn)(const struct rpc_method_stats *m, void *arg), void *arg);

/* Failures of the dispatcher itself, as codes the describe_failure function gets. */
enum { ERR_RPC_UNSUPPORTED_VERSION = 900, ERR_RPC_NO_SUCH_METHOD, ERR_RPC_BAD_ARGUMENTS };
