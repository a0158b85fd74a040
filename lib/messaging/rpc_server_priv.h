/*
 * lib/messaging/rpc_server_priv.h: what rpc_server.c (receiving, queueing) and rpc_work.c (executing one
 * request) share.
 */
#pragma once

#include "base/list.h"
#include "green/sync.h"
#include "messaging/rpc_server.h"

#define RPC_SEEN_MAX 16

struct rpc_server {
        struct rpc_server_options opt;
        char *exchange, *topic, *server; /* the target's, owned */
        struct green_group *group;       /* receiver and dispatcher */
        struct green_pool *pool;         /* executes */
        bool started, receiving, stopping;
        struct list backlog; /* struct rpc_work: not acknowledged, waiting for a worker */
        unsigned n_backlog;  /* also counts the one in the dispatcher's hands */
        size_t backlog_bytes;
        struct list running; /* struct rpc_work */
        unsigned n_running;
        struct green_cond more;    /* the backlog grew, or receiving ended: the dispatcher waits */
        struct green_cond room;    /* the backlog shrank: the receiver waits */
        struct green_cond settled; /* something ended: rpc_server_wait() waits */
        char *seen[RPC_SEEN_MAX];  /* a ring of _unique_id: acknowledged ones */
        unsigned next_seen;
        struct rpc_server_stats stats;
        struct list methods; /* of struct method_stats: those that were called */
};

/* rpc_stats.c */
void HUB_ONLY rpc_stats_count(struct rpc_server *s, const char *ns, const struct rpc_method *m,
                              int64_t took_ns, bool failed);
void HUB_ONLY rpc_stats_free(struct rpc_server *s);

struct rpc_work {
        struct list node; /* in backlog, then in running */
        struct rpc_server *server;
        struct transport_message *message;
        size_t bytes;
        struct rpc_request request;
        struct error unreadable; /* code set: the request could not be read, but its caller can be told */
        int64_t started_ns;
        char instance[UUID_LEN + 1]; /* "": none */
};

/* A worker begins with it: acknowledges it, unless it is left to the broker. False: it must not be run now.
 */
bool YIELDS rpc_server_accept(struct rpc_server *s, struct rpc_work *w);

/* Executes, replies, frees. A green_fn for the pool; arg is a struct rpc_work. */
green_fn rpc_work_run;
/* Cannot be executed: tells the caller and frees. */
void YIELDS rpc_work_refuse(struct rpc_work *w, const struct error *why);
void HUB_ONLY rpc_work_free(struct rpc_work *w);
