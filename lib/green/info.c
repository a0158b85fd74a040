/* lib/green/info.c: green threads seen from outside: states in words, dumps, the context of log lines. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "green/green_priv.h"

static void HUB_ONLY describe_state(const struct green *g, char *buf, size_t size)
{
        const struct green *owner = g->wait_mutex ? g->wait_mutex->owner : NULL;
        const char *name = g->wait_name ? g->wait_name : "";
        const char *gap = *name ? " " : "";

        if (g->state != G_PARKED)
                snprintf(buf, size, "%s",
                         g->state == G_RUNNING ? "running"
                         : g->state == G_READY ? "ready"
                                               : "ended");
        else if (owner)
                snprintf(buf, size, "%s %s held by #%lu %s", g->wait_verb, name, owner->id, owner->name);
        else if (g->wait_fd >= 0)
                snprintf(buf, size, "%s fd %d%s%s", g->wait_verb, g->wait_fd, gap, name);
        else
                snprintf(buf, size, "%s%s%s", g->wait_verb, gap, name);
}

void green_foreach(void (*fn)(const struct green_info *info, struct green *g, void *arg), void *arg)
{
        struct hub *h = the_hub;
        int64_t now = clock_now_ns();

        list_for_each (node, &h->all) {
                struct green *g = CONTAINER_OF(node, struct green, all_link);
                struct green_info info = {
                        .id = g->id,
                        .group = g->group->name,
                        .lock = g->state == G_PARKED ? g->wait_mutex : NULL,
                        .age_s = (double)(now - g->created_ns) / 1e9,
                        .in_state_s = (double)(now - g->since_ns) / 1e9,
                        .cpu_s = hub_seconds_of(h, g),
                        .site = g->site,
                        .switches = g->switches,
                        .stack_touched = hub_stack_touched(h, g),
                        .cancelled = g->cancelled,
                };

                memcpy(info.name, g->name, sizeof(info.name));
                describe_state(g, info.state, sizeof(info.state));
                fn(&info, g, arg);
        }
}

struct state_count {
        const char *state;
        unsigned n;
};

static const char *state_word(const struct green *g)
{
        return g->state == G_PARKED ? g->wait_verb : g->state == G_RUNNING ? "running" : "ready";
}

/* States are literals: the same one has one address, but for those in several files. */
static struct state_count *find_state(struct state_count *counts, unsigned *n, const char *state)
{
        for (unsigned i = 0; i < *n; i++)
                if (counts[i].state == state)
                        return &counts[i];
        for (unsigned i = 0; i < *n; i++)
                if (strcmp(counts[i].state, state) == 0)
                        return &counts[i];
        if (*n == GREEN_STATES_MAX)
                return &counts[*n - 1];
        if (*n == GREEN_STATES_MAX - 1)
                state = "other";
        counts[*n] = (struct state_count){ .state = state };
        return &counts[(*n)++];
}

void green_count_states(void (*fn)(const char *state, unsigned threads, void *arg), void *arg)
{
        struct state_count counts[GREEN_STATES_MAX];
        unsigned n = 0;

        list_for_each (node, &the_hub->all)
                find_state(counts, &n, state_word(CONTAINER_OF(node, struct green, all_link)))->n++;
        for (unsigned i = 0; i < n; i++)
                fn(counts[i].state, counts[i].n, arg);
}

/* ---- hubs ---- */

static pthread_mutex_t hubs_lock = PTHREAD_MUTEX_INITIALIZER;
struct hub *green_all_hubs;

void hub_register(struct hub *h)
{
        h->tid = gettid();
        pthread_mutex_lock(&hubs_lock);
        h->next_hub = green_all_hubs;
        green_all_hubs = h;
        pthread_mutex_unlock(&hubs_lock);
}

void hub_unregister(struct hub *h)
{
        pthread_mutex_lock(&hubs_lock);
        for (struct hub **at = &green_all_hubs; *at; at = &(*at)->next_hub)
                if (*at == h) {
                        *at = h->next_hub;
                        break;
                }
        pthread_mutex_unlock(&hubs_lock);
}

pid_t hub_tid(const struct hub *hub)
{
        return hub->tid;
}

static void print_thread(const struct green_info *info, struct green *g, void *arg)
{
        (void)arg;
        (void)g;
        fprintf(stderr, "  #%lu %s: %s, switched %lu times\n", info->id, info->name, info->state,
                info->switches);
}

void hub_dump_and_abort(struct hub *h, const char *why)
{
        fprintf(stderr, "green: %s; %u green threads:\n", why, h->stats.threads);
        green_foreach(print_thread, NULL);
        abort();
}

/* ---- context of log lines ---- */

struct log_context *log_context_ref(struct log_context *c)
{
        if (c)
                c->refs++;
        return c;
}

void log_context_unref(struct log_context *c)
{
        if (c && --c->refs == 0)
                free(c);
}

void green_set_log_context(const char *request, const char *instance_uuid)
{
        struct green *self = the_hub->current;
        struct log_context *c = NULL;

        if (request || instance_uuid) {
                size_t size = sizeof("[] [instance: ] ") + (request ? strlen(request) : 1) +
                              (instance_uuid ? strlen(instance_uuid) : 0);

                c = xmalloc(sizeof(*c) + size);
                c->refs = 1;
                if (instance_uuid)
                        snprintf(c->text, size, "[%s] [instance: %s] ", request ? request : "-",
                                 instance_uuid);
                else
                        snprintf(c->text, size, "[%s] ", request);
        }
        log_context_unref(self->log_context);
        self->log_context = c;
}

void green_format_log_context(char *buf, size_t size)
{
        const struct log_context *c = the_hub ? the_hub->current->log_context : NULL;

        snprintf(buf, size, "%s", c ? c->text : "");
}
