/*
 * lib/amqp/connection.h: one connection to a RabbitMQ cluster that mends itself, with one channel.
 *
 * librabbitmq does the protocol; its state is touched by one green thread only, the connection's owner, which
 * connects (with failover, pauses that grow, for ever), declares, keeps the heartbeats, reads what comes and
 * writes what others ask for. Others wait for it with a deadline of their own. What is published and not yet
 * confirmed is published again after a reconnect: receivers drop duplicates by their _unique_id.
 *
 * monkey_patch() must have been called: the first connection greens librabbitmq (design 7).
 */
#pragma once

#include "amqp/options.h"
#include "amqp/topology.h"
#include "amqp/url.h"
#include "green/green.h"

struct amqp_conn;

/* Makes the waits of librabbitmq green; once for the process, the first connection does it. */
#define AMQP_LIBRARY "librabbitmq.so.4"
int green_librabbitmq(struct error *err);

/* A message from a queue. Owned by whoever got it; body is NUL-terminated after len bytes. */
struct amqp_delivery {
        uint64_t tag;
        unsigned long generation; /* which of the connections: a tag means nothing in the next one */
        char *body;
        size_t len;
};

struct amqp_conn_ops {
        /* By the owner, after each connect: declares and consumes. -1: this connection is given up. */
        int (*setup)(struct amqp_conn *c, void *arg, struct error *err);
        /* By the owner, once, after amqp_conn_stop(): cancels consumers. NULL: nothing to do. */
        void (*teardown)(struct amqp_conn *c, void *arg);
        /* Nothing more will be delivered. On the hub, does not yield. */
        void (*stopped)(void *arg);
        /* Takes over the body. On the hub, does not yield. NULL where nothing is consumed. */
        void (*delivered)(const struct amqp_delivery *d, void *arg);
        /* The connection is gone: what was not acknowledged comes again. On the hub, does not yield. May be
         * NULL. */
        void (*lost)(void *arg);
        /* false: read no more until amqp_conn_wake(). NULL: always. On the hub, does not yield. */
        bool (*has_room)(void *arg);
        /* A message above body_max was rejected. On the hub, does not yield. May be NULL. */
        void (*too_large)(uint64_t len, void *arg);
        /* Came up, was lost, could not be made; blocked, unblocked. On the hub, does not yield. May be NULL.
         */
        void (*changed)(bool ok, const char *text, void *arg);
};

struct amqp_conn_options {
        const struct amqp_url *url;         /* borrowed, outlives the connection; so do the others */
        const struct amqp_options *options; /* the URL's query is already in it */
        const char *program;                /* connection_name is "program:PID:UUID" */
        const char *name;                   /* of the owner: "amqp consumer" */
        bool confirms;                      /* a publish waits for the broker's word */
        size_t body_max;                    /* a larger message is rejected, and counted */
        const struct amqp_conn_ops *ops;
        void *arg;
};

/* Starts its owner, waits for nothing. ERR_UNSUPPORTED, ERR_INVALID: librabbitmq cannot be greened. */
struct amqp_conn *YIELDS amqp_conn_new(const struct amqp_conn_options *opt, struct error *err);
/* Closes in good order if that goes quickly. Who waits in it gets ERR_CLOSED first. NULL is allowed. */
void YIELDS amqp_conn_free(struct amqp_conn *c);
/* Consume no more: teardown, then stopped(). Publishing and acknowledging go on. */
void HUB_ONLY amqp_conn_stop(struct amqp_conn *c);
void HUB_ONLY amqp_conn_wake(struct amqp_conn *c); /* has_room() may have changed */
/* Ends the pause between attempts to connect, if there is one: the broker was seen to answer. */
void HUB_ONLY amqp_conn_try_now(struct amqp_conn *c);

struct amqp_publish {
        const struct amqp_exchange *exchange; /* declared before the first use; NULL: the default exchange */
        const char *routing_key;
        bool mandatory;
        int64_t expiration_ms; /* 0: none */
        const char *body;
        size_t len;
};
/*
 * Returns when the broker has confirmed (without confirms: when it is written). ERR_NOT_FOUND: mandatory, and
 * no queue is there. ERR_TIMEOUT: it may arrive nevertheless; the text says what was missing.
 */
int YIELDS amqp_conn_publish(struct amqp_conn *c, const struct amqp_publish *p, struct deadline by,
                             struct error *err);
/* Returns when it is written. ERR_CLOSED: that connection is gone, the broker will deliver it again. */
int YIELDS amqp_conn_ack(struct amqp_conn *c, uint64_t tag, unsigned long generation, struct deadline by,
                         struct error *err);
int YIELDS amqp_conn_reject(struct amqp_conn *c, uint64_t tag, unsigned long generation, struct deadline by,
                            struct error *err);

struct amqp_conn_info {
        bool up, blocked;
        const char *peer;       /* "host:port", of the last attempt; "" before the first */
        unsigned long connects; /* how often it came up */
        unsigned long too_large;
        unsigned queued, unconfirmed; /* who waits for the owner, for the broker */
        const char *trouble;          /* why it is not up; "" */
};
void HUB_ONLY amqp_conn_get_info(const struct amqp_conn *c, struct amqp_conn_info *ret);
