/* agent/monitor/metrics_peers.c: requests that come, and what the agent asks of others. */
#include <stdio.h>

#include "http/http.h"
#include "monitor/metrics.h"

/* ---- requests ---- */

enum { METHOD_COUNT, METHOD_FAILURES, METHOD_TIMES, METHOD_FAMILIES };

static const struct metrics_family method_families[METHOD_FAMILIES] = {
        [METHOD_COUNT] = { P "rpc_requests_total", "Requests that were worked on, by method.",
                           PROMETHEUS_COUNTER },
        [METHOD_FAILURES] = { P "rpc_failures_total", "Those of them that failed.", PROMETHEUS_COUNTER },
        [METHOD_TIMES] = { P "rpc_duration_seconds", "How long they took.", PROMETHEUS_HISTOGRAM },
};

static void add_method(const struct rpc_method_stats *m, void *arg)
{
        struct metrics_rows *page = arg;
        const struct prometheus_label labels[] = { { "namespace", m->ns }, { "method", m->name } };

        if (page->which == METHOD_TIMES)
                prometheus_histogram_with(page->to, page->name, labels, 2, &m->times);
        else
                prometheus_sample_with(page->to, page->name, labels, 2,
                                       (double)(page->which == METHOD_COUNT ? m->done : m->failed));
}

static void add_methods(struct metrics_rows *page, void *rpc)
{
        assert_on_hub();
        rpc_server_foreach_method(rpc, add_method, page);
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
        metrics_families(to, method_families, METHOD_FAMILIES, add_methods, s->rpc);
}

/* ---- the database ---- */

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
        prometheus_histogram(to, P "database_statement_seconds",
                             "How long they took, with the way to the server and back.", &info.times);
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
        prometheus_sample_of(to, P "database_connections", (struct prometheus_label){ "state", "connecting" },
                             info.connecting);
        prometheus_gauge(to, P "database_connections_max", "Connections that the agent may have.", info.max);
        prometheus_gauge(to, P "database_waiting", "Green threads that wait for a connection.", info.waiting);
}

/* ---- HTTP ---- */

enum { HTTP_COUNT, HTTP_TIMES, HTTP_UP, HTTP_FAMILIES };

static const struct metrics_family http_families[HTTP_FAMILIES] = {
        [HTTP_COUNT] = { P "http_requests_total",
                         "Requests to other services, by class of their answers; none: there was no answer.",
                         PROMETHEUS_COUNTER },
        [HTTP_TIMES] = { P "http_request_seconds", "How long they took, downloads included.",
                         PROMETHEUS_HISTOGRAM },
        [HTTP_UP] = { P "http_service_up", "1 when the last request was answered, and with less than 500.",
                      PROMETHEUS_GAUGE },
};

static void add_classes(struct metrics_rows *page, const struct http_service_stats *s)
{
        for (unsigned i = 0; i < HTTP_CLASSES; i++) {
                char class[8] = "none";
                const struct prometheus_label labels[] = { { "service", s->service }, { "code", class } };

                if (i > 0)
                        snprintf(class, sizeof(class), "%uxx", i % 10);
                if (i != 1) /* 100 Continue is no answer */
                        prometheus_sample_with(page->to, page->name, labels, 2, (double)s->by_class[i]);
        }
}

static void add_service(const struct http_service_stats *s, void *arg)
{
        struct metrics_rows *page = arg;
        const struct prometheus_label label = { "service", s->service };

        if (page->which == HTTP_COUNT)
                add_classes(page, s);
        else if (page->which == HTTP_TIMES)
                prometheus_histogram_with(page->to, page->name, &label, 1, &s->times);
        else
                prometheus_sample_of(page->to, page->name, label, s->answers);
}

static void add_services(struct metrics_rows *page, void *arg)
{
        assert_on_hub();
        http_foreach_service(add_service, page);
}

/* ---- the hypervisor ---- */

static void HUB_ONLY add_hypervisor(const struct admin_sources *s, struct strbuf *to)
{
        struct virt_status st = {};

        if (!s->driver)
                return;
        s->driver->ops->get_status(s->driver, &st);
        prometheus_gauge(to, P "hypervisor_up", "1 while the hypervisor is connected.", st.connected);
        prometheus_gauge(to, P "hypervisor_event_gap_seconds",
                         "How long events of the hypervisor have been missing.", st.event_gap_s);
        prometheus_counter(to, P "hypervisor_events_total", "Events of guests.", (double)st.events);
        if (st.last_event_s >= 0)
                prometheus_gauge(to, P "hypervisor_last_event_timestamp_seconds",
                                 "When the last event of a guest came, Unix time.",
                                 (double)clock_wall_us() / 1e6 - st.last_event_s);
        prometheus_counter(to, P "hypervisor_calls_total", "Calls of the hypervisor's library.",
                           (double)st.calls);
        prometheus_counter(to, P "hypervisor_call_timeouts_total",
                           "Calls that were given up at their deadline.", (double)st.timeouts);
        prometheus_counter(to, P "hypervisor_reconnects_total", "Connections that replaced a lost one.",
                           (double)st.reconnects);
}

void metrics_peers(const struct admin_sources *s, struct strbuf *to)
{
        add_rpc(s, to);
        add_database(s, to);
        metrics_families(to, http_families, HTTP_FAMILIES, add_services, NULL);
        add_hypervisor(s, to);
}
