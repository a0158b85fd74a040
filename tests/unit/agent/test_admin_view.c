/*
 * tests/unit/agent/test_admin_view.c: what compute-agentctl shows of instances, threads, pools, locks, jobs
 * and rates.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin_world.h"
#include "green/lockutils.h"
#include "green/sync.h"
#include "native/tpool.h"

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

GREEN_TEST_REAL(without_a_scheduler_instances_that_have_no_host_are_shown_too)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        const struct jval *list;

        start();
        replace_str(&w.conf.transport_url, "unix:/run/rpc.sock");
        answer = ask("instances");
        list = jval_get(answer, "instances");
        ck_assert_uint_eq(jval_len(list), 3);
        ck_assert_str_eq(text_at(list, 2, "vm_state"), "error");
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

struct stuck {
        struct tpool_job base;
        int pipe; /* read from until somebody closes its other end */
};
static atomic_bool is_stuck;

static int be_stuck(struct tpool_job *job, struct error *err)
{
        char byte;

        (void)err;
        atomic_store(&is_stuck, true);
        return (int)read(CONTAINER_OF(job, struct stuck, base)->pipe, &byte, 1);
}

static void drop_stuck(struct tpool_job *job)
{
        close(CONTAINER_OF(job, struct stuck, base)->pipe);
        free(CONTAINER_OF(job, struct stuck, base));
}

static const struct tpool_ops stuck_ops = { "virDomainCreate", be_stuck, drop_stuck };

static int call_it(void *arg, struct error *err)
{
        struct stuck *stuck = arg;
        int r;

        assert_green();
        r = tpool_call(w.sources.tpool, &stuck->base, deadline_never(), err);
        tpool_job_done(&stuck->base);
        return r;
}

GREEN_TEST_REAL(a_call_that_hangs_is_named_with_what_it_is_for)
{
        struct jval CLEANUP(jval_unrefp) *answer = NULL;
        struct stuck *stuck = NEW(struct stuck);
        struct error err = {};
        const struct jval *hung;
        struct green *caller;
        int ends[2];

        start();
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        stuck->base.ops = &stuck_ops;
        stuck->pipe = ends[0];
        snprintf(stuck->base.what, sizeof(stuck->base.what), UUID_A);
        caller = green_spawn_ref(NULL, "caller", call_it, stuck, &err);
        while (!atomic_load(&is_stuck))
                ck_assert_ok(green_sleep(0.001, &err), err);
        green_cancel(caller); /* it gives up */
        ck_assert_ok(green_join(caller, deadline_in_s(10), NULL, &err), err);
        green_unref(caller);
        answer = ask("jobs");
        hung = find(jval_get(answer, "calls"), "name", "virDomainCreate");
        ck_assert_str_eq(jval_get_text(hung, "what", ""), UUID_A);
        ck_assert_str_eq(jval_get_text(hung, "pool", ""), "workers");
        ck_assert(jval_get_bool(hung, "hung", false));
        ck_assert_double_ge(jval_real(jval_get(hung, "since"), -1), 0);
        close(ends[1]);
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

GREEN_SUITE("admin view", instances_are_shown_beside_what_the_hypervisor_says,
            an_instance_is_shown_from_the_moment_its_build_was_taken_on,
            without_a_scheduler_instances_that_have_no_host_are_shown_too,
            instances_are_shown_without_the_hypervisor, instances_without_rows_are_an_error,
            threads_of_both_kinds_are_listed, pools_workers_queues_and_locks_are_listed,
            backtraces_of_all_or_of_one, locks_have_owners_and_waiters, jobs_tell_how_far_they_are,
            jobs_are_told_without_the_hypervisor, a_call_that_hangs_is_named_with_what_it_is_for,
            a_sample_has_what_rates_are_made_of, periodic_tasks_are_listed_with_why_they_are_idle)
