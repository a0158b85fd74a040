/*
 * agent/peers/placement.c: provider, inventories and traits of this host.
 *
 * What placement has is remembered with the provider's generation, so that an audit without news sends
 * nothing. A write whose generation is not placement's any more forgets it all and begins anew.
 */
#include "peers/placement.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"
#include "peers/placement_priv.h"

struct placement *placement_new(const struct placement_options *opt)
{
        struct placement *p = NEW(struct placement);

        p->service = opt->service;
        p->refresh_s = opt->refresh_s;
        green_mutex_init(&p->busy, "placement provider");
        return p;
}

void placement_set_refresh(struct placement *p, int64_t refresh_s)
{
        p->refresh_s = refresh_s;
        p->refresh_at = deadline_now();
}

void placement_forget(struct placement *p)
{
        jval_unref(p->inventories);
        jval_unref(p->traits);
        jval_unref(p->unknown);
        p->inventories = p->traits = p->unknown = NULL;
        p->uuid[0] = '\0';
}

void placement_free(struct placement *p)
{
        if (!p)
                return;
        placement_forget(p);
        strbuf_free(&p->told);
        free(p);
}

int placement_call(struct placement *p, const char *method, const char *version, const struct jval *body,
                   struct service_answer *ret, const char *path, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *mv = version ? xasprintf("placement %s", version) : NULL;
        struct service_request req = { .method = method, .path = path, .api_version = mv, .body = body };

        return service_call(p->service, &req, ret, by, err);
}

int placement_get(struct placement *p, const char *path, const char *version, struct service_answer *ret,
                  struct deadline by, struct error *err)
{
        if (placement_call(p, "GET", version, NULL, ret, path, by, err) < 0)
                return -1;
        if (ret->status == 200 && jval_type(ret->json) == JVAL_OBJECT)
                return 0;
        if (ret->status == 200)
                error_set(err, ERR_PROTOCOL, "answered with something that is no object");
        else
                service_unexpected(ret, err);
        service_answer_free(ret);
        return error_while(err, "placement: GET %s", path);
}

struct jval *placement_member(const struct service_answer *a, const char *key, enum jval_type type,
                              struct error *err)
{
        struct jval *v = jval_get(a->json, key);

        if (v && jval_type(v) == type)
                return jval_ref(v);
        error_set(err, ERR_PROTOCOL, "placement: the answer has no %s %s", jval_type_name(type), key);
        return NULL;
}

bool placement_take_generation(struct placement *p, const struct jval *from, const char *key)
{
        p->generation = jval_get_int(from, key, -1);
        return p->generation >= 0;
}

/* ---- the provider ---- */

static bool is_name_conflict(const struct service_answer *a)
{
        return a->text && strstr(a->text, "Conflicting resource provider name");
}

static int YIELDS read_provider(struct placement *p, const char *uuid, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("/resource_providers/%s", uuid);
        CLEANUP(service_answer_free) struct service_answer a = {};

        if (placement_get(p, path, "1.14", &a, by, err) < 0)
                return -1;
        return placement_take_generation(p, a.json, "generation")
                       ? 0
                       : error_set(err, ERR_PROTOCOL, "placement: the provider has no generation");
}

static int YIELDS create_provider(struct placement *p, const struct placement_host *h, bool *ret_created,
                                  struct deadline by, struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};
        struct jval *body = jval_new_object();
        int r;

        jval_set_text(body, "uuid", h->uuid);
        jval_set_text(body, "name", h->name);
        r = placement_call(p, "POST", "1.20", body, &a, "/resource_providers", by, err);
        jval_unref(body);
        if (r < 0)
                return -1;
        *ret_created = a.status == 200;
        if (a.status == 200 && placement_take_generation(p, a.json, "generation"))
                return 0;
        if (a.status == 409 && !is_name_conflict(&a))
                return read_provider(p, h->uuid, by, err);
        if (a.status == 409)
                return error_set(
                        err, ERR_INVALID,
                        "placement: another provider is called %s already, so %s cannot be: a host that had "
                        "this name is still known there (\"openstack resource provider list --name %s\"; "
                        "delete it when it is gone for good)",
                        h->name, h->uuid, h->name);
        service_unexpected(&a, err);
        return error_while(err, "placement: making provider %s called %s", h->uuid, h->name);
}

/* Finds our provider, or makes it. */
static int YIELDS find_provider(struct placement *p, const struct placement_host *h, bool *ret_created,
                                struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("/resource_providers?in_tree=%s", h->uuid);
        CLEANUP(service_answer_free) struct service_answer a = {};
        const struct jval *list;

        *ret_created = false;
        if (placement_get(p, path, "1.14", &a, by, err) < 0)
                return -1;
        list = jval_get(a.json, "resource_providers");
        for (size_t i = 0; i < jval_len(list); i++)
                if (strcmp(jval_get_text(jval_at(list, i), "uuid", ""), h->uuid) == 0 &&
                    placement_take_generation(p, jval_at(list, i), "generation"))
                        return 0;
        return create_provider(p, h, ret_created, by, err);
}

static int YIELDS read_associations(struct placement *p, const char *uuid, struct deadline by,
                                    struct error *err)
{
        CLEANUP(freep) char *inventories = xasprintf("/resource_providers/%s/inventories", uuid);
        CLEANUP(freep) char *aggregates = xasprintf("/resource_providers/%s/aggregates", uuid);
        CLEANUP(freep) char *traits = xasprintf("/resource_providers/%s/traits", uuid);
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(service_answer_free) struct service_answer b = {};
        CLEANUP(service_answer_free) struct service_answer c = {};

        /* We never change aggregates, but reading them tells their generation apart from a broken service. */
        if (placement_get(p, inventories, NULL, &a, by, err) < 0 ||
            placement_get(p, aggregates, "1.19", &b, by, err) < 0 ||
            placement_get(p, traits, "1.6", &c, by, err) < 0)
                return -1;
        p->inventories = placement_member(&a, "inventories", JVAL_OBJECT, err);
        p->traits = p->inventories ? placement_member(&c, "traits", JVAL_ARRAY, err) : NULL;
        /* The oldest of what was read: a change in between is noticed by the write. */
        if (!p->traits || !placement_take_generation(p, a.json, "resource_provider_generation")) {
                placement_forget(p);
                return error_set(err, ERR_PROTOCOL, "placement: what provider %s has is incomplete", uuid);
        }
        return 0;
}

/* Afterwards p knows the provider, its generation, inventories and traits. */
static int YIELDS know_provider(struct placement *p, const struct placement_host *h, struct deadline by,
                                struct error *err)
{
        bool created;

        if (p->uuid[0] && strcmp(p->uuid, h->uuid) == 0 && !deadline_passed(p->refresh_at))
                return 0;
        placement_forget(p);
        if (find_provider(p, h, &created, by, err) < 0)
                return -1;
        if (created) {
                p->inventories = jval_new_object();
                p->traits = jval_new_array();
        } else if (read_associations(p, h->uuid, by, err) < 0) {
                return -1;
        }
        p->refresh_at = p->refresh_s > 0 ? deadline_in_s((double)p->refresh_s) : deadline_never();
        memccpy(p->uuid, h->uuid, '\0', sizeof(p->uuid) - 1);
        return 0;
}

/* ---- inventories ---- */

/* As configured, else as it is, else as for a new host: operators may set it in placement. */
static double ratio_of(const struct placement *p, const struct placement_inventory *in)
{
        const struct jval *there = jval_get(p->inventories, in->resource_class);

        if (in->allocation_ratio > 0)
                return in->allocation_ratio;
        return jval_real(jval_get(there, "allocation_ratio"), in->initial_ratio);
}

static struct jval *inventories_of(const struct placement *p, const struct placement_host *h)
{
        struct jval *all = jval_new_object();

        for (unsigned i = 0; i < h->n_inventories; i++) {
                const struct placement_inventory *in = &h->inventories[i];
                struct jval *one;

                if (in->total <= 0)
                        continue;
                one = jval_new_object();
                jval_set_int(one, "total", in->total);
                jval_set_int(one, "reserved", in->reserved);
                jval_set_int(one, "min_unit", 1);
                jval_set_int(one, "max_unit", in->total);
                jval_set_int(one, "step_size", 1);
                jval_set_real(one, "allocation_ratio", ratio_of(p, in));
                jval_set(all, in->resource_class, one);
        }
        return all;
}

struct compared {
        const struct jval *other;
        bool differs;
};

static int same_number(const char *key, struct jval *v, void *arg)
{
        struct compared *c = arg;

        /* Ratios are FLOAT in the database of placement. */
        c->differs |= (float)jval_real(v, -1) != (float)jval_real(jval_get(c->other, key), -2);
        return c->differs;
}

static int same_inventory(const char *class, struct jval *v, void *arg)
{
        struct compared *c = arg;
        struct compared inner = { jval_get(c->other, class) };

        jval_foreach(v, same_number, &inner);
        c->differs |= inner.differs;
        return c->differs;
}

static bool same_inventories(const struct jval *wanted, const struct jval *present)
{
        struct compared c = { present };

        jval_foreach(wanted, same_inventory, &c);
        return !c.differs && jval_len(wanted) == jval_len(present);
}

static bool is_in_use(const struct service_answer *a)
{
        return strcmp(jval_get_text(jval_at(jval_get(a->json, "errors"), 0), "code", ""),
                      "placement.inventory.inuse") == 0;
}

int placement_put(struct placement *p, const char *what, const char *version, struct jval *value,
                  struct service_answer *ret, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("/resource_providers/%s/%s", p->uuid, what);
        struct jval *body = jval_new_object();
        int r;

        jval_set_int(body, "resource_provider_generation", p->generation);
        jval_set(body, what, value);
        r = placement_call(p, "PUT", version, body, ret, path, by, err);
        jval_unref(body);
        if (r < 0)
                return -1;
        if (ret->status == 200 && placement_take_generation(p, ret->json, "resource_provider_generation"))
                return 0;
        service_unexpected(ret, err);
        error_while(err, "placement: PUT %s", path);
        /* 404: the provider was removed. It is made again. */
        if ((ret->status == 409 && !is_in_use(ret)) || ret->status == 404)
                return STALE;
        if (ret->status == 200)
                return error_set(err, ERR_PROTOCOL, "placement: PUT %s: the answer has no generation", path);
        return -1;
}

static int YIELDS sync_inventories(struct placement *p, const struct placement_host *h, struct deadline by,
                                   struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(jval_unrefp) struct jval *wanted = inventories_of(p, h);
        struct jval *now;
        int r;

        if (same_inventories(wanted, p->inventories))
                return 0;
        r = placement_put(p, "inventories", "1.26", jval_ref(wanted), &a, by, err);
        if (r != 0)
                return r;
        now = placement_member(&a, "inventories", JVAL_OBJECT, err);
        if (!now)
                return -1;
        jval_unref(p->inventories);
        p->inventories = now;
        return 0;
}

/* ---- the two together ---- */

static int YIELDS report_once(struct placement *p, const struct placement_host *h, struct deadline by,
                              struct error *err)
{
        int r;

        if (know_provider(p, h, by, err) < 0)
                return -1;
        r = sync_inventories(p, h, by, err);
        if (r == 0)
                r = placement_sync_traits(p, h->traits, h->owned, by, err);
        if (r == 0)
                placement_tell_unknown(p);
        return r;
}

int placement_report(struct placement *p, const struct placement_host *h, struct deadline by,
                     struct error *err)
{
        int r = STALE;

        if (green_mutex_lock(&p->busy, by, err) < 0)
                return -1;
        for (unsigned attempt = 1; r == STALE && attempt <= ATTEMPTS_MAX; attempt++) {
                *err = (struct error){};
                r = report_once(p, h, by, err);
                if (r != 0)
                        placement_forget(p); /* what a failure left is not known */
        }
        green_mutex_unlock(&p->busy);
        if (r == STALE)
                return error_while(err, "others change it all the time, giving up after %d attempts",
                                   ATTEMPTS_MAX);
        return r;
}

int placement_provider_delete(struct placement *p, const char *uuid, struct deadline by, struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(freep) char *path = xasprintf("/resource_providers/%s", uuid);

        if (placement_call(p, "DELETE", NULL, NULL, &a, path, by, err) < 0)
                return -1;
        if (a.status == 204 || a.status == 404)
                return 0;
        service_unexpected(&a, err);
        return error_while(err, "placement: DELETE %s", path);
}
