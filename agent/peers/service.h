/*
 * agent/peers/service.h: what calls to all REST services have in common: endpoint, token, JSON, and one more
 * try with a new token after a 401.
 *
 * A call that got an answer is a success, whatever its status but 401; the caller knows which ones it
 * expects, and has service_unexpected() for the others. ERR_INVALID: the service does not accept our token;
 * ERR_PROTOCOL: an answer 2xx whose body is no JSON; what keystone.h and http.h say.
 */
#pragma once

#include "green/green.h"
#include "http/http.h"
#include "peers/keystone.h"

struct jval;
struct service;

struct service_options {  /* texts are copied; NULL or "": not set */
        const char *type; /* in the catalog: "placement" */
        const char *interfaces, *region;
        const char *endpoint_override; /* then no catalog is looked at */
        struct keystone *keystone;     /* borrowed */
        struct http_client *http;      /* borrowed */
        double timeout_s;              /* of one request; 0: 60 */
};
struct service *HUB_ONLY service_new(const struct service_options *opt);
void HUB_ONLY service_free(struct service *s); /* NULL is allowed */

struct service_request {
        const char *method, *path; /* path begins with / */
        const char *api_version;   /* value of OpenStack-API-Version: "placement 1.26"; NULL: left out */
        const char *request_id;    /* X-OpenStack-Request-ID, or NULL */
        const struct jval *body;   /* or NULL */
};
struct service_answer {
        int status;
        struct jval *json; /* NULL: no body, or one that is no JSON */
        char *text;        /* the body */
        size_t len;
};
int YIELDS service_call(struct service *s, const struct service_request *req, struct service_answer *ret,
                        struct deadline by, struct error *err);
void service_answer_free(struct service_answer *a); /* CLEANUP(service_answer_free) */

/*
 * Makes an error of an answer: the code by its status (404 ERR_NOT_FOUND; 409, 429, 5xx ERR_BUSY; else
 * ERR_INVALID), sys is the status, the text has what the service says in its body, without control characters
 * and cut.
 */
int service_status_error(int status, const char *body, size_t len, struct error *err);
int service_unexpected(const struct service_answer *a, struct error *err);

/* A copy without slashes at the end. */
char *service_trim_url(const char *url);
