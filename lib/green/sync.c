/*
 * lib/green/sync.c: semaphore, mutex, event, condition.
 *
 * Hand-over instead of competition: who releases gives what it held to the first waiter, so nobody who comes
 * later can overtake, and a woken thread need not look again.
 */
#include "green/sync.h"

#include <stdio.h>
#include <stdlib.h>

#include "green/green_priv.h"

void green_sem_init(struct green_sem *s, const char *name, long count)
{
        *s = (struct green_sem){ .name = name, .count = count };
        list_init(&s->waiters);
}

bool green_sem_try(struct green_sem *s)
{
        if (s->count <= 0)
                return false;
        s->count--;
        return true;
}

int green_sem_acquire(struct green_sem *s, struct deadline by, struct error *err)
{
        enum wake w;

        if (green_sem_try(s))
                return 0;
        w = hub_park_in(&s->waiters, "semaphore", s->name, by);
        return w == WAKE_OK ? 0 : wake_error(w, "semaphore", s->name, err);
}

void green_sem_release(struct green_sem *s)
{
        if (s->count < 0 || !hub_wake_first(&s->waiters))
                s->count++;
}

void green_sem_adjust(struct green_sem *s, long more)
{
        for (; more > 0 && !list_empty(&s->waiters); more--)
                green_sem_release(s);
        s->count += more;
}

void green_mutex_init(struct green_mutex *m, const char *name)
{
        *m = (struct green_mutex){ .name = name };
        list_init(&m->waiters);
}

bool green_mutex_try(struct green_mutex *m)
{
        if (m->owner)
                return false;
        m->owner = the_hub->current;
        m->since_ns = the_hub->now_ns;
        return true;
}

static void mutex_misuse(const struct green_mutex *m, const char *what)
{
        fprintf(stderr, "green: mutex %s: %s\n", m->name, what);
        abort();
}

int green_mutex_lock(struct green_mutex *m, struct deadline by, struct error *err)
{
        struct hub *h = the_hub;
        struct wait_info what = { .verb = "lock", .name = m->name, .fd = -1, .mutex = m };
        enum wake w;

        if (green_mutex_try(m))
                return 0;
        if (m->owner == h->current)
                mutex_misuse(m, "locked again by its owner");
        list_append(&m->waiters, &h->current->link);
        w = hub_park(h, &what, by); /* on success the last owner has made us the owner */
        return w == WAKE_OK ? 0 : wake_error(w, "lock", m->name, err);
}

void green_mutex_unlock(struct green_mutex *m)
{
        if (m->owner != the_hub->current)
                mutex_misuse(m, "unlocked by another green thread than its owner");
        m->owner = hub_wake_first(&m->waiters);
        m->since_ns = the_hub->now_ns;
}

void green_event_init(struct green_event *e, const char *name)
{
        *e = (struct green_event){ .name = name };
        list_init(&e->waiters);
}

void green_event_set(struct green_event *e)
{
        e->set = true;
        while (hub_wake_first(&e->waiters))
                ;
}

void green_event_clear(struct green_event *e)
{
        e->set = false;
}

int green_event_wait(struct green_event *e, struct deadline by, struct error *err)
{
        enum wake w;

        if (e->set)
                return 0;
        w = hub_park_in(&e->waiters, "event", e->name, by);
        return w == WAKE_OK ? 0 : wake_error(w, "event", e->name, err);
}

void green_cond_init(struct green_cond *c, const char *name)
{
        *c = (struct green_cond){ .name = name };
        list_init(&c->waiters);
}

int green_cond_wait(struct green_cond *c, struct deadline by, struct error *err)
{
        enum wake w = hub_park_in(&c->waiters, "condition", c->name, by);

        return w == WAKE_OK ? 0 : wake_error(w, "condition", c->name, err);
}

void green_cond_signal(struct green_cond *c)
{
        hub_wake_first(&c->waiters);
}

void green_cond_broadcast(struct green_cond *c)
{
        while (hub_wake_first(&c->waiters))
                ;
}
