/*
 * agent/store/instance_save.c: writing columns of an instance, and its end (nova-contract 5.3, 5.4, 5.7).
 *
 * Compare-and-set is in the statement itself: the condition on task_state decides in the database. Only when
 * no row matched is the row read, to say why. All values are absolute, so a save whose answer was lost with
 * the connection is simply done again; when the row then has the task_state that was to be written, it was
 * done.
 */
#include "store/store_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define TRIES 3

#define FIELD(bit, column, kind, member)                                \
        {                                                               \
                bit,                                                    \
                {                                                       \
                        column, kind, offsetof(struct instance, member) \
                }                                                       \
        }
static const struct {
        unsigned bit;
        struct column column;
} saved[] = {
        FIELD(COL_HOST, "host", AS_TEXT, host),
        FIELD(COL_NODE, "node", AS_TEXT, node),
        FIELD(COL_LAUNCHED_ON, "launched_on", AS_TEXT, launched_on),
        FIELD(COL_AVAILABILITY_ZONE, "availability_zone", AS_TEXT, availability_zone),
        FIELD(COL_VM_STATE, "vm_state", AS_VM_STATE, vm_state),
        FIELD(COL_TASK_STATE, "task_state", AS_TASK_STATE, task_state),
        FIELD(COL_POWER_STATE, "power_state", AS_POWER_STATE, power_state),
        FIELD(COL_ROOT_DEVICE_NAME, "root_device_name", AS_TEXT, root_device_name),
        FIELD(COL_EPHEMERAL_DEVICE, "default_ephemeral_device", AS_TEXT, default_ephemeral_device),
        FIELD(COL_SWAP_DEVICE, "default_swap_device", AS_TEXT, default_swap_device),
        FIELD(COL_CONFIG_DRIVE, "config_drive", AS_TEXT, config_drive),
        FIELD(COL_LAUNCHED_AT, "launched_at", AS_TIME, launched_at),
        FIELD(COL_TERMINATED_AT, "terminated_at", AS_TIME, terminated_at),
        FIELD(COL_PROGRESS, "progress", AS_INT, progress),
        FIELD(COL_CLEANED, "cleaned", AS_BOOL, cleaned),
        FIELD(COL_DELETED_AT, "deleted_at", AS_TIME, deleted_at),
};
#undef FIELD

static void add_condition(struct query *q, const struct task_expect *e)
{
        bool none = false;
        unsigned others = 0;

        for (unsigned n = 0; n < e->n; n++) {
                if (e->any[n] == TASK_NONE)
                        none = true;
                else
                        others++;
        }
        if (!e->n)
                return;
        query_add(q, " AND (");
        if (none)
                query_add(q, "task_state IS NULL");
        if (none && others)
                query_add(q, " OR ");
        if (others) {
                query_add(q, others == 1 ? "task_state = ?" : "task_state IN (?");
                for (unsigned n = 1; n < others; n++)
                        query_add(q, ",?");
                if (others > 1)
                        query_add(q, ")");
        }
        query_add(q, ")");
        for (unsigned n = 0; n < e->n; n++)
                if (e->any[n] != TASK_NONE)
                        query_value(q, db_text(task_state_name(e->any[n])));
}

static int build_update(struct query *q, const struct instance *i, unsigned columns,
                        const struct task_expect *e, time_t now, struct error *err)
{
        query_add(q, "UPDATE instances SET updated_at = ?");
        query_time(q, now);
        for (size_t n = 0; n < ARRAY_SIZE(saved); n++) {
                const struct column *c = &saved[n].column;

                if (!(columns & saved[n].bit))
                        continue;
                if (column_check(c, i, err) < 0)
                        return -1;
                strbuf_addf(&q->sql, ", %s = ?", c->name);
                query_field(q, c, i);
        }
        query_add(q, " WHERE deleted = 0 AND uuid = ?");
        query_value(q, db_text(i->uuid));
        add_condition(q, e);
        return 0;
}

struct save {
        struct store *store;
        const struct instance *instance;
        unsigned columns;
        time_t now;
        const struct query *update;
        uint64_t matched;
};

static int save_with_metadata(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        struct save *s = arg;

        assert_green();
        if (query_exec(s->store, c, s->update, &s->matched, NULL, by, err) < 0)
                return -1;
        if (!s->matched)
                return 0;
        return system_metadata_save(c, s->instance, s->now, by, err);
}

static int YIELDS save_once(struct save *s, struct deadline by, struct error *err)
{
        if (s->columns & COL_SYSTEM_METADATA)
                return db_transaction(s->store->db, save_with_metadata, s, by, err);
        return query_exec(s->store, NULL, s->update, &s->matched, NULL, by, err);
}

/* "['scheduling', None]", as nova prints it. */
static void describe_expected(struct strbuf *b, const struct task_expect *e)
{
        strbuf_adds(b, "[");
        for (unsigned n = 0; n < e->n; n++) {
                const char *name = task_state_name(e->any[n]);

                strbuf_addf(b, name ? "%s'%s'" : "%sNone", n ? ", " : "", name);
        }
        strbuf_adds(b, "]");
}

static int conflict(const struct instance *i, const struct task_expect *e, const char *actual,
                    struct error *err)
{
        CLEANUP(strbuf_free) struct strbuf b = {};
        bool deleting = task_state_parse(actual) == TASK_DELETING;

        describe_expected(&b, e);
        return error_set(err, deleting ? NOVA_UNEXPECTED_DELETING_TASK_STATE : NOVA_UNEXPECTED_TASK_STATE,
                         actual ? "Conflict updating instance %s. Expected: {'task_state': %s}. Actual: "
                                  "{'task_state': '%s'}"
                                : "Conflict updating instance %s. Expected: {'task_state': %s}. Actual: "
                                  "{'task_state': None}",
                         i->uuid, b.data, actual);
}

enum verdict { DONE_BEFORE, TRY_AGAIN };

/*
 * No row matched: why? -1 with the reason; TRY_AGAIN when the row looks right now. After a try whose answer
 * was lost, a row that has our task_state is our own work.
 */
static int YIELDS look(struct store *s, const struct instance *i, unsigned columns,
                       const struct task_expect *e, bool repeated, struct deadline by, struct error *err)
{
        struct db_value uuid = db_text(i->uuid);
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        const char *actual;

        if (db_pool_select(s->db, "SELECT task_state FROM instances WHERE deleted = 0 AND uuid = ?", &uuid, 1,
                           &r, by, err) < 0)
                return -1;
        if (!db_result_rows(r))
                return not_found(i->uuid, err);
        actual = db_result_row(r, 0)[0].type == DB_TEXT ? db_result_row(r, 0)[0].s : NULL;
        if (task_expected(e, task_state_parse(actual)))
                return TRY_AGAIN;
        if (repeated && (columns & COL_TASK_STATE) && task_state_parse(actual) == i->task_state)
                return DONE_BEFORE;
        return conflict(i, e, actual, err);
}

int store_instance_save(struct store *s, const struct instance *i, unsigned columns,
                        struct task_expect expect, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        struct save save = {
                .store = s, .instance = i, .columns = columns, .now = clock_wall_s(), .update = &q
        };
        bool repeated = false;
        int r;

        if (build_update(&q, i, columns, &expect, save.now, err) < 0)
                return error_while(err, "saving instance %s", i->uuid);
        for (unsigned n = 0; n < TRIES; n++) {
                save.matched = 0;
                r = save_once(&save, by, err);
                if (r == 0 && save.matched)
                        return 0;
                if (r < 0 && err->code != ERR_DB_LOST)
                        return error_while(err, "saving instance %s", i->uuid);
                if (r < 0) {
                        repeated = true;
                        continue;
                }
                r = look(s, i, columns, &expect, repeated, by, err);
                if (r != TRY_AGAIN)
                        return r == DONE_BEFORE ? 0 : -1;
        }
        if (r == TRY_AGAIN) /* matched when it was read, and not when it was written */
                return error_set(err, NOVA_UNEXPECTED_TASK_STATE,
                                 "Conflict updating instance %s, but we were unable to determine the cause",
                                 i->uuid);
        return error_while(err, "saving instance %s", i->uuid);
}

/* ---- the end of an instance ---- */

/* All that hang on it, in nova's order; the uuid's column differs in one. */
static const char *const soft_deletes[] = {
        "UPDATE security_group_instance_association SET deleted_at = ?, deleted = id WHERE deleted = 0 AND "
        "instance_uuid = ?",
        "UPDATE instance_info_caches SET deleted_at = ?, deleted = id WHERE deleted = 0 AND instance_uuid = "
        "?",
        "UPDATE instance_metadata SET deleted_at = ?, deleted = id WHERE deleted = 0 AND instance_uuid = ?",
        "UPDATE instance_faults SET deleted_at = ?, deleted = id WHERE deleted = 0 AND instance_uuid = ?",
        "UPDATE instance_extra SET deleted_at = ?, deleted = id WHERE deleted = 0 AND instance_uuid = ?",
        "UPDATE instance_system_metadata SET deleted_at = ?, deleted = id WHERE deleted = 0 AND "
        "instance_uuid = ?",
        "UPDATE block_device_mapping SET deleted_at = ?, deleted = id WHERE deleted = 0 AND instance_uuid = "
        "?",
        "UPDATE migrations SET deleted_at = ?, deleted = id WHERE deleted = 0 AND instance_uuid = ?",
        "UPDATE virtual_interfaces SET deleted_at = ?, deleted = id WHERE deleted = 0 AND instance_uuid = ?",
        "UPDATE instance_id_mappings SET deleted_at = ?, deleted = id WHERE deleted = 0 AND uuid = ?",
};
static const char *const hard_deletes[] = {
        "DELETE FROM tags WHERE resource_id = ?",
        "DELETE FROM console_auth_tokens WHERE instance_uuid = ?",
};

static int YIELDS why_not_deleted(struct db_conn *c, const struct instance *i, struct deadline by,
                                  struct error *err)
{
        struct db_value uuid = db_text(i->uuid);
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_select(c, "SELECT host FROM instances WHERE deleted = 0 AND uuid = ?", &uuid, 1, &r, by, err) <
            0)
                return -1;
        if (!db_result_rows(r))
                return not_found(i->uuid, err);
        return error_set(err, ERR_BUSY, "the instance is on host %s by now", db_result_row(r, 0)[0].s);
}

static int soft_delete(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        const struct instance *i = arg;
        bool homeless = !i->host || !*i->host;
        char now[TIME_TEXT];
        struct db_value values[2];
        uint64_t matched;

        assert_green();
        time_text(clock_wall_s(), now);
        values[0] = db_text(now);
        values[1] = db_text(i->uuid);
        /* One that has a host by now is being built there: it must not vanish under that host. */
        if (db_exec(c,
                    homeless ? "UPDATE instances SET deleted_at = ?, deleted = id WHERE deleted = 0 AND uuid "
                               "= ? AND host IS NULL"
                             : "UPDATE instances SET deleted_at = ?, deleted = id WHERE deleted = 0 AND uuid "
                               "= ?",
                    values, 2, &matched, NULL, by, err) < 0)
                return -1;
        if (!matched)
                return why_not_deleted(c, i, by, err);
        for (size_t n = 0; n < ARRAY_SIZE(soft_deletes); n++)
                if (db_exec(c, soft_deletes[n], values, 2, NULL, NULL, by, err) < 0)
                        return -1;
        for (size_t n = 0; n < ARRAY_SIZE(hard_deletes); n++)
                if (db_exec(c, hard_deletes[n], &values[1], 1, NULL, NULL, by, err) < 0)
                        return -1;
        return 0;
}

int store_instance_soft_delete(struct store *s, const struct instance *i, struct deadline by,
                               struct error *err)
{
        if (db_transaction(s->db, soft_delete, (void *)i, by, err) == 0)
                return 0;
        if (err->code == ERR_DB_LOST) {
                /* If it is gone now, then the lost answer was a yes. */
                if (db_transaction(s->db, soft_delete, (void *)i, by, err) == 0 ||
                    err->code == NOVA_INSTANCE_NOT_FOUND)
                        return 0;
        }
        return error_while(err, "deleting the rows of instance %s", i->uuid);
}
