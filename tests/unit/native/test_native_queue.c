#include "green_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/list.h"
#include "green/sync.h"
#include "native/native_queue.h"

struct item {
        unsigned producer, number;
};

static struct native_queue *HUB_ONLY queue_of(size_t capacity)
{
        struct error err = {};
        struct native_queue *q = native_queue_new("test", sizeof(struct item), capacity, &err);

        ck_assert_msg(q != NULL, "%s", err.text);
        return q;
}

static void push_range(struct native_queue *q, unsigned from, unsigned to)
{
        for (unsigned i = from; i < to; i++)
                ck_assert(native_queue_push(q, &(struct item){ 0, i }));
}

GREEN_TEST(items_come_out_in_order_and_in_batches)
{
        struct native_queue *q = queue_of(8);
        struct item got[3];
        struct error err = {};
        bool overflowed = true;

        push_range(q, 0, 4);
        ck_assert_int_eq(native_queue_pop(q, got, 3, &overflowed, deadline_now(), &err), 3);
        ck_assert(!overflowed);
        for (unsigned i = 0; i < 3; i++)
                ck_assert_uint_eq(got[i].number, i);
        ck_assert_int_eq(native_queue_pop(q, got, 3, &overflowed, deadline_now(), &err), 1);
        ck_assert_uint_eq(got[0].number, 3);
        native_queue_free(q);
}

GREEN_TEST(the_ring_goes_round_many_times)
{
        struct native_queue *q = queue_of(4);
        struct item got[4];
        struct error err = {};
        bool overflowed;

        for (unsigned round = 0; round < 1000; round++) {
                push_range(q, round * 3, round * 3 + 3);
                ck_assert_int_eq(native_queue_pop(q, got, 4, &overflowed, deadline_now(), &err), 3);
                for (unsigned i = 0; i < 3; i++)
                        ck_assert_uint_eq(got[i].number, round * 3 + i);
        }
        native_queue_free(q);
}

GREEN_TEST(an_empty_queue_times_out_at_the_deadline)
{
        struct native_queue *q = queue_of(8);
        struct item got;
        struct error err;
        bool overflowed;

        ck_assert_fails(native_queue_pop(q, &got, 1, &overflowed, deadline_in_ms(250), &err), err,
                        ERR_TIMEOUT);
        ck_assert_int_eq(clock_fake_elapsed_ms(), 250);
        ck_assert_ptr_nonnull(strstr(err.text, "queue test"));
        push_range(q, 0, 1); /* a wait that failed leaves no trace */
        ck_assert_int_eq(native_queue_pop(q, &got, 1, &overflowed, deadline_now(), &err), 1);
        native_queue_free(q);
}

struct waiting {
        struct native_queue *q;
        int result;
        struct item got;
        struct error err;
};

static int wait_for_item(void *arg, struct error *err)
{
        struct waiting *w = arg;
        bool overflowed;

        assert_green();
        w->result = native_queue_pop(w->q, &w->got, 1, &overflowed, deadline_never(), &w->err);
        return 0;
}

GREEN_TEST(a_cancelled_wait_fails_and_loses_nothing)
{
        struct waiting w = { .q = queue_of(8) };
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, "consumer", wait_for_item, &w, &err);
        bool overflowed;

        green_yield();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(w.result, -1);
        ck_assert_int_eq(w.err.code, ERR_CANCELLED);
        push_range(w.q, 7, 8);
        ck_assert_int_eq(native_queue_pop(w.q, &w.got, 1, &overflowed, deadline_now(), &err), 1);
        ck_assert_uint_eq(w.got.number, 7);
        native_queue_free(w.q);
}

GREEN_TEST(a_push_from_the_hub_wakes_the_consumer)
{
        struct waiting w = { .q = queue_of(8) };
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, "consumer", wait_for_item, &w, &err);

        green_yield();
        push_range(w.q, 3, 4);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(w.result, 1);
        ck_assert_uint_eq(w.got.number, 3);
        native_queue_free(w.q);
}

GREEN_TEST(overflow_is_told_once_after_what_was_before_it)
{
        struct native_queue *q = queue_of(4);
        struct native_queue_info info;
        struct item got[8];
        struct error err = {};
        bool overflowed;

        for (int round = 1; round <= 3; round++) {
                push_range(q, 0, 4);
                for (unsigned i = 4; i < 9; i++)
                        ck_assert(!native_queue_push(q, &(struct item){ 0, i }));
                native_queue_get_info(q, &info);
                ck_assert_uint_eq(info.depth, 4);
                ck_assert_int_eq(native_queue_pop(q, got, 3, &overflowed, deadline_now(), &err), 3);
                ck_assert(!overflowed);
                ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_now(), &err), 1);
                ck_assert(!overflowed);
                ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_now(), &err), 0);
                ck_assert(overflowed);
                ck_assert_fails(native_queue_pop(q, got, 8, &overflowed, deadline_now(), &err), err,
                                ERR_TIMEOUT);
                ck_assert(!overflowed);
                native_queue_get_info(q, &info);
                ck_assert_uint_eq(info.overflows, (unsigned)round);
                ck_assert_uint_eq(info.lost, (unsigned)round * 5);
                ck_assert_uint_eq(info.pushed, (unsigned)round * 4);
        }
        native_queue_free(q);
}

GREEN_TEST(what_is_pushed_after_the_report_comes_after_the_report)
{
        struct native_queue *q = queue_of(2);
        struct item got[8];
        struct error err = {};
        bool overflowed;

        push_range(q, 0, 2);
        ck_assert(!native_queue_push(q, &(struct item){ 0, 2 }));
        ck_assert_int_eq(native_queue_pop(q, got, 1, &overflowed, deadline_now(), &err), 1);
        push_range(q, 3, 4); /* there is room again, but the consumer has noticed the loss before */
        ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_now(), &err), 1);
        ck_assert_uint_eq(got[0].number, 1);
        ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_now(), &err), 0);
        ck_assert(overflowed);
        ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_now(), &err), 1);
        ck_assert_uint_eq(got[0].number, 3);
        native_queue_free(q);
}

GREEN_TEST(closed_after_the_rest)
{
        struct native_queue *q = queue_of(2);
        struct item got[8];
        struct error err;
        bool overflowed;

        push_range(q, 0, 2);
        ck_assert(!native_queue_push(q, &(struct item){ 0, 2 }));
        native_queue_close(q);
        ck_assert(!native_queue_push(q, &(struct item){ 0, 3 }));
        ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_never(), &err), 2);
        ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_never(), &err), 0);
        ck_assert(overflowed);
        for (int i = 0; i < 2; i++)
                ck_assert_fails(native_queue_pop(q, got, 8, &overflowed, deadline_never(), &err), err,
                                ERR_CLOSED);
        native_queue_free(q);
}

GREEN_TEST(closing_wakes_the_consumer)
{
        struct waiting w = { .q = queue_of(8) };
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, "consumer", wait_for_item, &w, &err);

        green_yield();
        native_queue_close(w.q);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        ck_assert_int_eq(w.err.code, ERR_CLOSED);
        native_queue_free(w.q);
}

GREEN_TEST(nonsense_is_refused)
{
        struct native_queue *q = queue_of(1);
        struct native_queue_info info;
        struct error err = {};
        bool overflowed;
        struct item got;

        native_queue_get_info(q, &info);
        ck_assert_uint_eq(info.capacity, 2);
        ck_assert_fails(native_queue_pop(q, &got, 0, &overflowed, deadline_now(), &err), err, ERR_INVALID);
        native_queue_free(q);
        native_queue_free(NULL);
        ck_assert_ptr_null(native_queue_new("none", 0, 8, &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
        ck_assert_ptr_null(native_queue_new("none", 8, 0, &err));
        ck_assert_ptr_null(native_queue_new("much", 8, (size_t)1 << 40, &err));
        ck_assert_int_eq(err.code, ERR_INVALID);
}

static int count_turns(void *arg, struct error *err)
{
        unsigned *turns = arg;

        assert_green();
        while (!green_cancelled()) {
                (*turns)++;
                green_yield();
        }
        return 0;
}

GREEN_TEST(a_queue_that_never_runs_dry_starves_nobody)
{
        struct native_queue *q = queue_of(8);
        unsigned turns = 0;
        struct error err = {};
        struct green *g = green_spawn_ref(NULL, "other", count_turns, &turns, &err);
        struct item got[8];
        bool overflowed;

        for (unsigned i = 0; i < 1000; i++) {
                push_range(q, i, i + 1);
                ck_assert_int_eq(native_queue_pop(q, got, 8, &overflowed, deadline_never(), &err), 1);
        }
        ck_assert_uint_ge(turns, 10);
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), NULL, &err), err);
        green_unref(g);
        native_queue_free(q);
}

static int drain_own_queue(void *arg, struct error *err)
{
        struct native_queue *q = arg;
        struct item got;
        bool overflowed;

        assert_green();
        do
                native_queue_push(q, &(struct item){ 0, 0 });
        while (native_queue_pop(q, &got, 1, &overflowed, deadline_never(), err) > 0);
        return -1;
}

GREEN_TEST(a_consumer_that_never_waits_can_be_cancelled)
{
        struct native_queue *q = queue_of(8);
        struct error err = {}, failed = {};
        struct green *g = green_spawn_ref(NULL, "busy", drain_own_queue, q, &err);

        green_yield();
        green_cancel(g);
        ck_assert_ok(green_join(g, deadline_in_s(1), &failed, &err), err);
        ck_assert_int_eq(failed.code, ERR_CANCELLED);
        green_unref(g);
        native_queue_free(q);
}

/* ---- with native producers ---- */

enum { PRODUCERS = 8, PER_PRODUCER = 125000 };

struct producer {
        pthread_t thread;
        struct native_queue *q;
        unsigned number;
        bool insist; /* tries again until there is room */
        unsigned long accepted;
};

static void *produce(void *arg)
{
        struct producer *p = arg;

        for (unsigned i = 0; i < PER_PRODUCER; i++) {
                struct item it = { p->number, i };
                bool pushed;

                while (!(pushed = native_queue_push(p->q, &it)) && p->insist)
                        sched_yield();
                p->accepted += pushed;
        }
        return NULL;
}

static void start_producers(struct producer *p, struct native_queue *q, bool insist)
{
        for (unsigned i = 0; i < PRODUCERS; i++) {
                p[i] = (struct producer){ .q = q, .number = i, .insist = insist };
                ck_assert_int_eq(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
        }
}

static unsigned long join_producers(struct producer *p)
{
        unsigned long accepted = 0;

        for (unsigned i = 0; i < PRODUCERS; i++) {
                pthread_join(p[i].thread, NULL);
                accepted += p[i].accepted;
        }
        return accepted;
}

/* Takes until `want` items came or, with want 0, until nothing comes any more. Order is checked per producer.
 */
static unsigned long YIELDS consume(struct native_queue *q, unsigned long want, bool gaps,
                                    unsigned *overflows)
{
        struct item got[256];
        unsigned next[PRODUCERS] = {};
        unsigned long n = 0;
        struct error err = {};

        for (;;) {
                bool overflowed;
                int r = native_queue_pop(q, got, ARRAY_SIZE(got), &overflowed,
                                         want ? deadline_in_s(60) : deadline_never(), &err);

                if (r < 0) {
                        ck_assert_msg(!want && err.code == ERR_CLOSED, "%s", err.text);
                        return n;
                }
                *overflows += overflowed;
                for (int i = 0; i < r; i++) { /* no ck_assert per item: each one writes to a file */
                        unsigned who = got[i].producer;

                        if (who >= PRODUCERS || got[i].number < next[who] ||
                            (got[i].number > next[who] && !gaps))
                                ck_abort_msg("item %u of producer %u came when %u was due", got[i].number,
                                             who, who < PRODUCERS ? next[who] : 0);
                        next[who] = got[i].number + 1;
                }
                n += (unsigned)r;
                if (want && n == want)
                        return n;
        }
}

GREEN_TEST_REAL(a_million_items_none_lost_none_twice)
{
        struct native_queue *q = queue_of(1 << 20);
        struct producer p[PRODUCERS];
        struct native_queue_info info;
        unsigned overflows = 0;

        start_producers(p, q, false);
        consume(q, PRODUCERS * PER_PRODUCER, false, &overflows);
        ck_assert_uint_eq(join_producers(p), PRODUCERS * PER_PRODUCER);
        native_queue_get_info(q, &info);
        ck_assert_uint_eq(info.pushed, PRODUCERS * PER_PRODUCER);
        ck_assert_uint_eq(info.depth, 0);
        ck_assert_uint_eq(overflows, 0);
        ck_assert_uint_eq(info.lost, 0);
        native_queue_free(q);
}

GREEN_TEST_REAL(a_million_items_through_a_small_queue_that_overflows_all_the_time)
{
        struct native_queue *q = queue_of(64);
        struct producer p[PRODUCERS];
        struct native_queue_info info;
        unsigned overflows = 0;
        struct error err;
        bool overflowed;
        struct item got;

        start_producers(p, q, true);
        consume(q, PRODUCERS * PER_PRODUCER, false, &overflows);
        join_producers(p);
        if (native_queue_pop(q, &got, 1, &overflowed, deadline_now(), &err) == 0)
                overflows += overflowed; /* the last one may have happened after the last item was taken */
        native_queue_get_info(q, &info);
        ck_assert_uint_eq(info.pushed, PRODUCERS * PER_PRODUCER);
        ck_assert_uint_eq(info.overflows, overflows);
        native_queue_free(q);
}

static void *close_when_joined(void *arg)
{
        struct producer *p = arg;

        for (unsigned i = 0; i < PRODUCERS; i++)
                pthread_join(p[i].thread, NULL);
        native_queue_close(p[0].q);
        return NULL;
}

GREEN_TEST_REAL(what_does_not_fit_is_counted_and_each_overflow_is_told)
{
        struct native_queue *q = queue_of(64);
        struct producer p[PRODUCERS];
        struct native_queue_info info;
        unsigned long got, accepted = 0;
        unsigned overflows = 0;
        pthread_t closer;

        start_producers(p, q, false);
        ck_assert_int_eq(pthread_create(&closer, NULL, close_when_joined, p), 0);
        got = consume(q, 0, true, &overflows);
        pthread_join(closer, NULL);
        for (unsigned i = 0; i < PRODUCERS; i++)
                accepted += p[i].accepted;
        native_queue_get_info(q, &info);
        ck_assert_uint_eq(got, accepted);
        ck_assert_uint_eq(info.pushed, accepted);
        ck_assert_uint_eq(info.lost, PRODUCERS * PER_PRODUCER - accepted);
        ck_assert_uint_eq(info.overflows, overflows);
        native_queue_free(q);
}

/* Bursts of random length, and a consumer that is away for a while now and then. */
static void *produce_in_bursts(void *arg)
{
        struct producer *p = arg;
        unsigned random = 2463534242u + p->number;

        for (unsigned i = 0; i < PER_PRODUCER;) {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                for (unsigned end = i + 1 + random % 300; i < end && i < PER_PRODUCER; i++)
                        p->accepted += native_queue_push(p->q, &(struct item){ p->number, i });
                usleep(random % 50);
        }
        return NULL;
}

struct seen {
        unsigned long items, lost, reports;
        unsigned next[PRODUCERS];
};

/* Per producer what comes is what was pushed, in order; what is missing shows as gaps. */
static void note_items(struct seen *seen, const struct item *items, int n)
{
        for (int i = 0; i < n; i++) {
                unsigned who = items[i].producer;

                if (who >= PRODUCERS || items[i].number < seen->next[who])
                        ck_abort_msg("item %u of producer %u came when %u was due", items[i].number, who,
                                     who < PRODUCERS ? seen->next[who] : 0);
                seen->lost += items[i].number - seen->next[who];
                seen->next[who] = items[i].number + 1;
        }
        seen->items += (unsigned)n;
}

static void YIELDS consume_with_pauses(struct native_queue *q, struct seen *seen)
{
        struct item got[64];
        struct error err = {};
        bool overflowed;
        int r;

        while ((r = native_queue_pop(q, got, ARRAY_SIZE(got), &overflowed, deadline_in_s(60), &err)) >= 0) {
                note_items(seen, got, r);
                seen->reports += overflowed;
                if (seen->items % 1000 < 10)
                        green_sleep(0.0003, &err);
        }
        ck_assert_int_eq(err.code, ERR_CLOSED);
}

GREEN_TEST_REAL(a_million_items_in_bursts_come_once_or_are_counted_as_lost)
{
        static struct seen seen;
        struct native_queue *q = queue_of(1024);
        struct producer p[PRODUCERS];
        struct native_queue_info info;
        unsigned long accepted = 0;
        pthread_t closer;

        for (unsigned i = 0; i < PRODUCERS; i++) {
                p[i] = (struct producer){ .q = q, .number = i };
                ck_assert_int_eq(pthread_create(&p[i].thread, NULL, produce_in_bursts, &p[i]), 0);
        }
        ck_assert_int_eq(pthread_create(&closer, NULL, close_when_joined, p), 0);
        consume_with_pauses(q, &seen);
        pthread_join(closer, NULL);
        for (unsigned i = 0; i < PRODUCERS; i++) {
                accepted += p[i].accepted;
                seen.lost += PER_PRODUCER - seen.next[i]; /* lost at the end */
        }
        native_queue_get_info(q, &info);
        ck_assert_uint_eq(seen.items, accepted);
        ck_assert_uint_eq(info.pushed, accepted);
        ck_assert_uint_eq(seen.items + seen.lost, PRODUCERS * PER_PRODUCER);
        ck_assert_uint_eq(info.lost, seen.lost);
        ck_assert_uint_eq(info.overflows, seen.reports);
        ck_assert_int_eq(seen.reports > 0,
                         seen.lost > 0); /* a report when something was lost, and only then */
        native_queue_free(q);
}

static void *push_one_by_one(void *arg)
{
        struct producer *p = arg;

        for (unsigned i = 0; i < 2000; i++) {
                struct native_queue_info info;

                native_queue_push(p->q, &(struct item){ 0, i });
                do { /* the consumer goes to sleep between any two */
                        sched_yield();
                        native_queue_get_info(p->q, &info);
                } while (info.depth);
        }
        return NULL;
}

GREEN_TEST_REAL(a_sleeping_consumer_is_woken_each_time)
{
        struct producer p = { .q = queue_of(8) };
        struct error err = {};
        struct item got;
        bool overflowed;

        ck_assert_int_eq(pthread_create(&p.thread, NULL, push_one_by_one, &p), 0);
        for (unsigned i = 0; i < 2000; i++) {
                ck_assert_msg(native_queue_pop(p.q, &got, 1, &overflowed, deadline_in_s(30), &err) == 1,
                              "%u: %s", i, err.text);
                ck_assert_uint_eq(got.number, i);
        }
        pthread_join(p.thread, NULL);
        native_queue_free(p.q);
}

GREEN_SUITE("native_queue", items_come_out_in_order_and_in_batches, the_ring_goes_round_many_times,
            an_empty_queue_times_out_at_the_deadline, a_cancelled_wait_fails_and_loses_nothing,
            a_push_from_the_hub_wakes_the_consumer, overflow_is_told_once_after_what_was_before_it,
            what_is_pushed_after_the_report_comes_after_the_report, closed_after_the_rest,
            closing_wakes_the_consumer, nonsense_is_refused, a_queue_that_never_runs_dry_starves_nobody,
            a_consumer_that_never_waits_can_be_cancelled, a_million_items_none_lost_none_twice,
            a_million_items_through_a_small_queue_that_overflows_all_the_time,
            what_does_not_fit_is_counted_and_each_overflow_is_told,
            a_million_items_in_bursts_come_once_or_are_counted_as_lost,
            a_sleeping_consumer_is_woken_each_time)
