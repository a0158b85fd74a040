/*
 * agent/store/actions.c: what a user sees as the history of a server (nova-contract 5.5).
 *
 * nova-api writes an action for each request; we write events into it. Recovery has no request of its own: it
 * writes into the newest action, without making that look recent.
 */
#include "store/store_priv.h"

#include <string.h>

#include "base/mem.h"

#define DETAILS_MAX   255
#define TRACEBACK_MAX 65535 /* bytes of a TEXT */

struct event {
        struct store *store;
        const char *uuid, *name;
        const struct request_context *ctx;
        char now[TIME_TEXT];
        char *details, *traceback; /* both NULL: success */
};

int store_action_start(struct store *s, const char *uuid, const char *action,
                       const struct request_context *ctx, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        time_t now = clock_wall_s();

        query_add(&q, "INSERT INTO instance_actions (created_at, updated_at, start_time, deleted, action, "
                      "instance_uuid, "
                      "request_id, user_id, project_id) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)");
        for (int i = 0; i < 3; i++)
                query_time(&q, now);
        query_value(&q, db_text(action));
        query_value(&q, db_text(uuid));
        query_value(&q, db_text(ctx->request_id));
        query_value(&q, db_text(ctx->user_id));
        query_value(&q, db_text(ctx->project_id));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return error_while(err, "recording action %s of instance %s", action, uuid);
        return 0;
}

/* The id of the action; *ret_ours: it belongs to this request. */
static int YIELDS find_action(struct db_conn *c, const struct event *e, int64_t *ret_id, bool *ret_ours,
                              struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(e->uuid), db_text(e->ctx->request_id) };
        CLEANUP(db_result_freep) struct db_result *r = NULL;

        *ret_ours = true;
        if (db_select(c,
                      "SELECT id FROM instance_actions WHERE deleted = 0 AND instance_uuid = ? AND "
                      "request_id = ? "
                      "ORDER BY created_at DESC, id DESC LIMIT 1",
                      values, 2, &r, by, err) < 0)
                return -1;
        if (!db_result_rows(r) && !e->ctx->project_id) {
                *ret_ours = false;
                db_result_freep(&r);
                if (db_select(c,
                              "SELECT id FROM instance_actions WHERE deleted = 0 AND instance_uuid = ? "
                              "ORDER BY created_at DESC, id DESC LIMIT 1",
                              values, 1, &r, by, err) < 0)
                        return -1;
        }
        if (!db_result_rows(r))
                return error_set(err, NOVA_INSTANCE_ACTION_NOT_FOUND,
                                 "Action for request_id %s on instance %s not found", e->ctx->request_id,
                                 e->uuid);
        *ret_id = db_result_row(r, 0)[0].i;
        return 0;
}

static int start_event(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        const struct event *e = arg;
        int64_t action;
        bool ours;

        assert_green();
        if (find_action(c, e, &action, &ours, by, err) < 0)
                return -1;
        if (ours) {
                const struct db_value values[] = { db_text(e->now), db_int(action) };

                if (db_exec(c, "UPDATE instance_actions SET updated_at = ? WHERE id = ?", values, 2, NULL,
                            NULL, by, err) < 0)
                        return -1;
        }
        const struct db_value values[] = { db_text(e->now), db_text(e->name), db_int(action), db_text(e->now),
                                           db_text(e->store->host) };

        return db_exec(c,
                       "INSERT INTO instance_actions_events (created_at, deleted, event, action_id, "
                       "start_time, host) "
                       "VALUES (?, 0, ?, ?, ?, ?)",
                       values, ARRAY_SIZE(values), NULL, NULL, by, err);
}

static int YIELDS update_action(struct db_conn *c, const struct event *e, int64_t action, bool ours,
                                struct deadline by, struct error *err)
{
        const struct db_value values[] = { db_text(e->now), db_int(action) };

        if (e->details && db_exec(c, "UPDATE instance_actions SET message = 'Error' WHERE id = ?", &values[1],
                                  1, NULL, NULL, by, err) < 0)
                return -1;
        if (!ours)
                return 0;
        return db_exec(c, "UPDATE instance_actions SET updated_at = ? WHERE id = ?", values, 2, NULL, NULL,
                       by, err);
}

/* nova takes any row of that name; where there are two, ours is the one that was begun last and is open. */
static int finish_event(struct db_conn *c, void *arg, struct deadline by, struct error *err)
{
        const struct event *e = arg;
        CLEANUP(db_result_freep) struct db_result *r = NULL;
        int64_t action;
        bool ours;

        assert_green();
        if (find_action(c, e, &action, &ours, by, err) < 0)
                return -1;
        const struct db_value key[] = { db_int(action), db_text(e->name) };

        if (db_select(c,
                      "SELECT id FROM instance_actions_events WHERE deleted = 0 AND action_id = ? AND event "
                      "= ? "
                      "ORDER BY finish_time IS NOT NULL, id DESC LIMIT 1",
                      key, 2, &r, by, err) < 0)
                return -1;
        if (!db_result_rows(r))
                return error_set(err, NOVA_INSTANCE_ACTION_EVENT_NOT_FOUND,
                                 "Event %s not found for action id %lld", e->name, (long long)action);
        const struct db_value values[] = {
                db_text(e->now),       db_text(e->now),     db_text(e->details ? "Error" : "Success"),
                db_text(e->traceback), db_text(e->details), db_result_row(r, 0)[0],
        };

        if (db_exec(c,
                    "UPDATE instance_actions_events SET updated_at = ?, finish_time = ?, result = ?, "
                    "traceback = ?, "
                    "details = ? WHERE id = ?",
                    values, ARRAY_SIZE(values), NULL, NULL, by, err) < 0)
                return -1;
        return update_action(c, e, action, ours, by, err);
}

int store_event_start(struct store *s, const char *uuid, const char *event, const struct request_context *ctx,
                      struct deadline by, struct error *err)
{
        struct event e = { .store = s, .uuid = uuid, .name = event, .ctx = ctx };

        time_text(clock_wall_s(), e.now);
        if (db_transaction(s->db, start_event, &e, by, err) < 0)
                return error_while(err, "recording the start of %s", event);
        return 0;
}

int store_event_finish(struct store *s, const char *uuid, const char *event,
                       const struct request_context *ctx, const char *failure, const char *traceback,
                       struct deadline by, struct error *err)
{
        CLEANUP(freep) char *details = failure ? text_for_column(failure, DETAILS_MAX) : NULL;
        CLEANUP(freep) char *trace = failure && traceback ? text_for_column(traceback, TRACEBACK_MAX) : NULL;
        struct event e = {
                .store = s, .uuid = uuid, .name = event, .ctx = ctx, .details = details, .traceback = trace
        };

        time_text(clock_wall_s(), e.now);
        if (db_transaction(s->db, finish_event, &e, by, err) < 0)
                return error_while(err, "recording the end of %s", event);
        return 0;
}

int store_event_interrupted(struct store *s, const char *uuid, const char *event, const char *request_id,
                            bool done, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        time_t now = clock_wall_s();

        query_add(&q,
                  "UPDATE instance_actions_events e JOIN instance_actions a ON a.id = e.action_id SET "
                  "e.updated_at = ?, e.finish_time = ?, e.result = ?, e.details = ? WHERE e.deleted = 0 AND "
                  "e.finish_time IS NULL AND e.event = ? AND e.host = ? AND a.deleted = 0 AND "
                  "a.instance_uuid = ? "
                  "AND a.request_id = ?");
        query_time(&q, now);
        query_time(&q, now);
        query_value(&q, db_text(done ? "Success" : "Error"));
        query_value(&q, db_text("The compute service was restarted meanwhile"));
        query_value(&q, db_text(event));
        query_value(&q, db_text(s->host));
        query_value(&q, db_text(uuid));
        query_value(&q, db_text(request_id));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return error_while(err, "recording the end of %s", event);
        return 0;
}
