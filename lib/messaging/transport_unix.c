/*
 * lib/messaging/transport_unix.c: the local socket as a transport.
 *
 * One green thread accepts, one reads each connection into a common inbox. A connection lives as long as its
 * reader or any message that came over it: a peer that only closes its sending side still gets its replies,
 * and a reply to one that is gone fails without harm. When the inbox is full the readers wait, so the
 * pressure goes back through the sockets to the senders. A peer that breaks the protocol, or that does not
 * take its replies, loses its connection, and nobody else notices.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/sync.h"
#include "messaging/frame.h"
#include "messaging/local_socket.h"
#include "messaging/transport_priv.h"

#define CONNECTIONS_MAX 256
#define INBOX_MAX       64          /* messages; a reader that has one in its hands may add it beyond */
#define INBOX_BYTES_MAX (64u << 20) /* the same in bytes */
#define TARGETS_MAX     4
#define FRAME_S         30.0   /* a frame that has begun must be whole by then */
#define IDLE_S          1200.0 /* a connection without frames and without calls */
#define LISTEN_S        5.0
#define TAKE_S          5.0 /* for the peer to take a reply: it holds up a worker so long */
#define STOP_FRAMES_MAX 64  /* of one connection, still taken in after the stop */

struct unix_transport {
        struct transport base;
        struct transport_options given;
        char *path;
        struct socket_file file;
        int listen_fd;
        bool stopped;
        struct green_group *group;
        struct list connections;
        unsigned n_connections, n_readers;
        struct list inbox; /* struct unix_message */
        unsigned n_inbox;
        size_t inbox_bytes;
        struct green_cond arrived, room;
        char *topics[TARGETS_MAX];
        unsigned n_topics;
};

struct connection {
        struct list node; /* in connections */
        struct unix_transport *t;
        int fd; /* -1: hung up */
        unsigned refs, peer_uid;
        bool peer_in_group;
        struct green *reader;
        struct green_mutex writing;
};

struct unix_message {
        struct transport_message base;
        struct list node; /* in the inbox; then nowhere */
};

static struct unix_transport *of(struct transport *t)
{
        return CONTAINER_OF(t, struct unix_transport, base);
}

static void HUB_ONLY refused(const struct unix_transport *t, const char *what, const struct error *why)
{
        struct error err = *why;

        error_while(&err, "%s", what);
        if (t->given.refused)
                t->given.refused(&err, t->given.arg);
}

/* ---- connections ---- */

static void HUB_ONLY hang_up(struct connection *c)
{
        green_close(c->fd);
        c->fd = -1;
}

static struct connection *connection_ref(struct connection *c)
{
        c->refs++;
        return c;
}

static void HUB_ONLY connection_unref(struct connection *c)
{
        if (--c->refs)
                return;
        hang_up(c);
        list_remove(&c->node);
        c->t->n_connections--;
        green_unref(c->reader);
        free(c);
}

static void HUB_ONLY push(struct unix_transport *t, struct connection *origin, char *body, size_t len)
{
        struct unix_message *m = NEW(struct unix_message);

        m->base.body = body;
        m->base.len = len;
        m->base.transport = &t->base;
        m->base.origin = origin ? connection_ref(origin) : NULL;
        m->base.peer_uid = origin ? origin->peer_uid : geteuid();
        m->base.peer_in_group = origin && origin->peer_in_group;
        list_append(&t->inbox, &m->node);
        t->n_inbox++;
        t->inbox_bytes += len;
        green_cond_signal(&t->arrived);
}

/* One frame into the inbox. 1: go on, 0: end of the stream, -1. */
static int YIELDS take_frame(struct connection *c, struct deadline idle, struct error *err)
{
        char *body;
        size_t len;
        int r = frame_read(&c->fd, idle, FRAME_S, &body, &len, err);

        if (r == 1)
                push(c->t, c, body, len);
        return r;
}

static int YIELDS read_frames(struct connection *c, struct error *err)
{
        struct unix_transport *t = c->t;

        for (;;) {
                int r;

                while (t->n_inbox >= INBOX_MAX || t->inbox_bytes >= INBOX_BYTES_MAX) {
                        if (green_cond_wait(&t->room, deadline_never(), err) < 0)
                                return -1;
                }
                r = take_frame(c, deadline_in_s(IDLE_S), err);
                if (r == 0)
                        return 0;
                if (r < 0 && (err->code != ERR_TIMEOUT || c->refs == 1))
                        return -1;
        }
}

/* What the peer had sent before we stopped counts as delivered: it is taken out of the kernel's buffer. */
static void YIELDS read_what_is_there(struct connection *c)
{
        struct error err = {};

        for (int i = 0; i < STOP_FRAMES_MAX; i++) {
                if (take_frame(c, deadline_now(), &err) != 1)
                        return;
        }
}

static int connection_reader(void *arg, struct error *err)
{
        struct connection *c = arg;
        struct unix_transport *t = c->t;

        assert_green();
        if (read_frames(c, err) < 0) {
                if (err->code == ERR_CANCELLED) {
                        read_what_is_there(c);
                } else {
                        if (err->code != ERR_TIMEOUT && err->code != ERR_CLOSED) /* idle; hung up by us */
                                refused(t, "local socket: connection closed", err);
                        hang_up(c);
                }
        }
        t->n_readers--;
        green_cond_broadcast(&t->arrived);
        connection_unref(c);
        return 0; /* what a peer does wrong ends its connection and is no failure of ours */
}

/* Supplementary groups count as the first one does. */
static int look_for_group(int fd, const struct ucred *peer, unsigned group, bool *ret, struct error *err)
{
        CLEANUP(freep) gid_t *groups = NULL;
        socklen_t size = 0;

        *ret = peer->gid == group;
        while (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
                if (errno != ERANGE) /* else size is what it takes */
                        return error_system(err, errno, "in which groups it is");
                groups = xrealloc(groups, size);
        }
        for (size_t i = 0; i < size / sizeof(*groups); i++)
                *ret = *ret || groups[i] == group;
        return 0;
}

static int know_peer(const struct unix_transport *t, int fd, struct ucred *ret, bool *ret_in_group,
                     struct error *err)
{
        socklen_t len = sizeof(*ret);

        *ret_in_group = false;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) < 0)
                return error_system(err, errno, "who it is");
        return t->given.has_group ? look_for_group(fd, ret, t->given.group, ret_in_group, err) : 0;
}

/* Takes over fd. */
static void HUB_ONLY admit(struct unix_transport *t, int fd)
{
        struct connection *c;
        struct ucred peer;
        struct error err = {};
        bool in_group = false;
        int r;

        if (t->n_connections >= CONNECTIONS_MAX)
                r = error_set(&err, ERR_LIMIT, "there are %d already", CONNECTIONS_MAX);
        else
                r = know_peer(t, fd, &peer, &in_group, &err);
        if (r < 0) {
                refused(t, "local socket: connection not taken", &err);
                green_close(fd);
                return;
        }
        c = NEW(struct connection);
        c->t = t;
        c->fd = fd;
        c->refs = 1;
        c->peer_uid = peer.uid;
        c->peer_in_group = in_group;
        green_mutex_init(&c->writing, "rpc connection");
        list_append(&t->connections, &c->node);
        t->n_connections++;
        c->reader = green_spawn_ref(t->group, "rpc connection", connection_reader, c, &err);
        if (c->reader)
                t->n_readers++;
        else
                connection_unref(c);
}

static int acceptor(void *arg, struct error *err)
{
        struct unix_transport *t = arg;

        assert_green();
        for (;;) {
                int fd;

                if (t->listen_fd < 0)
                        return 0;
                fd = accept4(t->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd >= 0) {
                        admit(t, fd);
                } else if (errno == EAGAIN) {
                        if (green_wait_fd(t->listen_fd, GREEN_READ, deadline_never(), err) < 0)
                                return err->code == ERR_CLOSED ? 0 : -1;
                } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                        if (green_sleep(0.1, err) < 0)
                                return -1;
                } else if (errno != EINTR && errno != ECONNABORTED) {
                        return error_system(err, errno, "accepting on %s", t->path);
                }
        }
}

/* ---- the interface ---- */

static int unix_listen(struct transport *base, const struct transport_target *target, struct error *err)
{
        struct unix_transport *t = of(base);
        int fd;

        assert_green();
        if (t->stopped)
                return error_set(err, ERR_CLOSED, "the transport was stopped");
        if (t->n_topics == TARGETS_MAX)
                return error_set(err, ERR_LIMIT, "more than %d targets", TARGETS_MAX);
        if (t->n_topics == 0) {
                fd = local_listen(t->path, &t->file, deadline_in_s(LISTEN_S), err);
                if (fd < 0)
                        return -1;
                t->listen_fd = fd;
                if (t->given.has_group && local_give_to_group(t->path, t->given.group, err) < 0)
                        refused(t, "local socket", err);
                if (green_spawn(t->group, "rpc accept", acceptor, t, err) < 0) {
                        local_unlink(t->path, &t->file);
                        green_close(t->listen_fd);
                        t->listen_fd = -1;
                        return -1;
                }
        }
        t->topics[t->n_topics++] = xstrdup(target->topic);
        return 0;
}

static int unix_receive(struct transport *base, struct deadline by, struct transport_message **ret,
                        struct error *err)
{
        struct unix_transport *t = of(base);
        struct unix_message *m;

        assert_green();
        while (list_empty(&t->inbox)) {
                if (t->stopped && t->n_readers == 0)
                        return error_set(err, ERR_CLOSED, "the transport was stopped");
                if (green_cond_wait(&t->arrived, by, err) < 0)
                        return -1;
        }
        m = CONTAINER_OF(list_pop(&t->inbox), struct unix_message, node);
        t->n_inbox--;
        t->inbox_bytes -= m->base.len;
        green_cond_broadcast(&t->room);
        *ret = &m->base;
        return 0;
}

/* A socket has no queue to take a message off. */
static int unix_ack(struct transport_message *m, struct error *err)
{
        (void)m, (void)err;
        assert_green();
        return 0;
}

/* Nobody can be told, but a sender of what cannot be read should not go on. */
static void unix_reject(struct transport_message *m)
{
        assert_green();
        if (m->origin)
                hang_up(m->origin);
}

/*
 * A peer on the same machine takes a reply at once, or is stopped, or means no good. Its replies must not
 * occupy the workers for as long as a broker may be waited for: one peer could send enough calls to stop all.
 */
static int unix_reply(struct transport_message *m, const char *reply_q, const char *body, size_t len,
                      struct deadline by, struct error *err)
{
        struct connection *c = m->origin;
        struct deadline patience = deadline_in_s(TAKE_S);
        bool begun;
        int r;

        (void)reply_q; /* replies go back the way the request came */
        assert_green();
        if (!c || c->fd < 0)
                return error_set(err, ERR_CLOSED, "the caller is gone");
        if (green_mutex_lock(&c->writing, deadline_earlier(by, patience), err) < 0)
                return -1;
        r = frame_write(&c->fd, body, len, deadline_earlier(by, patience), &begun, err);
        if (r < 0 && (begun || err->code == ERR_CLOSED || err->code == ERR_SYSTEM ||
                      (err->code == ERR_TIMEOUT && deadline_passed(patience))))
                hang_up(c);
        green_mutex_unlock(&c->writing);
        return r;
}

static int unix_publish(struct transport *base, const struct transport_target *to, const char *body,
                        size_t len, struct deadline by, struct error *err)
{
        struct unix_transport *t = of(base);

        (void)by;
        assert_green();
        if (t->stopped)
                return error_set(err, ERR_CLOSED, "the transport was stopped");
        if (len > TRANSPORT_BODY_MAX)
                return error_set(err, ERR_LIMIT, "a message of %zu bytes; %u are allowed", len,
                                 TRANSPORT_BODY_MAX);
        for (unsigned i = 0; i < t->n_topics; i++) {
                if (strcmp(t->topics[i], to->topic) == 0) {
                        push(t, NULL, xmemdup(body, len), len);
                        return 0;
                }
        }
        return error_set(err, ERR_NOT_FOUND, "nobody listens to \"%s\" on the local socket", to->topic);
}

static void HUB_ONLY close_listener(struct unix_transport *t)
{
        if (t->listen_fd < 0)
                return;
        local_unlink(t->path, &t->file);
        green_close(t->listen_fd);
        t->listen_fd = -1;
}

static void unix_stop_consuming(struct transport *base)
{
        struct unix_transport *t = of(base);

        assert_on_hub();
        if (t->stopped)
                return;
        t->stopped = true;
        close_listener(t);
        list_for_each (node, &t->connections)
                green_cancel(CONTAINER_OF(node, struct connection, node)->reader);
        green_cond_broadcast(&t->arrived);
}

static void unix_message_free(struct transport_message *m)
{
        assert_on_hub();
        if (m->origin)
                connection_unref(m->origin);
        free(m->body);
        free(CONTAINER_OF(m, struct unix_message, base));
}

/* Messages that were received have been freed by now: they refer to connections, these to the transport. */
static void unix_free(struct transport *base)
{
        struct unix_transport *t = of(base);
        struct list *node;

        assert_green();
        t->stopped = true;
        close_listener(t);
        green_group_close(t->group);
        while ((node = list_pop(&t->inbox)))
                unix_message_free(&CONTAINER_OF(node, struct unix_message, node)->base);
        while (t->n_topics)
                free(t->topics[--t->n_topics]);
        free(t->path);
        free(t);
}

static void unix_describe(struct transport *base, char *buf, size_t size, bool *ret_ok)
{
        const struct unix_transport *t = of(base);

        assert_on_hub();
        snprintf(buf, size, "unix:%s, %s, %u connection%s", t->path,
                 t->listen_fd >= 0 ? "listening" : "not listening", t->n_connections,
                 t->n_connections == 1 ? "" : "s");
        *ret_ok = t->listen_fd >= 0;
}

static const struct transport_ops unix_ops = {
        .scheme = "unix",
        .listen = unix_listen,
        .receive = unix_receive,
        .ack = unix_ack,
        .reject = unix_reject,
        .reply = unix_reply,
        .publish = unix_publish,
        .stop_consuming = unix_stop_consuming,
        .message_free = unix_message_free,
        .free = unix_free,
        .describe = unix_describe,
};

/* What stands after the scheme; NULL and err when that is no path. */
static const char *path_of(const char *url, struct error *err)
{
        const char *rest = url + strlen("unix:");

        if (strncmp(rest, "///", 3) == 0)
                rest += 2;
        if (rest[0] == '/' && rest[1] != '/' && rest[1] != '\0')
                return rest;
        error_set(err, ERR_INVALID, "transport URL unix:%s: expected unix:/path", rest);
        return NULL;
}

int transport_unix_check(const char *url, struct error *err)
{
        return path_of(url, err) ? 0 : -1;
}

struct transport *transport_unix_new(const char *url, const struct transport_options *opt, struct error *err)
{
        const char *rest = path_of(url, err);
        struct unix_transport *t;

        if (!rest)
                return NULL;
        t = NEW(struct unix_transport);
        t->base.ops = &unix_ops;
        t->given = *opt;
        t->path = xstrdup(rest);
        t->listen_fd = -1;
        t->group = green_group_new("rpc socket");
        list_init(&t->connections);
        list_init(&t->inbox);
        green_cond_init(&t->arrived, "rpc inbox");
        green_cond_init(&t->room, "rpc inbox has room");
        return &t->base;
}
