/* tests/support/fake_store_host.c: of the store in memory the rows of the host: service, node, migrations. */
#include "fake_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static struct compute_node_row node;
static bool have_node;
static unsigned reports;
static bool service_disabled;
static char *service_reason;    /* of its row; owned */
static const char *former_name; /* another compute node of this host; NULL: none */
static int64_t min_version;

struct fake_migration {
        char uuid[UUID_LEN + 1], status[32];
        bool evacuation;
};
static struct fake_migration migrations[8];
static unsigned n_migrations;

void fake_store_reset_host(void)
{
        compute_node_row_free(&node);
        node = (struct compute_node_row){};
        have_node = false;
        reports = 0;
        service_disabled = false;
        replace_str(&service_reason, NULL);
        former_name = NULL;
        n_migrations = 0;
        min_version = 0;
}

const struct compute_node_row *fake_store_node(void)
{
        return have_node ? &node : NULL;
}

void fake_store_drop_node(void)
{
        have_node = false;
}

unsigned fake_store_reports(void)
{
        return reports;
}

/* ---- services, compute_nodes ---- */

void service_row_free(struct service_row *r)
{
        free(r->disabled_reason);
        free(r->uuid);
        *r = (struct service_row){};
}

void fake_store_set_min_version(int64_t version)
{
        min_version = version;
}

int store_service_min_version(struct store *s, int64_t *ret, struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        *ret = min_version;
        return 0;
}

int store_service_ensure(struct store *s, bool enable_new, struct service_row *ret, struct deadline by,
                         struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        service_disabled |= !enable_new;
        *ret = (struct service_row){ .id = 1,
                                     .version = SERVICE_VERSION,
                                     .disabled = service_disabled,
                                     .disabled_reason = service_reason ? xstrdup(service_reason) : NULL };
        return 0;
}

void fake_store_disable_service(bool disabled)
{
        service_disabled = disabled;
        replace_str(&service_reason, disabled ? "an operator's reason" : NULL);
}

/* The answer travels: it may be old when it comes. */
static void YIELDS read_service(struct service_row *r)
{
        CLEANUP(freep) char *reason = service_reason ? xstrdup(service_reason) : NULL;
        bool disabled = service_disabled;

        green_yield();
        r->disabled = disabled;
        replace_str(&r->disabled_reason, reason);
}

int store_service_refresh(struct store *s, struct service_row *r, struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        read_service(r);
        return 0;
}

int store_service_report(struct store *s, struct service_row *r, struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        read_service(r);
        r->report_count++;
        reports++;
        return 0;
}

static bool service_disabled_by(const char *prefix)
{
        return service_disabled && service_reason && strncmp(service_reason, prefix, strlen(prefix)) == 0;
}

/* changes: the row's present state allows it. */
static int YIELDS write_service(struct service_row *r, const char *reason, bool changes)
{
        if (changes) {
                service_disabled = reason != NULL;
                replace_str(&service_reason, reason);
                fake_store_note("service %s\n", reason ? reason : "enabled");
        }
        read_service(r);
        return 0;
}

int store_service_follow(struct store *s, struct service_row *r, const char *reason, struct deadline by,
                         struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        return write_service(r, reason,
                             reason ? !service_disabled : service_disabled_by(SERVICE_AUTO_REASON));
}

int store_service_drain(struct store *s, struct service_row *r, const char *reason, struct deadline by,
                        struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        return write_service(r, reason,
                             !service_disabled || service_disabled_by(SERVICE_AUTO_REASON) ||
                                     service_disabled_by(SERVICE_DRAIN_REASON));
}

int store_service_undrain(struct store *s, struct service_row *r, struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        return write_service(r, NULL, service_disabled_by(SERVICE_DRAIN_REASON));
}

void node_list_free(struct node_list *l)
{
        for (unsigned n = 0; n < l->n; n++)
                free(l->items[n].name);
        free(l->items);
        *l = (struct node_list){};
}

static void list_node(struct node_list *l, int64_t id, const char *uuid, const char *name)
{
        l->items = xrealloc(l->items, (l->n + 1) * sizeof(*l->items));
        l->items[l->n] = (struct node_id){ .id = id, .name = xstrdup(name) };
        snprintf(l->items[l->n++].uuid, sizeof(l->items[0].uuid), "%s", uuid);
}

int store_compute_nodes_of_host(struct store *s, struct node_list *ret, struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        if (former_name)
                list_node(ret, 3, FAKE_FORMER_NODE, former_name);
        if (have_node)
                list_node(ret, node.id, node.uuid, node.hypervisor_hostname);
        return 0;
}

int store_compute_node_forget(struct store *s, const struct node_id *n, struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        fake_store_note("node %s forgotten\n", n->name);
        if (n->id == 3)
                former_name = NULL;
        return 0;
}

void fake_store_add_former_node(const char *name)
{
        former_name = name;
}

/* ---- migrations ---- */

void migration_list_free(struct migration_list *l)
{
        for (unsigned n = 0; n < l->n; n++) {
                free(l->items[n].source_node);
                free(l->items[n].status);
        }
        free(l->items);
        *l = (struct migration_list){};
}

void fake_store_add_move(const char *uuid, bool evacuation, const char *status)
{
        struct fake_migration *m = &migrations[n_migrations++];

        snprintf(m->uuid, sizeof(m->uuid), "%s", uuid);
        snprintf(m->status, sizeof(m->status), "%s", status);
        m->evacuation = evacuation;
}

const char *fake_store_move_status(const char *uuid)
{
        for (unsigned n = 0; n < n_migrations; n++)
                if (strcmp(migrations[n].uuid, uuid) == 0)
                        return migrations[n].status;
        return "";
}

static void list_migration(struct migration_list *l, unsigned n)
{
        struct migration *m;

        l->items = xrealloc(l->items, (l->n + 1) * sizeof(*l->items));
        m = &l->items[l->n++];
        *m = (struct migration){ .id = n,
                                 .source_node = xstrdup("fake-host"),
                                 .status = xstrdup(migrations[n].status) };
        snprintf(m->instance_uuid, sizeof(m->instance_uuid), "%s", migrations[n].uuid);
}

int store_evacuations_from_here(struct store *s, struct migration_list *ret, struct deadline by,
                                struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        for (unsigned n = 0; n < n_migrations; n++)
                if (migrations[n].evacuation && (strcmp(migrations[n].status, "accepted") == 0 ||
                                                 strcmp(migrations[n].status, "done") == 0))
                        list_migration(ret, n);
        return 0;
}

int store_migrations_of(struct store *s, const char *uuid, const char *status, struct migration_list *ret,
                        struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        for (unsigned n = 0; n < n_migrations; n++)
                if (strcmp(migrations[n].uuid, uuid) == 0 && strcmp(migrations[n].status, status) == 0)
                        list_migration(ret, n);
        return 0;
}

int store_migration_set_status(struct store *s, int64_t id, const char *status, struct deadline by,
                               struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        if (strcmp(status, "failed") == 0) { /* one of the others, or of nobody's */
                fake_store_migration_failed(id);
                return 0;
        }
        snprintf(migrations[id].status, sizeof(migrations[id].status), "%s", status);
        fake_store_note("migration %s\n", status);
        return 0;
}

int store_compute_node_get(struct store *s, const char *hypervisor_hostname, struct compute_node_row *ret,
                           struct deadline by, struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        if (!have_node || strcmp(node.hypervisor_hostname, hypervisor_hostname) != 0)
                return error_set(err, ERR_NOT_FOUND, "no compute node %s", hypervisor_hostname);
        *ret = (struct compute_node_row){};
        compute_node_row_copy(ret, &node);
        return 0;
}

int store_compute_node_save(struct store *s, struct compute_node_row *r, struct deadline by,
                            struct error *err)
{
        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        fake_store_note("node %s vms=%" PRId64 " mb=%" PRId64 "\n", r->id ? "update" : "insert",
                        r->running_vms, r->memory_mb_used);
        if (r->id == 0) {
                r->id = 7;
                snprintf(r->uuid, sizeof(r->uuid), "0e8ff1d0-0000-4000-8000-000000000001");
        }
        compute_node_row_copy(&node, r);
        have_node = true;
        return 0;
}
