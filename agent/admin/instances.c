/* agent/admin/instances.c: the instances of this host: their rows beside what the hypervisor says. */
#include <string.h>

#include "base/mem.h"
#include "messaging/transport.h"
#include "admin/admin.h"

#define ROWS_S 10.0 /* to read the rows */

static const char *state_of(const struct guest_list *guests, bool known, const char *uuid)
{
        for (unsigned i = 0; i < guests->n; i++) {
                if (strcmp(guests->items[i].uuid, uuid) == 0)
                        return power_state_name(guests->items[i].power_state);
        }
        return known ? "absent" : NULL;
}

struct doing {
        const char *uuid;
        struct jval *text; /* NULL: nothing */
};

/* The last one is at work, those before it wait for its lock or are waited for. */
static void take_doing(const struct compute_running *r, void *arg)
{
        struct doing *d = arg;

        if (strcmp(r->uuid, d->uuid) != 0)
                return;
        jval_unref(d->text);
        d->text = jval_new_text(r->doing);
}

static struct jval *HUB_ONLY what_is_done(const struct admin_sources *s, const char *uuid)
{
        struct doing d = { .uuid = uuid };

        if (s->manager)
                compute_manager_foreach_running(s->manager, take_doing, &d);
        return d.text ? d.text : jval_new_null();
}

static struct jval *instance_row(const struct instance *i, const char *domain_name, const char *state)
{
        struct jval *row = jval_new_object();

        jval_set_text(row, "uuid", i->uuid);
        jval_set_text(row, "name", domain_name);
        jval_set_text(row, "display_name", i->display_name);
        jval_set_text(row, "vm_state", vm_state_name(i->vm_state));
        jval_set_text(row, "task_state", task_state_name(i->task_state));
        jval_set_text(row, "power_state", power_state_name(i->power_state));
        jval_set_text(row, "hypervisor_state", state);
        jval_set_int(row, "memory_mb", i->memory_mb);
        jval_set_int(row, "vcpus", i->vcpus);
        return row;
}

/* ---- instances that have no host: builds that were taken on and have not claimed yet ---- */

struct builds {
        const struct instance_list *rows; /* of this host */
        const char **uuids;               /* not among them; owned, as are the texts */
        unsigned n;
};

static bool has_uuid(const struct builds *b, const char *uuid)
{
        for (unsigned i = 0; i < b->rows->n; i++) {
                if (strcmp(b->rows->items[i]->uuid, uuid) == 0)
                        return true;
        }
        for (unsigned i = 0; i < b->n; i++) {
                if (strcmp(b->uuids[i], uuid) == 0)
                        return true;
        }
        return false;
}

static void take_build(const struct compute_running *r, void *arg)
{
        struct builds *b = arg;

        if (has_uuid(b, r->uuid))
                return;
        b->uuids = xrealloc(b->uuids, (b->n + 1) * sizeof(*b->uuids));
        b->uuids[b->n++] = xstrdup(r->uuid);
}

/* Where nobody schedules, who has no host belongs to no other one, and a build that failed is still seen. */
static int YIELDS read_hostless(const struct admin_sources *s, const struct instance_list *rows,
                                struct instance_list *ret, struct deadline by, struct error *err)
{
        struct builds b = { .rows = rows };
        int r = 0;

        if (transport_url_is_local(s->conf->transport_url))
                return store_instances_without_host(s->store, ret, by, err);
        if (s->manager)
                compute_manager_foreach_running(s->manager, take_build, &b);
        if (b.n)
                r = store_instances_building_among(s->store, b.uuids, b.n, ret, by, err);
        while (b.n)
                free((char *)b.uuids[--b.n]);
        free(b.uuids);
        return r;
}

/* ---- all of them ---- */

static void HUB_ONLY add_rows(const struct admin_sources *s, const struct instance_list *rows,
                              const struct guest_list *guests, bool known, struct jval *list)
{
        for (unsigned i = 0; i < rows->n; i++) {
                const struct instance *row = rows->items[i];
                struct jval *one;
                char CLEANUP(freep) *name = instance_domain_name(row, s->conf->instance_name_template);

                one = instance_row(row, name, state_of(guests, known, row->uuid));
                jval_set(one, "doing", what_is_done(s, row->uuid));
                jval_push(list, one);
        }
}

int admin_instances(const struct admin_sources *s, struct jval **ret, struct error *err)
{
        struct deadline by = deadline_in_s(ROWS_S);
        struct instance_list rows = {}, hostless = {};
        struct guest_list guests = {};
        struct jval *list;
        struct error ignored;
        bool known;

        if (!s->store)
                return error_set(err, ERR_BUSY, "the agent has not reached its database yet");
        if (store_instances_of_host(s->store, &rows, by, err) < 0)
                return error_while(err, "reading the instances");
        if (read_hostless(s, &rows, &hostless, by, err) < 0) {
                instance_list_free(&rows);
                return error_while(err, "reading the instances that have no host");
        }
        known = s->driver && s->driver->ops->list(s->driver, &guests, by, &ignored) == 0;
        list = jval_new_array();
        add_rows(s, &rows, &guests, known, list);
        add_rows(s, &hostless, &guests, known, list);
        guest_list_free(&guests);
        instance_list_free(&hostless);
        instance_list_free(&rows);
        *ret = jval_new_object();
        jval_set(*ret, "instances", list);
        return 0;
}
