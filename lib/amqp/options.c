/*
 * lib/amqp/options.c: the options by name, for the query of a transport URL.
 *
 * What oslo knows and this program has no use for is accepted silently, so that a URL made for nova works;
 * a name that nobody knows is refused, since it might have been a wish for TLS.
 */
#include "amqp/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/words.h"

enum kind { FLAG, SECONDS, COUNT, FRACTION, PATH };

static const struct {
        const char *name;
        enum kind kind;
        size_t offset;
} known[] = {
#define ROW(name, kind)                                          \
        {                                                        \
#name, kind, offsetof(struct amqp_options, name) \
        }
        ROW(amqp_durable_queues, FLAG),
        ROW(amqp_auto_delete, FLAG),
        ROW(rabbit_ha_queues, FLAG),
        ROW(rabbit_quorum_queue, FLAG),
        ROW(rabbit_quorum_delivery_limit, COUNT),
        ROW(rabbit_quorum_max_memory_length, COUNT),
        ROW(rabbit_quorum_max_memory_bytes, COUNT),
        /* As oslo.messaging 14 spells them. */
        { "rabbit_quroum_max_memory_length", COUNT,
          offsetof(struct amqp_options, rabbit_quorum_max_memory_length) },
        { "rabbit_quroum_max_memory_bytes", COUNT,
          offsetof(struct amqp_options, rabbit_quorum_max_memory_bytes) },
        ROW(rabbit_transient_queues_ttl, SECONDS),
        ROW(rabbit_qos_prefetch_count, COUNT),
        ROW(heartbeat_timeout_threshold, SECONDS),
        ROW(rabbit_retry_interval, SECONDS),
        ROW(rabbit_retry_backoff, SECONDS),
        ROW(rabbit_interval_max, SECONDS),
        ROW(kombu_reconnect_delay, FRACTION),
        ROW(kombu_missing_consumer_retry_timeout, SECONDS),
        ROW(ssl, FLAG),
        ROW(ssl_ca_file, PATH),
        ROW(ssl_cert_file, PATH),
        ROW(ssl_key_file, PATH),
        ROW(ssl_enforce_hostname_verification, FLAG),
#undef ROW
};

void amqp_options_default(struct amqp_options *ret)
{
        *ret = (struct amqp_options){
                .rabbit_transient_queues_ttl = 1800,
                .heartbeat_timeout_threshold = 60,
                .rabbit_retry_interval = 1,
                .rabbit_retry_backoff = 2,
                .rabbit_interval_max = 30,
                .kombu_reconnect_delay = 1.0,
                .kombu_missing_consumer_retry_timeout = 60,
                .ssl_ca_file = "",
                .ssl_cert_file = "",
                .ssl_key_file = "",
        };
}

static bool parse_whole(const char *s, int64_t max, int64_t *ret)
{
        char *end;
        long long n;

        errno = 0;
        n = strtoll(s, &end, 10);
        if (end == s || *end || errno || n < 0 || n > max)
                return false;
        *ret = n;
        return true;
}

static int set(void *at, enum kind kind, const char *name, const char *value, struct error *err)
{
        double fraction;
        char *end;

        switch (kind) {
        case FLAG:
                if (words_bool(value, at))
                        return 0;
                return error_set(err, ERR_INVALID, "%s is true or false", name);
        case SECONDS:
                if (parse_whole(value, 86400 * 366, at))
                        return 0;
                return error_set(err, ERR_INVALID, "%s is a number of seconds", name);
        case COUNT:
                if (parse_whole(value, INT32_MAX, at))
                        return 0;
                return error_set(err, ERR_INVALID, "%s is a number, not negative", name);
        case FRACTION:
                fraction = strtod(value, &end);
                if (end == value || *end || !(fraction >= 0 && fraction <= 3600))
                        return error_set(err, ERR_INVALID, "%s is a number of seconds", name);
                *(double *)at = fraction;
                return 0;
        case PATH:
                if (*value != '/')
                        return error_set(err, ERR_INVALID, "%s is an absolute path", name);
                *(const char **)at = value;
                return 0;
        }
        return -1;
}

int amqp_options_set(struct amqp_options *o, const char *name, const char *value, struct error *err)
{
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (!strcmp(name, known[i].name))
                        return set((char *)o + known[i].offset, known[i].kind, name, value, err);
        if (words_have(AMQP_OPTIONS_WITHOUT_EFFECT, name))
                return 0;
        return error_set(err, ERR_INVALID, "unknown option \"%.40s\"", name);
}
