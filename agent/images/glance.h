/*
 * agent/images/glance.h: images of an image service, behind image_source.h (nova-contract 6.3).
 *
 * Who asks: the caller's token where there is one, with a token of ours beside it when send_service_token
 * says so; else our own identity. Where: endpoint_override, else one of api_servers, else the image service
 * in the catalog of the caller's request context, else the one in the catalog of our own identity.
 *
 * A server that is out of order or does not answer is followed by the next one after a pause, num_retries
 * times; an attempt that brought more data than any before counts as none. A download that was cut goes on
 * where it ended if the server honours Range, else it begins anew. Data goes to the file as it comes, in the
 * pool of image_source_set_tpool().
 *
 * NOVA_IMAGE_NOT_FOUND: 404; NOVA_IMAGE_NOT_AUTHORIZED: 401 or 403, or nobody to ask as;
 * NOVA_IMAGE_UNACCEPTABLE: no data, or other data than its checksum says.
 */
#pragma once

#include "images/image_source.h"
#include "peers/keystone.h"

struct glance_options { /* texts are copied; NULL or "": not set */
        /* URLs, separated by commas; asked in an order that is shuffled at the start. */
        const char *api_servers;
        const char *endpoint_override; /* one URL; wins over api_servers */
        const char *interfaces, *region;
        unsigned num_retries;
        double retry_pause_s; /* 0: 1 */
        double timeout_s;     /* of a request but for data; 0: 60 */
        struct http_client *http;
        struct keystone *keystone; /* our own identity; NULL: only user tokens */
        /* Whose token goes along with a user's as X-Service-Token, so that his may be expired; or NULL. */
        struct keystone *service;
};
struct image_source *HUB_ONLY image_source_glance_new(const struct glance_options *opt);
