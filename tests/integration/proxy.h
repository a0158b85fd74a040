/*
 * tests/integration/proxy.h: a unix socket before the server's, which can lose an answer, or a question, at a
 * chosen point. Green threads of the caller's hub carry the bytes.
 */
#pragma once

#include "green/green.h"

enum proxy_cut {
        CUT_NOTHING,
        CUT_ANSWER, /* the server gets it and carries it out; its answer does not arrive */
        CUT_REQUEST /* neither */
};

struct proxy;

struct proxy *YIELDS proxy_start(const char *server_socket);
const char *proxy_socket(const struct proxy *p);
/*
 * From now on, `times` times, after `skip` that pass: at a statement in the text protocol that is `sql`;
 * NULL: at an execution of a prepared one.
 */
void HUB_ONLY proxy_arm(struct proxy *p, enum proxy_cut cut, const char *sql, unsigned skip, unsigned times);
unsigned proxy_cuts(const struct proxy *p); /* so far */
void YIELDS proxy_stop(struct proxy *p);
