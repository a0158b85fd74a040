/*
 * agent/images/glance.h: images of an image service, behind image_source.h (nova-contract 6.3).
 *
 * A server that is out of order or does not answer is followed by the next one after a pause, num_retries
 * times. Data goes to the file as it comes, in the pool of image_source_set_tpool(); a download that was cut
 * begins anew.
 *
 * NOVA_IMAGE_NOT_FOUND: 404; NOVA_IMAGE_NOT_AUTHORIZED: 401 or 403; NOVA_IMAGE_UNACCEPTABLE: no data, or
 * other data than its checksum says.
 */
#pragma once

#include "images/image_source.h"
#include "peers/keystone.h"

struct glance_options { /* texts are copied; NULL or "": not set */
        /* URLs, separated by commas; asked in an order that is shuffled at the start. */
        const char *api_servers;
        const char *endpoint_override; /* one URL; wins over api_servers */
        /* Without either, the catalog of `keystone` tells the server. */
        const char *interfaces, *region;
        unsigned num_retries;
        double retry_pause_s; /* 0: 1 */
        double timeout_s;     /* of a request but for data; 0: 60 */
        struct http_client *http;
        struct keystone *keystone; /* our own identity; NULL: only user tokens */
        /*
         * The token of the user for whom the current green thread works, or NULL; the caller frees it. Where
         * there is one it asks for the image, and ours goes along as X-Service-Token, so that it may be
         * expired.
         */
        char *(*user_token)(void *arg);
        void *user_token_arg;
};
struct image_source *HUB_ONLY image_source_glance_new(const struct glance_options *opt, struct error *err);

/* Downloads under way, for those who want to know. fn must not yield. */
struct glance_progress {
        const char *id;
        int64_t done, size; /* bytes; size 0: not known */
        double since_s;
};
void HUB_ONLY image_source_glance_progress(struct image_source *s,
                                           void (*fn)(const struct glance_progress *p, void *arg), void *arg);
