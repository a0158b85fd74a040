/*
 * lib/amqp/url.h: rabbit://user:password@host:port,host2/vhost?option=value taken apart. Pure: no I/O.
 */
#pragma once

#include <stddef.h>

#include "amqp/options.h"

#define AMQP_HOSTS_MAX 32

struct amqp_host {
        char *host, *user, *password;
        unsigned port;
};

/* All strings are owned. */
struct amqp_url {
        struct amqp_host hosts[AMQP_HOSTS_MAX];
        unsigned n_hosts; /* at least one */
        char *vhost;
        struct amqp_param {
                char *name, *value;
        } * params;
        unsigned n_params;
};

/*
 * nova-contract 1.1. A host without user has that of the host before it; the first: guest, guest.
 * ERR_INVALID; the text never holds a password.
 */
int amqp_url_parse(const char *url, struct amqp_url *ret, struct error *err);
/* The query's options over those of the configuration; what is set borrows from the URL. */
int amqp_url_apply(const struct amqp_url *u, struct amqp_options *o, struct error *err);
void amqp_url_free(struct amqp_url *u); /* wipes the passwords */
/* "host1:5672,host2:5672/vhost" */
void amqp_url_describe(const struct amqp_url *u, char *buf, size_t size);
