/* agent/monitor/metrics_compute.c: instances, builds, what the cloud is told of this host, periodic tasks. */
#include "compute/tracker.h"
#include "compute/usage.h"
#include "heartbeat.h"
#include "monitor/metrics.h"
#include "periodic.h"

static double wall_before(double seconds)
{
        return (double)clock_wall_us() / 1e6 - seconds;
}

/* ---- instances, as the tracker counts them: nothing is read for it ---- */

static void HUB_ONLY add_instances(const struct admin_sources *s, struct strbuf *to)
{
        const struct tracker *tracker = compute_tracker(s->manager);
        struct usage_sums sums;

        if (!tracker_row(tracker))
                return; /* no audit yet: nobody knows */
        tracker_get_sums(tracker, &sums);
        prometheus_family(to, P "instances", PROMETHEUS_GAUGE, "Instances of this host, by state.");
        for (int i = 0; i < VM_STATES; i++) /* each of them, so that none vanishes when it becomes 0 */
                if (i != VM_DELETED)
                        prometheus_sample_of(to, P "instances",
                                             (struct prometheus_label){
                                                     "vm_state", i == VM_UNKNOWN
                                                                         ? "unknown"
                                                                         : vm_state_name((enum vm_state)i) },
                                             (double)sums.vm_states[i]);
        prometheus_gauge(to, P "instances_with_task", "Those of them with a task under way.",
                         (double)sums.workload);
        prometheus_gauge(to, P "instances_vcpus", "Virtual processors of all of them.", (double)sums.vcpus);
        prometheus_gauge(to, P "instances_memory_bytes", "Memory of all of them.",
                         (double)sums.memory_mb * 1024 * 1024);
        prometheus_gauge(to, P "instances_disk_bytes", "Size of the disks of all of them.",
                         (double)sums.disk_gb * 1024 * 1024 * 1024);
}

/* ---- work ---- */

static void HUB_ONLY add_work(const struct admin_sources *s, struct strbuf *to)
{
        struct compute_stats st;

        compute_get_stats(s->manager, &st);
        prometheus_counter(to, P "builds_total", "Instances that were built or failed to.",
                           (double)st.builds);
        prometheus_counter(to, P "builds_failed_total", "Builds that failed.", (double)st.builds_failed);
        prometheus_gauge(to, P "builds_running", "Builds that are under way, those that wait included.",
                         st.builds_running);
        prometheus_gauge(to, P "builds_waiting", "Builds that wait for their turn.", st.builds_waiting);
        prometheus_counter(to, P "actions_total", "Actions on instances (stop, reboot, ...).",
                           (double)st.actions);
        prometheus_counter(to, P "actions_failed_total", "Actions that failed.", (double)st.actions_failed);
        prometheus_gauge(to, P "work_running", "Builds and actions that are under way.", st.running);
}

/* ---- what others know of this host ---- */

static void HUB_ONLY add_service(const struct admin_sources *s, struct strbuf *to)
{
        const struct service_row *service = compute_service(s->manager);
        struct compute_placement_state placement;
        struct compute_audit_state audit;
        double age = compute_last_report_age(s->manager);

        if (age >= 0)
                prometheus_gauge(to, P "report_age_seconds",
                                 "Since the services row was written; the cloud looks at it.", age);
        prometheus_gauge(to, P "service_disabled",
                         "1 when this host is to take no new instances: the service is disabled.",
                         service->disabled);
        prometheus_gauge(to, P "service_forced_down", "1 when somebody said that this host is down.",
                         service->forced_down);
        if (compute_get_placement_state(s->manager, &placement))
                prometheus_gauge(to, P "placement_up", "1 when placement was last told what this host has.",
                                 placement.ok);
        compute_get_audit_state(s->manager, &audit);
        if (audit.known)
                prometheus_gauge(to, P "audit_ok", "1 when the last resource audit succeeded.", audit.ok);
        if (audit.age_s >= 0)
                prometheus_gauge(to, P "audit_success_timestamp_seconds",
                                 "When a resource audit succeeded last, Unix time.",
                                 wall_before(audit.age_s));
}

static void HUB_ONLY add_drain(const struct admin_sources *s, struct strbuf *to)
{
        struct compute_cordon cordon = {};
        bool drained = compute_get_cordon(s->manager, &cordon);

        prometheus_gauge(to, P "drained", "1 when an operator drained this host: it takes no builds.",
                         drained);
        prometheus_gauge(to, P "drain_operations_left",
                         "Operations that were under way when the draining began, and still are.",
                         drained ? cordon.left : 0);
}

static void HUB_ONLY add_heartbeat(const struct admin_sources *s, struct strbuf *to)
{
        double age = s->heartbeat ? heartbeat_last_beat(s->heartbeat) : -1;

        if (age >= 0)
                prometheus_gauge(to, P "heartbeat_age_seconds", "Since the heartbeat file was written.", age);
}

/* ---- periodic tasks ---- */

enum {
        TASK_RUNS,
        TASK_FAILURES,
        TASK_DURATION,
        TASK_LAST,
        TASK_NEXT,
        TASK_OVERDUE,
        TASK_INTERVAL,
        TASK_FAMILIES
};

static const struct metrics_family task_families[TASK_FAMILIES] = {
        [TASK_RUNS] = { P "task_runs_total", "Runs of a periodic task.", PROMETHEUS_COUNTER },
        [TASK_FAILURES] = { P "task_failures_total", "Those of them that failed.", PROMETHEUS_COUNTER },
        [TASK_DURATION] = { P "task_duration_seconds", "How long its last run took.", PROMETHEUS_GAUGE },
        [TASK_LAST] = { P "task_last_run_timestamp_seconds", "When its last run ended, Unix time.",
                        PROMETHEUS_GAUGE },
        [TASK_NEXT] = { P "task_next_seconds", "Until its next run; 0: due or running.", PROMETHEUS_GAUGE },
        [TASK_OVERDUE] = { P "task_overdue_seconds",
                           "How long it has been due, or runs longer than its interval.", PROMETHEUS_GAUGE },
        [TASK_INTERVAL] = { P "task_interval_seconds", "From one start of it to the next.",
                            PROMETHEUS_GAUGE },
};

static bool has(int family, const struct periodic_info *info)
{
        switch (family) {
        case TASK_DURATION:
        case TASK_LAST:
                return info->last_ended_s >= 0;
        case TASK_NEXT:
                return info->next_in_s >= 0;
        case TASK_INTERVAL:
                return info->interval_s > 0;
        default:
                return true;
        }
}

static void add_task(const struct periodic_info *info, void *arg)
{
        struct metrics_rows *page = arg;
        const double values[TASK_FAMILIES] = {
                [TASK_RUNS] = (double)info->runs,    [TASK_FAILURES] = (double)info->failures,
                [TASK_DURATION] = info->last_took_s, [TASK_LAST] = wall_before(info->last_ended_s),
                [TASK_NEXT] = info->next_in_s,       [TASK_OVERDUE] = info->overdue_s,
                [TASK_INTERVAL] = info->interval_s,
        };

        if (!info->idle && has(page->which, info))
                prometheus_sample_of(page->to, page->name, (struct prometheus_label){ "task", info->task },
                                     values[page->which]);
}

static void add_tasks(struct metrics_rows *page, void *manager)
{
        assert_on_hub();
        compute_foreach_periodic(manager, add_task, page);
}

void metrics_compute(const struct admin_sources *s, struct strbuf *to)
{
        add_heartbeat(s, to);
        if (!s->manager)
                return;
        add_instances(s, to);
        add_work(s, to);
        add_service(s, to);
        add_drain(s, to);
        metrics_families(to, task_families, TASK_FAMILIES, add_tasks, s->manager);
}
