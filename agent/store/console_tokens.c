/*
 * agent/store/console_tokens.c: who may open a console (nova-contract 3.4, 5.8). The proxy asks for the hash
 * of what a user shows; the token itself is in no row, and no statement carries it.
 */
#include "store/store_priv.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/mem.h"

#define HASH_LEN 32 /* bytes of SHA-256 */

static int hash_token(const char *token, char ret[2 * HASH_LEN + 1], struct error *err)
{
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned len;

        if (!EVP_Digest(token, strlen(token), hash, &len, EVP_sha256(), NULL) || len != HASH_LEN)
                return error_set(err, ERR_UNSUPPORTED, "SHA-256 is not available");
        for (unsigned i = 0; i < len; i++)
                snprintf(ret + 2 * i, 3, "%02x", hash[i]);
        return 0;
}

int store_console_token_add(struct store *s, const struct console_token *t, struct deadline by,
                            struct error *err)
{
        CLEANUP(query_free) struct query q = {};
        time_t now = clock_wall_s();
        char hash[2 * HASH_LEN + 1];
        uint64_t rows;

        if (hash_token(t->token, hash, err) < 0)
                return -1;
        /* Only for an instance that is there: one statement, so that its deletion cannot come between. */
        query_add(&q, "INSERT INTO console_auth_tokens (created_at, token_hash, console_type, host, port, "
                      "internal_access_path, instance_uuid, expires, access_url_base) "
                      "SELECT ?, ?, ?, ?, ?, NULL, uuid, ?, ? FROM instances WHERE deleted = 0 AND uuid = ?");
        query_time(&q, now);
        query_value(&q, db_text(hash));
        query_value(&q, db_text(t->console_type));
        query_value(&q, db_text(t->host));
        query_value(&q, db_int(t->port));
        query_value(&q, db_int(now + t->ttl_s));
        query_value(&q, db_text(t->access_url_base));
        query_value(&q, db_text(t->instance_uuid));
        if (query_exec(s, NULL, &q, &rows, NULL, by, err) < 0)
                return error_while(err, "recording who may open the console of instance %s",
                                   t->instance_uuid);
        return rows ? 0 : not_found(t->instance_uuid, err);
}

int store_console_tokens_delete(struct store *s, const char *uuid, struct deadline by, struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        query_add(&q, "DELETE FROM console_auth_tokens WHERE instance_uuid = ?");
        query_value(&q, db_text(uuid));
        if (query_exec(s, NULL, &q, NULL, NULL, by, err) < 0)
                return error_while(err, "deleting the console tokens of instance %s", uuid);
        return 0;
}

int store_console_tokens_clean_expired(struct store *s, uint64_t *ret_n, struct deadline by,
                                       struct error *err)
{
        CLEANUP(query_free) struct query q = {};

        query_add(&q, "DELETE FROM console_auth_tokens WHERE expires <= ?");
        query_value(&q, db_int(clock_wall_s()));
        if (query_exec(s, NULL, &q, ret_n, NULL, by, err) < 0)
                return error_while(err, "deleting console tokens that have expired");
        return 0;
}
