/*
 * lib/amqp/session.c: one connection while it lasts: frames that come in, requests that go out.
 *
 * Frames are read one by one and put together here, so the owner never waits in the middle of a message and
 * the size of a body is known before memory is taken for it. What is published gets a number from the broker
 * in the order of writing; it answers by number, several at once if it likes. A message that found no queue
 * comes back before it is confirmed; it is known again by its text, which holds a _unique_id.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "amqp/connection_priv.h"
#include "base/mem.h"

void session_changed(struct amqp_conn *c, bool ok, const char *fmt, ...)
{
        char text[ERROR_TEXT_MAX + 64];
        va_list ap;

        if (!c->o.ops->changed)
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        c->o.ops->changed(ok, text, c->o.arg);
}

/* ---- how requests end ---- */

/* Takes it out of the list it is in. */
static void HUB_ONLY unlink_op(struct amqp_conn *c, struct amqp_op *op)
{
        list_remove(&op->node);
        if (op->state == OP_QUEUED)
                c->n_queued--;
        else if (op->state == OP_UNCONFIRMED)
                c->n_unconfirmed--;
}

static void HUB_ONLY finish(struct amqp_conn *c, struct amqp_op *op)
{
        unlink_op(c, op);
        op->state = OP_DONE;
        green_event_set(&op->done);
        c->work++;
}

static void HUB_ONLY confirmed(struct amqp_conn *c, uint64_t tag, bool multiple, bool refused)
{
        list_for_each_safe (node, &c->unconfirmed) {
                struct amqp_op *op = CONTAINER_OF(node, struct amqp_op, node);

                if (op->tag > tag)
                        return;
                if (op->tag < tag && !multiple)
                        continue;
                if (refused && !op->failed.code)
                        error_set(&op->failed, ERR_PROTOCOL, "the broker could not take the message (nack)");
                finish(c, op);
        }
}

static void HUB_ONLY came_back(struct amqp_conn *c, const struct incoming *in)
{
        list_for_each (node, &c->unconfirmed) {
                struct amqp_op *op = CONTAINER_OF(node, struct amqp_op, node);

                if (op->publish->mandatory && !op->failed.code && op->publish->len == in->len &&
                    memcmp(op->publish->body, in->body, in->len) == 0) {
                        error_set(&op->failed, ERR_NOT_FOUND, "queue %.200s: %s", op->publish->routing_key,
                                  in->reason);
                        return; /* the confirm follows */
                }
        }
}

/* Deliveries are gone with their connection; what was published goes out again, before what waits. */
void session_lost(struct amqp_conn *c, const struct error *why)
{
        struct list *node;

        while ((node = c->unconfirmed.prev) != &c->unconfirmed) {
                struct amqp_op *op = CONTAINER_OF(node, struct amqp_op, node);

                unlink_op(c, op);
                op->state = OP_QUEUED;
                op->failed = (struct error){};
                list_prepend(&c->queued, &op->node);
                c->n_queued++;
        }
        list_for_each_safe (at, &c->queued) {
                struct amqp_op *op = CONTAINER_OF(at, struct amqp_op, node);

                if (op->kind == OP_PUBLISH)
                        continue;
                op->failed = *why;
                op->failed.code = ERR_CLOSED;
                finish(c, op);
        }
        if (c->o.ops->lost)
                c->o.ops->lost(c->o.arg);
        free(take_ptr(&c->in.body));
        c->in = (struct incoming){};
        while (c->n_declared)
                free(c->declared[--c->n_declared]);
        c->last_tag = 0;
        c->blocked = false;
}

void session_refuse(struct amqp_conn *c, const struct error *why)
{
        while (!list_empty(&c->queued)) {
                struct amqp_op *op = CONTAINER_OF(c->queued.next, struct amqp_op, node);

                op->failed = *why;
                finish(c, op);
        }
}

/* ---- frames in ---- */

static void YIELDS message_complete(struct amqp_conn *c)
{
        struct incoming in = c->in;
        struct amqp_delivery d = {
                .tag = in.tag, .generation = c->generation, .body = in.body, .len = in.len
        };

        c->in = (struct incoming){};
        c->work++;
        if (in.skip) {
                c->too_large++;
                if (!in.returned)
                        amqp_basic_reject(c->state, CHANNEL, in.tag, 0);
                if (!in.returned && c->o.ops->too_large)
                        c->o.ops->too_large(in.whole, c->o.arg);
        } else if (in.returned) {
                came_back(c, &in);
                free(in.body);
        } else if (c->o.ops->delivered) {
                c->o.ops->delivered(&d, c->o.arg);
        } else {
                free(in.body);
        }
}

static void begin_message(struct amqp_conn *c, bool returned, uint64_t tag)
{
        free(take_ptr(&c->in.body));
        c->in = (struct incoming){ .expect = IN_HEADER, .returned = returned, .tag = tag };
}

static int YIELDS take_header(struct amqp_conn *c, uint64_t size, struct error *err)
{
        struct incoming *in = &c->in;

        if (in->expect != IN_HEADER)
                return error_set(err, ERR_PROTOCOL, "the broker sent a header out of order");
        in->expect = IN_BODY;
        in->left = in->whole = size;
        in->skip = size > c->o.body_max;
        if (!in->skip) {
                in->body = malloc(size + 1);
                in->skip = !in->body;
        }
        if (in->body)
                in->body[0] = '\0';
        if (size == 0)
                message_complete(c);
        return 0;
}

static int YIELDS take_body(struct amqp_conn *c, amqp_bytes_t part, struct error *err)
{
        struct incoming *in = &c->in;

        if (in->expect != IN_BODY || part.len > in->left)
                return error_set(err, ERR_PROTOCOL, "the broker sent a body out of order");
        if (!in->skip) {
                memcpy(in->body + in->len, part.bytes, part.len);
                in->len += part.len;
                in->body[in->len] = '\0';
        }
        in->left -= part.len;
        if (in->left == 0)
                message_complete(c);
        return 0;
}

static int HUB_ONLY take_blocked(struct amqp_conn *c, const amqp_connection_blocked_t *m)
{
        conn_copy_text(c->blocked_reason, sizeof(c->blocked_reason), m->reason);
        c->blocked = true;
        session_changed(c, false, "%s takes no messages for now: %s", c->peer, c->blocked_reason);
        return 0;
}

static int HUB_ONLY take_unblocked(struct amqp_conn *c)
{
        c->blocked = false;
        session_changed(c, true, "%s takes messages again", c->peer);
        return 0;
}

static int HUB_ONLY take_return(struct amqp_conn *c, const amqp_basic_return_t *m)
{
        begin_message(c, true, 0);
        conn_copy_text(c->in.reason, sizeof(c->in.reason), m->reply_text);
        return 0;
}

static int HUB_ONLY take_method(struct amqp_conn *c, amqp_method_t m, struct error *err)
{
        const amqp_basic_ack_t *ack = m.decoded;
        const amqp_basic_nack_t *nack = m.decoded;

        switch (m.id) {
        case AMQP_BASIC_DELIVER_METHOD:
                begin_message(c, false, ((const amqp_basic_deliver_t *)m.decoded)->delivery_tag);
                return 0;
        case AMQP_BASIC_RETURN_METHOD:
                return take_return(c, m.decoded);
        case AMQP_BASIC_ACK_METHOD:
                confirmed(c, ack->delivery_tag, ack->multiple, false);
                return 0;
        case AMQP_BASIC_NACK_METHOD:
                confirmed(c, nack->delivery_tag, nack->multiple, true);
                return 0;
        case AMQP_CONNECTION_BLOCKED_METHOD:
                return take_blocked(c, m.decoded);
        case AMQP_CONNECTION_UNBLOCKED_METHOD:
                return take_unblocked(c);
        case AMQP_BASIC_CANCEL_METHOD:
                return error_set(err, ERR_CLOSED, "the broker cancelled a consumer");
        case AMQP_CONNECTION_CLOSE_METHOD:
        case AMQP_CHANNEL_CLOSE_METHOD:
                return conn_reply(
                        c, (amqp_rpc_reply_t){ .reply_type = AMQP_RESPONSE_SERVER_EXCEPTION, .reply = m },
                        err);
        default:
                return 0;
        }
}

static bool HUB_ONLY library_has_more(const struct amqp_conn *c)
{
        return amqp_data_in_buffer(c->state) || amqp_frames_enqueued(c->state);
}

/*
 * Each look at a socket that has nothing costs three system calls. So it is only looked at when something may
 * be there, and no more once a read has brought less than fills the library's buffer: what comes then, the
 * hub tells. Not so with TLS, where only an empty read says that nothing is left on this side.
 */
int session_read(struct amqp_conn *c, struct error *err)
{
        if (library_has_more(c)) /* it also reads while it writes */
                c->readable = true;
        while (c->readable && (!c->o.ops->has_room || c->o.ops->has_room(c->o.arg))) {
                struct timeval at_once = {};
                amqp_frame_t frame;
                int status = amqp_simple_wait_frame_noblock(c->state, &frame, &at_once), r = 0;

                if (status == AMQP_STATUS_TIMEOUT) {
                        c->readable = false;
                        return 0;
                }
                if (status != AMQP_STATUS_OK)
                        return conn_status(status, err);
                if (frame.frame_type == AMQP_FRAME_METHOD)
                        r = take_method(c, frame.payload.method, err);
                else if (frame.frame_type == AMQP_FRAME_HEADER)
                        r = take_header(c, frame.payload.properties.body_size, err);
                else if (frame.frame_type == AMQP_FRAME_BODY)
                        r = take_body(c, frame.payload.body_fragment, err);
                if (r < 0)
                        return -1;
                amqp_maybe_release_buffers(c->state); /* everything was copied */
                if (!c->o.options->ssl)
                        c->readable = library_has_more(c);
        }
        return 0;
}

/* ---- requests out ---- */

/* Once for each connection, as oslo's sender does. */
static int YIELDS need_exchange(struct amqp_conn *c, const struct amqp_exchange *e, struct error *err)
{
        if (!e)
                return 0;
        for (unsigned i = 0; i < c->n_declared; i++)
                if (strcmp(c->declared[i], e->name) == 0)
                        return 0;
        if (amqp_declare_exchange(c, e, err) < 0)
                return -1;
        if (c->n_declared < DECLARED_MAX)
                c->declared[c->n_declared++] = xstrdup(e->name);
        return 0;
}

/* With the properties of oslo's messages (nova-contract 1.3). */
static int YIELDS write_publish(struct amqp_conn *c, struct amqp_op *op, struct error *err)
{
        const struct amqp_publish *p = op->publish;
        char expiration[24];
        amqp_basic_properties_t props = {
                ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                          AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG,
                .content_type = amqp_cstring_bytes("application/json"),
                .content_encoding = amqp_cstring_bytes("utf-8"),
                .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        };
        int status;

        if (p->expiration_ms > 0) {
                snprintf(expiration, sizeof(expiration), "%" PRId64, p->expiration_ms);
                props._flags |= AMQP_BASIC_EXPIRATION_FLAG;
                props.expiration = amqp_cstring_bytes(expiration);
        }
        status = amqp_basic_publish(c->state, CHANNEL,
                                    p->exchange ? amqp_cstring_bytes(p->exchange->name) : amqp_empty_bytes,
                                    amqp_cstring_bytes(p->routing_key), p->mandatory, 0, &props,
                                    (amqp_bytes_t){ .len = p->len, .bytes = (void *)p->body });
        op->tag = ++c->last_tag;
        return status == AMQP_STATUS_OK ? 0 : conn_status(status, err);
}

static int YIELDS write_op(struct amqp_conn *c, struct amqp_op *op, struct error *err)
{
        int status;

        if (op->kind == OP_PUBLISH) {
                if (need_exchange(c, op->publish->exchange, err) < 0) {
                        if (err->code == ERR_PROTOCOL) /* refused: it would be again */
                                op->failed = *err;
                        return -1;
                }
                return write_publish(c, op, err);
        }
        if (op->kind == OP_ACK)
                status = amqp_basic_ack(c->state, CHANNEL, op->tag, 0);
        else
                status = amqp_basic_reject(c->state, CHANNEL, op->tag, 0);
        if (status == AMQP_STATUS_OK)
                return 0;
        conn_status(status, err);
        op->failed = *err;
        return -1;
}

/* Where it goes after the write. A publish that could not be written waits for the next connection. */
static void HUB_ONLY written(struct amqp_conn *c, struct amqp_op *op, bool ok)
{
        if (op->withdrawn || op->failed.code || (ok && (op->kind != OP_PUBLISH || !c->o.confirms))) {
                finish(c, op);
        } else if (ok) {
                op->state = OP_UNCONFIRMED;
                list_append(&c->unconfirmed, &op->node);
                c->n_unconfirmed++;
        } else {
                op->state = OP_QUEUED;
                list_prepend(&c->queued, &op->node);
                c->n_queued++;
        }
}

int session_write(struct amqp_conn *c, struct error *err)
{
        while (!list_empty(&c->queued)) {
                struct amqp_op *op = CONTAINER_OF(c->queued.next, struct amqp_op, node);
                int r = 0;

                if (op->kind == OP_PUBLISH && c->blocked)
                        return 0;
                unlink_op(c, op);
                op->state = OP_WRITING;
                if (op->kind != OP_PUBLISH && op->generation != c->generation)
                        error_set(&op->failed, ERR_CLOSED, "its connection is gone");
                else
                        r = write_op(c, op, err);
                written(c, op, r == 0);
                if (r < 0)
                        return -1;
        }
        return 0;
}
