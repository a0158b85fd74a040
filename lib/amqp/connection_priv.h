/* lib/amqp/connection_priv.h: the connection as its own files see it. */
#pragma once

#include <amqp.h>

#include "amqp/connection.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "green/sync.h"

#define CHANNEL      1
#define DECLARED_MAX 16

enum op_kind { OP_PUBLISH, OP_ACK, OP_REJECT };
enum op_state { OP_QUEUED, OP_WRITING, OP_UNCONFIRMED, OP_DONE };

/* What somebody asks of the owner. Lives on the asker's stack until it is done or withdrawn. */
struct amqp_op {
        struct list node; /* in queued or unconfirmed, as the state says; while writing in neither */
        enum op_kind kind;
        enum op_state state;
        bool withdrawn;      /* while writing: the asker waits for no more than the end of the write */
        struct error failed; /* code set: how it ended */
        struct green_event done;
        const struct amqp_publish *publish;
        uint64_t tag; /* the broker's: of a delivery, or of our publish */
        unsigned long generation;
};

/* A message whose frames are coming in: method, header, bodies. */
struct incoming {
        enum { IN_NOTHING, IN_HEADER, IN_BODY } expect;
        bool returned; /* basic.return: one of ours that found no queue */
        uint64_t tag;
        uint64_t left, whole; /* bytes of body: still to come, in all */
        bool skip;            /* too large: pass over */
        char *body;
        size_t len;
        char reason[128]; /* of a return */
};

struct amqp_conn {
        struct amqp_conn_options o;
        char connection_name[128];
        struct green_group *group;
        struct green *owner;
        struct green_cond wake; /* the owner waits for it and for the socket */
        bool awake;             /* the owner will look at everything before it waits again */
        bool hurry;             /* the pause until the next attempt is over */
        bool readable;          /* the socket may hold something that was not read */
        unsigned long work;     /* grows with each message that came and each request that is done */

        unsigned order[AMQP_HOSTS_MAX], next; /* the hosts, shuffled; whose turn it is */
        amqp_connection_state_t state;        /* NULL: not connected */
        int fd;                               /* of the socket, owned by state; -1 */
        unsigned long generation, connects, too_large;
        bool up; /* connected and set up */
        bool blocked, closing, stopping, stopped;
        struct deadline beat; /* when our next heartbeat is due */
        char peer[300];
        char blocked_reason[128];
        struct error trouble;

        struct list queued, unconfirmed; /* struct amqp_op, oldest first */
        unsigned n_queued, n_unconfirmed;
        unsigned n_asking; /* who is in ask(): amqp_conn_free() waits for them to leave */
        struct green_cond left;
        uint64_t last_tag; /* of our publishes on this channel */
        char *declared[DECLARED_MAX];
        unsigned n_declared;
        struct incoming in;
};

/* login.c: one attempt at one host. On success state and fd are set. */
int YIELDS conn_login(struct amqp_conn *c, const struct amqp_host *host, struct error *err);
void YIELDS conn_logout(struct amqp_conn *c, bool gracefully);
/* -1 with what librabbitmq or the broker said. */
int HUB_ONLY conn_status(int status, struct error *err);
/* Words of the broker, for a log: one line, cut to size. */
void conn_copy_text(char *buf, size_t size, amqp_bytes_t text);
int HUB_ONLY conn_reply(struct amqp_conn *c, amqp_rpc_reply_t r, struct error *err);

/* session.c: frames in, requests out. -1: the connection is broken. */
int YIELDS session_read(struct amqp_conn *c, struct error *err);
int YIELDS session_write(struct amqp_conn *c, struct error *err);
void HUB_ONLY session_lost(struct amqp_conn *c, const struct error *why);   /* what becomes of requests */
void HUB_ONLY session_refuse(struct amqp_conn *c, const struct error *why); /* all that wait */
void HUB_ONLY session_changed(struct amqp_conn *c, bool ok, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
