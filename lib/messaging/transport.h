/*
 * lib/messaging/transport.h: how envelopes travel. One interface: the local socket here, AMQP beside it.
 *
 * Nothing above this header knows which one it is.
 */
#pragma once

#include "green/green.h"

#define TRANSPORT_BODY_MAX (16u << 20) /* a larger body is refused: ERR_LIMIT */

struct transport;

/* A message as delivered. Owned by the receiver, freed with transport_message_free(). */
struct transport_message {
        char *body; /* NUL-terminated after len bytes */
        size_t len;
        struct transport *transport;
        void *origin; /* the transport's: where it came from (the local socket's connection); referenced */
        unsigned peer_uid;  /* local socket: uid of the peer when it connected; elsewhere (unsigned)-1 */
        bool peer_in_group; /* it was a member of transport_options.group then, by whichever of its groups */
};

/* Where a request goes. server NULL: any of the topic; fanout: all of them. */
struct transport_target {
        const char *exchange, *topic, *server;
        bool fanout;
};

struct transport_ops {
        const char *scheme; /* "unix", "rabbit" */
        bool gives_back;    /* what was not acknowledged is delivered again, to whoever listens next */
        /* Declares and starts to consume topic, topic.server and the fanout. */
        int (*listen)(struct transport *t, const struct transport_target *target, struct error *err);
        int (*receive)(struct transport *t, struct deadline by, struct transport_message **ret,
                       struct error *err);
        int (*ack)(struct transport_message *m, struct error *err);
        void (*reject)(struct transport_message *m);
        int (*reply)(struct transport_message *m, const char *reply_q, const char *body, size_t len,
                     struct deadline by, struct error *err);
        int (*publish)(struct transport *t, const struct transport_target *to, const char *body, size_t len,
                       struct deadline by, struct error *err);
        void (*stop_consuming)(struct transport *t);
        void (*message_free)(struct transport_message *m);
        void (*free)(struct transport *t); /* yields: joins its green threads */
        /* connected peers or brokers, for status: a line of text */
        void (*describe)(struct transport *t, char *buf, size_t size, bool *ret_ok);
};

struct transport {
        const struct transport_ops *ops;
};

/* All borrowed, outliving the transport. */
struct amqp_options;
struct transport_options {
        const struct amqp_options *amqp; /* NULL: oslo's defaults; the URL's query goes before them */
        const char *program;             /* what the broker shows us as; NULL: "compute-agent" */
        /* Only with a broker: a connection came up, was lost, could not be made, is blocked. */
        void (*changed)(bool ok, const char *text, void *arg);
        /* What a peer sent was not taken, or it did not take what it had asked for: nobody else says so. */
        void (*refused)(const struct error *why, void *arg);
        void *arg; /* both are called on the hub, must not yield, and may be NULL */
        /*
         * Of the local socket only: its members may connect, too (the socket becomes theirs), and messages
         * tell who is one. To be refused it, as who is not a member himself, goes to refused().
         */
        bool has_group;
        unsigned group;
};

/*
 * "unix:/path" -> the local socket; "rabbit://user:password@host:port,host2/vhost" -> RabbitMQ; other
 * schemes: ERR_UNSUPPORTED naming the scheme. No error has the password in it.
 */
struct transport *HUB_ONLY transport_new(const char *url, struct error *err);
/* Any thread: would transport_new() take it? ERR_UNSUPPORTED: no such scheme; ERR_INVALID. Nothing is
 * touched. */
int transport_check_url(const char *url, struct error *err);
/* Any thread: is the peer on this machine, with no broker between? */
bool transport_url_is_local(const char *url);
struct transport *HUB_ONLY transport_new_with(const char *url, const struct transport_options *opt,
                                              struct error *err);

/* A broker that is late is waited for, for as long as it takes (or until this green thread is cancelled). */
int YIELDS transport_listen(struct transport *t, const struct transport_target *target, struct error *err);
/* The next message; ERR_CLOSED after transport_stop_consuming() once nothing is left. */
int YIELDS transport_receive(struct transport *t, struct deadline by, struct transport_message **ret,
                             struct error *err);
/* -1: the broker does not know of it, and will deliver the message again: it must not be run now. */
int YIELDS transport_ack(struct transport_message *m, struct error *err);
/* Cannot be read: put away for good. The local socket closes the connection it came from. */
void YIELDS transport_reject(struct transport_message *m);
/* To the queue (or connection) the request named. ERR_CLOSED: the caller is gone. */
int YIELDS transport_reply(struct transport_message *m, const char *reply_q, const char *body, size_t len,
                           struct deadline by, struct error *err);
/* The local socket delivers to this very process only; other targets: ERR_NOT_FOUND. */
int YIELDS transport_publish(struct transport *t, const struct transport_target *to, const char *body,
                             size_t len, struct deadline by, struct error *err);
void HUB_ONLY transport_stop_consuming(struct transport *t);
void YIELDS transport_free(struct transport *t); /* NULL allowed; all messages were freed before */
void HUB_ONLY transport_message_free(struct transport_message *m);
void HUB_ONLY transport_describe(struct transport *t, char *buf, size_t size, bool *ret_ok);

/*
 * The local socket's wire: each frame is 4 bytes of length, big endian, then that many bytes of envelope, in
 * both directions; a reply comes back on the connection of its request, whatever _reply_q says. A frame that
 * is empty, too large or cut off costs its sender the connection. After transport_stop_consuming() the socket
 * file is gone, what peers had sent before is still delivered, and replies still go out.
 */

/*
 * With a broker (nova-contract 1): two connections, for consuming and for publishing. A message is published
 * when the broker has confirmed it, so publishing may wait for its whole deadline. A reply whose queue is
 * missing is tried again for kombu_missing_consumer_retry_timeout; then the queue counts as dead for 60 s. A
 * message whose acknowledgement was written but lost with the connection comes again, and is for the receiver
 * to know by its _unique_id. After transport_stop_consuming() the topic's queues stay, and keep what is sent
 * meanwhile.
 */
