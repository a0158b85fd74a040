/*
 * lib/amqp/topology.h: exchanges, queues and bindings exactly as oslo declares them (nova-contract 1.2).
 *
 * Both ends declare, so all flags and arguments must agree, or the broker answers 406 and closes the channel.
 */
#pragma once

#include "amqp/options.h"
#include "green/green.h"

struct amqp_exchange {
        const char *name, *type;
        bool durable, auto_delete;
};

struct amqp_queue {
        const char *name;
        bool durable, auto_delete;
        bool ha, quorum;
        int64_t expires_ms;                                          /* 0: never */
        int64_t delivery_limit, max_memory_length, max_memory_bytes; /* of quorum queues; 0: not sent */
};

/* Pure: what the options make of a name, which is borrowed. */
struct amqp_exchange amqp_topic_exchange(const struct amqp_options *o, const char *name);
struct amqp_exchange amqp_fanout_exchange(const char *name);
struct amqp_queue amqp_topic_queue(const struct amqp_options *o, const char *name);
struct amqp_queue amqp_transient_queue(const struct amqp_options *o, const char *name); /* fanout, reply */

/* By the owner of the connection only: in setup() and teardown(). */
struct amqp_conn;
int YIELDS amqp_declare_exchange(struct amqp_conn *c, const struct amqp_exchange *e, struct error *err);
int YIELDS amqp_declare_queue(struct amqp_conn *c, const struct amqp_queue *q, struct error *err);
int YIELDS amqp_bind(struct amqp_conn *c, const char *queue, const char *exchange, const char *key,
                     struct error *err);
int YIELDS amqp_set_prefetch(struct amqp_conn *c, unsigned count, struct error *err);
int YIELDS amqp_start_consumer(struct amqp_conn *c, const char *queue, const char *tag, struct error *err);
int YIELDS amqp_cancel_consumer(struct amqp_conn *c, const char *tag, struct error *err);
int YIELDS amqp_delete_queue(struct amqp_conn *c, const char *queue, struct error *err);
