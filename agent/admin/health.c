/*
 * agent/admin/health.c: is the agent well? (design 2)
 *
 * A dead broker, database or hypervisor makes it warn, never fail: a restart of the agent would not help.
 * What only a restart can mend fails. The answer itself proves that the hub turns.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "http/http.h"
#include "journal/journal.h"
#include "native/file.h"
#include "native/stall_watcher.h"
#include "admin/admin.h"

enum {
        LATE_BEATS = 3,  /* a heartbeat file older than so many intervals is late */
        LATE_AUDITS = 3, /* so is an audit, and it may itself take a minute */
        DEFAULT_AUDIT_S = 60,
        LOG_LATELY_S = 600, /* lines of the log that were dropped longer ago are history */
        MISSING_S = 4,      /* a service that is away shorter is not said to be missing */
};

enum verdict { PASS, WARN, FAIL };
static const char *const verdict_names[] = { "pass", "warn", "fail" };

struct health {
        enum verdict worst;
        struct jval *checks;
};

/* Since when each check has been as it is, as far as somebody has looked. By name, which is a literal. */
#define CHECKS_MAX 32
static struct {
        const char *name;
        enum verdict verdict;
        int64_t since_ns;
} seen[CHECKS_MAX];

static double since_s(const char *name, enum verdict verdict)
{
        unsigned i = 0;

        while (i + 1 < CHECKS_MAX && seen[i].name && strcmp(seen[i].name, name) != 0)
                i++;
        if (!seen[i].name || seen[i].verdict != verdict) {
                seen[i].name = name;
                seen[i].verdict = verdict;
                seen[i].since_ns = clock_now_ns();
        }
        return clock_since_s(seen[i].since_ns);
}

/* Takes over observed; NULL: nothing is. unit NULL: it has none. */
static void check_in(struct health *h, const char *name, enum verdict verdict, struct jval *observed,
                     const char *unit, const char *output)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "status", verdict_names[verdict]);
        if (observed) {
                jval_set(one, "observedValue", observed);
                if (unit)
                        jval_set_text(one, "observedUnit", unit);
        }
        jval_set_text(one, "output", output);
        jval_set_real(one, "since_s", since_s(name, verdict));
        jval_set(h->checks, name, one);
        if (verdict > h->worst)
                h->worst = verdict;
}

static void check(struct health *h, const char *name, enum verdict verdict, struct jval *observed,
                  const char *output)
{
        check_in(h, name, verdict, observed, NULL, output);
}

/* A negative age is none. */
static void check_age(struct health *h, const char *name, enum verdict verdict, double age_s,
                      const char *output)
{
        check_in(h, name, verdict, age_s < 0 ? NULL : jval_new_real(age_s), "s", output);
}

static void HUB_ONLY check_bus(struct health *h, const struct admin_sources *s)
{
        char text[1024] = "not started"; /* two connections with what is wrong with each */
        bool ok = false;

        if (s->transport)
                transport_describe(s->transport, text, sizeof(text), &ok);
        check(h, "message_bus", ok ? PASS : WARN, jval_new_bool(ok), text);
}

static void HUB_ONLY check_database(struct health *h, const struct admin_sources *s)
{
        struct db_pool_info info = {};

        if (s->db)
                db_pool_get_info(s->db, &info);
        check(h, "database", info.reachable ? PASS : WARN, jval_new_bool(info.reachable),
              info.reachable       ? info.peer
              : info.last_error[0] ? info.last_error
                                   : "not connected yet");
}

static void HUB_ONLY check_hypervisor(struct health *h, const struct admin_sources *s)
{
        struct virt_status status = {};
        char text[400];

        if (s->driver)
                s->driver->ops->get_status(s->driver, &status);
        if (status.connected && status.lacks)
                snprintf(text, sizeof(text), "%s: it has no guests of virt_type \"%s\", so none will start",
                         status.uri, status.lacks);
        else if (status.connected)
                snprintf(text, sizeof(text), "%s", status.uri);
        else
                snprintf(text, sizeof(text), "%s",
                         status.last_error[0] ? status.last_error : "not connected yet");
        check(h, "hypervisor", status.connected && !status.lacks ? PASS : WARN,
              jval_new_bool(status.connected), text);
}

static void check_hub(struct health *h, const struct admin_sources *s)
{
        unsigned long stalls = s->watcher ? stall_watcher_count(s->watcher) : 0;
        char text[128];

        snprintf(text, sizeof(text), "it turns; %lu stalls of more than %lld ms since the start", stalls,
                 (long long)s->conf->hub.stall_threshold_ms);
        check_in(h, "hub", PASS, jval_new_int((int64_t)stalls), "stalls", text);
}

static void check_heartbeat(struct health *h, const struct admin_sources *s)
{
        double age = admin_heartbeat_age_s(s->conf);
        char text[128];
        bool late = age > (double)s->conf->heartbeat_interval * LATE_BEATS + 1;

        if (!*s->conf->heartbeat_file_path)
                return;
        if (age < 0) /* deleted a moment ago by whoever watches it, or its directory cannot be written */
                snprintf(text, sizeof(text), "the file is not there");
        else
                snprintf(text, sizeof(text), "written %.1f s ago, every %lld s", age,
                         (long long)s->conf->heartbeat_interval);
        check_age(h, "heartbeat", age < 0 ? WARN : late ? FAIL : PASS, age, text);
}

struct oldest {
        double since_s;
        char text[400];
};

static void keep_oldest(const struct file_hung_info *info, void *arg)
{
        struct oldest *o = arg;

        if (o->text[0] && info->since_s <= o->since_s)
                return;
        o->since_s = info->since_s;
        snprintf(o->text, sizeof(o->text), "%s %.300s for %.0f s", info->name, info->what, info->since_s);
}

/* A file server that does not answer is named by what was asked of it first. */
static void HUB_ONLY check_files(struct health *h, const struct admin_sources *s)
{
        struct tpool_info info = {};
        struct oldest oldest = {};
        char text[512];

        if (!s->files)
                return;
        tpool_get_info(s->files, &info);
        if (info.hung)
                file_foreach_hung(keep_oldest, &oldest);
        snprintf(text, sizeof(text), "%u calls for files hang%s%s%s", info.hung, oldest.text[0] ? ": " : "",
                 oldest.text, info.hung ? "; see pools" : "");
        check_in(h, "files", info.hung ? WARN : PASS, jval_new_int(info.hung), "calls", text);
}

static void HUB_ONLY check_workers(struct health *h, const struct admin_sources *s)
{
        struct tpool_info info = {};
        struct virt_status status = {};
        char text[128];
        unsigned hung;

        if (s->tpool)
                tpool_get_info(s->tpool, &info);
        if (s->driver)
                s->driver->ops->get_status(s->driver, &status);
        hung = info.hung + status.hung;
        snprintf(text, sizeof(text), "%u blocking calls hang%s", hung, hung ? "; see pools" : "");
        check_in(h, "workers", hung ? WARN : PASS, jval_new_int(hung), "calls", text);
}

/* Does the cloud believe that we are up? (nova-contract 4.4) */
static void HUB_ONLY check_report(struct health *h, const struct admin_sources *s)
{
        double age = s->manager ? compute_last_report_age(s->manager) : -1;
        bool late = age < 0 || age > (double)s->conf->service_down_time;
        char text[128];

        if (age < 0)
                snprintf(text, sizeof(text), "the services row was not written yet");
        else
                snprintf(text, sizeof(text), "the services row was written %.1f s ago; down after %lld s",
                         age, (long long)s->conf->service_down_time);
        check_age(h, "report_state", late ? WARN : PASS, age, text);
}

/* Seconds from one audit to the next; negative: there are none but the first. */
static double audit_interval_s(const struct conf *c)
{
        if (!c->periodic_enable)
                return -1;
        return c->update_resources_interval == 0 ? DEFAULT_AUDIT_S : (double)c->update_resources_interval;
}

/* Does the cloud know what this host has, and what is left of it? */
static void HUB_ONLY check_audit(struct health *h, const struct admin_sources *s)
{
        struct compute_audit_state state = {};
        double interval = audit_interval_s(s->conf);
        char text[ERROR_TEXT_MAX + 64];
        bool late;

        if (!s->manager)
                return;
        compute_get_audit_state(s->manager, &state);
        late = interval > 0 && state.age_s > interval * LATE_AUDITS + DEFAULT_AUDIT_S;
        if (!state.known)
                snprintf(text, sizeof(text), "the first audit of resources is not done yet");
        else if (!state.ok)
                snprintf(text, sizeof(text), "the last audit of resources failed: %s", state.text);
        else if (interval > 0)
                snprintf(text, sizeof(text), "resources were audited %.0f s ago, every %.0f s", state.age_s,
                         interval);
        else
                snprintf(text, sizeof(text), "resources were audited %.0f s ago; by the settings never again",
                         state.age_s);
        check_age(h, "resource_audit", state.ok && !late ? PASS : WARN, state.age_s, text);
}

/* Is the scheduler told what this host has? */
static void HUB_ONLY check_placement(struct health *h, const struct admin_sources *s)
{
        struct compute_placement_state state = {};

        if (!s->manager || !compute_get_placement_state(s->manager, &state))
                return;
        check(h, "placement", state.ok ? PASS : WARN, jval_new_bool(state.ok),
              state.known ? state.text : "nothing was told yet");
}

static void take_glance(const struct http_service_stats *s, void *arg)
{
        if (strcmp(s->service, "glance") == 0)
                *(struct http_service_stats *)arg = *s;
}

/* Where images come from a service: what came of the last request to it. */
static void HUB_ONLY check_images(struct health *h, const struct admin_sources *s)
{
        struct http_service_stats glance = { .answers = true };
        char text[ERROR_TEXT_MAX];

        if (strcmp(s->conf->images.source, "glance") != 0)
                return;
        http_foreach_service(take_glance, &glance);
        if (!*glance.service)
                snprintf(text, sizeof(text), "nothing was asked of glance yet");
        else
                snprintf(text, sizeof(text), "glance, asked %.0f s ago: %s", glance.since_s,
                         glance.answers ? "it answers" : glance.last_error);
        check(h, "image_service", glance.answers ? PASS : WARN, jval_new_bool(glance.answers), text);
}

/* Two on one host name would take each other's requests. */
static void HUB_ONLY check_rivals(struct health *h, const struct admin_sources *s)
{
        double age = s->manager ? compute_last_rival_age(s->manager) : -1;
        char text[128];

        if (age < 0 || age > (double)s->conf->service_down_time)
                return;
        snprintf(text, sizeof(text), "another process reported for host %.60s %.0f s ago", s->conf->host,
                 age);
        check_age(h, "host_name", WARN, age, text);
}

/* Without it a kill is recovered from by the rows alone. */
static void HUB_ONLY check_journal(struct health *h, const struct admin_sources *s)
{
        struct journal_info info;
        char text[ERROR_TEXT_MAX + 64];

        if (!s->journal)
                return;
        journal_get_info(s->journal, &info);
        if (info.ok)
                snprintf(text, sizeof(text), "operations in flight: %u; left by earlier starts: %u",
                         info.open, info.left);
        else
                snprintf(text, sizeof(text), "operations in flight are not recorded: %s", info.trouble);
        check_in(h, "journal", info.ok ? PASS : WARN, jval_new_int(info.open), "operations", text);
}

/* Disk or journal are slower than the log: what is looked for there may be missing. */
static void check_log(struct health *h)
{
        static unsigned long counted;
        static int64_t last_ns; /* 0: none was dropped */
        unsigned long dropped = log_dropped();
        double age;
        char text[160];

        if (dropped != counted)
                last_ns = clock_now_ns();
        counted = dropped;
        age = last_ns ? clock_since_s(last_ns) : -1;
        if (last_ns && age < LOG_LATELY_S)
                snprintf(text, sizeof(text),
                         "%lu lines were dropped, the last ones %.0f s ago: disk or journal are slower than "
                         "the log",
                         dropped, age);
        else
                snprintf(text, sizeof(text), "lines dropped lately: none; since the start: %lu", dropped);
        check_in(h, "log", last_ns && age < LOG_LATELY_S ? WARN : PASS, jval_new_int((int64_t)dropped),
                 "lines", text);
}

/* An upgrade that waits for its restart is no trouble. */
static void check_program(struct health *h, const struct admin_sources *s)
{
        check(h, "program", PASS, jval_new_bool(!*s->restart_pending),
              *s->restart_pending ? s->restart_pending : "compute-agent " AGENT_VERSION ", as on disk");
}

/* That somebody disabled the service is told, but no trouble: he wanted it. */
static void HUB_ONLY check_service(struct health *h, const struct admin_sources *s)
{
        const struct service_row *row = s->manager ? compute_service(s->manager) : NULL;
        bool serves = s->ready && !s->draining, disabled = row && row->disabled;
        struct compute_cordon cordon;
        char text[800];

        snprintf(text, sizeof(text), "%s%s%s%s%s%.200s",
                 s->draining ? "stopping: takes no new requests"
                 : s->ready  ? "serving"
                             : "still starting",
                 !serves && *s->waiting ? ": " : "", !serves ? s->waiting : "",
                 disabled                                                ? "; disabled, no new instances come"
                 : s->manager && compute_get_cordon(s->manager, &cordon) ? "; drained, no new instances come"
                                                                         : "",
                 disabled && row->disabled_reason ? ": " : "",
                 disabled && row->disabled_reason ? row->disabled_reason : "");
        check(h, "service", serves ? PASS : WARN, jval_new_bool(serves), text);
}

/* What a reload did not take is still in the file, and comes with the next start. */
static void check_configuration(struct health *h, const struct admin_sources *s)
{
        char text[320] = "as in the files";

        if (s->refused_mistakes)
                snprintf(text, sizeof(text),
                         "the last reload was refused, mistakes: %u (see the log); the settings before it "
                         "stay",
                         s->refused_mistakes);
        else if (s->needs_restart[0])
                snprintf(text, sizeof(text), "changed in the files, needs a restart: %s", s->needs_restart);
        check_in(h, "configuration", s->refused_mistakes ? WARN : PASS, jval_new_int(s->refused_mistakes),
                 "mistakes", text);
}

struct jval *admin_health(const struct admin_sources *s)
{
        struct health h = { .checks = jval_new_object() };
        struct jval *to = jval_new_object();

        check_service(&h, s);
        check_hub(&h, s);
        check_bus(&h, s);
        check_database(&h, s);
        check_hypervisor(&h, s);
        check_workers(&h, s);
        check_files(&h, s);
        check_heartbeat(&h, s);
        check_report(&h, s);
        check_rivals(&h, s);
        check_placement(&h, s);
        check_audit(&h, s);
        check_images(&h, s);
        check_configuration(&h, s);
        check_journal(&h, s);
        check_log(&h);
        check_program(&h, s);
        jval_set_text(to, "status", verdict_names[h.worst]);
        jval_set(to, "checks", h.checks);
        return to;
}

static int add_missing(const char *name, struct jval *check, void *arg)
{
        struct strbuf *names = arg;

        if (!jval_get_bool(check, "observedValue", true) && /* it is there, whatever else is wrong with it */
            jval_real(jval_get(check, "since_s"), 0) >= MISSING_S)
                strbuf_addf(names, "%s%s", names->len ? ", " : "", name);
        return 0;
}

char *admin_health_missing(const struct admin_sources *s)
{
        struct health h = { .checks = jval_new_object() };
        struct strbuf names = {};

        check_database(&h, s);
        check_bus(&h, s);
        check_hypervisor(&h, s);
        check_placement(&h, s);
        jval_foreach(h.checks, add_missing, &names);
        jval_unref(h.checks);
        return names.data;
}
