/*
 * lib/green/chan.c: channels.
 *
 * A waiting sender or receiver leaves the address of its item with the channel; the other side copies
 * directly to or from there, whether the channel has a buffer or not. So an item is moved by exactly one of
 * the two, and a wait that fails has moved nothing.
 */
#include "green/chan.h"

#include <string.h>

#include "base/mem.h"
#include "green/green_priv.h"

/* On the stack of a waiting thread. */
struct chan_waiter {
        struct list node; /* in senders or receivers, as long as nobody has served it */
        struct green *green;
        void *item;
        bool served;
};

struct green_chan {
        const char *name;
        size_t item_size, capacity, len, head;
        struct list senders, receivers;
        bool closed;
        unsigned char buffer[];
};

struct green_chan *green_chan_new(const char *name, size_t item_size, size_t capacity)
{
        struct green_chan *c = xcalloc(1, sizeof(*c) + item_size * capacity);

        c->name = name;
        c->item_size = item_size;
        c->capacity = capacity;
        list_init(&c->senders);
        list_init(&c->receivers);
        return c;
}

void green_chan_free(struct green_chan *c)
{
        if (!c)
                return;
        green_chan_close(c);
        free(c);
}

size_t green_chan_len(const struct green_chan *c)
{
        return c->len;
}

static unsigned char *slot(struct green_chan *c, size_t i)
{
        return c->buffer + (c->head + i) % c->capacity * c->item_size;
}

/* The first who still waits: one whose wait has failed stays in the list until it has run. */
static struct chan_waiter *HUB_ONLY pop_waiter(struct list *waiters)
{
        struct list *node;

        while ((node = list_pop(waiters))) {
                struct chan_waiter *w = CONTAINER_OF(node, struct chan_waiter, node);

                if (w->green->state == G_PARKED)
                        return w;
        }
        return NULL;
}

static struct chan_waiter *HUB_ONLY serve_first(struct list *waiters)
{
        struct chan_waiter *w = pop_waiter(waiters);

        if (w) {
                w->served = true;
                hub_wake(w->green, WAKE_OK);
        }
        return w;
}

bool green_chan_try_send(struct green_chan *c, const void *item)
{
        struct chan_waiter *w;

        if (c->closed)
                return false;
        w = serve_first(&c->receivers);
        if (w) {
                memcpy(w->item, item, c->item_size);
                return true;
        }
        if (c->len == c->capacity)
                return false;
        memcpy(slot(c, c->len++), item, c->item_size);
        return true;
}

bool green_chan_try_recv(struct green_chan *c, void *ret_item)
{
        struct chan_waiter *w;

        if (c->len == 0) {
                w = serve_first(&c->senders); /* only without a buffer is one waiting now */
                if (w)
                        memcpy(ret_item, w->item, c->item_size);
                return w != NULL;
        }
        memcpy(ret_item, slot(c, 0), c->item_size);
        c->head = (c->head + 1) % c->capacity;
        c->len--;
        w = serve_first(&c->senders);
        if (w)
                memcpy(slot(c, c->len++), w->item, c->item_size);
        return true;
}

static int YIELDS wait_served(struct green_chan *c, struct list *waiters, void *item, const char *verb,
                              struct deadline by, struct error *err)
{
        struct hub *h = the_hub;
        struct wait_info what = { .verb = verb, .name = c->name, .fd = -1 };
        struct chan_waiter w = { .green = h->current, .item = item };
        enum wake woken;

        list_append(waiters, &w.node);
        woken = hub_park(h, &what, by);
        list_remove(&w.node);
        if (w.served)
                return 0;
        return wake_error(woken == WAKE_OK ? WAKE_CLOSED : woken, verb, c->name, err);
}

int green_chan_send(struct green_chan *c, const void *item, struct deadline by, struct error *err)
{
        if (green_chan_try_send(c, item))
                return 0;
        if (c->closed)
                return wake_error(WAKE_CLOSED, "send to", c->name, err);
        return wait_served(c, &c->senders, (void *)item, "send to", by, err);
}

int green_chan_recv(struct green_chan *c, void *ret_item, struct deadline by, struct error *err)
{
        if (green_chan_try_recv(c, ret_item))
                return 0;
        if (c->closed)
                return wake_error(WAKE_CLOSED, "receive from", c->name, err);
        return wait_served(c, &c->receivers, ret_item, "receive from", by, err);
}

static void HUB_ONLY fail_all(struct list *waiters)
{
        struct chan_waiter *w;

        while ((w = pop_waiter(waiters)))
                hub_wake(w->green, WAKE_CLOSED);
}

void green_chan_close(struct green_chan *c)
{
        c->closed = true;
        fail_all(&c->senders);
        fail_all(&c->receivers);
}
