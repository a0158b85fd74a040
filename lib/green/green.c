/* lib/green/green.c: spawning, joining, cancelling, groups, sleeping. Scheduling itself is in hub.c. */
#include "green/green.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "green/green_priv.h"
#include "green/probes.h"

/* ---- groups ---- */

struct green_group *green_group_new(const char *name)
{
        struct green_group *g = NEW(struct green_group);

        snprintf(g->name, sizeof(g->name), "%s", name);
        list_init(&g->members);
        list_init(&g->waiters);
        return g;
}

unsigned green_group_size(const struct green_group *g)
{
        return g->size;
}

int green_group_wait(struct green_group *g, struct deadline by, struct error *err)
{
        enum wake w = WAKE_OK;
        int r;

        g->waiting++;
        while (g->size > 0 && w == WAKE_OK)
                w = hub_park_in(&g->waiters, "group", g->name, by);
        r = w == WAKE_OK ? 0 : wake_error(w, "group", g->name, err);
        if (--g->waiting == 0 && g->closed)
                free(g);
        return r;
}

void green_group_close(struct green_group *g)
{
        struct error ignored;

        if (!g)
                return;
        g->closing = true;
        list_for_each (node, &g->members)
                green_cancel(CONTAINER_OF(node, struct green, group_link));
        green_shield_begin();
        g->waiting++; /* our own wait does not free it */
        green_group_wait(g, deadline_never(), &ignored);
        green_shield_end();
        g->closed = true;
        if (--g->waiting == 0)
                free(g);
}

/* ---- threads ---- */

/* By hand: snprintf would be a third of what a spawn costs. */
static void copy_name(char to[GREEN_NAME_MAX], const char *name)
{
        size_t len = strnlen(name, GREEN_NAME_MAX - 1);

        memcpy(to, name, len);
        to[len] = '\0';
}

static struct green *HUB_ONLY spawn(const char *site, struct green_group *in, const char *name, green_fn *fn,
                                    void *arg, struct error *err)
{
        struct hub *h = the_hub;
        struct green_group *group = in ? in : &h->root;
        struct green *g;

        if (group->closing) {
                error_set(err, ERR_CANCELLED, "starting %s: group %s is closing", name, group->name);
                return NULL;
        }
        g = hub_new_thread(h, err);
        if (!g) {
                error_while(err, "starting %s", name);
                return NULL;
        }
        copy_name(g->name, name);
        g->fn = fn;
        g->arg = arg;
        g->site = site;
        g->group = group;
        g->log_context = log_context_ref(h->current->log_context);
        list_append(&group->members, &g->group_link);
        group->size++;
        DTRACE_PROBE4(green, spawn, g->id, g->name, fn, site);
        hub_make_ready(g);
        return g;
}

int green_spawn_at(const char *site, struct green_group *in, const char *name, green_fn *fn, void *arg,
                   struct error *err)
{
        return spawn(site, in, name, fn, arg, err) ? 0 : -1;
}

struct green *green_spawn_ref_at(const char *site, struct green_group *in, const char *name, green_fn *fn,
                                 void *arg, struct error *err)
{
        struct green *g = spawn(site, in, name, fn, arg, err);

        if (g)
                g->refs++;
        return g;
}

int green_join(struct green *g, struct deadline by, struct error *ret_failed, struct error *err)
{
        while (g->state != G_ENDED) {
                enum wake w = hub_park_in(&g->joiners, "join", g->name, by);

                if (w != WAKE_OK)
                        return wake_error(w, "join", g->name, err);
        }
        if (ret_failed)
                *ret_failed = g->failed ? *error_of(g) : (struct error){};
        return 0;
}

void green_cancel(struct green *g)
{
        if (g->state == G_ENDED)
                return;
        g->cancelled = true;
        if (g->state == G_PARKED && g->shield == 0)
                hub_wake(g, WAKE_CANCELLED);
}

void green_unref(struct green *g)
{
        if (!g || --g->refs > 0 || g->state != G_ENDED)
                return;
        stack_put(&the_hub->stacks, g, g->name);
}

bool green_ended(const struct green *g)
{
        return g->state == G_ENDED;
}

struct green *green_self(void)
{
        return the_hub->current;
}

bool green_cancelled(void)
{
        return the_hub->current->cancelled;
}

const char *green_name(const struct green *g)
{
        return g->name;
}

unsigned long green_id(const struct green *g)
{
        return g->id;
}

void green_set_name(const char *name)
{
        green_rename(the_hub->current, name);
}

void green_rename(struct green *g, const char *name)
{
        copy_name(g->name, name);
}

void green_shield_begin(void)
{
        the_hub->current->shield++;
}

void green_shield_end(void)
{
        the_hub->current->shield--;
}

/* ---- sleeping ---- */

int green_sleep_until(struct deadline at, struct error *err)
{
        struct hub *h = the_hub;
        struct wait_info what = { .verb = "sleep", .fd = -1 };
        enum wake w = hub_park(h, &what, at);

        return w == WAKE_TIMEOUT ? 0 : wake_error(w, "sleep", NULL, err);
}

int green_sleep(double seconds, struct error *err)
{
        if (seconds > 0)
                return green_sleep_until(deadline_in_s(seconds), err);
        green_yield();
        return 0;
}
