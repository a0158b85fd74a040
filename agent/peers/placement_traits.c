/*
 * agent/peers/placement_traits.c: the traits of this host's provider. Those that others set stay; those that
 * this release of placement does not know are left out.
 */
#include <string.h>

#include "base/mem.h"
#include "json/json.h"
#include "peers/placement_priv.h"

static bool in_array(const struct jval *array, const char *name)
{
        for (size_t i = 0; i < jval_len(array); i++)
                if (strcmp(jval_text(jval_at(array, i), ""), name) == 0)
                        return true;
        return false;
}

static bool in_list(const char *const *list, const char *name)
{
        for (; *list; list++)
                if (strcmp(*list, name) == 0)
                        return true;
        return false;
}

/* What is there and not ours, and of ours what is true and known. */
static struct jval *merge_traits(const struct placement *p, const char *const *yes, const char *const *owned)
{
        struct jval *all = jval_new_array();

        for (size_t i = 0; i < jval_len(p->traits); i++) {
                const char *name = jval_text(jval_at(p->traits, i), "");

                if (*name && !in_list(owned, name) && !in_array(all, name))
                        jval_push(all, jval_new_text(name));
        }
        for (; *yes; yes++)
                if (!in_array(all, *yes) && !in_array(p->unknown, *yes))
                        jval_push(all, jval_new_text(*yes));
        return all;
}

static bool same_traits(const struct jval *a, const struct jval *b)
{
        for (size_t i = 0; i < jval_len(a); i++)
                if (!in_array(b, jval_text(jval_at(a, i), "")))
                        return false;
        return jval_len(a) == jval_len(b);
}

static int YIELDS create_trait(struct placement *p, const char *name, struct deadline by, struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(freep) char *escaped = http_escape(name);
        CLEANUP(freep) char *path = xasprintf("/traits/%s", escaped);

        if (placement_call(p, "PUT", "1.6", NULL, &a, path, by, err) < 0)
                return -1;
        if (a.status == 201 || a.status == 204)
                return 0;
        service_unexpected(&a, err);
        return error_while(err, "placement: making the trait %s, which this placement does not know", name);
}

static void note_unknown(struct placement *p, const char *name)
{
        if (!p->unknown)
                p->unknown = jval_new_array();
        jval_push(p->unknown, jval_new_text(name));
}

const char *placement_unknown_traits(const struct placement *p)
{
        return p->told.data ? p->told.data : "";
}

void placement_tell_unknown(struct placement *p)
{
        strbuf_truncate(&p->told, 0);
        for (size_t i = 0; i < jval_len(p->unknown); i++)
                strbuf_addf(&p->told, "%s ", jval_text(jval_at(p->unknown, i), ""));
}

/*
 * Traits must exist before a provider can have them. Custom ones are made; of the others each release of
 * placement has its own: p->unknown gets those that this one does not have.
 */
static int YIELDS ensure_traits(struct placement *p, const struct jval *wanted, struct deadline by,
                                struct error *err)
{
        CLEANUP(strbuf_free) struct strbuf path = {};
        CLEANUP(service_answer_free) struct service_answer a = {};
        const struct jval *known;

        if (jval_len(wanted) == 0)
                return 0;
        strbuf_adds(&path, "/traits?name=in:");
        for (size_t i = 0; i < jval_len(wanted); i++) {
                CLEANUP(freep) char *name = http_escape(jval_text(jval_at(wanted, i), ""));

                strbuf_addf(&path, "%s%s", i ? "," : "", name);
        }
        if (placement_get(p, path.data, "1.6", &a, by, err) < 0)
                return -1;
        known = jval_get(a.json, "traits");
        for (size_t i = 0; i < jval_len(wanted); i++) {
                const char *name = jval_text(jval_at(wanted, i), "");

                if (in_array(known, name))
                        continue;
                if (strncmp(name, "CUSTOM_", 7) != 0)
                        note_unknown(p, name);
                else if (create_trait(p, name, by, err) < 0)
                        return -1;
        }
        return 0;
}

int placement_sync_traits(struct placement *p, const char *const *yes, const char *const *owned,
                          struct deadline by, struct error *err)
{
        CLEANUP(service_answer_free) struct service_answer a = {};
        CLEANUP(jval_unrefp) struct jval *wanted = merge_traits(p, yes, owned);
        struct jval *now;
        int r;

        if (same_traits(wanted, p->traits))
                return 0;
        if (ensure_traits(p, wanted, by, err) < 0)
                return -1;
        jval_unref(wanted);
        wanted = merge_traits(p, yes, owned);
        if (same_traits(wanted, p->traits))
                return 0;
        r = placement_put(p, "traits", "1.6", jval_ref(wanted), &a, by, err);
        if (r != 0)
                return r;
        now = placement_member(&a, "traits", JVAL_ARRAY, err);
        if (!now)
                return -1;
        jval_unref(p->traits);
        p->traits = now;
        return 0;
}

/* Reads the traits alone: the provider may be known with older ones. */
static int YIELDS set_disabled_once(struct placement *p, const char *uuid, bool disabled, struct deadline by,
                                    struct error *err)
{
        static const char *const owned[] = { TRAIT_STATUS_DISABLED, NULL };
        static const char *const none[] = { NULL };
        CLEANUP(freep) char *path = xasprintf("/resource_providers/%s/traits", uuid);
        CLEANUP(service_answer_free) struct service_answer a = {};

        placement_forget(p);
        if (placement_get(p, path, "1.6", &a, by, err) < 0)
                return -1;
        p->traits = placement_member(&a, "traits", JVAL_ARRAY, err);
        if (!p->traits)
                return -1;
        if (!placement_take_generation(p, a.json, "resource_provider_generation"))
                return error_set(err, ERR_PROTOCOL, "placement: GET %s: the answer has no generation", path);
        memccpy(p->uuid, uuid, '\0', sizeof(p->uuid) - 1);
        return placement_sync_traits(p, disabled ? owned : none, owned, by, err);
}

int placement_set_disabled(struct placement *p, const char *uuid, bool disabled, struct deadline by,
                           struct error *err)
{
        int r = STALE;

        if (green_mutex_lock(&p->busy, by, err) < 0)
                return -1;
        for (unsigned attempt = 1; r == STALE && attempt <= ATTEMPTS_MAX; attempt++) {
                *err = (struct error){};
                r = set_disabled_once(p, uuid, disabled, by, err);
        }
        placement_forget(p); /* the inventories are not known with it */
        green_mutex_unlock(&p->busy);
        return r == STALE ? error_while(err, "giving up after %d attempts", ATTEMPTS_MAX) : r;
}
