/* agent/store against a real database: instances as nova's objects, beside one that nova-compute sent. */
#include <stdio.h>

#include "json/json.h"
#include "messaging/envelope.h"
#include "store_fixture.h"

static struct error e;

static struct instance *YIELDS our_instance(struct desk *desk, const char *name)
{
        struct instance *i = new_instance_named(&desk->store, name);

        replace_str(&i->host, "lab-compute");
        ck_assert_ok(store_instance_save(&desk->store, i, COL_HOST, EXPECT_ANY, soon(), &e), e);
        return i;
}

static struct jval *YIELDS object_of(struct desk *desk, const char *uuid)
{
        CLEANUP(jval_unrefp) struct jval *list = NULL;

        ck_assert_ok(store_instance_objects(&desk->store, uuid, 1, NULL, &list, soon(), &e), e);
        ck_assert_uint_eq(jval_len(list), 1);
        return jval_ref(jval_at(list, 0));
}

/* ---- beside nova's ---- */

static struct jval *captured_instance(struct rpc_request *r)
{
        static char body[65536];
        FILE *file = fopen(TESTS "/data/scheduler/update_instance_info.json", "re");
        size_t len;

        ck_assert_ptr_nonnull(file);
        len = fread(body, 1, sizeof(body), file);
        fclose(file);
        ck_assert_ok(envelope_decode_request(body, len, r, &e), e);
        return jval_at(jval_get(jval_get(jval_get(r->args, "instance_info"), "nova_object.data"), "objects"),
                       0);
}

/* Where theirs is null or has more than an empty instance has, only that ours is there counts. */
static int looks_like(const char *key, struct jval *theirs, void *arg)
{
        struct jval *ours = jval_get(arg, key);

        if (strcmp(key, "ec2_ids") == 0) {
                ck_assert_ptr_null(ours); /* it comes from no row of an instance */
                return 0;
        }
        ck_assert_msg(ours != NULL, "%s is missing", key);
        if (!jval_is_null(ours) && !jval_is_null(theirs))
                ck_assert_msg(jval_type(ours) == jval_type(theirs), "%s is %s, nova has %s", key,
                              jval_type_name(jval_type(ours)), jval_type_name(jval_type(theirs)));
        if (jval_get(ours, "nova_object.name") && jval_get(theirs, "nova_object.name")) {
                ck_assert_str_eq(jval_get_text(ours, "nova_object.name", ""),
                                 jval_get_text(theirs, "nova_object.name", "?"));
                ck_assert_str_eq(jval_get_text(ours, "nova_object.version", ""),
                                 jval_get_text(theirs, "nova_object.version", "?"));
                jval_foreach(jval_get(theirs, "nova_object.data"), looks_like,
                             jval_get(ours, "nova_object.data"));
        }
        return 0;
}

STORE_TEST(an_object_has_all_that_novas_has)
{
        CLEANUP(instance_freep) struct instance *i = our_instance(desk, "web");
        CLEANUP(jval_unrefp) struct jval *ours = NULL;
        struct rpc_request r = {};
        struct jval *theirs = captured_instance(&r), *data, *their_data;

        ck_assert_ok(
                store_instance_extra_save(&desk->store, i->uuid,
                                          "{\"nova_object.name\": \"VirtCPUModel\", "
                                          "\"nova_object.namespace\": \"nova\", \"nova_object.version\": "
                                          "\"1.0\", \"nova_object.data\": {\"arch\": null, \"vendor\": "
                                          "null, \"topology\": null, \"features\": [], \"mode\": null, "
                                          "\"model\": null, \"match\": \"exact\"}}",
                                          soon(), &e),
                e);
        ours = object_of(desk, i->uuid);
        ck_assert_str_eq(jval_get_text(ours, "nova_object.name", ""), "Instance");
        ck_assert_str_eq(jval_get_text(ours, "nova_object.version", ""),
                         jval_get_text(theirs, "nova_object.version", "?"));
        data = jval_get(ours, "nova_object.data");
        their_data = jval_get(theirs, "nova_object.data");
        jval_foreach(their_data, looks_like, data);
        ck_assert_uint_eq(jval_len(data) + 1, jval_len(their_data));
        rpc_request_free(&r);
}

STORE_TEST(what_is_in_the_rows_is_in_the_object)
{
        CLEANUP(instance_freep) struct instance *i = our_instance(desk, "web");
        CLEANUP(jval_unrefp) struct jval *o = NULL;
        CLEANUP(freep)
        char *sql = xasprintf("INSERT INTO tags (resource_id, tag) VALUES ('%s', 'blue')", i->uuid);
        CLEANUP(freep)
        char *sql2 = xasprintf("INSERT INTO instance_metadata (instance_uuid, `key`, value, deleted) "
                               "VALUES ('%1$s', 'made-by', 'hand', 0), ('%1$s', 'old', 'x', 7)",
                               i->uuid);
        CLEANUP(freep)
        char *sql3 = xasprintf("UPDATE instances SET launched_at = '2026-11-23 08:44:30', "
                               "locked = 1, locked_by = 'admin', progress = 42 WHERE uuid = '%s'",
                               i->uuid);
        const struct jval *data;

        run(desk->here.pool, sql);
        run(desk->here.pool, sql2);
        run(desk->here.pool, sql3);
        o = object_of(desk, i->uuid);
        data = jval_get(o, "nova_object.data");
        ck_assert_str_eq(jval_get_text(data, "launched_at", ""), "2026-11-23T08:44:30Z");
        ck_assert(jval_is_null(jval_get(data, "terminated_at")));
        ck_assert(jval_get_bool(data, "locked", false));
        ck_assert_str_eq(jval_get_text(data, "locked_by", ""), "admin");
        ck_assert_int_eq(jval_get_int(data, "progress", 0), 42);
        ck_assert_str_eq(jval_get_text(data, "display_name", ""), "web");
        ck_assert(!jval_get_bool(data, "deleted", true));
        ck_assert_str_eq(jval_get_text(jval_get(data, "metadata"), "made-by", ""), "hand");
        ck_assert_uint_eq(jval_len(jval_get(data, "metadata")), 1);
        ck_assert_str_eq(jval_get_text(jval_get(data, "system_metadata"), "image_disk_format", ""), "raw");
        ck_assert_int_eq(jval_get_int(jval_get(jval_get(data, "flavor"), "nova_object.data"), "memory_mb", 0),
                         64);
        ck_assert_str_eq(
                jval_get_text(jval_get(jval_at(jval_get(jval_get(jval_get(data, "tags"), "nova_object.data"),
                                                        "objects"),
                                               0),
                                       "nova_object.data"),
                              "tag", ""),
                "blue");
}

STORE_TEST(rows_that_are_damaged_leave_out_what_cannot_be_read)
{
        CLEANUP(instance_freep) struct instance *i = our_instance(desk, "web");
        CLEANUP(jval_unrefp) struct jval *o = NULL;
        const struct jval *data;

        run(desk->here.pool, "UPDATE instance_extra SET flavor = '{oops', keypairs = '[', vcpu_model = '{'");
        run(desk->here.pool, "DELETE FROM instance_info_caches");
        o = object_of(desk, i->uuid);
        data = jval_get(o, "nova_object.data");
        ck_assert_ptr_null(jval_get(data, "flavor")); /* not loaded, which is not the same as none */
        ck_assert(jval_is_null(jval_get(data, "vcpu_model")));
        ck_assert_str_eq(
                jval_get_text(jval_get(jval_get(data, "info_cache"), "nova_object.data"), "network_info", ""),
                "[]");
}

/* ---- many ---- */

STORE_TEST(all_of_a_host_come_in_pages)
{
        CLEANUP(freep) struct uuid_text *uuids = NULL;
        unsigned n, pages = 0, total = 0;
        int64_t at = 0;

        for (int k = 0; k < 7; k++)
                instance_free(our_instance(desk, "web"));
        instance_free(new_instance_named(&desk->store, "elsewhere"));
        run(desk->here.pool, "UPDATE instances SET deleted = id WHERE id = 2");
        for (;;) {
                CLEANUP(jval_unrefp) struct jval *list = NULL;

                ck_assert_ok(store_instance_objects(&desk->store, NULL, 4, &at, &list, soon(), &e), e);
                if (jval_len(list) == 0)
                        break;
                pages++;
                total += (unsigned)jval_len(list);
        }
        ck_assert_uint_eq(pages, 2);
        ck_assert_uint_eq(total, 6);
        ck_assert_ok(store_instance_uuids(&desk->store, &uuids, &n, soon(), &e), e);
        ck_assert_uint_eq(n, 6);
        ck_assert_uint_eq(strlen(uuids[5].text), UUID_LEN);
}

STORE_TEST(an_instance_that_is_gone_or_elsewhere_is_none)
{
        CLEANUP(instance_freep) struct instance *i = new_instance_named(&desk->store, "elsewhere");
        CLEANUP(jval_unrefp) struct jval *list = NULL;

        ck_assert_ok(store_instance_objects(&desk->store, i->uuid, 1, NULL, &list, soon(), &e), e);
        ck_assert_uint_eq(jval_len(list), 0);
}

GREEN_SUITE("store-objects", an_object_has_all_that_novas_has, what_is_in_the_rows_is_in_the_object,
            rows_that_are_damaged_leave_out_what_cannot_be_read, all_of_a_host_come_in_pages,
            an_instance_that_is_gone_or_elsewhere_is_none)
