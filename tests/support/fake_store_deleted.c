/* tests/support/fake_store_deleted.c: agent/store/deleted.c in memory. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "fake_store.h"

static struct stale_migration migrations[8];
static unsigned n_migrations;

static int64_t attempts_of(const struct instance *i)
{
        const char *text = instance_system_meta(i, "clean_attempts");

        return text ? strtol(text, NULL, 10) : 0;
}

int store_pending_deletes(struct store *s, int64_t max_attempts, struct pending_delete **ret, unsigned *ret_n,
                          struct deadline by, struct error *err)
{
        const struct instance *i;
        unsigned n = 0;

        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        *ret = xcalloc(64, sizeof(**ret));
        for (unsigned k = 0; (i = fake_store_nth(k)); k++) {
                if (!i->deleted || i->cleaned || !i->host || strcmp(i->host, s->host) != 0 ||
                    attempts_of(i) >= max_attempts)
                        continue;
                memcpy((*ret)[n].uuid, i->uuid, sizeof(i->uuid));
                (*ret)[n++].attempts = attempts_of(i);
        }
        *ret_n = n;
        return 0;
}

int store_pending_delete_note(struct store *s, const char *uuid, int64_t attempts, bool cleaned,
                              struct deadline by, struct error *err)
{
        CLEANUP(freep) char *text = xasprintf("%" PRId64, attempts);
        struct instance *i;

        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        i = fake_store_any_row(uuid);
        i->cleaned = cleaned;
        instance_set_system_meta(i, "clean_attempts", text);
        fake_store_note("attempt %s%s\n", text, cleaned ? " cleaned" : "");
        return 0;
}

void fake_store_add_migration(int64_t id, const char *uuid)
{
        struct stale_migration *m = &migrations[n_migrations++];

        m->id = id;
        memcpy(m->uuid, uuid, sizeof(m->uuid));
}

unsigned fake_store_migrations(void)
{
        return n_migrations;
}

int store_stale_migrations(struct store *s, struct stale_migration **ret, unsigned *ret_n, struct deadline by,
                           struct error *err)
{
        unsigned n = 0;

        if (fake_store_enter(__func__, by, err) < 0)
                return -1;
        *ret = xcalloc(ARRAY_SIZE(migrations), sizeof(**ret));
        for (unsigned k = 0; k < n_migrations; k++) {
                const struct instance *i = fake_store_any_row(migrations[k].uuid);

                if (i->deleted && strcmp(i->host, s->host) != 0)
                        (*ret)[n++] = migrations[k];
        }
        *ret_n = n;
        return 0;
}

void fake_store_migration_failed(int64_t id)
{
        for (unsigned k = 0; k < n_migrations; k++)
                if (migrations[k].id == id)
                        migrations[k] = migrations[--n_migrations];
        fake_store_note("migration %" PRId64 " failed\n", id);
}
