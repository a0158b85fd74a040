/*
 * agent/compute/manager.c: the manager's life: making it, draining it, taking it down; what it shows of
 * itself.
 *
 * All state is touched on the hub only. Work in the background sits in three places that can be closed: the
 * build pool, the pool of power synchronisations, and the group of everything else.
 */
#define LOG_MODULE "compute.manager"
#include "compute/manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"

#define BUILDS_IN_BACKGROUND 1000 /* as nova's pool: most of them wait for a build slot */

/* 0 means no limit, which is the size of the pool. */
static long build_bound(const struct conf *c)
{
        return c->max_concurrent_builds > 0 ? (long)c->max_concurrent_builds : BUILDS_IN_BACKGROUND;
}

static unsigned sync_bound(const struct conf *c)
{
        return c->sync_power_state_pool_size > 0 ? (unsigned)c->sync_power_state_pool_size : 1;
}

struct compute_manager *compute_manager_new(const struct compute_options *opt, struct error *err)
{
        const struct conf *conf = opt->conf;
        struct compute_manager *m;

        if (conf->compute.max_disk_devices_to_attach == 0) {
                error_set(err, ERR_INVALID,
                          "[compute] max_disk_devices_to_attach is 0: no guest could have a disk");
                return NULL;
        }
        m = NEW(struct compute_manager);
        m->conf = conf;
        m->store = opt->store;
        m->driver = opt->driver;
        m->images = opt->images;
        m->disks = opt->disks;
        m->placement = opt->placement;
        m->scheduler_ops = opt->scheduler;
        m->scheduler_arg = opt->scheduler_arg;
        green_mutex_init(&m->telling, "telling placement of this host");
        m->tracker = tracker_new(conf, opt->store, opt->driver, opt->disks);
        list_init(&m->build_queue);
        m->build_pool = green_pool_new("builds", BUILDS_IN_BACKGROUND);
        m->build_bound = build_bound(conf);
        green_sem_init(&m->build_slots, "build slots", m->build_bound);
        m->sync_pool = green_pool_new("power state synchronisation", sync_bound(conf));
        m->work = green_group_new("compute");
        inflight_init(&m->inflight);
        m->inflight.journal = opt->journal;
        green_mutex_init(&m->service_mutex, "services row");
        events_init(m);
        return m;
}

void compute_manager_free(struct compute_manager *m)
{
        if (!m)
                return;
        m->draining = true;
        m->listening = false;
        if (m->driver->on_event_arg == m) /* it lives on a little, and so do its events */
                m->driver->on_event = NULL;
        compute_stop_periodic(m);
        green_group_close(m->work);
        green_pool_close(m->build_pool);
        green_pool_close(m->sync_pool);
        resync_free(m->resync);
        tracker_free(m->tracker);
        service_row_free(&m->service);
        free(m->cordon.reason);
        free(m->unknown_traits);
        free(m);
}

void compute_follow_settings(struct compute_manager *m)
{
        long bound = build_bound(m->conf);

        green_sem_adjust(&m->build_slots, bound - m->build_bound);
        m->build_bound = bound;
        green_pool_resize(m->sync_pool, sync_bound(m->conf));
        service_follow_settings(m);
        tasks_follow_settings(m);
}

int compute_drain(struct compute_manager *m, struct deadline by, struct error *err)
{
        m->draining = true;
        if (inflight_wait_idle(&m->inflight, by, err) < 0)
                return error_while(err, "waiting for running work");
        return 0;
}

void compute_manager_foreach_running(struct compute_manager *m,
                                     void (*fn)(const struct compute_running *r, void *arg), void *arg)
{
        list_for_each (node, &m->inflight.ops) {
                const struct inflight_op *op = CONTAINER_OF(node, struct inflight_op, node);
                struct compute_running info = {
                        .id = op->id,
                        .method = op->method,
                        .request_id = op->request_id,
                        .uuid = op->uuid,
                        .step = op->step,
                        .doing = inflight_doing(op),
                        .begun_at = op->begun_at,
                        .seconds = inflight_seconds(op),
                        .done = op->done,
                        .total = op->total,
                };

                fn(&info, arg);
        }
}

/* What follows from the audit, for others. */
static void YIELDS after_audit(struct compute_manager *m, struct deadline by)
{
        provider_report(m, by);
        provider_sweep(m, by);
        provider_forget_others(m, by);
}

/* Keeps in mind what came of it, unless it was only cut short. */
static int YIELDS audit(struct compute_manager *m, struct deadline by, struct error *err)
{
        struct compute_audit_state *state = &m->audit_state;
        int r = tracker_audit(m->tracker, by, err);

        if (r < 0 && err->code == ERR_CANCELLED)
                return -1;
        state->known = true;
        state->ok = r == 0;
        snprintf(state->text, sizeof(state->text), "%s", r < 0 ? err->text : "");
        return r;
}

void compute_get_audit_state(const struct compute_manager *m, struct compute_audit_state *ret)
{
        *ret = m->audit_state;
        ret->age_s = tracker_audit_age(m->tracker);
}

int compute_audit(struct compute_manager *m, struct deadline by, struct error *err)
{
        if (audit(m, by, err) < 0)
                return -1;
        after_audit(m, by);
        return 0;
}

#define FIRST_REPORT_S 120.0 /* a keystone that does not answer may take up to a minute of it */

static int after_first_audit(void *arg, struct error *err)
{
        assert_green();
        after_audit(arg, deadline_in_s(FIRST_REPORT_S));
        return 0;
}

int compute_first_audit(struct compute_manager *m, struct deadline by, struct error *err)
{
        if (audit(m, by, err) < 0)
                return -1;
        return green_spawn(m->work, "after the first audit", after_first_audit, m, err);
}

bool compute_get_placement_state(const struct compute_manager *m, struct compute_placement_state *ret)
{
        *ret = m->placement_state;
        return m->placement != NULL;
}

const struct tracker *compute_tracker(const struct compute_manager *m)
{
        return m->tracker;
}

void compute_get_stats(const struct compute_manager *m, struct compute_stats *ret)
{
        *ret = m->stats;
        ret->running = m->inflight.n;
        ret->builds_running = 0;
        list_for_each (node, &m->inflight.ops)
                ret->builds_running +=
                        strcmp(CONTAINER_OF(node, struct inflight_op, node)->method, BUILD_METHOD) == 0;
}

/* ---- helpers shared by methods ---- */

int compute_power_of(struct compute_manager *m, const char *uuid, enum power_state *ret, struct deadline by,
                     struct error *err)
{
        struct guest_info info = {};

        if (m->driver->ops->get_info(m->driver, uuid, &info, by, err) < 0)
                return error_while(err, "asking for the guest's power state");
        *ret = info.power_state;
        return 0;
}

bool power_is_off(enum power_state s)
{
        return s == POWER_NOSTATE || s == POWER_SHUTDOWN || s == POWER_CRASHED;
}

struct compute_call compute_internal_call(struct compute_manager *m, const struct request_context *ctx,
                                          const char *uuid, double seconds)
{
        struct compute_call c = { .ctx = ctx, .by = deadline_in_s(seconds) };

        snprintf(c.uuid, sizeof(c.uuid), "%s", uuid);
        return c;
}
