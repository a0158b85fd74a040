/*
 * agent/virt/libvirt/driver.c: the operations of struct virt_driver over libvirt.
 *
 * The thread model in one place: libvirt's loop runs on a native thread (events.c) and pushes facts into the
 * queue; feed(), the driver's one draining green thread, turns them into events for compute/ and wakes
 * whoever waits for a guest to change; every call that can block runs in the driver's own pool (jobs.c).
 *
 * Waiting for a guest to reach a state looks at it after each event, and each half second in case there was
 * none, as nova does.
 */
#define LOG_MODULE "virt.libvirt"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "green/sync.h"
#include "virt/libvirt/connection.h"
#include "virt/libvirt/domxml.h"
#include "virt/libvirt/events.h"
#include "virt/libvirt/jobs.h"
#include "virt/libvirt/vif.h"
#include "virt/libvirt/vir_error.h"
#include "virt/libvirt/xmlutil.h"

enum { WORKERS = 20, QUEUE_CAPACITY = 4096, FACTS_AT_ONCE = 64, POLL_MS = 500 };
static const double CALL_TIMEOUT_S = 60, CLEANUP_TIMEOUT_S = 30, STOP_TIMEOUT_S = 5;

struct libvirt_driver {
        struct virt_driver base;
        struct virt_options opt; /* strings owned, below */
        char *uri, *virt_type, *cpu_mode, *vnc_listen, *machine, *rng_dev_path;
        struct tpool *tpool;
        struct native_queue *queue;
        struct connection *conn;
        struct virt_jobs jobs;
        struct green *feeder;
        struct green_cond changed; /* some guest changed; `changes` counts */
        unsigned long changes, events;
        int64_t last_event_ns; /* 0: none came yet */
        bool told_connected, loop_runs;
        bool lacking; /* the hypervisor has no guests of our virt_type, as of the last time it was asked */
};

static struct libvirt_driver *driver_of(const struct virt_driver *d)
{
        return CONTAINER_OF(d, struct libvirt_driver, base);
}

/* ---- from the queue to compute/ ---- */

static void YIELDS tell(struct libvirt_driver *d, const struct virt_event *ev)
{
        d->events++;
        if (ev->kind == VIRT_EVENT_CONNECTED)
                d->told_connected = true;
        else if (ev->kind == VIRT_EVENT_DISCONNECTED)
                d->told_connected = false;
        if (d->base.on_event)
                d->base.on_event(ev, d->base.on_event_arg);
}

static void YIELDS handle_fact(struct libvirt_driver *d, const struct virt_fact *fact)
{
        struct virt_event ev = { .kind = (enum virt_event_kind)fact->event };

        switch (fact->kind) {
        case FACT_LIFECYCLE:
                d->last_event_ns = clock_now_ns();
                if (virt_fact_to_event(fact, &ev))
                        tell(d, &ev);
                break;
        case FACT_CLOSED:
                connection_closed(d->conn, fact);
                break;
        case FACT_ANNOUNCE:
                tell(d, &ev);
                break;
        }
}

/* What was lost may have been anything: say what can be known, and have the rest looked up. */
static void YIELDS handle_overflow(struct libvirt_driver *d)
{
        struct connection_status now;
        struct virt_event ev = {};

        connection_suspect(d->conn);
        connection_get_status(d->conn, &now);
        log_warning("the queue of libvirt's events overflowed; all guests will be looked at");
        if (now.connected != d->told_connected) {
                ev.kind = now.connected ? VIRT_EVENT_CONNECTED : VIRT_EVENT_DISCONNECTED;
                tell(d, &ev);
        }
        ev.kind = VIRT_EVENT_RESYNC;
        tell(d, &ev);
}

static int feed(void *arg, struct error *err)
{
        struct libvirt_driver *d = arg;
        struct virt_fact facts[FACTS_AT_ONCE];
        bool overflowed = false;
        int n;

        assert_green();
        while ((n = native_queue_pop(d->queue, facts, FACTS_AT_ONCE, &overflowed, deadline_never(), err)) >=
               0) {
                d->changes++;
                green_cond_broadcast(&d->changed);
                if (overflowed)
                        handle_overflow(d);
                for (int i = 0; i < n; i++)
                        handle_fact(d, &facts[i]);
        }
        return err->code == ERR_CLOSED ? 0 : -1;
}

/* ---- waiting for a guest ---- */

static bool is_running(const struct guest_info *g)
{
        return g->power_state == POWER_RUNNING;
}

static bool is_off(const struct guest_info *g)
{
        return g->power_state == POWER_SHUTDOWN || g->power_state == POWER_CRASHED ||
               g->power_state == POWER_NOSTATE;
}

static int YIELDS wait_for_change(struct libvirt_driver *d, unsigned long seen, struct deadline by,
                                  struct error *err)
{
        struct deadline poll = deadline_earlier(by, deadline_in_ms(POLL_MS));

        while (d->changes == seen && !deadline_passed(poll)) {
                if (green_cond_wait(&d->changed, poll, err) < 0 && err->code != ERR_TIMEOUT)
                        return -1;
        }
        if (deadline_passed(by))
                return error_set(err, ERR_TIMEOUT, "the deadline passed");
        return 0;
}

static int YIELDS wait_running(struct libvirt_driver *d, const char *uuid, struct deadline by,
                               struct error *err)
{
        for (;;) {
                unsigned long seen = d->changes;
                struct guest_info info;

                if (job_info(&d->jobs, uuid, &info, by, err) < 0)
                        return -1;
                if (is_running(&info))
                        return 0;
                if (is_off(&info))
                        return error_set(err, NOVA_LIBVIRT_ERROR,
                                         "the guest went off as soon as it had been started (%s)",
                                         power_state_name(info.power_state));
                if (wait_for_change(d, seen, by, err) < 0)
                        return error_while(err, "waiting for the guest to run");
        }
}

static int YIELDS wait_off(struct libvirt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        for (;;) {
                unsigned long seen = d->changes;
                struct guest_info info;

                if (job_info(&d->jobs, uuid, &info, by, err) < 0)
                        return -1;
                if (is_off(&info))
                        return 0;
                if (wait_for_change(d, seen, by, err) < 0)
                        return error_while(err, "waiting for the guest to be off");
        }
}

static struct deadline HUB_ONLY default_deadline(struct libvirt_driver *d, struct deadline by)
{
        return by.ns == deadline_never().ns ? deadline_in_s(d->jobs.call_timeout_s) : by;
}

/* ---- operations that change guests ---- */

static int HUB_ONLY build_xml(struct libvirt_driver *d, const struct guest_spec *spec, char **ret,
                              struct error *err)
{
        struct connection_status now;
        struct domxml_host host = {
                .domain_type = d->virt_type,
                .cpu_mode = d->cpu_mode,
                .vnc_listen = d->vnc_listen,
                .machine = d->machine,
                .rng_dev_path = d->rng_dev_path,
                .version = AGENT_VERSION,
                .mem_stats_period_s = d->opt.mem_stats_period_s,
        };

        connection_get_status(d->conn, &now);
        if (!*now.arch)
                return error_set(err, NOVA_HYPERVISOR_UNAVAILABLE, "no connection to the hypervisor yet: %s",
                                 now.last_error);
        host.arch = now.arch;
        return domxml_build(&host, spec, ret, err);
}

static int YIELDS off(struct libvirt_driver *d, const char *uuid, struct deadline by, struct error *err)
{
        for (;;) {
                unsigned long seen = d->changes;

                if (job_destroy(&d->jobs, uuid, by, err) == 0)
                        return wait_off(d, uuid, by, err);
                if (err->code != ERR_BUSY)
                        return -1;
                log_warning("%s; trying again", err->text);
                if (wait_for_change(d, seen, by, err) < 0)
                        return -1;
        }
}

/* In a shield: what failed half way must not stay because its caller was cancelled. */
static void YIELDS remove_domain(struct libvirt_driver *d, const struct guest_spec *spec)
{
        struct deadline by = deadline_in_s(CLEANUP_TIMEOUT_S);
        struct error err = {};

        green_shield_begin();
        if (off(d, spec->uuid, by, &err) < 0 || job_undefine(&d->jobs, spec->uuid, by, &err) < 0)
                log_warning("removing %s, which could not be started: %s; leaving it behind", spec->name,
                            err.text);
        green_shield_end();
}

/*
 * A start whose caller gave up removes its domain when it comes to an end after all. By then it must not be
 * somebody else's.
 */
static int YIELDS wait_for_orphans(struct libvirt_driver *d, const char *uuid, struct deadline by,
                                   struct error *err)
{
        while (job_orphan_runs(&d->jobs, uuid)) {
                if (wait_for_change(d, d->changes, by, err) < 0)
                        return error_while(err,
                                           "waiting for an earlier call for this guest, which still hangs");
        }
        return 0;
}

static int YIELDS define_and_run(struct libvirt_driver *d, const struct guest_spec *spec, const char *xml,
                                 struct deadline by, struct error *err)
{
        if (wait_for_orphans(d, spec->uuid, by, err) < 0)
                return -1;
        if (job_define(&d->jobs, spec->uuid, xml, ORPHAN_IS_REMOVED, by, err) < 0)
                return -1;
        if (job_create(&d->jobs, spec->uuid, ORPHAN_IS_REMOVED, by, err) == 0 &&
            wait_running(d, spec->uuid, by, err) == 0)
                return 0;
        remove_domain(d, spec);
        return -1;
}

static int YIELDS plug(struct libvirt_driver *d, const struct guest_spec *spec, struct deadline by,
                       struct error *err)
{
        if (strcmp(d->virt_type, "test") == 0)
                return 0; /* libvirt's test driver plugs into nothing */
        return vif_prepare(d->tpool, spec, by, err);
}

/* All that can be refused, before a guest is touched. The XML is kept: the definition to come is this one. */
static int YIELDS prepare(struct libvirt_driver *d, const struct guest_spec *spec, char **ret_xml,
                          struct deadline by, struct error *err)
{
        return build_xml(d, spec, ret_xml, err) < 0 ? -1 : plug(d, spec, by, err);
}

static int lv_spawn(struct virt_driver *base, const struct guest_spec *spec, struct deadline by,
                    struct error *err)
{
        struct libvirt_driver *d = driver_of(base);
        CLEANUP(freep) char *xml = NULL;

        assert_green();
        by = default_deadline(d, by);
        if (prepare(d, spec, &xml, by, err) < 0)
                return -1;
        return define_and_run(d, spec, xml, by, err);
}

static int lv_hard_reboot(struct virt_driver *base, const struct guest_spec *spec, struct deadline by,
                          struct error *err)
{
        struct libvirt_driver *d = driver_of(base);
        CLEANUP(freep) char *xml = NULL;

        assert_green();
        by = default_deadline(d, by);
        if (prepare(d, spec, &xml, by, err) < 0 || off(d, spec->uuid, by, err) < 0 ||
            job_undefine(&d->jobs, spec->uuid, by, err) < 0)
                return -1;
        return define_and_run(d, spec, xml, by, err);
}

static int lv_power_off(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        struct libvirt_driver *d = driver_of(base);

        assert_green();
        return off(d, uuid, default_deadline(d, by), err);
}

static int lv_shutdown(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return job_shutdown(&driver_of(base)->jobs, uuid, by, err);
}

static int lv_start_domain(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        struct libvirt_driver *d = driver_of(base);

        assert_green();
        by = default_deadline(d, by);
        if (job_create(&d->jobs, uuid, ORPHAN_STAYS, by, err) < 0)
                return -1;
        return wait_running(d, uuid, by, err);
}

static int lv_plug(struct virt_driver *base, const struct guest_spec *spec, struct deadline by,
                   struct error *err)
{
        struct libvirt_driver *d = driver_of(base);

        assert_green();
        return plug(d, spec, default_deadline(d, by), err);
}

static int lv_pause(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return job_pause(&driver_of(base)->jobs, uuid, by, err);
}

static int lv_unpause(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return job_unpause(&driver_of(base)->jobs, uuid, by, err);
}

static int lv_suspend(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return job_managed_save(&driver_of(base)->jobs, uuid, by, err);
}

static int lv_undefine(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return job_undefine(&driver_of(base)->jobs, uuid, by, err);
}

/* ---- operations that look ---- */

static int lv_host_info(struct virt_driver *base, struct host_info *ret, struct deadline by,
                        struct error *err)
{
        struct libvirt_driver *d = driver_of(base);
        CLEANUP(freep) char *wanted = xasprintf("\"%s\"", d->virt_type);
        bool lacking;

        assert_green();
        if (job_host_info(&d->jobs, ret, by, err) < 0)
                return -1;
        lacking = !strstr(ret->supported_instances, wanted);
        if (lacking && !d->lacking)
                log_warning("%s has no guests of virt_type \"%s\" here, so none will start%s", d->uri,
                            d->virt_type, strcmp(d->virt_type, "kvm") == 0 ? ": is there a /dev/kvm?" : "");
        d->lacking = lacking;
        return 0;
}

static int lv_list(struct virt_driver *base, struct guest_list *ret, struct deadline by, struct error *err)
{
        assert_green();
        return job_list(&driver_of(base)->jobs, ret, by, err);
}

static int lv_get_info(struct virt_driver *base, const char *uuid, struct guest_info *ret, struct deadline by,
                       struct error *err)
{
        assert_green();
        return job_info(&driver_of(base)->jobs, uuid, ret, by, err);
}

static int lv_console_path(struct virt_driver *base, const char *uuid, char **ret, struct deadline by,
                           struct error *err)
{
        CLEANUP(freep) char *xml = NULL;

        assert_green();
        if (job_xml(&driver_of(base)->jobs, uuid, &xml, by, err) < 0)
                return -1;
        return domxml_console_path(xml, ret, err);
}

static int lv_vnc_port(struct virt_driver *base, const char *uuid, int *ret, struct deadline by,
                       struct error *err)
{
        CLEANUP(freep) char *xml = NULL;

        assert_green();
        if (job_xml(&driver_of(base)->jobs, uuid, &xml, by, err) < 0)
                return -1;
        return domxml_vnc_port(xml, ret, err);
}

static int lv_get_job(struct virt_driver *base, const char *uuid, struct guest_job *ret, struct deadline by,
                      struct error *err)
{
        assert_green();
        return job_progress(&driver_of(base)->jobs, uuid, ret, by, err);
}

static int lv_get_usage(struct virt_driver *base, const char *uuid, struct guest_usage *ret,
                        struct deadline by, struct error *err)
{
        assert_green();
        return job_usage(&driver_of(base)->jobs, uuid, ret, by, err);
}

static int lv_abort_job(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return job_abort(&driver_of(base)->jobs, uuid, by, err);
}

static int lv_inject_nmi(struct virt_driver *base, const char *uuid, struct deadline by, struct error *err)
{
        assert_green();
        return job_inject_nmi(&driver_of(base)->jobs, uuid, by, err);
}

static void lv_get_status(struct virt_driver *base, struct virt_status *ret)
{
        struct libvirt_driver *d = driver_of(base);
        struct native_queue_info queue;
        struct connection_status conn;
        struct tpool_info pool;

        assert_on_hub();
        native_queue_get_info(d->queue, &queue);
        connection_get_status(d->conn, &conn);
        tpool_get_info(d->tpool, &pool);
        *ret = (struct virt_status){
                .connected = conn.connected,
                .lacks = d->lacking ? d->virt_type : NULL,
                .event_gap_s = conn.gap_s,
                .events = d->events,
                .reconnects = conn.generation > 0 ? conn.generation - 1 : 0,
                .overflows = queue.overflows,
                .calls = pool.done,
                .timeouts = pool.timeouts,
                .workers = pool.workers,
                .busy = pool.busy,
                .hung = pool.hung,
                .queue = queue.name,
                .queue_depth = queue.depth,
                .queue_capacity = queue.capacity,
                .queue_lost = queue.lost,
                .last_event_s = d->last_event_ns ? clock_since_s(d->last_event_ns) : -1,
        };
        snprintf(ret->uri, sizeof(ret->uri), "%s", d->uri);
        snprintf(ret->last_error, sizeof(ret->last_error), "%.255s", conn.last_error);
}

struct visit {
        void (*fn)(const char *doing, const char *what, double since_s, bool hung, void *arg);
        void *arg;
};

static void visit_worker(const struct tpool_worker_info *info, void *arg)
{
        struct visit *v = arg;

        if (info->doing)
                v->fn(info->doing, info->what, info->since_s, info->hung, v->arg);
}

static void lv_foreach_worker(struct virt_driver *base,
                              void (*fn)(const char *doing, const char *what, double since_s, bool hung,
                                         void *arg),
                              void *arg)
{
        struct visit v = { fn, arg };

        assert_on_hub();
        tpool_foreach(driver_of(base)->tpool, visit_worker, &v);
}

static void lv_foreach_call(struct virt_driver *base, void (*fn)(const struct tpool_call_stats *s, void *arg),
                            void *arg)
{
        assert_on_hub();
        tpool_foreach_call(driver_of(base)->tpool, fn, arg);
}

/* ---- start and stop ---- */

static int lv_start(struct virt_driver *base, struct error *err)
{
        struct libvirt_driver *d = driver_of(base);

        assert_on_hub();
        if (events_thread_start(err) < 0)
                return -1;
        d->loop_runs = true;
        d->feeder = green_spawn_ref(NULL, "libvirt-events", feed, d, err);
        if (!d->feeder)
                return -1;
        return connection_start(d->conn, err);
}

static int lv_wait_connected(struct virt_driver *base, struct deadline by, struct error *err)
{
        assert_green();
        return connection_wait(driver_of(base)->conn, by, err);
}

static int stop_loop(void *arg, struct error *err)
{
        (void)arg;
        (void)err;
        assert_on_worker();
        events_thread_stop();
        return 0;
}

static void free_driver(struct libvirt_driver *d)
{
        free(d->uri);
        free(d->virt_type);
        free(d->cpu_mode);
        free(d->vnc_listen);
        free(d->machine);
        free(d->rng_dev_path);
        free(d);
}

static void lv_stop(struct virt_driver *base)
{
        struct libvirt_driver *d = driver_of(base);
        struct error err = {};
        unsigned hung;
        char unused = 0;

        assert_green();
        d->base.on_event = NULL; /* whom it belongs to may be gone already */
        green_shield_begin();
        connection_stop(d->conn);
        if (d->loop_runs && tpool_execute(d->tpool, "end of libvirt's event loop", stop_loop, &unused, 1,
                                          deadline_in_s(STOP_TIMEOUT_S), &err) < 0)
                log_warning("libvirt's event loop does not end: %s; leaving it behind", err.text);
        hung = tpool_close(d->tpool, deadline_in_s(STOP_TIMEOUT_S));
        if (d->feeder) {
                native_queue_close(d->queue);
                green_join(d->feeder, deadline_never(), NULL, &err);
                green_unref(d->feeder);
        }
        green_shield_end();
        /* A callback or a worker that is still out there may push: then the queue must stay. */
        if (hung == 0 && event_sources_alive() == 0)
                native_queue_free(d->queue);
        else
                log_warning(
                        "%u calls into libvirt still hang at the end, or an event does; leaving them behind",
                        hung);
        free_driver(d);
}

static void HUB_ONLY lv_set_call_timeout(struct virt_driver *base, double seconds)
{
        driver_of(base)->jobs.call_timeout_s = seconds;
}

static const struct virt_driver_ops libvirt_ops = {
        .name = "libvirt",
        .start = lv_start,
        .wait_connected = lv_wait_connected,
        .stop = lv_stop,
        .get_host_info = lv_host_info,
        .list = lv_list,
        .get_info = lv_get_info,
        .spawn = lv_spawn,
        .hard_reboot = lv_hard_reboot,
        .power_off = lv_power_off,
        .shutdown = lv_shutdown,
        .start_domain = lv_start_domain,
        .plug = lv_plug,
        .pause = lv_pause,
        .unpause = lv_unpause,
        .suspend = lv_suspend,
        .undefine = lv_undefine,
        .console_path = lv_console_path,
        .vnc_port = lv_vnc_port,
        .get_usage = lv_get_usage,
        .inject_nmi = lv_inject_nmi,
        .abort_job = lv_abort_job,
        .get_job = lv_get_job,
        .get_status = lv_get_status,
        .foreach_call = lv_foreach_call,
        .foreach_worker = lv_foreach_worker,
        .set_call_timeout = lv_set_call_timeout,
};

/* What libvirt expects of the process: before its first call, and before there are threads. */
static void prepare_process(void)
{
        signal(SIGPIPE, SIG_IGN); /* libvirt does so only when the first guest starts */
        /* Its errors come back to us anyway. The second is for its forks, which log to stderr at that level.
         */
        setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", 0);
        setenv("LIBVIRT_DEBUG", "4", 0);
        xml_init();
        vir_error_silence();
}

static const char *type_of(const struct virt_options *opt)
{
        if (strncmp(opt->connection_uri, "test:", 5) == 0)
                return "test";
        return opt->virt_type && *opt->virt_type ? opt->virt_type : "kvm";
}

static char *copy_unless_empty(const char *s)
{
        return s && *s ? xstrdup(s) : NULL;
}

struct virt_driver *virt_libvirt_new(const struct virt_options *opt, struct error *err)
{
        struct connection_options conn = {
                .keepalive_interval_s = opt->keepalive_interval_s ? opt->keepalive_interval_s : 5,
                .keepalive_count = opt->keepalive_count ? opt->keepalive_count : 3,
                .open_timeout_s = opt->call_timeout_s > 0 ? opt->call_timeout_s : CALL_TIMEOUT_S,
        };
        struct libvirt_driver *d;

        if (!domxml_cpu_mode_known(opt->cpu_mode)) {
                error_set(err, ERR_INVALID, "cpu_mode \"%s\" is not supported", opt->cpu_mode);
                return NULL;
        }
        prepare_process();
        d = NEW(struct libvirt_driver);
        d->base.ops = &libvirt_ops;
        d->opt = *opt;
        d->uri = xstrdup(opt->connection_uri);
        d->virt_type = xstrdup(type_of(opt));
        d->cpu_mode = copy_unless_empty(opt->cpu_mode);
        d->vnc_listen = copy_unless_empty(opt->vnc_listen);
        d->machine = copy_unless_empty(opt->machine);
        d->rng_dev_path = xstrdup(opt->rng_dev_path); /* "" is none, NULL is the default */
        green_cond_init(&d->changed, "guests of libvirt");
        d->queue = native_queue_new("libvirt-events", sizeof(struct virt_fact), QUEUE_CAPACITY, err);
        d->tpool = d->queue ? tpool_new("libvirt", WORKERS, err) : NULL;
        if (!d->tpool) {
                native_queue_free(d->queue);
                free_driver(d);
                return NULL;
        }
        conn.uri = d->uri;
        conn.tpool = d->tpool;
        conn.queue = d->queue;
        d->conn = connection_new(&conn);
        d->jobs = (struct virt_jobs){ d->tpool, d->conn, conn.open_timeout_s };
        return &d->base;
}
