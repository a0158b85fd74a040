/*
 * agent/ctl/database.c: finding instances by name, and following one until a request is over.
 *
 * A request is over when the events of its action have finished and the row has no task any more: the task
 * alone is not enough, since a build begins without one and a failed method clears it last.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "native/tpool.h"

#define POLL_S 0.1

enum ctl_exit ctl_need_store(struct ctl *c)
{
        struct db_options opt = {};
        struct error err;
        enum ctl_exit status = ctl_need_conf(c);

        if (status != CTL_OK || c->store.db)
                return status;
        status = ctl_need_tpool(c);
        if (status != CTL_OK)
                return status;
        opt.url = c->conf->database.connection;
        opt.max_pool_size = 2;
        opt.sql_mode = c->conf->database.mysql_sql_mode;
        opt.tpool = c->tpool;
        c->store.db = db_pool_new(&opt, &err);
        c->store.host = c->conf->host;
        if (c->store.db)
                return CTL_OK;
        return ctl_complain(CTL_FAILED, "%s: [database] connection: %s", c->conf->path, err.text);
}

/* ---- finding ---- */

static void list_uuids(const struct db_result *rows)
{
        for (size_t i = 0; i < db_result_rows(rows); i++)
                fprintf(stderr, "  %s\n", db_result_row(rows, i)[0].s);
}

static enum ctl_exit YIELDS uuid_of_name(struct ctl *c, const char *name, char uuid[UUID_LEN + 1])
{
        const struct db_value value = db_text(name);
        struct db_result CLEANUP(db_result_freep) *rows = NULL;
        struct error err;

        if (db_pool_select(
                    c->store.db,
                    "SELECT uuid FROM instances WHERE display_name = ? AND deleted = 0 ORDER BY id LIMIT 20",
                    &value, 1, &rows, c->by, &err) < 0)
                return ctl_error(&err, "looking for the instance");
        if (db_result_rows(rows) == 0)
                return ctl_complain(CTL_FAILED,
                                    "there is no instance \"%s\" (see \"compute-agentctl instances\")", name);
        if (db_result_rows(rows) > 1) {
                ctl_complain(CTL_FAILED, "several instances are called \"%s\"; name one by its uuid:", name);
                list_uuids(rows);
                return CTL_FAILED;
        }
        snprintf(uuid, UUID_LEN + 1, "%s", db_result_row(rows, 0)[0].s);
        return CTL_OK;
}

enum ctl_exit ctl_find_instance(struct ctl *c, const char *name_or_uuid, struct instance **ret)
{
        char uuid[UUID_LEN + 1];
        struct error err;
        enum ctl_exit status = ctl_need_store(c);

        if (status != CTL_OK)
                return status;
        if (uuid_is(name_or_uuid))
                memcpy(uuid, name_or_uuid, sizeof(uuid));
        else if ((status = uuid_of_name(c, name_or_uuid, uuid)) != CTL_OK)
                return status;
        if (store_instance_get(&c->store, uuid, 0, ret, c->by, &err) < 0)
                return ctl_error(&err, "instance %s", name_or_uuid);
        if ((*ret)->host && strcmp((*ret)->host, c->conf->host) != 0) {
                status = ctl_complain(CTL_FAILED, "instance %s is on host %s, and this is %s", name_or_uuid,
                                      (*ret)->host, c->conf->host);
                instance_free(take_ptr(ret));
        }
        return status;
}

enum ctl_exit ctl_node_name(struct ctl *c, char **ret)
{
        const struct db_value host = db_text(c->conf->host);
        struct db_result CLEANUP(db_result_freep) *rows = NULL;
        struct error err;

        if (db_pool_select(
                    c->store.db,
                    "SELECT hypervisor_hostname FROM compute_nodes WHERE host = ? AND deleted = 0 LIMIT 1",
                    &host, 1, &rows, c->by, &err) < 0)
                return ctl_error(&err, "looking for the compute node");
        if (db_result_rows(rows) == 0)
                return ctl_complain(CTL_FAILED,
                                    "host %s has no compute node yet: the agent makes it when it starts; "
                                    "see \"compute-agentctl status\"",
                                    c->conf->host);
        *ret = xstrdup(db_result_row(rows, 0)[0].s);
        return CTL_OK;
}

/* ---- following ---- */

struct progress {
        bool begun, over, failed; /* of the action's events */
        char *details;            /* of the failed one; owned */
};

static int YIELDS read_events(struct ctl *c, const char *uuid, const char *request_id, struct progress *p,
                              struct error *err)
{
        const struct db_value values[] = { db_text(uuid), db_text(request_id) };
        struct db_result CLEANUP(db_result_freep) *rows = NULL;

        if (db_pool_select(c->store.db,
                           "SELECT e.finish_time IS NULL, e.result, e.details FROM instance_actions_events e "
                           "JOIN instance_actions a ON e.action_id = a.id "
                           "WHERE a.instance_uuid = ? AND a.request_id = ? AND e.deleted = 0 ORDER BY e.id",
                           values, 2, &rows, c->by, err) < 0)
                return -1;
        p->begun = db_result_rows(rows) > 0;
        p->over = p->begun;
        for (size_t i = 0; i < db_result_rows(rows); i++) {
                const struct db_value *row = db_result_row(rows, i);

                p->over = p->over && row[0].i == 0;
                if (row[1].type == DB_TEXT && strcmp(row[1].s, "Error") == 0) {
                        p->failed = true;
                        replace_str(&p->details, row[2].type == DB_TEXT ? row[2].s : NULL);
                }
        }
        return 0;
}

/* NULL when there is none, or it cannot be read: the state says the rest. */
static char *YIELDS last_fault(struct ctl *c, const char *uuid)
{
        const struct db_value value = db_text(uuid);
        struct db_result CLEANUP(db_result_freep) *rows = NULL;
        struct error err;

        if (db_pool_select(c->store.db,
                           "SELECT message FROM instance_faults WHERE instance_uuid = ? AND deleted = 0 "
                           "ORDER BY id DESC LIMIT 1",
                           &value, 1, &rows, c->by, &err) < 0 ||
            db_result_rows(rows) == 0 || db_result_row(rows, 0)->type != DB_TEXT)
                return NULL;
        return xstrdup(db_result_row(rows, 0)->s);
}

struct shown {
        enum vm_state vm;
        enum task_state task;
        int64_t begun_ns;
};

static double since(const struct shown *s)
{
        return clock_since_s(s->begun_ns);
}

static void show_state(const struct ctl *c, const struct instance *i, struct shown *s)
{
        const char *task = task_state_name(i->task_state);

        if (i->vm_state == s->vm && i->task_state == s->task)
                return;
        s->vm = i->vm_state;
        s->task = i->task_state;
        if (c->json || !task)
                return; /* no task: in passing, or the end, which is told elsewhere */
        printf("%7.1f s  %s: %s\n", since(s), vm_state_name(i->vm_state), task);
        fflush(stdout);
}

/* 1: over, 0: not yet, -1. */
static int YIELDS look(struct ctl *c, const struct instance *of, const char *request_id, struct shown *shown,
                       struct ctl_outcome *ret, struct error *err)
{
        struct instance CLEANUP(instance_freep) *now = NULL;
        struct progress p = {};
        int over = 0;

        if (store_instance_get(&c->store, of->uuid, WITH_DELETED, &now, c->by, err) < 0) {
                ret->gone = err->code == NOVA_INSTANCE_NOT_FOUND;
                return ret->gone ? 1 : -1;
        }
        if (now->deleted) {
                ret->gone = true;
                return 1;
        }
        show_state(c, now, shown);
        if (read_events(c, of->uuid, request_id, &p, err) < 0)
                return -1;
        if (p.over && now->task_state == TASK_NONE && now->vm_state != VM_BUILDING) {
                ret->vm_state = now->vm_state;
                ret->power_state = now->power_state;
                ret->failed = p.failed || now->vm_state == VM_ERROR;
                if (ret->failed)
                        ret->reason = last_fault(c, of->uuid);
                if (ret->failed && !ret->reason)
                        ret->reason = take_ptr(&p.details);
                over = 1;
        }
        free(p.details);
        return over;
}

/* It goes on without us. */
static enum ctl_exit still_under_way(const struct ctl *c, const struct instance *i, const struct shown *s)
{
        const char *state = vm_state_name(s->vm), *task = task_state_name(s->task);

        return ctl_complain(CTL_TIMEOUT,
                            "%s goes on: instance %s is still %s%s%s%s; \"compute-agentctl jobs\" tells how "
                            "far it is, and what hangs",
                            c->command->name, i->uuid, state ? state : "not there", task ? " (" : "",
                            task ? task : "", task ? ")" : "");
}

enum ctl_exit ctl_watch(struct ctl *c, const struct instance *i, const struct request_context *ctx,
                        struct ctl_outcome *ret)
{
        struct shown shown = { .vm = VM_UNKNOWN, .begun_ns = clock_now_ns() };
        struct error err = {};

        *ret = (struct ctl_outcome){};
        for (;;) {
                int r = look(c, i, ctx->request_id, &shown, ret, &err);

                if (r > 0)
                        break;
                /* A database that went away may come back; one that is slow has until the deadline. */
                if (r < 0 && err.code != ERR_DB_LOST && err.code != ERR_TIMEOUT)
                        return ctl_error(&err, "following instance %s", i->uuid);
                if (deadline_passed(c->by))
                        return still_under_way(c, i, &shown);
                if (green_sleep(POLL_S, &err) < 0)
                        return CTL_FAILED;
        }
        ret->seconds = since(&shown);
        return CTL_OK;
}

/* ---- telling ---- */

static struct jval *request_value(const struct instance *i, const struct request_context *ctx)
{
        struct jval *o = jval_new_object();

        jval_set_text(o, "uuid", i->uuid);
        jval_set_text(o, "display_name", i->display_name);
        jval_set_text(o, "request_id", ctx->request_id);
        return o;
}

static void tell_request(const struct ctl *c, const struct instance *i, const struct request_context *ctx)
{
        struct jval CLEANUP(jval_unrefp) *o = request_value(i, ctx);

        if (c->json) {
                print_json(o);
                return;
        }
        print_field("instance", i->uuid);
        print_field("name", i->display_name);
        print_field("request", ctx->request_id);
}

void ctl_tell_outcome(const struct ctl *c, const struct instance *i, const struct request_context *ctx,
                      const struct ctl_outcome *how)
{
        struct jval CLEANUP(jval_unrefp) *o = request_value(i, ctx);
        const char *state = how->gone ? "deleted" : vm_state_name(how->vm_state);

        if (!c->json) {
                char CLEANUP(freep) *name = harmless(i->display_name ? i->display_name : i->uuid, "");

                printf("%7.1f s  %s: %s, %s\n", how->seconds, name, state,
                       how->gone ? "gone" : power_state_name(how->power_state));
                return;
        }
        jval_set_text(o, "vm_state", state);
        jval_set_text(o, "power_state", how->gone ? NULL : power_state_name(how->power_state));
        jval_set_bool(o, "failed", how->failed);
        jval_set_text(o, "fault", how->reason);
        jval_set_real(o, "seconds", how->seconds);
        print_json(o);
}

enum ctl_exit ctl_conclude(struct ctl *c, const struct instance *i, const struct request_context *ctx,
                           bool wait)
{
        struct ctl_outcome how = {};
        enum ctl_exit status;

        if (!wait) {
                tell_request(c, i, ctx);
                return CTL_OK;
        }
        ctl_may_take_long(c);
        if (!c->json)
                tell_request(c, i, ctx);
        status = ctl_watch(c, i, ctx, &how);
        if (status != CTL_OK)
                return status;
        ctl_tell_outcome(c, i, ctx, &how);
        if (how.failed)
                status = ctl_complain(CTL_FAILED, "%s failed: %s", c->command->name,
                                      how.reason ? how.reason : "see the agent's log");
        free(how.reason);
        return status;
}
