/*
 * tests/unit/agent/test_admin.c: what compute-agentctl is told, over a real socket, by an agent whose parts
 * are in memory: the hypervisor is the fake one, the rows and the manager are at the end of this file.
 */
#include "rpc/access.h"
#include "rpc/admin.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "compute/tracker.h"
#include "green/lockutils.h"
#include "green/sync.h"
#include "green_test.h"
#include "messaging/rpc_client.h"
#include "native/stall_watcher.h"
#include "native/tpool.h"
#include "periodic.h"
#include "private_dir.h"
#include "virt/fake.h"

#define UUID_A "4f1c2e6a-0000-4000-8000-00000000000a"
#define UUID_B "4f1c2e6a-0000-4000-8000-00000000000b"
#define UUID_C "4f1c2e6a-0000-4000-8000-00000000000c"

struct world {
        char dir[48];
        struct conf conf;
        struct store store;
        struct admin_sources sources;
        struct rpc_endpoint endpoints[2];
        struct rpc_client *client;
        unsigned reports;
        size_t n_running; /* operations in flight that the manager has */
        int rows_fail;    /* code that reading the rows ends with */
};
static struct world w;
static struct service_row service_row;

/* ---- the fixture ---- */

static int count_report(const struct admin_sources *from, char **ret_path, struct error *err)
{
        (void)from, (void)err;
        if (w.reports++)
                *ret_path = xstrdup("/var/log/report");
        return 0;
}

static void fill_conf(void)
{
        w.conf = (struct conf){
                .host = xstrdup("node-1"),
                .instance_name_template = xstrdup("instance-%08x"),
                .heartbeat_file_path = xstrdup(w.dir),
                .heartbeat_file_name = xstrdup("beat"),
                .heartbeat_interval = 10,
                .service_down_time = 60,
                .log_file = xstrdup(""),
                .libvirt.connection_uri = xstrdup("test:///default"),
                .hub.stall_threshold_ms = 100,
        };
}

static void YIELDS start(void)
{
        struct rpc_server_options opt = { .endpoints = w.endpoints, .target.topic = "compute" };
        struct admin_sources *s = &w.sources;
        struct error err = {};
        char url[96];

        snprintf(w.dir, sizeof(w.dir), "%s/XXXXXX", private_dir);
        ck_assert_ptr_nonnull(mkdtemp(w.dir));
        fill_conf();
        snprintf(url, sizeof(url), "unix:%s/rpc", w.dir);
        w.n_running = 1;
        s->conf = &w.conf;
        s->store = &w.store;
        s->ready = true;
        s->started_ns = clock_now_ns();
        s->driver = virt_fake_new();
        ck_assert_ok(s->driver->ops->start(s->driver, &err), err);
        s->tpool = tpool_new("workers", 2, &err);
        s->transport = opt.transport = transport_new(url, &err);
        w.endpoints[0] = admin_endpoint;
        w.endpoints[0].app = s;
        s->rpc = rpc_server_new(&opt, &err);
        ck_assert_ok(rpc_server_start(s->rpc, &err), err);
        w.client = rpc_client_connect(url + strlen("unix:"), deadline_in_s(5), &err);
        ck_assert_msg(w.client != NULL, "%s", err.text);
}

static void YIELDS finish(void)
{
        struct admin_sources *s = &w.sources;

        rpc_client_free(w.client);
        rpc_server_free(s->rpc);
        transport_free(s->transport);
        s->driver->ops->stop(s->driver);
        ck_assert_uint_eq(tpool_close(s->tpool, deadline_in_s(5)), 0);
        free(w.conf.host);
        free(w.conf.instance_name_template);
        free(w.conf.heartbeat_file_path);
        free(w.conf.heartbeat_file_name);
        free(w.conf.log_file);
        free(w.conf.libvirt.connection_uri);
}

static int YIELDS call(const char *method, const char *args, struct jval **ret, struct error *err)
{
        struct jval CLEANUP(jval_unrefp) *a = jval_parse(args, strlen(args), err);

        ck_assert_msg(a != NULL, "%s", err->text);
        return rpc_client_call(w.client, "admin", "1.0", method, a, NULL, deadline_in_s(30), ret, err);
}

static struct jval *YIELDS ask(const char *method)
{
        struct jval *answer = NULL;
        struct error err = {};

        ck_assert_ok(call(method, "{}", &answer, &err), err);
        return answer;
}

static const char *text_at(const struct jval *list, size_t i, const char *key)
{
        return jval_get_text(jval_at(list, i), key, "(none)");
}

static const struct jval *find(const struct jval *list, const char *key, const char *value)
{
        for (size_t i = 0; i < jval_len(list); i++) {
                if (strcmp(text_at(list, i, key), value) == 0)
                        return jval_at(list, i);
        }
        return NULL;
}

static void beat(double age_s)
{
        char path[96];
        struct timespec now, times[2];
        FILE *f;

        snprintf(path, sizeof(path), "%s/beat", w.dir);
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        fclose(f);
        clock_gettime(CLOCK_REALTIME, &now);
        times[0] = times[1] = (struct timespec){ now.tv_sec - (time_t)age_s, now.tv_nsec };
        ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* ---- what is told ---- */

GREEN_TEST_REAL(status_tells_of_the_whole)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;

        start();
        beat(3);
        s = ask("status");
        ck_assert_str_eq(jval_get_text(s, "version", ""), AGENT_VERSION);
        ck_assert_str_eq(jval_get_text(s, "host", ""), "node-1");
        ck_assert_int_eq(jval_get_int(s, "pid", 0), getpid());
        ck_assert(jval_get_bool(s, "started", false) && !jval_get_bool(s, "draining", true));
        ck_assert(jval_get_bool(s, "hypervisor_ok", false));
        ck_assert(!jval_get_bool(s, "database_ok", true));
        ck_assert(jval_get_bool(s, "transport_ok", false));
        ck_assert_int_eq(jval_get_int(s, "running_rpc", 0), 1); /* this very call */
        ck_assert_double_ge(jval_real(jval_get(s, "heartbeat_age_s"), -1), 3);
        ck_assert(jval_is_null(jval_get(s, "instances_total"))); /* no database: not known, and no error */
        ck_assert_uint_eq(jval_len(jval_get(s, "running")), 0);
        finish();
}

GREEN_TEST_REAL(status_tells_what_the_manager_does)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;

        start();
        w.sources.manager = (struct compute_manager *)&w; /* only handed through */
        s = ask("status");
        ck_assert_str_eq(text_at(jval_get(s, "running"), 0, "doing"), "spawning");
        ck_assert_int_eq(jval_get_int(s, "builds_failed", 0), 1);
        ck_assert_double_eq(jval_real(jval_get(s, "last_report_age_s"), 0), 61);
        finish();
}

GREEN_TEST_REAL(status_tells_what_the_cloud_and_the_scheduler_see)
{
        struct jval CLEANUP(jval_unrefp) *s = NULL;

        start();
        s = ask("status");
        ck_assert(jval_is_null(jval_get(s, "service"))); /* no manager yet: not known, and no error */
        ck_assert(jval_is_null(jval_get(s, "resources")));
        ck_assert(jval_is_null(jval_get(s, "last_audit_age_s")));
        ck_assert_int_gt(jval_get_int(jval_get(s, "hub"), "switches", 0), 0);
        jval_unref(s);
        w.sources.manager = (struct compute_manager *)&w;
        s = ask("status");
        ck_assert(jval_is_null(jval_get(s, "service"))); /* not registered yet */
        ck_assert_str_eq(jval_get_text(s, "node", ""), "node-1.example");
        ck_assert_int_eq(jval_get_int(jval_get(jval_get(s, "resources"), "vcpus"), "used", 0), 3);
        ck_assert_int_eq(jval_get_int(jval_get(jval_get(s, "resources"), "vcpus"), "total", 0), 8);
        ck_assert_double_eq(jval_real(jval_get(s, "last_audit_age_s"), 0), 12);
        jval_unref(s);
        service_row = (struct service_row){ .id = 1, .disabled_reason = (char *)"old" };
        s = ask("status");
        ck_assert(!jval_get_bool(jval_get(s, "service"), "disabled", true));
        ck_assert(jval_is_null(jval_get(jval_get(s, "service"), "disabled_reason")));
        jval_unref(s);
        service_row.disabled = true;
        s = ask("status");
        ck_assert_str_eq(jval_get_text(jval_get(s, "service"), "disabled_reason", ""), "old");
        finish();
}

GREEN_TEST_REAL(instances_are_shown_beside_what_the_hypervisor_says)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *list;

        start();
        virt_fake_add_guest(w.sources.driver, UUID_A, "instance-00000001", POWER_PAUSED);
        answer = ask("instances");
        list = jval_get(answer, "instances");
        ck_assert_uint_eq(jval_len(list), 2);
        ck_assert_str_eq(text_at(list, 0, "uuid"), UUID_A);
        ck_assert_str_eq(text_at(list, 0, "name"), "instance-00000001");
        ck_assert_str_eq(text_at(list, 0, "display_name"), "web");
        ck_assert_str_eq(text_at(list, 0, "vm_state"), "active");
        ck_assert_str_eq(text_at(list, 0, "power_state"), "running");
        ck_assert_str_eq(text_at(list, 0, "hypervisor_state"), "paused");
        ck_assert(jval_is_null(jval_get(jval_at(list, 0), "task_state")));
        ck_assert_str_eq(text_at(list, 1, "hypervisor_state"), "absent");
        ck_assert_str_eq(text_at(list, 1, "task_state"), "deleting");
        ck_assert(jval_is_null(jval_get(jval_at(list, 0), "doing"))); /* there is no manager yet */
        jval_unref(answer);
        w.sources.manager = (struct compute_manager *)&w; /* only passed on */
        answer = ask("instances");
        list = jval_get(answer, "instances");
        ck_assert_str_eq(text_at(list, 0, "doing"), "spawning");
        ck_assert(jval_is_null(jval_get(jval_at(list, 1), "doing")));
        finish();
}

GREEN_TEST_REAL(an_instance_is_shown_from_the_moment_its_build_was_taken_on)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *list;

        start();
        w.sources.manager = (struct compute_manager *)&w; /* only passed on */
        w.n_running = 2;
        answer = ask("instances");
        list = jval_get(answer, "instances");
        ck_assert_uint_eq(jval_len(list), 3); /* of the two that are built one has its host already */
        ck_assert_str_eq(text_at(list, 2, "uuid"), UUID_C);
        ck_assert_str_eq(text_at(list, 2, "vm_state"), "building");
        ck_assert_str_eq(text_at(list, 2, "doing"), "downloading image i: 25 % of 40.0 MiB");
        finish();
}

GREEN_TEST_REAL(instances_are_shown_without_the_hypervisor)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *list;

        start();
        virt_fake_set_connected(w.sources.driver, false);
        answer = ask("instances");
        list = jval_get(answer, "instances");
        ck_assert_uint_eq(jval_len(list), 2);
        ck_assert(jval_is_null(jval_get(jval_at(list, 0), "hypervisor_state")));
        finish();
}

GREEN_TEST_REAL(instances_without_rows_are_an_error)
{
        struct jval *answer = NULL;
        struct error err;

        start();
        w.rows_fail = ERR_DB_LOST;
        ck_assert_fails(call("instances", "{}", &answer, &err), err, ERR_APP);
        ck_assert_msg(strstr(err.text, "reading the instances: no database") != NULL, "%s", err.text);
        w.sources.store = NULL;
        ck_assert_fails(call("instances", "{}", &answer, &err), err, ERR_APP);
        finish();
}

GREEN_TEST_REAL(threads_of_both_kinds_are_listed)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *mine, *stacks;

        start();
        green_accounting(true);
        answer = ask("threads");
        mine = find(jval_get(answer, "green"), "name", "rpc threads");
        ck_assert_ptr_nonnull(mine);
        ck_assert_str_eq(jval_get_text(mine, "state", ""), "running");
        ck_assert_int_eq(jval_type(jval_get(mine, "cpu")), JVAL_REAL);
        ck_assert_int_eq(strncmp(jval_get_text(mine, "spawned_at", ""), "rpc_", 4), 0);
        ck_assert_int_ge(jval_get_int(mine, "stack", 0), 4096);
        ck_assert_ptr_nonnull(find(jval_get(answer, "green"), "name", "main"));
        ck_assert_uint_ge(jval_len(jval_get(answer, "native")), 1);
        ck_assert_int_eq(jval_get_int(jval_at(jval_get(answer, "native"), 0), "tid", 0), getpid());
        ck_assert_str_eq(text_at(jval_get(answer, "native"), 0, "state"), "running");
        ck_assert_int_eq(jval_type(jval_get(jval_at(jval_get(answer, "native"), 0), "cpu")), JVAL_REAL);
        stacks = jval_get(answer, "stacks");
        ck_assert_int_ge(jval_get_int(stacks, "guards", 0), jval_get_int(stacks, "cached", 0) + 1);
        ck_assert_int_eq(jval_get_int(stacks, "guards_refused", -1), 0);
        mine = find(jval_get(stacks, "uses"), "name", "rpc threads");
        ck_assert_ptr_nonnull(mine);
        ck_assert_int_ge(jval_get_int(mine, "threads", 0), 1);
        ck_assert_int_ge(jval_get_int(stacks, "size", 0), jval_get_int(mine, "most", 0));
        finish();
}

GREEN_TEST_REAL(pools_workers_queues_and_locks_are_listed)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *rpc, *lock;
        struct error err = {};
        struct named_lock *held;

        start();
        held = lockutils_acquire("compute_resources", deadline_in_s(1), &err);
        answer = ask("pools");
        rpc = find(jval_get(answer, "pools"), "name", "rpc workers");
        ck_assert_int_eq(jval_get_int(rpc, "size", 0), 64);
        ck_assert_int_eq(jval_get_int(rpc, "running", 0), 1);
        ck_assert_ptr_nonnull(find(jval_get(answer, "tpools"), "name", "workers"));
        ck_assert_ptr_nonnull(find(jval_get(answer, "tpools"), "name", w.sources.driver->ops->name));
        ck_assert_uint_eq(jval_len(jval_get(answer, "queues")), 1);
        lock = find(jval_get(answer, "locks"), "name", "compute_resources");
        ck_assert_str_eq(jval_get_text(lock, "owner", ""), "main");
        lockutils_release(held);
        finish();
}

GREEN_TEST_REAL(backtraces_of_all_or_of_one)
{
        struct jval CLEANUP(jval_unrefp) *all = NULL, *one = NULL;
        struct error err = {};
        const struct jval *main_thread;

        start();
        ck_assert_ok(call("threads", "{\"backtrace\": true}", &all, &err), err);
        main_thread = find(jval_get(all, "green"), "name", "main");
        ck_assert_uint_gt(jval_len(jval_get(main_thread, "backtrace")), 1);
        ck_assert_ok(call("threads", "{\"backtrace\": true, \"id\": 0}", &one, &err), err);
        main_thread = find(jval_get(one, "green"), "name", "main");
        ck_assert_uint_gt(jval_len(jval_get(main_thread, "backtrace")), 1);
        ck_assert(jval_get(find(jval_get(one, "green"), "name", "rpc threads"), "backtrace") == NULL);
        ck_assert_fails(call("threads", "{\"backtrace\": 7}", &one, &err), err, ERR_APP);
        finish();
}

struct lock_wait {
        struct green_mutex unnamed;
        struct green_event go;
};
static struct lock_wait lock_wait;

static int wait_for_locks(void *arg, struct error *err)
{
        assert_green();
        lockutils_release(lockutils_acquire("compute_resources", deadline_in_s(10), err));
        if (green_mutex_lock(&lock_wait.unnamed, deadline_in_s(10), err) < 0)
                return -1;
        green_mutex_unlock(&lock_wait.unnamed);
        green_event_set(&lock_wait.go);
        return 0;
}

static void YIELDS expect_waiter(const char *lock_name)
{
        struct jval CLEANUP(jval_unrefp) *answer = ask("locks");
        const struct jval *lock = find(jval_get(answer, "locks"), "name", lock_name);

        ck_assert_str_eq(jval_get_text(lock, "owner", "(none)"), "main");
        ck_assert_int_eq(jval_get_int(lock, "waiters", 0), 1);
        ck_assert_str_eq(text_at(jval_get(lock, "waiting"), 0, "name"), "second");
        ck_assert_double_ge(jval_real(jval_get(jval_at(jval_get(lock, "waiting"), 0), "since"), -1), 0);
        ck_assert_double_ge(jval_real(jval_get(lock, "held"), -1), 0);
}

GREEN_TEST_REAL(locks_have_owners_and_waiters)
{
        struct jval CLEANUP(jval_unrefp) *none = NULL;
        struct error err = {};
        struct named_lock *held;

        start();
        green_mutex_init(&lock_wait.unnamed, "some mutex");
        green_event_init(&lock_wait.go, "both locks");
        held = lockutils_acquire("compute_resources", deadline_in_s(1), &err);
        ck_assert(green_mutex_try(&lock_wait.unnamed));
        ck_assert_ok(green_spawn(NULL, "second", wait_for_locks, NULL, &err), err);
        expect_waiter("compute_resources");
        lockutils_release(held);
        green_yield();
        expect_waiter("some mutex"); /* in no list: found by who waits for it */
        green_mutex_unlock(&lock_wait.unnamed);
        ck_assert_ok(green_event_wait(&lock_wait.go, deadline_in_s(10), &err), err);
        none = ask("locks");
        ck_assert_uint_eq(jval_len(jval_get(none, "locks")), 0);
        finish();
}

GREEN_TEST_REAL(jobs_tell_how_far_they_are)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *jobs, *progress;

        start();
        virt_fake_add_guest(w.sources.driver, UUID_B, "instance-00000002", POWER_RUNNING);
        w.sources.manager = (struct compute_manager *)&w;
        w.n_running = 3;
        answer = ask("jobs");
        jobs = jval_get(answer, "jobs");
        ck_assert_uint_eq(jval_len(jobs), 3);
        ck_assert_str_eq(text_at(jobs, 0, "request_id"), "req-1");
        ck_assert(jval_is_null(jval_get(jval_at(jobs, 0), "progress"))); /* not counted */
        progress = jval_get(jval_at(jobs, 1), "progress");
        ck_assert_int_eq(jval_get_int(progress, "done", 0), 10 << 20);
        ck_assert_int_eq(jval_get_int(progress, "total", 0), 40 << 20);
        progress = jval_get(jval_at(jobs, 2), "progress"); /* of the hypervisor */
        ck_assert_int_eq(jval_get_int(progress, "done", 0), 32 << 20);
        ck_assert_int_eq(jval_get_int(progress, "total", 0), 64 << 20);
        finish();
}

GREEN_TEST_REAL(jobs_are_told_without_the_hypervisor)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;

        start();
        w.sources.manager = (struct compute_manager *)&w;
        w.n_running = 3;
        virt_fake_set_connected(w.sources.driver, false);
        answer = ask("jobs");
        ck_assert_uint_eq(jval_len(jval_get(answer, "jobs")), 3);
        ck_assert(jval_is_null(jval_get(jval_at(jval_get(answer, "jobs"), 2), "progress")));
        finish();
}

GREEN_TEST_REAL(a_sample_has_what_rates_are_made_of)
{
        struct jval CLEANUP(jval_unrefp) *first = NULL, *second = NULL;
        const struct jval *a, *b;

        start();
        green_accounting(true);
        w.sources.manager = (struct compute_manager *)&w;
        first = ask("top");
        second = ask("top");
        ck_assert_double_gt(jval_real(jval_get(second, "at"), 0), jval_real(jval_get(first, "at"), 0));
        ck_assert_double_gt(jval_real(jval_get(second, "cpu"), 0), 0);
        ck_assert_int_gt(jval_get_int(second, "resident", 0), 4096);
        a = jval_get(first, "hub"), b = jval_get(second, "hub");
        ck_assert_int_gt(jval_get_int(b, "switches", 0), jval_get_int(a, "switches", 0));
        b = find(jval_get(jval_get(second, "rpc"), "methods"), "method", "top");
        ck_assert_int_eq(jval_get_int(b, "done", 0), 1);
        ck_assert_int_eq(jval_type(jval_get(find(jval_get(second, "green"), "name", "main"), "cpu")),
                         JVAL_REAL);
        ck_assert_uint_ge(jval_len(jval_get(second, "native")), 1);
        ck_assert_uint_eq(jval_len(jval_get(second, "running")), 1);
        ck_assert_int_eq(jval_get_int(jval_get(second, "database"), "statements", -1), 0);
        finish();
}

GREEN_TEST_REAL(periodic_tasks_are_listed_with_why_they_are_idle)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *busy, *idle;

        start();
        w.sources.manager = (struct compute_manager *)&w; /* only handed through */
        answer = ask("tasks");
        busy = find(jval_get(answer, "tasks"), "task", "sync_power_states");
        ck_assert(jval_get_bool(busy, "running", false));
        ck_assert_int_eq(jval_get_int(busy, "runs", 0), 3);
        ck_assert(jval_is_null(jval_get(busy, "idle")));
        idle = find(jval_get(answer, "tasks"), "task", "poll_rescued_instances");
        ck_assert_str_eq(jval_get_text(idle, "idle", ""), "no rescue");
        ck_assert(jval_is_null(jval_get(idle, "next_in_s")));
        ck_assert(jval_is_null(jval_get(idle, "last_took_s")));
        finish();
}

/* ---- health ---- */

static void YIELDS expect_health(const char *verdict, const char *check, const char *of_check)
{
        struct jval CLEANUP(jval_unrefp) *h = ask("health");
        const struct jval *one = jval_get(jval_get(h, "checks"), check);

        ck_assert_msg(strcmp(jval_get_text(h, "status", ""), verdict) == 0, "%s",
                      jval_get_text(h, "status", ""));
        ck_assert_str_eq(jval_get_text(one, "status", "(none)"), of_check);
        ck_assert(!one || strlen(jval_get_text(one, "output", "")) > 0);
}

GREEN_TEST_REAL(what_others_have_to_mend_warns_and_never_fails)
{
        start();
        beat(0);
        expect_health("warn", "database", "warn");
        expect_health("warn", "hypervisor", "pass");
        virt_fake_set_connected(w.sources.driver, false);
        expect_health("warn", "hypervisor", "warn");
        virt_fake_set_connected(w.sources.driver, true);
        expect_health("warn", "message_bus", "pass");
        expect_health("warn", "hub", "pass");
        expect_health("warn", "workers", "pass");
        expect_health("warn", "service", "pass");
        expect_health("warn", "report_state", "warn"); /* there is no manager */
        w.sources.manager = (struct compute_manager *)&w;
        expect_health("warn", "report_state", "warn");
        w.conf.service_down_time = 62;
        expect_health("warn", "report_state", "pass");
        w.sources.draining = true;
        expect_health("warn", "service", "warn");
        finish();
}

GREEN_TEST_REAL(a_late_heartbeat_fails)
{
        start();
        beat(32);
        expect_health("fail", "heartbeat", "fail");
        beat(30);
        expect_health("warn", "heartbeat", "pass");
        finish();
}

GREEN_TEST_REAL(stalls_are_counted_and_do_not_fail)
{
        struct jval CLEANUP(jval_unrefp) *h = NULL;
        const struct jval *hub;

        start();
        w.sources.watcher = (struct stall_watcher *)&w; /* only handed through */
        h = ask("health");
        hub = jval_get(jval_get(h, "checks"), "hub");
        ck_assert_int_eq(jval_get_int(hub, "observed", 0), 7);
        ck_assert_str_eq(jval_get_text(hub, "status", ""), "pass");
        finish();
}

GREEN_TEST_REAL(a_missing_heartbeat_file_warns)
{
        start();
        expect_health("warn", "heartbeat", "warn"); /* somebody may just have deleted it */
        w.conf.heartbeat_file_path[0] = '\0';       /* there is to be none */
        expect_health("warn", "heartbeat", "(none)");
        snprintf(w.conf.heartbeat_file_path, strlen(w.dir) + 1, "%s", w.dir);
        finish();
}

/* ---- changing something ---- */

GREEN_TEST_REAL(the_log_level_is_told_and_set)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct error err = {};

        start();
        log_set_level(LOG_INFO);
        answer = ask("log-level");
        ck_assert_str_eq(jval_get_text(answer, "level", ""), log_level_name(LOG_INFO));
        jval_unref(take_ptr(&answer));
        ck_assert_ok(call("log-level", "{\"level\":\"error\"}", &answer, &err), err);
        ck_assert_int_eq(log_get_level(), LOG_ERROR);
        jval_unref(take_ptr(&answer));
        ck_assert_fails(call("log-level", "{\"level\":\"loud\"}", &answer, &err), err, ERR_APP);
        ck_assert_str_eq(err.text,
                         "TypeError: level: \"loud\" is none of debug, info, warning, error, critical");
        ck_assert_fails(call("log-level", "{\"level\":7}", &answer, &err), err, ERR_APP);
        ck_assert_str_eq(err.text, "TypeError: level: expected text, got integer");
        ck_assert_fails(call("log-level", "{\"volume\":7}", &answer, &err), err, ERR_APP);
        ck_assert_int_eq(log_get_level(), LOG_ERROR);
        finish();
}

static volatile sig_atomic_t terms;

static void on_term(int sig)
{
        (void)sig;
        terms++;
}

GREEN_TEST_REAL(draining_is_a_signal_to_ourselves)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;

        start();
        signal(SIGTERM, on_term);
        answer = ask("drain");
        ck_assert_int_eq(jval_get_int(answer, "pid", 0), getpid());
        ck_assert_int_eq(terms, 1);
        finish();
}

GREEN_TEST_REAL(the_report_is_written_where_there_is_one)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct error err;

        start();
        ck_assert_fails(call("report", "{}", &answer, &err), err, ERR_APP);
        ck_assert_msg(strstr(err.text, "SIGUSR2") != NULL, "%s", err.text);
        w.sources.write_report = count_report;
        answer = ask("report");
        ck_assert_uint_eq(w.reports, 1);
        ck_assert_str_eq(jval_get_text(answer, "written_to", ""), "standard error");
        jval_unref(answer);
        answer = ask("report");
        ck_assert_str_eq(jval_get_text(answer, "written_to", ""), "/var/log/report");
        finish();
}

/* ---- who may ---- */

static int as(unsigned uid, bool in_group, const char *ns, const char *method, const char *readers,
              struct error *err)
{
        const struct rpc_request request = { .method = (char *)method, .ns = (char *)ns };
        const struct rpc_method elsewhere = { .name = method }, *m = admin_methods;
        struct rpc_call c = { .request = &request, .peer_uid = uid, .peer_in_group = in_group };

        while (ns && m->name && strcmp(m->name, method) != 0)
                m++;
        ck_assert(m->name != NULL);
        c.method = ns ? m : &elsewhere;
        return access_check(&c, readers, err);
}

static const char *const looks[] = { "status", "instances", "threads", "pools",  "locks",
                                     "jobs",   "top",       "tasks",   "health", "log-level" };
static const char *const changes[] = { "drain", "report" };

START_TEST(root_and_the_agents_user_may_all)
{
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
                ck_assert_ok(as(geteuid(), false, "admin", looks[i], "readers", &err), err);
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
                ck_assert_ok(as(0, false, "admin", changes[i], "", &err), err);
        ck_assert_ok(as(0, false, NULL, "terminate_instance", "", &err), err);
}
END_TEST

START_TEST(readers_may_look_and_no_more)
{
        struct error err = {};

        for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
                ck_assert_ok(as(12345, true, "admin", looks[i], "readers", &err), err);
                ck_assert_fails(as(12345, true, "admin", looks[i], "", &err), err, ERR_DENIED);
                ck_assert_fails(as(12345, false, "admin", looks[i], "readers", &err), err, ERR_DENIED);
                ck_assert_msg(strstr(err.text, "members of group readers") != NULL, "%s", err.text);
        }
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
                ck_assert_fails(as(12345, true, "admin", changes[i], "readers", &err), err, ERR_DENIED);
        ck_assert_fails(as(12345, true, NULL, "get_host_uptime", "readers", &err), err, ERR_DENIED);
        ck_assert_fails(as(12345, true, "baseapi", "status", "readers", &err), err, ERR_DENIED);
        ck_assert_msg(strstr(err.text, "root and the agent's own user") != NULL, "%s", err.text);
}
END_TEST

START_TEST(the_message_bus_has_all_but_the_admin_methods)
{
        struct error err = {};

        ck_assert_ok(as((unsigned)-1, false, NULL, "terminate_instance", "readers", &err), err);
        ck_assert_fails(as((unsigned)-1, false, "admin", "status", "readers", &err), err, ERR_DENIED);
        ck_assert_msg(strstr(err.text, "local socket only") != NULL, "%s", err.text);
}
END_TEST

/* ---- in place of the database, the manager and the stall watcher ---- */

static struct instance *row(const char *uuid, int64_t id, const char *name)
{
        struct instance *i = instance_new();

        memcpy(i->uuid, uuid, sizeof(i->uuid));
        i->id = id;
        i->display_name = xstrdup(name);
        i->vm_state = VM_ACTIVE;
        i->power_state = POWER_RUNNING;
        return i;
}

int store_instances_of_host(struct store *s, struct instance_list *ret, struct deadline by, struct error *err)
{
        (void)s, (void)by;
        if (w.rows_fail)
                return error_set(err, w.rows_fail, "no database");
        ret->items = xcalloc(2, sizeof(*ret->items));
        ret->items[0] = row(UUID_A, 1, "web");
        ret->items[1] = row(UUID_B, 2, "db");
        ret->items[1]->task_state = TASK_DELETING;
        ret->n = 2;
        return 0;
}

void instance_list_free(struct instance_list *l)
{
        for (unsigned i = 0; i < l->n; i++)
                instance_free(l->items[i]);
        free(l->items);
}

/* Those asked for. */
int store_instances_building_among(struct store *s, const char *const *uuids, unsigned n,
                                   struct instance_list *ret, struct deadline by, struct error *err)
{
        (void)s, (void)by, (void)err;
        ret->items = xcalloc(n, sizeof(*ret->items));
        for (ret->n = 0; ret->n < n; ret->n++) {
                ret->items[ret->n] = row(uuids[ret->n], 3 + ret->n, "new");
                ret->items[ret->n]->vm_state = VM_BUILDING;
        }
        return 0;
}

void compute_manager_foreach_running(struct compute_manager *m,
                                     void (*fn)(const struct compute_running *r, void *arg), void *arg)
{
        const struct compute_running rows[] = {
                { .method = "build_and_run_instance",
                  .request_id = "req-1",
                  .uuid = UUID_A,
                  .doing = "spawning",
                  .seconds = 2,
                  .done = -1 },
                { .method = "build_and_run_instance",
                  .request_id = "req-2",
                  .uuid = UUID_C,
                  .doing = "downloading image i: 25 % of 40.0 MiB",
                  .done = 10 << 20,
                  .total = 40 << 20 },
                { .method = "suspend_instance",
                  .request_id = "req-3",
                  .uuid = UUID_B,
                  .doing = "saving the guest's memory",
                  .done = -1 },
        };

        (void)m;
        for (size_t i = 0; i < w.n_running; i++)
                fn(&rows[i], arg);
}

static struct compute_node_row node_row = { .vcpus = 8, .vcpus_used = 3, .memory_mb = 100, .local_gb = 7 };

const struct service_row *compute_service(const struct compute_manager *m)
{
        (void)m;
        return &service_row;
}

const struct tracker *compute_tracker(const struct compute_manager *m)
{
        return (const struct tracker *)m;
}

const struct compute_node_row *tracker_row(const struct tracker *t)
{
        (void)t;
        return &node_row;
}

const char *tracker_node(const struct tracker *t)
{
        (void)t;
        return "node-1.example";
}

double tracker_audit_age(const struct tracker *t)
{
        (void)t;
        return 12;
}

double compute_last_report_age(const struct compute_manager *m)
{
        (void)m;
        return 61;
}

void compute_foreach_periodic(struct compute_manager *m,
                              void (*fn)(const struct periodic_info *info, void *arg), void *arg)
{
        const struct periodic_info busy = { .loop = "loop",
                                            .task = "sync_power_states",
                                            .interval_s = 600,
                                            .last_took_s = 0.5,
                                            .runs = 3,
                                            .failures = 1,
                                            .running = true };
        const struct periodic_info idle = {
                .loop = "loop", .task = "poll_rescued_instances", .next_in_s = -1, .idle = "no rescue"
        };

        (void)m;
        fn(&busy, arg);
        fn(&idle, arg);
}

static double rival_age = -1;
static struct compute_placement_state placement_state;
static bool has_placement;

double compute_last_rival_age(const struct compute_manager *m)
{
        (void)m;
        return rival_age;
}

bool compute_get_placement_state(const struct compute_manager *m, struct compute_placement_state *ret)
{
        (void)m;
        *ret = placement_state;
        return has_placement;
}

GREEN_TEST_REAL(placement_and_a_rival_warn_where_there_are_any)
{
        start();
        beat(0);
        w.sources.manager = (struct compute_manager *)&w;
        expect_health("warn", "placement", "(none)");
        expect_health("warn", "host_name", "(none)");
        has_placement = true;
        expect_health("warn", "placement", "warn"); /* nothing was told yet */
        placement_state = (struct compute_placement_state){ .known = true, .text = "no such user" };
        expect_health("warn", "placement", "warn");
        placement_state.ok = true;
        expect_health("warn", "placement", "pass");
        rival_age = 5;
        expect_health("warn", "host_name", "warn");
        rival_age = 600;
        expect_health("warn", "host_name", "(none)");
        finish();
}

static void YIELDS expect_placement(const char *text, bool ok)
{
        struct jval CLEANUP(jval_unrefp) *s = ask("status");

        ck_assert_pstr_eq(jval_get_text(s, "placement", NULL), text);
        ck_assert_int_eq(jval_get_bool(s, "placement_ok", !ok), ok);
}

GREEN_TEST_REAL(status_tells_of_placement_where_there_is_one)
{
        start();
        expect_placement(NULL, false); /* no manager yet */
        w.sources.manager = (struct compute_manager *)&w;
        expect_placement(NULL, false);
        has_placement = true;
        expect_placement("nothing was told yet", false);
        placement_state = (struct compute_placement_state){ .known = true, .text = "no such user" };
        expect_placement("no such user", false);
        placement_state.ok = true;
        expect_placement("no such user", true);
        finish();
}

void compute_get_stats(const struct compute_manager *m, struct compute_stats *ret)
{
        (void)m;
        *ret = (struct compute_stats){ .builds = 3, .builds_failed = 1 };
}

unsigned long stall_watcher_count(const struct stall_watcher *watcher)
{
        (void)watcher;
        return 7;
}

GREEN_SUITE("admin", status_tells_of_the_whole, status_tells_what_the_manager_does,
            status_tells_what_the_cloud_and_the_scheduler_see,
            an_instance_is_shown_from_the_moment_its_build_was_taken_on, backtraces_of_all_or_of_one,
            locks_have_owners_and_waiters, jobs_tell_how_far_they_are, jobs_are_told_without_the_hypervisor,
            a_sample_has_what_rates_are_made_of, instances_are_shown_beside_what_the_hypervisor_says,
            instances_are_shown_without_the_hypervisor, instances_without_rows_are_an_error,
            threads_of_both_kinds_are_listed, pools_workers_queues_and_locks_are_listed,
            periodic_tasks_are_listed_with_why_they_are_idle, what_others_have_to_mend_warns_and_never_fails,
            placement_and_a_rival_warn_where_there_are_any, status_tells_of_placement_where_there_is_one,
            a_late_heartbeat_fails, stalls_are_counted_and_do_not_fail, a_missing_heartbeat_file_warns,
            the_log_level_is_told_and_set, draining_is_a_signal_to_ourselves,
            the_report_is_written_where_there_is_one, root_and_the_agents_user_may_all,
            readers_may_look_and_no_more, the_message_bus_has_all_but_the_admin_methods)
