/* agent/monitor/metrics_runtime.c: the hub, its green threads, pools, and the native workers beside it. */
#include "base/list.h"
#include "green/pool.h"
#include "monitor/metrics.h"
#include "native/stall_watcher.h"
#include "native/tpool.h"

/* ---- the hub ---- */

static void HUB_ONLY add_hub(struct strbuf *to)
{
        struct hub_times times;
        struct hub_stats st;

        hub_get_stats(&st);
        hub_get_times(&times);
        prometheus_histogram(to, P "hub_turn_seconds",
                             "Turns of the hub: from one look at timers and descriptors to the next, without "
                             "the sleep in between.",
                             &times.turns);
        prometheus_histogram(to, P "hub_lag_seconds",
                             "How late the timer was that was due first, for each turn that found one due.",
                             &times.lags);
        prometheus_counter(to, P "hub_sleeps_total", "Turns after which nobody was ready.",
                           (double)st.sleeps);
        prometheus_counter(to, P "hub_switches_total", "Switches between green threads.",
                           (double)st.switches);
        prometheus_counter(to, P "hub_timers_fired_total", "Timers that fired.", (double)st.timers_fired);
        prometheus_counter(to, P "green_threads_spawned_total", "Green threads started.", (double)st.spawned);
        prometheus_counter(to, P "green_threads_refused_total",
                           "Green threads that were not started for want of a guard page.",
                           (double)st.guards_refused);
}

static void add_state(const char *state, unsigned threads, void *arg)
{
        prometheus_sample_of(arg, P "green_threads", (struct prometheus_label){ "state", state }, threads);
}

static void HUB_ONLY add_green_threads(struct strbuf *to)
{
        prometheus_family(to, P "green_threads", PROMETHEUS_GAUGE,
                          "Green threads by what they do: running, ready, or the kind of wait.");
        green_count_states(add_state, to);
}

/* ---- stalls ---- */

enum { STALL_COUNT, STALL_SECONDS, STALL_FAMILIES };

static const struct metrics_family stall_families[STALL_FAMILIES] = {
        [STALL_COUNT] = { P "hub_stalls_by_culprit_total",
                          "Those stalls by the kind of green thread that held the hub.", PROMETHEUS_COUNTER },
        [STALL_SECONDS] = { P "hub_stall_seconds_total", "How long they held it.", PROMETHEUS_COUNTER },
};

static void add_culprit(const struct stall_culprit *c, void *arg)
{
        struct metrics_rows *page = arg;

        prometheus_sample_of(page->to, page->name, (struct prometheus_label){ "culprit", c->kind },
                             page->which == STALL_COUNT ? (double)c->stalls : c->seconds);
}

static void add_culprits(struct metrics_rows *page, void *watcher)
{
        assert_on_hub();
        stall_watcher_foreach_culprit(watcher, add_culprit, page);
}

static void HUB_ONLY add_stalls(const struct admin_sources *s, struct strbuf *to)
{
        if (!s->watcher)
                return;
        prometheus_counter(to, P "hub_stalls_total",
                           "Times that one green thread held the hub for longer than stall_threshold_ms.",
                           (double)stall_watcher_count(s->watcher));
        metrics_families(to, stall_families, STALL_FAMILIES, add_culprits, s->watcher);
}

/* ---- pools ---- */

enum { POOL_SIZE, POOL_RUNNING, POOL_WAITING, POOL_FAMILIES };

static const struct metrics_family pool_families[POOL_FAMILIES] = {
        [POOL_SIZE] = { P "pool_size", "Green threads that a pool allows.", PROMETHEUS_GAUGE },
        [POOL_RUNNING] = { P "pool_running", "Green threads that run in a pool.", PROMETHEUS_GAUGE },
        [POOL_WAITING] = { P "pool_waiting", "Green threads that wait for a place in a pool.",
                           PROMETHEUS_GAUGE },
};

static void add_pool(const struct green_pool_info *info, void *arg)
{
        struct metrics_rows *page = arg;
        const double values[POOL_FAMILIES] = {
                [POOL_SIZE] = info->size,
                [POOL_RUNNING] = info->running,
                [POOL_WAITING] = info->waiting,
        };

        prometheus_sample_of(page->to, page->name, (struct prometheus_label){ "pool", info->name },
                             values[page->which]);
}

static void add_pools(struct metrics_rows *page, void *arg)
{
        assert_on_hub();
        green_pool_foreach(add_pool, page);
}

/* ---- native workers ---- */

static void add_workers_of(struct strbuf *to, const char *pool, unsigned idle, unsigned busy, unsigned hung)
{
        const struct {
                const char *state;
                unsigned n;
        } rows[] = { { "idle", idle }, { "busy", busy }, { "hung", hung } };

        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct prometheus_label labels[] = { { "pool", pool }, { "state", rows[i].state } };

                prometheus_sample_with(to, P "native_workers", labels, 2, rows[i].n);
        }
}

static void HUB_ONLY add_native_workers(const struct admin_sources *s, struct strbuf *to)
{
        struct tpool *const pools[] = { s->tpool, s->files };
        struct tpool_info info = {};
        struct virt_status status = {};

        prometheus_family(
                to, P "native_workers", PROMETHEUS_GAUGE,
                "Native threads for calls that block, by what they do; hung: the caller has given up.");
        for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
                if (!pools[i])
                        continue;
                tpool_get_info(pools[i], &info);
                add_workers_of(to, info.name, info.workers - info.busy, info.busy - info.hung, info.hung);
        }
        if (s->driver) {
                s->driver->ops->get_status(s->driver, &status);
                add_workers_of(to, s->driver->ops->name, status.workers - status.busy,
                               status.busy - status.hung, status.hung);
        }
}

/* ---- their calls ---- */

enum { CALL_SECONDS, CALL_FAILURES, CALL_TIMEOUTS, CALL_FAMILIES };

static const struct metrics_family call_families[CALL_FAMILIES] = {
        [CALL_SECONDS] = { P "native_call_seconds",
                           "Calls that block, from begin to end on their worker, by pool and call.",
                           PROMETHEUS_HISTOGRAM },
        [CALL_FAILURES] = { P "native_call_failures_total", "Those of them that failed.",
                            PROMETHEUS_COUNTER },
        [CALL_TIMEOUTS] = { P "native_call_timeouts_total",
                            "Calls that were given up at their deadline; they may go on alone.",
                            PROMETHEUS_COUNTER },
};

static void add_call(const struct tpool_call_stats *c, void *arg)
{
        struct metrics_rows *page = arg;
        const struct prometheus_label labels[] = { { "pool", page->of }, { "call", c->name } };

        if (page->which == CALL_SECONDS)
                prometheus_histogram_with(page->to, page->name, labels, 2, &c->times);
        else
                prometheus_sample_with(page->to, page->name, labels, 2,
                                       (double)(page->which == CALL_FAILURES ? c->failed : c->timeouts));
}

static void add_calls(struct metrics_rows *page, void *arg)
{
        const struct admin_sources *s = arg;
        struct tpool *const pools[] = { s->tpool, s->files };
        struct tpool_info info = {};

        assert_on_hub();
        for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
                if (!pools[i])
                        continue;
                tpool_get_info(pools[i], &info);
                page->of = info.name;
                tpool_foreach_call(pools[i], add_call, page);
        }
        if (!s->driver || !s->driver->ops->foreach_call)
                return;
        page->of = s->driver->ops->name;
        s->driver->ops->foreach_call(s->driver, add_call, page);
}

/* ---- queues from native threads ---- */

enum { QUEUE_DEPTH, QUEUE_CAPACITY, QUEUE_LOST, QUEUE_OVERFLOWS, QUEUE_FAMILIES };

static const struct metrics_family queue_families[QUEUE_FAMILIES] = {
        [QUEUE_DEPTH] = { P "native_queue_depth",
                          "Facts from native threads that wait for the green thread which takes them.",
                          PROMETHEUS_GAUGE },
        [QUEUE_CAPACITY] = { P "native_queue_capacity", "For how many there is room.", PROMETHEUS_GAUGE },
        [QUEUE_LOST] = { P "native_queue_lost_total", "Facts that found no room.", PROMETHEUS_COUNTER },
        [QUEUE_OVERFLOWS] = { P "native_queue_overflows_total",
                              "Times that facts were lost and everything was looked at instead.",
                              PROMETHEUS_COUNTER },
};

static void add_queue(struct metrics_rows *page, void *arg)
{
        const struct virt_status *st = arg;
        const double values[QUEUE_FAMILIES] = {
                [QUEUE_DEPTH] = (double)st->queue_depth,
                [QUEUE_CAPACITY] = (double)st->queue_capacity,
                [QUEUE_LOST] = (double)st->queue_lost,
                [QUEUE_OVERFLOWS] = (double)st->overflows,
        };

        prometheus_sample_of(page->to, page->name, (struct prometheus_label){ "queue", st->queue },
                             values[page->which]);
}

void metrics_runtime(const struct admin_sources *s, struct strbuf *to)
{
        struct virt_status status = {};

        add_hub(to);
        add_green_threads(to);
        add_stalls(s, to);
        metrics_families(to, pool_families, POOL_FAMILIES, add_pools, NULL);
        add_native_workers(s, to);
        metrics_families(to, call_families, CALL_FAMILIES, add_calls, (void *)s);
        if (s->driver)
                s->driver->ops->get_status(s->driver, &status);
        if (status.queue)
                metrics_families(to, queue_families, QUEUE_FAMILIES, add_queue, &status);
}
