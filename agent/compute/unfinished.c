/*
 * agent/compute/unfinished.c: operations that an earlier agent had begun and did not end, as the journal has
 * them.
 *
 * Nearly all of them are repaired by the rows of their instances (recovery.c), also where there is no
 * journal. It adds what no row of this host says: a build that was taken from its queue and not claimed yet
 * is nobody's, and what is left of an instance whose rows are gone already is not looked for. And it says,
 * in the log, what had been going on.
 */
#define LOG_MODULE "compute.unfinished"
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "compute/compute_priv.h"
#include "journal/journal.h"

#define REPAIR_S 300.0 /* for each, as it may have a guest and files to remove */

static void when(int64_t at, char buf[32])
{
        time_t t = (time_t)at;
        struct tm tm;

        strftime(buf, 32, "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
}

void unfinished_tell(struct compute_manager *m)
{
        struct journal *j = m->inflight.journal;

        if (!j || m->told_unfinished)
                return;
        m->told_unfinished = true;
        for (struct journal_entry *e = NULL; (e = journal_next_left(j, e));) {
                char begun[32];

                when(e->begun_at, begun);
                green_set_log_context(NULL, e->uuid);
                log_warning("%.64s (%.80s) of %.64s, begun %s UTC, was not finished when compute-agent "
                            "%.32s, pid %lld, "
                            "ended; looking after it",
                            e->method, *e->step ? e->step : "no step",
                            *e->request_id ? e->request_id : "no request", begun, e->version,
                            (long long)e->pid);
        }
        green_set_log_context(NULL, NULL);
}

/* ---- repairs ---- */

static bool is(const struct journal_entry *e, const char *method)
{
        return strcmp(e->method, method) == 0;
}

/* Nobody has claimed it: the request was taken, and with the agent it was lost. */
static void YIELDS lost_build(struct compute_manager *m, const struct journal_entry *e, struct instance *i,
                              struct deadline by)
{
        const char *name = vm_state_name(i->vm_state);

        if (strcmp(e->step, BUILD_HANDING_BACK) == 0)
                log_warning("its request should be here again soon; else it stays %s until it is deleted or "
                            "instance_build_timeout passes",
                            name);
        else if (strcmp(e->step, BUILD_RESCHEDULING) == 0)
                log_warning("another host was being asked for; should none build it, it stays %s until it is "
                            "deleted "
                            "or instance_build_timeout passes",
                            name);
        else
                strays_call_it_an_error(m, i, by);
}

static void YIELDS look_at_row(struct compute_manager *m, const struct journal_entry *e, struct instance *i,
                               struct deadline by)
{
        const char *task = task_state_name(i->task_state);

        if (i->host && strcmp(i->host, m->conf->host) == 0)
                log_info("after %.64s the instance is %s%s%s", e->method, vm_state_name(i->vm_state),
                         task ? ", task " : "", task ? task : "");
        else if (i->host && *i->host)
                log_info("the instance is on host %s now, nothing is done here", i->host);
        else if (is(e, BUILD_REQUEST) && i->vm_state == VM_BUILDING)
                lost_build(m, e, i, by);
        else
                log_info("the instance is %s on no host, nothing is done here", vm_state_name(i->vm_state));
}

/* Users see events; this one would be without an end for ever. */
static int YIELDS end_event(struct compute_manager *m, const struct journal_entry *e, bool done,
                            struct deadline by, struct error *err)
{
        CLEANUP(freep) char *event = xasprintf("compute_%s", is(e, BUILD_REQUEST) ? BUILD_METHOD : e->method);

        if (!*e->request_id)
                return 0;
        return store_event_interrupted(m->store, e->uuid, event, e->request_id, done, by, err);
}

static int YIELDS repair(struct compute_manager *m, const struct journal_entry *e, struct deadline by,
                         struct error *err)
{
        CLEANUP(lockutils_releasep) struct named_lock *lock = lockutils_acquire(e->uuid, by, err);
        struct instance *i = NULL;

        if (!lock)
                return -1;
        if (store_instance_get(m->store, e->uuid, 0, &i, by, err) == 0) {
                bool done = i->vm_state != VM_ERROR;

                look_at_row(m, e, i, by);
                instance_free(i);
                return end_event(m, e, done, by, err);
        }
        if (err->code != NOVA_INSTANCE_NOT_FOUND)
                return -1;
        *err = (struct error){};
        if (!is(e, BUILD_REQUEST) && !is(e, "terminate_instance") && !is(e, "reclaim_instance"))
                log_info("the instance was deleted meanwhile");
        else if (compute_destroy_leftovers(m, e->uuid, by, err) < 0)
                return -1;
        return end_event(m, e, true, by, err);
}

static int repair_all(void *arg, struct error *err)
{
        struct compute_manager *m = arg;
        struct journal *j = m->inflight.journal;
        struct journal_entry *next, *e;

        assert_green();
        next = journal_next_left(j, NULL);
        while ((e = next)) {
                struct error one = {};
                int r;

                green_set_log_context(NULL, e->uuid);
                r = repair(m, e, deadline_in_s(REPAIR_S), &one);
                next = journal_next_left(j, e);
                if (r == 0)
                        journal_end(j, e);
                else if (error_is_cancel(&one, err))
                        return -1;
                else
                        log_error("what %.64s left could not be looked after: %s; the next start tries again",
                                  e->method, one.text);
        }
        return 0;
}

int unfinished_start(struct compute_manager *m, struct error *err)
{
        if (!m->inflight.journal || !journal_next_left(m->inflight.journal, NULL))
                return 0;
        return green_spawn(m->work, "unfinished operations", repair_all, m, err);
}
