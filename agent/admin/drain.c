/*
 * agent/admin/drain.c: draining the host, taking that back, and how far it is.
 *
 * Draining is begun here and goes on by itself; who wants to wait asks again. The reason begins with who it
 * was, as the cloud's operators see only that.
 */
#include <unistd.h>

#define LOG_MODULE "rpc.admin"
#include "base/log.h"
#include "base/mem.h"
#include "admin/admin.h"

#define ROW_S    10.0 /* to write the services row */
#define USER_MAX 32
#define TEXT_MAX 180

struct drain_args {
        char *user, *reason;
        bool stop;
};

static const struct json_field drain_fields[] = {
        { "user", json_field_text, offsetof(struct drain_args, user), JSON_NULLABLE },
        { "reason", json_field_text, offsetof(struct drain_args, reason), JSON_NULLABLE },
        { "stop", json_field_bool, offsetof(struct drain_args, stop), 0 },
        {},
};

/* ---- how far it is ---- */

struct left {
        struct jval *list;
        uint64_t last_op;
};

static void add_left(const struct compute_running *r, void *arg)
{
        struct left *left = arg;

        if (r->id <= left->last_op)
                admin_add_running(r, left->list);
}

static const char *row_name(const struct compute_cordon *c)
{
        switch (c->row) {
        case CORDON_ROW_OPERATORS:
                return "disabled by an operator";
        case CORDON_ROW_LATER:
                return "not written yet";
        default:
                return "disabled by this drain";
        }
}

struct jval *admin_drain(const struct admin_sources *s)
{
        struct left left = { .list = NULL };
        struct compute_cordon c;
        struct jval *to;

        if (!s->manager || !compute_get_cordon(s->manager, &c))
                return jval_new_null();
        to = jval_new_object();
        jval_set_text(to, "reason", c.reason);
        jval_set_text(to, "service", row_name(&c));
        jval_set_text(to, "service_reason", c.row_reason);
        jval_set_int(to, "total", c.total);
        jval_set_int(to, "left", c.left);
        jval_set_real(to, "seconds", c.seconds);
        jval_set_bool(to, "stop", s->stop_when_drained);
        left = (struct left){ .list = jval_new_array(), .last_op = c.last_op };
        compute_manager_foreach_running(s->manager, add_left, &left);
        jval_set(to, "operations", left.list);
        return to;
}

static struct jval *HUB_ONLY answer(const struct admin_sources *s)
{
        struct jval *to = jval_new_object();

        jval_set_int(to, "pid", getpid());
        jval_set(to, "drain", admin_drain(s));
        return to;
}

/* ---- the methods ---- */

int admin_method_drain_state(struct rpc_call *call, struct error *err)
{
        assert_green();
        (void)err;
        call->result = answer(call->app);
        return 0;
}

int admin_method_drain(struct rpc_call *call, struct error *err)
{
        struct admin_sources *s = call->app;
        CLEANUP(freep) char *reason = NULL;
        struct drain_args args = {};
        struct compute_cordon now;
        int r;

        assert_green();
        if (admin_must_serve(s, err) < 0)
                return -1;
        if (json_fields_decode_strict(drain_fields, call->request->args, &args, err) < 0) {
                err->code = ERR_RPC_BAD_ARGUMENTS;
                return -1;
        }
        if (!args.reason && compute_get_cordon(s->manager, &now)) /* who waits for it need not say it again */
                reason = xstrdup(now.reason);
        else
                reason = xasprintf("by %.*s (uid %u) with compute-agentctl%s%.*s", USER_MAX,
                                   args.user ? args.user : "somebody", call->peer_uid,
                                   args.reason ? ": " : "", TEXT_MAX, args.reason ? args.reason : "");
        s->stop_when_drained = args.stop;
        r = compute_cordon(s->manager, reason, deadline_in_s(ROW_S), err);
        json_fields_free(drain_fields, &args);
        if (r == 0)
                call->result = answer(s);
        return r;
}

int admin_method_undrain(struct rpc_call *call, struct error *err)
{
        struct admin_sources *s = call->app;
        const struct service_row *row;

        assert_green();
        if (admin_must_serve(s, err) < 0)
                return -1;
        if (compute_uncordon(s->manager, deadline_in_s(ROW_S), err) < 0)
                return -1;
        s->stop_when_drained = false;
        row = compute_service(s->manager);
        call->result = jval_new_object();
        jval_set_bool(call->result, "enabled", !row->disabled);
        jval_set_text(call->result, "disabled_reason", row->disabled_reason);
        return 0;
}
