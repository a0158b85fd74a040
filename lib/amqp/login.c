/*
 * lib/amqp/login.c: from a host of the URL to an open channel, and away again.
 *
 * librabbitmq waits in poll() and getaddrinfo() only, which the patcher has greened, so all of this costs the
 * owner's time and nobody else's. Each step is bounded: connecting, the handshake and each later request by
 * a timeout of the library.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>

#include "amqp/connection_priv.h"
#include "base/mem.h"

#define CHANNEL_MAX 65535
#define FRAME_MAX   131072
#define STEP_S      10 /* connect, handshake, one request of ours */
#define CLOSE_S     2

void conn_copy_text(char *buf, size_t size, amqp_bytes_t text)
{
        size_t n = text.len < size - 1 ? text.len : size - 1;

        memcpy(buf, text.bytes, n);
        buf[n] = '\0';
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)buf[i] < 0x20 || buf[i] == 0x7f)
                        buf[i] = ' ';
}

int conn_status(int status, struct error *err)
{
        switch (status) {
        case AMQP_STATUS_HEARTBEAT_TIMEOUT:
                return error_set(err, ERR_TIMEOUT, "the broker was silent for two heartbeats");
        case AMQP_STATUS_TIMEOUT:
                return error_set(err, ERR_TIMEOUT, "the broker did not answer in time");
        case AMQP_STATUS_CONNECTION_CLOSED:
                return error_set(err, ERR_CLOSED, "the broker closed the connection");
        default:
                return error_set(err, green_cancelled() ? ERR_CANCELLED : ERR_CLOSED, "%s",
                                 amqp_error_string2(status));
        }
}

static int closed_by_broker(amqp_method_t m, struct error *err)
{
        char text[256];

        if (m.id == AMQP_CONNECTION_CLOSE_METHOD) {
                amqp_connection_close_t *close = m.decoded;

                conn_copy_text(text, sizeof(text), close->reply_text);
                return error_set(err, ERR_PROTOCOL, "the broker refused: %u %s", close->reply_code, text);
        }
        if (m.id == AMQP_CHANNEL_CLOSE_METHOD) {
                amqp_channel_close_t *close = m.decoded;

                conn_copy_text(text, sizeof(text), close->reply_text);
                return error_set(err, ERR_PROTOCOL, "the broker refused: %u %s", close->reply_code, text);
        }
        return error_set(err, ERR_PROTOCOL, "the broker answered with an unexpected method");
}

int conn_reply(struct amqp_conn *c, amqp_rpc_reply_t r, struct error *err)
{
        switch (r.reply_type) {
        case AMQP_RESPONSE_NORMAL:
                return 0;
        case AMQP_RESPONSE_SERVER_EXCEPTION:
                return closed_by_broker(r.reply, err);
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
                return conn_status(r.library_error, err);
        default:
                return error_set(err, ERR_PROTOCOL, "the broker gave no answer");
        }
}

/* ---- the socket ---- */

static bool given(const char *s)
{
        return s && *s;
}

/* The library adds the socket to state, which frees it. */
static amqp_socket_t *HUB_ONLY new_socket(struct amqp_conn *c, struct error *err)
{
        const struct amqp_options *o = c->o.options;
        amqp_socket_t *s;
        int r;

        if (!o->ssl) {
                s = amqp_tcp_socket_new(c->state);
                if (!s)
                        error_set(err, ERR_SYSTEM, "no memory for a socket");
                return s;
        }
        s = amqp_ssl_socket_new(c->state);
        if (!s) {
                error_set(err, ERR_SYSTEM, "TLS cannot be set up");
                return NULL;
        }
        amqp_ssl_socket_set_verify_peer(s, given(o->ssl_ca_file));
        amqp_ssl_socket_set_verify_hostname(s, o->ssl_enforce_hostname_verification);
        r = amqp_ssl_socket_set_ssl_versions(s, AMQP_TLSv1_2, AMQP_TLSvLATEST);
        if (r == AMQP_STATUS_OK && given(o->ssl_ca_file) &&
            amqp_ssl_socket_set_cacert(s, o->ssl_ca_file) != AMQP_STATUS_OK) {
                error_set(err, ERR_INVALID, "ssl_ca_file %s: cannot be read as certificates", o->ssl_ca_file);
                return NULL;
        }
        if (r == AMQP_STATUS_OK && given(o->ssl_cert_file) &&
            amqp_ssl_socket_set_key(s, o->ssl_cert_file,
                                    given(o->ssl_key_file) ? o->ssl_key_file : o->ssl_cert_file) !=
                    AMQP_STATUS_OK) {
                error_set(err, ERR_INVALID, "ssl_cert_file %s: cannot be read with its key",
                          o->ssl_cert_file);
                return NULL;
        }
        if (r != AMQP_STATUS_OK) {
                conn_status(r, err);
                return NULL;
        }
        return s;
}

static int YIELDS open_socket(struct amqp_conn *c, const struct amqp_host *host, struct error *err)
{
        struct timeval limit = { .tv_sec = STEP_S };
        unsigned silence = (unsigned)c->o.options->heartbeat_timeout_threshold * 1000;
        amqp_socket_t *s;
        int one = 1, r;

        amqp_set_handshake_timeout(c->state, &limit);
        amqp_set_rpc_timeout(c->state, &limit);
        s = new_socket(c, err);
        if (!s)
                return -1;
        r = amqp_socket_open_noblock(s, host->host, (int)host->port, &limit);
        /* The library tells no more than that. */
        if (r == AMQP_STATUS_SOCKET_ERROR && !green_cancelled())
                return error_set(err, ERR_CLOSED, "cannot connect (nobody listens, or no route)");
        if (r != AMQP_STATUS_OK)
                return conn_status(r, err);
        c->fd = amqp_socket_get_sockfd(s);
        setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
        if (silence)
                setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof(silence));
        return 0;
}

/* ---- saying who we are ---- */

static amqp_table_entry_t flag(const char *name)
{
        return (amqp_table_entry_t){ .key = amqp_cstring_bytes(name),
                                     .value = { .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1 } };
}

static amqp_table_entry_t text(const char *name, const char *value)
{
        return (amqp_table_entry_t){ .key = amqp_cstring_bytes(name),
                                     .value = { .kind = AMQP_FIELD_KIND_UTF8,
                                                .value.bytes = amqp_cstring_bytes(value) } };
}

static int YIELDS log_in(struct amqp_conn *c, const struct amqp_host *host, struct error *err)
{
        amqp_table_entry_t can[] = { flag("authentication_failure_close"), flag("connection.blocked"),
                                     flag("consumer_cancel_notify") };
        amqp_table_entry_t about[] = {
                text("product", c->o.program),
                text("product_version", AGENT_VERSION),
                text("connection_name", c->connection_name),
                { .key = amqp_cstring_bytes("capabilities"),
                  .value = { .kind = AMQP_FIELD_KIND_TABLE,
                             .value.table = { .num_entries = ARRAY_SIZE(can), .entries = can } } },
        };
        amqp_table_t properties = { .num_entries = ARRAY_SIZE(about), .entries = about };
        amqp_rpc_reply_t r =
                amqp_login_with_properties(c->state, c->o.url->vhost, CHANNEL_MAX, FRAME_MAX,
                                           (int)c->o.options->heartbeat_timeout_threshold, &properties,
                                           AMQP_SASL_METHOD_PLAIN, host->user, host->password);

        if (conn_reply(c, r, err) < 0)
                return error_while(err, "logging in as %s", host->user);
        amqp_channel_open(c->state, CHANNEL);
        if (conn_reply(c, amqp_get_rpc_reply(c->state), err) < 0)
                return error_while(err, "opening a channel");
        if (!c->o.confirms)
                return 0;
        amqp_confirm_select(c->state, CHANNEL);
        if (conn_reply(c, amqp_get_rpc_reply(c->state), err) < 0)
                return error_while(err, "asking for confirms");
        return 0;
}

int conn_login(struct amqp_conn *c, const struct amqp_host *host, struct error *err)
{
        snprintf(c->peer, sizeof(c->peer), strchr(host->host, ':') ? "[%s]:%u" : "%s:%u", host->host,
                 host->port);
        c->state = amqp_new_connection();
        if (!c->state)
                return error_set(err, ERR_SYSTEM, "no memory for a connection");
        if (open_socket(c, host, err) == 0 && log_in(c, host, err) == 0)
                return 0;
        error_while(err, "%s", c->peer);
        conn_logout(c, false);
        return -1;
}

void conn_logout(struct amqp_conn *c, bool gracefully)
{
        struct timeval limit = { .tv_sec = CLOSE_S };

        if (!c->state)
                return;
        if (gracefully) {
                amqp_set_rpc_timeout(c->state, &limit);
                amqp_connection_close(c->state, AMQP_REPLY_SUCCESS);
        }
        /* So that no end of TLS waits for the peer. */
        if (c->fd >= 0)
                shutdown(c->fd, SHUT_RDWR);
        amqp_destroy_connection(c->state);
        c->state = NULL;
        c->fd = -1;
}
