/*
 * agent/compute/resync.c: the truth, read again at once: by operators who changed something behind the
 * agent's back, or do not trust what they see.
 *
 * Each step does what a periodic task does, beside the loop that has them: all of them may run twice at a
 * time, as each takes the lock of what it changes. A step that fails does not keep the next one from being
 * done, as they ask different services.
 */
#define LOG_MODULE "compute.resync"
#include "compute/resync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compute/compute_priv.h"
#include "peers/placement.h"

#define STEP_S 300.0

struct step {
        const struct step_kind *kind;
        enum resync_state state;
        int64_t began_ns, ended_ns;
        char text[ERROR_TEXT_MAX];
};

struct resync {
        uint64_t id;
        char uuid[UUID_LEN + 1];
        unsigned uid;
        int64_t began_ns, ended_ns; /* ended_ns 0: it runs */
        unsigned n_steps;
        struct step steps[RESYNC_STEPS_MAX];
        struct sync_round *round; /* of power states: how far they are; owned */
};

/* Fills text, which has ERROR_TEXT_MAX bytes, with what was found. Begins with assert_green(). */
typedef int step_fn(struct compute_manager *m, char *text, struct deadline by, struct error *err);

struct step_kind {
        const char *task;
        step_fn *run;
};

/* ---- power states ---- */

static const char *plural(unsigned n)
{
        return n == 1 ? "" : "s";
}

static void describe_round(const struct sync_round *r, char *text)
{
        struct strbuf CLEANUP(strbuf_free) out = {};

        strbuf_addf(&out, "%u instance%s, %u guest%s", r->instances, plural(r->instances), r->guests,
                    plural(r->guests));
        if (r->differ == 0)
                strbuf_adds(&out, ": all are as the rows say");
        else
                strbuf_addf(&out, ": %u differed", r->differ);
        if (r->begun > 0)
                strbuf_addf(&out, ", %u being stopped or deleted", r->begun);
        if (r->busy > 0)
                strbuf_addf(&out, ", %u left to the task under way", r->busy);
        snprintf(text, ERROR_TEXT_MAX, "%s", out.data);
}

static int sync_power_states(struct compute_manager *m, char *text, struct deadline by, struct error *err)
{
        struct sync_round *r = m->resync->round;

        assert_green();
        if (compute_sync_round(m, r, by, err) < 0)
                return -1;
        if (r->failed > 0)
                return error_set(err, r->why.code, "%u of %u instances that differ: %.400s", r->failed,
                                 r->differ, r->why.text);
        describe_round(r, text);
        return 0;
}

static int sync_one(struct compute_manager *m, char *text, struct deadline by, struct error *err)
{
        struct sync_seen seen = {};

        assert_green();
        if (compute_sync_look(m, m->resync->uuid, &seen, by, err) < 0)
                return -1;
        switch (seen.left) {
        case SYNC_LEFT_ELSEWHERE:
                return error_set(err, ERR_NOT_FOUND, "instance %s is not on this host", m->resync->uuid);
        case SYNC_LEFT_BUSY:
                snprintf(text, ERROR_TEXT_MAX, "left to the task under way");
                return 0;
        case SYNC_LOOKED:
                break;
        }
        if (seen.was == seen.is)
                snprintf(text, ERROR_TEXT_MAX, "the guest is %s, as the row says", power_state_name(seen.is));
        else
                snprintf(text, ERROR_TEXT_MAX, "power_state was %s, is %s", power_state_name(seen.was),
                         power_state_name(seen.is));
        if (seen.begun)
                snprintf(text + strlen(text), ERROR_TEXT_MAX - strlen(text), "; %s of the instance begun",
                         seen.begun);
        return 0;
}

/* ---- resources, services row ---- */

static int update_available_resource(struct compute_manager *m, char *text, struct deadline by,
                                     struct error *err)
{
        const struct compute_node_row *row;

        assert_green();
        if (m->placement) /* what is known of it may be old */
                placement_set_refresh(m->placement, m->conf->compute.resource_provider_association_refresh);
        if (compute_audit(m, by, err) < 0)
                return -1;
        if (m->placement && !m->placement_state.ok)
                return error_set(err, ERR_CLOSED, "placement is not told: %.480s", m->placement_state.text);
        row = tracker_row(m->tracker);
        snprintf(text, ERROR_TEXT_MAX, "%lld of %lld vcpus, %lld of %lld MB, %lld of %lld GB used; %s",
                 (long long)row->vcpus_used, (long long)row->vcpus, (long long)row->memory_mb_used,
                 (long long)row->memory_mb, (long long)row->local_gb_used, (long long)row->local_gb,
                 m->placement ? "placement is told" : "there is no placement to tell");
        return 0;
}

static int report_state(struct compute_manager *m, char *text, struct deadline by, struct error *err)
{
        assert_green();
        if (service_report(m, by, err) < 0)
                return -1;
        snprintf(text, ERROR_TEXT_MAX, "the service is %s%s%.400s",
                 m->service.disabled ? "disabled" : "enabled", m->service.disabled ? ": " : "",
                 !m->service.disabled         ? ""
                 : m->service.disabled_reason ? m->service.disabled_reason
                                              : "no reason was given");
        return 0;
}

/* ---- one after the other ---- */

static const struct step_kind all_steps[] = {
        { "sync_power_states", sync_power_states },
        { "update_available_resource", update_available_resource },
        { "report_state", report_state },
        {},
};
static const struct step_kind one_instance[] = { { "sync_power_states", sync_one }, {} };

static double seconds_of(int64_t began_ns, int64_t ended_ns)
{
        return ended_ns ? (double)(ended_ns - began_ns) / (double)NS_PER_S : clock_since_s(began_ns);
}

static void YIELDS run_step(struct compute_manager *m, struct step *s)
{
        struct error err = {};
        int r;

        s->state = RESYNC_RUNNING;
        s->began_ns = clock_now_ns();
        r = s->kind->run(m, s->text, deadline_in_s(STEP_S), &err);
        s->ended_ns = clock_now_ns();
        s->state = r < 0 ? RESYNC_FAILED : RESYNC_DONE;
        if (r < 0)
                snprintf(s->text, sizeof(s->text), "%s", err.text);
        log_at(r < 0 ? LOG_WARNING : LOG_INFO, "resync: %s %s after %.3f s: %s", s->kind->task,
               r < 0 ? "failed" : "done", seconds_of(s->began_ns, s->ended_ns), s->text);
}

static int resync_main(void *arg, struct error *err)
{
        struct compute_manager *m = arg;
        struct resync *r = m->resync;

        assert_green();
        if (*r->uuid)
                green_set_log_context(NULL, r->uuid);
        for (unsigned k = 0; k < r->n_steps && !green_cancelled(); k++)
                run_step(m, &r->steps[k]);
        r->ended_ns = clock_now_ns();
        if (green_cancelled())
                return error_set(err, ERR_CANCELLED, "the resync was cut short");
        return 0;
}

void resync_free(struct resync *r)
{
        if (!r)
                return;
        sync_round_unref(r->round);
        free(r);
}

static struct resync *HUB_ONLY resync_new(uint64_t id, const char *uuid, unsigned uid)
{
        const struct step_kind *kind = uuid ? one_instance : all_steps;
        struct resync *r = NEW(struct resync);

        r->id = id;
        snprintf(r->uuid, sizeof(r->uuid), "%s", uuid ? uuid : "");
        r->uid = uid;
        r->began_ns = clock_now_ns();
        for (; kind->task; kind++)
                r->steps[r->n_steps++].kind = kind;
        r->round = sync_round_new();
        return r;
}

static const char *step_at(const struct resync *r)
{
        for (unsigned k = 0; k < r->n_steps; k++)
                if (r->steps[k].state == RESYNC_RUNNING)
                        return r->steps[k].kind->task;
        return "about to begin";
}

int compute_resync_start(struct compute_manager *m, const char *uuid, unsigned uid, struct error *err)
{
        struct resync *before = m->resync;

        if (before && !before->ended_ns)
                return error_set(
                        err, ERR_BUSY,
                        "a resync of %s, asked for by uid %u %.1f s ago, is under way (%s): try again "
                        "when it is over",
                        *before->uuid ? before->uuid : "everything", before->uid,
                        clock_since_s(before->began_ns), step_at(before));
        m->resync = resync_new(before ? before->id + 1 : 1, uuid, uid);
        if (green_spawn(m->work, "resync", resync_main, m, err) < 0) {
                resync_free(m->resync);
                m->resync = before;
                return -1;
        }
        resync_free(before);
        log_info("resync of %s, as asked by uid %u", uuid ? uuid : "everything", uid);
        return 0;
}

/* ---- told ---- */

static void HUB_ONLY tell_step(const struct resync *r, const struct step *s, struct compute_resync_step *ret)
{
        ret->task = s->kind->task;
        ret->state = s->state;
        ret->seconds = s->state == RESYNC_WAITING ? 0 : seconds_of(s->began_ns, s->ended_ns);
        snprintf(ret->text, sizeof(ret->text), "%s", s->text);
        if (s->state == RESYNC_RUNNING && s->kind->run == sync_power_states && r->round->differ > 0)
                snprintf(ret->text, sizeof(ret->text), "%u of %u that differ",
                         r->round->differ - r->round->left, r->round->differ);
}

bool compute_get_resync(const struct compute_manager *m, struct compute_resync *ret)
{
        const struct resync *r = m->resync;

        if (!r)
                return false;
        *ret = (struct compute_resync){ .id = r->id,
                                        .uid = r->uid,
                                        .running = !r->ended_ns,
                                        .seconds = seconds_of(r->began_ns, r->ended_ns),
                                        .n_steps = r->n_steps };
        snprintf(ret->uuid, sizeof(ret->uuid), "%s", r->uuid);
        for (unsigned k = 0; k < r->n_steps; k++)
                tell_step(r, &r->steps[k], &ret->steps[k]);
        return true;
}
