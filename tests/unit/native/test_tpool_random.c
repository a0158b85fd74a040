/*
 * tests/unit/native/test_tpool_random.c: a crowd of callers with jobs, deadlines and cancellations drawn from
 * a seed, and what must hold whatever happens between the threads.
 *
 * Each job has a record of its own that outlives it: how often it was run and dropped, and what its caller
 * was told. TPOOL_SEED and TPOOL_ROUNDS in the environment look further.
 */
#include "green_test.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "native/tpool.h"

enum { CALLERS = 24, CALLS = 40, JOBS = CALLERS * CALLS, WORKERS = 4 };

enum told { NOTHING, RESULT, JOB_FAILED, NOT_BEGUN, LEFT_ALONE };

struct record {
        atomic_uint runs, drops;
        enum told told;
};
static struct record records[JOBS];

/* Where jobs hang until the test lets them go on. */
static struct {
        pthread_mutex_t lock;
        pthread_cond_t opened;
        bool open;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER };

static void gate_set(bool open)
{
        pthread_mutex_lock(&gate.lock);
        gate.open = open;
        pthread_cond_broadcast(&gate.opened);
        pthread_mutex_unlock(&gate.lock);
}

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* ---- jobs ---- */

enum kind { QUICK, SLOW, FAILING, HANGING };

struct job {
        struct tpool_job base;
        enum kind kind;
        unsigned number, out;
        struct record *record;
};

static int run(struct tpool_job *base, struct error *err)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        assert_on_worker();
        atomic_fetch_add(&job->record->runs, 1);
        switch (job->kind) {
        case SLOW:
                usleep(200);
                break;
        case HANGING:
                pthread_mutex_lock(&gate.lock);
                while (!gate.open)
                        pthread_cond_wait(&gate.opened, &gate.lock);
                pthread_mutex_unlock(&gate.lock);
                break;
        case FAILING:
                return error_set(err, ERR_NOT_FOUND, "no %u", job->number);
        default:
                break;
        }
        job->out = ~job->number;
        return 0;
}

static void drop(struct tpool_job *base)
{
        struct job *job = CONTAINER_OF(base, struct job, base);

        atomic_fetch_add(&job->record->drops, 1);
        free(job);
}

static const struct tpool_ops ops = { "random", run, drop };

/* ---- callers ---- */

struct caller {
        struct tpool *pool;
        unsigned number;
        uint64_t random;
        struct green *green;
};

static enum told what_it_says(const struct job *job, int r, const struct error *err)
{
        if (r == 0) {
                if (job->kind == FAILING || job->out != ~job->number)
                        ck_abort_msg("job %u (%d) succeeded with %u", job->number, job->kind, job->out);
                return RESULT;
        }
        if (err->code == ERR_NOT_FOUND && job->kind == FAILING)
                return JOB_FAILED;
        if (err->code != ERR_TIMEOUT && err->code != ERR_CANCELLED)
                ck_abort_msg("job %u: %s", job->number, err->text);
        return strstr(err->text, "left to itself") ? LEFT_ALONE : NOT_BEGUN;
}

static int call_at_random(void *arg, struct error *err)
{
        struct caller *c = arg;

        assert_green();
        (void)err;
        for (unsigned i = 0; i < CALLS; i++) {
                static const int64_t limits_us[] = { -1, 0, 20, 100, 500, 3000 };
                struct job *job = NEW(struct job);
                struct error call_err = {};
                int64_t limit_us;
                int r;

                job->base.ops = &ops;
                job->number = c->number * CALLS + i;
                job->record = &records[job->number];
                job->kind = next_random(&c->random) % 50 == 0 ? HANGING : next_random(&c->random) % HANGING;
                limit_us = limits_us[next_random(&c->random) % ARRAY_SIZE(limits_us)];
                r = tpool_call(c->pool, &job->base,
                               limit_us < 0 ? deadline_in_s(60) : deadline_in_ns(limit_us * 1000), &call_err);
                job->record->told = what_it_says(job, r, &call_err);
                tpool_job_done(&job->base);
                if (green_cancelled() && next_random(&c->random) % 4 == 0)
                        return 0;
        }
        return 0;
}

/* Cancels some callers; lets the hung jobs go on now and then, so that workers come back in the middle. */
static void YIELDS disturb(struct caller *callers, uint64_t *random)
{
        struct error err = {};

        for (;;) {
                bool all_ended = true;

                for (unsigned i = 0; i < CALLERS; i++)
                        all_ended &= green_ended(callers[i].green);
                if (all_ended)
                        return;
                green_sleep(0.0005, &err);
                gate_set(next_random(random) % 3 == 0);
                if (next_random(random) % 8 == 0)
                        green_cancel(callers[next_random(random) % CALLERS].green);
        }
}

static unsigned long ends[LEFT_ALONE + 1]; /* over all rounds: none may be missing */

static void check_records(uint64_t seed)
{
        for (unsigned i = 0; i < JOBS; i++) {
                unsigned ran = atomic_load(&records[i].runs), dropped = atomic_load(&records[i].drops);
                enum told told = records[i].told;
                unsigned should_run = told != NOTHING && told != NOT_BEGUN;

                ends[told]++;
                if (dropped != (told != NOTHING) || ran != should_run)
                        ck_abort_msg("seed %" PRIu64 ", job %u: told %d, run %u times, dropped %u times",
                                     seed, i, told, ran, dropped);
        }
}

static void YIELDS one_round(uint64_t seed)
{
        static struct caller callers[CALLERS];
        uint64_t random = seed;
        struct tpool_info info;
        struct error err = {};
        struct tpool *p = tpool_new("random", WORKERS, &err);

        ck_assert_msg(p != NULL, "%s", err.text);
        memset(records, 0, sizeof(records));
        for (unsigned i = 0; i < CALLERS; i++) {
                callers[i] = (struct caller){ .pool = p, .number = i, .random = next_random(&random) | 1 };
                callers[i].green = green_spawn_ref(NULL, "caller", call_at_random, &callers[i], &err);
                ck_assert_msg(callers[i].green != NULL, "%s", err.text);
        }
        disturb(callers, &random);
        for (unsigned i = 0; i < CALLERS; i++)
                green_unref(callers[i].green);
        gate_set(true);
        do { /* all come back, and those above the bound end */
                green_sleep(0.0005, &err);
                tpool_get_info(p, &info);
        } while (info.hung > 0 || info.busy > 0 || info.workers > WORKERS);
        ck_assert_uint_eq(info.queued, 0);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(60)), 0);
        check_records(seed);
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
        const char *text = getenv(name);

        return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

GREEN_TEST_REAL(whatever_happens_each_job_is_dropped_once_and_its_caller_told_the_truth)
{
        uint64_t seed = from_environment("TPOOL_SEED", 1);
        unsigned long rounds = from_environment("TPOOL_ROUNDS", 5);

        for (unsigned long i = 0; i < rounds; i++)
                one_round(seed + i);
        printf("calls: %lu results, %lu errors, %lu not begun, %lu left alone\n", ends[RESULT],
               ends[JOB_FAILED], ends[NOT_BEGUN], ends[LEFT_ALONE]);
        for (int end = RESULT; end <= LEFT_ALONE; end++)
                ck_assert_uint_gt(ends[end], 0);
}

static int call_quick(void *arg, struct error *err)
{
        assert_on_worker();
        (void)err;
        ++*(int *)arg;
        return 0;
}

GREEN_TEST_REAL(however_many_workers_hang_the_pool_goes_on)
{
        struct error err = {};
        struct tpool *p = tpool_new("hung", 2, &err);
        struct tpool_info info;
        int n = 0;

        ck_assert_msg(p != NULL, "%s", err.text);
        gate_set(false);
        memset(records, 0, sizeof(records));
        for (unsigned i = 0; i < 20; i++) {
                struct job *job = NEW(struct job);

                *job = (struct job){ .base.ops = &ops, .kind = HANGING, .number = i, .record = &records[i] };
                ck_assert_fails(tpool_call(p, &job->base, deadline_in_ms(5), &err), err, ERR_TIMEOUT);
                tpool_job_done(&job->base);
                ck_assert_ok(tpool_execute(p, "quick", call_quick, &n, sizeof(n), deadline_in_s(60), &err),
                             err);
        }
        ck_assert_int_eq(n, 20);
        tpool_get_info(p, &info);
        ck_assert_uint_le(info.hung, 20);
        ck_assert_uint_le(info.workers, info.hung + 2);
        gate_set(true);
        ck_assert_uint_eq(tpool_close(p, deadline_in_s(60)), 0);
        for (unsigned i = 0; i < 20; i++) {
                ck_assert_uint_le(atomic_load(&records[i].runs), 1);
                ck_assert_uint_eq(atomic_load(&records[i].drops), 1);
        }
}

GREEN_SUITE("tpool_random", whatever_happens_each_job_is_dropped_once_and_its_caller_told_the_truth,
            however_many_workers_hang_the_pool_goes_on)
