/* What the options make of exchanges and queues (nova-contract 1.2). */
#include "amqp/topology.h"
#include "suite.h"

START_TEST(by_default_nothing_is_durable)
{
        struct amqp_options o;
        struct amqp_exchange e;
        struct amqp_queue q;

        amqp_options_default(&o);
        e = amqp_topic_exchange(&o, "nova");
        ck_assert(!e.durable && !e.auto_delete);
        ck_assert_str_eq(e.type, "topic");
        q = amqp_topic_queue(&o, "compute");
        ck_assert(!q.durable && !q.auto_delete && !q.ha && !q.quorum);
        ck_assert_int_eq(q.expires_ms, 0);
        q = amqp_transient_queue(&o, "reply_x");
        ck_assert(!q.durable && !q.auto_delete);
        ck_assert_int_eq(q.expires_ms, 1800000);
}
END_TEST

START_TEST(fanout_is_never_durable_and_always_goes_with_its_last_queue)
{
        struct amqp_options o;
        struct amqp_exchange e = amqp_fanout_exchange("compute_fanout");
        struct amqp_queue q;

        amqp_options_default(&o);
        o.amqp_durable_queues = o.rabbit_quorum_queue = o.rabbit_ha_queues = true;
        o.rabbit_transient_queues_ttl = 0;
        ck_assert_str_eq(e.type, "fanout");
        ck_assert(!e.durable && e.auto_delete);
        q = amqp_transient_queue(&o, "compute_fanout_x");
        ck_assert(!q.durable && !q.auto_delete && !q.quorum && q.ha);
        ck_assert_int_eq(q.expires_ms, 0);
}
END_TEST

START_TEST(quorum_means_durable)
{
        struct amqp_options o;
        struct amqp_queue q;

        amqp_options_default(&o);
        o.rabbit_quorum_queue = o.amqp_auto_delete = true;
        o.rabbit_quorum_delivery_limit = 3;
        ck_assert(amqp_topic_exchange(&o, "nova").durable);
        ck_assert(amqp_topic_exchange(&o, "nova").auto_delete);
        q = amqp_topic_queue(&o, "compute");
        ck_assert(q.durable && q.quorum && q.auto_delete);
        ck_assert_int_eq(q.delivery_limit, 3);
        ck_assert_int_eq(q.max_memory_bytes, 0);
}
END_TEST

UNIT_SUITE("amqp-topology", by_default_nothing_is_durable,
           fanout_is_never_durable_and_always_goes_with_its_last_queue, quorum_means_durable)
