/*
 * agent/store/services.c: the row by which the cloud knows that this host is up (nova-contract 4.1, 4.4).
 *
 * Its version tells the others which RPC we speak. Nobody may start below the oldest of them: a cell that has
 * moved on must not be joined by an agent of yesterday.
 */
#include "store/store_priv.h"

#include <stdlib.h>

#include "base/mem.h"

#define REASON_MAX 255

#define FIELD(column, kind, member)                                \
        {                                                          \
                column, kind, offsetof(struct service_row, member) \
        }
static const struct column columns[] = {
        FIELD("id", AS_INT, id),
        FIELD("report_count", AS_INT, report_count),
        FIELD("version", AS_INT, version),
        FIELD("disabled", AS_BOOL, disabled),
        FIELD("forced_down", AS_BOOL, forced_down),
        FIELD("disabled_reason", AS_TEXT, disabled_reason),
        FIELD("uuid", AS_TEXT, uuid),
};
#undef FIELD

void service_row_free(struct service_row *r)
{
        free(r->disabled_reason);
        free(r->uuid);
        *r = (struct service_row){};
}

/* 0, or 1 when there is none. */
static int YIELDS find(struct store *s, struct service_row *ret, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        query_add(&q, "SELECT ");
        columns_list(&q.sql, "", columns, ARRAY_SIZE(columns));
        query_add(&q, " FROM services WHERE deleted = 0 AND host = ? AND `binary` = ? LIMIT 1");
        query_value(&q, db_text(s->host));
        query_value(&q, db_text(SERVICE_BINARY));
        if (db_pool_select(s->db, q.sql.data, q.values, q.n, &r, by, err) < 0)
                return -1;
        if (!db_result_rows(r))
                return 1;
        service_row_free(ret);
        row_read(columns, ARRAY_SIZE(columns), db_result_row(r, 0), ret);
        return 0;
}

int store_service_min_version(struct store *s, int64_t *ret, struct deadline by, struct error *err)
{
        struct db_value binary = db_text(SERVICE_BINARY);
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        if (db_pool_select(s->db,
                           "SELECT MIN(version) FROM services WHERE `binary` = ? AND deleted = 0 AND "
                           "forced_down = 0",
                           &binary, 1, &r, by, err) < 0)
                return error_while(err, "reading the oldest version of the compute services");
        *ret = db_result_row(r, 0)[0].type == DB_INT ? db_result_row(r, 0)[0].i : 0;
        return 0;
}

static int YIELDS check_not_too_old(struct store *s, struct deadline by, struct error *err)
{
        int64_t oldest;

        if (store_service_min_version(s, &oldest, by, err) < 0)
                return -1;
        if (oldest > SERVICE_VERSION)
                return error_set(err, ERR_INVALID,
                                 "this agent has service version %d, but the oldest nova-compute of the cell "
                                 "has %lld: an "
                                 "agent that is too old must not join",
                                 SERVICE_VERSION, (long long)oldest);
        return 0;
}

static int YIELDS insert(struct store *s, bool enabled, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        char uuid[UUID_LEN + 1];

        uuid_new(uuid);
        query_add(&q, "INSERT INTO services (created_at, deleted, uuid, host, `binary`, topic, report_count, "
                      "disabled, "
                      "disabled_reason, forced_down, version) VALUES (?, 0, ?, ?, ?, ?, 0, ?, ?, 0, ?)");
        query_time(&q, clock_wall_s());
        query_value(&q, db_text(uuid));
        query_value(&q, db_text(s->host));
        query_value(&q, db_text(SERVICE_BINARY));
        query_value(&q, db_text(SERVICE_TOPIC));
        query_value(&q, db_int(!enabled));
        query_value(&q, db_text(enabled ? NULL : "New compute service disabled due to config option."));
        query_value(&q, db_int(SERVICE_VERSION));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) == 0)
                return 0;
        /* Somebody was quicker, or it was us and the answer got lost: it will be read. */
        return (err->code == ERR_DB && err->sys == DB_DUPLICATE) || err->code == ERR_DB_LOST ? 0 : -1;
}

static int YIELDS raise_version(struct store *s, struct service_row *r, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        if (check_not_too_old(s, by, err) < 0)
                return -1;
        query_add(&q, "UPDATE services SET updated_at = ?, version = ? WHERE id = ?");
        query_time(&q, clock_wall_s());
        query_value(&q, db_int(SERVICE_VERSION));
        query_value(&q, db_int(r->id));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return -1;
        r->version = SERVICE_VERSION;
        return 0;
}

int store_service_ensure(struct store *s, bool enable_new, struct service_row *ret, struct deadline by,
                         struct error *err)
{
        struct service_row found = {};
        int r = find(s, &found, by, err);

        if (r > 0) {
                r = check_not_too_old(s, by, err) < 0 || insert(s, enable_new, by, err) < 0
                            ? -1
                            : find(s, &found, by, err);
                if (r > 0)
                        r = error_set(err, ERR_NOT_FOUND, "the row vanished as soon as it was made");
        }
        if (r == 0 && found.version != SERVICE_VERSION) {
                found.former_version = found.version;
                r = raise_version(s, &found, by, err);
        }
        if (r < 0) {
                service_row_free(&found);
                return error_while(err, "the services row of host %s", s->host);
        }
        *ret = found;
        return 0;
}

/* 0, or 1 when the row is gone. */
static int YIELDS read_again(struct store *s, struct service_row *r, int64_t *ret_count, struct deadline by,
                             struct error *err)
{
        CLEANUP(db_result_freep) struct db_result *now = NULL;
        struct db_value id = db_int(r->id);
        const struct db_value *row;

        if (db_pool_select(s->db,
                           "SELECT disabled, forced_down, disabled_reason, report_count FROM services WHERE "
                           "id = ? AND deleted = 0",
                           &id, 1, &now, by, err) < 0)
                return error_while(err, "reading whether host %s is disabled", s->host);
        if (!db_result_rows(now))
                return 1;
        row = db_result_row(now, 0);
        r->disabled = row[0].type == DB_INT && row[0].i;
        r->forced_down = row[1].type == DB_INT && row[1].i;
        replace_str(&r->disabled_reason, row[2].type == DB_TEXT ? row[2].s : NULL);
        *ret_count = row[3].type == DB_INT ? row[3].i : 0;
        return 0;
}

int store_service_refresh(struct store *s, struct service_row *r, struct deadline by, struct error *err)
{
        int64_t count;

        return read_again(s, r, &count, by, err) < 0 ? -1 : 0;
}

static int gone(const struct store *s, const struct service_row *r, struct error *err)
{
        return error_set(err, ERR_NOT_FOUND, "the services row %lld of host %s is gone", (long long)r->id,
                         s->host);
}

int store_service_report(struct store *s, struct service_row *r, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        uint64_t matched;
        int64_t count = 0;
        int there = read_again(s, r, &count, by, err);

        if (there != 0)
                return there < 0 ? -1 : gone(s, r, err);
        r->rival = count != r->report_count && !(r->unsure && count == r->report_count + 1);
        r->unsure = true;
        query_add(&q, "UPDATE services SET updated_at = ?, last_seen_up = ?, report_count = ?, version = ? "
                      "WHERE id = ? AND deleted = 0");
        query_time(&q, clock_wall_s());
        query_time(&q, clock_wall_s());
        query_value(&q, db_int(count + 1));
        query_value(&q, db_int(SERVICE_VERSION));
        query_value(&q, db_int(r->id));
        r->report_count = count;
        if (query_exec(s, NULL, &q, &matched, NULL, by, err) < 0)
                return error_while(err, "reporting that host %s is up", s->host);
        if (!matched)
                return gone(s, r, err);
        r->report_count = count + 1;
        r->unsure = false;
        return 0;
}

#define OF_HYPERVISOR "(disabled = 1 AND disabled_reason LIKE '" SERVICE_AUTO_REASON "%')"
#define OF_DRAIN      "(disabled = 1 AND disabled_reason LIKE '" SERVICE_DRAIN_REASON "%')"

/* `where` decides in the statement itself: an operator may be at it this very moment. reason NULL: enabled.
 */
static int YIELDS set_disabled(struct store *s, struct service_row *r, const char *reason, const char *where,
                               struct deadline by, struct error *err)
{
        CLEANUP(freep) char *text = reason ? text_for_column(reason, REASON_MAX) : NULL;
        CLEANUP(query_free) struct query q = {};

        query_add(&q,
                  "UPDATE services SET updated_at = ?, disabled = ?, disabled_reason = ? WHERE id = ? AND "
                  "deleted = 0 AND ");
        query_time(&q, clock_wall_s());
        query_value(&q, db_int(reason != NULL));
        query_value(&q, db_text(text));
        query_value(&q, db_int(r->id));
        query_add(&q, where);
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return error_while(err, "%s the service of host %s", reason ? "disabling" : "enabling",
                                   s->host);
        return store_service_refresh(s, r, by, err);
}

int store_service_follow(struct store *s, struct service_row *r, const char *reason, struct deadline by,
                         struct error *err)
{
        return set_disabled(s, r, reason, reason ? "disabled = 0" : OF_HYPERVISOR, by, err);
}

int store_service_drain(struct store *s, struct service_row *r, const char *reason, struct deadline by,
                        struct error *err)
{
        return set_disabled(s, r, reason, "(disabled = 0 OR " OF_HYPERVISOR " OR " OF_DRAIN ")", by, err);
}

int store_service_undrain(struct store *s, struct service_row *r, struct deadline by, struct error *err)
{
        return set_disabled(s, r, NULL, OF_DRAIN, by, err);
}
