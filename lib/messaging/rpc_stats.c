/* lib/messaging/rpc_stats.c: how often each method was called, and how long it took. */
#include <stdlib.h>

#include "base/mem.h"
#include "messaging/rpc_server_priv.h"

struct method_stats {
        struct list node;
        const struct rpc_method *method; /* a row of the endpoints: what identifies it */
        struct rpc_method_stats stats;
};

static struct method_stats *HUB_ONLY stats_of(struct rpc_server *s, const char *ns,
                                              const struct rpc_method *m)
{
        struct method_stats *one;

        list_for_each (node, &s->methods) {
                one = CONTAINER_OF(node, struct method_stats, node);
                if (one->method == m)
                        return one;
        }
        one = NEW(struct method_stats);
        one->method = m;
        one->stats.ns = ns ? ns : "";
        one->stats.name = m->name;
        list_append(&s->methods, &one->node);
        return one;
}

void rpc_stats_count(struct rpc_server *s, const char *ns, const struct rpc_method *m, int64_t took_ns,
                     bool failed)
{
        struct rpc_method_stats *to = &stats_of(s, ns, m)->stats;

        to->done++;
        to->failed += failed;
        histogram_add(&to->times, took_ns);
}

void rpc_server_foreach_method(struct rpc_server *s, void (*fn)(const struct rpc_method_stats *m, void *arg),
                               void *arg)
{
        list_for_each (node, &s->methods)
                fn(&CONTAINER_OF(node, struct method_stats, node)->stats, arg);
}

void rpc_stats_free(struct rpc_server *s)
{
        struct list *node;

        while ((node = list_pop(&s->methods)))
                free(CONTAINER_OF(node, struct method_stats, node));
}
