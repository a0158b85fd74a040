/*
 * lib/messaging/rpc_client.c: calls and casts over one connection to the local socket.
 *
 * One green thread reads; each call waits for its own _msg_id. Replies nobody waits for any more, and the
 * server's heartbeats, are passed over. The reader may outlive rpc_client_free(), which must not wait, so it
 * holds a reference of its own.
 */
#include "messaging/rpc_client.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/sync.h"
#include "messaging/frame.h"
#include "messaging/local_socket.h"
#include "messaging/local_socket.h"

#define FRAME_S 60.0

struct rpc_client {
        int fd; /* -1: closed */
        unsigned refs;
        char reply_q[UUID_HEX_LEN +
                     sizeof("reply_")]; /* as oslo names them; the local socket does not need it */
        struct list waiters;
        struct green_mutex writing;
        struct error broken; /* code set: why no reply will come any more */
};

struct waiter {
        struct list node;
        char msg_id[UUID_HEX_LEN + 1];
        bool done;
        struct rpc_reply reply;
        struct green_event arrived;
};

static void HUB_ONLY unref(struct rpc_client *c)
{
        if (--c->refs == 0)
                free(c);
}

static void HUB_ONLY break_off(struct rpc_client *c, const struct error *why)
{
        struct list *node;

        if (!c->broken.code)
                c->broken = *why;
        green_close(c->fd);
        c->fd = -1;
        while ((node = list_pop(&c->waiters)))
                green_event_set(&CONTAINER_OF(node, struct waiter, node)->arrived);
}

/* ---- reading ---- */

static struct waiter *waiter_of(struct rpc_client *c, const char *msg_id)
{
        list_for_each (node, &c->waiters) {
                struct waiter *w = CONTAINER_OF(node, struct waiter, node);

                if (strcmp(w->msg_id, msg_id) == 0)
                        return w;
        }
        return NULL;
}

static int YIELDS read_reply(struct rpc_client *c, struct error *err)
{
        char CLEANUP(freep) *body = NULL;
        struct rpc_reply reply;
        struct waiter *w;
        size_t len;
        int r = frame_read(&c->fd, deadline_never(), FRAME_S, &body, &len, err);

        if (r < 0)
                return -1;
        if (r == 0)
                return error_set(err, ERR_CLOSED, "the agent closed the connection");
        if (envelope_decode_reply(body, len, &reply, err) < 0)
                return error_while(err, "reply");
        w = reply.ending ? waiter_of(c, reply.msg_id) : NULL;
        if (!w) {
                rpc_reply_free(&reply);
                return 0;
        }
        list_remove(&w->node);
        w->reply = reply;
        w->done = true;
        green_event_set(&w->arrived);
        return 0;
}

static int reader(void *arg, struct error *err)
{
        struct rpc_client *c = arg;

        assert_green();
        while (read_reply(c, err) == 0)
                ;
        break_off(c, err);
        unref(c);
        return 0;
}

/* ---- life ---- */

struct rpc_client *rpc_client_connect(const char *path, struct deadline by, struct error *err)
{
        struct rpc_client *c;
        char id[UUID_HEX_LEN + 1];
        int fd = local_connect(path, by, err);

        if (fd < 0)
                return NULL;
        c = NEW(struct rpc_client);
        c->fd = fd;
        c->refs = 2;
        uuid_new_hex(id);
        snprintf(c->reply_q, sizeof(c->reply_q), "reply_%s", id);
        list_init(&c->waiters);
        green_mutex_init(&c->writing, "rpc client");
        if (green_spawn(NULL, "rpc client", reader, c, err) == 0)
                return c;
        green_close(fd);
        free(c);
        return NULL;
}

void rpc_client_free(struct rpc_client *c)
{
        struct error why;

        if (!c)
                return;
        error_set(&why, ERR_CLOSED, "the client was closed");
        break_off(c, &why);
        unref(c);
}

/* ---- sending ---- */

static int YIELDS send_request(struct rpc_client *c, const char *ns, const char *version, const char *method,
                               const char *msg_id, struct jval *args, struct jval *context,
                               struct deadline by, struct error *err)
{
        const struct rpc_request r = {
                .method = (char *)method,
                .ns = (char *)ns,
                .version = (char *)version,
                .msg_id = (char *)msg_id,
                .reply_q = c->reply_q,
                .args = args,
                .context = context,
        };
        size_t len;
        char CLEANUP(freep) *body = envelope_encode_request(&r, &len);
        bool begun;
        int result;

        if (c->broken.code) {
                *err = c->broken;
                return -1;
        }
        if (green_mutex_lock(&c->writing, by, err) < 0)
                return -1;
        result = frame_write(&c->fd, body, len, by, &begun, err);
        if (result < 0 && begun)
                break_off(c, err);
        green_mutex_unlock(&c->writing);
        return result;
}

int rpc_client_cast(struct rpc_client *c, const char *ns, const char *version, const char *method,
                    struct jval *args, struct jval *context, struct deadline by, struct error *err)
{
        return send_request(c, ns, version, method, NULL, args, context, by, err);
}

static int YIELDS wait_for_reply(struct rpc_client *c, struct waiter *w, const char *method,
                                 struct deadline by, struct error *err)
{
        if (!w->done && !c->broken.code && green_event_wait(&w->arrived, by, err) < 0 && !w->done) {
                if (err->code == ERR_TIMEOUT)
                        error_set(err, ERR_TIMEOUT, "no reply to %s in time", method);
                return -1;
        }
        if (!w->done) {
                *err = c->broken;
                return -1;
        }
        if (w->reply.failed && strcmp(w->reply.class_name, "PermissionError") == 0)
                return error_set(err, ERR_DENIED, "%s", w->reply.message);
        if (w->reply.failed)
                return error_set(err, ERR_APP, "%s: %s", w->reply.class_name, w->reply.message);
        return 0;
}

int rpc_client_call(struct rpc_client *c, const char *ns, const char *version, const char *method,
                    struct jval *args, struct jval *context, struct deadline by, struct jval **ret_result,
                    struct error *err)
{
        struct waiter w = {};
        int r;

        uuid_new_hex(w.msg_id);
        green_event_init(&w.arrived, "rpc reply");
        list_append(&c->waiters, &w.node);
        c->refs++;
        r = send_request(c, ns, version, method, w.msg_id, args, context, by, err);
        if (r == 0)
                r = wait_for_reply(c, &w, method, by, err);
        list_remove(&w.node);
        unref(c);
        if (r == 0)
                *ret_result = w.reply.result ? take_ptr(&w.reply.result) : jval_new_null();
        rpc_reply_free(&w.reply);
        return r;
}
