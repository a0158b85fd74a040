/*
 * agent/compute/cordon.c: a drained host: it takes no builds, and all else goes on.
 *
 * The services row says so to the rest of the cloud, and to the next start of the agent: disabled, with a
 * reason that begins with SERVICE_DRAIN_REASON and says who it was. Whoever enables the service in the cloud
 * takes the drain back, too. Where an operator of the cloud had disabled it for another reason, the row stays
 * as it is: the drain is then known to this process alone, and the scheduler sends nothing anyway. While the
 * database is away the host is drained all the same, and the row follows with a later report.
 *
 * A build that comes nevertheless, as the scheduler had chosen this host before, is sent on to another one.
 */
#define LOG_MODULE "compute.cordon"
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"

static bool begins(const char *text, const char *with)
{
        return text && strncmp(text, with, strlen(with)) == 0;
}

static bool row_is_ours(const struct compute_manager *m)
{
        return m->service.disabled && begins(m->service.disabled_reason, SERVICE_DRAIN_REASON);
}

static bool row_is_the_operators(const struct compute_manager *m)
{
        return m->service.disabled && !begins(m->service.disabled_reason, SERVICE_DRAIN_REASON) &&
               !begins(m->service.disabled_reason, SERVICE_AUTO_REASON);
}

static void HUB_ONLY begin(struct compute_manager *m, const char *reason)
{
        struct cordon *c = &m->cordon;

        replace_str(&c->reason, reason);
        if (!c->on) {
                c->on = true;
                c->since_ns = clock_now_ns();
                c->last_op = m->inflight.last_id;
                c->total = m->inflight.n;
        }
        green_cond_broadcast(&m->inflight.some);
}

static void HUB_ONLY end(struct compute_manager *m)
{
        replace_str(&m->cordon.reason, NULL);
        m->cordon = (struct cordon){};
        green_cond_broadcast(&m->inflight.some);
}

/* The row's mutex is held. */
static int YIELDS write_row(struct compute_manager *m, struct deadline by, struct error *err)
{
        CLEANUP(freep) char *reason = xasprintf(SERVICE_DRAIN_REASON "%s", m->cordon.reason);

        if (store_service_drain(m->store, &m->service, reason, by, err) < 0)
                return -1;
        m->cordon.unwritten = false;
        if (row_is_the_operators(m))
                log_info("the service stays disabled for another reason: %s",
                         m->service.disabled_reason ? m->service.disabled_reason : "none was given");
        return 0;
}

int compute_cordon(struct compute_manager *m, const char *reason, struct deadline by, struct error *err)
{
        int r;

        log_info("this host takes no more builds: %s", reason);
        begin(m, reason);
        m->cordon.unwritten = true;
        r = green_mutex_lock(&m->service_mutex, by, err);
        if (r == 0) {
                r = write_row(m, by, err);
                green_mutex_unlock(&m->service_mutex);
        }
        if (r == 0)
                provider_follow_service(m);
        if (r == 0 || err->code == ERR_CANCELLED)
                return r;
        log_warning("%s; the next report tries again", err->text);
        *err = (struct error){};
        return 0;
}

/* The hypervisor may be away: the next report, which is due now, disables the service for that. */
int compute_uncordon(struct compute_manager *m, struct deadline by, struct error *err)
{
        int r;

        if (green_mutex_lock(&m->service_mutex, by, err) < 0)
                return -1;
        r = store_service_undrain(m->store, &m->service, by, err);
        if (r == 0 && m->cordon.on) {
                log_info("this host takes builds again");
                end(m);
        }
        green_mutex_unlock(&m->service_mutex);
        if (r < 0)
                return error_while(err, "nothing was changed");
        provider_follow_service(m);
        service_report_now(m);
        return 0;
}

int cordon_follow_row(struct compute_manager *m, struct deadline by, struct error *err)
{
        const char *reason = m->service.disabled_reason;

        if (row_is_ours(m)) {
                if (!m->cordon.on)
                        log_info("this host takes no builds, as its services row says: %s", reason);
                begin(m, reason + strlen(SERVICE_DRAIN_REASON));
                m->cordon.unwritten = false;
                return 0;
        }
        if (!m->cordon.on || row_is_the_operators(m))
                return 0;
        if (m->cordon.unwritten || m->service.disabled)
                return write_row(m, by, err);
        log_warning("the service of this host was enabled in the cloud: it is not drained any more");
        end(m);
        return 0;
}

int cordon_check(const struct compute_manager *m, struct error *err)
{
        if (!m->cordon.on)
                return 0;
        return error_set(err, NOVA_COMPUTE_RESOURCES_UNAVAILABLE, "host %s is drained (%.200s)",
                         m->conf->host, m->cordon.reason);
}

bool compute_get_cordon(const struct compute_manager *m, struct compute_cordon *ret)
{
        const struct cordon *c = &m->cordon;

        *ret = (struct compute_cordon){ .reason = c->reason, .total = c->total, .last_op = c->last_op };
        if (!c->on)
                return false;
        ret->seconds = clock_since_s(c->since_ns);
        ret->row = c->unwritten              ? CORDON_ROW_LATER
                   : row_is_the_operators(m) ? CORDON_ROW_OPERATORS
                                             : CORDON_ROW_OURS;
        ret->row_reason = m->service.disabled_reason;
        list_for_each (node, &m->inflight.ops)
                ret->left += CONTAINER_OF(node, struct inflight_op, node)->id <= c->last_op;
        return true;
}

int compute_wait_busy(struct compute_manager *m, struct deadline by, struct error *err)
{
        return green_cond_wait(&m->inflight.some, by, err);
}
