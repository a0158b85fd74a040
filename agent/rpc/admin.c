/*
 * agent/rpc/admin.c: the table of admin methods, and the short ones.
 *
 * Answers are made of what the parts tell about themselves, so that a part which hangs cannot make them wait:
 * only the rows are read afresh, with a short deadline.
 */
#include "rpc/admin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODULE "rpc.admin"
#include "base/log.h"
#include "base/mem.h"
#include "patcher/patcher.h"
#include "rpc/access.h"

#define ROWS_S      10.0 /* to read the rows for "instances" */
#define COUNT_S     2.0  /* to count them for "status" */
#define NS_TO_S(ns) ((double)(ns) / (double)NS_PER_S)

/* ---- status ---- */

double admin_heartbeat_age_s(const struct conf *conf)
{
        char CLEANUP(freep) *path = NULL;
        struct stat st;
        struct timespec now;

        if (!*conf->heartbeat_file_path)
                return -1;
        local_files("where the heartbeat itself has just been written");
        path = xasprintf("%s/%s", conf->heartbeat_file_path, conf->heartbeat_file_name);
        if (stat(path, &st) < 0)
                return -1;
        clock_gettime(CLOCK_REALTIME, &now);
        return (double)(now.tv_sec - st.st_mtim.tv_sec) + NS_TO_S(now.tv_nsec - st.st_mtim.tv_nsec);
}

static void add_running(const struct compute_running *r, void *arg)
{
        struct jval *one = jval_new_object();

        jval_set_text(one, "method", r->method);
        jval_set_text(one, "request_id", r->request_id);
        jval_set_text(one, "uuid", r->uuid);
        jval_set_text(one, "doing", r->doing);
        jval_set_real(one, "seconds", r->seconds);
        jval_push(arg, one);
}

static void HUB_ONLY add_work(struct jval *to, const struct admin_sources *s)
{
        struct jval *running = jval_new_array();
        struct compute_stats stats = {};
        double reported = -1;

        if (s->manager) {
                compute_get_stats(s->manager, &stats);
                reported = compute_last_report_age(s->manager);
                compute_manager_foreach_running(s->manager, add_running, running);
        }
        jval_set(to, "last_report_age_s", reported < 0 ? jval_new_null() : jval_new_real(reported));
        jval_set_int(to, "builds", (int64_t)stats.builds);
        jval_set_int(to, "builds_failed", (int64_t)stats.builds_failed);
        jval_set_int(to, "actions", (int64_t)stats.actions);
        jval_set_int(to, "actions_failed", (int64_t)stats.actions_failed);
        jval_set(to, "running", running);
}

static void HUB_ONLY add_rpc(struct jval *to, const struct admin_sources *s)
{
        struct rpc_server_stats stats = {};
        char text[1024] = "not started"; /* two connections with what is wrong with each */
        bool ok = false;

        if (s->rpc)
                rpc_server_get_stats(s->rpc, &stats);
        if (s->transport)
                transport_describe(s->transport, text, sizeof(text), &ok);
        jval_set_text(to, "transport", text);
        jval_set_bool(to, "transport_ok", ok);
        jval_set_int(to, "running_rpc", stats.running);
        jval_set_int(to, "queued_rpc", stats.queued);
        jval_set_int(to, "received_rpc", (int64_t)stats.received);
        jval_set_int(to, "failed_rpc", (int64_t)stats.failures);
        jval_set_int(to, "rejected_rpc", (int64_t)stats.rejected);
        jval_set_int(to, "duplicate_rpc", (int64_t)stats.duplicates);
}

static void HUB_ONLY add_database(struct jval *to, const struct admin_sources *s)
{
        struct db_pool_info info = {};

        if (s->db)
                db_pool_get_info(s->db, &info);
        jval_set_text(to, "database", info.peer[0] ? info.peer : "not connected");
        jval_set_bool(to, "database_ok", info.reachable);
        jval_set_text(to, "database_version", info.server_version);
}

/* Null where there is none to tell of this host. */
static void HUB_ONLY add_placement(struct jval *to, const struct admin_sources *s)
{
        struct compute_placement_state state = {};
        bool there = s->manager && compute_get_placement_state(s->manager, &state);

        jval_set(to, "placement",
                 there ? jval_new_text(state.known ? state.text : "nothing was told yet") : jval_new_null());
        jval_set_bool(to, "placement_ok", state.ok);
}

static void HUB_ONLY add_hypervisor(struct jval *to, const struct admin_sources *s)
{
        struct virt_status status = {};

        if (s->driver)
                s->driver->ops->get_status(s->driver, &status);
        jval_set_text(to, "uri", s->driver ? status.uri : s->conf->libvirt.connection_uri);
        jval_set_bool(to, "hypervisor_ok", status.connected);
        jval_set_int(to, "virt_events", (int64_t)status.events);
        jval_set_int(to, "virt_reconnects", (int64_t)status.reconnects);
}

/* Null when the database does not answer soon: the rest of the status is worth more than waiting. */
static struct jval *YIELDS count_instances(const struct admin_sources *s)
{
        const struct db_value host = db_text(s->conf->host);
        struct db_result CLEANUP(db_result_freep) *rows = NULL;
        struct error err;

        if (!s->db || db_pool_select(s->db, "SELECT COUNT(*) FROM instances WHERE host = ? AND deleted = 0",
                                     &host, 1, &rows, deadline_in_s(COUNT_S), &err) < 0)
                return jval_new_null();
        return db_result_rows(rows) == 1 ? jval_new_int(db_result_row(rows, 0)->i) : jval_new_null();
}

struct jval *admin_status(const struct admin_sources *s)
{
        struct jval *to = jval_new_object();
        double age = admin_heartbeat_age_s(s->conf);

        jval_set_text(to, "version", AGENT_VERSION);
        jval_set_text(to, "host", s->conf->host);
        jval_set_int(to, "pid", getpid());
        jval_set_real(to, "uptime_s", NS_TO_S(clock_now_ns() - s->started_ns));
        jval_set_bool(to, "debug", !is_patched(PATCH_THREAD));
        jval_set_text(to, "log_level", log_level_name(log_get_level()));
        jval_set_bool(to, "started", s->ready);
        jval_set_bool(to, "draining", s->draining);
        add_hypervisor(to, s);
        add_database(to, s);
        add_rpc(to, s);
        add_placement(to, s);
        jval_set(to, "heartbeat_age_s", age < 0 ? jval_new_null() : jval_new_real(age));
        jval_set(to, "instances_total", count_instances(s));
        add_work(to, s);
        return to;
}

/* ---- instances ---- */

static const char *state_of(const struct guest_list *guests, bool known, const char *uuid)
{
        for (unsigned i = 0; i < guests->n; i++) {
                if (strcmp(guests->items[i].uuid, uuid) == 0)
                        return power_state_name(guests->items[i].power_state);
        }
        return known ? "absent" : NULL;
}

struct doing {
        const char *uuid;
        struct jval *text; /* NULL: nothing */
};

/* The last one is at work, those before it wait for its lock or are waited for. */
static void take_doing(const struct compute_running *r, void *arg)
{
        struct doing *d = arg;

        if (strcmp(r->uuid, d->uuid) != 0)
                return;
        jval_unref(d->text);
        d->text = jval_new_text(r->doing);
}

static struct jval *HUB_ONLY what_is_done(const struct admin_sources *s, const char *uuid)
{
        struct doing d = { .uuid = uuid };

        if (s->manager)
                compute_manager_foreach_running(s->manager, take_doing, &d);
        return d.text ? d.text : jval_new_null();
}

static struct jval *instance_row(const struct instance *i, const char *domain_name, const char *state)
{
        struct jval *row = jval_new_object();

        jval_set_text(row, "uuid", i->uuid);
        jval_set_text(row, "name", domain_name);
        jval_set_text(row, "display_name", i->display_name);
        jval_set_text(row, "vm_state", vm_state_name(i->vm_state));
        jval_set_text(row, "task_state", task_state_name(i->task_state));
        jval_set_text(row, "power_state", power_state_name(i->power_state));
        jval_set_text(row, "hypervisor_state", state);
        jval_set_int(row, "memory_mb", i->memory_mb);
        jval_set_int(row, "vcpus", i->vcpus);
        return row;
}

int admin_instances(const struct admin_sources *s, struct jval **ret, struct error *err)
{
        struct deadline by = deadline_in_s(ROWS_S);
        struct instance_list rows = {};
        struct guest_list guests = {};
        struct jval *list, *to;
        struct error ignored;
        bool known;

        if (!s->store)
                return error_set(err, ERR_BUSY, "the agent has not reached its database yet");
        if (store_instances_of_host(s->store, &rows, by, err) < 0)
                return error_while(err, "reading the instances");
        known = s->driver && s->driver->ops->list(s->driver, &guests, by, &ignored) == 0;
        list = jval_new_array();
        for (unsigned i = 0; i < rows.n; i++) {
                const struct instance *row = rows.items[i];
                struct jval *one;
                char CLEANUP(freep) *name = instance_domain_name(row, s->conf->instance_name_template);

                one = instance_row(row, name, state_of(&guests, known, row->uuid));
                jval_set(one, "doing", what_is_done(s, row->uuid));
                jval_push(list, one);
        }
        guest_list_free(&guests);
        instance_list_free(&rows);
        to = jval_new_object();
        jval_set(to, "instances", list);
        *ret = to;
        return 0;
}

/* ---- methods ---- */

static int method_status(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_status(call->app);
        return 0;
}

static int method_instances(struct rpc_call *call, struct error *err)
{
        assert_green();
        return admin_instances(call->app, &call->result, err);
}

static int method_threads(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_threads();
        return 0;
}

static int method_pools(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_pools(call->app);
        return 0;
}

static int method_tasks(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_tasks(call->app);
        return 0;
}

static int method_health(struct rpc_call *call, struct error *err)
{
        assert_green();
        call->result = admin_health(call->app);
        return 0;
}

struct log_level_args {
        char *level;
};

static const struct json_field log_level_fields[] = {
        { "level", json_field_text, offsetof(struct log_level_args, level), JSON_NULLABLE },
        {},
};

static int set_log_level(struct rpc_call *call, const char *name, struct error *err)
{
        enum log_level level;

        if (access_may_change(call, err) < 0)
                return -1;
        if (!log_level_parse(name, &level))
                return error_set(err, ERR_RPC_BAD_ARGUMENTS,
                                 "level: \"%.32s\" is none of debug, info, warning, error, critical", name);
        log_warning("log level is now %s (was %s), as asked over the local socket by uid %u",
                    log_level_name(level), log_level_name(log_get_level()), call->peer_uid);
        log_set_level(level);
        return 0;
}

static int method_log_level(struct rpc_call *call, struct error *err)
{
        struct log_level_args args = {};
        int r = 0;

        assert_green();
        if (json_fields_decode_strict(log_level_fields, call->request->args, &args, err) < 0) {
                err->code = ERR_RPC_BAD_ARGUMENTS;
                return -1;
        }
        if (args.level)
                r = set_log_level(call, args.level, err);
        json_fields_free(log_level_fields, &args);
        if (r == 0) {
                call->result = jval_new_object();
                jval_set_text(call->result, "level", log_level_name(log_get_level()));
        }
        return r;
}

/* The same way as an operator's kill: one path to test, one to keep right. */
static int method_drain(struct rpc_call *call, struct error *err)
{
        assert_green();
        log_info("asked to drain over the local socket by uid %u", call->peer_uid);
        if (kill(getpid(), SIGTERM) < 0)
                return error_system(err, errno, "sending SIGTERM to myself");
        call->result = jval_new_object();
        jval_set_int(call->result, "pid", getpid());
        return 0;
}

static int method_report(struct rpc_call *call, struct error *err)
{
        const struct admin_sources *s = call->app;
        char CLEANUP(freep) *path = NULL;

        assert_green();
        if (!s->write_report)
                return error_set(err, ERR_UNSUPPORTED, "this agent writes its report on SIGUSR2 only");
        if (s->write_report(s, &path, err) < 0)
                return error_while(err, "writing the report");
        call->result = jval_new_object();
        jval_set_text(call->result, "written_to", path ? path : "standard error");
        return 0;
}

const struct rpc_method admin_methods[] = {
        { "status", method_status, access_look },
        { "instances", method_instances, access_look },
        { "threads", method_threads, access_look },
        { "pools", method_pools, access_look },
        { "tasks", method_tasks, access_look },
        { "health", method_health, access_look },
        { "log-level", method_log_level, access_look },
        { "drain", method_drain },
        { "report", method_report },
        {},
};

const struct rpc_endpoint admin_endpoint = {
        .ns = ADMIN_NAMESPACE,
        .version = ADMIN_VERSION,
        .methods = admin_methods,
        .opt_name = "admin",
};
