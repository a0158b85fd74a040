/* lib/messaging/transport_priv.h: the transports that transport.c knows, one maker for each scheme. */
#pragma once

#include "messaging/transport.h"

struct transport *HUB_ONLY transport_unix_new(const char *url, const struct transport_options *opt,
                                              struct error *err);
struct transport *HUB_ONLY transport_amqp_new(const char *url, const struct transport_options *opt,
                                              struct error *err);

/* Could such a transport be made? Of the URL alone: nothing is touched. */
int transport_unix_check(const char *url, struct error *err);
int transport_amqp_check(const char *url, struct error *err);
