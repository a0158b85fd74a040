/* Transport URLs taken apart, and the options in their query. */
#include <string.h>

#include "amqp/url.h"
#include "base/list.h"
#include "suite.h"

static struct amqp_url parsed(const char *url)
{
        struct amqp_url u;
        struct error err = {};

        ck_assert_msg(amqp_url_parse(url, &u, &err) == 0, "%s: %s", url, err.text);
        return u;
}

START_TEST(what_is_not_given_is_the_default)
{
        static const char *const urls[] = { "rabbit://", "rabbit:///", "rabbit:////", "rabbit://?" };

        for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
                struct amqp_url u = parsed(urls[i]);

                ck_assert_uint_eq(u.n_hosts, 1);
                ck_assert_str_eq(u.hosts[0].host, "localhost");
                ck_assert_uint_eq(u.hosts[0].port, 5672);
                ck_assert_str_eq(u.hosts[0].user, "guest");
                ck_assert_str_eq(u.hosts[0].password, "guest");
                ck_assert_str_eq(u.vhost, "/");
                amqp_url_free(&u);
        }
}
END_TEST

START_TEST(several_hosts_each_with_its_own)
{
        struct amqp_url u = parsed("rabbit://a:b@h1:1,c:d@[::1]:65535,h3,:@h4/openstack");
        char text[200];

        ck_assert_uint_eq(u.n_hosts, 4);
        ck_assert_str_eq(u.hosts[0].user, "a");
        ck_assert_str_eq(u.hosts[0].password, "b");
        ck_assert_uint_eq(u.hosts[0].port, 1);
        ck_assert_str_eq(u.hosts[1].host, "::1");
        ck_assert_uint_eq(u.hosts[1].port, 65535);
        ck_assert_str_eq(u.hosts[2].user, "c"); /* of the one before */
        ck_assert_str_eq(u.hosts[2].password, "d");
        ck_assert_uint_eq(u.hosts[2].port, 5672);
        ck_assert_str_eq(u.hosts[3].user, "");
        ck_assert_str_eq(u.vhost, "openstack");
        amqp_url_describe(&u, text, sizeof(text));
        ck_assert_str_eq(text, "h1:1,[::1]:65535,h3:5672,h4:5672/openstack");
        amqp_url_describe(&u, text, 12); /* cut at a host, and always ended */
        ck_assert_uint_lt(strlen(text), 12);
        amqp_url_free(&u);
}
END_TEST

START_TEST(what_is_percent_encoded_is_decoded)
{
        struct amqp_url u = parsed("rabbit://us%40er:p%3a%2F%2c%25@h/a%2Fb?ssl=1&ssl_ca_file=%2Fx%20y");
        struct amqp_options o;
        struct error err = {};

        ck_assert_str_eq(u.hosts[0].user, "us@er");
        ck_assert_str_eq(u.hosts[0].password, "p:/,%");
        ck_assert_str_eq(u.vhost, "a/b");
        amqp_options_default(&o);
        ck_assert_ok(amqp_url_apply(&u, &o, &err), err);
        ck_assert(o.ssl);
        ck_assert_str_eq(o.ssl_ca_file, "/x y");
        amqp_url_free(&u);
}
END_TEST

START_TEST(options_go_over_those_that_were_set)
{
        struct amqp_url u =
                parsed("rabbit://h/?heartbeat_timeout_threshold=0&amqp_durable_queues=True"
                       "&kombu_reconnect_delay=0.5&&rabbit_retry_interval=7&rpc_conn_pool_size=3");
        struct amqp_options o;
        struct error err = {};

        amqp_options_default(&o);
        ck_assert_int_eq(o.heartbeat_timeout_threshold, 60);
        ck_assert_ok(amqp_url_apply(&u, &o, &err), err);
        ck_assert_int_eq(o.heartbeat_timeout_threshold, 0);
        ck_assert(o.amqp_durable_queues);
        ck_assert_double_eq(o.kombu_reconnect_delay, 0.5);
        ck_assert_int_eq(o.rabbit_retry_interval, 7);
        ck_assert_int_eq(o.rabbit_retry_backoff, 2);
        amqp_url_free(&u);
}
END_TEST

START_TEST(what_is_wrong_is_said_without_the_password)
{
        static const struct {
                const char *url, *part;
        } rows[] = {
                { "amqp://h", "expected rabbit://" },
                { "rabbit:/h", "expected rabbit://" },
                { "", "expected rabbit://" },
                { "rabbit://u:SECRET@h:0/", "port" },
                { "rabbit://u:SECRET@h:65536/", "port" },
                { "rabbit://u:SECRET@h:99999999999999999999/", "port" },
                { "rabbit://u:SECRET@h:/", "port" },
                { "rabbit://u:SECRET@h:1x/", "port" },
                { "rabbit://u:SECRET%@h/", "password needs two" },
                { "rabbit://u:SECRET%0@h/", "password needs two" },
                { "rabbit://u:SECRET%00@h/", "password needs two" },
                { "rabbit://u%zz:SECRET@h/", "user needs two" },
                { "rabbit://u:SECRET@h/%f", "vhost needs two" },
                { "rabbit://u:SEC/RET@h/", "" },
                { "rabbit://u:SECRET@[::1/", "bracket" },
                { "rabbit://u:SECRET@[::1]x/", "only a port" },
                { "rabbit://u:SECRET@h%20/", "character" },
                { "rabbit://u:SECRET@h/?ssl", "no value" },
                { "rabbit://u:SECRET@h/?ssl=perhaps", "true or false" },
                { "rabbit://u:SECRET@h/?ssl_ca_file=x", "absolute path" },
                { "rabbit://u:SECRET@h/?sll=true", "unknown option \"sll\"" },
                { "rabbit://u:SECRET@h/?rabbit_retry_interval=-1", "seconds" },
                { "rabbit://u:SECRET@h/?rabbit_retry_interval=1s", "seconds" },
                { "rabbit://u:SECRET@h/?rabbit_qos_prefetch_count=99999999999", "not negative" },
                { "rabbit://u:SECRET@h/?kombu_reconnect_delay=nan", "seconds" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct amqp_url u;
                struct error err = {};

                ck_assert_msg(amqp_url_parse(rows[i].url, &u, &err) == -1, "%s", rows[i].url);
                ck_assert_int_eq(err.code, ERR_INVALID);
                ck_assert_msg(strstr(err.text, rows[i].part) != NULL, "%s: %s", rows[i].url, err.text);
                ck_assert_msg(!strstr(err.text, "SEC"), "%s", err.text);
        }
}
END_TEST

START_TEST(more_hosts_than_anybody_has_are_refused)
{
        char url[400] = "rabbit://h";
        struct amqp_url u;
        struct error err = {};
        size_t len = strlen(url);

        for (int i = 0; i < AMQP_HOSTS_MAX; i++) {
                memcpy(url + len, ",h", 3);
                len += 2;
        }
        ck_assert_fails(amqp_url_parse(url, &u, &err), err, ERR_INVALID);
        url[len - 2] = '\0';
        u = parsed(url);
        ck_assert_uint_eq(u.n_hosts, AMQP_HOSTS_MAX);
        amqp_url_free(&u);
}
END_TEST

UNIT_SUITE("amqp-url", what_is_not_given_is_the_default, several_hosts_each_with_its_own,
           what_is_percent_encoded_is_decoded, options_go_over_those_that_were_set,
           what_is_wrong_is_said_without_the_password, more_hosts_than_anybody_has_are_refused)
