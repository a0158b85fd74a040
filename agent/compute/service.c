/*
 * agent/compute/service.c: the services row: by it the rest of the cloud judges whether this host lives, and
 * whether it is to get work (nova-contract 4.1, 4.4, 7.6).
 *
 * While the hypervisor cannot be reached the service is disabled, with a reason that says so, and enabled
 * again after it: at each report, and at once when the connection comes or goes. A host that an operator
 * disabled stays disabled, and so does one that was drained here (cordon.c).
 */
#define LOG_MODULE "compute.service"
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"

#define REPORT_TASK "report_state"

int compute_service_ensure(struct compute_manager *m, struct deadline by, struct error *err)
{
        struct service_row row = {};

        if (store_service_ensure(m->store, m->conf->enable_new_services, &row, by, err) < 0)
                return error_while(err, "registering the service");
        if (row.former_version)
                log_info("the services row of %s had version %lld of the service before, has %lld now",
                         m->conf->host, (long long)row.former_version, (long long)row.version);
        service_row_free(&m->service);
        m->service = row;
        return cordon_follow_row(m, by, err);
}

static bool disabled_by_an_agent(const struct service_row *r)
{
        return r->disabled && r->disabled_reason &&
               strncmp(r->disabled_reason, SERVICE_AUTO_REASON, strlen(SERVICE_AUTO_REASON)) == 0;
}

static int YIELDS follow_hypervisor(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *reason = NULL;
        struct virt_status status = {};

        m->driver->ops->get_status(m->driver, &status);
        if (status.connected && disabled_by_an_agent(&m->service)) {
                log_info("the hypervisor is back, enabling the service");
                return store_service_follow(m->store, &m->service, NULL, by, err);
        }
        if (!status.connected && !m->service.disabled) {
                reason = xasprintf(SERVICE_AUTO_REASON "Connection to libvirt lost: %s", status.last_error);
                log_warning("disabling the service until the hypervisor is back: %s", reason);
                return store_service_follow(m->store, &m->service, reason, by, err);
        }
        return 0;
}

/* Both would answer the same queue and touch the same guests. A nova-compute counts its reports like we do.
 */
static void HUB_ONLY watch_for_rivals(struct compute_manager *m)
{
        if (!m->service.rival)
                return;
        if (m->rival_ns == 0 || compute_last_rival_age(m) > (double)m->conf->service_down_time)
                log_warning(
                        "somebody else reports for host %s, too: is another compute-agent or nova-compute "
                        "running with this host name? Only one may",
                        m->conf->host);
        m->rival_ns = clock_now_ns();
}

static int YIELDS report(struct compute_manager *m, struct deadline by, struct error *err)
{
        if (store_service_report(m->store, &m->service, by, err) < 0)
                return error_while(err, "reporting the service's state");
        m->reported_ns = clock_now_ns();
        watch_for_rivals(m);
        if (cordon_follow_row(m, by, err) < 0)
                return -1;
        return follow_hypervisor(m, by, err);
}

int service_report(struct compute_manager *m, struct deadline by, struct error *err)
{
        int r;

        if (green_mutex_lock(&m->service_mutex, by, err) < 0)
                return -1;
        r = report(m, by, err);
        green_mutex_unlock(&m->service_mutex);
        if (r == 0)
                provider_follow_service(m);
        return r;
}

static int report_state(void *arg, struct deadline by, struct error *err)
{
        assert_green();
        return service_report(arg, by, err);
}

static struct periodic_task reporting(const struct compute_manager *m)
{
        return (struct periodic_task){ REPORT_TASK, (double)m->conf->report_interval, 0, 0, 0, report_state };
}

int service_start_reporting(struct compute_manager *m, struct error *err)
{
        const struct periodic_task tasks[] = { reporting(m), {} };

        m->report_loop = periodic_start(REPORT_TASK, tasks, m, err);
        return m->report_loop ? 0 : -1;
}

void service_follow_settings(struct compute_manager *m)
{
        const struct periodic_task tasks[] = { reporting(m), {} };

        if (m->report_loop)
                periodic_change(m->report_loop, tasks);
}

void service_report_now(struct compute_manager *m)
{
        if (m->report_loop)
                periodic_kick(m->report_loop, REPORT_TASK);
}

const struct service_row *compute_service(const struct compute_manager *m)
{
        return &m->service;
}

double compute_last_report_age(const struct compute_manager *m)
{
        if (m->reported_ns == 0)
                return -1;
        return clock_since_s(m->reported_ns);
}

double compute_last_rival_age(const struct compute_manager *m)
{
        if (m->rival_ns == 0)
                return -1;
        return clock_since_s(m->rival_ns);
}
