/*
 * tests/support/fake_keystone.h: a server that is keystone at /v3 and some service below any other path.
 *
 * Tokens are called token-1, token-2, ...; a service request without the current one is answered 401.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "green_test.h"
#include "http_server.h"
#include "json/json.h"
#include "peers/keystone.h"
#include "peers/service.h"

struct fake_keystone {
        struct http_server server;
        struct http_client *http;
        struct keystone *keystone;
        bool any_token;   /* a service request needs none of ours */
        unsigned tokens;  /* given out so far */
        unsigned revoked; /* these and older ones are refused with 401 */
        int lifetime_s;   /* of a token */
        int status;       /* what keystone answers instead of a token; 0: a token */
        const char *body; /* with that status, or instead of the right body */
        char *last_body;  /* what keystone was asked */
        char text[2048], header[64];
        http_handler *service; /* the rest */
        void *service_arg;
};

static void fake_keystone_answer(struct fake_keystone *f, const struct http_seen *seen,
                                 struct http_answer *ret)
{
        replace_str(&f->last_body, seen->body);
        if (f->status || f->body) {
                *ret = (struct http_answer){ .status = f->status ? f->status : 201, .body = f->body };
                ret->headers = f->status ? NULL : "X-Subject-Token: token-x\r\n";
                return;
        }
        snprintf(f->header, sizeof(f->header), "X-Subject-Token: token-%u\r\n", ++f->tokens);
        /* Keystone's clock is wrong by years: only the difference of its two times may count. */
        snprintf(f->text, sizeof(f->text),
                 "{\"token\": {\"issued_at\": \"2001-01-01T00:00:00.000000Z\", "
                 "\"expires_at\": \"2001-01-01T%02d:%02d:%02d.000000Z\", \"catalog\": ["
                 "{\"type\": \"image\", \"endpoints\": [{\"interface\": \"public\", \"region\": \"one\", "
                 "\"url\": \"%s/i/v2/\"}]}, "
                 "{\"type\": \"identity\", \"name\": \"keystone\", \"endpoints\": []}, "
                 "{\"type\": \"placement\", \"name\": \"placement\", \"endpoints\": ["
                 "{\"interface\": \"admin\", \"region_id\": \"one\", \"region\": \"one\", \"url\": "
                 "\"http://admin/\"}, "
                 "{\"interface\": \"public\", \"region_id\": \"two\", \"region\": \"two\", \"url\": "
                 "\"http://two/\"}, "
                 "{\"interface\": \"public\", \"region_id\": \"one\", \"region\": \"one\", \"url\": "
                 "\"%s/p/\"}]}]}}",
                 f->lifetime_s / 3600, f->lifetime_s / 60 % 60, f->lifetime_s % 60, f->server.url,
                 f->server.url);
        *ret = (struct http_answer){ .status = 201, .headers = f->header, .body = f->text };
}

static void fake_keystone_play(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        struct fake_keystone *f = arg;
        CLEANUP(freep) char *token = NULL;
        unsigned n;

        if (strcmp(seen->path, "/v3/auth/tokens") == 0) {
                ck_assert_str_eq(seen->method, "POST");
                fake_keystone_answer(f, seen, ret);
                return;
        }
        token = http_seen_header(seen, "X-Auth-Token");
        if (!f->any_token &&
            (!token || sscanf(token, "token-%u", &n) != 1 || n <= f->revoked || n > f->tokens))
                *ret = (struct http_answer){ .status = 401,
                                             .body = "{\"error\": {\"message\": \"token?\"}}" };
        else
                f->service(seen, ret, f->service_arg);
}

static inline void HUB_ONLY fake_keystone_start(struct fake_keystone *f, http_handler *service, void *arg)
{
        struct keystone_options opt = { .username = "nova",
                                        .password = "s3cret",
                                        .user_domain_name = "Default",
                                        .project_name = "service",
                                        .project_domain_id = "default" };
        struct http_options http = {};
        struct error err = {};

        *f = (struct fake_keystone){ .lifetime_s = 3600, .service = service, .service_arg = arg };
        http_server_start(&f->server, fake_keystone_play, f);
        f->http = http_client_new(&http, &err);
        opt.auth_url = f->server.url;
        opt.http = f->http;
        f->keystone = keystone_new(&opt, &err);
        ck_assert_msg(f->keystone != NULL, "%s", err.text);
}

static inline void HUB_ONLY fake_keystone_stop(struct fake_keystone *f)
{
        keystone_free(f->keystone);
        http_client_free(f->http);
        free(f->last_body);
}
