/*
 * tests/unit/messaging/test_envelope_captured.c: real messages of a Zed control plane, whole and damaged.
 *
 * The damage is random with a fixed seed, so a crash found once is found again.
 */
#include "messaging/envelope.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "green_test.h"

#define FILES_MAX 64

struct captured {
        char name[64];
        char *body;
        size_t len;
        bool is_reply;
};
static struct captured files[FILES_MAX];
static unsigned n_files;

static void load(const char *name)
{
        struct captured *c = &files[n_files];
        char path[512];
        FILE *f;

        ck_assert_uint_lt(n_files, FILES_MAX);
        snprintf(path, sizeof(path), "%s/%s", AMQP_DATA_DIR, name);
        f = fopen(path, "re");
        ck_assert_msg(f != NULL, "%s", path);
        c->body = xmalloc(64 * 1024);
        c->len = fread(c->body, 1, 64 * 1024, f);
        fclose(f);
        ck_assert_uint_gt(c->len, 0);
        c->is_reply = strstr(name, ".reply.") != NULL;
        snprintf(c->name, sizeof(c->name), "%.*s", (int)strcspn(name, "."), name);
        n_files++;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_all(void)
{
        struct dirent **entries;
        int n = scandir(AMQP_DATA_DIR, &entries, NULL, by_name);

        ck_assert_msg(n > 0, "%s cannot be read", AMQP_DATA_DIR);
        for (int i = 0; i < n; i++) {
                if (strstr(entries[i]->d_name, ".json"))
                        load(entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        ck_assert_uint_ge(n_files, 30);
}

static void unload_all(void)
{
        while (n_files)
                free(files[--n_files].body);
}

START_TEST(requests_are_understood)
{
        unsigned requests = 0;

        load_all();
        for (unsigned i = 0; i < n_files; i++) {
                struct rpc_request r;
                struct error err = {};

                if (files[i].is_reply)
                        continue;
                ck_assert_ok(envelope_decode_request(files[i].body, files[i].len, &r, &err), err);
                ck_assert_str_eq(r.method, files[i].name);
                ck_assert(r.ns == NULL);
                ck_assert_str_eq(r.version, strcmp(r.method, "rebuild_instance") == 0 ? "6.1" : "6.0");
                ck_assert_uint_eq(strlen(r.unique_id), 32);
                ck_assert(!r.msg_id == !r.reply_q);
                ck_assert_int_eq(strncmp(jval_get_text(r.context, "request_id", ""), "req-", 4), 0);
                ck_assert(jval_get_bool(r.context, "is_admin", false));
                rpc_request_free(&r);
                requests++;
        }
        ck_assert_uint_ge(requests, 30);
        unload_all();
}
END_TEST

START_TEST(replies_are_understood)
{
        unsigned replies = 0;

        load_all();
        for (unsigned i = 0; i < n_files; i++) {
                struct rpc_reply r;
                struct error err = {};

                if (!files[i].is_reply)
                        continue;
                ck_assert_ok(envelope_decode_reply(files[i].body, files[i].len, &r, &err), err);
                ck_assert(r.ending && !r.failed);
                ck_assert_uint_eq(strlen(r.msg_id), 32);
                rpc_reply_free(&r);
                replies++;
        }
        ck_assert_uint_ge(replies, 5);
        unload_all();
}
END_TEST

START_TEST(requests_go_round_without_loss)
{
        load_all();
        for (unsigned i = 0; i < n_files; i++) {
                struct rpc_request a, b;
                struct error err = {};
                char *again, *args_a, *args_b, *context_a, *context_b;
                size_t len;

                if (files[i].is_reply)
                        continue;
                ck_assert_ok(envelope_decode_request(files[i].body, files[i].len, &a, &err), err);
                again = envelope_encode_request(&a, &len);
                ck_assert_ok(envelope_decode_request(again, len, &b, &err), err);
                args_a = jval_print(a.args, NULL);
                args_b = jval_print(b.args, NULL);
                context_a = jval_print(a.context, NULL);
                context_b = jval_print(b.context, NULL);
                ck_assert_str_eq(args_a, args_b);
                ck_assert_str_eq(context_a, context_b);
                ck_assert_str_eq(a.unique_id, b.unique_id);
                ck_assert_int_eq(a.timeout_s, b.timeout_s);
                free(again);
                free(args_a);
                free(args_b);
                free(context_a);
                free(context_b);
                rpc_request_free(&a);
                rpc_request_free(&b);
        }
        unload_all();
}
END_TEST

/* ---- damage ---- */

static uint64_t seed;

static uint32_t next_random(void) /* xorshift64*: the same numbers on every machine */
{
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        return (uint32_t)((seed * UINT64_C(2685821657736338717)) >> 32);
}

/* Changes text in place and returns its new length; there is room for 64 bytes more. */
static size_t damage(char *text, size_t len)
{
        static const char *const pieces[] = { "\"",
                                              "{",
                                              "}",
                                              "[",
                                              "]",
                                              ",",
                                              ":",
                                              "\\",
                                              "null",
                                              "true",
                                              "-1",
                                              "1e309",
                                              "0",
                                              "\xff",
                                              "\xc3",
                                              "\\u0000",
                                              "\\ud800",
                                              "\n",
                                              "99999999999999999999",
                                              "{\"\":" };
        size_t at = next_random() % len, n, span = 1 + next_random() % 40;
        const char *piece = pieces[next_random() % (sizeof(pieces) / sizeof(pieces[0]))];

        switch (next_random() % 6) {
        case 0: /* one byte becomes another */
                text[at] = (char)next_random();
                return len;
        case 1: /* one bit */
                text[at] ^= (char)(1u << (next_random() % 8));
                return len;
        case 2: /* cut off */
                return at ? at : 1;
        case 3: /* a span disappears */
                n = span < len - at ? span : len - at;
                if (n == len)
                        return len;
                memmove(text + at, text + at + n, len - at - n);
                return len - n;
        case 4: /* a span comes twice */
                n = span < len - at ? span : len - at;
                memmove(text + at + n, text + at, len - at);
                return len + n;
        default: /* a piece of syntax comes in */
                n = strlen(piece);
                memmove(text + at + n, text + at, len - at);
                memcpy(text + at, piece, n);
                return len + n;
        }
}

/* Either it decodes or it is refused in words, and whatever it is can be freed. */
static bool survives(const char *text, size_t len, bool is_reply)
{
        /* A copy of exactly this size, so that a sanitizer sees the first byte read beyond it. */
        char *body = xmemdup(text, len);
        struct error err = {};
        struct rpc_request request;
        struct rpc_reply reply;
        bool fine;

        if (is_reply) {
                fine = envelope_decode_reply(body, len, &reply, &err) == 0;
                if (fine)
                        rpc_reply_free(&reply);
        } else {
                fine = envelope_decode_request(body, len, &request, &err) == 0;
                ck_assert(!fine || (request.method && request.args && request.context && request.version));
                rpc_request_free(&request);
        }
        if (!fine) {
                ck_assert_int_eq(err.code, ERR_PROTOCOL);
                ck_assert_uint_gt(strlen(err.text), 0);
        }
        free(body);
        return fine;
}

/* The inner message is damaged too: there the mistakes are that an intact envelope hides. */
static char *inner_text(const struct captured *c, size_t *ret_len)
{
        struct error err = {};
        struct jval CLEANUP(jval_unrefp) *outer = jval_parse(c->body, c->len, &err);
        const char *text = jval_get_text(outer, "oslo.message", NULL);

        ck_assert_ptr_nonnull(text);
        *ret_len = strlen(text);
        return xstrdup(text);
}

static void damage_all(bool inner, unsigned rounds)
{
        unsigned fine = 0, refused = 0;
        char *text = xmalloc(128 * 1024);

        for (unsigned i = 0; i < n_files; i++) {
                size_t whole_len = files[i].len;
                char *whole = inner ? inner_text(&files[i], &whole_len) : xmemdup(files[i].body, whole_len);

                for (unsigned round = 0; round < rounds; round++) {
                        size_t len = whole_len;

                        memcpy(text, whole, len);
                        for (unsigned n = 1 + next_random() % 4; n; n--)
                                len = damage(text, len);
                        if (survives(text, len, files[i].is_reply))
                                fine++;
                        else
                                refused++;
                }
                free(whole);
        }
        free(text);
        /* Both happen, else the damage is not what it says. */
        ck_assert_uint_gt(fine, 0);
        ck_assert_uint_gt(refused, fine);
}

START_TEST(damaged_bodies_kill_nothing)
{
        load_all();
        seed = 20261123;
        damage_all(false, 300);
        unload_all();
}
END_TEST

START_TEST(damaged_messages_kill_nothing)
{
        load_all();
        seed = 8472;
        damage_all(true, 300);
        unload_all();
}
END_TEST

GREEN_SUITE("envelope-captured", requests_are_understood, replies_are_understood,
            requests_go_round_without_loss, damaged_bodies_kill_nothing, damaged_messages_kill_nothing)
