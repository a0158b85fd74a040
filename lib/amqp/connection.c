/*
 * lib/amqp/connection.c: the life of a connection: its owner, and those who ask it for something.
 *
 * The owner connects to one host after the other; when all of them failed it pauses, longer each time, with
 * some randomness so that a thousand agents do not come back at the same moment. Connected, it waits for the
 * socket, for requests and for its next heartbeat, whichever is first.
 *
 * A request lives on the stack of who asks. When his deadline passes it is taken back; only while it is being
 * written that cannot be, since half a message spoils the stream: then the socket is shut down, which ends
 * the write at once, and the owner connects anew.
 */
#include "amqp/connection.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/connection_priv.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "patcher/patcher.h"

#define CLOSE_S 3.0 /* for a close in good order */

/* ---- the owner ---- */

void amqp_conn_wake(struct amqp_conn *c)
{
        if (c->awake)
                return;
        c->awake = true;
        green_cond_signal(&c->wake);
}

/* A consumer's connection that is lost after the stop is not made again: there is nothing left for it. */
static bool wanted(const struct amqp_conn *c)
{
        return !c->closing && !c->stopping;
}

void amqp_conn_try_now(struct amqp_conn *c)
{
        c->hurry = true;
        amqp_conn_wake(c);
}

/* Until `by`; a request to close, to stop or to try now ends it early. */
static int YIELDS pause_until(struct amqp_conn *c, struct deadline by, struct error *err)
{
        while (wanted(c) && !c->hurry) {
                c->awake = false;
                if (green_cond_wait(&c->wake, by, err) < 0)
                        return err->code == ERR_TIMEOUT ? 0 : -1;
        }
        return 0;
}

static void HUB_ONLY plan_beat(struct amqp_conn *c)
{
        int interval = amqp_get_heartbeat(c->state);

        c->beat = interval > 0 ? deadline_in_ms((int64_t)interval * 500) : deadline_never();
}

/* Each half of the interval, whatever else was written: the broker gives up after two whole ones. */
static int YIELDS keep_alive(struct amqp_conn *c, struct error *err)
{
        amqp_frame_t frame = { .frame_type = AMQP_FRAME_HEARTBEAT };
        int status;

        if (!deadline_passed(c->beat))
                return 0;
        c->readable = true; /* the library tells then whether the broker is silent for too long */
        status = amqp_send_frame(c->state, &frame);
        plan_beat(c);
        return status == AMQP_STATUS_OK ? 0 : conn_status(status, err);
}

static int YIELDS wait_for_work(struct amqp_conn *c, struct error *err)
{
        bool room = !c->o.ops->has_room || c->o.ops->has_room(c->o.arg);
        int r;

        c->awake = false;
        r = green_wait_fd_or_cond(room ? c->fd : -1, GREEN_READ | GREEN_KEPT, &c->wake, c->beat, err);
        c->awake = true;
        if (r > 0)
                c->readable = true;
        return r < 0 && err->code != ERR_TIMEOUT ? -1 : 0;
}

static void YIELDS stop_consuming(struct amqp_conn *c)
{
        if (c->o.ops->teardown)
                c->o.ops->teardown(c, c->o.arg);
}

static void HUB_ONLY say_stopped(struct amqp_conn *c)
{
        if (c->stopped)
                return;
        c->stopped = true;
        if (c->o.ops->stopped)
                c->o.ops->stopped(c->o.arg);
}

/*
 * As long as the connection lasts and is wanted. After each piece of work others run before the owner waits:
 * who was woken by it mostly has the next request, an acknowledgement say, and is served without a wait.
 */
static int YIELDS serve(struct amqp_conn *c, struct error *err)
{
        c->readable = true;
        while (!c->closing || (c->stopping && !c->stopped)) {
                unsigned long before = c->work;

                c->awake = true;
                if (session_write(c, err) < 0 || keep_alive(c, err) < 0 || session_read(c, err) < 0)
                        return -1;
                if (c->stopping && !c->stopped) {
                        stop_consuming(c);
                        /* What the library read while it waited for the answers was delivered before. */
                        if (session_read(c, err) < 0)
                                return -1;
                        say_stopped(c);
                } else if (c->work != before) {
                        green_yield();
                } else if (!c->closing && (list_empty(&c->queued) || c->blocked)) {
                        if (wait_for_work(c, err) < 0)
                                return -1;
                }
        }
        return 0;
}

/* Somebody may have had enough while it was going on: then what was declared is taken back. */
static int YIELDS set_up(struct amqp_conn *c, struct error *err)
{
        if (wanted(c) && c->o.ops->setup && c->o.ops->setup(c, c->o.arg, err) < 0)
                return -1;
        if (wanted(c))
                return 0;
        stop_consuming(c);
        return error_set(err, ERR_CLOSED, "the connection is not wanted any more");
}

static int YIELDS connect_once(struct amqp_conn *c, struct error *err)
{
        const struct amqp_host *host = &c->o.url->hosts[c->order[c->next]];

        c->next = (c->next + 1) % c->o.url->n_hosts;
        if (conn_login(c, host, err) < 0)
                return -1;
        c->generation++;
        if (set_up(c, err) < 0) {
                conn_logout(c, false);
                session_lost(c, err);
                return error_while(err, "%s", c->peer);
        }
        plan_beat(c);
        c->up = true;
        c->connects++;
        c->trouble = (struct error){};
        session_changed(c, true, "connected to %s%s", c->peer, c->o.options->ssl ? " over TLS" : "");
        return 0;
}

/* Serves it until it is lost or closed. */
static void YIELDS live(struct amqp_conn *c, struct error *err)
{
        int r = serve(c, err);

        c->up = false;
        if (r == 0)
                error_set(err, ERR_CLOSED, "the connection was closed");
        else
                error_while(err, "%s", c->peer);
        conn_logout(c, r == 0);
        session_lost(c, err);
}

/* The pause after all hosts failed for the n-th time (nova-contract 1.1), up to a quarter longer. */
static double HUB_ONLY pause_s(const struct amqp_conn *c, unsigned n)
{
        const struct amqp_options *o = c->o.options;
        double s = (double)o->rabbit_retry_interval + (double)(n - 1) * (double)o->rabbit_retry_backoff;

        if (s > (double)o->rabbit_interval_max)
                s = (double)o->rabbit_interval_max;
        s += o->kombu_reconnect_delay;
        return s * (1 + random_part() / 4) + 0.01;
}

static void HUB_ONLY shuffle(struct amqp_conn *c)
{
        unsigned n = c->o.url->n_hosts;

        for (unsigned i = 0; i < n; i++)
                c->order[i] = i;
        for (unsigned i = n; i > 1; i--) {
                unsigned j = arc4random_uniform(i), kept = c->order[i - 1];

                c->order[i - 1] = c->order[j];
                c->order[j] = kept;
        }
}

static int owner(void *arg, struct error *err)
{
        struct amqp_conn *c = arg;
        unsigned failures = 0, rounds = 0;

        assert_green();
        shuffle(c);
        while (wanted(c) && !green_cancelled()) {
                double s = 0;

                *err = (struct error){};
                c->hurry = false; /* who says so while an attempt goes on asks for another one */
                if (connect_once(c, err) == 0) {
                        failures = rounds = 0;
                        live(c, err);
                        c->hurry = false;
                        s = c->o.options->kombu_reconnect_delay * (0.5 + random_part());
                } else if (++failures % c->o.url->n_hosts == 0) {
                        s = pause_s(c, ++rounds);
                }
                c->trouble = *err;
                if (green_cancelled() || !wanted(c))
                        break;
                session_changed(c, false, s >= 1 ? "%s; trying again in %.0f s" : "%s; trying again",
                                err->text, s);
                if (s > 0 && pause_until(c, deadline_in_s(s), err) < 0)
                        break;
        }
        say_stopped(c);
        return 0;
}

/* ---- life ---- */

int green_librabbitmq(struct error *err)
{
        static bool done;

        if (!done && patcher_green_library(AMQP_LIBRARY, NULL, err) < 0)
                return -1;
        if (!is_patched(PATCH_SELECT | PATCH_SOCKET))
                return error_set(err, ERR_INVALID, "a broker needs patched sockets and poll()");
        done = true;
        return 0;
}

static void HUB_ONLY make_name(struct amqp_conn *c)
{
        char id[UUID_LEN + 1];

        uuid_new(id);
        snprintf(c->connection_name, sizeof(c->connection_name), "%.60s:%d:%s", c->o.program, getpid(), id);
}

static void HUB_ONLY destroy(struct amqp_conn *c)
{
        green_unref(c->owner);
        free(c);
}

struct amqp_conn *amqp_conn_new(const struct amqp_conn_options *opt, struct error *err)
{
        struct amqp_conn *c;

        if (green_librabbitmq(err) < 0)
                return NULL;
        c = NEW(struct amqp_conn);
        c->o = *opt;
        c->fd = -1;
        green_cond_init(&c->left, "amqp requests");
        list_init(&c->queued);
        list_init(&c->unconfirmed);
        make_name(c);
        green_cond_init(&c->wake, "amqp connection");
        c->group = green_group_new(opt->name);
        c->owner = green_spawn_ref(c->group, opt->name, owner, c, err);
        if (!c->owner) {
                green_group_close(c->group);
                destroy(c);
                return NULL;
        }
        return c;
}

void amqp_conn_free(struct amqp_conn *c)
{
        struct error err = {};

        if (!c)
                return;
        c->closing = true;
        amqp_conn_wake(c);
        green_shield_begin();
        if (c->up)
                green_join(c->owner, deadline_in_s(CLOSE_S), NULL, &err);
        green_group_close(c->group);
        error_set(&err, ERR_CLOSED, "the connection was closed");
        session_refuse(c, &err);
        while (c->n_asking)
                green_cond_wait(&c->left, deadline_never(), &err);
        green_shield_end();
        destroy(c);
}

/* Without a connection there is nothing to cancel, and nothing more will come. */
void amqp_conn_stop(struct amqp_conn *c)
{
        c->stopping = true;
        if (!c->up)
                say_stopped(c);
        amqp_conn_wake(c);
}

/* ---- requests ---- */

static int HUB_ONLY say_late(const struct amqp_conn *c, enum op_state state, struct error *err)
{
        if (state == OP_UNCONFIRMED)
                return error_set(err, ERR_TIMEOUT, "%s did not confirm in time", c->peer);
        if (c->blocked)
                return error_set(err, ERR_TIMEOUT, "%s takes no messages: %s", c->peer, c->blocked_reason);
        if (!c->up)
                return error_set(err, ERR_TIMEOUT, "no connection to the broker%s%s",
                                 c->trouble.code ? ": " : "", c->trouble.text);
        return error_set(err, ERR_TIMEOUT, "%s did not take the message in time", c->peer);
}

/* Takes it back, whatever has become of it. */
static void YIELDS withdraw(struct amqp_conn *c, struct amqp_op *op)
{
        struct error err = {};

        if (op->state == OP_QUEUED) {
                list_remove(&op->node);
                c->n_queued--;
        } else if (op->state == OP_UNCONFIRMED) {
                list_remove(&op->node);
                c->n_unconfirmed--;
        } else if (op->state == OP_WRITING) {
                op->withdrawn = true;
                if (c->fd >= 0)
                        shutdown(c->fd, SHUT_RDWR);
                green_shield_begin();
                green_event_wait(&op->done, deadline_never(), &err);
                green_shield_end();
        }
}

static int YIELDS ask_and_wait(struct amqp_conn *c, struct amqp_op *op, struct deadline by, struct error *err)
{
        op->state = OP_QUEUED;
        green_event_init(&op->done, op->kind == OP_PUBLISH ? "amqp publish" : "amqp ack");
        list_append(&c->queued, &op->node);
        c->n_queued++;
        amqp_conn_wake(c);
        if (green_event_wait(&op->done, by, err) < 0 && op->state != OP_DONE) {
                enum op_state was = op->state;

                if (err->code == ERR_TIMEOUT)
                        say_late(c, was, err);
                withdraw(c, op);
                return -1;
        }
        if (!op->failed.code)
                return 0;
        *err = op->failed;
        return -1;
}

static int YIELDS ask(struct amqp_conn *c, struct amqp_op *op, struct deadline by, struct error *err)
{
        int r;

        c->n_asking++;
        r = ask_and_wait(c, op, by, err);
        if (--c->n_asking == 0)
                green_cond_broadcast(&c->left);
        return r;
}

int amqp_conn_publish(struct amqp_conn *c, const struct amqp_publish *p, struct deadline by,
                      struct error *err)
{
        struct amqp_op op = { .kind = OP_PUBLISH, .publish = p };

        if (c->closing)
                return error_set(err, ERR_CLOSED, "the connection was closed");
        return ask(c, &op, by, err);
}

static int YIELDS settle(struct amqp_conn *c, enum op_kind kind, uint64_t tag, unsigned long generation,
                         struct deadline by, struct error *err)
{
        struct amqp_op op = { .kind = kind, .tag = tag, .generation = generation };

        if (!c->up || c->closing || generation != c->generation)
                return error_set(err, ERR_CLOSED, "the message's connection is gone");
        return ask(c, &op, by, err);
}

int amqp_conn_ack(struct amqp_conn *c, uint64_t tag, unsigned long generation, struct deadline by,
                  struct error *err)
{
        return settle(c, OP_ACK, tag, generation, by, err);
}

int amqp_conn_reject(struct amqp_conn *c, uint64_t tag, unsigned long generation, struct deadline by,
                     struct error *err)
{
        return settle(c, OP_REJECT, tag, generation, by, err);
}

void amqp_conn_get_info(const struct amqp_conn *c, struct amqp_conn_info *ret)
{
        *ret = (struct amqp_conn_info){
                .up = c->up,
                .blocked = c->blocked,
                .peer = c->peer,
                .connects = c->connects,
                .too_large = c->too_large,
                .queued = c->n_queued,
                .unconfirmed = c->n_unconfirmed,
                .trouble = c->up ? "" : c->trouble.text,
        };
}
