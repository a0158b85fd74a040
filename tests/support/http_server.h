/*
 * tests/support/http_server.h: an HTTP/1.1 server on loopback whose answers a test scripts; green threads of
 * the test's own hub. One request per call of the handler; connections are kept until they break.
 */
#pragma once

#include "green/green.h"

struct http_seen {
        char *method, *path; /* path with its query */
        char *headers;       /* lines "Name: value\r\n" */
        char *body;
        size_t body_len;
};
/* Value of a header of the request, or NULL. Caller frees. */
char *http_seen_header(const struct http_seen *seen, const char *name);

enum http_way {
        HTTP_WHOLE,
        HTTP_SILENT,    /* reads the request and says nothing */
        HTTP_HANG_UP,   /* closes instead of answering */
        HTTP_CUT,       /* closes after half of the body */
        HTTP_HALF_OPEN, /* half of the body, then silence */
        HTTP_DRIP,      /* byte by byte, others run in between */
        HTTP_GARBAGE,   /* the body is all that is sent: no status line */
};

struct http_answer {
        int status;          /* 0: 200 */
        const char *headers; /* whole lines with \r\n; NULL: none */
        const char *body;    /* NULL: none; must live until the next answer */
        size_t len;          /* 0: strlen(body) */
        enum http_way way;
};
/* Fills *ret. May assert, may yield. */
typedef void http_handler(const struct http_seen *seen, struct http_answer *ret, void *arg);

struct http_server {
        http_handler *handler;
        void *arg;
        int fd;
        unsigned port;
        unsigned connections, requests; /* so far */
        char url[64];                   /* http://127.0.0.1:PORT */
};

/* Serves until the hub ends. s lives as long. */
void HUB_ONLY http_server_start(struct http_server *s, http_handler *handler, void *arg);
