/*
 * agent/admin/resync.c: looking at everything again, now, and how far that is.
 *
 * It is begun here and goes on by itself; who wants to wait asks again. "id" tells one from the next.
 */
#include <ctype.h>

#include "base/uuid.h"
#include "compute/resync.h"
#include "admin/admin.h"

struct resync_args {
        char *uuid;
};

static const struct json_field resync_fields[] = {
        { "uuid", json_field_text, offsetof(struct resync_args, uuid), JSON_NULLABLE },
        {},
};

static const char *state_name(enum resync_state state)
{
        switch (state) {
        case RESYNC_WAITING:
                return "waiting";
        case RESYNC_RUNNING:
                return "running";
        case RESYNC_DONE:
                return "done";
        case RESYNC_FAILED:
                return "failed";
        }
        return "?";
}

static struct jval *answer_step(const struct compute_resync_step *s)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "task", s->task);
        jval_set_text(one, "state", state_name(s->state));
        jval_set(one, "seconds", s->state == RESYNC_WAITING ? jval_new_null() : jval_new_real(s->seconds));
        jval_set_text(one, "text", s->text);
        return one;
}

static struct jval *HUB_ONLY answer(const struct admin_sources *s)
{
        struct jval *to = jval_new_object(), *steps = jval_new_array();
        struct compute_resync r;
        bool ok = true;

        if (!s->manager || !compute_get_resync(s->manager, &r)) {
                jval_unref(steps);
                jval_set(to, "id", jval_new_null());
                return to;
        }
        for (unsigned k = 0; k < r.n_steps; k++) {
                jval_push(steps, answer_step(&r.steps[k]));
                ok = ok && r.steps[k].state != RESYNC_FAILED;
        }
        jval_set_int(to, "id", (int64_t)r.id);
        jval_set_text(to, "uuid", *r.uuid ? r.uuid : NULL);
        jval_set_int(to, "uid", r.uid);
        jval_set_bool(to, "running", r.running);
        jval_set_bool(to, "ok", ok);
        jval_set_real(to, "seconds", r.seconds);
        jval_set(to, "steps", steps);
        return to;
}

int admin_method_resync_state(struct rpc_call *call, struct error *err)
{
        assert_green();
        (void)err;
        call->result = answer(call->app);
        return 0;
}

/* Locks are named by uuids in small letters. */
static int HUB_ONLY begin(struct rpc_call *call, char *uuid, struct error *err)
{
        const struct admin_sources *s = call->app;

        if (uuid && !uuid_is(uuid))
                return error_set(err, ERR_RPC_BAD_ARGUMENTS, "uuid: \"%.64s\" is none", uuid);
        for (char *c = uuid; c && *c; c++)
                *c = (char)tolower((unsigned char)*c);
        if (compute_resync_start(s->manager, uuid, call->peer_uid, err) < 0)
                return -1;
        call->result = answer(s);
        return 0;
}

int admin_method_resync(struct rpc_call *call, struct error *err)
{
        struct resync_args args = {};
        int r;

        assert_green();
        if (admin_must_serve(call->app, err) < 0)
                return -1;
        if (json_fields_decode_strict(resync_fields, call->request->args, &args, err) < 0) {
                err->code = ERR_RPC_BAD_ARGUMENTS;
                return -1;
        }
        r = begin(call, args.uuid, err);
        json_fields_free(resync_fields, &args);
        return r;
}
