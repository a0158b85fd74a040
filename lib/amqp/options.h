/*
 * lib/amqp/options.h: how a broker is spoken to: the options of oslo's group oslo_messaging_rabbit.
 *
 * Strings are borrowed and outlive whoever got the struct. Times are seconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* What oslo knows and this program has no use for: both ends agree without. A list for words_have(). */
#define AMQP_OPTIONS_WITHOUT_EFFECT                                                                    \
        "rpc_conn_pool_size conn_pool_min_size conn_pool_ttl heartbeat_rate heartbeat_in_pthread "     \
        "rabbit_login_method rabbit_transient_quorum_queue kombu_compression kombu_failover_strategy " \
        "direct_mandatory_flag enable_cancel_on_failover ssl_version rpc_listen_batch_size"

struct amqp_options {
        bool amqp_durable_queues,
                amqp_auto_delete; /* must equal the control plane's: else the broker refuses */
        bool rabbit_ha_queues;
        bool rabbit_quorum_queue; /* the topic's queues are quorum queues, and durable */
        int64_t rabbit_quorum_delivery_limit, rabbit_quorum_max_memory_length, rabbit_quorum_max_memory_bytes;
        int64_t rabbit_transient_queues_ttl; /* of fanout and reply queues; 0: for ever */
        int64_t rabbit_qos_prefetch_count;   /* 0: no basic.qos is sent */
        int64_t heartbeat_timeout_threshold; /* 0: no heartbeats */
        int64_t rabbit_retry_interval, rabbit_retry_backoff, rabbit_interval_max;
        double kombu_reconnect_delay;
        int64_t kombu_missing_consumer_retry_timeout;
        bool ssl;
        const char *ssl_ca_file; /* "" or NULL: the broker's certificate is not verified */
        const char *ssl_cert_file, *ssl_key_file;
        bool ssl_enforce_hostname_verification;
};

void amqp_options_default(struct amqp_options *ret); /* oslo's */
/*
 * Sets one option by its name, as the query of a transport URL does; value is borrowed. ERR_INVALID: unknown
 * or not a value of its kind. Options of oslo which mean nothing here are accepted without effect.
 */
int amqp_options_set(struct amqp_options *o, const char *name, const char *value, struct error *err);
