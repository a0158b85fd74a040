/* agent/admin/status.c: the whole at a glance: what each part tells about itself, in one object. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "compute/tracker.h"
#include "patcher/patcher.h"
#include "admin/admin.h"

#define COUNT_S     2.0 /* to count the instances */
#define NS_TO_S(ns) ((double)(ns) / (double)NS_PER_S)

double admin_heartbeat_age_s(const struct conf *conf)
{
        char CLEANUP(freep) *path = NULL;
        struct stat st;
        struct timespec now;
        double age;

        if (!*conf->heartbeat_file_path)
                return -1;
        local_files("where the heartbeat itself has just been written");
        path = xasprintf("%s/%s", conf->heartbeat_file_path, conf->heartbeat_file_name);
        if (stat(path, &st) < 0)
                return -1;
        clock_gettime(CLOCK_REALTIME, &now);
        age = (double)(now.tv_sec - st.st_mtim.tv_sec) + NS_TO_S(now.tv_nsec - st.st_mtim.tv_nsec);
        return age > 0 ? age : 0; /* the clock was put back since */
}

static void HUB_ONLY add_work(struct jval *to, const struct admin_sources *s)
{
        struct jval *running = jval_new_array();
        struct compute_stats stats = {};
        double reported = -1;

        if (s->manager) {
                compute_get_stats(s->manager, &stats);
                reported = compute_last_report_age(s->manager);
                compute_manager_foreach_running(s->manager, admin_add_running, running);
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

/* The services row as last written or read; null before. */
static struct jval *HUB_ONLY service(const struct admin_sources *s)
{
        const struct service_row *row = s->manager ? compute_service(s->manager) : NULL;
        struct jval *to;

        if (!row || row->id == 0)
                return jval_new_null();
        to = jval_new_object();
        jval_set_bool(to, "disabled", row->disabled);
        jval_set_bool(to, "forced_down", row->forced_down);
        jval_set_text(to, "disabled_reason", row->disabled ? row->disabled_reason : NULL);
        return to;
}

static void set_amount(struct jval *to, const char *key, int64_t used, int64_t total)
{
        struct jval *one = jval_new_object();

        jval_set_int(one, "used", used);
        jval_set_int(one, "total", total);
        jval_set(to, key, one);
}

/* Null before the first audit. */
static struct jval *HUB_ONLY resources(const struct tracker *t)
{
        const struct compute_node_row *row = t ? tracker_row(t) : NULL;
        struct jval *to;

        if (!row)
                return jval_new_null();
        to = jval_new_object();
        set_amount(to, "vcpus", row->vcpus_used, row->vcpus);
        set_amount(to, "memory_mb", row->memory_mb_used, row->memory_mb);
        set_amount(to, "disk_gb", row->local_gb_used, row->local_gb);
        return to;
}

static void HUB_ONLY add_host(struct jval *to, const struct admin_sources *s)
{
        const struct tracker *t = s->manager ? compute_tracker(s->manager) : NULL;
        double age = t ? tracker_audit_age(t) : -1;

        jval_set_text(to, "node", t && *tracker_node(t) ? tracker_node(t) : NULL);
        jval_set(to, "service", service(s));
        jval_set(to, "resources", resources(t));
        jval_set(to, "last_audit_age_s", age < 0 ? jval_new_null() : jval_new_real(age));
}

/* Null when the database does not answer soon: the rest of the status is worth more than waiting. */
static void YIELDS add_instances(struct jval *to, const struct admin_sources *s)
{
        const struct db_value host = db_text(s->conf->host);
        struct db_result CLEANUP(db_result_freep) *rows = NULL;
        struct jval *states = NULL;
        struct error err;
        int64_t n = 0;

        if (s->db && db_pool_select(s->db,
                                    "SELECT vm_state, COUNT(*) FROM instances WHERE host = ? AND deleted = 0 "
                                    "GROUP BY vm_state ORDER BY vm_state",
                                    &host, 1, &rows, deadline_in_s(COUNT_S), &err) == 0) {
                states = jval_new_object();
                for (size_t i = 0; i < db_result_rows(rows); i++) {
                        const struct db_value *row = db_result_row(rows, i);

                        jval_set_int(states, row[0].type == DB_TEXT ? row[0].s : "unknown", row[1].i);
                        n += row[1].i;
                }
        }
        jval_set(to, "instances_total", states ? jval_new_int(n) : jval_new_null());
        jval_set(to, "instances", states ? states : jval_new_null());
}

struct jval *admin_status_now(const struct admin_sources *s)
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
        jval_set(to, "drain", admin_drain(s));
        jval_set(to, "restart_pending",
                 *s->restart_pending ? jval_new_text(s->restart_pending) : jval_new_null());
        add_hypervisor(to, s);
        add_database(to, s);
        add_rpc(to, s);
        add_placement(to, s);
        jval_set(to, "heartbeat_age_s", age < 0 ? jval_new_null() : jval_new_real(age));
        add_host(to, s);
        jval_set(to, "hub", admin_hub(s));
        add_work(to, s);
        return to;
}

struct jval *admin_status(const struct admin_sources *s)
{
        struct jval *to = admin_status_now(s);

        add_instances(to, s); /* last, since it waits: the rest is of one moment */
        return to;
}
