/*
 * lib/httpd/httpd.h: a small HTTP server on a green thread, for what machines ask: health, metrics.
 *
 * The only door to libmicrohttpd. Answers GET and HEAD of a fixed set of paths; 404 and 405 otherwise.
 * Requests are parsed and answered on the hub by one green thread; a client that is slow or silent costs a
 * connection (64 of them, 10 s of silence each) and nothing else.
 */
#pragma once

#include "base/strbuf.h"
#include "green/green.h"

struct httpd;

struct httpd_reply {
        unsigned status;           /* 200 unless the handler sets another */
        const char *content_type;  /* literal; "text/plain; charset=utf-8" unless set */
        const char *cache_control; /* literal; "no-store" unless set */
        struct strbuf body;        /* taken over by the server */
};

struct httpd_route {
        const char *path; /* the whole path; a query is ignored */
        /* Fills the reply. On the hub; begins with assert_on_hub() and must not yield. */
        void (*fn)(struct httpd_reply *to, void *arg);
        void *arg;
};

/*
 * Serves the listening socket, which it owns from then on also when it fails: local or TCP, non-blocking. The
 * routes are borrowed and end with a NULL path. NULL with err: ERR_SYSTEM.
 */
struct httpd *YIELDS httpd_start(const char *name, int listener, const struct httpd_route *routes,
                                 struct error *err);
/* Closes the listener and every connection. NULL is allowed. */
void YIELDS httpd_stop(struct httpd *s);

/*
 * A listening TCP socket on a literal address ("127.0.0.1", "::1"): nothing is resolved. Port 0: any free
 * one, told in ret_port (may be NULL). ERR_INVALID: no address; ERR_SYSTEM.
 */
int HUB_ONLY httpd_listen_tcp(const char *address, unsigned port, unsigned *ret_port, struct error *err);
