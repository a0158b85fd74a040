/*
 * agent/parts.c: the ordered table of the daemon's parts: started downwards, stopped upwards.
 *
 * A part that needs somebody else (database, hypervisor) tries until he is there: a late peer is no error.
 */
#include "agent_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MODULE "agent"
#include "amqp/options.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "compute/manager.h"
#include "green/lockutils.h"
#include "heartbeat.h"
#include "journal/journal.h"
#include "monitor/monitor.h"
#include "mysql/mysql_pool.h"
#include "native/file.h"
#include "native/stall_watcher.h"
#include "notify.h"
#include "patcher/patcher.h"
#include "process/execute.h"
#include "progress.h"
#include "program.h"
#include "report/report.h"
#include "admin/access.h"
#include "rpc/scheduler.h"
#include "trim.h"

/* How long a single attempt may take before it is given up and tried again. */
enum { ATTEMPT_S = 30, FIRST_PAUSE_S = 1, LAST_PAUSE_S = 30 };

static void HUB_ONLY fill_admin(struct agent *a)
{
        a->admin.conf = a->conf;
        a->admin.store = a->store.db ? &a->store : NULL;
        a->admin.db = a->db;
        a->admin.driver = a->driver;
        a->admin.manager = a->manager;
        a->admin.tpool = a->tpool;
        a->admin.files = a->files;
        a->admin.watcher = a->watcher;
        a->admin.heartbeat = a->heartbeat;
        a->admin.journal = a->journal;
        a->admin.images = a->images;
        a->admin.disks = a->disks;
}

/* Where an operator looks: systemctl status, and compute-agentctl health. */
static void tell_waiting(struct agent *a, const char *what, const char *why)
{
        snprintf(a->admin.waiting, sizeof(a->admin.waiting), "waiting for %s%s%.300s", what, *why ? ": " : "",
                 why);
        notify_status("%s", a->admin.waiting);
}

int until_it_works(struct agent *a, const char *what, int64_t attempt_s,
                   int (*attempt)(struct agent *a, struct deadline by, struct error *err), struct error *err)
{
        int64_t pause = FIRST_PAUSE_S;

        fill_admin(a); /* health tells whom it waits for */
        tell_waiting(a, what, "");
        for (;;) {
                if (attempt(a, deadline_in_s(attempt_s), err) == 0) {
                        a->admin.waiting[0] = '\0';
                        return 0;
                }
                if (err->code == ERR_CANCELLED || err->code == ERR_INVALID)
                        return -1;
                tell_waiting(a, what, err->text);
                log_warning("%s: %s; trying again in %" PRId64 " s", what, err->text, pause);
                notify_extend_timeout((double)(pause + attempt_s));
                if (green_sleep((double)pause, err) < 0)
                        return -1;
                pause = pause * 2 < LAST_PAUSE_S ? pause * 2 : LAST_PAUSE_S;
        }
}

/* ---- the parts, in the order of the table below ---- */

static int YIELDS reports_start(struct agent *a, struct error *err)
{
        a->admin.reporter = reporter_start(&a->admin, err);
        return a->admin.reporter ? 0 : -1;
}

static void YIELDS reports_stop(struct agent *a)
{
        reporter_stop(take_ptr(&a->admin.reporter));
}

static int YIELDS watcher_start(struct agent *a, struct error *err)
{
        struct stall_options opt = { .threshold_ms = (unsigned)a->conf->hub.stall_threshold_ms };

        a->watcher = stall_watcher_start(&opt, err);
        return a->watcher ? 0 : -1;
}

static void YIELDS watcher_stop(struct agent *a)
{
        stall_watcher_stop(take_ptr(&a->watcher));
}

static int YIELDS heart_start(struct agent *a, struct error *err)
{
        struct heartbeat_options opt = {
                .path = a->conf->heartbeat_file_path,
                .file_name = a->conf->heartbeat_file_name,
                .interval_s = (unsigned)a->conf->heartbeat_interval,
        };

        execute_set_root_helper(a->conf->rootwrap_command); /* a native heartbeat may use it at any time */
        if (!*a->conf->heartbeat_file_path) {
                log_info("no heartbeat file: heartbeat_file_path is empty");
                return 0;
        }
        a->heartbeat = heartbeat_start(&opt, err);
        return a->heartbeat ? 0 : -1;
}

static void YIELDS heart_stop(struct agent *a)
{
        heartbeat_stop(take_ptr(&a->heartbeat));
}

static int YIELDS workers_start(struct agent *a, struct error *err)
{
        if (lockutils_set_lock_path(a->conf->oslo_concurrency.lock_path, err) < 0)
                return -1;
        a->tpool = tpool_new("tpool", (unsigned)a->conf->hub.tpool_workers, err);
        patcher_use_tpool(a->tpool); /* getaddrinfo() goes there */
        file_set_timeout((double)a->conf->hub.file_timeout);
        a->files = a->tpool ? tpool_new("files", (unsigned)a->conf->hub.tpool_workers, err) : NULL;
        return a->files ? 0 : -1;
}

static void YIELDS workers_stop(struct agent *a)
{
        struct deadline by = deadline_in_s(STOP_S);
        unsigned left;

        patcher_use_tpool(NULL);
        left = tpool_close(take_ptr(&a->files), by);
        left += tpool_close(take_ptr(&a->tpool), by);
        if (left > 0)
                log_warning("%u blocking calls did not return; leaving them behind", left);
}

static void program_changed(const char *text, void *arg)
{
        struct agent *a = arg;

        assert_on_hub();
        snprintf(a->admin.restart_pending, sizeof(a->admin.restart_pending), "%s", text);
        if (*text)
                log_info("restart pending: %s", text);
        else
                log_info("the program on disk is the one that runs again");
}

static int YIELDS program_start(struct agent *a, struct error *err)
{
        a->program = program_watch(a->files, program_changed, a, err);
        return a->program ? 0 : -1;
}

static void YIELDS program_stop(struct agent *a)
{
        program_forget(take_ptr(&a->program));
}

static int YIELDS reach_database(struct agent *a, struct deadline by, struct error *err)
{
        if (store_check_schema(&a->store, by, err) == 0)
                return 0;
        if (err->code == ERR_INVALID) /* its tables are perhaps being made */
                err->code = ERR_BUSY;
        return -1;
}

static int YIELDS database_start(struct agent *a, struct error *err)
{
        struct db_options opt = {
                .url = a->conf->database.connection,
                .max_pool_size = (unsigned)a->conf->database.max_pool_size,
                .max_overflow = (unsigned)a->conf->database.max_overflow,
                .recycle_s = (unsigned)a->conf->database.connection_recycle_time,
                .sql_mode = a->conf->database.mysql_sql_mode,
                .tpool = a->tpool,
        };

        a->db = db_pool_new(&opt, err);
        if (!a->db)
                return error_while(err, "[database] connection");
        db_pool_set_limits(a->db, opt.max_pool_size, opt.max_overflow,
                           a->conf->database.connection_recycle_time);
        a->store = (struct store){ .db = a->db, .host = a->conf->host };
        return until_it_works(a, "database", REACH_S, reach_database, err);
}

static void YIELDS database_stop(struct agent *a)
{
        db_pool_close(take_ptr(&a->db));
}

/* After the control socket: who is the second with one state_path has been refused by then. */
static int YIELDS journal_start(struct agent *a, struct error *err)
{
        CLEANUP(freep) char *path = xasprintf("%s/operations.journal", a->conf->state_path);
        const struct journal_options opt = { .files = a->files, .path = path, .host = a->conf->host };
        struct journal_info info;

        a->journal = journal_open(&opt, err);
        if (!a->journal)
                return -1;
        journal_get_info(a->journal, &info);
        if (info.former_version && strcmp(info.former_version, AGENT_VERSION) != 0)
                log_info("this is compute-agent " AGENT_VERSION ", before it compute-agent %s was here",
                         info.former_version);
        return 0;
}

static void YIELDS journal_stop(struct agent *a)
{
        a->admin.journal = NULL;
        journal_close(take_ptr(&a->journal));
}

static int YIELDS reach_hypervisor(struct agent *a, struct deadline by, struct error *err)
{
        return a->driver->ops->wait_connected(a->driver, by, err);
}

/* The manager is made before events flow, so that none is missed. */
static int YIELDS virt_start(struct agent *a, struct error *err)
{
        const struct conf *c = a->conf;
        struct virt_options opt = {
                .connection_uri = c->libvirt.connection_uri,
                .virt_type = c->libvirt.virt_type,
                .cpu_mode = c->libvirt.cpu_mode,
                .vnc_listen = c->vnc.enabled ? c->vnc.server_listen : NULL,
                .mem_stats_period_s = (unsigned)c->libvirt.mem_stats_period_seconds,
                .rng_dev_path = c->libvirt.rng_dev_path,
                .call_timeout_s = (double)c->libvirt.call_timeout,
        };
        struct compute_options manager = { .conf = c,
                                           .store = &a->store,
                                           .images = a->images,
                                           .disks = a->disks,
                                           .placement = a->placement,
                                           .journal = a->journal };

        if (!transport_url_is_local(c->transport_url)) { /* else there is no scheduler */
                manager.scheduler = &rpc_scheduler_ops;
                manager.scheduler_arg = &a->methods;
        }

        manager.driver = a->driver = virt_libvirt_new(&opt, err);
        if (!a->driver)
                return -1;
        a->manager = compute_manager_new(&manager, err);
        if (!a->manager)
                return -1;
        a->driver->on_event = compute_on_virt_event;
        a->driver->on_event_arg = a->manager;
        if (a->driver->ops->start(a->driver, err) < 0)
                return -1;
        return until_it_works(a, "hypervisor", REACH_S, reach_hypervisor, err);
}

static void YIELDS virt_stop(struct agent *a)
{
        compute_manager_free(take_ptr(&a->manager));
        if (a->driver)
                a->driver->ops->stop(take_ptr(&a->driver));
}

static int YIELDS show_start(struct agent *a, struct error *err)
{
        a->progress = progress_start(a, err);
        return a->progress ? 0 : -1;
}

static void YIELDS show_stop(struct agent *a)
{
        progress_stop(take_ptr(&a->progress));
}

static void show_progress(unsigned done, unsigned total, void *arg)
{
        const struct agent *a = arg;

        assert_on_hub();
        progress_recovering(a->progress, done, total);
        notify_extend_timeout(ATTEMPT_S * 2);
}

static int YIELDS recover(struct agent *a, struct deadline by, struct error *err)
{
        return compute_init_host(a->manager, show_progress, a, deadline_never(), err);
}

static int YIELDS recovery_start(struct agent *a, struct error *err)
{
        return until_it_works(a, "recovery of instances", ATTEMPT_S, recover, err);
}

static int YIELDS ensure_and_audit(struct agent *a, struct deadline by, struct error *err)
{
        if (compute_service_ensure(a->manager, by, err) < 0)
                return -1;
        return compute_first_audit(a->manager, by, err);
}

static int YIELDS audit_start(struct agent *a, struct error *err)
{
        return until_it_works(a, "first audit of resources", ATTEMPT_S, ensure_and_audit, err);
}

static void HUB_ONLY collect_endpoints(struct agent *a)
{
        unsigned n = 0;

        for (const struct rpc_endpoint *e = agent_endpoints; e->methods; e++) {
                a->endpoints[n] = *e;
                a->endpoints[n++].app = &a->methods;
        }
        if (a->conf->rpc_ping_enabled)
                a->endpoints[n++] = agent_ping_endpoint;
        a->endpoints[n] = admin_endpoint;
        a->endpoints[n].app = &a->admin;
}

static void log_failed_request(const struct rpc_request *r, const struct error *err, void *app)
{
        struct agent *a = app;
        bool answered = r && r->msg_id;

        assert_on_hub();
        if (r)
                log_at(compute_failure_is_ordinary(err, answered) ? LOG_INFO
                       : err->code == ERR_DENIED                  ? LOG_WARNING
                                                                  : LOG_ERROR,
                       "%s %.64s failed: %s", answered ? "call" : "request", r->method, err->text);
        else
                complain(a->complaints, err->text);
}

static void log_refused(const struct error *why, void *arg)
{
        struct agent *a = arg;

        assert_on_hub();
        complain(a->complaints, why->text);
}

static int may(const struct rpc_call *call, void *app, struct error *err)
{
        const struct agent *a = app;

        assert_on_hub();
        return access_check(call, a->readers.exist ? a->conf->control_readers_group : "", err);
}

static struct rpc_server *HUB_ONLY new_server(struct agent *a, struct transport *t, struct error *err)
{
        struct rpc_server_options opt = {
                .transport = t,
                .target = { .exchange = a->conf->control_exchange,
                            .topic = "compute",
                            .server = a->conf->host },
                .endpoints = a->endpoints,
                .workers = (unsigned)a->conf->executor_thread_pool_size,
                .opt_pool = t == a->control_transport ? "control workers" : NULL,
                .may = may,
                .describe_failure = rpc_describe_failure,
                .on_failure = log_failed_request,
                .app = a,
        };

        return rpc_server_new(&opt, err);
}

/* What requests come over. With a broker this waits until it is there. */
static int YIELDS open_requests(struct agent *a, const struct transport_options *opt, struct error *err)
{
        a->transport = transport_new_with(a->conf->transport_url, opt, err);
        if (!a->transport)
                return error_while(err, "transport_url");
        a->methods.transport = a->transport;
        a->rpc = new_server(a, a->transport, err);
        if (!a->rpc)
                return -1;
        a->admin.rpc = a->rpc;
        a->admin.transport = a->transport;
        return rpc_server_start(a->rpc, err);
}

/*
 * What compute-agentctl talks to: the local socket that requests come over, or one beside the broker. It is
 * there first, so that health can tell for whom the start waits; until methods_start() it knows only the
 * admin methods.
 */
static int YIELDS control_start(struct agent *a, struct error *err)
{
        CLEANUP(freep) char *url = xasprintf("unix:%s", a->conf->control_socket);
        const struct transport_options opt = {
                .refused = log_refused, .arg = a, .has_group = a->readers.exist, .group = a->readers.gid
        };

        a->complaints = complaints_new();
        a->endpoints[0] = admin_endpoint;
        a->endpoints[0].app = &a->admin;
        if (transport_url_is_local(a->conf->transport_url))
                return open_requests(a, &opt, err);
        a->control_transport = transport_new_with(url, &opt, err);
        if (!a->control_transport)
                return error_while(err, "control_socket");
        a->control = new_server(a, a->control_transport, err);
        a->admin.control = a->control;
        return a->control ? rpc_server_start(a->control, err) : -1;
}

static void YIELDS rpc_stop(struct agent *a)
{
        a->admin.rpc = NULL;
        a->admin.transport = NULL;
        rpc_server_free(take_ptr(&a->rpc));
        a->methods.transport = NULL; /* builds still run, and may want to cast */
        transport_free(take_ptr(&a->transport));
}

/* Nobody may ask while what the answers are made of is taken down. */
static void YIELDS control_close(struct agent *a)
{
        a->admin.control = NULL;
        rpc_server_free(take_ptr(&a->control));
        transport_free(take_ptr(&a->control_transport));
        if (transport_url_is_local(a->conf->transport_url))
                rpc_stop(a);
}

static void YIELDS control_stop(struct agent *a)
{
        complaints_free(take_ptr(&a->complaints));
}

/* Early, so that a probe learns for whom the start waits. */
static int YIELDS monitoring_start(struct agent *a, struct error *err)
{
        a->monitor = monitor_start(&a->admin, err);
        return a->monitor ? 0 : -1;
}

static void YIELDS monitoring_stop(struct agent *a)
{
        monitor_stop(take_ptr(&a->monitor));
}

static int YIELDS methods_start(struct agent *a, struct error *err)
{
        a->methods = (struct agent_methods){
                .transport = a->transport, /* the local socket; a broker comes with the next part */
                .manager = a->manager,
                .control_exchange = a->conf->control_exchange,
                .host = a->conf->host,
                .timeout_s = (double)a->conf->rpc_response_timeout,
                .long_timeout_s = (double)a->conf->long_rpc_timeout,
        };
        collect_endpoints(a);
        return 0;
}

static struct amqp_options HUB_ONLY broker_options(const struct conf *c)
{
        return (struct amqp_options){
                .amqp_durable_queues = c->oslo_messaging_rabbit.amqp_durable_queues,
                .amqp_auto_delete = c->oslo_messaging_rabbit.amqp_auto_delete,
                .rabbit_ha_queues = c->oslo_messaging_rabbit.rabbit_ha_queues,
                .rabbit_quorum_queue = c->oslo_messaging_rabbit.rabbit_quorum_queue,
                .rabbit_quorum_delivery_limit = c->oslo_messaging_rabbit.rabbit_quorum_delivery_limit,
                .rabbit_quorum_max_memory_length = c->oslo_messaging_rabbit.rabbit_quorum_max_memory_length,
                .rabbit_quorum_max_memory_bytes = c->oslo_messaging_rabbit.rabbit_quorum_max_memory_bytes,
                .rabbit_transient_queues_ttl = c->oslo_messaging_rabbit.rabbit_transient_queues_ttl,
                .rabbit_qos_prefetch_count = c->oslo_messaging_rabbit.rabbit_qos_prefetch_count,
                .heartbeat_timeout_threshold = c->oslo_messaging_rabbit.heartbeat_timeout_threshold,
                .rabbit_retry_interval = c->oslo_messaging_rabbit.rabbit_retry_interval,
                .rabbit_retry_backoff = c->oslo_messaging_rabbit.rabbit_retry_backoff,
                .rabbit_interval_max = c->oslo_messaging_rabbit.rabbit_interval_max,
                .kombu_reconnect_delay = c->oslo_messaging_rabbit.kombu_reconnect_delay,
                .kombu_missing_consumer_retry_timeout =
                        c->oslo_messaging_rabbit.kombu_missing_consumer_retry_timeout,
                .ssl = c->oslo_messaging_rabbit.ssl,
                .ssl_ca_file = c->oslo_messaging_rabbit.ssl_ca_file,
                .ssl_cert_file = c->oslo_messaging_rabbit.ssl_cert_file,
                .ssl_key_file = c->oslo_messaging_rabbit.ssl_key_file,
                .ssl_enforce_hostname_verification =
                        c->oslo_messaging_rabbit.ssl_enforce_hostname_verification,
        };
}

static void broker_changed(bool ok, const char *text, void *arg)
{
        const struct agent *a = arg;

        assert_on_hub();
        if (ok)
                log_info("%s", text);
        else
                log_warning("%s", text);
        if (!ok && !a->admin.ready) {
                notify_status("waiting for %s", text); /* which begins with "broker" */
                notify_extend_timeout(ATTEMPT_S * 2);
        }
}

static int YIELDS rpc_start(struct agent *a, struct error *err)
{
        struct amqp_options amqp = broker_options(a->conf);
        const struct transport_options opt = {
                .amqp = &amqp,
                .changed = broker_changed,
                .refused = log_refused,
                .arg = a,
                .has_group = a->readers.exist,
                .group = a->readers.gid,
        };

        return a->rpc ? 0 : open_requests(a, &opt, err); /* the local socket is there since control_start() */
}

static int YIELDS periodic_start_all(struct agent *a, struct error *err)
{
        return compute_start_periodic(a->manager, err);
}

static void YIELDS periodic_stop_all(struct agent *a)
{
        compute_stop_periodic(a->manager);
}

enum { KEEP_SMALL_S = 30, HEALTH_S = 5 };

/* Once after the start, and whenever something was done and nothing is being done. */
static int keep_small(void *arg, struct error *err)
{
        const struct agent *a = arg;
        unsigned long done, done_then = ULONG_MAX;
        struct compute_stats now;

        assert_green();
        while (green_sleep(KEEP_SMALL_S, err) == 0) {
                compute_get_stats(a->manager, &now);
                done = now.builds + now.actions + now.events;
                if (now.running > 0 || done == done_then)
                        continue;
                trim_memory();
                done_then = done;
        }
        return -1;
}

/* With --debug breakpoints stand in pages that would be given back. */
static int YIELDS memory_start(struct agent *a, struct error *err)
{
        if (a->options->debug)
                return 0;
        a->memory = green_spawn_ref(NULL, "memory", keep_small, a, err);
        return a->memory ? 0 : -1;
}

static void YIELDS end_thread(struct green **g)
{
        struct error ignored;

        if (!*g)
                return;
        green_cancel(*g);
        green_join(*g, deadline_never(), NULL, &ignored);
        green_unref(take_ptr(g));
}

static void YIELDS memory_stop(struct agent *a)
{
        end_thread(&a->memory);
}

/* Whether or not somebody asks: it is to be told since when something is wrong, and where a person looks. */
static int watch_health(void *arg, struct error *err)
{
        struct agent *a = arg;

        assert_green();
        do {
                jval_unref(admin_health(&a->admin));
                if (a->progress)
                        progress_show(a->progress);
        } while (green_sleep(HEALTH_S, err) == 0);
        return -1;
}

static int YIELDS health_start(struct agent *a, struct error *err)
{
        a->health = green_spawn_ref(NULL, "health", watch_health, a, err);
        return a->health ? 0 : -1;
}

static int YIELDS readers_start(struct agent *a, struct error *err)
{
        return readers_find(a->conf->control_readers_group, a->files, &a->readers, err);
}

static const struct part {
        const char *name;
        int (*start)(struct agent *a, struct error *err);
        void (*stop)(struct agent *a); /* also after a start that failed half way */
} parts[] = {
        { "reports", reports_start, reports_stop }, /* first and last: what hangs can be looked into */
        { "stall watcher", watcher_start, watcher_stop },
        { "heartbeat", heart_start, heart_stop }, /* before all that may take long */
        { "workers", workers_start, workers_stop },
        { "readers' group", readers_start, NULL },
        { "control socket", control_start, control_stop },
        { "health", health_start, NULL }, /* ends with those who may ask */
        { "monitoring", monitoring_start, monitoring_stop },
        { "database", database_start, database_stop },
        { "peers", peers_start, peers_stop },
        { "images", images_start, images_stop },
        { "journal", journal_start, journal_stop },
        { "hypervisor", virt_start, virt_stop }, /* events flow before states are read */
        { "progress", show_start, show_stop },
        { "recovery", recovery_start, NULL },
        { "audit", audit_start, NULL },
        { "methods", methods_start, NULL },
        { "rpc", rpc_start, rpc_stop }, /* no call reaches a half-started daemon */
        { "periodic tasks", periodic_start_all, periodic_stop_all },
        { "memory", memory_start, memory_stop },
        { "program on disk", program_start, program_stop },
};

int parts_start(struct agent *a, struct error *err)
{
        while (a->started < ARRAY_SIZE(parts)) {
                const struct part *p = &parts[a->started++];

                log_debug("starting: %s", p->name);
                if (p->start(a, err) < 0)
                        return error_while(err, "starting the %s", p->name);
                fill_admin(a);
        }
        return 0;
}

/* Who looks in from now on sees that the parts are not there, not what is left of them. */
static void HUB_ONLY forget_admin(struct agent *a)
{
        a->admin = (struct admin_sources){
                .options = a->admin.options,
                .log_level = a->admin.log_level,
                .conf = a->admin.conf,
                .started_ns = a->admin.started_ns,
                .draining = a->admin.draining,
                .reporter = a->admin.reporter,
                .stderr_is_journal = a->admin.stderr_is_journal,
        };
}

void parts_stop(struct agent *a)
{
        end_thread(&a->health);
        control_close(a);
        if (a->admin.reporter)
                reporter_leave_rows(a->admin.reporter);
        forget_admin(a);
        while (a->started > 0) {
                const struct part *p = &parts[--a->started];

                if (p->stop) {
                        log_debug("stopping: %s", p->name);
                        p->stop(a);
                }
        }
}
