/*
 * tests/unit/agent/test_placement.c: the client against recorded conversations of nova-compute with
 * placement, and against servers in a bad mood.
 */
#include "fake_keystone.h"
#include "peers/placement.h"

#define HOST  "1aeb40de-2f89-4592-937b-87071fc71407"
#define FRESH "e4269e4d-aa93-4854-81b1-1b3afd6a5ddf"

static struct fake_keystone f;
static struct service *service;
static struct placement *p;
static struct error e;

/* ---- a recorded conversation ---- */

struct conversation {
        struct jval *lines;
        size_t at;
        char *text; /* of the last answer */
        /* The next so many writes to a provider are answered with this instead. */
        unsigned conflicts;
        int conflict_status;
        const char *conflict_body;
        unsigned reads, writes;
};
static struct conversation c;

static bool same(const struct jval *a, const struct jval *b);

struct pair {
        const struct jval *other;
        bool differs;
};

static int same_member(const char *key, struct jval *v, void *arg)
{
        struct pair *pair = arg;

        pair->differs |= !jval_get(pair->other, key) || !same(v, jval_get(pair->other, key));
        return pair->differs;
}

/* Arrays are sets here. */
static bool same(const struct jval *a, const struct jval *b)
{
        struct pair pair = { b };
        bool numbers = jval_type(a) == JVAL_REAL || jval_type(b) == JVAL_REAL;

        if (!numbers && jval_type(a) != jval_type(b))
                return false;
        if (jval_type(a) == JVAL_OBJECT || jval_type(a) == JVAL_ARRAY)
                if (jval_len(a) != jval_len(b))
                        return false;
        switch (jval_type(a)) {
        case JVAL_OBJECT:
                jval_foreach(a, same_member, &pair);
                return !pair.differs;
        case JVAL_ARRAY:
                for (size_t i = 0; i < jval_len(a); i++) {
                        bool found = false;

                        for (size_t n = 0; n < jval_len(b) && !found; n++)
                                found = same(jval_at(a, i), jval_at(b, n));
                        if (!found)
                                return false;
                }
                return true;
        case JVAL_TEXT:
                return strcmp(jval_text(a, ""), jval_text(b, "")) == 0;
        case JVAL_BOOL:
                return jval_bool(a, false) == jval_bool(b, false);
        default:
                return jval_real(a, 0) == jval_real(b, 0);
        }
}

/* "name=in:A,B" and "name=in:B,A" are the same. */
static struct jval *words_of(const char *query)
{
        struct jval *words = jval_new_array();

        while (*query) {
                size_t len = strcspn(query, ":,");

                jval_push(words, jval_new_textn(query, len));
                query += len + strspn(query + len, ":,");
        }
        return words;
}

static void check_path(const char *path, const struct jval *line)
{
        const char *query = strchr(path, '?') ? strchr(path, '?') + 1 : "";
        size_t len = strcspn(path, "?");
        CLEANUP(jval_unrefp) struct jval *asked = words_of(query);
        CLEANUP(jval_unrefp) struct jval *expected = words_of(jval_get_text(line, "query", ""));
        const char *want = jval_get_text(line, "path", "");

        ck_assert_msg(strlen(want) == len && memcmp(path, want, len) == 0, "%s, expected %s", path, want);
        ck_assert_msg(same(asked, expected), "%s, expected ?%s", path, jval_get_text(line, "query", ""));
}

static void check_body(const struct http_seen *seen, const struct jval *line)
{
        const struct jval *want = jval_get(line, "request");
        CLEANUP(jval_unrefp) struct jval *body = NULL;

        if (jval_is_null(want)) {
                ck_assert_str_eq(seen->body, "");
                return;
        }
        body = jval_parse(seen->body, seen->body_len, &e);
        ck_assert_msg(same(body, want), "%s %s: body is %s", seen->method, seen->path, seen->body);
}

static void check_version(const struct http_seen *seen, const struct jval *line)
{
        CLEANUP(freep) char *version = http_seen_header(seen, "OpenStack-API-Version");
        const char *want = jval_get_text(line, "microversion", "none");

        ck_assert_msg(strcmp(version ? version : "none", want) == 0, "%s %s: %s, expected %s", seen->method,
                      seen->path, version ? version : "none", want);
}

static void play(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        struct http_seen s = *seen;
        const struct jval *line;

        (void)arg;
        ck_assert_msg(strncmp(s.path, "/p/", 3) == 0, "%s", s.path);
        s.path += 2;
        if (strcmp(s.method, "GET") == 0)
                c.reads++;
        else
                c.writes++;
        if (c.conflicts > 0 && strcmp(s.method, "PUT") == 0) {
                c.conflicts--;
                *ret = (struct http_answer){ .status = c.conflict_status, .body = c.conflict_body };
                c.at = 0; /* and the client begins anew */
                return;
        }
        line = jval_at(c.lines, c.at++);
        ck_assert_msg(line != NULL, "%s %s comes after the end", s.method, s.path);
        ck_assert_str_eq(s.method, jval_get_text(line, "method", ""));
        check_path(s.path, line);
        check_version(&s, line);
        check_body(&s, line);
        free(c.text);
        c.text = jval_is_null(jval_get(line, "response")) ? NULL
                                                          : jval_print(jval_get(line, "response"), NULL);
        *ret = (struct http_answer){ .status = (int)jval_get_int(line, "status", 0), .body = c.text };
}

static void load(const char *name)
{
        CLEANUP(freep) char *path = xasprintf(TEST_DATA "/placement/%s.json", name);
        static char text[65536];
        FILE *file = fopen(path, "re");
        size_t len;

        ck_assert_msg(file != NULL, "%s", path);
        len = fread(text, 1, sizeof(text), file);
        fclose(file);
        jval_unref(c.lines);
        c.lines = jval_parse(text, len, &e);
        ck_assert_msg(c.lines != NULL, "%s", e.text);
        c.at = 0;
}

static void expect_whole_conversation(void)
{
        ck_assert_uint_eq(c.at, jval_len(c.lines));
}

static void HUB_ONLY set_up(http_handler *handler)
{
        struct service_options opt = { .type = "placement", .region = "one" };
        struct placement_options popt = { .refresh_s = 300 };

        fake_keystone_start(&f, handler, NULL);
        opt.keystone = f.keystone;
        opt.http = f.http;
        popt.service = service = service_new(&opt);
        p = placement_new(&popt);
}

static void HUB_ONLY tear_down(void)
{
        placement_free(p);
        service_free(service);
        fake_keystone_stop(&f);
        jval_unref(c.lines);
        free(c.text);
}

/* ---- what the host of the recordings has ---- */

enum { TRAITS_MAX = 64 };
static const char *traits[TRAITS_MAX + 1];
static const char *owned[TRAITS_MAX + 2];
static struct placement_inventory inventories[] = { { "VCPU", 2, 0, 16.0 },
                                                    { "MEMORY_MB", 8538, 512, 1.5 },
                                                    { "DISK_GB", 251, 0, 1.0 },
                                                    { "PCPU", 0, 0, 1.0 } };
static struct placement_host host = {
        .name = "vm", .inventories = inventories, .n_inventories = 4, .traits = traits, .owned = owned
};

/* Those of the recorded line with this request, or this answer. */
static void take_traits(const char *side)
{
        const struct jval *list = NULL;

        for (size_t i = 0; i < jval_len(c.lines); i++)
                if (jval_get(jval_get(jval_at(c.lines, i), side), "traits"))
                        list = jval_get(jval_get(jval_at(c.lines, i), side), "traits");
        ck_assert_uint_gt(jval_len(list), 0);
        ck_assert_uint_le(jval_len(list), TRAITS_MAX);
        for (size_t i = 0; i < jval_len(list); i++)
                owned[i] = traits[i] = strdup(jval_text(jval_at(list, i), ""));
        owned[jval_len(list)] = TRAIT_STATUS_DISABLED;
}

static int YIELDS report(void)
{
        e = (struct error){};
        return placement_report(p, &host, deadline_in_s(20), &e);
}

GREEN_TEST_REAL(a_first_start_says_what_nova_says)
{
        set_up(play);
        load("first_start");
        take_traits("request");
        host.uuid = FRESH;
        ck_assert_ok(report(), e);
        expect_whole_conversation();

        ck_assert_ok(report(), e); /* nothing new: nothing is sent */
        ck_assert_uint_eq(f.server.requests, 1 + 5);
        tear_down();
}

GREEN_TEST_REAL(a_changed_amount_of_memory_is_all_that_is_written)
{
        set_up(play);
        load("changed_memory");
        take_traits("response");
        host.uuid = HOST;
        ck_assert_ok(report(), e);
        expect_whole_conversation();
        ck_assert_uint_eq(c.writes, 1);
        tear_down();
}

GREEN_TEST_REAL(after_a_reload_it_is_read_again)
{
        unsigned long before;

        set_up(play);
        load("changed_memory");
        take_traits("response");
        host.uuid = HOST;
        ck_assert_ok(report(), e);
        before = f.server.requests;
        ck_assert_ok(report(), e);
        ck_assert_uint_eq(f.server.requests, before);
        placement_set_refresh(p, 300);
        load("changed_memory");
        ck_assert_ok(report(), e);
        expect_whole_conversation();
        tear_down();
}

#define CONFLICT                                                                                  \
        "{\"errors\": [{\"status\": 409, \"detail\": \"resource provider generation conflict\", " \
        "\"code\": \"placement.concurrent_update\"}]}"
#define IN_USE                                                                    \
        "{\"errors\": [{\"status\": 409, \"detail\": \"VCPU in use\", \"code\": " \
        "\"placement.inventory.inuse\"}]}"

GREEN_TEST_REAL(an_old_generation_makes_it_begin_anew)
{
        set_up(play);
        load("changed_memory");
        take_traits("response");
        host.uuid = HOST;
        c.conflicts = 3;
        c.conflict_status = 409;
        c.conflict_body = CONFLICT;
        ck_assert_ok(report(), e);
        expect_whole_conversation();
        ck_assert_uint_eq(c.writes, 4);
        ck_assert_uint_eq(c.reads, 4 * 4); /* tree, inventories, aggregates and traits each time */
        tear_down();
}

GREEN_TEST_REAL(after_four_conflicts_the_next_audit_goes_on)
{
        set_up(play);
        load("changed_memory");
        take_traits("response");
        host.uuid = HOST;
        c.conflicts = 99;
        c.conflict_status = 409;
        c.conflict_body = CONFLICT;
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_BUSY);
        ck_assert_uint_eq(c.writes, 4);
        ck_assert_ptr_nonnull(strstr(e.text, "generation conflict"));
        c.conflicts = 0;
        ck_assert_ok(report(), e);
        expect_whole_conversation();
        tear_down();
}

static void YIELDS expect_one_write(int status, const char *body, int code)
{
        c.conflicts = 99;
        c.conflict_status = status;
        c.conflict_body = body;
        c.writes = 0;
        c.at = 0;
        ck_assert_int_eq(report(), -1);
        ck_assert_msg(e.code == code, "%d: code %d: %s", status, e.code, e.text);
        ck_assert_uint_eq(c.writes, 1);
}

GREEN_TEST_REAL(what_is_in_use_or_out_of_order_is_not_tried_again)
{
        set_up(play);
        load("changed_memory");
        take_traits("response");
        host.uuid = HOST;
        expect_one_write(409, IN_USE, ERR_BUSY);
        ck_assert_ptr_nonnull(strstr(e.text, "VCPU in use"));
        expect_one_write(500, "oops", ERR_BUSY);
        expect_one_write(503, "", ERR_BUSY);
        expect_one_write(429, "slow down", ERR_BUSY);
        expect_one_write(400, "{\"errors\": [{\"detail\": \"bad\"}]}", ERR_INVALID);
        expect_one_write(200, "{}", ERR_PROTOCOL);
        expect_one_write(200, "[", ERR_PROTOCOL);
        tear_down();
}

GREEN_TEST_REAL(disabling_and_enabling_changes_one_trait)
{
        set_up(play);
        load("disable");
        ck_assert_ok(placement_set_disabled(p, HOST, true, deadline_in_s(20), &e), e);
        expect_whole_conversation();
        load("enable");
        ck_assert_ok(placement_set_disabled(p, HOST, false, deadline_in_s(20), &e), e);
        expect_whole_conversation();

        c.at = 0;
        c.conflicts = 2;
        c.conflict_status = 409;
        c.conflict_body = CONFLICT;
        ck_assert_ok(placement_set_disabled(p, HOST, false, deadline_in_s(20), &e), e);
        expect_whole_conversation();
        tear_down();
}

GREEN_TEST_REAL(a_deleted_instance_gives_back_what_it_held)
{
        struct placement_consumer *all;
        unsigned n;

        set_up(play);
        load("delete_instance");
        ck_assert_ok(placement_consumers(p, HOST, &all, &n, deadline_in_s(20), &e), e);
        ck_assert_uint_eq(n, 1);
        ck_assert_str_eq(all[0].uuid, "a14cc8ca-2568-44fe-8878-257bd1a1988d");
        ck_assert_ok(placement_allocation_count(p, all[0].uuid, &n, deadline_in_s(20), &e), e);
        ck_assert_uint_eq(n, 1);
        ck_assert_ok(placement_allocation_delete(p, all[0].uuid, deadline_in_s(20), &e), e);
        expect_whole_conversation();
        free(all);
        tear_down();
}

GREEN_TEST_REAL(an_allocation_is_cleared_with_its_generation)
{
        static const char migration[] = "2c13f05f-7337-4bfa-b8af-d7ff375cfea1";

        set_up(play);
        load("clear_allocation");
        ck_assert_ok(placement_allocation_clear(p, migration, deadline_in_s(20), &e), e);
        expect_whole_conversation();
        c.at = 0;
        c.conflicts = 1;
        c.conflict_status = 409;
        c.conflict_body = CONFLICT;
        ck_assert_fails(placement_allocation_clear(p, migration, deadline_in_s(20), &e), e, ERR_BUSY);
        tear_down();
}

GREEN_TEST_REAL(an_allocation_is_moved_with_both_generations)
{
        static const char migration[] = "0d32488c-52fe-40d9-ae11-c82d2f84fbce";
        static const char instance[] = "8cc20bd3-60aa-4ad9-85cc-9d43981d6a83";

        set_up(play);
        load("move_allocation");
        ck_assert_ok(placement_allocation_move(p, migration, instance, deadline_in_s(20), &e), e);
        expect_whole_conversation();
        tear_down();
}

/* ---- single answers ---- */

static struct http_answer next;

static void say_next(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        (void)seen;
        (void)arg;
        *ret = next;
}

GREEN_TEST_REAL(what_is_gone_already_is_fine)
{
        unsigned n = 7;

        set_up(say_next);
        next = (struct http_answer){ .status = 404, .body = "{\"errors\": [{\"detail\": \"none\"}]}" };
        ck_assert_ok(placement_allocation_delete(p, HOST, deadline_in_s(20), &e), e);
        ck_assert_ok(placement_provider_delete(p, HOST, deadline_in_s(20), &e), e);
        ck_assert_fails(placement_set_disabled(p, HOST, true, deadline_in_s(20), &e), e, ERR_NOT_FOUND);
        next = (struct http_answer){ .body = "{\"allocations\": {}}" };
        ck_assert_ok(placement_allocation_count(p, HOST, &n, deadline_in_s(20), &e), e);
        ck_assert_uint_eq(n, 0);
        ck_assert_ok(placement_allocation_clear(p, HOST, deadline_in_s(20), &e), e);
        ck_assert_ok(placement_allocation_move(p, HOST, FRESH, deadline_in_s(20), &e), e);
        next = (struct http_answer){ .status = 409,
                                     .body = "{\"errors\": [{\"detail\": \"has allocations\"}]}" };
        ck_assert_fails(placement_provider_delete(p, HOST, deadline_in_s(20), &e), e, ERR_BUSY);
        tear_down();
}

GREEN_TEST_REAL(answers_of_another_shape_are_protocol_errors)
{
        struct placement_consumer *all;
        unsigned n;

        set_up(say_next);
        host.uuid = HOST;
        next = (struct http_answer){ .body = "[]" };
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_PROTOCOL);
        ck_assert_fails(placement_consumers(p, HOST, &all, &n, deadline_in_s(20), &e), e, ERR_PROTOCOL);
        ck_assert_fails(placement_allocation_count(p, HOST, &n, deadline_in_s(20), &e), e, ERR_PROTOCOL);
        ck_assert_fails(placement_allocation_move(p, HOST, FRESH, deadline_in_s(20), &e), e, ERR_PROTOCOL);
        ck_assert_fails(placement_set_disabled(p, HOST, true, deadline_in_s(20), &e), e, ERR_PROTOCOL);
        next = (struct http_answer){
                .body = "{\"traits\": 1, \"inventories\": [], \"resource_providers\": [{\"uuid\": "
                        "\"" HOST "\", \"generation\": 1}]}"
        };
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_PROTOCOL);
        tear_down();
}

/* A placement without providers, where the name is taken. */
static void name_is_taken(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        (void)arg;
        if (strcmp(seen->method, "POST"))
                *ret = (struct http_answer){ .body = "{\"resource_providers\": []}" };
        else
                *ret = (struct http_answer){
                        .status = 409,
                        .body = "{\"errors\": [{\"detail\": \"Conflicting resource provider "
                                "name: vm already exists.\"}]}"
                };
}

GREEN_TEST_REAL(a_name_that_another_provider_has_is_told)
{
        set_up(name_is_taken);
        host.uuid = FRESH;
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(e.text, "another provider is called"));
        ck_assert_ptr_nonnull(strstr(e.text, "openstack resource provider list --name"));
        tear_down();
}

/* Placement has a trait of somebody else's and one of ours that is not true any more, and misses a custom
 * one. */
static char put_body[512], made[64];

static void mixed_traits(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        (void)arg;
        *ret = (struct http_answer){
                .body = "{\"aggregates\": [], \"inventories\": {}, \"traits\": [\"CUSTOM_THEIRS\", "
                        "\"COMPUTE_OLD\"], \"resource_provider_generation\": 4, "
                        "\"resource_providers\": [{\"uuid\": \"" HOST "\", \"generation\": 4}]}"
        };
        if (strcmp(seen->method, "PUT") == 0 && strncmp(seen->path, "/p/traits/", 10) == 0) {
                snprintf(made, sizeof(made), "%s", seen->path);
                *ret = (struct http_answer){ .status = 201 };
        } else if (strcmp(seen->method, "PUT") == 0) {
                snprintf(put_body, sizeof(put_body), "%s", seen->body);
                ret->body = "{\"traits\": [\"CUSTOM_THEIRS\", \"CUSTOM_OURS\"], "
                            "\"resource_provider_generation\": 5}";
        }
}

GREEN_TEST_REAL(traits_of_others_stay_and_missing_ones_are_made)
{
        static const char *const mine[] = { "CUSTOM_OURS", "HW_CPU_X86_NEXT", NULL };
        static const char *const all_mine[] = { "CUSTOM_OURS", "COMPUTE_OLD", "HW_CPU_X86_NEXT", NULL };
        struct placement_host h = { .uuid = HOST, .name = "vm", .traits = mine, .owned = all_mine };
        unsigned j;

        set_up(mixed_traits);
        ck_assert_ok(placement_report(p, &h, deadline_in_s(20), &e), e);
        ck_assert_str_eq(made, "/p/traits/CUSTOM_OURS");
        ck_assert_str_eq(
                put_body,
                "{\"resource_provider_generation\":4,\"traits\":[\"CUSTOM_THEIRS\",\"CUSTOM_OURS\"]}");
        /* A trait of another release is no reason to tell nothing, nor to ask again each time. */
        ck_assert_str_eq(placement_unknown_traits(p), "HW_CPU_X86_NEXT ");
        j = f.server.requests;
        ck_assert_ok(placement_report(p, &h, deadline_in_s(20), &e), e);
        ck_assert_uint_eq(f.server.requests, j);
        tear_down();
}

GREEN_TEST_REAL(a_silent_placement_costs_the_deadline_only)
{
        set_up(say_next);
        host.uuid = HOST;
        next = (struct http_answer){ .way = HTTP_SILENT };
        e = (struct error){};
        ck_assert_int_eq(placement_report(p, &host, deadline_in_ms(200), &e), -1);
        ck_assert_int_eq(e.code, ERR_TIMEOUT);
        next = (struct http_answer){ .way = HTTP_HANG_UP };
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_CLOSED);
        next = (struct http_answer){ .way = HTTP_CUT, .body = "{\"resource_providers\": []}" };
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_CLOSED);
        tear_down();
}

GREEN_TEST_REAL(answers_without_bound_and_redirects_in_a_circle_end)
{
        static char much[HTTP_BODY_MAX + 2];

        memset(much, ' ', sizeof(much) - 1);
        set_up(say_next);
        host.uuid = HOST;
        next = (struct http_answer){ .body = much };
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_LIMIT);
        next = (struct http_answer){ .status = 302, .headers = "Location: /p/again\r\n" };
        ck_assert_int_eq(report(), -1);
        ck_assert_int_eq(e.code, ERR_PROTOCOL);
        tear_down();
}

/* A provider whose ratio an operator changed in placement. */
static void ratio_is_set(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        (void)arg;
        *ret = (struct http_answer){
                .body = "{\"aggregates\": [], \"traits\": [], \"resource_provider_generation\": 4, "
                        "\"inventories\": {\"VCPU\": {\"total\": 2, \"allocation_ratio\": 3.5}}, "
                        "\"resource_providers\": [{\"uuid\": \"" HOST "\", \"generation\": 4}]}"
        };
        if (strcmp(seen->method, "PUT") == 0)
                snprintf(put_body, sizeof(put_body), "%s", seen->body);
}

GREEN_TEST_REAL(a_ratio_is_configured_or_placements_or_the_initial_one)
{
        static const char *const none[] = { NULL };
        struct placement_inventory in[] = { { "VCPU", 4, 0, 0, 16.0 }, { "MEMORY_MB", 64, 0, 0, 1.5 } };
        struct placement_host h = { .uuid = HOST,
                                    .name = "vm",
                                    .inventories = in,
                                    .n_inventories = 2,
                                    .traits = none,
                                    .owned = none };

        set_up(ratio_is_set);
        ck_assert_ok(placement_report(p, &h, deadline_in_s(20), &e), e);
        ck_assert_msg(strstr(put_body, "\"step_size\":1,\"allocation_ratio\":3.5"), "%s", put_body);
        ck_assert_msg(strstr(put_body, "\"step_size\":1,\"allocation_ratio\":1.5"), "%s", put_body);
        in[0].allocation_ratio = 2;
        ck_assert_ok(placement_report(p, &h, deadline_in_s(20), &e), e);
        ck_assert_msg(strstr(put_body, "\"step_size\":1,\"allocation_ratio\":2.0"), "%s", put_body);
        tear_down();
}

/* An instance that was evacuated holds something here and there. */
static void two_providers(const struct http_seen *seen, struct http_answer *ret, void *arg)
{
        (void)arg;
        *ret = (struct http_answer){
                .body = "{\"allocations\": {\"" HOST "\": {\"resources\": {\"VCPU\": 1}}, \"" FRESH
                        "\": {\"resources\": {\"VCPU\": 1}}}, \"consumer_generation\": 3, "
                        "\"project_id\": \"p\", \"user_id\": \"u\"}"
        };
        if (strcmp(seen->method, "PUT") == 0) {
                snprintf(put_body, sizeof(put_body), "%s", seen->body);
                *ret = (struct http_answer){ .status = next.status };
        }
}

GREEN_TEST_REAL(an_evacuated_instance_keeps_what_it_holds_elsewhere)
{
        set_up(two_providers);
        next.status = 204;
        ck_assert_ok(placement_allocation_leave(p, HOST, FRESH, deadline_in_s(20), &e), e);
        ck_assert_str_eq(put_body, "{\"allocations\":{\"" HOST "\":{\"resources\":{\"VCPU\":1}}},"
                                   "\"consumer_generation\":3,\"project_id\":\"p\",\"user_id\":\"u\"}");
        put_body[0] = '\0';
        ck_assert_ok(placement_allocation_leave(p, HOST, "another", deadline_in_s(20), &e), e);
        ck_assert_str_eq(put_body, ""); /* it holds nothing there: nothing is written */
        next.status = 409;
        ck_assert_fails(placement_allocation_leave(p, HOST, HOST, deadline_in_s(20), &e), e, ERR_BUSY);
        tear_down();
}

GREEN_SUITE("placement", a_first_start_says_what_nova_says, after_a_reload_it_is_read_again,
            a_changed_amount_of_memory_is_all_that_is_written, an_old_generation_makes_it_begin_anew,
            after_four_conflicts_the_next_audit_goes_on, what_is_in_use_or_out_of_order_is_not_tried_again,
            disabling_and_enabling_changes_one_trait, a_deleted_instance_gives_back_what_it_held,
            an_allocation_is_cleared_with_its_generation, an_allocation_is_moved_with_both_generations,
            what_is_gone_already_is_fine, answers_of_another_shape_are_protocol_errors,
            a_name_that_another_provider_has_is_told, traits_of_others_stay_and_missing_ones_are_made,
            a_silent_placement_costs_the_deadline_only,
            a_ratio_is_configured_or_placements_or_the_initial_one,
            an_evacuated_instance_keeps_what_it_holds_elsewhere,
            answers_without_bound_and_redirects_in_a_circle_end)
