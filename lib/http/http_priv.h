/* lib/http/http_priv.h: a lane is what one request at a time goes through. */
#pragma once

#include <curl/curl.h>

#include "base/list.h"
#include "base/strbuf.h"
#include "http/http.h"

enum { LANE_FDS_MAX = 16 };

/*
 * Handles of libcurl with the connections they keep open. Used by one green thread at a time, so nobody else
 * can be inside of libcurl with the same handle when a wait in a sink switches.
 */
struct lane {
        struct list link; /* in the client's list of idle lanes */
        CURLM *multi;
        CURL *easy;
        struct green_pollfd fds[LANE_FDS_MAX]; /* what libcurl waits for */
        unsigned n_fds;
        struct deadline timer; /* when libcurl wants to be called anyway */
};

struct lane *HUB_ONLY lane_new(struct error *err);
void HUB_ONLY lane_free(struct lane *l);

/* stats.c: err is read when r < 0, status else. */
void HUB_ONLY http_stats_count(const char *service, int64_t began_ns, int r, int status,
                               const struct error *err);

struct lane_call {
        double idle_s;
        struct deadline by;
        /* Called between two steps, may yield; -1 ends the transfer. */
        int (*between)(void *arg, struct error *err);
        void *arg;
};
/* Performs what l->easy is set up for. *ret_code is libcurl's result when this returns 0. */
int YIELDS lane_run(struct lane *l, const struct lane_call *call, CURLcode *ret_code, struct error *err);
