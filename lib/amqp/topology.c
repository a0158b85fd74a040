/*
 * lib/amqp/topology.c: what oslo declares, and how it is said with librabbitmq.
 *
 * Arguments have the very types of oslo's client: the broker compares them too, at least in what it shows.
 */
#include "amqp/topology.h"

#include "amqp/connection_priv.h"

#define ARGS_MAX 6

struct amqp_exchange amqp_topic_exchange(const struct amqp_options *o, const char *name)
{
        return (struct amqp_exchange){ .name = name,
                                       .type = "topic",
                                       .durable = o->amqp_durable_queues || o->rabbit_quorum_queue,
                                       .auto_delete = o->amqp_auto_delete };
}

struct amqp_exchange amqp_fanout_exchange(const char *name)
{
        return (struct amqp_exchange){ .name = name, .type = "fanout", .auto_delete = true };
}

struct amqp_queue amqp_topic_queue(const struct amqp_options *o, const char *name)
{
        return (struct amqp_queue){
                .name = name,
                .durable = o->amqp_durable_queues || o->rabbit_quorum_queue,
                .auto_delete = o->amqp_auto_delete,
                .ha = o->rabbit_ha_queues,
                .quorum = o->rabbit_quorum_queue,
                .delivery_limit = o->rabbit_quorum_delivery_limit,
                .max_memory_length = o->rabbit_quorum_max_memory_length,
                .max_memory_bytes = o->rabbit_quorum_max_memory_bytes,
        };
}

struct amqp_queue amqp_transient_queue(const struct amqp_options *o, const char *name)
{
        return (struct amqp_queue){ .name = name,
                                    .ha = o->rabbit_ha_queues,
                                    .expires_ms = o->rabbit_transient_queues_ttl * 1000 };
}

/* ---- arguments ---- */

struct args {
        amqp_table_entry_t entries[ARGS_MAX];
        int n;
};

static void add_number(struct args *a, const char *name, int64_t n)
{
        amqp_table_entry_t *e = &a->entries[a->n];

        if (n == 0)
                return;
        e->key = amqp_cstring_bytes(name);
        if (n <= INT32_MAX) {
                e->value.kind = AMQP_FIELD_KIND_I32;
                e->value.value.i32 = (int32_t)n;
        } else {
                e->value.kind = AMQP_FIELD_KIND_I64;
                e->value.value.i64 = n;
        }
        a->n++;
}

static void add_text(struct args *a, const char *name, const char *text)
{
        a->entries[a->n++] = (amqp_table_entry_t){ .key = amqp_cstring_bytes(name),
                                                   .value = { .kind = AMQP_FIELD_KIND_UTF8,
                                                              .value.bytes = amqp_cstring_bytes(text) } };
}

static void make_args(struct args *a, const struct amqp_queue *q)
{
        if (q->ha)
                add_text(a, "x-ha-policy", "all");
        add_number(a, "x-expires", q->expires_ms);
        if (!q->quorum)
                return;
        add_text(a, "x-queue-type", "quorum");
        add_number(a, "x-delivery-limit", q->delivery_limit);
        add_number(a, "x-max-in-memory-length", q->max_memory_length);
        add_number(a, "x-max-in-memory-bytes", q->max_memory_bytes);
}

/* ---- requests; each waits for the broker's answer ---- */

static int YIELDS answered(struct amqp_conn *c, const char *what, const char *name, struct error *err)
{
        if (conn_reply(c, amqp_get_rpc_reply(c->state), err) < 0)
                return error_while(err, "%s %s", what, name);
        return 0;
}

int amqp_declare_exchange(struct amqp_conn *c, const struct amqp_exchange *e, struct error *err)
{
        amqp_exchange_declare(c->state, CHANNEL, amqp_cstring_bytes(e->name), amqp_cstring_bytes(e->type), 0,
                              e->durable, e->auto_delete, 0, amqp_empty_table);
        return answered(c, "declaring exchange", e->name, err);
}

int amqp_declare_queue(struct amqp_conn *c, const struct amqp_queue *q, struct error *err)
{
        struct args a = {};

        make_args(&a, q);
        amqp_queue_declare(c->state, CHANNEL, amqp_cstring_bytes(q->name), 0, q->durable, 0, q->auto_delete,
                           (amqp_table_t){ .num_entries = a.n, .entries = a.entries });
        return answered(c, "declaring queue", q->name, err);
}

int amqp_bind(struct amqp_conn *c, const char *queue, const char *exchange, const char *key,
              struct error *err)
{
        amqp_queue_bind(c->state, CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                        amqp_cstring_bytes(key), amqp_empty_table);
        return answered(c, "binding queue", queue, err);
}

int amqp_set_prefetch(struct amqp_conn *c, unsigned count, struct error *err)
{
        amqp_basic_qos(c->state, CHANNEL, 0, (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX), 0);
        return answered(c, "setting", "the prefetch count", err);
}

int amqp_start_consumer(struct amqp_conn *c, const char *queue, const char *tag, struct error *err)
{
        amqp_basic_consume(c->state, CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(tag), 0, 0, 0,
                           amqp_empty_table);
        return answered(c, "consuming from queue", queue, err);
}

int amqp_cancel_consumer(struct amqp_conn *c, const char *tag, struct error *err)
{
        amqp_basic_cancel(c->state, CHANNEL, amqp_cstring_bytes(tag));
        return answered(c, "cancelling consumer", tag, err);
}

int amqp_delete_queue(struct amqp_conn *c, const char *queue, struct error *err)
{
        amqp_queue_delete(c->state, CHANNEL, amqp_cstring_bytes(queue), 0, 0);
        return answered(c, "deleting queue", queue, err);
}
