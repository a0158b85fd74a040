/*
 * agent/progress.c: one green thread that looks each second as long as something runs, and else waits.
 *
 * Under the service manager a start that is still recovering asks for more time here, too: a single guest may
 * take longer to shut down than what was asked for when it began.
 */
#include "progress.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MODULE "agent"
#include "agent_priv.h"
#include "base/log.h"
#include "base/mem.h"
#include "compute/manager.h"
#include "notify.h"

/*
 * While something goes on the log has a line each LOG_S, and fewer and fewer, down to one each QUIET_S, as
 * long as nothing changes.
 */
#define LOOK_S   1.0
#define LOG_S    10.0
#define QUIET_S  60.0
#define EXTEND_S 60.0
#define TEXT_MAX 320

struct progress {
        struct agent *a;
        struct green *green;
        unsigned done, total; /* of recovery */
        char shown[TEXT_MAX];
        char logged[TEXT_MAX]; /* what the last line of the log was about; see log_is_due() */
        int64_t logged_ns, extended_ns;
        double log_s; /* until the next line */
};

/* ---- what is going on ---- */

/* Of those in flight: how many, the oldest, and the oldest that says how far it is. */
struct look {
        uint64_t last_op; /* those that began later do not count */
        unsigned n;
        char oldest[TEXT_MAX], far[TEXT_MAX];
};

static void look_at(const struct compute_running *r, void *arg)
{
        struct look *look = arg;

        if (r->id > look->last_op)
                return;
        if (look->n++ == 0)
                snprintf(look->oldest, sizeof(look->oldest), "%s of instance %s (%.80s) for %.0f s",
                         r->method, r->uuid, r->doing, r->seconds);
        if (!look->far[0] && r->doing != r->step)
                snprintf(look->far, sizeof(look->far), "%.160s, instance %s", r->doing, r->uuid);
}

static struct look HUB_ONLY look_around(const struct progress *p, uint64_t last_op)
{
        struct look look = { .last_op = last_op };

        compute_manager_foreach_running(p->a->manager, look_at, &look);
        return look;
}

/* ---- where a person looks ---- */

/* about: how far things are. A build that hangs for an hour is not told of 360 times. */
static bool HUB_ONLY log_is_due(struct progress *p, const char *about)
{
        if (clock_since_s(p->logged_ns) < (strcmp(p->logged, about) == 0 ? p->log_s : LOG_S))
                return false;
        p->log_s = strcmp(p->logged, about) == 0 ? fmin(p->log_s * 2, QUIET_S) : LOG_S;
        snprintf(p->logged, sizeof(p->logged), "%s", about);
        p->logged_ns = clock_now_ns();
        return true;
}

static void HUB_ONLY ask_for_more_time(struct progress *p)
{
        if (clock_since_s(p->extended_ns) < LOG_S)
                return;
        p->extended_ns = clock_now_ns();
        notify_extend_timeout(EXTEND_S);
}

static void HUB_ONLY show_left(struct progress *p, const char *what, const struct look *look, char *text)
{
        char about[TEXT_MAX];

        snprintf(text, TEXT_MAX, look->n ? "%s, %u left" : "%s", what, look->n);
        snprintf(about, sizeof(about), "%.40s %.180s", text, look->far);
        if (look->n && log_is_due(p, about))
                log_info("%s; the oldest: %s", text, look->oldest);
}

static void HUB_ONLY show_drain(struct progress *p, const struct compute_cordon *c, char *text)
{
        struct look look = look_around(p, c->last_op);

        if (look.n)
                show_left(p, "draining", &look, text);
        else
                snprintf(text, TEXT_MAX, "drained: %.220s", c->reason);
}

static void HUB_ONLY show_start(struct progress *p, const struct look *look, char *text)
{
        char about[TEXT_MAX];

        if (p->done < p->total)
                snprintf(text, TEXT_MAX, "recovering %u/%u", p->done, p->total);
        if (!look->n)
                return;
        ask_for_more_time(p);
        snprintf(about, sizeof(about), "%.40s %.180s", text, look->far);
        if (log_is_due(p, about))
                log_info("recovering instances: %u of %u; the oldest at work: %s", p->done, p->total,
                         look->oldest);
}

static void HUB_ONLY show_service(struct progress *p, const struct look *look, char *text)
{
        CLEANUP(freep) char *missing = admin_health_missing(&p->a->admin);

        snprintf(text, TEXT_MAX, "serving as %.60s%s%.50s%s%s%.70s", p->a->conf->host,
                 missing ? ", without " : "", missing ? missing : "",
                 p->a->admin.refused_mistakes ? "; the last reload was refused, see the log" : "",
                 look->far[0] ? "; " : "", look->far);
        if (look->far[0] && log_is_due(p, look->far))
                log_info("%s", look->far);
}

void progress_show(struct progress *p)
{
        struct look look = look_around(p, UINT64_MAX);
        const struct agent *a = p->a;
        struct compute_cordon cordon;
        char text[TEXT_MAX] = "";

        if (a->admin.draining)
                show_left(p, "stopping", &look, text);
        else if (!a->admin.ready)
                show_start(p, &look, text);
        else if (compute_get_cordon(a->manager, &cordon))
                show_drain(p, &cordon, text);
        else
                show_service(p, &look, text);
        if (!text[0] || strcmp(text, p->shown) == 0)
                return;
        memcpy(p->shown, text, sizeof(p->shown));
        notify_status("%s", text);
}

void progress_recovering(struct progress *p, unsigned done, unsigned total)
{
        p->done = done;
        p->total = total;
        progress_show(p);
}

/* ---- the green thread ---- */

static void HUB_ONLY stop_when_drained(struct agent *a)
{
        struct compute_cordon c;

        if (!a->admin.stop_when_drained || !compute_get_cordon(a->manager, &c) || c.left)
                return;
        a->admin.stop_when_drained = false;
        log_info("drained: stopping, as was asked for with the drain");
        kill(getpid(), SIGTERM); /* the same way as an operator's kill: one path to test, one to keep right */
}

static int progress_main(void *arg, struct error *err)
{
        struct progress *p = arg;
        struct compute_stats stats;
        int r = 0;

        assert_green();
        while (r == 0) {
                progress_show(p);
                stop_when_drained(p->a);
                compute_get_stats(p->a->manager, &stats);
                if (stats.running)
                        r = green_sleep(LOOK_S, err);
                else
                        r = compute_wait_busy(p->a->manager, deadline_never(), err);
        }
        return r;
}

struct progress *progress_start(struct agent *a, struct error *err)
{
        struct progress *p = NEW(struct progress);

        p->a = a;
        p->logged_ns = p->extended_ns = clock_now_ns();
        p->log_s = LOG_S;
        p->green = green_spawn_ref(NULL, "progress", progress_main, p, err);
        if (p->green)
                return p;
        free(p);
        return NULL;
}

void progress_stop(struct progress *p)
{
        struct error ignored;

        if (!p)
                return;
        green_cancel(p->green);
        green_join(p->green, deadline_never(), NULL, &ignored);
        green_unref(p->green);
        free(p);
}
