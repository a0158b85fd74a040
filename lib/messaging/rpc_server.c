/*
 * lib/messaging/rpc_server.c: from the transport to the pool of workers.
 *
 * Two green threads: the receiver decodes, the dispatcher hands on to the pool, which may make it wait.
 * Between them is the backlog: nova lets it grow without bound; here a bound far beyond any use makes the
 * receiver wait.
 *
 * A request is acknowledged by the worker that is about to run it. oslo does so when it is received, and an
 * agent that is stopped or dies takes its backlog with it; here that stays with the broker, which delivers it
 * to the next one.
 */
#include "messaging/rpc_server.h"

#include <string.h>

#include "base/mem.h"
#include "messaging/rpc_server_priv.h"

#define WORKERS           64
#define BACKLOG_MAX       10000
#define BACKLOG_BYTES_MAX ((size_t)256 << 20)
#define RETRY_S           1.0

struct rpc_server *rpc_server_new(const struct rpc_server_options *opt, struct error *err)
{
        struct rpc_server *s;

        if (!opt->transport || !opt->endpoints || !opt->target.topic) {
                error_set(err, ERR_INVALID, "an RPC server needs a transport, a topic and endpoints");
                return NULL;
        }
        s = NEW(struct rpc_server);
        s->opt = *opt;
        s->opt.target.exchange = s->exchange = xstrdup(opt->target.exchange);
        s->opt.target.topic = s->topic = xstrdup(opt->target.topic);
        s->opt.target.server = s->server = xstrdup(opt->target.server);
        s->group = green_group_new("rpc server");
        s->pool = green_pool_new(opt->opt_pool ? opt->opt_pool : "rpc workers",
                                 opt->workers ? opt->workers : WORKERS);
        list_init(&s->backlog);
        list_init(&s->running);
        list_init(&s->methods);
        green_cond_init(&s->more, "rpc backlog");
        green_cond_init(&s->room, "rpc backlog has room");
        green_cond_init(&s->settled, "rpc server");
        return s;
}

void rpc_server_set_workers(struct rpc_server *s, unsigned workers)
{
        green_pool_resize(s->pool, workers);
}

/* ---- receiving ---- */

/* Remembers the id; true when it was among the last ones (nova-contract 1.4). */
static bool seen_before(struct rpc_server *s, const char *id)
{
        if (!id)
                return false;
        for (unsigned i = 0; i < RPC_SEEN_MAX; i++) {
                if (s->seen[i] && strcmp(s->seen[i], id) == 0)
                        return true;
        }
        replace_str(&s->seen[s->next_seen], id);
        s->next_seen = (s->next_seen + 1) % RPC_SEEN_MAX;
        return false;
}

/* Before any work: at most once. What the broker will deliver again is run then, and not now. */
bool rpc_server_accept(struct rpc_server *s, struct rpc_work *w)
{
        struct error err = {};

        if (s->stopping && s->opt.transport->ops->gives_back)
                return false;
        if (transport_ack(w->message, &err) < 0) {
                if (s->opt.on_failure && err.code != ERR_CANCELLED)
                        s->opt.on_failure(NULL, &err, s->opt.app);
                return false;
        }
        if (seen_before(s, w->request.unique_id)) {
                s->stats.duplicates++;
                return false;
        }
        if (w->request.msg_id)
                s->stats.calls++;
        else
                s->stats.casts++;
        return true;
}

/* Takes over the message. */
static void YIELDS take_in(struct rpc_server *s, struct transport_message *m)
{
        struct rpc_work *w = NEW(struct rpc_work);

        list_init(&w->node);
        w->message = m;
        w->server = s;
        w->bytes = m->len;
        s->stats.received++;
        if (envelope_decode_request(m->body, m->len, &w->request, &w->unreadable) < 0) {
                s->stats.rejected++;
                if (!w->request.msg_id) {
                        if (s->opt.on_failure)
                                s->opt.on_failure(NULL, &w->unreadable, s->opt.app);
                        transport_reject(m);
                        rpc_work_free(w);
                        return;
                }
                w->request.method = xstrdup("(unreadable)");
        }
        free(take_ptr(&m->body)); /* decoded: no need to hold it twice */
        list_append(&s->backlog, &w->node);
        s->n_backlog++;
        s->backlog_bytes += w->bytes;
        green_cond_signal(&s->more);
}

static int YIELDS receive_one(struct rpc_server *s, struct error *err)
{
        struct transport_message *m;

        while (s->n_backlog >= BACKLOG_MAX || s->backlog_bytes >= BACKLOG_BYTES_MAX) {
                if (green_cond_wait(&s->room, deadline_never(), err) < 0)
                        return -1;
        }
        if (transport_receive(s->opt.transport, deadline_never(), &m, err) < 0)
                return -1;
        take_in(s, m);
        return 0;
}

static int receiver(void *arg, struct error *err)
{
        struct rpc_server *s = arg;

        assert_green();
        for (;;) {
                if (receive_one(s, err) == 0)
                        continue;
                if (err->code == ERR_CLOSED || err->code == ERR_CANCELLED)
                        break;
                if (s->opt.on_failure)
                        s->opt.on_failure(NULL, err, s->opt.app);
                if (green_sleep(RETRY_S, err) < 0)
                        break;
        }
        s->receiving = false;
        green_cond_signal(&s->more);
        green_cond_broadcast(&s->settled);
        return 0;
}

/* The pool takes it no more. Where nobody delivers it again, its caller is told. */
static void YIELDS not_begun(struct rpc_server *s, struct rpc_work *w, const struct error *why)
{
        if (s->opt.transport->ops->gives_back) {
                rpc_work_free(w);
                return;
        }
        if (s->opt.on_failure)
                s->opt.on_failure(&w->request, why, s->opt.app);
        rpc_work_refuse(w, why);
}

static int dispatcher(void *arg, struct error *err)
{
        struct rpc_server *s = arg;

        assert_green();
        for (;;) {
                struct rpc_work *w;
                int r;

                while (list_empty(&s->backlog)) {
                        if (!s->receiving)
                                return 0;
                        if (green_cond_wait(&s->more, deadline_never(), err) < 0)
                                return -1;
                }
                w = CONTAINER_OF(list_pop(&s->backlog), struct rpc_work, node);
                r = green_pool_spawn(s->pool, "rpc", rpc_work_run, w, deadline_never(), err);
                s->n_backlog--;
                s->backlog_bytes -= w->bytes;
                if (r == 0) {
                        list_append(&s->running, &w->node);
                        s->n_running++;
                } else {
                        not_begun(s, w, err);
                }
                green_cond_signal(&s->room);
                green_cond_broadcast(&s->settled);
                if (r < 0 && (err->code == ERR_CANCELLED || err->code == ERR_CLOSED))
                        return -1;
        }
}

/* ---- life ---- */

int rpc_server_start(struct rpc_server *s, struct error *err)
{
        if (s->started)
                return error_set(err, ERR_INVALID, "the RPC server was started before");
        if (transport_listen(s->opt.transport, &s->opt.target, err) < 0)
                return -1;
        s->started = s->receiving = true;
        if (green_spawn(s->group, "rpc receive", receiver, s, err) == 0 &&
            green_spawn(s->group, "rpc dispatch", dispatcher, s, err) == 0)
                return 0;
        rpc_server_stop(s);
        return -1;
}

void rpc_server_stop(struct rpc_server *s)
{
        s->stopping = true;
        if (s->started)
                transport_stop_consuming(s->opt.transport);
}

int rpc_server_wait(struct rpc_server *s, struct deadline by, struct error *err)
{
        while (s->receiving || s->n_backlog || s->n_running) {
                if (green_cond_wait(&s->settled, by, err) < 0) {
                        if (err->code == ERR_TIMEOUT)
                                error_set(err, ERR_TIMEOUT, "%u requests still run, %u wait", s->n_running,
                                          s->n_backlog);
                        return -1;
                }
        }
        return 0;
}

void rpc_server_free(struct rpc_server *s)
{
        struct list *node;

        if (!s)
                return;
        rpc_server_stop(s);
        green_group_close(s->group);
        green_pool_close(s->pool);
        while ((node = list_pop(&s->backlog)))
                rpc_work_free(CONTAINER_OF(node, struct rpc_work, node));
        for (unsigned i = 0; i < RPC_SEEN_MAX; i++)
                free(s->seen[i]);
        rpc_stats_free(s);
        free(s->exchange);
        free(s->topic);
        free(s->server);
        free(s);
}

/* ---- seen from outside ---- */

void rpc_server_foreach(struct rpc_server *s, void (*fn)(const struct rpc_running *r, void *arg), void *arg)
{
        int64_t now = clock_now_ns();

        list_for_each (node, &s->running) {
                const struct rpc_work *w = CONTAINER_OF(node, struct rpc_work, node);
                struct rpc_running r = {
                        .method = w->request.method,
                        .request_id = jval_get_text(w->request.context, "request_id", NULL),
                        .instance = w->instance[0] ? w->instance : NULL,
                        .seconds = w->started_ns ? (double)(now - w->started_ns) / (double)NS_PER_S : 0,
                };

                fn(&r, arg);
        }
}

void rpc_server_get_stats(struct rpc_server *s, struct rpc_server_stats *ret)
{
        *ret = s->stats;
        ret->running = s->n_running;
        ret->queued = s->n_backlog;
}
