/*
 * lib/messaging/rpc_work.c: one request: find its method, run it, answer.
 *
 * While a call with _timeout runs, a green thread of its own tells the caller that we live
 * (nova-contract 1.4); it has ended before the final reply goes out. A reply that cannot be delivered is
 * dropped: the caller is gone, or will time out.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "messaging/rpc_server_priv.h"

#define REPLY_S      60.0 /* kombu_missing_consumer_retry_timeout */
#define LAST_REPLY_S 2.0  /* of a request that was cancelled: closing waits for it */
#define HEARTBEAT_S  5.0  /* to write one heartbeat */
#define CONTEXT_PART 64   /* bytes of a request id, a user, a project in log lines */
#define METHOD_SHOWN 64

void rpc_work_free(struct rpc_work *w)
{
        list_remove(&w->node);
        transport_message_free(w->message);
        rpc_request_free(&w->request);
        free(w);
}

/* ---- what log lines begin with ---- */

/* Text from outside, made harmless: it may not break out of its place in the line. */
static void add_clean(char *buf, size_t size, const char *text)
{
        size_t len = strlen(buf);

        for (size_t n = 0; *text && n < CONTEXT_PART && len + 1 < size; text++, n++) {
                bool plain = *text > ' ' && *text < 0x7f && *text != '[' && *text != ']';

                buf[len++] = plain ? *text : '?';
        }
        buf[len] = '\0';
}

/* nova sends names twice, the older one first (nova-contract 2.4). */
static const char *context_text(const struct rpc_request *r, const char *key, const char *other_key)
{
        const char *text = jval_get_text(r->context, key, NULL);

        if (!text)
                text = jval_get_text(r->context, other_key, NULL);
        return text && text[0] ? text : "-";
}

/* args.instance is an object primitive; ours may also send a plain uuid. */
static void find_instance(struct rpc_work *w)
{
        const struct jval *instance = jval_get(w->request.args, "instance");
        const struct jval *data = jval_get(instance, "nova_object.data");
        const char *uuid = jval_get_text(data, "uuid", NULL);

        if (!uuid)
                uuid = jval_get_text(instance, "uuid", jval_text(instance, NULL));
        if (!uuid)
                uuid = jval_get_text(w->request.args, "instance_uuid", NULL);
        if (uuid_is(uuid))
                memcpy(w->instance, uuid, UUID_LEN);
}

static void HUB_ONLY set_context(struct rpc_work *w)
{
        const struct rpc_request *r = &w->request;
        char text[3 * CONTEXT_PART + 8] = "", name[GREEN_NAME_MAX] = "rpc ";

        add_clean(name, sizeof(name), r->method);
        green_set_name(name);
        add_clean(text, sizeof(text), context_text(r, "request_id", "request_id"));
        strncat(text, " ", 2);
        add_clean(text, sizeof(text), context_text(r, "user", "user_id"));
        strncat(text, " ", 2);
        add_clean(text, sizeof(text), context_text(r, "project", "project_id"));
        green_set_log_context(text, w->instance[0] ? w->instance : NULL);
}

/* ---- finding and running the method ---- */

static const struct rpc_method *method_in(const struct rpc_endpoint *e, const char *name)
{
        if (name[0] == '_')
                return NULL;
        for (const struct rpc_method *m = e->methods; m->name; m++) {
                if (strcmp(m->name, name) == 0)
                        return m;
        }
        return NULL;
}

static bool same_namespace(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static const struct rpc_method *find_method(const struct rpc_server *s, const struct rpc_request *r,
                                            const struct rpc_endpoint **ret_endpoint, struct error *err)
{
        bool compatible = false;

        for (const struct rpc_endpoint *e = s->opt.endpoints; e->methods; e++) {
                const struct rpc_method *m;

                if (!same_namespace(e->ns, r->ns) || !rpc_version_compatible(e->version, r->version))
                        continue;
                compatible = true;
                m = method_in(e, r->method);
                if (m) {
                        *ret_endpoint = e;
                        return m;
                }
        }
        if (compatible)
                error_set(err, ERR_RPC_NO_SUCH_METHOD, "Endpoint does not support RPC method %.*s",
                          METHOD_SHOWN, r->method);
        else
                error_set(err, ERR_RPC_UNSUPPORTED_VERSION,
                          "Endpoint does not support RPC version %.16s. Attempted method: %.*s", r->version,
                          METHOD_SHOWN, r->method);
        return NULL;
}

static int YIELDS execute_request(struct rpc_work *w, struct jval **ret_result, struct error *err)
{
        const struct rpc_endpoint *endpoint;
        const struct rpc_method *m;
        const struct rpc_server_options *opt = &w->server->opt;
        struct rpc_call call = { .request = &w->request,
                                 .peer_uid = w->message->peer_uid,
                                 .peer_in_group = w->message->peer_in_group };
        int r;

        if (w->unreadable.code) {
                *err = w->unreadable;
                return -1;
        }
        if (green_cancelled())
                return error_set(err, ERR_CANCELLED, "the service is stopping");
        m = find_method(w->server, &w->request, &endpoint, err);
        if (!m)
                return -1;
        call.method = m;
        call.app = endpoint->app ? endpoint->app : opt->app;
        if (opt->may && opt->may(&call, opt->app, err) < 0)
                return -1;
        r = m->fn(&call, err);
        rpc_stats_count(w->server, endpoint->ns, m, clock_now_ns() - w->started_ns, r < 0);
        if (r < 0)
                jval_unref(call.result);
        else
                *ret_result = call.result;
        return r;
}

/* ---- answering ---- */

static void describe_by_code(const struct error *err, struct rpc_failure *ret)
{
        *ret = (struct rpc_failure){ .class_name = "RuntimeError",
                                     .module = "builtins",
                                     .message = err->text };
        if (err->code == ERR_RPC_UNSUPPORTED_VERSION || err->code == ERR_RPC_NO_SUCH_METHOD)
                ret->module = "oslo_messaging.rpc.dispatcher";
        if (err->code == ERR_RPC_UNSUPPORTED_VERSION)
                ret->class_name = "UnsupportedVersion";
        else if (err->code == ERR_RPC_NO_SUCH_METHOD)
                ret->class_name = "NoSuchMethod";
        else if (err->code == ERR_RPC_BAD_ARGUMENTS)
                ret->class_name = "TypeError";
        else if (err->code == ERR_DENIED)
                ret->class_name = "PermissionError";
}

static char *encode_failure(const struct rpc_work *w, const struct error *failed, size_t *ret_len)
{
        struct jval CLEANUP(jval_unrefp) *kwargs = NULL;
        struct rpc_failure failure = {};

        if (w->server->opt.describe_failure)
                w->server->opt.describe_failure(failed, &w->request, &failure, &kwargs);
        else
                describe_by_code(failed, &failure);
        if (kwargs)
                failure.kwargs = kwargs;
        return envelope_encode_reply(w->request.msg_id, NULL, &failure, true, ret_len);
}

static int YIELDS send_text(struct rpc_work *w, const char *text, size_t len, double seconds,
                            struct error *err)
{
        return transport_reply(w->message, w->request.reply_q, text, len, deadline_in_s(seconds), err);
}

/* failed NULL: the result, else the failure. `last`: nothing may hold up the end of the server. */
static void YIELDS answer(struct rpc_work *w, struct jval *result, const struct error *failed, bool last)
{
        char CLEANUP(freep) *text = NULL;
        size_t len;
        struct error err = {};

        if (!w->request.msg_id)
                return;
        text = failed ? encode_failure(w, failed, &len)
                      : envelope_encode_reply(w->request.msg_id, result, NULL, true, &len);
        if (len > TRANSPORT_BODY_MAX) {
                error_set(&err, ERR_LIMIT, "the result of %.*s has %zu bytes; %u can be sent", METHOD_SHOWN,
                          w->request.method, len, TRANSPORT_BODY_MAX);
                free(text);
                text = encode_failure(w, &err, &len);
        }
        if (last)
                green_shield_begin();
        if (send_text(w, text, len, last ? LAST_REPLY_S : REPLY_S, &err) < 0 && w->server->opt.on_failure) {
                error_while(&err, "the reply to %.*s was not delivered", METHOD_SHOWN, w->request.method);
                w->server->opt.on_failure(NULL, &err, w->server->opt.app);
        }
        if (last)
                green_shield_end();
}

void rpc_work_refuse(struct rpc_work *w, const struct error *why)
{
        answer(w, NULL, why, true);
        rpc_work_free(w);
}

/* ---- the call monitor's heartbeats ---- */

static int monitor(void *arg, struct error *err)
{
        struct rpc_work *w = arg;
        double interval = (double)w->request.timeout_s / 2;

        assert_green();
        for (;;) {
                char CLEANUP(freep) *text = NULL;
                size_t len;
                int r;

                if (green_sleep(interval, err) < 0)
                        return 0;
                text = envelope_encode_reply(w->request.msg_id, NULL, NULL, false, &len);
                green_shield_begin(); /* half a heartbeat would spoil the stream for the reply */
                r = send_text(w, text, len, HEARTBEAT_S, err);
                green_shield_end();
                if (r < 0 && err->code == ERR_CLOSED)
                        return 0;
        }
}

static struct green *HUB_ONLY monitor_start(struct rpc_work *w)
{
        struct error err = {};

        if (!w->request.msg_id || w->request.timeout_s < 2 || w->unreadable.code)
                return NULL; /* an interval below one second: no heartbeats */
        return green_spawn_ref(NULL, "rpc call monitor", monitor, w, &err);
}

static void YIELDS monitor_stop(struct green *g)
{
        struct error err = {};

        if (!g)
                return;
        green_cancel(g);
        green_shield_begin();
        green_join(g, deadline_never(), NULL, &err);
        green_shield_end();
        green_unref(g);
}

static void YIELDS run_accepted(struct rpc_work *w, struct error *err)
{
        struct rpc_server *s = w->server;
        struct jval CLEANUP(jval_unrefp) *result = NULL;
        struct green *heart = monitor_start(w);
        int r = execute_request(w, &result, err);

        monitor_stop(heart);
        if (r < 0) {
                s->stats.failures++;
                if (s->opt.on_failure)
                        s->opt.on_failure(&w->request, err, s->opt.app);
        }
        answer(w, result, r < 0 ? err : NULL, green_cancelled());
}

int rpc_work_run(void *arg, struct error *err)
{
        struct rpc_work *w = arg;
        struct rpc_server *s = w->server;

        assert_green();
        w->started_ns = clock_now_ns();
        find_instance(w);
        set_context(w);
        if (rpc_server_accept(s, w))
                run_accepted(w, err);
        rpc_work_free(w);
        s->n_running--;
        green_cond_broadcast(&s->settled);
        return 0; /* told to the caller and the log: the pool need not say it again */
}
