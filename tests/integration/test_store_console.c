/* agent/store/console_tokens.c against a real database: what a console proxy finds there */
#include "store_fixture.h"

/* Of a real cloud, and the hash in its row. */
#define TOKEN "84c867bb-5169-4ea8-b659-fd6c306631f5"
#define HASH  "1d9d3732e46e0395cc56b91f9ed04c13043f027e3210bd36302c70a76e92e71e"

static struct console_token token_of(const struct instance *i, const char *token)
{
        return (struct console_token){
                .token = token,
                .console_type = "novnc",
                .host = "192.0.2.7",
                .access_url_base = "http://127.0.0.1:6080/vnc_auto.html",
                .instance_uuid = i->uuid,
                .port = 5901,
                .ttl_s = 600,
        };
}

STORE_TEST(a_token_is_a_row_with_its_hash_and_never_itself)
{
        struct instance *i = new_instance_named(&desk->store, "seen");
        struct console_token t = token_of(i, TOKEN);
        struct error err = {};

        ck_assert_ok(store_console_token_add(&desk->store, &t, soon(), &err), err);
        ck_assert_sql(desk,
                      "SELECT CONCAT_WS('|', token_hash, console_type, host, port, "
                      "internal_access_path IS NULL, access_url_base, updated_at IS NULL) "
                      "FROM console_auth_tokens",
                      HASH "|novnc|192.0.2.7|5901|1|http://127.0.0.1:6080/vnc_auto.html|1");
        ck_assert_sql(desk,
                      "SELECT t.instance_uuid = i.uuid FROM console_auth_tokens t JOIN instances i ON "
                      "i.display_name = 'seen'",
                      "1");
        /* both times are of one moment, whatever the clock says now */
        ck_assert_sql(desk,
                      "SELECT expires - TIMESTAMPDIFF(SECOND, '1970-01-01', created_at) FROM "
                      "console_auth_tokens",
                      "600");
        ck_assert_sql(desk,
                      "SELECT COUNT(*) FROM console_auth_tokens WHERE CONCAT_WS(' ', token_hash, host, "
                      "access_url_base) LIKE '%" TOKEN "%'",
                      "0");
        instance_free(i);
}

STORE_TEST(a_token_of_an_instance_that_is_gone_is_refused)
{
        struct instance *i = new_instance_named(&desk->store, "gone");
        struct console_token t = token_of(i, TOKEN);
        struct error err = {};

        ck_assert_ok(store_instance_soft_delete(&desk->store, i, soon(), &err), err);
        ck_assert_fails(store_console_token_add(&desk->store, &t, soon(), &err), err,
                        NOVA_INSTANCE_NOT_FOUND);
        ck_assert_ptr_null(strstr(err.text, TOKEN));
        ck_assert_sql(desk, "SELECT COUNT(*) FROM console_auth_tokens", "0");
        instance_free(i);
}

STORE_TEST(the_same_token_twice_is_an_error_that_does_not_show_it)
{
        struct instance *i = new_instance_named(&desk->store, "twice");
        struct console_token t = token_of(i, TOKEN);
        struct error err = {};

        ck_assert_ok(store_console_token_add(&desk->store, &t, soon(), &err), err);
        ck_assert_fails(store_console_token_add(&desk->store, &t, soon(), &err), err, ERR_DB);
        ck_assert_int_eq(err.sys, DB_DUPLICATE);
        ck_assert_ptr_null(strstr(err.text, TOKEN));
        ck_assert_sql(desk, "SELECT COUNT(*) FROM console_auth_tokens", "1");
        instance_free(i);
}

STORE_TEST(the_tokens_of_one_instance_go_and_those_of_others_stay)
{
        struct instance *a = new_instance_named(&desk->store, "a"),
                        *b = new_instance_named(&desk->store, "b");
        struct console_token tokens[] = { token_of(a, "1"), token_of(a, "2"), token_of(b, "3") };
        struct error err = {};

        for (size_t n = 0; n < ARRAY_SIZE(tokens); n++)
                ck_assert_ok(store_console_token_add(&desk->store, &tokens[n], soon(), &err), err);
        ck_assert_ok(store_console_tokens_delete(&desk->store, a->uuid, soon(), &err), err);
        ck_assert_sql(desk, "SELECT token_hash = SHA2('3', 256) FROM console_auth_tokens", "1");
        ck_assert_ok(store_console_tokens_delete(&desk->store, a->uuid, soon(), &err), err);
        ck_assert_sql(desk, "SELECT COUNT(*) FROM console_auth_tokens", "1");
        instance_free(a);
        instance_free(b);
}

STORE_TEST(expired_tokens_go_of_all_hosts_and_valid_ones_stay)
{
        struct instance *i = new_instance_named(&desk->store, "old");
        struct console_token valid = token_of(i, "valid"), expired = token_of(i, "expired"),
                             elsewhere = token_of(i, "elsewhere");
        struct error err = {};
        uint64_t n = 99;

        expired.ttl_s = 0; /* valid is what expires later than now */
        elsewhere.ttl_s = -600;
        elsewhere.host = "198.51.100.1";
        ck_assert_ok(store_console_token_add(&desk->store, &valid, soon(), &err), err);
        ck_assert_ok(store_console_tokens_clean_expired(&desk->store, &n, soon(), &err), err);
        ck_assert_uint_eq(n, 0);
        ck_assert_ok(store_console_token_add(&desk->store, &expired, soon(), &err), err);
        ck_assert_ok(store_console_token_add(&desk->store, &elsewhere, soon(), &err), err);
        ck_assert_ok(store_console_tokens_clean_expired(&desk->store, &n, soon(), &err), err);
        ck_assert_uint_eq(n, 2);
        ck_assert_sql(desk, "SELECT token_hash = SHA2('valid', 256) FROM console_auth_tokens", "1");
        ck_assert_ok(store_console_tokens_clean_expired(&desk->store, NULL, soon(), &err), err);
        instance_free(i);
}

GREEN_SUITE("store-console", a_token_is_a_row_with_its_hash_and_never_itself,
            a_token_of_an_instance_that_is_gone_is_refused,
            the_same_token_twice_is_an_error_that_does_not_show_it,
            the_tokens_of_one_instance_go_and_those_of_others_stay,
            expired_tokens_go_of_all_hosts_and_valid_ones_stay)
