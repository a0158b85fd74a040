#include "green_test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "green/sync.h"
#include "native/tpool.h"

static atomic_uint runs, drops;

/* A job that answers, fails, or waits for the test to open its gate. */
struct gate {
        pthread_mutex_t lock;
        pthread_cond_t opened;
        bool open;
        atomic_uint inside;
};

struct job {
        struct tpool_job base;
        int in, out;
        bool must_fail;
        struct gate *gate;
};

static void gate_pass(struct gate *g)
{
        pthread_mutex_lock(&g->lock);
        atomic_fetch_add(&g->inside, 1);
        while (!g->open)
                pthread_cond_wait(&g->opened, &g->lock);
        pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
        pthread_mutex_lock(&g->lock);
        g->open = true;
        pthread_cond_broadcast(&g->opened);
        pthread_mutex_unlock(&g->lock);
}

static struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER };

static int job_run(struct tpool_job *base, struct error *err)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        assert_on_worker();
        atomic_fetch_add(&runs, 1);
        if (job->gate)
                gate_pass(job->gate);
        if (job->must_fail)
                return error_set(err, ERR_NOT_FOUND, "no %d", job->in);
        job->out = job->in * 2;
        return 0;
}

static void job_drop(struct tpool_job *base)
{
        atomic_fetch_add(&drops, 1);
        free(CONTAINER_OF(base, struct job, base));
}

static const struct tpool_ops job_ops = { "double", job_run, job_drop };

static struct job *job_new(int in, struct gate *at)
{
        struct job *job = NEW(struct job);

        job->base.ops = &job_ops;
        job->in = in;
        job->gate = at;
        snprintf(job->base.what, sizeof(job->base.what), "number %d", in);
        return job;
}

static struct tpool *HUB_ONLY pool_of(unsigned workers)
{
        struct error err = {};
        struct tpool *p = tpool_new("test", workers, &err);

        ck_assert_msg(p != NULL, "%s", err.text);
        atomic_store(&runs, 0);
        atomic_store(&drops, 0);
        return p;
}

static struct tpool_info HUB_ONLY info_of(struct tpool *p)
{
        struct tpool_info info;

        tpool_get_info(p, &info);
        return info;
}

/* Waits until a condition about another native thread holds; the test's time limit is the deadline. */
#define EVENTUALLY(condition)                                \
        do {                                                 \
                struct error eventually_err;                 \
                while (!(condition))                         \
                        green_sleep(0.001, &eventually_err); \
        } while (0)

GREEN_TEST_REAL(a_call_brings_back_what_the_job_left)
{
        struct tpool *p = pool_of(2);
        struct job *job = job_new(21, NULL);
        struct error err = {};

        ck_assert_ok(tpool_call(p, &job->base, deadline_in_s(30), &err), err);
        ck_assert_int_eq(job->out, 42);
        ck_assert_uint_eq(atomic_load(&drops), 0);
        tpool_job_done(&job->base);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
        ck_assert_uint_eq(atomic_load(&runs), 1);
        ck_assert_uint_eq(atomic_load(&drops), 1);
}

GREEN_TEST_REAL(the_error_of_the_job_is_that_of_the_call)
{
        struct tpool *p = pool_of(2);
        struct job *job = job_new(5, NULL);
        struct error err;

        job->must_fail = true;
        ck_assert_fails(tpool_call(p, &job->base, deadline_in_s(30), &err), err, ERR_NOT_FOUND);
        ck_assert_str_eq(err.text, "no 5");
        tpool_job_done(&job->base);
        tpool_close(p, deadline_in_s(30));
        ck_assert_uint_eq(atomic_load(&drops), 1);
}

struct caller {
        struct tpool *p;
        struct job *job;
        struct deadline by;
        bool done;
        int result;
        struct error err;
};

static int call(void *arg, struct error *err)
{
        struct caller *c = arg;

        assert_green();
        c->result = tpool_call(c->p, &c->job->base, c->by, &c->err);
        tpool_job_done(&c->job->base);
        c->done = true;
        return 0;
}

static struct green *HUB_ONLY call_in_green(struct caller *c)
{
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, "caller", call, c, &err);

        ck_assert_msg(g != NULL, "%s", err.text);
        return g;
}

static void YIELDS join(struct green *g)
{
        struct error err = {};

        ck_assert_ok(green_join(g, deadline_in_s(30), NULL, &err), err);
        green_unref(g);
}

GREEN_TEST_REAL(workers_are_started_when_needed_and_not_beyond_the_bound)
{
        struct tpool *p = pool_of(3);
        struct caller c[5];
        struct green *g[5];

        ck_assert_uint_eq(info_of(p).workers, 0);
        for (int i = 0; i < 5; i++) {
                c[i] = (struct caller){ p, job_new(i, &gate), deadline_never() };
                g[i] = call_in_green(&c[i]);
        }
        EVENTUALLY(atomic_load(&gate.inside) == 3);
        ck_assert_uint_eq(info_of(p).workers, 3);
        ck_assert_uint_eq(info_of(p).busy, 3);
        ck_assert_uint_eq(info_of(p).queued, 2);
        ck_assert_uint_eq(info_of(p).hung, 0);
        gate_open(&gate);
        for (int i = 0; i < 5; i++) {
                join(g[i]);
                ck_assert_int_eq(c[i].result, 0);
        }
        ck_assert_uint_eq(info_of(p).done, 5);
        ck_assert_uint_eq(info_of(p).workers, 3);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
        ck_assert_uint_eq(atomic_load(&drops), 5);
}

GREEN_TEST_REAL(one_call_after_the_other_needs_one_worker)
{
        struct tpool *p = pool_of(8);
        struct error err = {};

        for (int i = 0; i < 100; i++) {
                struct job *job = job_new(i, NULL);

                ck_assert_ok(tpool_call(p, &job->base, deadline_in_s(30), &err), err);
                ck_assert_int_eq(job->out, 2 * i);
                tpool_job_done(&job->base);
        }
        ck_assert_uint_eq(info_of(p).workers, 1);
        tpool_close(p, deadline_in_s(30));
        ck_assert_uint_eq(atomic_load(&drops), 100);
}

static void note_worker(const struct tpool_worker_info *info, void *arg)
{
        struct tpool_worker_info *notes = arg;

        while (notes->id)
                notes++;
        *notes = *info;
        ck_assert(!info->doing || strcmp(info->doing, "double") == 0);
        ck_assert(info->since_s >= 0);
}

/*
 * Leaves one worker hung at the gate and returns the number of jobs that it took: on a loaded machine the
 * deadline may pass before the job begins.
 */
static unsigned YIELDS hang_one(struct tpool *p)
{
        unsigned hung = info_of(p).hung, jobs = 0;

        do {
                struct job *job = job_new(1, &gate);
                struct error err;

                ck_assert_fails(tpool_call(p, &job->base, deadline_in_ms(20), &err), err, ERR_TIMEOUT);
                tpool_job_done(&job->base);
                jobs++;
                if (info_of(p).hung > hung)
                        ck_assert_str_eq(err.text, "double number 1: not done in time, left to itself");
        } while (info_of(p).hung == hung);
        return jobs;
}

GREEN_TEST_REAL(a_hung_worker_is_replaced_listed_and_comes_back)
{
        struct tpool *p = pool_of(1);
        struct job *next = job_new(2, NULL);
        unsigned jobs;
        struct tpool_worker_info w[3] = {};
        struct error err = {};

        jobs = hang_one(p);
        ck_assert_uint_eq(info_of(p).hung, 1);
        ck_assert_uint_eq(info_of(p).timeouts, jobs);
        ck_assert_uint_eq(atomic_load(&drops), jobs - 1);

        ck_assert_ok(tpool_call(p, &next->base, deadline_in_s(30), &err), err);
        tpool_job_done(&next->base);
        ck_assert_uint_eq(info_of(p).workers, 2);
        tpool_foreach(p, note_worker, w);
        ck_assert(w[0].hung && w[0].doing && !w[1].hung);
        ck_assert_str_eq(w[0].what, "number 1");
        ck_assert_uint_eq(w[2].id, 0);

        gate_open(&gate);
        EVENTUALLY(info_of(p).workers == 1); /* it was replaced, so it ends */
        ck_assert_uint_eq(info_of(p).hung, 0);
        EVENTUALLY(atomic_load(&drops) == jobs + 1); /* by the worker: the caller had gone */
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
}

GREEN_TEST_REAL(a_hung_worker_that_was_not_replaced_stays)
{
        struct tpool *p = pool_of(1);
        struct job *next;
        struct tpool_worker_info before[2] = {}, after[2] = {};
        struct error err = {};

        hang_one(p);
        tpool_foreach(p, note_worker, before);
        gate_open(&gate);
        EVENTUALLY(info_of(p).hung == 0);
        next = job_new(2, NULL);
        ck_assert_ok(tpool_call(p, &next->base, deadline_in_s(30), &err), err);
        tpool_job_done(&next->base);
        tpool_foreach(p, note_worker, after);
        ck_assert_uint_eq(before[0].id, after[0].id);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
}

GREEN_TEST_REAL(jobs_that_wait_get_the_replacement_of_a_worker_that_hangs)
{
        struct tpool *p = pool_of(1);
        struct caller hung = { p, job_new(1, &gate), deadline_never() };
        struct caller waiting = { p, job_new(2, NULL), deadline_never() };
        struct green *g1 = call_in_green(&hung), *g2;

        EVENTUALLY(atomic_load(&gate.inside) == 1);
        g2 = call_in_green(&waiting);
        EVENTUALLY(info_of(p).queued == 1);
        green_cancel(g1);
        join(g2); /* while the first is still at the gate */
        ck_assert_int_eq(waiting.result, 0);
        join(g1);
        ck_assert_uint_eq(info_of(p).hung, 1);
        gate_open(&gate);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
        ck_assert_uint_eq(atomic_load(&drops), 2);
}

GREEN_TEST_REAL(a_job_that_was_not_begun_in_time_is_dropped_unrun)
{
        struct tpool *p = pool_of(1);
        struct caller first = { p, job_new(1, &gate), deadline_never() };
        struct job *late = job_new(2, NULL);
        struct green *g = call_in_green(&first);
        struct error err;

        EVENTUALLY(atomic_load(&gate.inside) == 1);
        ck_assert_fails(tpool_call(p, &late->base, deadline_in_ms(20), &err), err, ERR_TIMEOUT);
        ck_assert_str_eq(err.text, "double number 2: no worker was free in time");
        ck_assert_uint_eq(info_of(p).queued, 0);
        ck_assert_uint_eq(info_of(p).hung, 0);
        ck_assert_uint_eq(atomic_load(&drops), 0);
        tpool_job_done(&late->base);
        ck_assert_uint_eq(atomic_load(&drops), 1);
        gate_open(&gate);
        join(g);
        tpool_close(p, deadline_in_s(30));
        ck_assert_uint_eq(atomic_load(&runs), 1);
        ck_assert_uint_eq(atomic_load(&drops), 2);
}

GREEN_TEST_REAL(a_deadline_in_the_past_starts_nothing)
{
        struct tpool *p = pool_of(1);
        struct job *job = job_new(1, NULL);
        struct error err;

        ck_assert_fails(tpool_call(p, &job->base, deadline_now(), &err), err, ERR_TIMEOUT);
        tpool_job_done(&job->base);
        ck_assert_uint_eq(info_of(p).workers, 0);
        tpool_close(p, deadline_in_s(30));
        ck_assert_uint_eq(atomic_load(&runs), 0);
        ck_assert_uint_eq(atomic_load(&drops), 1);
}

GREEN_TEST_REAL(a_cancelled_caller_leaves_its_job_alone)
{
        struct tpool *p = pool_of(1);
        struct caller running = { p, job_new(1, &gate), deadline_never() };
        struct caller queued = { p, job_new(2, NULL), deadline_never() };
        struct green *g1 = call_in_green(&running), *g2;

        EVENTUALLY(atomic_load(&gate.inside) == 1);
        g2 = call_in_green(&queued);
        green_yield();
        green_cancel(g2);
        join(g2);
        ck_assert_int_eq(queued.err.code, ERR_CANCELLED);
        ck_assert_uint_eq(atomic_load(&drops), 1);
        green_cancel(g1);
        join(g1);
        ck_assert_int_eq(running.err.code, ERR_CANCELLED);
        ck_assert_uint_eq(info_of(p).hung, 1);
        ck_assert_uint_eq(info_of(p).timeouts, 0);
        gate_open(&gate);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
        ck_assert_uint_eq(atomic_load(&runs), 1);
        ck_assert_uint_eq(atomic_load(&drops), 2);
}

static int call_though_cancelled(void *arg, struct error *err)
{
        struct caller *c = arg;
        struct job *shielded = job_new(8, NULL);

        assert_green();
        green_cancel(green_self());
        c->result = tpool_call(c->p, &c->job->base, deadline_in_s(30), &c->err);
        tpool_job_done(&c->job->base);
        green_shield_begin();
        if (tpool_call(c->p, &shielded->base, deadline_in_s(30), err) == 0)
                c->done = shielded->out == 16;
        tpool_job_done(&shielded->base);
        green_shield_end();
        return 0;
}

GREEN_TEST_REAL(a_cancelled_caller_starts_nothing_outside_of_a_shield)
{
        struct tpool *p = pool_of(1);
        struct caller c = { p, job_new(1, NULL), deadline_never() };
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, "caller", call_though_cancelled, &c, &err);

        join(g);
        ck_assert_int_eq(c.result, -1);
        ck_assert_int_eq(c.err.code, ERR_CANCELLED);
        ck_assert(c.done);
        ck_assert_uint_eq(atomic_load(&runs), 1);
        tpool_close(p, deadline_in_s(30));
        ck_assert_uint_eq(atomic_load(&drops), 2);
}

struct closing {
        struct tpool *p;
        struct deadline by;
        unsigned left;
};

static int close_pool(void *arg, struct error *err)
{
        struct closing *c = arg;

        assert_green();
        c->left = tpool_close(c->p, c->by);
        return 0;
}

GREEN_TEST_REAL(closing_waits_for_what_runs_and_gives_back_what_waits)
{
        struct tpool *p = pool_of(1);
        struct caller running = { p, job_new(1, &gate), deadline_never() };
        struct caller queued = { p, job_new(2, NULL), deadline_never() };
        struct caller late = { p, job_new(3, NULL), deadline_never() };
        struct closing closing = { p, deadline_in_s(30), 99 };
        struct green *g1 = call_in_green(&running), *g2, *closer;
        struct error err = {};

        EVENTUALLY(atomic_load(&gate.inside) == 1);
        g2 = call_in_green(&queued);
        green_yield();
        closer = green_spawn_ref(NULL, "closer", close_pool, &closing, &err);
        join(g2);
        ck_assert_int_eq(queued.err.code, ERR_CLOSED);
        join(call_in_green(&late));
        ck_assert_int_eq(late.err.code, ERR_CLOSED);
        ck_assert(!running.done);
        gate_open(&gate);
        join(closer);
        join(g1);
        ck_assert_int_eq(running.result, 0);
        ck_assert_uint_eq(closing.left, 0);
        ck_assert_uint_eq(atomic_load(&runs), 1);
        ck_assert_uint_eq(atomic_load(&drops), 3);
}

GREEN_TEST_REAL(closing_leaves_hung_workers_behind)
{
        struct tpool *p = pool_of(2);
        struct caller c = { p, job_new(1, &gate), deadline_never() };
        struct green *g = call_in_green(&c);
        unsigned jobs;

        EVENTUALLY(atomic_load(&gate.inside) == 1);
        jobs = hang_one(p);
        ck_assert_uint_eq(tpool_close(p, deadline_in_ms(20)), 2);
        join(g); /* it had no deadline, but there is nobody left to wait for */
        ck_assert_int_eq(c.err.code, ERR_CLOSED);
        gate_open(&gate);
        EVENTUALLY(atomic_load(&drops) == jobs + 1); /* freed by the workers themselves */
}

static int cancel_self_and_close(void *arg, struct error *err)
{
        assert_green();
        green_cancel(green_self());
        return close_pool(arg, err);
}

GREEN_TEST_REAL(closing_works_for_the_cancelled_too)
{
        struct closing closing = { pool_of(2), deadline_in_s(30), 99 };
        struct job *job = job_new(1, NULL);
        struct error err = {};

        ck_assert_ok(tpool_call(closing.p, &job->base, deadline_in_s(30), &err), err);
        tpool_job_done(&job->base);
        join(green_spawn_ref(NULL, "closer", cancel_self_and_close, &closing, &err));
        ck_assert_uint_eq(closing.left, 0);
}

struct keeper {
        struct tpool *p;
        int call_code;
        unsigned left;
        bool done;
};

static int keep_until_cancelled(void *arg, struct error *err)
{
        struct keeper *k = arg;
        struct job *job = job_new(1, NULL);
        struct error call_err = {};

        assert_green();
        green_sleep_until(deadline_never(), err);
        for (int i = 0; i < 3; i++)
                green_yield(); /* now the pool's own green thread has ended too */
        green_shield_begin();
        if (tpool_call(k->p, &job->base, deadline_in_s(30), &call_err) < 0)
                k->call_code = call_err.code;
        tpool_job_done(&job->base);
        k->left = tpool_close(k->p, deadline_in_s(30));
        green_shield_end();
        k->done = true;
        return 0;
}

static int leave_the_pool_to_its_keeper(void *arg, struct error *err)
{
        struct keeper *k = arg;
        struct job *job = job_new(1, NULL);

        assert_green();
        k->p = pool_of(2);
        ck_assert_ok(tpool_call(k->p, &job->base, deadline_in_s(30), err), *err);
        tpool_job_done(&job->base);
        ck_assert_ok(green_spawn(NULL, "keeper", keep_until_cancelled, k, err), *err);
        green_yield();
        return 0;
}

START_TEST(a_pool_can_be_closed_while_the_hub_goes_down)
{
        struct keeper k = { .left = 99 };
        struct error err = {};

        ck_assert_ok(hub_run(leave_the_pool_to_its_keeper, &k, NULL, &err), err);
        ck_assert(k.done);
        ck_assert_int_eq(k.call_code, ERR_CLOSED); /* nobody would have told it of the result */
        ck_assert_uint_eq(k.left, 0);
        ck_assert_uint_eq(atomic_load(&drops), 2);
}
END_TEST

struct blob {
        int in, out;
        char text[100];
};

static int fill_blob(void *arg, struct error *err)
{
        struct blob *b = arg;

        assert_on_worker();
        if (b->in < 0)
                return error_set(err, ERR_INVALID, "negative");
        b->out = b->in + 1;
        snprintf(b->text, sizeof(b->text), "seen %d", b->in);
        return 0;
}

GREEN_TEST_REAL(the_short_form_copies_in_and_back)
{
        struct tpool *p = pool_of(1);
        struct blob b = { .in = 6 };
        struct error err = {};

        ck_assert_ok(tpool_execute(p, "fill", fill_blob, &b, sizeof(b), deadline_in_s(30), &err), err);
        ck_assert_int_eq(b.out, 7);
        ck_assert_str_eq(b.text, "seen 6");
        b = (struct blob){ .in = -1, .out = 3 };
        ck_assert_fails(tpool_execute(p, "fill", fill_blob, &b, sizeof(b), deadline_in_s(30), &err), err,
                        ERR_INVALID);
        ck_assert_int_eq(b.out, 3);
        ck_assert_fails(tpool_execute(p, "fill", fill_blob, &b, sizeof(b), deadline_now(), &err), err,
                        ERR_TIMEOUT);
        ck_assert_str_eq(err.text, "fill: the deadline had passed before it began");
        tpool_close(p, deadline_in_s(30));
}

struct seen {
        char thread_name[16];
        unsigned open_signals; /* those of 1 to 64 that are not blocked, apart from faults */
};

static int look_around(void *arg, struct error *err)
{
        static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
        struct seen *seen = arg;
        sigset_t now;

        pthread_getname_np(pthread_self(), seen->thread_name, sizeof(seen->thread_name));
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
                ck_assert(!sigismember(&now, faults[i]));
        for (int s = 1; s < 32; s++)
                seen->open_signals += !sigismember(&now, s);
        seen->open_signals -= ARRAY_SIZE(faults) + 2; /* SIGKILL and SIGSTOP cannot be blocked */
        return 0;
}

GREEN_TEST_REAL(workers_have_names_and_take_no_signals)
{
        struct tpool *p = pool_of(1);
        struct tpool_worker_info w[2] = {};
        struct seen seen = {};
        struct error err = {};
        char expected[16];

        ck_assert_ok(tpool_execute(p, "look", look_around, &seen, sizeof(seen), deadline_in_s(30), &err),
                     err);
        tpool_foreach(p, note_worker, w);
        snprintf(expected, sizeof(expected), "tpool-%u", w[0].id);
        ck_assert_str_eq(seen.thread_name, expected);
        ck_assert_uint_eq(seen.open_signals, 0);
        tpool_close(p, deadline_in_s(30));
}

GREEN_TEST_REAL(nonsense_is_refused)
{
        struct error err = {};

        ck_assert_ptr_null(tpool_new("none", 0, &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_ptr_null(tpool_new("many", 1000000, &err));
        ck_assert_uint_eq(tpool_close(NULL, deadline_never()), 0);
}

/* Many callers, short deadlines, random cancelling: each job is dropped exactly once, whatever became of it.
 */
static int churn(void *arg, struct error *err)
{
        struct tpool *p = arg;

        assert_green();
        for (int i = 0; i < 100; i++) {
                struct job *job = job_new(i, NULL);
                struct error call_err = {};
                int r = tpool_call(p, &job->base, deadline_in_ns(i % 3 ? 50000 : NS_PER_S), &call_err);

                if (r == 0)
                        ck_assert_int_eq(job->out, 2 * i);
                else
                        ck_assert(call_err.code == ERR_TIMEOUT || call_err.code == ERR_CANCELLED);
                tpool_job_done(&job->base);
        }
        return 0;
}

GREEN_TEST_REAL(every_job_is_dropped_once_in_a_crowd)
{
        enum { CALLERS = 50 };
        struct tpool *p = pool_of(4);
        struct green *g[CALLERS];
        struct error err = {};

        for (int i = 0; i < CALLERS; i++)
                g[i] = green_spawn_ref(NULL, "churn", churn, p, &err);
        for (int i = 0; i < CALLERS; i += 5) {
                green_sleep(0.002, &err);
                green_cancel(g[i]);
        }
        for (int i = 0; i < CALLERS; i++)
                join(g[i]);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
        ck_assert_uint_eq(atomic_load(&drops), CALLERS * 100);
        ck_assert_uint_le(atomic_load(&runs), CALLERS * 100);
}

static unsigned count_entries(const char *path)
{
        DIR *d = opendir(path);
        unsigned n = 0;

        ck_assert_ptr_nonnull(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

GREEN_TEST_REAL(a_closed_pool_leaves_no_thread_and_no_descriptor)
{
        unsigned fds = 0, threads = 0;

        for (int i = 0; i < 3; i++) {
                struct tpool *p = pool_of(4);
                struct caller c[4];
                struct green *g[4];

                for (int k = 0; k < 4; k++) {
                        c[k] = (struct caller){ p, job_new(k, NULL), deadline_never() };
                        g[k] = call_in_green(&c[k]);
                }
                for (int k = 0; k < 4; k++)
                        join(g[k]);
                ck_assert_uint_eq(tpool_close(p, deadline_in_s(30)), 0);
                if (i == 0) { /* only now: a sanitizer starts a thread of its own with the first one */
                        fds = count_entries("/proc/self/fd");
                        threads = count_entries("/proc/self/task");
                }
        }
        ck_assert_uint_eq(count_entries("/proc/self/fd"), fds);
        EVENTUALLY(count_entries("/proc/self/task") == threads);
}

static void note_call(const struct tpool_call_stats *s, void *arg)
{
        struct tpool_call_stats *to = arg;

        while (to->name[0])
                to++;
        *to = *s;
}

GREEN_TEST_REAL(calls_are_counted_by_name_with_their_failures_and_times)
{
        static struct tpool_call_stats found[3];
        struct tpool *p = pool_of(1);
        struct job *bad = job_new(5, NULL);
        struct blob b = { .in = 6 };
        struct error err;
        unsigned late;

        bad->must_fail = true;
        ck_assert_fails(tpool_call(p, &bad->base, deadline_in_s(30), &err), err, ERR_NOT_FOUND);
        tpool_job_done(&bad->base);
        ck_assert_ok(tpool_execute(p, "fill", fill_blob, &b, sizeof(b), deadline_in_s(30), &err), err);
        late = hang_one(p);
        gate_open(&gate);
        EVENTUALLY(info_of(p).hung == 0);
        tpool_foreach_call(p, note_call, found);
        ck_assert_str_eq(found[0].name, "double");
        ck_assert_uint_eq(found[0].failed, 1);
        ck_assert_uint_eq(found[0].timeouts, late);
        ck_assert_uint_eq(histogram_count(&found[0].times), 2); /* the others were never begun */
        ck_assert(histogram_sum_s(&found[0].times) > 0);
        ck_assert_str_eq(found[1].name, "fill");
        ck_assert_uint_eq(found[1].failed + found[1].timeouts, 0);
        ck_assert_uint_eq(histogram_count(&found[1].times), 1);
        tpool_close(p, deadline_in_s(30));
}

GREEN_TEST_REAL(names_of_calls_beyond_the_bound_are_other)
{
        static struct tpool_call_stats found[TPOOL_CALLS_MAX + 1];
        struct tpool *p = pool_of(1);
        struct error err;

        for (int i = 0; i < TPOOL_CALLS_MAX + 5; i++) {
                struct blob b = { .in = i };
                char name[16];

                snprintf(name, sizeof(name), "call %d", i);
                ck_assert_ok(tpool_execute(p, name, fill_blob, &b, sizeof(b), deadline_in_s(30), &err), err);
        }
        tpool_foreach_call(p, note_call, found);
        ck_assert_str_eq(found[TPOOL_CALLS_MAX - 2].name, "call 62");
        ck_assert_str_eq(found[TPOOL_CALLS_MAX - 1].name, "other");
        ck_assert_uint_eq(histogram_count(&found[TPOOL_CALLS_MAX - 1].times), 6);
        tpool_close(p, deadline_in_s(30));
}

GREEN_SUITE("tpool", a_call_brings_back_what_the_job_left, the_error_of_the_job_is_that_of_the_call,
            workers_are_started_when_needed_and_not_beyond_the_bound,
            one_call_after_the_other_needs_one_worker, a_hung_worker_is_replaced_listed_and_comes_back,
            a_hung_worker_that_was_not_replaced_stays,
            jobs_that_wait_get_the_replacement_of_a_worker_that_hangs,
            a_job_that_was_not_begun_in_time_is_dropped_unrun, a_deadline_in_the_past_starts_nothing,
            a_cancelled_caller_leaves_its_job_alone, a_cancelled_caller_starts_nothing_outside_of_a_shield,
            closing_waits_for_what_runs_and_gives_back_what_waits, closing_leaves_hung_workers_behind,
            closing_works_for_the_cancelled_too, a_pool_can_be_closed_while_the_hub_goes_down,
            the_short_form_copies_in_and_back, workers_have_names_and_take_no_signals, nonsense_is_refused,
            every_job_is_dropped_once_in_a_crowd, a_closed_pool_leaves_no_thread_and_no_descriptor,
            calls_are_counted_by_name_with_their_failures_and_times,
            names_of_calls_beyond_the_bound_are_other)
