/* What the scheduler is told of, when, and that nobody waits for it; the messages beside nova-compute's own.
 */
#include <stdio.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "compute/compute_priv.h"
#include "compute_fixture.h"
#include "green_test.h"
#include "messaging/envelope.h"
#include "messaging/transport.h"
#include "periodic.h"
#include "rpc/scheduler.h"

static struct compute_fixture f;
static struct error e;

/* ---- a scheduler that notes what it hears ---- */

static struct strbuf heard;
static int failure; /* what the next messages fail with */
static bool silent; /* the broker is away: nothing returns */

static int YIELDS hear(struct error *err)
{
        if (silent && green_sleep(1e6, err) < 0)
                return -1;
        return failure ? error_set(err, failure, "no broker") : 0;
}

static const char *uuid_of(const struct jval *instance)
{
        return jval_get_text(jval_get(instance, "nova_object.data"), "uuid", "?");
}

static int update(void *arg, const struct request_context *ctx, struct jval *instances, struct deadline by,
                  struct error *err)
{
        assert_green();
        strbuf_adds(&heard, "update");
        for (size_t n = 0; n < jval_len(instances); n++)
                strbuf_addf(&heard, " %.4s", uuid_of(jval_at(instances, n)));
        strbuf_addf(&heard, " for %s\n", ctx->user_id ? ctx->user_id : "itself");
        return hear(err);
}

static int delete (void *arg, const struct request_context *ctx, const char *uuid, struct deadline by,
                   struct error *err)
{
        assert_green();
        ck_assert(ctx->is_admin);
        strbuf_addf(&heard, "delete %.4s\n", uuid);
        return hear(err);
}

static int sync(void *arg, const struct request_context *ctx, const struct uuid_text *uuids, unsigned n,
                struct deadline by, struct error *err)
{
        assert_green();
        strbuf_adds(&heard, "sync");
        for (unsigned k = 0; k < n; k++)
                strbuf_addf(&heard, " %.4s", uuids[k].text);
        strbuf_adds(&heard, "\n");
        return hear(err);
}

static const struct scheduler_ops ops = { update, delete, sync };

/* ---- a manager that has it; B is there from the start ---- */

static void YIELDS begin(bool track)
{
        failure = 0;
        silent = false;
        fake_store_reset();
        fake_files_reset();
        compute_fixture_defaults(&f);
        f.scheduler = &ops;
        f.conf.filter_scheduler.track_instance_changes = track;
        compute_fixture_make(&f);
        compute_fixture_instance(&f, UUID_B, VM_ACTIVE, TASK_NONE, POWER_RUNNING);
        ck_assert_ok(compute_init_host(f.m, NULL, NULL, deadline_in_s(10), &e), e);
        ck_assert_ok(compute_audit(f.m, deadline_in_s(10), &e), e);
        ck_assert_ok(compute_start_periodic(f.m, &e), e);
        ck_assert_ok(green_sleep(1, &e), e);
}

static void YIELDS end(void)
{
        compute_fixture_stop(&f);
        strbuf_free(&heard);
        heard = (struct strbuf){};
}

static void ck_heard(const char *what)
{
        ck_assert_str_eq(heard.data ? heard.data : "", what);
        strbuf_free(&heard);
        heard = (struct strbuf){};
}

static void YIELDS build(const char *uuid)
{
        fake_store_add(uuid, VM_BUILDING, TASK_SCHEDULING);
        fake_store_add_action(uuid, REQ);
        ck_assert_ok(compute_build_and_run(f.m, compute_fixture_build(uuid, NULL), &e), e);
        compute_fixture_settle(&f);
}

static void YIELDS terminate(const char *uuid)
{
        struct compute_call c = compute_fixture_call(&f, uuid);

        ck_assert_ok(compute_terminate(f.m, &c, &e), e);
}

GREEN_TEST(all_are_told_at_the_start_then_what_comes_and_goes)
{
        begin(true);
        ck_heard("update bbbb for itself\n");
        build(UUID_A);
        ck_heard("update aaaa for user-1\n");
        terminate(UUID_B);
        terminate(UUID_A);
        ck_assert_ok(green_sleep(1, &e), e);
        ck_heard("delete bbbb\ndelete aaaa\n");
        end();
}

GREEN_TEST(a_build_that_fails_is_not_told)
{
        begin(true);
        ck_heard("update bbbb for itself\n");
        virt_fake_fail_next(f.driver, "spawn", NOVA_LIBVIRT_ERROR, "no");
        build(UUID_A);
        ck_heard("");
        end();
}

GREEN_TEST(each_two_minutes_the_list_is_told)
{
        begin(true);
        ck_heard("update bbbb for itself\n");
        ck_assert_ok(green_sleep(118, &e), e);
        ck_heard("");
        ck_assert_ok(green_sleep(10, &e), e);
        ck_heard("sync bbbb\n");
        end();
}

GREEN_TEST(a_broker_that_is_away_holds_up_nothing)
{
        begin(true);
        silent = true;
        build(UUID_A);
        ck_assert_int_eq(fake_store_row(UUID_A)->vm_state, VM_ACTIVE);
        ck_assert_ok(green_sleep(3600, &e), e); /* synchronisations do not pile up meanwhile */
        terminate(UUID_A);
        ck_assert_ptr_null(fake_store_row(UUID_A));
        ck_heard("update bbbb for itself\nupdate aaaa for user-1\n");
        end();
}

GREEN_TEST(after_a_failure_it_goes_on_with_the_next)
{
        begin(true);
        failure = ERR_TIMEOUT;
        build(UUID_A);
        ck_assert_ok(green_sleep(1, &e), e);
        failure = 0;
        terminate(UUID_A);
        ck_assert_ok(green_sleep(130, &e), e);
        ck_heard("update bbbb for itself\nupdate aaaa for user-1\ndelete aaaa\nsync bbbb\n");
        end();
}

GREEN_TEST(the_queue_has_a_bound_and_the_next_synchronisation_makes_up)
{
        struct request_context ctx = {};

        begin(true);
        ck_heard("update bbbb for itself\n");
        request_context_admin(&ctx);
        for (int n = 0; n < 5000; n++)
                scheduler_deleted(f.m, &ctx, UUID_A);
        ck_assert_ok(green_sleep(1, &e), e);
        ck_assert_uint_eq(heard.len, 1000 * strlen("delete aaaa\n"));
        ck_assert_ok(green_sleep(130, &e), e);
        ck_assert_str_eq(heard.data + 1000 * strlen("delete aaaa\n"), "sync bbbb\n");
        request_context_free(&ctx);
        end();
}

/* The broker is away for longer than two minutes meanwhile, and comes back. */
GREEN_TEST(a_full_queue_still_takes_the_synchronisation)
{
        struct request_context ctx = {};

        begin(true);
        silent = true;
        request_context_admin(&ctx);
        scheduler_deleted(f.m, &ctx, UUID_A);
        ck_assert_ok(green_sleep(1, &e), e); /* that one is being told and takes no room */
        for (int n = 0; n < 5000; n++)
                scheduler_deleted(f.m, &ctx, UUID_A);
        ck_assert_ok(green_sleep(130, &e), e); /* a synchronisation is noted */
        silent = false;
        strbuf_truncate(&heard, 0);
        ck_assert_ok(green_sleep(2e6, &e), e);
        ck_assert_ptr_nonnull(strstr(heard.data, "sync bbbb\n"));
        request_context_free(&ctx);
        end();
}

static char idle[80];

static void find_idle(const struct periodic_info *info, void *arg)
{
        if (strcmp(info->task, "sync_scheduler_instance_info") == 0)
                snprintf(idle, sizeof(idle), "%s", info->idle ? info->idle : "(at work)");
}

GREEN_TEST(it_can_be_turned_off)
{
        begin(false);
        build(UUID_A);
        terminate(UUID_A);
        ck_assert_ok(green_sleep(500, &e), e);
        ck_heard("");
        compute_foreach_periodic(f.m, find_idle, NULL);
        ck_assert_str_eq(idle, "track_instance_changes is false");
        end();
        begin(true);
        compute_foreach_periodic(f.m, find_idle, NULL);
        ck_assert_str_eq(idle, "(at work)");
        end();
}

/* ---- the messages ---- */

static struct rpc_request sent;
static struct agent_methods methods;

static int note_publish(struct transport *t, const struct transport_target *to, const char *body, size_t len,
                        struct deadline by, struct error *err)
{
        ck_assert(to->fanout);
        ck_assert_str_eq(to->topic, "scheduler");
        rpc_request_free(&sent);
        return envelope_decode_request(body, len, &sent, err);
}

static const struct transport_ops transport_ops = { .scheme = "note", .publish = note_publish };
static struct transport transport = { &transport_ops };

static struct rpc_request captured(const char *name)
{
        CLEANUP(freep) char *path = xasprintf("%s/scheduler/%s.json", TEST_DATA, name);
        static char body[65536];
        struct rpc_request r = {};
        FILE *file = fopen(path, "re");
        size_t len;

        ck_assert_msg(file != NULL, "%s", path);
        len = fread(body, 1, sizeof(body), file);
        fclose(file);
        ck_assert_ok(envelope_decode_request(body, len, &r, &e), e);
        return r;
}

static int has_key(const char *key, struct jval *v, void *arg)
{
        ck_assert_msg(jval_get(arg, key) != NULL, "%s is missing", key);
        return 0;
}

/* The message that was sent is like nova-compute's of the same name. */
static void ck_like_nova(const char *name)
{
        struct rpc_request nova = captured(name);

        ck_assert_str_eq(sent.method, nova.method);
        ck_assert_str_eq(sent.version, nova.version);
        ck_assert_ptr_null(sent.ns);
        ck_assert_ptr_null(sent.msg_id);
        jval_foreach(nova.args, has_key, sent.args);
        ck_assert_uint_eq(jval_len(sent.args), jval_len(nova.args));
        jval_foreach(nova.context, has_key, sent.context);
        ck_assert_uint_eq(jval_len(sent.context), jval_len(nova.context));
        ck_assert_str_eq(jval_get_text(sent.args, "host_name", ""), "lab-compute");
        rpc_request_free(&nova);
}

GREEN_TEST(the_messages_are_those_of_nova_compute)
{
        const struct uuid_text uuids[] = { { UUID_A }, { UUID_B } };
        CLEANUP(request_context_free) struct request_context ctx = {};
        CLEANUP(jval_unrefp) struct jval *list = jval_new_array();
        const struct jval *object;

        methods = (struct agent_methods){ .transport = &transport,
                                          .control_exchange = "nova",
                                          .host = "lab-compute" };
        request_context_admin(&ctx);
        ctx.auth_token = xstrdup("s3cret");
        ctx.roles = xstrdup("member,reader");
        ck_assert_ok(rpc_scheduler_ops.delete_instance_info(&methods, &ctx, UUID_A, deadline_in_s(1), &e), e);
        ck_like_nova("delete_instance_info");
        ck_assert_str_eq(jval_get_text(sent.args, "instance_uuid", ""), UUID_A);
        ck_assert(jval_is_null(jval_get(sent.context, "auth_token"))); /* not theirs to have */
        ck_assert_str_eq(jval_text(jval_at(jval_get(sent.context, "roles"), 2), ""), "admin");

        ck_assert_ok(rpc_scheduler_ops.sync_instance_info(&methods, &ctx, uuids, 2, deadline_in_s(1), &e), e);
        ck_like_nova("sync_instance_info");
        ck_assert_str_eq(jval_text(jval_at(jval_get(sent.args, "instance_uuids"), 1), ""), UUID_B);

        jval_push(list, jval_new_object());
        ck_assert_ok(rpc_scheduler_ops.update_instance_info(&methods, &ctx, list, deadline_in_s(1), &e), e);
        ck_like_nova("update_instance_info");
        object = jval_get(sent.args, "instance_info");
        ck_assert_str_eq(jval_get_text(object, "nova_object.name", ""), "InstanceList");
        ck_assert_str_eq(jval_get_text(object, "nova_object.version", ""), "2.6");
        ck_assert_uint_eq(jval_len(jval_get(jval_get(object, "nova_object.data"), "objects")), 1);
        rpc_request_free(&sent);
        sent = (struct rpc_request){};

        methods.transport = NULL; /* it is being stopped */
        ck_assert_fails(rpc_scheduler_ops.sync_instance_info(&methods, &ctx, uuids, 2, deadline_in_s(1), &e),
                        e, ERR_CLOSED);
}

GREEN_SUITE("compute-scheduler", all_are_told_at_the_start_then_what_comes_and_goes,
            a_build_that_fails_is_not_told, each_two_minutes_the_list_is_told,
            a_broker_that_is_away_holds_up_nothing, after_a_failure_it_goes_on_with_the_next,
            the_queue_has_a_bound_and_the_next_synchronisation_makes_up,
            a_full_queue_still_takes_the_synchronisation, it_can_be_turned_off,
            the_messages_are_those_of_nova_compute)
