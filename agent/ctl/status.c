/*
 * agent/ctl/status.c: is this host well? One screen, what is wrong first.
 *
 * It is made of three answers, so that the agent need not know what belongs on a screen.
 */
#include "ctl/status.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static long long whole(const struct jval *object, const char *key)
{
        return (long long)jval_get_int(object, key, 0);
}

/* "12 s ago", or what is said where nothing is known. */
static void page_age(struct page *p, const char *key, const struct jval *s, const char *member,
                     const char *unknown)
{
        char text[32];

        format_duration(number_of(s, member), text, sizeof(text));
        if (jval_is_null(jval_get(s, member)))
                page_field(p, key, unknown);
        else
                page_fieldf(p, key, "%s ago", text);
}

/* ---- the agent ---- */

static void add_agent(struct page *p, const struct jval *s)
{
        char up[32];

        format_duration(number_of(s, "uptime_s"), up, sizeof(up));
        page_fieldf(p, "compute-agent", "%s, up %s, pid %lld", jval_get_text(s, "version", "?"), up,
                    whole(s, "pid"));
        if (jval_get_text(s, "node", NULL))
                page_fieldf(p, "host", "%s, node %s", jval_get_text(s, "host", "?"),
                            jval_get_text(s, "node", "?"));
        else
                page_field(p, "host", jval_get_text(s, "host", NULL));
        page_state(p, "state",
                   jval_get_bool(s, "draining", false)  ? "draining"
                   : jval_get_bool(s, "started", false) ? "running"
                                                        : "starting",
                   jval_get_bool(s, "debug", false) ? "; --debug: threads are not patched" : NULL);
        if (jval_get_text(s, "restart_pending", NULL))
                page_field(p, "restart pending", jval_get_text(s, "restart_pending", NULL));
}

/* Builds are kept away: by whom, and how much is left of what ran before. */
static void add_drain(struct page *p, const struct jval *s)
{
        const struct jval *drain = jval_get(s, "drain");
        char CLEANUP(freep) *more = NULL;
        char since[32];

        if (jval_is_null(drain))
                return;
        format_duration(number_of(drain, "seconds"), since, sizeof(since));
        more = xasprintf(" for %s, %lld of %lld operations left%s; %s", since, whole(drain, "left"),
                         whole(drain, "total"), jval_get_bool(drain, "stop", false) ? ", then it ends" : "",
                         jval_get_text(drain, "reason", ""));
        page_state(p, "drain", whole(drain, "left") ? "draining" : "drained", more);
}

/* ---- health ---- */

static int add_ailing(const char *name, struct jval *check, void *arg)
{
        const char *status = jval_get_text(check, "status", "?");
        char CLEANUP(freep) *key = xasprintf("  %s", name);
        char CLEANUP(freep) *more = NULL;
        char since[32];

        if (strcmp(status, "pass") == 0)
                return 0;
        format_duration(number_of(check, "since_s"), since, sizeof(since));
        if (jval_is_null(jval_get(check, "since_s")))
                more = xasprintf(": %s", jval_get_text(check, "output", ""));
        else
                more = xasprintf(" for %s: %s", since, jval_get_text(check, "output", ""));
        page_state(arg, key, status, more);
        return 0;
}

static void add_health(struct page *p, const struct jval *health)
{
        char CLEANUP(freep) *more = NULL;

        if (!health)
                return;
        more = xasprintf(" (%zu checks)", jval_len(jval_get(health, "checks")));
        page_state(p, "health", jval_get_text(health, "status", "?"), more);
        jval_foreach(jval_get(health, "checks"), add_ailing, p);
}

/* ---- what the cloud sees ---- */

static void add_placement(struct page *p, const struct jval *s)
{
        static const char name[] = "placement: "; /* errors begin with it, and so does the line */
        const char *text = jval_get_text(s, "placement", NULL);

        if (text)
                page_field(p, "placement",
                           text + (strncmp(text, name, strlen(name)) == 0 ? strlen(name) : 0));
}

static void add_service(struct page *p, const struct jval *s)
{
        const struct jval *service = jval_get(s, "service");
        const char *reason = jval_get_text(service, "disabled_reason", NULL);
        char CLEANUP(freep) *more = NULL;

        if (jval_is_null(service))
                page_field(p, "service", "not registered yet");
        else if (jval_get_bool(service, "forced_down", false))
                page_state(p, "service", "forced down", " by an operator");
        else if (jval_get_bool(service, "disabled", false))
                page_state(p, "service", "disabled",
                           more = xasprintf(": %s", reason ? reason : "no reason given"));
        else
                page_state(p, "service", "enabled", ": takes new instances");
        page_age(p, "reported", s, "last_report_age_s", "not yet");
        add_placement(p, s);
}

static int add_state(const char *state, struct jval *n, void *text)
{
        struct strbuf *to = text;

        strbuf_addf(to, "%s%lld %s", to->len ? ", " : ": ", (long long)jval_int(n, 0), state);
        return 0;
}

static void add_instances(struct page *p, const struct jval *s)
{
        struct strbuf CLEANUP(strbuf_free) states = {};

        if (jval_is_null(jval_get(s, "instances_total"))) {
                page_field(p, "instances", "not known: the database does not answer");
                return;
        }
        jval_foreach(jval_get(s, "instances"), add_state, &states);
        page_fieldf(p, "instances", "%lld%s", whole(s, "instances_total"), states.data ? states.data : "");
}

static void add_resources(struct page *p, const struct jval *s)
{
        const struct jval *r = jval_get(s, "resources");
        const struct jval *cpu = jval_get(r, "vcpus"), *mem = jval_get(r, "memory_mb"),
                          *disk = jval_get(r, "disk_gb");

        if (jval_is_null(r))
                page_field(p, "used", "not known before the first audit");
        else
                page_fieldf(p, "used",
                            "%lld of %lld vcpus, %lld of %lld MB of memory, %lld of %lld GB of disk",
                            whole(cpu, "used"), whole(cpu, "total"), whole(mem, "used"), whole(mem, "total"),
                            whole(disk, "used"), whole(disk, "total"));
        page_age(p, "last audit", s, "last_audit_age_s", "none yet");
}

/* ---- work ---- */

static void add_work(struct page *p, const struct jval *s)
{
        page_fieldf(p, "work",
                    "%zu under way; %lld operations so far, %lld of them builds; failed: %lld builds, %lld "
                    "others",
                    jval_len(jval_get(s, "running")), whole(s, "actions"), whole(s, "builds"),
                    whole(s, "builds_failed"), whole(s, "actions_failed"));
        page_fieldf(p, "requests", "%lld running, %lld waiting, %lld received, %lld failed",
                    whole(s, "running_rpc"), whole(s, "queued_rpc"), whole(s, "received_rpc"),
                    whole(s, "failed_rpc"));
}

static void add_pools(struct page *p, const struct jval *pools)
{
        const struct jval *green = jval_get(pools, "pools"), *native = jval_get(pools, "tpools");
        struct strbuf CLEANUP(strbuf_free) text = {};
        long long busy = 0, hung = 0, workers = 0;

        if (!pools)
                return;
        for (size_t i = 0; i < jval_len(green); i++) {
                const struct jval *one = jval_at(green, i);

                strbuf_addf(&text, "%s%s %lld of %lld", i ? ", " : "", jval_get_text(one, "name", "?"),
                            whole(one, "running"), whole(one, "size"));
                if (whole(one, "waiting"))
                        strbuf_addf(&text, " (%lld waiting)", whole(one, "waiting"));
        }
        page_field(p, "pools", text.data);
        for (size_t i = 0; i < jval_len(native); i++) {
                busy += whole(jval_at(native, i), "busy");
                hung += whole(jval_at(native, i), "hung");
                workers += whole(jval_at(native, i), "workers");
        }
        page_fieldf(p, "native workers", "%lld of %lld busy, %lld hung%s", busy, workers, hung,
                    hung ? " (\"compute-agentctl jobs\" names them)" : "");
}

static void add_hub(struct page *p, const struct jval *s)
{
        const struct jval *hub = jval_get(s, "hub");
        double up = number_of(s, "uptime_s"), due = number_of(hub, "due");
        char late[32];

        if (jval_is_null(hub))
                return;
        format_duration(due > 0 ? number_of(hub, "late") / due : 0, late, sizeof(late));
        page_fieldf(p, "hub",
                    "%lld green threads, %.1f %% of a processor, %lld turns, timers %s late on average, "
                    "%lld stalls",
                    whole(hub, "threads"), up > 0 ? 100 * number_of(hub, "cpu") / up : 0, whole(hub, "polls"),
                    late, whole(hub, "stalls"));
}

/* ---- whom it talks to ---- */

static void add_peers(struct page *p, const struct jval *s)
{
        char CLEANUP(freep) *hypervisor = xasprintf(": %s", jval_get_text(s, "uri", "?"));
        char CLEANUP(freep) *database = xasprintf(": %s %s", jval_get_text(s, "database", "?"),
                                                  jval_get_text(s, "database_version", ""));
        char CLEANUP(freep) *bus = xasprintf(": %s", jval_get_text(s, "transport", "?"));

        page_state(p, "hypervisor", jval_get_bool(s, "hypervisor_ok", false) ? "connected" : "lost",
                   hypervisor);
        page_state(p, "database", jval_get_bool(s, "database_ok", false) ? "connected" : "lost", database);
        page_state(p, "message bus", jval_get_bool(s, "transport_ok", false) ? "connected" : "lost", bus);
        page_age(p, "heartbeat", s, "heartbeat_age_s", "no file");
        page_field(p, "log level", jval_get_text(s, "log_level", NULL));
}

void page_dashboard(struct page *p, const struct jval *status, const struct jval *health,
                    const struct jval *pools)
{
        add_agent(p, status);
        add_drain(p, status);
        add_health(p, health);
        add_service(p, status);
        add_instances(p, status);
        add_resources(p, status);
        add_work(p, status);
        add_hub(p, status);
        add_pools(p, pools);
        add_peers(p, status);
        if (jval_len(jval_get(status, "running")) == 0)
                return;
        strbuf_adds(&p->text, "\n");
        page_jobs(p, jval_get(status, "running"));
}

enum ctl_exit ctl_status(struct ctl *c)
{
        static const struct ctl_option no_options[] = { {} };
        struct jval CLEANUP(jval_unrefp) *status = NULL, *health = NULL, *pools = NULL;
        enum ctl_exit r;
        struct page p;

        if (!ctl_arguments(c, no_options, NULL, 0, 0, &r))
                return r;
        if ((r = ctl_ask_admin(c, "status", NULL, &status)) != CTL_OK ||
            (r = ctl_ask_admin(c, "health", NULL, &health)) != CTL_OK ||
            (r = ctl_ask_admin(c, "pools", NULL, &pools)) != CTL_OK)
                return r;
        if (c->json) {
                jval_set(status, "health", take_ptr(&health));
                jval_set(status, "pools", jval_ref(jval_get(pools, "pools")));
                jval_set(status, "tpools", jval_ref(jval_get(pools, "tpools")));
                print_json(status);
                return CTL_OK;
        }
        page_begin(&p);
        page_dashboard(&p, status, health, pools);
        page_print(&p);
        return CTL_OK;
}
