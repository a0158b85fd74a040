/*
 * agent/monitor/metrics.c: the page for Prometheus.
 *
 * One function for each part of the agent. Label values come from tables of ours, never from requests, so
 * their number is bounded. A part that was not started yet leaves its families out.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "green/pool.h"
#include "heartbeat.h"
#include "monitor/monitor.h"
#include "monitor/prometheus.h"
#include "native/stall_watcher.h"
#include "native/tpool.h"
#include "periodic.h"

#define P "compute_agent_"

/* ---- the process: names that Prometheus' own clients use ---- */

static double process_cpu_s(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double resident_bytes(void)
{
        unsigned long pages = 0;
        FILE *f;

        local_files("/proc is in memory");
        f = fopen("/proc/self/statm", "re");
        if (f) {
                if (fscanf(f, "%*u %lu", &pages) != 1)
                        pages = 0;
                fclose(f);
        }
        return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static unsigned entries_of(const char *path)
{
        struct dirent *e;
        unsigned n = 0;
        DIR *d;

        local_files("/proc is in memory");
        d = opendir(path);
        while (d && (e = readdir(d)))
                n += e->d_name[0] != '.';
        if (d)
                closedir(d);
        return n;
}

static void add_process(const struct admin_sources *s, struct strbuf *to)
{
        double up = clock_since_s(s->started_ns);

        prometheus_counter(to, "process_cpu_seconds_total", "CPU time of the agent.", process_cpu_s());
        prometheus_gauge(to, "process_resident_memory_bytes", "Resident memory of the agent.",
                         resident_bytes());
        prometheus_gauge(to, "process_open_fds", "Open file descriptors.",
                         entries_of("/proc/self/fd") - 1.0); /* one is the listing's */
        prometheus_gauge(to, "process_threads", "Native threads.", entries_of("/proc/self/task"));
        prometheus_gauge(to, "process_start_time_seconds", "When the agent was started, Unix time.",
                         (double)clock_wall_us() / 1e6 - up);
        prometheus_family(to, P "build_info", PROMETHEUS_GAUGE, "Always 1; says which version runs.");
        prometheus_sample_of(to, P "build_info", (struct prometheus_label){ "version", AGENT_VERSION }, 1);
        prometheus_gauge(to, P "ready", "1 when the start has finished.", s->ready);
        prometheus_gauge(to, P "draining", "1 when the agent is ending and takes no new requests.",
                         s->draining);
}

/* ---- the hub ---- */

static void HUB_ONLY add_hub(const struct admin_sources *s, struct strbuf *to)
{
        struct hub_stats st;

        hub_get_stats(&st);
        prometheus_counter(to, P "hub_polls_total", "Looks at descriptors and timers.", (double)st.polls);
        prometheus_counter(to, P "hub_switches_total", "Switches between green threads.",
                           (double)st.switches);
        prometheus_counter(to, P "hub_timers_fired_total", "Timers that fired.", (double)st.timers_fired);
        prometheus_counter(to, P "green_threads_spawned_total", "Green threads started.", (double)st.spawned);
        prometheus_gauge(to, P "green_threads", "Green threads that live.", st.threads);
        prometheus_gauge(to, P "green_threads_ready", "Green threads that wait for their turn.", st.ready);
        if (s->watcher)
                prometheus_counter(to, P "hub_stalls_total",
                                   "Times that one green thread held the hub for longer than "
                                   "stall_threshold_ms.",
                                   (double)stall_watcher_count(s->watcher));
}

/* ---- pools ---- */

enum pool_family { POOL_SIZE, POOL_RUNNING, POOL_WAITING, POOL_FAMILIES };

struct pool_page {
        struct strbuf *to;
        enum pool_family which;
};

static const struct {
        const char *name, *help;
} pool_families[POOL_FAMILIES] = {
        [POOL_SIZE] = { P "pool_size", "Green threads that a pool allows." },
        [POOL_RUNNING] = { P "pool_running", "Green threads that run in a pool." },
        [POOL_WAITING] = { P "pool_waiting", "Green threads that wait for a place in a pool." },
};

static void add_pool(const struct green_pool_info *info, void *arg)
{
        struct pool_page *page = arg;
        const double values[POOL_FAMILIES] = {
                [POOL_SIZE] = info->size,
                [POOL_RUNNING] = info->running,
                [POOL_WAITING] = info->waiting,
        };

        prometheus_sample_of(page->to, pool_families[page->which].name,
                             (struct prometheus_label){ "pool", info->name }, values[page->which]);
}

static void HUB_ONLY add_pools(struct strbuf *to)
{
        for (int i = 0; i < POOL_FAMILIES; i++) {
                struct pool_page page = { to, (enum pool_family)i };

                prometheus_family(to, pool_families[i].name, PROMETHEUS_GAUGE, pool_families[i].help);
                green_pool_foreach(add_pool, &page);
        }
}

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

/* ---- requests ---- */

static void add_method_count(const struct rpc_method_stats *m, void *arg)
{
        const struct prometheus_label labels[] = { { "namespace", m->ns }, { "method", m->name } };

        prometheus_sample_with(arg, P "rpc_requests_total", labels, 2, (double)m->done);
}

static void add_method_failures(const struct rpc_method_stats *m, void *arg)
{
        const struct prometheus_label labels[] = { { "namespace", m->ns }, { "method", m->name } };

        prometheus_sample_with(arg, P "rpc_failures_total", labels, 2, (double)m->failed);
}

static void add_method_times(const struct rpc_method_stats *m, void *arg)
{
        struct prometheus_label labels[] = { { "namespace", m->ns },
                                             { "method", m->name },
                                             { "le", "+Inf" } };
        unsigned long within = 0;
        char bound[32];

        for (unsigned i = 0; i < RPC_TIME_BOUNDS; i++) {
                struct prometheus_label le[] = { labels[0], labels[1], { "le", bound } };

                snprintf(bound, sizeof(bound), "%g", rpc_time_bounds[i]);
                within += m->within[i];
                prometheus_sample_with(arg, P "rpc_duration_seconds_bucket", le, 3, (double)within);
        }
        prometheus_sample_with(arg, P "rpc_duration_seconds_bucket", labels, 3, (double)m->done);
        prometheus_sample_with(arg, P "rpc_duration_seconds_sum", labels, 2, m->seconds);
        prometheus_sample_with(arg, P "rpc_duration_seconds_count", labels, 2, (double)m->done);
}

static void HUB_ONLY add_rpc(const struct admin_sources *s, struct strbuf *to)
{
        struct rpc_server_stats st;
        bool ok = false;

        if (s->transport) {
                char text[1024];

                transport_describe(s->transport, text, sizeof(text), &ok);
        }
        prometheus_gauge(to, P "message_bus_up", "1 when requests can arrive and answers leave.", ok);
        if (!s->rpc)
                return;
        rpc_server_get_stats(s->rpc, &st);
        prometheus_counter(to, P "rpc_received_total", "Requests that arrived.", (double)st.received);
        prometheus_counter(to, P "rpc_duplicates_total", "Requests that had arrived before and were dropped.",
                           (double)st.duplicates);
        prometheus_counter(to, P "rpc_rejected_total", "Messages that could not be read.",
                           (double)st.rejected);
        prometheus_gauge(to, P "rpc_running", "Requests that are worked on.", st.running);
        prometheus_gauge(to, P "rpc_queued", "Requests that wait for a worker.", st.queued);
        prometheus_family(to, P "rpc_requests_total", PROMETHEUS_COUNTER,
                          "Requests that were worked on, by method.");
        rpc_server_foreach_method(s->rpc, add_method_count, to);
        prometheus_family(to, P "rpc_failures_total", PROMETHEUS_COUNTER, "Those of them that failed.");
        rpc_server_foreach_method(s->rpc, add_method_failures, to);
        prometheus_family(to, P "rpc_duration_seconds", PROMETHEUS_HISTOGRAM, "How long they took.");
        rpc_server_foreach_method(s->rpc, add_method_times, to);
}

/* ---- peers ---- */

static void HUB_ONLY add_database(const struct admin_sources *s, struct strbuf *to)
{
        struct db_pool_info info;

        if (!s->db)
                return;
        db_pool_get_info(s->db, &info);
        prometheus_gauge(to, P "database_up", "1 when the last attempt to reach the database succeeded.",
                         info.reachable);
        prometheus_counter(to, P "database_statements_total", "SQL statements.", (double)info.queries);
        prometheus_counter(to, P "database_errors_total", "SQL statements that failed.", (double)info.errors);
        prometheus_counter(to, P "database_retries_total", "Statements and transactions that were repeated.",
                           (double)info.retries);
        prometheus_counter(to, P "database_reconnects_total", "Connections that replaced a lost one.",
                           (double)info.reconnects);
        prometheus_family(to, P "database_connections", PROMETHEUS_GAUGE,
                          "Connections to the database, by state.");
        prometheus_sample_of(to, P "database_connections", (struct prometheus_label){ "state", "idle" },
                             info.idle);
        prometheus_sample_of(to, P "database_connections", (struct prometheus_label){ "state", "used" },
                             info.lent);
        prometheus_gauge(to, P "database_waiting", "Green threads that wait for a connection.", info.waiting);
}

static void HUB_ONLY add_hypervisor(const struct admin_sources *s, struct strbuf *to)
{
        struct virt_status st = {};

        if (!s->driver)
                return;
        s->driver->ops->get_status(s->driver, &st);
        prometheus_gauge(to, P "hypervisor_up", "1 while the hypervisor is connected.", st.connected);
        prometheus_gauge(to, P "hypervisor_event_gap_seconds",
                         "How long events of the hypervisor have been missing.", st.event_gap_s);
        prometheus_counter(to, P "hypervisor_calls_total", "Calls of the hypervisor's library.",
                           (double)st.calls);
        prometheus_counter(to, P "hypervisor_call_timeouts_total",
                           "Calls that were given up at their deadline.", (double)st.timeouts);
        prometheus_counter(to, P "hypervisor_events_total", "Events of guests.", (double)st.events);
        prometheus_counter(to, P "hypervisor_event_overflows_total",
                           "Times that events were dropped and all guests looked at instead.",
                           (double)st.overflows);
        prometheus_counter(to, P "hypervisor_reconnects_total", "Connections that replaced a lost one.",
                           (double)st.reconnects);
}

static void HUB_ONLY add_compute(const struct admin_sources *s, struct strbuf *to)
{
        struct compute_placement_state placement;
        struct compute_stats st;
        double age;

        if (!s->manager)
                return;
        compute_get_stats(s->manager, &st);
        prometheus_counter(to, P "builds_total", "Instances that were built or failed to.",
                           (double)st.builds);
        prometheus_counter(to, P "builds_failed_total", "Builds that failed.", (double)st.builds_failed);
        prometheus_gauge(to, P "builds_waiting", "Builds that wait for their turn.", st.builds_waiting);
        prometheus_counter(to, P "actions_total", "Actions on instances (stop, reboot, ...).",
                           (double)st.actions);
        prometheus_counter(to, P "actions_failed_total", "Actions that failed.", (double)st.actions_failed);
        prometheus_gauge(to, P "work_running", "Builds and actions that are under way.", st.running);
        age = compute_last_report_age(s->manager);
        if (age >= 0)
                prometheus_gauge(to, P "report_age_seconds",
                                 "Since the services row was written; the cloud looks at it.", age);
        if (compute_get_placement_state(s->manager, &placement))
                prometheus_gauge(to, P "placement_up", "1 when placement was last told what this host has.",
                                 placement.ok);
}

static void HUB_ONLY add_heartbeat(const struct admin_sources *s, struct strbuf *to)
{
        double age = s->heartbeat ? heartbeat_last_beat(s->heartbeat) : -1;

        if (age >= 0)
                prometheus_gauge(to, P "heartbeat_age_seconds", "Since the heartbeat file was written.", age);
}

/* ---- periodic tasks ---- */

enum task_family { TASK_RUNS, TASK_FAILURES, TASK_DURATION, TASK_NEXT, TASK_FAMILIES };

struct task_page {
        struct strbuf *to;
        enum task_family which;
};

static const struct {
        const char *name, *help;
        enum prometheus_type type;
} task_families[TASK_FAMILIES] = {
        [TASK_RUNS] = { P "task_runs_total", "Runs of a periodic task.", PROMETHEUS_COUNTER },
        [TASK_FAILURES] = { P "task_failures_total", "Those of them that failed.", PROMETHEUS_COUNTER },
        [TASK_DURATION] = { P "task_duration_seconds", "How long its last run took.", PROMETHEUS_GAUGE },
        [TASK_NEXT] = { P "task_next_seconds", "Until its next run; 0: due or running.", PROMETHEUS_GAUGE },
};

static void add_task(const struct periodic_info *info, void *arg)
{
        struct task_page *page = arg;
        const double values[TASK_FAMILIES] = {
                [TASK_RUNS] = (double)info->runs,
                [TASK_FAILURES] = (double)info->failures,
                [TASK_DURATION] = info->last_took_s,
                [TASK_NEXT] = info->next_in_s,
        };

        if (info->idle || (page->which == TASK_DURATION && info->runs == 0))
                return;
        if (page->which == TASK_NEXT && info->next_in_s < 0)
                return;
        prometheus_sample_of(page->to, task_families[page->which].name,
                             (struct prometheus_label){ "task", info->task }, values[page->which]);
}

static void HUB_ONLY add_tasks(const struct admin_sources *s, struct strbuf *to)
{
        if (!s->manager)
                return;
        for (int i = 0; i < TASK_FAMILIES; i++) {
                struct task_page page = { to, (enum task_family)i };

                prometheus_family(to, task_families[i].name, task_families[i].type, task_families[i].help);
                compute_foreach_periodic(s->manager, add_task, &page);
        }
}

void monitor_metrics(const struct admin_sources *s, struct strbuf *to)
{
        add_process(s, to);
        add_hub(s, to);
        add_pools(to);
        add_native_workers(s, to);
        add_rpc(s, to);
        add_database(s, to);
        add_hypervisor(s, to);
        add_compute(s, to);
        add_heartbeat(s, to);
        add_tasks(s, to);
}
