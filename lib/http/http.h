/*
 * lib/http/http.h: requests to HTTP servers from green threads.
 *
 * The only door to libcurl. A request parks its own green thread and no other; it ends by its deadline, and
 * earlier when the server is silent for idle_timeout_s. Any complete answer is a success, whatever its
 * status: the caller looks at it. What is kept in memory is bounded. Proxies of the environment are not used.
 * Errors name method and URL without its user, password and query; never a header.
 *
 * ERR_TIMEOUT, ERR_CANCELLED; ERR_CLOSED: no connection, or it was cut (trying again may help); ERR_INVALID:
 * bad URL or header, or the server's certificate is not accepted; ERR_LIMIT: the answer is too long;
 * ERR_PROTOCOL: no HTTP, or a redirect that must not be followed; what the sink said.
 */
#pragma once

#include "green/green.h"

struct http_client;

struct http_options {
        const char *cafile;    /* PEM; NULL or "": the system's */
        bool insecure;         /* certificates are not checked */
        double idle_timeout_s; /* 0: 60 */
};
/* The process ignores SIGPIPE (libcurl does not see to it here). */
struct http_client *HUB_ONLY http_client_new(const struct http_options *opt, struct error *err);
void HUB_ONLY http_client_free(struct http_client *c); /* no call may be running; NULL is allowed */

struct http_header {
        const char *name, *value;
        bool secret; /* left out when a redirect leads to another server */
};

#define HTTP_BODY_MAX (4 << 20)

struct http_response;

struct http_request {
        const char *method, *url;
        const char *service; /* whom it counts for in http_foreach_service(); NULL: "other" */
        const struct http_header *headers;
        unsigned n_headers;
        const char *body; /* NULL: none */
        size_t body_len;
        const char *content_type; /* of the body */
        size_t max_body;          /* of an answer kept in memory; 0: HTTP_BODY_MAX */
        /*
         * Takes the body of an answer 2xx in pieces, as it comes; it may yield, and the server is made to
         * wait meanwhile. Other answers are kept in memory as always. NULL: none.
         */
        int (*sink)(void *arg, const char *data, size_t len, struct error *err);
        /* Hears status and headers before the sink gets anything; -1 ends the request. NULL: nobody. */
        int (*head)(void *arg, const struct http_response *r, struct error *err);
        void *sink_arg; /* of both */
        /* GET and HEAD follow up to 5 redirects on the same server; with this also to others. */
        bool redirect_anywhere;
};

struct http_response {
        int status;
        char *body; /* with a NUL after it; "" when the sink took it */
        size_t len;
        int64_t retry_after_s; /* 0: the server did not say */
        char *headers;         /* see http_response_header() */
        size_t headers_len;
};

int YIELDS http_call(struct http_client *c, const struct http_request *req, struct http_response *ret,
                     struct deadline by, struct error *err);
void http_response_free(struct http_response *r); /* CLEANUP(http_response_free) */
/* The value of the first header of that name in any case; borrowed; NULL when there is none. */
const char *http_response_header(const struct http_response *r, const char *name);

/* What came of the requests to one service, since the start of the process. */
enum { HTTP_SERVICES_MAX = 8, HTTP_CLASSES = 6 };
struct http_service_stats {
        char service[24];
        unsigned long by_class[HTTP_CLASSES]; /* [2]: answered 2xx ...; [0]: no answer */
        struct histogram times; /* of requests with all their redirects, downloads with their data */
        bool answers;           /* the last request was answered, and with less than 500 */
        double since_s;         /* since it came to an end */
        char last_error[256];   /* why it has no answer; "" when answers */
};
void HUB_ONLY http_foreach_service(void (*fn)(const struct http_service_stats *s, void *arg), void *arg);

/* A copy in which all but letters, digits and "-._~" is written %XX: for parts of paths and queries. */
char *http_escape(const char *text);
