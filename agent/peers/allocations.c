/* agent/peers/allocations.c: what instances hold in placement: read, moved and removed. */
#include "peers/placement_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"

static char *path_of(const char *consumer)
{
        CLEANUP(freep) char *escaped = http_escape(consumer);

        return xasprintf("/allocations/%s", escaped);
}

static int unexpected(const struct service_answer *a, const char *method, const char *path, struct error *err)
{
        service_unexpected(a, err);
        return error_while(err, "placement: %s %s", method, path);
}

struct collected {
        struct placement_consumer *items;
        unsigned n;
};

static int collect(const char *key, struct jval *v, void *arg)
{
        struct collected *c = arg;

        (void)v;
        if (strlen(key) == sizeof(c->items[0].uuid) - 1)
                memcpy(c->items[c->n++].uuid, key, sizeof(c->items[0].uuid));
        return 0;
}

int placement_consumers(struct placement *p, const char *provider, struct placement_consumer **ret,
                        unsigned *ret_n, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("/resource_providers/%s/allocations", provider);
        CLEANUP(service_answer_free) struct service_answer a = {};
        const struct jval *all;
        struct collected c = {};

        if (placement_call(p, "GET", NULL, NULL, &a, path, by, err) < 0)
                return -1;
        if (a.status != 200)
                return unexpected(&a, "GET", path, err);
        all = jval_get(a.json, "allocations");
        if (jval_type(all) != JVAL_OBJECT)
                return error_set(err, ERR_PROTOCOL, "placement: GET %s: the answer has no allocations", path);
        c.items = xcalloc(jval_len(all) + 1, sizeof(c.items[0]));
        jval_foreach(all, collect, &c);
        *ret = c.items;
        *ret_n = c.n;
        return 0;
}

static int YIELDS read_allocation(struct placement *p, const char *path, struct service_answer *ret,
                                  struct deadline by, struct error *err)
{
        if (placement_call(p, "GET", "1.28", NULL, ret, path, by, err) < 0)
                return -1;
        if (ret->status != 200)
                return unexpected(ret, "GET", path, err);
        if (jval_type(jval_get(ret->json, "allocations")) != JVAL_OBJECT)
                return error_set(err, ERR_PROTOCOL, "placement: GET %s: the answer has no allocations", path);
        return 0;
}

int placement_allocation_count(struct placement *p, const char *consumer, unsigned *ret, struct deadline by,
                               struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(freep) char *path = path_of(consumer);

        if (read_allocation(p, path, &a, by, err) < 0)
                return -1;
        *ret = (unsigned)jval_len(jval_get(a.json, "allocations"));
        return 0;
}

int placement_allocation_delete(struct placement *p, const char *consumer, struct deadline by,
                                struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(freep) char *path = path_of(consumer);

        if (placement_call(p, "DELETE", NULL, NULL, &a, path, by, err) < 0)
                return -1;
        return a.status == 204 || a.status == 404 ? 0 : unexpected(&a, "DELETE", path, err);
}

/* What a consumer holds of the other providers. */
struct without {
        const char *provider;
        struct jval *rest;
};

/* Sent back as it was read, but empty: the generation in it lets placement refuse if it has changed. */
static struct jval *emptied(const struct jval *allocation)
{
        struct jval *body = jval_copy(allocation);

        jval_set(body, "allocations", jval_new_object());
        return body;
}

static int YIELDS write_allocation(struct placement *p, const char *path, const struct jval *body,
                                   struct deadline by, struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};

        if (placement_call(p, "PUT", "1.28", body, &a, path, by, err) < 0)
                return -1;
        return a.status == 204 ? 0 : unexpected(&a, "PUT", path, err);
}

static int keep_others(const char *provider, struct jval *v, void *arg)
{
        const struct without *w = arg;

        if (strcmp(provider, w->provider) != 0)
                jval_set(w->rest, provider, jval_ref(v));
        return 0;
}

int placement_allocation_leave(struct placement *p, const char *consumer, const char *provider,
                               struct deadline by, struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer there = {};
        CLEANUP(freep) char *path = path_of(consumer);
        CLEANUP(jval_unrefp) struct jval *body = NULL;
        struct without w = { .provider = provider };
        const struct jval *all;

        if (read_allocation(p, path, &there, by, err) < 0)
                return -1;
        all = jval_get(there.json, "allocations");
        if (!jval_get(all, provider))
                return 0;
        w.rest = jval_new_object();
        jval_foreach(all, keep_others, &w);
        body = jval_copy(there.json);
        jval_set(body, "allocations", w.rest);
        return write_allocation(p, path, body, by, err);
}

int placement_allocation_clear(struct placement *p, const char *consumer, struct deadline by,
                               struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer there = {};
        CLEANUP(freep) char *path = path_of(consumer);
        CLEANUP(jval_unrefp) struct jval *body = NULL;

        if (read_allocation(p, path, &there, by, err) < 0)
                return -1;
        if (jval_len(jval_get(there.json, "allocations")) == 0)
                return 0;
        body = emptied(there.json);
        return write_allocation(p, path, body, by, err);
}

/* The consumer whom b describes with the allocations of a: what it shows of itself is what was read. */
static struct jval *holder(const struct jval *a, const struct jval *b, struct jval *allocations)
{
        struct jval *body = jval_new_object();
        const struct jval *generation = jval_get(b, "consumer_generation");

        jval_set(body, "allocations", allocations);
        jval_set_text(body, "project_id", jval_get_text(a, "project_id", ""));
        jval_set_text(body, "user_id", jval_get_text(a, "user_id", ""));
        /* null: one that placement does not know */
        jval_set(body, "consumer_generation", generation ? jval_copy(generation) : jval_new_null());
        return body;
}

int placement_allocation_move(struct placement *p, const char *from, const char *to, struct deadline by,
                              struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer source = {};
        CLEANUP(service_answer_free) struct service_answer target = {};
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(freep) char *source_path = path_of(from), *target_path = path_of(to);
        CLEANUP(jval_unrefp) struct jval *body = jval_new_object();

        if (read_allocation(p, source_path, &source, by, err) < 0)
                return -1;
        if (jval_len(jval_get(source.json, "allocations")) == 0)
                return 0;
        if (read_allocation(p, target_path, &target, by, err) < 0)
                return -1;
        jval_set(body, from, holder(source.json, source.json, jval_new_object()));
        jval_set(body, to, holder(source.json, target.json, jval_copy(jval_get(source.json, "allocations"))));
        if (placement_call(p, "POST", "1.28", body, &a, "/allocations", by, err) < 0)
                return -1;
        return a.status == 204 ? 0 : unexpected(&a, "POST", "/allocations", err);
}
