/*
 * tests/bench/inbox.h: from native threads to one consumer, for those that have nothing of their own for it.
 *
 * A lock-free stack that the consumer takes whole and turns round; the eventfd is rung only when the stack
 * was empty. Nodes are made beforehand, so that no allocator is measured.
 */
#pragma once

#include <sys/eventfd.h>

#include "measure.h"

struct inbox_node {
        struct inbox_node *next;
        int64_t item;
};

struct inbox {
        struct inbox_node *head, *nodes;
        long used, max;
        int bell;
};

static inline void inbox_init(struct inbox *in, long max)
{
        in->head = NULL;
        in->nodes = (struct inbox_node *)malloc((size_t)max * sizeof(*in->nodes));
        in->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (!in->nodes || in->bell < 0)
                measure_fail("inbox: no memory or no descriptor");
        memset(in->nodes, 0, (size_t)max * sizeof(*in->nodes));
        in->used = 0;
        in->max = max;
}

/* One producer. */
static inline void inbox_push(void *queue, int64_t item)
{
        struct inbox *in = (struct inbox *)queue;
        struct inbox_node *node = &in->nodes[in->used++],
                          *head = __atomic_load_n(&in->head, __ATOMIC_RELAXED);

        node->item = item;
        do
                node->next = head;
        while (!__atomic_compare_exchange_n(&in->head, &head, node, true, __ATOMIC_SEQ_CST,
                                            __ATOMIC_RELAXED));
        if (!head)
                eventfd_write(in->bell, 1);
}

/* All there is, in the order in which it came; NULL: nothing. */
static inline struct inbox_node *inbox_take(struct inbox *in)
{
        struct inbox_node *all, *turned = NULL;

        if (!__atomic_load_n(&in->head, __ATOMIC_RELAXED))
                return NULL;
        all = __atomic_exchange_n(&in->head, (struct inbox_node *)NULL, __ATOMIC_ACQUIRE);
        while (all) {
                struct inbox_node *next = all->next;

                all->next = turned;
                turned = all;
                all = next;
        }
        return turned;
}

/* The bell was heard: the next push into the empty inbox rings again. */
static inline void inbox_heard(struct inbox *in)
{
        eventfd_t value;

        (void)!eventfd_read(in->bell, &value);
}

/* What a burst must bring: 0, 1, 2 ... */
static inline void inbox_expect(const struct inbox_node *node, long next)
{
        if (node->item != next)
                measure_fail("an item was lost, came twice or out of order");
}

/* ---- what is measured with it: start makes the inbox and the producer, get waits for items ---- */

typedef void inbox_start(struct measure_producer *p);
typedef struct inbox_node *inbox_get(void);

static inline void inbox_burst(inbox_start *start, inbox_get *get)
{
        struct measure_producer producer = {};
        int64_t began = measure_now();
        long next = 0;

        producer.items = measure_count(1000000);
        start(&producer);
        while (next < producer.items)
                for (struct inbox_node *node = get(); node; node = node->next)
                        inbox_expect(node, next++);
        measure_report("queue-burst", (double)(measure_now() - began) / (double)next, "ns");
        measure_producer_join(&producer);
}

static inline void inbox_one_at_a_time(inbox_start *start, inbox_get *get, const char *p50, const char *p99)
{
        struct measure_producer producer = {};
        struct measure_samples samples;

        producer.items = measure_count(4000);
        producer.pause_ns = MEASURE_PAUSE_NS;
        measure_samples_init(&samples, producer.items);
        start(&producer);
        while (samples.n < producer.items)
                for (struct inbox_node *node = get(); node; node = node->next)
                        measure_sample(&samples, measure_now() - node->item);
        measure_producer_join(&producer);
        measure_report_samples(&samples, p50, p99, 1e3, "us");
}
