/* lib/green/stack_usage.c: how deep green threads go, those that ended and those that run. */
#include <stdlib.h>
#include <string.h>

#include "green/green_priv.h"

enum { TRIM_AT_ONCE = 256, TRIM_AFTER_NS = NS_PER_S };

size_t hub_stack_touched(struct hub *h, struct green *g)
{
        return g == &h->main ? 0 : stack_touched(&h->stacks, &g->stack);
}

void hub_stack_stats(struct hub *h, struct hub_stats *to)
{
        to->stack_size = h->stacks.size - h->stacks.page;
        to->stacks_cached = h->stacks.cached;
        to->guard = guard_kind(&h->stacks.guards);
        to->guards = h->stacks.guards.installed;
        to->guards_refused = h->stacks.refused;
}

/*
 * After a burst the stacks of all its threads are cached. Those that nobody took during the last second go,
 * not all at once, because the hub shall not stand still for that.
 */
int64_t hub_trim_stacks(struct hub *h)
{
        struct stack_pool *p = &h->stacks;

        if (p->cached <= STACK_CACHE_MIN) {
                h->trim_at_ns = 0;
                return INT64_MAX;
        }
        if (h->trim_at_ns && h->now_ns >= h->trim_at_ns) {
                unsigned unused = p->cached_min > STACK_CACHE_MIN ? p->cached_min - STACK_CACHE_MIN : 0;

                if (stack_pool_trim(p, unused < TRIM_AT_ONCE ? unused : TRIM_AT_ONCE) &&
                    unused > TRIM_AT_ONCE)
                        return h->trim_at_ns = h->now_ns + NS_PER_MS;
                h->trim_at_ns = 0;
        }
        if (!h->trim_at_ns) {
                p->cached_min = p->cached;
                h->trim_at_ns = h->now_ns + TRIM_AFTER_NS;
        }
        return h->trim_at_ns;
}

static int by_depth(const void *a, const void *b)
{
        const struct green_stack_use *x = a, *y = b;

        if (x->most != y->most)
                return x->most < y->most ? 1 : -1;
        return strcmp(x->name, y->name);
}

/* Those that run are counted each time they are looked at, so not in the table itself. */
static void HUB_ONLY add_running(struct hub *h, unsigned long threads[STACK_KINDS_MAX])
{
        list_for_each (node, &h->all) {
                struct green *g = CONTAINER_OF(node, struct green, all_link);
                struct stack_kind *k;
                size_t touched;

                if (g == &h->main)
                        continue;
                touched = stack_touched(&h->stacks, &g->stack);
                if (touched <= g->stack.pages_before * h->stacks.page)
                        touched = 0;
                k = stack_kind_note(&h->stacks, g->name, touched, false);
                if (k)
                        threads[k - h->stacks.kinds]++;
        }
}

void green_stack_usage(void (*fn)(const struct green_stack_use *use, void *arg), void *arg)
{
        unsigned long threads[STACK_KINDS_MAX] = {};
        struct hub *h = the_hub;
        struct green_stack_use *uses;

        add_running(h, threads);
        uses = calloc(h->stacks.n_kinds + 1, sizeof(*uses));
        if (!uses)
                return;
        for (unsigned i = 0; i < h->stacks.n_kinds; i++) {
                const struct stack_kind *k = &h->stacks.kinds[i];

                memcpy(uses[i].name, k->name, sizeof(uses[i].name));
                uses[i].threads = k->threads + threads[i];
                uses[i].most = k->most;
        }
        qsort(uses, h->stacks.n_kinds, sizeof(*uses), by_depth);
        for (unsigned i = 0; i < h->stacks.n_kinds; i++)
                fn(&uses[i], arg);
        free(uses);
}
