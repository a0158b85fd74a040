/*
 * agent/peers/keystone.h: one identity of ours: its token, and the catalog that came with it (nova-contract
 * 6.2).
 *
 * The token is asked for when it is first needed and again when it has less than 30 s left or a service
 * refused it; green threads that need it meanwhile wait for the same one. It is in no error and no log line.
 *
 * ERR_INVALID: keystone does not accept the credentials; ERR_BUSY: it answered 429 or 5xx; ERR_NOT_FOUND: the
 * catalog has no such endpoint; ERR_PROTOCOL: the answer is not keystone's; what http_call() says.
 */
#pragma once

#include "green/green.h"
#include "http/http.h"

struct keystone;

struct keystone_options {     /* texts are copied; NULL or "": not set */
        const char *auth_url; /* with or without /v3 */
        const char *username, *password;
        const char *user_domain_name, *user_domain_id; /* the id wins */
        const char *project_name, *project_domain_name, *project_domain_id;
        struct http_client *http; /* borrowed */
        double timeout_s;         /* of one request; 0: 60 */
};
/* ERR_INVALID names what is missing. */
struct keystone *HUB_ONLY keystone_new(const struct keystone_options *opt, struct error *err);
/* For the next token; the one that is there serves as long as it is good. */
void HUB_ONLY keystone_set_password(struct keystone *k, const char *password);
void HUB_ONLY keystone_free(struct keystone *k); /* no call may be running; NULL is allowed */

/* Caller frees. */
int YIELDS keystone_token(struct keystone *k, char **ret_token, struct deadline by, struct error *err);
/* A service said 401 to this token: the next keystone_token() asks anew, unless that has happened already. */
void HUB_ONLY keystone_token_refused(struct keystone *k, const char *token);

struct keystone_endpoint {
        const char *type;       /* "placement", "image" */
        const char *interfaces; /* in order of preference, separated by commas; NULL: internal,public */
        const char *region;     /* NULL or "": any */
};
/* Without a slash at its end; caller frees. */
int YIELDS keystone_endpoint(struct keystone *k, const struct keystone_endpoint *wanted, char **ret_url,
                             struct deadline by, struct error *err);

struct jval;
/* The same in any catalog: the request context of an RPC has one too. Pure. */
char *catalog_find(const struct jval *catalog, const struct keystone_endpoint *wanted, struct error *err);
