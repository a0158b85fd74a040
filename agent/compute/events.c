/*
 * agent/compute/events.c: lifecycle events of the hypervisor lead to a synchronisation of that instance at
 * once instead of at the next round (nova-contract 7.6).
 *
 * nova holds every STOPPED back for 15 s, because a reboot shows as STOPPED and then STARTED and must not be
 * taken for a guest that went off. Here that is known without waiting: while the agent itself reboots, stops
 * or rebuilds a guest it holds the instance's lock, or the row has a task_state; a synchronisation waits for
 * the first, leaves the second alone, and in both cases looks at the guest's state anew. So a STOPPED with no
 * task under way is acted on at once, and the row tells the truth within a blink. What remains are other
 * tools that turn a guest off and on again behind the agent's back: where that is usual, [libvirt]
 * delay_stopped_event (0 s by default) holds a STOPPED back, and any later event of the same guest cancels
 * it.
 */
#define LOG_MODULE "compute.events"
#include "compute/compute_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define RESYNC_RETRY_S 10

struct event_job {
        struct list held; /* in manager.held while it waits */
        struct compute_manager *m;
        struct virt_event event;
        bool overtaken; /* a later event of the same guest made it void */
};

void events_init(struct compute_manager *m)
{
        list_init(&m->held);
}

/* ---- looking at everything ---- */

/* Tried until it works: while it fails events are lost, and the next round may be far away, or never. */
static int resync_main(void *arg, struct error *err)
{
        struct compute_manager *m = arg;
        int r = 0;

        assert_green();
        while (r == 0 && m->resync_wanted && m->listening) {
                m->resync_wanted = false;
                r = compute_sync_all(m, deadline_in_s((double)m->conf->long_rpc_timeout), err);
                if (r == 0 || err->code == ERR_CANCELLED)
                        continue;
                log_warning("looking at all guests failed, trying again in %d s: %s", RESYNC_RETRY_S,
                            err->text);
                m->resync_wanted = true;
                r = green_sleep(RESYNC_RETRY_S, err);
        }
        m->resync_underway = false;
        return r;
}

static void HUB_ONLY want_resync(struct compute_manager *m)
{
        struct error err = {};

        m->resync_wanted = true;
        if (!m->listening || m->resync_underway)
                return;
        m->resync_underway = true;
        if (green_spawn(m->work, "power state resync", resync_main, m, &err) == 0)
                return;
        m->resync_underway = false;
        log_warning("looking at all guests is left to the next round: %s", err.text);
}

/* ---- one event ---- */

/* False: the event says nothing about a power state. */
static bool expected_state(enum virt_event_kind kind, enum power_state *ret)
{
        switch (kind) {
        case VIRT_EVENT_STARTED:
        case VIRT_EVENT_RESUMED:
                *ret = POWER_RUNNING;
                return true;
        case VIRT_EVENT_STOPPED:
                *ret = POWER_SHUTDOWN;
                return true;
        case VIRT_EVENT_PAUSED:
                *ret = POWER_PAUSED;
                return true;
        case VIRT_EVENT_SUSPENDED:
                *ret = POWER_SUSPENDED;
                return true;
        default:
                return false;
        }
}

static bool matches(enum power_state expected, enum power_state actual)
{
        return expected == actual || (expected == POWER_SHUTDOWN && actual == POWER_CRASHED);
}

/* An event that the guest's present state contradicts is outdated: a later one is on its way. */
static int YIELDS handle(struct compute_manager *m, const struct virt_event *ev, struct error *err)
{
        struct deadline by = deadline_in_s((double)m->conf->long_rpc_timeout);
        enum power_state expected, actual;

        if (!expected_state(ev->kind, &expected))
                return 0;
        if (compute_power_of(m, ev->uuid, &actual, by, err) < 0)
                return -1;
        if (!matches(expected, actual)) {
                log_debug("event %s is outdated: the guest is %s", virt_event_name(ev->kind),
                          power_state_name(actual));
                return 0;
        }
        return compute_sync_instance(m, ev->uuid, by, err);
}

static int event_main(void *arg, struct error *err)
{
        struct event_job *job = arg;
        struct compute_manager *m = job->m;
        int r = 0;

        assert_green();
        green_set_log_context(NULL, job->event.uuid);
        if (!list_empty(&job->held))
                r = green_sleep((double)m->conf->libvirt.delay_stopped_event, err);
        list_remove(&job->held);
        if (r == 0 && !job->overtaken && m->listening)
                r = handle(m, &job->event, err);
        if (r < 0 && err->code != ERR_CANCELLED) {
                log_warning("event %s could not be acted on, all guests will be looked at: %s",
                            virt_event_name(job->event.kind), err->text);
                want_resync(m);
                r = 0;
        }
        free(job);
        return r;
}

static void HUB_ONLY overtake(struct compute_manager *m, const char *uuid)
{
        list_for_each (node, &m->held) {
                struct event_job *job = CONTAINER_OF(node, struct event_job, held);

                if (strcmp(job->event.uuid, uuid) == 0)
                        job->overtaken = true;
        }
}

static void HUB_ONLY start_handling(struct compute_manager *m, const struct virt_event *ev)
{
        struct event_job *job = NEW(struct event_job);
        struct error err = {};
        char name[GREEN_NAME_MAX];

        job->m = m;
        job->event = *ev;
        list_init(&job->held);
        overtake(m, ev->uuid);
        if (ev->kind == VIRT_EVENT_STOPPED && m->conf->libvirt.delay_stopped_event > 0)
                list_append(&m->held, &job->held);
        snprintf(name, sizeof(name), "event %.36s", ev->uuid);
        if (green_spawn(m->work, name, event_main, job, &err) == 0)
                return;
        log_warning("event %s is left to the next synchronisation: %s", virt_event_name(ev->kind), err.text);
        list_remove(&job->held);
        free(job);
}

/* ---- from the driver ---- */

void compute_on_virt_event(const struct virt_event *ev, void *manager)
{
        struct compute_manager *m = manager;

        assert_green();
        m->stats.events++;
        switch (ev->kind) {
        case VIRT_EVENT_CONNECTED:
                log_info("the hypervisor is connected");
                service_report_now(m);
                return;
        case VIRT_EVENT_DISCONNECTED:
                log_warning("the hypervisor is disconnected, its events are missed until it comes back");
                service_report_now(m);
                return;
        case VIRT_EVENT_RESYNC:
                log_info("events may have been missed, looking at all guests");
                want_resync(m);
                return;
        default:
                break;
        }
        log_debug("event %s (detail %d) of guest %s", virt_event_name(ev->kind), ev->detail, ev->uuid);
        if (!m->conf->workarounds.handle_virt_lifecycle_events)
                return;
        if (m->listening)
                start_handling(m, ev);
        else
                m->resync_wanted = true; /* recovery is on its way: all are looked at after it */
}

void events_start(struct compute_manager *m)
{
        m->listening = true;
        if (m->resync_wanted)
                want_resync(m);
}
